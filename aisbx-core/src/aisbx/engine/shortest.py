"""The shortest way to run a command with nothing of its own: admitted, run and recorded in one call of the driver's."""

import os
from typing import TYPE_CHECKING

from aisbx.audit.jsontext import quote
from aisbx.types import Brief, BriefRunner, BriefSandbox, Outcome, Principal, Recorder

if TYPE_CHECKING:
    from aisbx.audit.compiled import CompiledLog
    from aisbx.engine.opened import Opened


class Shortest:
    """That way for one user of this machine; any number of threads may use it."""

    def __init__(self, opened: "Opened", principal: Principal, host: str, capture: int) -> None:
        """Find out nothing yet; at most `capture` bytes of each stream are kept."""
        self._opened = opened
        self._log = opened.log
        self._argv = opened.engine.settings.audit.argv
        self._who = principal, host
        self._capture = capture
        self._able = isinstance(opened.sandbox, BriefSandbox)
        self._runner: BriefRunner | None = None
        self._recorder: CompiledLog | None = None

    def run(self, words: tuple[str, ...]) -> Brief | Outcome | None:
        """Run a command; None where nothing was started, an AisbxError says why it did not run."""
        runner = self._runner
        if runner is not None and self._log.compiled is self._recorder:
            done = runner(words)
            if isinstance(done, Brief):
                return done
            if done is not None:
                told = list(words) if self._argv else [words[0]]
                who = (done.run, self._who[0].id, self._who[1], told)
                return self._opened.recorded(who, done.wait, captured=True, request="")
        if self._able:
            self._renew()
        return None

    def _renew(self) -> None:
        """Have what the next command is run by."""
        opened, recorder = self._opened, self._log.compiled
        principal, host = self._who
        self._runner = None
        if recorder is None or principal.id != f"uid:{os.geteuid()}" or not isinstance(opened.sandbox, BriefSandbox):
            return
        who = f'"principal":{quote(principal.id)},"host":{quote(host)}'
        told = Recorder(recorder.address, who, opened.known, not self._argv)
        self._recorder, self._runner = recorder, opened.sandbox.brief(self._capture, told)
