"""Where alerts go, and those of what the door of a host refuses: no profile speaks for that, so the settings do."""

import json
import time
from contextlib import suppress
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from aisbx.audit.jsontext import members
from aisbx.audit.read import Record
from aisbx.audit.write import RESERVE, AuditError, append_once, start
from aisbx.engine import secrets
from aisbx.errors import ConfigError
from aisbx.violations.severity import as_grave

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aisbx.audit.chain import Head
    from aisbx.engine.engine import Engine
    from aisbx.types import Event
    from aisbx.violations.alerts import Alerts
    from aisbx.violations.recorder import Recorder
    from aisbx.violations.rules import Patterns

NONE = "none"
"""What the settings say in the place of a severity where nothing of the door is to be told."""
_LAST = 5.0
_LONGEST = 500
_LEFT_OUT = frozenset({"mac", "argv", "v"})


def webhook(engine: "Engine", who: str) -> tuple[str, bytes]:
    """Give where alerts go and what signs them; ConfigError where nothing says that to `who` alerts, or SecretError."""
    from aisbx.secrets.spelled import parse_secret
    from aisbx.violations.alerts import key_of

    said = engine.settings.alerts
    if not said.url:
        hint = "set [alerts] url and secret in config.toml; see docs/monitoring.md"
        raise ConfigError(f"{who} alerts of violations, and nothing says whom", key="alerts.url", hint=hint)
    secret = secrets.value(engine, parse_secret(said.secret))
    try:
        key_of(secret)
    except ValueError as error:
        raise ConfigError(str(error), key="alerts.secret", hint="set it anew: aisbx secret set") from None
    return said.url, secret


class DoorAlerts:
    """Takes each denial of one host's door, once it is recorded; any thread may."""

    def __init__(self, engine: "Engine", host: str, *, alerting: bool) -> None:
        """See that alerts can be signed, where the settings want any; ConfigError or SecretError where they can't.

        `alerting` False: nobody is told, whatever they say.
        """
        self._engine = engine
        self._host = host
        self._lock = Lock()
        said = engine.settings.alerts
        self._least = said.server
        self._alerts = self._begun() if alerting and said.url and said.server != NONE else None

    def take(self, line: str, head: "Head") -> None:
        """Alert of what a record says, and see what it makes with those before it; `head` is the chain's with it."""
        from aisbx.violations.derive import violations_of

        record = Record({**json.loads(line), "seq": head[0], "mac": head[5]})
        with self._lock:
            for one in violations_of(record):
                self._alert(one.data)
                found = self._patterns.add(time.monotonic(), one.text("rule"), one.text("severity"), one.data)
                for pattern in found:
                    self._recorder.principal = one.text("principal")
                    self._recorder.anomaly(pattern, one.data)

    def close(self) -> None:
        """Wait some seconds until what there is to tell has been told, and record what was not."""
        if self._alerts is not None:
            self._alerts.close(_LAST)

    def _begun(self) -> "Alerts":
        from aisbx.violations.alerts import Alerts  # HTTP and TLS

        return Alerts(*webhook(self._engine, "the server"), self._not_alerted)

    @cached_property
    def _patterns(self) -> "Patterns":
        from aisbx.violations.rules import Patterns  # few hosts refuse anybody

        return Patterns()

    @cached_property
    def _recorder(self) -> "Recorder":
        from aisbx.violations.recorder import Recorder

        recorder = Recorder(self._engine.audit, f"{self._engine.state}/{RESERVE}", "", "", self._host)
        recorder.tell = self._recorded
        return recorder

    def _recorded(self, event: "Event") -> None:
        self._alert({"time": event.time, "kind": event.kind, "host": self._host, **event.data})
        self._engine.emit(event)

    def _alert(self, row: "Mapping[str, object]") -> None:
        if self._alerts is not None and as_grave(str(row["severity"]), self._least):
            self._alerts.send({key: value for key, value in row.items() if key not in _LEFT_OUT})

    def _not_alerted(self, name: str, why: str) -> None:
        told: dict[str, object] = {"sandbox": "", "violation": name, "rule": "", "done": "alert"}
        beginning = start("violation.reaction", "", "", self._host, [])
        with suppress(AuditError, OSError):  # there is nobody else to be told
            line = f"{beginning},{members({**told, 'error': why[:_LONGEST]})}}}"
            append_once(self._engine.audit, line, f"{self._engine.state}/{RESERVE}")
