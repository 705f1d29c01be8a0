"""What a prepared run leaves for the next one: an entry that the lean front can carry out by itself."""

import marshal
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from aisbx.audit.jsontext import members
from aisbx.audit.write import prune
from aisbx.inputs import Inputs, signature
from aisbx.plan import native
from aisbx.plan.keep import OWN, OWN_LATE, collect, locate, store, write
from aisbx.plan.known import code, installed
from aisbx.plan.recall import FORMAT, digest, environment_digest, load, name_of
from aisbx.settings import Settings
from aisbx.types import AuditPlace, Carried, Enforcement, LaunchPlan, LocalPlan, PlanEntry, SandboxSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aisbx.plan.recall import Kept

KEPT = 200
"""How many plans are kept, the newest; each has about 100 KB."""


def static_record(spec: SandboxSpec, driver: str, enforcement: Enforcement) -> str:
    """Give the part of the audit record that depends on the spec alone, as JSON members."""
    return members(
        {
            "profile": spec.profile,
            "driver": driver,
            "workspace": spec.workspace.path if spec.workspace else None,
            "mode": spec.workspace.mode.value if spec.workspace else None,
            "network": spec.network.mode.value,
            "enforcement": {state.control: state.level.value for state in enforcement.states},
            "lowered": sorted(spec.lowered),
            **({"secrets": [f"{each.store}:{each.name}" for each in spec.secrets]} if spec.secrets else {}),
        }
    )


def entry_of(
    plan: LaunchPlan, record: str, settings: Settings, state: Path, audit: AuditPlace, kind: str = "run"
) -> PlanEntry:
    """Give an entry that can be carried out now; `keep` adds what another run must check first."""
    return {
        "format": FORMAT,
        "name": "",
        "paths": [],
        "variables": [],
        "prefixes": [],
        "environment": b"",
        "roots": _roots(plan["launcher"]),
        "code": [],
        "plan": plan,
        "kind": kind,
        "record": record,
        "program_only": not settings.audit.argv,
        "audit": audit,
        "state": str(state),
        "keep_output": settings.logs.keep_output,
        "keep_runs": settings.logs.keep_runs,
    }


def note(plan: LocalPlan, inputs: Inputs) -> None:
    """Note what a plan of a run was made from, beside what the request was resolved from."""
    for path in (
        plan["program"],
        *plan["inputs"],
        *(source["path"] for source in plan["sources"] if not source["writable"]),
    ):
        inputs.note_link(path)
    inputs.note(plan["program"])


def record_inputs(entry: PlanEntry, inputs: Inputs) -> None:
    """Have an entry say what it was made from, so that it can be compared with the present."""
    entry["paths"] = list(inputs.paths)
    entry["variables"] = sorted(inputs.environ)
    entry["prefixes"] = sorted(inputs.prefixes)
    entry["environment"] = environment_digest(os.environb, entry["variables"], entry["prefixes"])


def keep(
    entry: PlanEntry, options: dict[str, list[str]], cwd: str, inputs: Inputs, directory: Path, codes: Path, keep: int
) -> None:
    """Write the entry for these options in this directory. That it can't be kept costs speed, no more.

    `directory` is private and keeps that many, the newest; in `codes` is what entries have in common.
    """
    for path in code():
        inputs.note(path)
    launcher = sys.modules[entry["plan"]["launcher"]]
    hot = (*OWN, *getattr(launcher, "HOT", ()))
    workspace = cast("Mapping[str, object]", entry["plan"]).get("workspace")
    if isinstance(workspace, tuple) and {"cow", "guarded"}.intersection(cast("tuple[str, str]", workspace)[1:]):
        hot += getattr(launcher, "LAYER", ())
    late = tuple(name for name in (*OWN_LATE, *getattr(launcher, "LATE", ())) if name not in hot)
    located = locate((*hot, *late))
    for name, file, _ in located:
        if name in late or not installed(file):  # what is imported only after this is part of the plan all the same
            inputs.note(file)
    entry["code"] = _collected(located, late, str(codes), tuple(getattr(launcher, "BARE", ())))
    entry["name"] = name_of(options, cwd, os.environb)
    inputs.note(native.front())  # both forms of a plan become stale together
    record_inputs(entry, inputs)
    carried = carried_of(entry)
    with suppress(OSError):
        written = write(str(directory), entry)
        if written is not None and carried is not None:
            name = native.name_of(options, cwd, os.environb)
            with suppress(UnicodeError):
                store(str(directory), name, native.encode(entry, written, name, carried, os.environb))
        prune(str(directory), keep if carried is None else 2 * keep)


def carried_of(entry: PlanEntry) -> Carried | None:
    """Give what the compiled front carries out for an entry; None where it is not there, or leaves that to Python."""
    carried = getattr(sys.modules[entry["plan"]["launcher"]], "carried", None)
    if carried is None or not os.access(native.front(), os.X_OK):
        return None
    return cast("Carried | None", carried(entry["plan"], entry["state"]))


def drop(options: dict[str, list[str]], cwd: str, directory: Path) -> None:
    """Remove the entry for these options in this directory, if there is one."""
    with suppress(OSError):
        (directory / name_of(options, cwd, os.environb)).unlink()


def _collected(
    located: list[tuple[str, str, bool]], late: tuple[str, ...], directory: str, bare: tuple[str, ...] = ()
) -> "list[Kept]":
    """Give the code of these modules. Compiling it takes longer than all else here, so every plan shares one result."""
    made_from = [(*row, signature(row[1], nofollow=False)) for row in located]
    # The signatures are taken before the sources are read: a change in between then shows as another name.
    name = digest(repr((FORMAT, sys.version, made_from, late, bare)).encode(errors="surrogateescape")).hex()
    data = load(directory, name)
    with suppress(EOFError, ValueError, TypeError):
        if data is not None:
            kept: object = marshal.loads(data)  # noqa: S302 - `load` gives only what nobody else can have written
            if isinstance(kept, list):
                return cast("list[Kept]", kept)
    kept = collect(located, late, bare)
    with suppress(OSError):
        store(directory, name, marshal.dumps(kept))
    return kept


def _roots(launcher: str) -> list[str]:
    """Give the directory that holds the launcher's package."""
    __import__(launcher)
    file = sys.modules[launcher.partition(".")[0]].__file__ or ""
    return [str(Path(file).parent.parent)]
