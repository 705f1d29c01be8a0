"""Write the tables of docs/syscalls.md from the data that filters are made of; `--check` only compares."""

import os
import re
import sys
from collections.abc import Iterator

from aisbx_linux.seccomp import DENIED, GROUPS, expand
from aisbx_linux.seccomp.arguments import CHECKS
from aisbx_linux.seccomp.table import REVIEWED

DOCUMENT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs", "syscalls.md")


def _calls(names: "frozenset[str] | list[str]") -> str:
    return " ".join(f"`{name}`" for name in sorted(names))


def base() -> Iterator[str]:
    yield "| Group | What for | Calls |"
    yield "|---|---|---|"
    for name in sorted(expand(["base"]) - {"base"}):
        yield f"| `{name}` | {GROUPS[name].help} | {_calls(GROUPS[name].calls)} |"


def optional() -> Iterator[str]:
    yield "| Group | What for | Calls |"
    yield "|---|---|---|"
    for name in sorted(GROUPS.keys() - expand(["base"])):
        yield f"| `{name}` | {GROUPS[name].help} | {_calls(GROUPS[name].calls)} |"


def arguments() -> Iterator[str]:
    yield "| Call | What of it is refused | With | Opened by |"
    yield "|---|---|---|---|"
    for call, check in sorted(CHECKS.items()):
        verdicts = {check.otherwise, *(case.verdict for case in check.cases)} - {"allow"}
        opened = {case.group for case in check.cases if case.group} - expand(["base"])
        yield f"| `{call}` | {check.why} | {', '.join(sorted(verdicts))} | {_calls(list(opened)) or 'nothing'} |"


def denied() -> Iterator[str]:
    yield "| Why | With | Calls |"
    yield "|---|---|---|"
    rows: dict[tuple[str, str], list[str]] = {}
    for row in DENIED.values():
        rows.setdefault((row.reason, row.errno), []).append(row.call)
    for (reason, errno), calls in rows.items():
        yield f"| {reason} | {errno} | {_calls(calls)} |"
    yield f"| every call above number {REVIEWED}, and any other that stands nowhere here | ENOSYS | |"


TABLES = {"base": base, "optional": optional, "arguments": arguments, "denied": denied}


def render(text: str) -> str:
    """Give the document with what is between `<!-- table: NAME -->` and `<!-- end -->` made anew."""

    def table(found: re.Match[str]) -> str:
        return "\n".join([f"<!-- table: {found[1]} -->", *TABLES[found[1]](), "<!-- end -->"])

    return re.sub(r"<!-- table: (\w+) -->.*?<!-- end -->", table, text, flags=re.DOTALL)


def main() -> None:
    with open(DOCUMENT, encoding="utf-8") as file:
        old = file.read()
    new = render(old)
    if "--check" in sys.argv[1:]:
        sys.exit(
            0 if new == old else "docs/syscalls.md is not what the table says: run python tools/document_syscalls.py"
        )
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(new)


if __name__ == "__main__":
    main()
