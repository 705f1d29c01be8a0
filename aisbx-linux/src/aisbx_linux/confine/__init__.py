"""A tool of our own that does what bubblewrap does, by the same options: for machines that have none."""
