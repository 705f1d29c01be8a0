"""What a test runner's output comes to: the tests that passed, failed and were left out."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Results:
    passed: int
    failed: int
    skipped: int

    def __str__(self) -> str:
        more = [f"{self.failed} failed"] if self.failed else []
        more += [f"{self.skipped} skipped"] if self.skipped else []
        return ", ".join([f"{self.passed} passed", *more])


def _sums(text: str, **patterns: str) -> Results:
    def total(name: str) -> int:
        return sum(int(number) for number in re.findall(patterns[name], text, re.MULTILINE))

    return Results(total("passed"), total("failed"), total("skipped"))


def pytest(text: str) -> Results:
    """Read the closing line; a test that fails as expected is skipped, one that cannot start has failed."""
    lines = [line for line in text.splitlines() if re.search(r" in [\d.]+s", line)]
    return _sums(
        lines[-1] if lines else "",
        passed=r"(\d+) (?:passed|xpassed)",
        failed=r"(\d+) (?:failed|error)",
        skipped=r"(\d+) (?:skipped|xfailed)",
    )


def tap(text: str) -> Results:
    """Count assertions, as the Test Anything Protocol does."""
    return _sums(text, passed=r"^# pass +(\d+)", failed=r"^# fail +(\d+)", skipped=r"^# skip +(\d+)")


def go(text: str) -> Results:
    """Count the tests in what `go test -json` says; a package that does not build has failed."""
    lines: Iterable[dict[str, str]] = (json.loads(line) for line in text.splitlines() if line.startswith("{"))
    actions = [line["Action"] for line in lines if "Test" in line or line["Action"] == "build-fail"]
    return Results(actions.count("pass"), actions.count("fail") + actions.count("build-fail"), actions.count("skip"))


def cargo(text: str) -> Results:
    """Add up every binary's result, documentation tests included."""
    row = r"^test result: .*"
    return _sums(text, passed=rf"{row}\b(\d+) passed", failed=rf"{row}\b(\d+) failed", skipped=rf"{row}\b(\d+) ignored")


def junit(text: str) -> Results:
    """Read the summary of JUnit's console; an aborted test has been left out."""
    row = r"\[ +(\d+) tests "
    return _sums(text, passed=rf"{row}successful", failed=rf"{row}failed", skipped=rf"{row}(?:skipped|aborted)")


READERS: dict[str, Callable[[str], Results]] = {
    "pytest": pytest,
    "tap": tap,
    "go": go,
    "cargo": cargo,
    "junit": junit,
}
