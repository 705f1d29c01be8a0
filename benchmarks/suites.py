"""Run the test suites of real packages outside and inside, and say whether the results are the same.

Inside is twice: in a live workspace (`rw`), and in a `guarded` one, where a layer takes what they write and is applied
afterwards. `python -m benchmarks.suites [LANGUAGE]…` needs the languages' toolchains and their package registries, and
takes some minutes; `--write` puts the table into docs/compatibility.md. Exits with 1 where any result differs or
nothing passed.
"""

import argparse
import datetime as dt
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.suite_results import READERS, Results

HERE = Path(__file__).parent
DOCUMENT = HERE.parent / "docs/compatibility.md"
VERSIONS = {
    "python": ["python3", "--version"],
    "node": ["node", "--version"],
    "go": ["go", "version"],
    "rust": ["rustc", "--version"],
    "java": ["java", "--version"],
}
MODES = ("rw", "guarded")
_LIMIT = 900
"""Seconds for one step of one package."""


@dataclass(frozen=True)
class Suite:
    language: str
    package: str
    version: str
    prepare: str
    run: str
    results: str
    also: str = ""


@dataclass(frozen=True)
class Row:
    suite: Suite
    outside: Results
    inside: Results
    guarded: Results
    same_exit: bool

    @property
    def same(self) -> bool:
        return self.same_exit and self.outside == self.inside == self.guarded and self.outside.passed > 0


def suites(languages: list[str]) -> list[Suite]:
    data = tomllib.loads((HERE / "suites.toml").read_text())
    rows = [Suite(**{**data["language"][row["language"]], **row}) for row in data["suite"]]
    return [suite for suite in rows if not languages or suite.language in languages]


def prepare(suite: Suite, place: Path) -> None:
    environ = {**os.environ, "PACKAGE": suite.package, "VERSION": suite.version, "ALSO": suite.also}
    done = subprocess.run(
        ["bash", "-euc", suite.prepare],
        cwd=place,
        env=environ,
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{suite.package}: cannot be prepared:\n{done.stderr[-3000:]}")


def results(suite: Suite, place: Path, mode: str = "") -> tuple[Results, int, str]:
    """Run a suite in a workspace of this mode; outside where none is given."""
    command = ["sh", "-c", suite.run]
    temporary = place / ".tmp"  # in the workspace, or a layer would see little of what tests do with files
    temporary.mkdir(exist_ok=True)
    environ = {**os.environ, "TMPDIR": str(temporary)}
    if mode:
        options = ["-p", f"{suite.language}-dev", "-w", f".:{mode}", "-e", f"TMPDIR={temporary}"]
        command = [sys.executable, "-I", "-m", "aisbx", "run", *options, "--", *command]
        # What a guarded run keeps back for a review goes with the rest.
        environ["XDG_STATE_HOME"] = str(place.with_name(f"{place.name}-state"))
    done = subprocess.run(
        command,
        cwd=place,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    output = done.stdout + done.stderr
    return READERS[suite.results](output), done.returncode, output


def compare(suite: Suite, place: Path) -> Row:
    prepare(suite, place)
    outside, expected, _ = results(suite, place)
    seen: list[Results] = []
    same_exit = True
    for mode in MODES:
        inside, code, output = results(suite, place, mode)
        seen.append(inside)
        same_exit &= code == expected
        if inside != outside or code != expected:
            told = f"{suite.package}, {mode} (exits with {code}, outside with {expected})"
            print(f"--- {told}:\n{output[-6000:]}", file=sys.stderr)
    return Row(suite, outside, *seen, same_exit=same_exit)


def version(language: str) -> str:
    done = subprocess.run(VERSIONS[language], capture_output=True, text=True, check=True)
    found = re.search(r"\d+(?:\.\d+)+", done.stdout)
    return found[0] if found else "?"


def table(rows: list[Row]) -> list[str]:
    lines = ["| Language | Package | Outside | Inside, `rw` | Inside, `guarded` | Same |", "|---|---|---|---|---|---|"]
    versions = {language: version(language) for language in {row.suite.language for row in rows}}
    for row in rows:
        suite = row.suite
        name = f"{suite.language} {versions[suite.language]}"
        same = "yes" if row.same else "no"
        cells = [name, f"`{suite.package}` {suite.version}", row.outside, row.inside, row.guarded, same]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def write(lines: list[str]) -> None:
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    kernel = ".".join(os.uname().release.split(".")[:2])
    text = "\n".join(["<!-- suites -->", f"{today}, Linux {kernel}, {os.uname().machine}:", "", *lines, "<!-- end -->"])
    document = DOCUMENT.read_text()
    new = re.sub(r"<!-- suites -->.*?<!-- end -->", lambda _: text, document, flags=re.DOTALL)
    DOCUMENT.write_text(new)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suites", description=__doc__)
    parser.add_argument(
        "languages", nargs="*", metavar="LANGUAGE", help=f"one of {', '.join(VERSIONS)}; all by default"
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/compatibility.md")
    arguments = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="aisbx-suites-") as folder:
        for number, suite in enumerate(suites(arguments.languages)):
            place = Path(folder, f"{number}-{suite.language}")
            place.mkdir()
            rows.append(compare(suite, place))
            print(
                f"{suite.package}: {rows[-1].outside} / {rows[-1].inside} / {rows[-1].guarded}",
                file=sys.stderr,
                flush=True,
            )
    lines = table(rows)
    print("\n".join(lines))
    if arguments.write:
        write(lines)
    sys.exit(0 if rows and all(row.same for row in rows) else 1)


if __name__ == "__main__":
    main()
