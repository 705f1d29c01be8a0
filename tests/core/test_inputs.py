import os
from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx.inputs import Inputs, signature


def stale(inputs: Inputs) -> bool:
    return any(signature(path, nofollow=nofollow) != found for path, found, nofollow in inputs.paths)


def write(path: Path) -> None:
    path.write_text("other")


def rewrite_with_the_same_size_and_time(path: Path) -> None:
    before = path.stat()
    path.write_text("four")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def close(path: Path) -> None:
    path.chmod(0o600)


def replace(path: Path) -> None:
    path.with_name("new").write_text("text")
    path.with_name("new").replace(path)


@pytest.mark.parametrize("change", [write, rewrite_with_the_same_size_and_time, replace, Path.unlink, close])
def test_a_file_that_changed_in_any_way_is_stale(change: Callable[[Path], None], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    file.chmod(0o644)
    inputs = Inputs({})
    inputs.note(file)
    assert not stale(inputs)
    change(file)
    assert stale(inputs)


@pytest.mark.parametrize("appears", ["file", "directory", "link", "dangling link"])
def test_something_that_appears_where_nothing_was_is_stale(appears: str, tmp_path: Path) -> None:
    path = tmp_path / "later"
    inputs = Inputs({})
    inputs.note(path)
    assert inputs.paths == [(str(path), None, True)]
    assert not stale(inputs)
    match appears:
        case "file":
            path.write_text("")
        case "directory":
            path.mkdir()
        case "link":
            path.symlink_to("/etc/passwd")
        case _:
            path.symlink_to("nowhere")
    assert stale(inputs)


def test_a_link_is_stale_when_it_changes_and_when_what_it_leads_to_changes(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    link = tmp_path / "link"
    link.symlink_to("one")
    first, second = Inputs({}), Inputs({})
    first.note(link)
    (tmp_path / "one").write_text("changed")
    assert stale(first)
    second.note(link)
    link.unlink()
    link.symlink_to("two")
    assert stale(second)


def test_a_noted_link_alone_does_not_mind_changes_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    link = tmp_path / "link"
    link.symlink_to("directory")
    inputs = Inputs({})
    inputs.note_link(link)
    (tmp_path / "directory/new").write_text("")
    assert not stale(inputs)


def test_the_first_note_stays_because_it_is_the_one_before_the_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    inputs = Inputs({})
    inputs.note(file)
    file.write_text("changed while it was read")
    inputs.note(file)
    assert len(inputs.paths) == 1
    assert stale(inputs)


def test_variables_are_recorded_with_their_absence_and_by_prefix() -> None:
    inputs = Inputs({"A": "1", "AISBX_X": "2"})
    assert (inputs.env("A"), inputs.env("B")) == ("1", None)
    assert inputs.environ == {"A": "1", "B": None}
    assert inputs.env_prefix("AISBX_") == {"AISBX_X": "2"}
    assert inputs.prefixes == {"AISBX_": {"AISBX_X": "2"}}


def test_variables_come_from_the_environment_that_was_bound_last() -> None:
    inputs = Inputs({"A": "1"}).bind({"A": "2"})
    assert inputs.env("A") == "2"
