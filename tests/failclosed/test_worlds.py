"""Each world in which a sandbox cannot be made refuses a run, says why and what to do, and the doctor says the same."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aisbx_linux.seccomp import GROUPS, compile_filter, library_path

from .conftest import Place

ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class Worse:
    """A world, what must be said to be the cause, and what to be the remedy."""

    name: str
    world: tuple[str, ...]
    cause: str
    remedy: str
    with_a_plan: str = ""
    """The cause that an ordinary user's run with a plan at hand is told, if its launcher meets it first."""


WORLDS = [
    Worse("no user namespaces", ("limited", "user", "0"), "max_*_namespaces", "sysctl user.max_user_namespaces=15000"),
    Worse("no mount namespaces", ("limited", "mnt", "0"), "max_*_namespaces", "user.max_"),
    Worse("a container's system-call filter", ("container",), "namespace", "seccomp profile"),
    Worse(
        *("user namespaces without mounts", ("no-mounts",), "slave: Permission denied", "AppArmor profile"),
        with_a_plan="mounting tmpfs on /sys was refused",
    ),
    Worse("a container that masks /proc", ("masked-proc",), "Can't mount proc", "systempaths=unconfined"),
    Worse("no /proc", ("covered", "/proc"), "/proc is not mounted", "mount -t proc"),
    Worse("another PID namespace's /proc", ("others-proc",), "is another PID namespace's", "mount -t proc"),
    Worse("no libseccomp", ("hidden", library_path()), "libseccomp.so.2 is not here", "apt-get install libseccomp2"),
]
if ROOT:
    WORLDS.append(Worse("a container of an ordinary user", ("few-ids", "65536"), "cannot become uid", "ordinary user"))
else:
    # Each launch takes three: one of ours around two of the tool's.
    WORLDS.append(Worse("too few user namespaces", ("limited", "user", "2"), "No space left", "user.max_"))


def refused(place: Place, worse: Worse) -> None:
    """Prove one refusal: one line with cause and remedy, exit code 125, nothing run, nothing half-made."""
    done = place.run(*worse.world)
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.count("\n") == 1, done.stderr
    assert worse.cause in done.stderr
    assert worse.remedy in done.stderr.partition("; hint: ")[2]
    assert not place.ran()
    assert not [name for _, _, files in os.walk(place.home) for name in files if name.startswith(".")]


@pytest.mark.parametrize("worse", WORLDS, ids=lambda worse: worse.name)
def test_a_run_is_refused_with_cause_and_remedy_and_the_doctor_agrees(place: Place, worse: Worse) -> None:
    refused(place, worse)
    assert not place.plans
    ready, rows = place.doctor(*worse.world)
    assert not ready
    assert any(worse.cause in row["detail"] and worse.remedy in row["remedy"] for row in rows), rows


@pytest.mark.parametrize("worse", WORLDS, ids=lambda worse: worse.name)
def test_a_plan_of_a_better_world_does_not_hide_it(place: Place, worse: Worse) -> None:
    place.warm()
    refused(place, worse if ROOT or not worse.with_a_plan else replace(worse, cause=worse.with_a_plan))
    refused(place, worse)
    done = place.run("as-it-is")
    assert (done.returncode, done.stderr, place.ran()) == (0, "", True)


def test_inside_a_sandbox_of_our_own_a_run_is_refused(place: Place) -> None:
    program = place.root / "filter"
    program.write_bytes(compile_filter(GROUPS))
    worse = Worse("aisbx", ("filter", str(program)), "namespace", "inside another sandbox, run aisbx outside of it")
    refused(place, worse)
    ready, rows = place.doctor(*worse.world)
    assert not ready
    assert any(worse.cause in row["detail"] and worse.remedy in row["remedy"] for row in rows), rows


def gone(bwrap: Path) -> None:
    bwrap.unlink()


def old(bwrap: Path) -> None:
    # A stub, for how its age is told: releases before 0.10 without Debian's backport have no such option.
    bwrap.unlink()
    bwrap.write_text("#!/bin/sh\necho usage: bwrap\n")
    bwrap.chmod(0o755)


def set_uid(bwrap: Path) -> None:
    bwrap.chmod(0o4755)


def writable_by_others(bwrap: Path) -> None:
    bwrap.chmod(0o777)


def broken(bwrap: Path) -> None:
    bwrap.write_bytes(b"\x7fELF")


TOOLS = [
    (gone, "there is no "),
    (old, "is too old: it has no --bind-fd"),
    (set_uid, "is set-uid root"),
    (writable_by_others, "can be changed by other users"),
    (broken, "does not run"),
]


@pytest.mark.parametrize(("change", "cause"), TOOLS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_bubblewrap_that_will_not_do_is_refused_with_and_without_a_plan(
    place: Place, change: Callable[[Path], None], cause: str
) -> None:
    worse = Worse("tool", ("as-it-is",), cause, "apt-get install bubblewrap")
    place.warm()
    change(place.bwrap)
    refused(place, worse)
    ready, rows = place.doctor("as-it-is")
    assert not ready
    assert any(cause in row["detail"] and worse.remedy in row["remedy"] for row in rows), rows


def test_where_temporary_files_cannot_be_executed_runs_work(place: Place) -> None:
    for _ in range(2):
        done = place.run("noexec", "/dev/shm")
        assert (done.returncode, done.stderr, place.ran()) == (0, "", True)
    assert place.doctor("noexec", "/dev/shm") == (True, [])


def test_without_cgroups_a_limit_that_was_asked_for_is_refused_and_others_run(place: Place) -> None:
    world = ("covered", "/sys/fs/cgroup")
    done = place.run(*world, options=("--cpus", "1"))
    assert done.returncode == 125
    assert "limit:cpus cannot be enforced here: no cgroup can be made here" in done.stderr
    assert not place.ran()
    done = place.run(*world)
    assert (done.returncode, done.stderr, place.ran()) == (0, "", True)
    assert place.doctor(*world) == (True, [])


def test_a_plan_whose_cgroups_are_gone_is_refused_once_and_then_made_anew(place: Place) -> None:
    place.warm()
    world = ("covered", "/sys/fs/cgroup")
    done = place.run(*world)
    if done.returncode == 0:  # an ordinary user may have had none
        assert not ROOT
        return
    assert (done.returncode, done.stderr.count("\n"), place.ran()) == (125, 1, False)
    assert "cgroup" in done.stderr
    assert "run it again" in done.stderr
    assert (place.run(*world).returncode, place.ran()) == (0, True)


def test_the_doctor_leaves_nothing_behind(place: Place) -> None:
    assert place.doctor("as-it-is") == (True, [])
    assert not list(place.home.iterdir())


def test_the_doctor_does_not_believe_what_a_run_remembered(place: Place) -> None:
    place.warm()
    place.enter(("as-it-is",), ["rm", "-r", str(place.cache / "plans")])
    ready, rows = place.doctor("masked-proc")
    assert not ready
    assert any("Can't mount proc" in row["detail"] for row in rows)
