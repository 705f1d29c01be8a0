"""The policy itself: the strictest decision on any command of a command line."""

import os
from functools import lru_cache

from aisbx.policy.match import ALLOW, ASK, DECISIONS, FORBID
from aisbx.policy.rules import FILE, Rules, load
from aisbx.policy.shell import Reader
from aisbx.types import Command, Principal, SandboxSpec, Verdict

UNREADABLE = "commands/unreadable"
"""The id of the decision on what could not be read."""


class Commands:
    """`review` never raises: what cannot be read is a decision as well."""

    def __init__(self, rules: Rules) -> None:
        """Take rules as `load` gives them."""
        self._rules = rules

    @classmethod
    def load(cls, directory: str) -> "Commands":
        """Read the rules, anew only where the file has changed; PolicyError where one is wrong."""
        try:
            found = os.stat(os.path.join(directory, FILE))
            signature = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        except OSError:
            signature = ()
        return _loaded(directory, signature)

    def review(self, spec: SandboxSpec, command: Command, principal: Principal) -> Verdict:
        """Look at every command in it."""
        del principal
        start = command.cwd or (spec.workspace.path if spec.workspace else "")
        decision, rule, reason = self.decide(command.argv, dict(command.environment), start, command.stdin)
        if decision == ALLOW:
            return Verdict(allow=True)
        return Verdict(allow=False, rule=rule, reason=reason, ask=decision == ASK)

    def decide(
        self, argv: tuple[str, ...], environment: dict[str, str], cwd: str, stdin: bytes | None = None
    ) -> tuple[str, str, str]:
        """Give (decision, id, reason)."""
        reader = Reader()
        reader.read(argv, environment, cwd, stdin)
        worst = (ALLOW, "", "")
        for found in reader.found:
            rule = next((each for each in self._rules.rules if each.speaks_of(found)), None)
            if rule is not None and DECISIONS.index(rule.decide) > DECISIONS.index(worst[0]):
                worst = (rule.decide, f"commands/{rule.id}", rule.reason or f"rule {rule.id} says {rule.decide}")
        if reader.unreadable and worst[0] != FORBID:
            unreadable = self._rules.unreadable
            if DECISIONS.index(unreadable) > DECISIONS.index(worst[0]):
                worst = (unreadable, UNREADABLE, reader.unreadable[0])
        return worst


@lru_cache(maxsize=8)
def _loaded(directory: str, signature: tuple[int, ...]) -> Commands:
    del signature
    return Commands(load(directory))
