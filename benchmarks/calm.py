"""Is a day's ordinary work told as an attack? Run the test suites of real packages watched, and count what is told.

`python -m benchmarks.calm [LANGUAGE]… [--most N]` takes N packages of each language (1), and needs its toolchain and
package registry, as `benchmarks.suites`, whose list it is. Exits with 1 where anything graver than `info` was told, or
a suite passed nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import groupby
from pathlib import Path

from benchmarks.suite_results import READERS
from benchmarks.suites import VERSIONS, Suite, prepare, suites

_LIMIT = 900
"""Seconds of one suite."""


def watched(suite: Suite, place: Path) -> tuple[str, Counter[str], list[str]]:
    """Run a suite; gives its results, how often each rule was told, by severity, and lines for what is no `info`."""
    state = place.with_name(f"{place.name}-state")
    temporary = place / ".tmp"
    temporary.mkdir(exist_ok=True)
    environ = {**os.environ, "TMPDIR": str(temporary), "XDG_STATE_HOME": str(state)}
    aisbx = [sys.executable, "-I", "-m", "aisbx"]
    options = ["--monitor", "-p", f"{suite.language}-dev", "-w", ".:rw", "-e", f"TMPDIR={temporary}"]
    done = subprocess.run(
        [*aisbx, "run", *options, "--", "sh", "-c", suite.run],
        cwd=place,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    results = READERS[suite.results](done.stdout + done.stderr)
    if not results.passed:
        return f"nothing passed: {done.stderr[-500:]}", Counter(), ["nothing passed"]
    told = subprocess.run(
        [*aisbx, "monitor", "--once", "--json"], cwd=place, env=environ, capture_output=True, text=True, check=True
    )
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    counted: Counter[str] = Counter()
    for row in rows:
        counted[f"{row['severity']}/{row['rule']}"] += row["times"]
    alarms = [
        f"{row['severity']}/{row['rule']}: {row['program']} {row['what']} {row['arguments']} {row['errno']}"
        for row in rows
        if row["severity"] != "info"
    ]
    return str(results), counted, alarms


def chosen(languages: list[str], most: int) -> list[Suite]:
    """Give the first `most` packages of each language."""
    return [
        suite
        for _, group in groupby(suites(languages), key=lambda suite: suite.language)
        for suite in list(group)[:most]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calm", description=__doc__)
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", help=f"of {', '.join(VERSIONS)}; all by default")
    parser.add_argument("--most", type=int, default=1, metavar="N", help="packages of each language")
    arguments = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="aisbx-calm-") as folder:
        for number, suite in enumerate(chosen(arguments.languages, arguments.most)):
            place = Path(folder, f"{number}-{suite.language}")
            place.mkdir()
            prepare(suite, place)
            results, counted, alarms = watched(suite, place)
            told = ", ".join(f"{times} {rule}" for rule, times in sorted(counted.items())) or "nothing"
            print(f"{suite.language} {suite.package} {suite.version}: {results}; told: {told}", flush=True)
            for line in alarms[:20]:
                print(f"    {line}", flush=True)
            failed |= bool(alarms)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
