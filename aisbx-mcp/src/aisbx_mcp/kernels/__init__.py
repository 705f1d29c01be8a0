"""Interpreters that keep their variables from call to call; what runs inside a sandbox imports nothing of ours."""
