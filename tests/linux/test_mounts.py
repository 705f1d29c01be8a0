"""Where something is mounted: names as they are, whatever is in them."""

import os

from aisbx_linux.mounts import mount_points, plain


def test_the_list_of_this_process_has_what_is_mounted() -> None:
    points = mount_points()
    assert {"/", "/proc"} <= set(points)
    assert points == mount_points(os.getpid())


def test_what_the_kernel_escapes_is_undone_and_nothing_else() -> None:
    assert plain("/a\\040b/\\011\\012\\134040") == "/a b/\t\n\\040"
    assert plain("/für/\udcff") == "/für/\udcff"
