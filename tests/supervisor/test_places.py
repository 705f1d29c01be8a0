"""Private workspaces are removed however a sandbox left them, and nothing else is."""

import os
from pathlib import Path

import pytest
from aisbx_supervisor.places import Places


def dig(place: Path) -> None:
    """Make directories deeper than Python recurses."""
    for _ in range(1100):
        place = place / "d"
        place.mkdir()


def test_one_with_closed_and_deep_directories_is_removed_and_neither_its_neighbour_nor_what_a_link_leads_to(
    tmp_path: Path,
) -> None:
    places = Places(str(tmp_path / "boxes"))
    left, neighbour = Path(places.make("k.work")), Path(places.make("k.work-1"))
    (tmp_path / "file").write_text("the host's")
    (left / "a/b/c").mkdir(parents=True)
    (left / "a/b/c/file").write_bytes(b"x" * 100_000)
    (left / "link").symlink_to(tmp_path)
    dig(left)
    assert places.bytes() > 100_000
    for closed in ("a/b/c", "a/b", "a", "."):
        (left / closed).chmod(0)
    places.drop("k.work")
    places.make("k.work")  # its name is free
    assert neighbour.is_dir()
    assert (tmp_path / "file").read_text() == "the host's"
    assert os.listdir(tmp_path / "boxes/.gone") == []


def test_what_a_killed_service_has_left_is_removed_when_it_can_be_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(str(tmp_path))
    for name in ("k.ended", "k.lives", ".gone/1", ".probe"):
        (tmp_path / name / "inside").mkdir(parents=True)
    places.sweep(())
    assert len(os.listdir(tmp_path)) == 4, "they are young"
    monkeypatch.setattr("aisbx_supervisor.places._YOUNG", -1.0)
    places.sweep({str(tmp_path / "k.lives")})
    assert sorted(os.listdir(tmp_path)) == [".gone", ".probe", "k.lives"]
    assert os.listdir(tmp_path / ".gone") == []


def test_a_look_goes_on_where_a_sandbox_ends_at_that_moment(tmp_path: Path) -> None:
    places = Places(str(tmp_path))
    places.make("k.ends")

    class Ending(set[str | None]):
        def __contains__(self, path: object) -> bool:
            Path(str(path)).rmdir()
            return False

    places.sweep(Ending())
    assert os.listdir(tmp_path) == []
