"""Write the table of claims in docs/security.md from the contract kit and the driver; `--check` only compares.

A claim is a control: its promise, the level that the kit saw (docs/kit-results.json), by what the driver holds it for
an ordinary user and for root, and the kit's attacks on it with what came of them. `FURTHER` names what is
attacked outside the kit, because only this driver can be attacked that way.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from aisbx.doctor import SAMPLE
from aisbx.errors import StateError
from aisbx.testing import ATTACKS
from aisbx.testing.results import HELD, REFUSED, UNPROVED, Tried, load
from aisbx.types import CONTROLS, Workspace
from aisbx_linux.local.enforce import Facts, enforcement

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULTS = Path(ROOT, "docs/kit-results.json")
DOCUMENT = "docs/security.md"
_TABLE = re.compile(r"(<!-- table: claims -->\n).*?(<!-- end -->)", re.DOTALL)
SPEC = replace(SAMPLE, workspace=Workspace("/home/sandbox/project"))
# Control → tests beside the kit's, as pytest names them; a name that no test has is an error.
FURTHER: Mapping[str, tuple[str, ...]] = {
    "fs:host-hidden": (
        "tests/driver_bwrap/test_swapped.py::test_a_directory_of_the_host_is_not_mounted_through_a_link",
        "tests/driver_bwrap/test_swapped.py::test_a_file_of_the_home_is_not_shown_through_a_link_to_the_home",
        "tests/driver_bwrap/test_swapped.py::test_nothing_is_made_on_the_host_through_a_link_on_the_way_to_a_mount",
        "tests/driver_bwrap/test_etc_mounts.py::test_no_place_is_made_in_a_directory_of_the_host_that_a_link_of_etc_leads_to",
        "tests/linux/test_sources.py::test_a_link_in_a_parents_place_is_refused",
    ),
    "fs:readonly-runtime": ("tests/core/installation",),
    "fs:protected": (
        "tests/linux/protect",
        "tests/driver_bwrap/test_swapped.py::test_a_protected_file_is_not_left_writable_by_a_link_to_elsewhere",
    ),
    "proc:no-survivors": (
        "tests/driver_bwrap/test_ends.py::test_nothing_survives_a_launcher_that_is_killed_at_any_moment",
        "tests/driver_bwrap/test_gate.py::test_a_launcher_that_ends_before_it_gives_the_filter_has_started_nothing",
    ),
    "net:deny": ("tests/linux/seccomp/test_sockets.py",),
    "net:allowlist": (
        "tests/egress",
        "tests/lasting/test_egress.py",
        "tests/driver_bwrap/test_allowlist.py",
    ),
    "secret:proxied": (
        "tests/egress/test_secrets.py",
        "tests/egress/test_answers.py",
        "tests/driver_bwrap/test_proxied.py",
    ),
    "net:host-sockets": ("tests/linux/protect/test_reach.py::test_sockets_of_the_host_in_the_workspace_are_covered",),
    "sys:filter": (
        "tests/linux/seccomp/test_refused_calls.py",
        "tests/linux/seccomp/test_foreign_abis.py",
        "tests/linux/seccomp/test_set_id.py",
        "tests/linux/seccomp/test_self.py",
    ),
    "sys:no-userns": ("tests/linux/seccomp/test_namespaces.py",),
    "desc:clean": (
        "tests/driver_bwrap/test_streams.py::test_a_file_behind_stdout_cannot_be_truncated_or_read_from_inside",
        "tests/driver_bwrap/test_streams.py::test_a_descriptor_that_the_caller_left_open_is_not_inside",
    ),
    "info:host": ("tests/driver_bwrap/test_private.py::test_keys_that_the_user_holds_are_not_named",),
    "tty:no-injection": ("tests/driver_bwrap/test_terminal.py::test_nothing_can_be_typed_into_the_callers_terminal",),
    "limit:memory": ("tests/driver_bwrap/test_limits.py",),
    "limit:pids": ("tests/driver_bwrap/test_limits.py",),
    "limit:output": ("tests/driver_bwrap/test_streams.py",),
}


def claims() -> Iterator[str]:
    """Give the rows of the table; SystemExit where `FURTHER` names what is not there."""
    user, root = enforcement(SPEC, Facts()), enforcement(SPEC, Facts(root=True))
    results = load(RESULTS)
    yield "| Requirement | What is claimed | By what | What the inside tries, in vain |"
    yield "|---|---|---|---|"
    for name, control in CONTROLS.items():
        how = user[name].mechanism or f"nothing here: {user[name].reason}"
        seen, as_root = results["user"][name], results["root"][name]
        if seen.level != "full":
            how = f"{seen.level}: {how}"
        if root[name].mechanism != user[name].mechanism:
            how += f"; for root: {root[name].mechanism}"
        if as_root.level != seen.level:
            how += f"; seen as root: {as_root.level}"
        tries = [
            f"`{attack.name}`: {attack.sentence}{_mark(seen.attacks[attack.name], as_root.attacks[attack.name])}"
            for attack in ATTACKS.values()
            if attack.control == name
        ]
        tries += [_link(test) for test in FURTHER.get(name, ())]
        yield f"| `{name}` | {control.promise} | {how} | {'<br>'.join(tries)} |"


def _mark(user: Tried, root: Tried) -> str:
    """Say where an attack was not seen to work unconfined and fail inside, as an ordinary user or as root."""
    if user.outcome == root.outcome == HELD:
        return ""
    if user.outcome == UNPROVED and root.outcome == HELD:
        return f" (as root: {user.why})"
    if user.outcome == root.outcome == UNPROVED:
        return f" (not seen: {root.why})"
    if user.outcome == root.outcome == REFUSED:
        return " (refused: it is not claimed)"
    return f" (ordinary user: {' '.join(filter(None, (user.outcome, user.why)))}; root: {root.outcome})"


def _link(test: str) -> str:
    path, _, function = test.partition("::")
    place = os.path.join(ROOT, path)
    if not os.path.exists(place):
        sys.exit(f"tools/document_security.py: {path} is not there")
    if not function:
        return f"[{path.removeprefix('tests/')}](../{path})"
    with open(place, encoding="utf-8") as file:
        if f"def {function}(" not in file.read():
            sys.exit(f"tools/document_security.py: {path} has no {function}")
    return f"[{function.removeprefix('test_').replace('_', ' ')}](../{path})"


def render(text: str) -> str:
    """Give the document with its table made anew; SystemExit where it has no place for one, or results are old."""
    try:
        rows = "".join(f"{row}\n" for row in claims())
    except StateError as error:
        sys.exit(f"{error.message}: {error.hint}")
    new, found = _TABLE.subn(lambda match: match[1] + rows + match[2], text)
    if found != 1:
        sys.exit(f"{DOCUMENT}: there is no <!-- table: claims --> … <!-- end -->")
    return new


def main() -> None:
    path = os.path.join(ROOT, DOCUMENT)
    with open(path, encoding="utf-8") as file:
        old = file.read()
    new = render(old)
    if "--check" in sys.argv[1:] and new != old:
        sys.exit(f"{DOCUMENT} is not what kit and driver say: run python tools/document_security.py")
    if new != old:
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)


if __name__ == "__main__":
    main()
