"""The kept output of runs: found by the beginning of an id, shown from any line."""

from pathlib import Path

import pytest
from aisbx.audit.output import Output, find_run, kept_runs
from aisbx.errors import StateError, UsageError
from hypothesis import given
from hypothesis import strategies as st


def tail(directory: Path, data: bytes, count: int | None) -> bytes:
    (directory / "a.log").write_bytes(data)
    output = Output(str(directory), "a", count)
    try:
        return b"".join(iter(output.read, b""))
    finally:
        output.close()


@given(st.lists(st.sampled_from([b"", b"a", b"bb"]), max_size=8), st.sampled_from([b"", b"x"]), st.integers(0, 9))
def test_the_last_lines_are_those_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], rest: bytes, count: int
) -> None:
    data = b"".join(line + b"\n" for line in lines) + rest
    expected = data.splitlines(keepends=True)[-count:] if count else []
    assert tail(tmp_path_factory.mktemp("runs"), data, count) == b"".join(expected)


def test_the_last_lines_are_found_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aisbx.audit.output.CHUNK", 4)
    assert tail(tmp_path, b"one\ntwo\nthree\nfour\n", 2) == b"three\nfour\n"
    assert tail(tmp_path, b"one\ntwo\nthree\nfour", None) == b"one\ntwo\nthree\nfour"


def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    for name in ("abc1.log", "abc2.log", "b.log", "b2.log", "notes.txt"):
        (tmp_path / name).touch()
    assert kept_runs(str(tmp_path)) == ["abc1", "abc2", "b", "b2"]
    assert find_run(str(tmp_path), "abc2") == "abc2"
    assert find_run(str(tmp_path), "b") == "b"
    with pytest.raises(UsageError, match="beginning of 2"):
        find_run(str(tmp_path), "abc")
    with pytest.raises(StateError, match="no output"):
        find_run(str(tmp_path), "zzz")


@pytest.mark.parametrize("name", ["", "../secret", "/etc/passwd", "x/../../secret", "."])
def test_a_run_is_never_a_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.log").write_text("s3cret")
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "x.log").touch()
    with pytest.raises(StateError):
        find_run(str(runs), name)


def test_no_directory_means_no_runs(tmp_path: Path) -> None:
    assert kept_runs(str(tmp_path / "none")) == []


def test_output_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "a.log").symlink_to("secret")
    with pytest.raises(StateError):
        Output(str(tmp_path), "a")
