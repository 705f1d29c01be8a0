"""Write the tables of docs/drivers.md, driver by control; `--check` only compares.

They say what the contract kit saw of each driver (docs/kit-results*.json), and by what it holds a control: for an
ordinary user where no cgroup can be made, in the words of the drivers, which must be of the level that the kit saw; for
what chroot is where root is given less, in the words that the kit heard.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from aisbx.doctor import SAMPLE
from aisbx.errors import StateError
from aisbx.testing.results import KINDS, Results, Seen, load
from aisbx.types import CONTROLS, ControlState, Workspace, WorkspaceMode
from aisbx_driver_chroot.tool import CALLED, LEVELS
from aisbx_driver_lima.enforce import promised
from aisbx_linux.local.enforce import Facts, enforcement

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCUMENT = "docs/drivers.md"
RESULTS = Path(ROOT, "docs")
_PROJECT = "/home/sandbox/project"
SPEC = replace(SAMPLE, workspace=Workspace(_PROJECT))
_SAME = "the same"
_UNTRIED = "not attacked in this run"


def drivers() -> Iterator[str]:
    """Give the rows of the drivers side by side; StateError for results of other attacks."""
    said = {"bwrap": enforcement(SPEC, Facts()), "chroot": enforcement(SPEC, Facts(tool=CALLED))}
    seen = {"bwrap": load(RESULTS / "kit-results.json"), "chroot": load(RESULTS / "kit-results-chroot.json")}
    lima, promise = _lima(), promised(replace(SPEC, workspace=Workspace(_PROJECT, WorkspaceMode.GUARDED)))
    yield "| Control | `bwrap` | attacks held | `chroot` | attacks held | `lima` | attacks held |"
    yield "|---|---|---|---|---|---|---|"
    for name in CONTROLS:
        for driver, report in said.items():
            level = seen[driver]["user"][name].level
            if level != report[name].level:
                sys.exit(f"{driver} says {report[name].level} of {name}, and the kit saw {level}: ./dev kit")
        first, second = (_state(report[name]) for report in said.values())
        third = _state(promise[name]) if lima is None else _seen(lima[name])
        cells = [first, _held(seen["bwrap"], name), _unless(second, first), _held(seen["chroot"], name)]
        cells += [_unless(third, first), _UNTRIED if lima is None else lima[name].counts()]
        yield f"| `{name}` | {' | '.join(cells)} |"


def levels() -> Iterator[str]:
    """Give the rows of what chroot is where root is given less; StateError for results of other attacks."""
    seen = load(RESULTS / "kit-results-chroot.json", ("root", *LEVELS))
    yield "| Control | " + "".join(f"{level} | attacks held | " for level in LEVELS).rstrip()
    yield "|---|" + "---|---|" * len(LEVELS)
    for name in CONTROLS:
        usual = _seen(seen["root"][name])
        cells = [
            cell for level in LEVELS for cell in (_unless(_seen(seen[level][name]), usual), _counted(seen, level, name))
        ]
        yield f"| `{name}` | {' | '.join(cells)} |"


TABLES = {"drivers": drivers, "levels": levels}


def _lima() -> Mapping[str, Seen] | None:
    """Give what the kit saw in a virtual machine, where ordinary users alone have one; None where it saw none."""
    path = RESULTS / "kit-results-lima.json"
    return load(path, ("user",))["user"] if path.exists() else None


def _held(results: Results, name: str) -> str:
    """Say how many attacks were held as an ordinary user, and as root where that is another number."""
    user, root = (results[kind][name].counts() for kind in KINDS)
    return user if user == root else f"{user}; as root {root}"


def _counted(results: Results, level: str, name: str) -> str:
    return results[level][name].counts()


def _unless(text: str, first: str) -> str:
    return _SAME if text == first else text


def _seen(seen: Seen) -> str:
    return f"{seen.level}: {seen.how}"


def _state(state: ControlState) -> str:
    return f"{state.level}: {'; '.join(filter(None, (state.mechanism, state.reason)))}"


def render(text: str) -> str:
    """Give the document with its tables made anew; SystemExit where it has no place for one, or results are old."""
    for name, rows in TABLES.items():
        try:
            table = "".join(f"{row}\n" for row in rows())
        except StateError as error:
            sys.exit(f"{error.message}: {error.hint}")
        place = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, found = place.subn(lambda match, table=table: match[1] + table + match[2], text)
        if found != 1:
            sys.exit(f"{DOCUMENT}: there is no <!-- table: {name} --> … <!-- end -->")
    return text


def main() -> None:
    path = os.path.join(ROOT, DOCUMENT)
    with open(path, encoding="utf-8") as file:
        old = file.read()
    new = render(old)
    if "--check" in sys.argv[1:] and new != old:
        sys.exit(f"{DOCUMENT} is not what the kit saw and the drivers say: run python tools/document_drivers.py")
    if new != old:
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)


if __name__ == "__main__":
    main()
