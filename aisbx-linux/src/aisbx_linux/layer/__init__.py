"""The layer over a workspace that takes what a sandbox writes, and what becomes of it afterwards; see docs/adr/0018."""
