"""The network of a sandbox, one name at a time: the process that runs an egress plugin, its rules and its records."""
