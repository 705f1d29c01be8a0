"""What runs in the guest: it has this package, `aisbx_linux` and `aisbx.types`, and no other code of ours."""
