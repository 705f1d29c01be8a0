"""Secrets as files: on the tmpfs that the tool makes the root of, read from memory files, for one user to read."""

from collections.abc import Mapping

from aisbx.types import SECRETS_PLACE, LocalPlan


def bear(plan: LocalPlan, secrets: Mapping[str, bytes]) -> LocalPlan:
    """Give a plan that makes these files (name → content); it is not to be kept."""
    if not secrets:
        return plan
    words, first = ["--perms", "0500", "--dir", SECRETS_PLACE], len(plan["files"])
    for number, name in enumerate(secrets, first):
        words += ["--perms", "0400", "--file", f"{{file:{number}}}", f"{SECRETS_PLACE}/{name}"]
    return {**plan, "head": [*plan["head"], *words], "files": [*plan["files"], *secrets.values()]}
