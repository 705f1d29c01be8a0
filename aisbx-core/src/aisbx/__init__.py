"""aisbx: a plugin-based sandbox framework."""
