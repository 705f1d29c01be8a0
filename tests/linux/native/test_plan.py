"""A plan in its native form: the front reads what Python wrote, and uses it only while all of it still holds."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast, get_type_hints

import aisbx.plan
import pytest
from aisbx.plan import native, recall
from aisbx.plan.keep import write
from aisbx.types import LocalPlan

from .conftest import NATIVE, Ask
from .plans import ENVIRON, NAME, Kept, flat


@pytest.fixture
def kept(tmp_path: Path, ask: Ask) -> Kept:
    return Kept(tmp_path, ask)


def test_the_front_reads_every_field_as_python_wrote_it(kept: Kept) -> None:
    assert kept.python() == kept.entry
    assert json.loads(kept.native()) == flat(kept.entry)


def test_the_front_reads_which_sandbox_it_joins_and_only_as_long_as_that_is_told_there(kept: Kept) -> None:
    joining = kept.join()
    said = [joining["home"], joining["boot"], *joining["first"], *joining["who"], True, True]
    for group, events in joining["groups"]:
        said += [group, False, *(word for row in events for word in row)]
    assert json.loads(kept.native()) == [*flat(kept.entry), *said]
    held = Path(joining["home"], "held")
    held.chmod(0o640)
    assert kept.native() == "no", "others can read it"
    held.chmod(0o600)
    assert kept.native() != "no"
    held.with_name("kept").hardlink_to(held)  # its inode is not used again
    held.unlink()
    held.write_bytes(b"who it is")
    held.chmod(0o600)
    os.utime(held, ns=(joining["held"][2], joining["held"][2]))
    assert kept.native() == "no", "it is another file"


def test_a_plan_has_no_field_that_the_front_knows_nothing_of() -> None:
    read = {"launcher", "sources", "cgroup", "program", "head", "tail", "files", "environment", "filter", "rlimits"}
    read |= {
        "watch",
        "outside",
        "contained",
        "composed",
        "private",
        "publish",
        "workspace",
        "cwd",
        "wall_time",
        "output",
    }
    compared, refused = {"format", "inputs"}, {"words", "egress"}
    assert set(get_type_hints(LocalPlan)) == read | compared | refused, (
        "have `native.encode` write it and the front carry it out, or `carried` (aisbx_linux/modules.py) refuse it"
    )


def swap_source(kept: Kept) -> None:
    kept.work.rename(kept.work.with_name("old"))
    kept.work.mkdir()


def touch(kept: Kept) -> None:
    os.utime(kept.input)


def write_and_set_back(kept: Kept) -> None:
    before = kept.input.stat()
    kept.input.write_text("y")
    os.utime(kept.input, ns=(before.st_atime_ns, before.st_mtime_ns))


def relink(kept: Kept) -> None:
    kept.link.unlink()
    kept.link.symlink_to("work")


def loosen(kept: Kept) -> None:
    kept.input.chmod(0o777)


def open_directory(kept: Kept) -> None:
    kept.directory.chmod(0o750)


def move_directory(kept: Kept) -> None:
    real = kept.directory.with_name("real")
    kept.directory.rename(real)
    kept.directory.symlink_to(real)


CHANGES: list[Callable[[Kept], object]] = [
    *(swap_source, touch, write_and_set_back, relink, loosen, open_directory, move_directory),
    lambda kept: kept.input.unlink(),
    lambda kept: kept.absent.symlink_to("dangling"),
    lambda kept: kept.work.rmdir(),
]


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_stale_wherever_the_entry_of_python_is(kept: Kept, change: Callable[[Kept], object]) -> None:
    assert kept.native() != "no"
    change(kept)
    assert (kept.python(), kept.native()) == (None, "no")


@pytest.mark.parametrize(
    "environ",
    [
        {**ENVIRON, "AISBX_ONE": "2"},
        {**ENVIRON, "AISBX_THREE": ""},
        {**ENVIRON, "HOME": ""},
        {**ENVIRON, "XDG": "x"},
        {name: value for name, value in ENVIRON.items() if name != "HOME"},
    ],
)
def test_a_variable_that_mattered_makes_it_stale(kept: Kept, environ: dict[str, str]) -> None:
    assert (kept.python(environ), kept.native(environ)) == (None, "no")


def test_a_variable_that_did_not_matter_does_not(kept: Kept) -> None:
    environ = {**dict(reversed(ENVIRON.items())), "AISBY": "other", "XDGX": "1"}
    assert kept.python(environ) is not None
    assert kept.native(environ) != "no"


def test_none_is_looked_for_in_the_workspace_of_the_run(kept: Kept) -> None:
    for place in (kept.directory, kept.directory.parent, Path("/")):
        assert (kept.python(workspace=str(place)), kept.native(workspace=str(place))) == (None, "no")
    beside = f"{kept.directory}x"
    assert kept.python(workspace=beside) is not None
    assert kept.native(workspace=beside) != "no"


@pytest.mark.parametrize("name", [NAME, "0" * 32])
def test_a_file_that_others_could_have_written_is_not_used(kept: Kept, name: str) -> None:
    file = kept.directory / name
    for mode in (0o640, 0o602, 0o601):
        file.chmod(mode)
        assert kept.native() == "no"
    file.chmod(0o600)
    assert kept.native() != "no"
    os.link(file, kept.directory.with_name("second"))
    assert kept.native() == "no", "it has a second name"
    file.unlink()
    file.symlink_to(kept.directory.with_name("second"))
    assert kept.native() == "no", "it is a link"
    file.unlink()
    os.mkfifo(file, 0o600)
    assert kept.native() == "no", "it is a pipe, and nobody waits for it"


def test_it_stands_for_no_other_entry_than_that_it_was_written_with(kept: Kept) -> None:
    entry = kept.directory / kept.entry["name"]
    before = entry.stat()
    kept.directory.joinpath("before").hardlink_to(entry)  # its inode is not used again
    write(str(kept.directory), kept.entry)
    os.utime(entry, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert kept.python() is not None
    assert kept.native() == "no", "the entry was written anew"


def test_it_does_not_hold_under_another_name_or_with_a_byte_more_or_less(kept: Kept) -> None:
    file, other = kept.directory / NAME, kept.directory / ("native-" + "1" * 32)
    shutil.copy(file, other)
    assert kept.ask("plan", kept.directory, other.name, "", environ=ENVIRON) == "no"
    data = file.read_bytes()
    for torn in (data[:-1], data + b"\0", data[: len(data) // 2], b""):
        file.write_bytes(torn)
        assert kept.native() == "no"


def test_a_group_that_this_process_has_left_makes_it_stale(kept: Kept) -> None:
    plan = cast("LocalPlan", kept.entry["plan"])
    plan["cgroup"] = (b"0::/elsewhere\n", [])
    kept.write()
    assert (kept.python(), kept.native()) == (None, "no")


def test_both_sides_name_a_plan_alike(ask: Ask, tmp_path: Path) -> None:
    script = f"{aisbx.plan.__file__.rpartition('/plan/')[0]}/cli/fast.py"
    environ = {"PATH": "/bin:\udcff", "JAVA_HOME": ""}
    options = {"timeout": ["5s"], "env": ["A=b"], "mount": ["/a:/b", "/c:/ü"], "disk": []}
    words = [word for name, values in options.items() for value in values for word in (name, value)]
    raw = {os.fsencode(name): os.fsencode(value) for name, value in environ.items()}
    said = ask("name", sys.executable, script, tmp_path, *words, environ=environ)
    assert said == native.name_of(options, str(tmp_path), raw)
    others = [
        native.name_of({**options, "timeout": ["6s"]}, str(tmp_path), raw),
        native.name_of({**options, "mount": ["/a:/b/c:/ü"]}, str(tmp_path), raw),
        native.name_of(options, "/", raw),
        native.name_of(options, str(tmp_path), {b"PATH": raw[b"PATH"]}),
    ]
    assert len({said, *others}) == 5


def test_both_sides_have_the_same_formats() -> None:
    text = (NATIVE / "plan.h").read_text()
    assert f"#define PLAN_FORMAT {native.FORMAT}\n" in text
    assert f"#define PLAN_ENTRY_FORMAT {recall.FORMAT}\n" in text


def test_a_damaged_file_breaks_nothing(kept: Kept) -> None:
    kept.join()
    held = int(kept.ask("fuzz", "plan", kept.directory / NAME, 3000, kept.directory, NAME, environ=ENVIRON))
    assert 0 < held < 3000
