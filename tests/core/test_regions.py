"""What two names show, by the table of mounts. Real mounts are in `cli/test_mount.py`."""

from pathlib import Path

import pytest
from aisbx import regions
from aisbx.errors import PolicyError
from aisbx.inputs import Inputs
from aisbx.regions import MountTable, Region


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this process's table that a test may add to."""
    copy = tmp_path / "mountinfo"
    copy.write_bytes(Path("/proc/self/mountinfo").read_bytes())
    monkeypatch.setattr(regions, "_MOUNTINFO", str(copy))
    return copy


def test_a_region_holds_what_lies_in_it_on_the_same_file_system() -> None:
    region = Region("8:1", "/home/me")
    assert region.holds(Region("8:1", "/home/me"))
    assert region.holds(Region("8:1", "/home/me/project"))
    assert not region.holds(Region("8:1", "/home/meadow"))
    assert not region.holds(Region("8:2", "/home/me/project"))
    assert Region("8:1", "/").holds(region)


def test_mounts_below_a_directory_count_and_their_names_are_read_as_they_are(table: Path) -> None:
    place = table.parent / "a b"
    place.mkdir()
    point = str(place / "c").replace(" ", "\\040")
    with table.open("a") as file:
        file.write(f"99999 1 9:9 /x\\134y\\011z {point} rw - ext4 /dev/x rw\n")
    shown = MountTable().shown(str(place), Inputs({}))
    assert shown.regions[1:] == (Region("9:9", "/x\\y\tz"),)
    assert not MountTable().shown(str(place / "d"), Inputs({})).regions[1:]


def test_what_is_not_there_yet_shows_what_will_be_made_there(tmp_path: Path) -> None:
    known = MountTable()
    above = known.shown(str(tmp_path), Inputs({}))
    below = known.shown(str(tmp_path / "not" / "there"), Inputs({}))
    assert below.regions[0].path == above.regions[0].path + "/not/there"
    assert above.holds(below)
    assert below.meets(above)
    assert not below.holds(above)


def test_without_a_table_nothing_is_taken_for_granted(table: Path) -> None:
    table.write_bytes(b"")
    with pytest.raises(PolicyError, match="cannot be told what a mount shows"):
        MountTable().shown("/", Inputs({}))
    table.unlink()
    with pytest.raises(PolicyError, match="No such file"):
        MountTable()
