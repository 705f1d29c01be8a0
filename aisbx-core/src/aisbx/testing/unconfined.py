"""A driver that confines nothing: the control experiment. Every attack must work through it, or it proves nothing."""

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from aisbx.egress.job import understood
from aisbx.errors import CommandNotExecutableError, CommandNotFoundError, StateError, UsageError
from aisbx.types import (
    CONTROLS,
    Captured,
    Command,
    ControlState,
    Enforcement,
    ExitStatus,
    Files,
    Freezer,
    Layers,
    Level,
    Probe,
    Proxied,
    SandboxSpec,
    Stdio,
    Usage,
)


class Unconfined:
    """Claims nothing, and passes everything on: descriptors, variables, the terminal, all rights."""

    name = "unconfined"

    values: Mapping[str, str] = MappingProxyType({})
    """Placeholder → secret."""

    def probe(self) -> Probe:
        """There is always nothing."""
        return Probe(usable=True)

    def check(self, spec: SandboxSpec) -> Enforcement:
        """Claim nothing."""
        del spec
        return Enforcement.of(ControlState(name, Level.NONE, reason="nothing is confined") for name in CONTROLS)

    def open(self, spec: SandboxSpec, home: Path) -> "_Open":
        """Make nothing."""
        del home
        variables = {name: self.values.get(value, value) for name, value in spec.environment.items()}
        return _Open(replace(spec, environment=variables), self.check(spec))

    def bearing(self, secrets: Mapping[str, bytes], proxied: Proxied | None = None) -> "Unconfined":
        """Give values in the place of placeholders, as a wrapper does that has no proxy."""
        del secrets
        made = Unconfined()
        if proxied is not None:
            made.values = {each.placeholder: each.value.decode("latin-1") for each in understood(proxied.job)[0]}
        return made

    def attach(self, handle: str) -> "_Open":
        """Find nothing."""
        raise StateError(f"no sandbox {handle!r}: this driver's do not last")


class _Open:
    def __init__(self, spec: SandboxSpec, enforcement: Enforcement) -> None:
        self.handle = ""
        self.files: Files | None = None
        self.layers: Layers | None = None
        self.freezer: Freezer | None = None
        self._spec = spec
        self._running: list[_Running] = []
        self.enforcement = enforcement

    def spawn(self, command: Command, stdio: Stdio) -> "_Running":
        running = _Running(self._spec, command, stdio)
        self._running.append(running)
        return running

    def close(self) -> None:
        """End the commands themselves; what they left behind lives on, for nothing holds it."""
        for running in self._running:
            running.end()


# Variables on a command line, for all to see, as careless wrappers put them.
_EXPORT = 'n=$1; shift; while [ "$n" -gt 0 ]; do export "$1"; shift; n=$((n - 1)); done; "$@"; exit "$?"'


def _argv(command: Command) -> list[str]:
    variables = [f"{key}={value}" for key, value in command.environment.items()]
    export = ["/bin/sh", "-c", _EXPORT, "sh", str(len(variables)), *variables] if variables else []
    return [*export, *command.argv]


class _Running:
    def __init__(self, spec: SandboxSpec, command: Command, stdio: Stdio) -> None:
        self._capture = stdio.capture
        self._fed = stdio.stdin if isinstance(stdio.stdin, bytes) else b""
        self._started = time.monotonic()
        self._ended: ExitStatus | None = None
        self._streams: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        pipe = subprocess.PIPE
        stdin = pipe if isinstance(stdio.stdin, bytes) else subprocess.DEVNULL if stdio.stdin is None else stdio.stdin
        shared = stdio.stdout if stdio.terminal else None
        try:
            self._process = subprocess.Popen(
                _argv(command),
                stdin=stdin,
                stdout=pipe if stdio.stdout is None else stdio.stdout,
                stderr=(pipe if stdio.stderr is None else stdio.stderr) if shared is None else shared,
                cwd=command.cwd or spec.cwd,
                env={**os.environ, **spec.environment},
                close_fds=False,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise CommandNotFoundError(f"{command.argv[0]}: not found") from error
        except OSError as error:
            raise CommandNotExecutableError(f"{command.argv[0]}: {error.strerror}") from error

    def wait(self, timeout: float | None = None) -> ExitStatus | None:
        """Read until the command has ended; what its children still write is not waited for."""
        if self._ended is not None:
            return self._ended
        end = None if timeout is None else time.monotonic() + timeout
        process = self._process
        if process.stdin and not process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(self._fed)
            process.stdin.close()
        with selectors.DefaultSelector() as selector:
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
                if stream and not stream.closed:
                    selector.register(stream, selectors.EVENT_READ, name)
            while selector.get_map() or process.poll() is None:
                ended = process.poll() is not None
                ready = selector.select(0 if ended else 0.01)
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    self._streams[key.data] += data
                    if not data:
                        selector.unregister(key.fileobj)
                if ended and not ready:
                    break
                if end is not None and time.monotonic() > end:
                    return None
        self._ended = self._status(process.wait())
        return self._ended

    def signal(self, number: int) -> None:
        """Pass it on."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it, and what is still in its session."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, 9)

    def resize(self, rows: int, columns: int) -> None:
        """There is no pty of its own."""
        raise UsageError(f"no terminal to make {rows} by {columns}")

    def usage(self) -> Usage:
        """Unknown."""
        return Usage()

    def end(self) -> None:
        """Kill and reap the command if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                stream.close()

    def _status(self, code: int) -> ExitStatus:
        kept = {
            name: Captured(bytes(data[: self._capture]), max(0, len(data) - self._capture))
            for name, data in self._streams.items()
        }
        return ExitStatus(
            code=code if code >= 0 else 128 - code,
            signal=max(0, -code),
            duration=time.monotonic() - self._started,
            stdout=kept["stdout"],
            stderr=kept["stderr"],
        )
