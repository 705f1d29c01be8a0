"""`PooledSandbox`: one of those that a `Pool` gives."""

import time
from types import TracebackType
from typing import TYPE_CHECKING

from aisbx.api.sandbox import Sandbox
from aisbx.engine import Engine
from aisbx.engine.found import RUNNING
from aisbx.errors import RemoteError, StateError
from aisbx.store import Record
from aisbx.types import ReleasableSandbox

if TYPE_CHECKING:
    from aisbx.api.pool import Pool


class PooledSandbox(Sandbox):
    """One that nothing has run in when it is taken, and that is ended when its `with` block is left."""

    _pool: "Pool"
    _until: float

    @classmethod
    def of(cls, pool: "Pool", engine: Engine, name: str, until: float) -> "PooledSandbox":
        """Open one that was made for a pool, to be handed out until that moment of time.monotonic."""
        one = cls(engine.sandboxes.open(name), engine, made=True)
        one._pool, one._until = pool, until
        return one

    @property
    def record(self) -> Record:
        """What is known of it."""
        return self._opened.record

    def fresh(self) -> bool:
        """Tell whether it can be handed out: it is there, and what a new one would be."""
        if time.monotonic() >= self._until:
            return False
        if self._opened.far:
            return self._runs()
        inside = self._opened.sandbox
        return not isinstance(inside, ReleasableSandbox) or inside.renew()

    def _runs(self) -> bool:
        try:
            return self.info.state == RUNNING
        except (StateError, RemoteError):  # it has ended, or nobody can say: who takes one gets another, or hears why
            return False

    def warm(self) -> None:
        """Have what makes the first command fast."""
        inside = self._opened.sandbox
        if isinstance(inside, ReleasableSandbox):
            inside.warm()

    def destroy(self, *, discard: bool = False) -> list[str]:
        """End everything in it and remove it; see `Sandbox.destroy`."""
        findings = super().destroy(discard=discard)
        self._pool.ended(self)
        return findings

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it to the pool to end it, in the background. What a `cow` workspace has not applied is dropped."""
        self._pool.leave(self)
