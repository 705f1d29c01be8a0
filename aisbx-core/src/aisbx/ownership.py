"""Could somebody else have made this? What the host trusts must belong to the user or to root, and only to them."""

import os
import stat
from functools import cache


def weakness(found: os.stat_result) -> str:
    """Say who else could change what has this status, or give "" where only the user and root can.

    A directory that all may write to but where only owners may rename and remove (`/tmp`, sticky bit: inode(7))
    passes: what lies in it is checked by itself.
    """
    if not hasattr(os, "geteuid"):
        return ""  # Windows: no such owners and bits; its drivers confine in a guest
    if found.st_uid not in {0, os.geteuid()}:
        return f"belongs to {_name(found.st_uid)}"
    if stat.S_ISLNK(found.st_mode):
        return ""  # a link has an owner, but its bits mean nothing
    if found.st_mode & stat.S_IWOTH and not _sticky(found.st_mode):
        return "can be written by everybody"
    if found.st_mode & stat.S_IWGRP and not _sticky(found.st_mode) and not _private(found.st_gid, found.st_uid):
        return f"can be written by the group {found.st_gid}"
    return ""


def _sticky(mode: int) -> bool:
    return stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX)


def _name(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


@cache
def _private(gid: int, uid: int) -> bool:
    """Tell whether this is the group that distributions make for one user alone (so that a umask may be 002)."""
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(uid)
    except KeyError:
        return False
    return user.pw_gid == gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
