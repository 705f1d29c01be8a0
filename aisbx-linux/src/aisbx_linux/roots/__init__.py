"""Make root directories for `SandboxSpec.rootfs`: from Debian's packages, the host's runtime, or a tar.

Whichever it is, it comes as a tar stream, and one confined process writes all of it.
"""
