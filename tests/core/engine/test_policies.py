"""A policy reviews every command, of runs and of sandboxes that last; it can only refuse. A sink hears of them all."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aisbx.engine import Engine
from aisbx.engine.refusals import record_refusal
from aisbx.errors import PolicyError, UsageError
from aisbx.types import Command, Outcome, Principal, RunRequest, Stdio

from tests.core.installed import Install
from tests.core.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGIN = """
import json, pathlib
from aisbx import hookimpl
from aisbx.types import Verdict

class Gate:
    def review(self, spec, command, principal):
        words = command.argv
        if "break" in words: raise ValueError("no")
        if "lie" in words: return True
        if command.stdin == b"refuse": return Verdict(False, "gate/2", "it would read that")
        if "refuse" in words: return Verdict(False, "gate/1", f"{spec.profile} {spec.network.mode} {principal.id}")
        return Verdict(True)

class Notes:
    def emit(self, event):
        with open(PLACE, "a") as file:
            print(json.dumps([event.kind, dict(event.data).get("sandbox")]), file=file)
        raise OSError("full")

@hookimpl
def aisbx_policy(name, settings):
    return Gate()

@hookimpl
def aisbx_sink(name, settings):
    return Notes()
"""
WHO = Principal("uid:7")
REFUSED = [
    ("refuse", "gate/1: base none uid:7"),
    ("break", "policy gate failed: ValueError: no"),
    ("lie", "policy gate gave no verdict"),
]


@pytest.fixture
def engine(world: World, install: Install) -> Engine:
    groups = {"aisbx.policies": {"gate": "acme_gate"}, "aisbx.sinks": {"notes": "acme_gate"}}
    install("acme-gate", groups, acme_gate=PLUGIN.replace("PLACE", repr(str(world.home / "notes"))))
    world.config('policies = ["gate"]\nsinks = ["notes"]\n')
    return Engine({**world.environ, "PATH": "/usr/local/bin:/usr/bin:/bin"}, str(world.project))


PARTS = ("request.begin", "admission.end", "policy.end", "request.end")


def heard(world: World, *, parts: bool = False) -> list[list[str | None]]:
    """Give what the sink heard, without the parts of requests unless those are asked for."""
    found = [json.loads(line) for line in (world.home / "notes").read_text().splitlines()]
    return found if parts else [one for one in found if one[0] not in PARTS]


def recorded(engine: Engine) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in Path(engine.audit["path"]).read_text().splitlines()]
    return [(row["kind"], row["argv"][-1]) for row in rows if row["argv"]]


def test_of_runs(engine: Engine, world: World) -> None:
    def run(*argv: str) -> int:
        return engine.run(RunRequest(command=argv, cwd=str(world.project)), WHO, Stdio()).status.code

    assert run("echo", "fine") == 0
    whole = ["request.begin", "admission.end", "policy.end", "run.end", "request.end"]
    assert heard(world, parts=True) == [[kind, None] for kind in whole]
    for word, told in REFUSED:
        with pytest.raises(PolicyError, match=told):
            run("echo", word)
    ends = ["run.end", *["run.refused"] * 3]
    assert heard(world) == [[kind, None] for kind in ends]
    assert recorded(engine) == list(zip(ends, ("fine", "refuse", "break", "lie"), strict=True))
    plans: list[object] = []

    def planned(entry: object, _prepared: object) -> None:
        plans.append(entry)
        assert len(heard(world)) == len(ends), "others that need the same plan can only go on when it has run"

    engine.run(RunRequest(command=("true",), cwd=str(world.project)), WHO, Stdio(), planned=planned)
    assert plans == [None]


def test_of_sandboxes_that_last(engine: Engine, world: World) -> None:
    sandboxes = engine.sandboxes
    sandboxes.create(RunRequest(command=(), cwd=str(world.project)), WHO, "test", "work")
    try:

        def execute(*argv: str) -> bytes:
            status = sandboxes.execute("work", Command(argv=argv), WHO, Stdio(), "test").status
            return status.stdout.data

        assert execute("echo", "fine") == b"fine\n"
        for word, told in REFUSED:
            with pytest.raises(PolicyError, match=told):
                execute("touch", f"{world.project}/{word}", word)
        assert not list(world.project.iterdir())
        ends = ["exec.end", *["exec.refused"] * 3]
        assert heard(world) == [["sandbox.create", "work"], ["exec.end", "work"], *[["exec.refused", "work"]] * 3]
        assert recorded(engine) == list(zip(ends, ("fine", "refuse", "break", "lie"), strict=True))
    finally:
        sandboxes.destroy("work", WHO, "test")
    assert heard(world)[-1] == ["sandbox.destroy", "work"]


def test_of_what_a_command_is_given_to_read(engine: Engine, world: World) -> None:
    stdio, command = Stdio(stdin=b"refuse"), ("tee", f"{world.project}/seen")
    with pytest.raises(PolicyError, match="gate/2"):
        engine.run(RunRequest(command=command, cwd=str(world.project)), WHO, stdio)
    sandboxes = engine.sandboxes
    sandboxes.create(RunRequest(command=(), cwd=str(world.project)), WHO, "test", "work")
    try:
        opened = sandboxes.open("work")
        roads: tuple[Callable[[Stdio], Outcome], ...] = (
            lambda given: sandboxes.execute("work", Command(argv=command), WHO, given, "test"),
            lambda given: opened.execute(Command(argv=command), given, WHO, "test"),
            lambda given: opened.start(Command(argv=command), given, WHO, "test").wait(),
        )
        for road in roads:
            with pytest.raises(PolicyError, match="gate/2"):
                road(stdio)
            assert not (world.project / "seen").exists()
            assert road(Stdio(stdin=b"fine")).status.code == 0
            (world.project / "seen").unlink()
        opened.release()
    finally:
        sandboxes.destroy("work", WHO, "test")


def test_a_sink_hears_of_the_end_of_a_command_in_the_background_once(engine: Engine, world: World) -> None:
    sandboxes = engine.sandboxes
    sandboxes.create(RunRequest(command=(), cwd=str(world.project)), WHO, "test", "work")
    try:
        for word in ("looked at", "left to destroy"):
            sandboxes.detach("work", Command(argv=("echo", word)), WHO, "test", terminal=False, stdin=False)
            while word == "looked at" and any(one.lives for one in sandboxes.background("work").all()):
                time.sleep(0.01)
        list(sandboxes.background("work").all())
    finally:
        sandboxes.destroy("work", WHO, "test")
    kinds = [str(kind) for kind, name in heard(world) if name == "work"]
    assert sorted(kinds) == ["exec.detach", "exec.detach", "exec.end", "exec.end", "sandbox.create", "sandbox.destroy"]
    assert kinds[-1] == "sandbox.destroy"


def test_a_refusal_has_the_program_alone_where_the_settings_say_so(world: World) -> None:
    world.config("[audit]\nargv = false\n")
    engine = Engine(world.environ, str(world.project))
    engine.state.mkdir(parents=True, exist_ok=True)
    record_refusal(engine, UsageError("no"), "run", "r1", WHO, "test", ("curl", "--header", "secret"))
    assert recorded(engine) == [("run.refused", "curl")]
