"""Linux primitives for authors of aisbx drivers."""
