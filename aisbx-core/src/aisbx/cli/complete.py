"""What the shell's completion offers. A completion that fails offers nothing: it must not spoil the line."""

from collections.abc import Callable, Iterable


def profiles(incomplete: str) -> list[str]:
    """Complete the last of `P+P`."""
    head, plus, _ = incomplete.rpartition("+")
    return _offer(incomplete, lambda: (f"{head}{plus}{name}" for name in _profile_names()))


def drivers(incomplete: str) -> list[str]:
    """Complete a driver's name."""
    return _offer(incomplete, lambda: ("auto", *_engine().plugins.names("driver")))


def runs(incomplete: str) -> list[str]:
    """Complete a run's id, the newest first."""
    return _offer(incomplete, _run_ids)


def _offer(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return [name for name in names() if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - a broken file must not print into somebody's prompt
        return []


def _run_ids() -> Iterable[str]:
    from aisbx.audit.read import read_log
    from aisbx.cli.session import audit_path

    return [record.text("run") for record in reversed(read_log(audit_path(), tail=50).records)]


def _profile_names() -> Iterable[str]:
    from aisbx.cli.session import profile_names

    return profile_names()


def _engine():  # noqa: ANN202
    from aisbx.cli.session import engine

    return engine()
