"""What is made beside its place: alone, whole or not at all, wherever the process that makes it is killed."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from aisbx.errors import StateError
from aisbx_linux.roots.making import beside, making, tidy

KILLED = """
import os, signal, sys
from pathlib import Path
from aisbx_linux.roots.making import beside
with beside(Path(sys.argv[1]), print) as private:
    (private / "half").write_text("made")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(place: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(place)], check=False)
    assert done.returncode == -signal.SIGKILL


def test_directories_above_it_are_made(tmp_path: Path) -> None:
    place = tmp_path / "a/b/root"
    with making(place, "a test", print) as private:
        (private / "root/file").write_text("here")
    assert sorted(os.listdir(place)) == [".aisbx-rootfs.json", "file"]
    assert os.listdir(place.parent) == ["root"]


def test_directories_above_it_are_removed_where_nothing_comes_of_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError), beside(tmp_path / "a/b/root", print):
        raise KeyError
    assert not os.listdir(tmp_path)
    (tmp_path / "file").touch()
    under = tmp_path / "file/a/b"
    with pytest.raises(StateError, match=r"file.* cannot be made: Not a directory"), beside(under, print):
        pytest.fail("it cannot be made")
    assert os.listdir(tmp_path) == ["file"]


def test_another_persons_directory_above_it_stays(tmp_path: Path) -> None:
    with suppress(KeyError), beside(tmp_path / "a/b/root", print):
        (tmp_path / "a/other").touch()
        raise KeyError
    assert os.listdir(tmp_path / "a") == ["other"]


def test_what_one_that_was_killed_left_is_removed_by_the_next(tmp_path: Path) -> None:
    place, told = tmp_path / "image", list[str]()
    killed(place)
    assert os.listdir(tmp_path) == [".image.making"]
    with beside(place, told.append) as private:
        assert not os.listdir(private)
    assert told == ["removing what was left half made"]
    assert not os.listdir(tmp_path)


def test_what_one_that_was_killed_left_is_removed_where_the_place_is_whole(tmp_path: Path) -> None:
    place = tmp_path / "image"
    killed(place)
    tidy(place)
    assert not os.listdir(tmp_path)


def test_two_do_not_make_the_same(tmp_path: Path) -> None:
    place = tmp_path / "image"
    with beside(place, print) as private:
        (private / "mine").touch()
        with pytest.raises(StateError, match="is being made by another process"), beside(place, print):
            pytest.fail("it is another's")
        assert os.listdir(private) == ["mine"]
