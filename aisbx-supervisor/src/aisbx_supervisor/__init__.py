"""REST host of aisbx: a service holds sandboxes, and says how it and they are."""
