"""`./dev bench --peers`: aisbx and the tools people would use instead of it, in one run and one table."""
