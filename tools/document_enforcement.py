"""Write the table of controls in README.md from what the bubblewrap driver reports; `--check` only compares.

It is the report on an ordinary user's default sandbox, on a machine that has what the driver needs.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace

from aisbx.doctor import SAMPLE
from aisbx.types import CONTROLS, Workspace
from aisbx_driver_bwrap.enforce import Facts, enforcement

DOCUMENT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "README.md")
_TABLE = re.compile(r"(<!-- table: enforcement -->\n).*?(<!-- end -->)", re.DOTALL)


def table() -> Iterator[str]:
    report = enforcement(replace(SAMPLE, workspace=Workspace("/home/sandbox/project")), Facts())
    yield "| Control | What it promises | Level | By what; what is missing |"
    yield "|---|---|---|---|"
    for name, control in CONTROLS.items():
        state = report[name]
        how = "; ".join(filter(None, (state.mechanism, state.reason)))
        yield f"| `{name}` | {control.promise} | {state.level} | {how} |"


def render(text: str) -> str:
    """Give the document with its table made anew; SystemExit where it has no place for one."""
    rows = "".join(f"{row}\n" for row in table())
    new, found = _TABLE.subn(lambda match: match[1] + rows + match[2], text)
    if found != 1:
        sys.exit("README.md: there is no <!-- table: enforcement --> … <!-- end -->")
    return new


def main() -> None:
    with open(DOCUMENT, encoding="utf-8") as file:
        old = file.read()
    new = render(old)
    if "--check" in sys.argv[1:]:
        problem = "README.md is not what the driver reports: run python tools/document_enforcement.py"
        sys.exit(0 if new == old else problem)
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(new)


if __name__ == "__main__":
    main()
