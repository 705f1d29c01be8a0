"""Prompts that come with the server: how to begin work that a sandbox is good for."""
