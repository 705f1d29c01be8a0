"""What the host removed of what a sandbox changed: the layer notes it, and only there it can be seen."""

import os

import pytest
from aisbx import Sandbox

from .conftest import Box


def test_what_the_host_removed_is_a_conflict_and_what_was_renamed_inside_is_none(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in box.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(box.project)
    for name in ("edited", "replaced", "renamed", "folder/edited", "folder/renamed", "frozen", "later", "linked"):
        (box.project / name).parent.mkdir(exist_ok=True)
        (box.project / name).write_text(f"{name}\n")
    with Sandbox.create("work", mode="cow") as work:
        work.exec(["sh", "-c", "echo two >> frozen; echo made > applied"], check=True)
        work.changes.apply("applied")
        work.snapshot()
        change = "echo two >> edited; mv folder/renamed away; rm renamed; mv later renamed; echo two >> folder/edited"
        work.exec(
            ["sh", "-c", f"{change}; echo two >> frozen; echo new > folder/new; echo more >> applied"], check=True
        )
        for name in ("edited", "frozen", "applied", "folder/edited"):
            (box.project / name).unlink()
        (box.project / "by-the-host").write_text("its directory has changed anyhow\n")
        found = {change.path: change.conflict for change in work.changes.list()}
        # For an ordinary user the kernel notes that they were below, and not as what: that is no proof.
        gone = {"applied"} if os.geteuid() else {"edited", "frozen", "applied", "folder/edited"}
        assert {path for path, why in found.items() if why == "it was removed on the host since"} == gone, found
        assert set(found) == {
            "edited",
            "frozen",
            "applied",
            "folder/edited",
            "away",
            "renamed",
            "later",
            "folder/renamed",
            "folder/new",
        }
        applied = work.changes.apply()
        assert {change.path for change, _ in applied.left} == gone
        assert (box.project / "edited").exists() == ("edited" not in gone)
        assert (box.project / "renamed").read_text() == "later\n"
        work.changes.apply("edited", "applied", force=True)
        assert (box.project / "edited").read_text() == "edited\ntwo\n"
        # What it was renamed from, or has another name for, may be applied before it.
        work.exec(["sh", "-c", "mv by-the-host moved; echo two >> linked; ln linked twin"], check=True)
        work.changes.apply("by-the-host", "linked")
        work.changes.apply("moved", "twin")
        assert (box.project / "twin").read_text() == "linked\ntwo\n"
        # What we took away ourselves is no conflict when the sandbox makes it again.
        work.exec(["rm", "applied"], check=True)
        work.changes.apply("applied")
        work.exec(["sh", "-c", "echo again > applied"], check=True)
        assert [change.conflict for change in work.changes.list("applied")] == [""]
        work.destroy(discard=True)
