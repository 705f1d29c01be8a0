"""Find violations in the audit log: its records of that kind, and what others say of the same (`derive`)."""

from collections.abc import Iterator
from dataclasses import dataclass

from aisbx.audit.follow import follow_log
from aisbx.audit.read import Reading, Record, read_log
from aisbx.errors import UsageError
from aisbx.violations.derive import violations_of
from aisbx.violations.severity import SEVERITIES, as_grave


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which violations: empty for any. UsageError for a severity that is none."""

    sandbox: str = ""
    run: str = ""
    id: str = ""
    rule: str = ""
    severity: str = ""
    """This one and graver ones."""
    principal: str = ""

    def __post_init__(self) -> None:
        """Look at the severity."""
        if self.severity and self.severity not in SEVERITIES:
            raise UsageError(f"{self.severity!r} is no severity", hint=f"write one of: {', '.join(SEVERITIES)}")

    def has(self, record: Record) -> bool:
        """Tell whether a violation is one of them."""
        names = ("sandbox", "run", "id", "rule", "principal")
        if any(wanted != record.text(name) for name in names if (wanted := getattr(self, name))):
            return False
        return as_grave(record.text("severity"), self.severity or SEVERITIES[0])


def violations(path: str, wanted: Wanted, since: float = 0.0) -> tuple[list[Record], Reading]:
    """Give those in the audit log at `path` that are not older (seconds since the epoch), oldest first.

    The reading of the whole log is given too, with its damage and its end. StateError as from `read_log`.
    """
    reading = read_log(path, since=since)
    return [one for record in reading.records for one in violations_of(record) if wanted.has(one)], reading


def follow(path: str, wanted: Wanted, start: int) -> Iterator[Record | None]:
    """Give each that comes after the offset `start`, and None whenever there was nothing new; see `follow_log`."""
    for record in follow_log(path, start):
        if record is None:
            yield None
        else:
            yield from filter(wanted.has, violations_of(record))
