"""Secrets as files: on the tmpfs that the tool makes the root of, read from memory files, for one user to read."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from aisbx.types import AUTHORITIES, SECRETS_PLACE, EgressPlan, LocalPlan, Proxied


def bear(plan: LocalPlan, secrets: Mapping[str, bytes], proxied: Proxied | None = None) -> LocalPlan:
    """Give a plan that makes these files (name → content), and tells the proxy of secrets; it is not to be kept."""
    if proxied is not None:
        plan = _proxied(plan, proxied)
    if not secrets:
        return plan
    words, first = ["--perms", "0500", "--dir", SECRETS_PLACE], len(plan["files"])
    for number, name in enumerate(secrets, first):
        words += ["--perms", "0400", "--file", f"{{file:{number}}}", f"{SECRETS_PLACE}/{name}"]
    return {**plan, "head": [*plan["head"], *words], "files": [*plan["files"], *secrets.values()]}


def _proxied(plan: LocalPlan, proxied: Proxied) -> LocalPlan:
    if "egress" not in plan:
        raise ValueError("secrets for a proxy, and no proxy")  # admission has refused that
    words = ["--perms", "0755", "--dir", str(PurePosixPath(AUTHORITIES).parent)]
    words += ["--perms", "0444", "--file", f"{{file:{len(plan['files'])}}}", AUTHORITIES]
    egress: EgressPlan = {**plan["egress"], "proxied": proxied.job}
    return {
        **plan,
        "head": [*plan["head"], *words],
        "files": [*plan["files"], proxied.authorities],
        "egress": egress,
    }
