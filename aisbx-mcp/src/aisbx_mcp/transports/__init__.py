"""The ways for clients to reach the server."""
