"""`Pool`: sandboxes that are made before they are needed, each for one use."""

import os
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self, Unpack

from aisbx.api.doors import HOST, engine, principal
from aisbx.api.keeper import Keeper, KeeperGoneError
from aisbx.api.options import Options, to_request
from aisbx.api.pooled import PooledSandbox
from aisbx.api.result import Result
from aisbx.errors import AisbxError, StateError, UsageError
from aisbx.types import WorkspaceMode

PATIENCE = 60.0
"""Seconds in which a pooled sandbox must be ready, if nothing else is said."""
TTL = 3600.0
"""Seconds that a pooled sandbox lives, if nothing else is said."""
_USABLE = 0.5
"""The part of its time to live in which one is handed out."""
_LOOK = 5.0
"""Seconds between looks at those that wait."""
_HUSH = 0.05
"""Seconds after one was taken in which the others are enough: its command comes first."""
_ALIVE = 2
"""So many times the size of a pool there may be at once, if nothing else is said."""


class Pool:
    """Up to `size` sandboxes that wait, made anew in the background; any number of threads may use it.

    As a context manager it ends all that it made. Those of a process that is killed are ended by a small one that
    waits for that.
    """

    def __init__(
        self, size: int = 4, *, most: int | None = None, ttl: float = TTL, remote: str = "", **options: Unpack[Options]
    ) -> None:
        """Make the first one, by the options of `Sandbox.create`; an AisbxError says why it cannot be.

        `most` is how many there may be at once, waiting, taken or on their way (twice the size). Each lives for `ttl`
        seconds and is handed out in the first half of them. `remote` is the address of a supervisor that makes them.
        """
        most = most or size * _ALIVE
        if not 0 < size <= most:
            raise UsageError("a pool has a size of 1 at least, and `most` is no less", hint="leave `most` out")
        self._size, self._most, self._ttl = size, most, ttl
        self._engine, self._request = engine(remote), to_request(options)
        self._owner = os.getpid()
        self._change = threading.Condition()
        self._waiting: deque[PooledSandbox] = deque()
        self._leaving: deque[PooledSandbox] = deque()
        self._there: set[PooledSandbox] = set()
        self._making = 0
        self._taken = 0.0
        self._problem: AisbxError | None = None
        self._closed = False
        self.keeper = Keeper(self._request, ttl, remote)
        try:
            self._add(self._make(here=True))
        except BaseException:
            self.keeper.close()
            raise
        self._threads = [
            threading.Thread(target=work, name=f"aisbx pool {work.__name__}", daemon=True)
            for work in (self._fill, self._end)
        ]
        for thread in self._threads:
            thread.start()

    def take(self, timeout: float = PATIENCE) -> PooledSandbox:
        """Give a sandbox in which nothing has run, for a `with` block.

        Raises what keeps new ones from being made; StateError where none is there within `timeout` seconds.
        """
        until = time.monotonic() + timeout
        while (one := self.offer()) is None:
            with self._change:
                if not self._waiting and self._problem is None and not self._change.wait(until - time.monotonic()):
                    raise self.empty(timeout)
        return one

    def offer(self) -> PooledSandbox | None:
        """Give a sandbox as `take` does, None where none is there at the moment."""
        while True:
            with self._change:
                self._must_be_open()
                if not self._waiting:
                    if self._problem is None:
                        return None
                    problem, self._problem = self._problem, None  # the next one finds out whether it still holds
                    self._change.notify_all()
                    raise problem
                one, self._taken = self._waiting.popleft(), time.monotonic()
                self._change.notify_all()
            if one.fresh():
                self.keeper.use(one.name)
                return one
            self.leave(one)

    def empty(self, timeout: float) -> StateError:
        """Give what says that none was ready within so many seconds."""
        hint = "let go of those that were taken, or give the pool a larger `most`"
        return StateError(f"no sandbox of the pool was ready within {timeout:g} s", hint=hint)

    def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes | str | None = None,  # noqa: A002 - as subprocess.run has it
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        output: int | None = None,
        check: bool = False,
    ) -> Result:
        """Run one command in a sandbox of its own; see `Sandbox.exec`."""
        with self.take() as sandbox:
            return sandbox.exec(argv, input=input, env=env, cwd=cwd, timeout=timeout, output=output, check=check)

    def leave(self, one: PooledSandbox) -> None:
        """End a sandbox in the background."""
        if os.getpid() != self._owner:
            return  # a fork of the process whose they are
        with self._change:
            self._leaving.append(one)
            self._change.notify_all()

    def ended(self, one: PooledSandbox) -> None:
        """Take note that one has been removed."""
        with suppress(KeeperGoneError):
            self.keeper.drop(one.name)
        with self._change:
            self._there.discard(one)
            self._change.notify_all()

    def close(self) -> None:
        """End all that it made, taken ones too; may be called twice. An AisbxError says what kept one from ending."""
        if os.getpid() != self._owner:
            return
        with self._change:
            if self._closed:
                return
            self._closed = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()
        problem: AisbxError | None = None
        for one in list(self._there):
            try:
                self._destroy(one)
            except AisbxError as error:
                problem = problem or error
        self.keeper.close()
        if problem is not None:
            raise problem

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all that it made."""
        self.close()

    def _must_be_open(self) -> None:
        if os.getpid() != self._owner:
            raise StateError("a pool belongs to the process that made it", hint="make one after the fork")
        if self._closed:
            raise StateError("the pool is closed", hint="take sandboxes inside its `with` block")

    def _make(self, *, here: bool = False) -> PooledSandbox:
        """Have one made; `here` by this process, where errors are of their own kinds."""
        name, born = f"pool-{os.urandom(6).hex()}", time.monotonic()
        if here:
            self.keeper.add(name)
            self._engine.sandboxes.create(self._request, principal(), HOST, name, self._ttl)
        else:
            self.keeper.make(name)
        one = PooledSandbox.of(self, self._engine, name, born + self._ttl * _USABLE)
        one.warm()
        return one

    def _add(self, one: PooledSandbox) -> None:
        with self._change:
            self._there.add(one)
            self._waiting.append(one)
            self._change.notify_all()

    def _wanted(self) -> bool:
        room = len(self._there) + self._making < self._most
        return room and self._problem is None and len(self._waiting) + self._making < self._size

    def _fill(self) -> None:
        """Make new ones until there are enough, and look after those that wait."""
        while True:
            with self._change:
                if not self._wanted() and not self._closed:
                    self._change.wait(_LOOK)
                while self._waiting and not self._closed and (hush := self._taken + _HUSH - time.monotonic()) > 0:
                    self._change.wait(hush)
                if self._closed:
                    return
                wanted = self._wanted()
                self._making += wanted
                known = list(self._waiting)
            if wanted:
                self._fill_one()
                continue
            for one in known:
                self._look_at(one)

    def _fill_one(self) -> None:
        problem: AisbxError | None = None
        try:
            self._add(self._make())
        except AisbxError as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - who takes the next one must hear of it
            told = f"a sandbox of the pool could not be made: {str(error) or type(error).__name__}"
            problem = StateError(told, hint="see: aisbx doctor")
        finally:
            with self._change:
                self._making -= 1
                self._problem = problem
                self._change.notify_all()

    def _look_at(self, one: PooledSandbox) -> None:
        """Look whether one that waits can still be handed out; nobody gets it meanwhile, for then it could be used."""
        with self._change:
            try:
                self._waiting.remove(one)
            except ValueError:
                return  # it was taken meanwhile
        if one.fresh():
            self._add(one)
        else:
            self.leave(one)

    def _end(self) -> None:
        """End those that were let go."""
        while True:
            with self._change:
                while not self._closed and (not self._leaving or time.monotonic() < self._taken + _HUSH):
                    self._change.wait(_HUSH if self._leaving else None)
                if not self._leaving:
                    return
                one = self._leaving.popleft()
            try:
                self._destroy(one)
            except AisbxError:
                continue  # `close` tries again, and says so

    def _destroy(self, one: PooledSandbox) -> None:
        one.close()
        cow = one.record.mode == WorkspaceMode.COW
        try:
            self.keeper.end(one.name, discard=cow)
        except KeeperGoneError:
            self._engine.sandboxes.destroy(one.name, principal(), HOST, discard=cow)
        with self._change:
            self._there.discard(one)
            self._change.notify_all()
