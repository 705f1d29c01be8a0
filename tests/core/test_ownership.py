import os
import stat

import pytest
from aisbx.ownership import weakness

ME, OTHER = os.geteuid(), 4242


def status(mode: int, uid: int = ME, gid: int = 4243) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (status(stat.S_IFREG | 0o644), ""),
        (status(stat.S_IFDIR | 0o755, uid=0), ""),
        (status(stat.S_IFREG | 0o644, uid=OTHER), "belongs to"),
        (status(stat.S_IFLNK | 0o777, uid=OTHER), "belongs to"),
        (status(stat.S_IFLNK | 0o777), ""),
        (status(stat.S_IFREG | 0o646), "can be written by everybody"),
        (status(stat.S_IFDIR | 0o777), "can be written by everybody"),
        (status(stat.S_IFDIR | 0o775), "can be written by the group"),
        (status(stat.S_IFDIR | 0o1777, uid=0), ""),
        # The sticky bit protects what is in a directory; on a file it means nothing.
        (status(stat.S_IFREG | 0o1666), "can be written by everybody"),
    ],
)
def test_only_what_nobody_but_the_user_and_root_could_change_is_trusted(found: os.stat_result, why: str) -> None:
    said = weakness(found)
    assert why in said
    assert bool(said) == bool(why)


def test_a_group_of_the_users_own_may_write_as_with_umask_002(monkeypatch: pytest.MonkeyPatch) -> None:
    import grp
    import pwd

    from aisbx import ownership

    members: list[str] = []

    def account(_uid: int) -> pwd.struct_passwd:
        return pwd.struct_passwd(("me", "x", ME, 77, "", "/home/me", "/bin/sh"))

    def group(_gid: int) -> grp.struct_group:
        return grp.struct_group(("me", "x", 77, members))

    monkeypatch.setattr(pwd, "getpwuid", account)
    monkeypatch.setattr(grp, "getgrgid", group)
    ownership._private.cache_clear()
    assert weakness(status(stat.S_IFDIR | 0o775, gid=77)) == ""
    members.append("eve")
    ownership._private.cache_clear()
    assert "group" in weakness(status(stat.S_IFDIR | 0o775, gid=77))
    ownership._private.cache_clear()
