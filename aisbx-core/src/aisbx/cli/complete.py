"""What the shell's completion offers. A completion that fails offers nothing: it must not spoil the line."""

from collections.abc import Callable, Iterable

from aisbx.audit.read import Record, read_log
from aisbx.cli.session import audit_path, session
from aisbx.inputs import Inputs
from aisbx.paths import state_dir
from aisbx.store import Store


def profiles(incomplete: str) -> list[str]:
    """Complete the last of `P+P`."""
    head, plus, _ = incomplete.rpartition("+")
    return _offer(incomplete, lambda: (f"{head}{plus}{name}" for name in session().profiles.names()))


def drivers(incomplete: str) -> list[str]:
    """Complete a driver's name."""
    return _offer(incomplete, lambda: ("auto", *session().plugins.names("driver")))


def runs(incomplete: str) -> list[str]:
    """Complete a run's id, the newest first."""
    return _offer(incomplete, lambda: (record.text("run") for record in reversed(_recent())))


def printed(incomplete: str) -> list[str]:
    """Complete what has a log: a sandbox's name or a run's id."""
    return [*sandboxes(incomplete), *runs(incomplete)]


def sandboxes(incomplete: str) -> list[str]:
    """Complete a sandbox's name."""
    return _offer(incomplete, lambda: Store(state_dir(Inputs())).names())


def _recent() -> tuple[Record, ...]:
    return read_log(audit_path(), tail=50).records


def _offer(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return [name for name in names() if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - a broken file must not print into somebody's prompt
        return []
