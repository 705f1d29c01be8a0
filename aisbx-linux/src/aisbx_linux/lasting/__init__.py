"""Sandboxes that last: a first process that only keeps the namespaces, and commands that join them one by one."""
