"""Write the table of docs/drivers.md, driver by control; `--check` only compares.

It says in the drivers' own words by what each holds a control for an ordinary user where no cgroup can be made. That
what they claim holds is shown by the contract kit, which attacks each of them.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace

from aisbx.doctor import SAMPLE
from aisbx.types import CONTROLS, ControlState, Workspace
from aisbx_driver_chroot.tool import CALLED
from aisbx_driver_lima.enforce import promised
from aisbx_linux.local.enforce import Facts, enforcement

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCUMENT = "docs/drivers.md"
_TABLE = re.compile(r"(<!-- table: drivers -->\n).*?(<!-- end -->)", re.DOTALL)
SPEC = replace(SAMPLE, workspace=Workspace("/home/sandbox/project"))


def rows() -> Iterator[str]:
    bwrap, chroot, lima = enforcement(SPEC, Facts()), enforcement(SPEC, Facts(tool=CALLED)), promised(SPEC)
    yield "| Control | `bwrap` | `chroot` | `lima` |"
    yield "|---|---|---|---|"
    for name in CONTROLS:
        others = ("the same" if each[name] == bwrap[name] else _state(each[name]) for each in (chroot, lima))
        yield f"| `{name}` | {_state(bwrap[name])} | {' | '.join(others)} |"


def _state(state: ControlState) -> str:
    return f"{state.level}: {'; '.join(filter(None, (state.mechanism, state.reason)))}"


def main() -> None:
    path = os.path.join(ROOT, DOCUMENT)
    with open(path, encoding="utf-8") as file:
        old = file.read()
    table = "".join(f"{row}\n" for row in rows())
    new, found = _TABLE.subn(lambda match: match[1] + table + match[2], old)
    if found != 1:
        sys.exit(f"{DOCUMENT}: there is no <!-- table: drivers --> … <!-- end -->")
    if "--check" in sys.argv[1:] and new != old:
        sys.exit(f"{DOCUMENT} is not what the drivers say: run python tools/document_drivers.py")
    if new != old:
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)


if __name__ == "__main__":
    main()
