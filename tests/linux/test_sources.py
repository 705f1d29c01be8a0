"""What is mounted is what was looked at when the run was planned."""

import os
from pathlib import Path

import pytest
from aisbx.types import Source
from aisbx_linux.sources import SourceError, open_source


def source(path: Path) -> Source:
    status = path.stat()
    return {
        "path": str(path),
        "target": "/x",
        "writable": False,
        "identity": (status.st_dev, status.st_ino),
        "within": -1,
        "owned": True,
    }


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "parent" / "place"
    place.mkdir(parents=True)
    return place


def test_a_source_that_is_as_it_was_is_opened_as_a_handle_only(place: Path) -> None:
    descriptor = open_source(source(place))
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.listdir(descriptor)
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


def test_a_link_in_its_place_is_refused(place: Path, tmp_path: Path) -> None:
    planned = source(place)
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    with pytest.raises(SourceError, match="not what it was"):
        open_source(planned)


def test_a_link_in_a_parents_place_is_refused(place: Path, tmp_path: Path) -> None:
    planned = source(place)
    other = tmp_path / "other"
    (other / "place").mkdir(parents=True)
    place.parent.rename(tmp_path / "moved")
    (tmp_path / "parent").symlink_to(other)
    with pytest.raises(SourceError, match="not what it was"):
        open_source(planned)


def test_another_directory_under_its_name_is_refused(place: Path, tmp_path: Path) -> None:
    planned = source(place)
    place.rename(tmp_path / "moved")
    place.mkdir()
    with pytest.raises(SourceError, match="not what it was"):
        open_source(planned)


def test_a_source_that_is_gone_is_named(place: Path) -> None:
    planned = source(place)
    place.rmdir()
    with pytest.raises(SourceError, match="place: No such file"):
        open_source(planned)
