"""Which hosts are needed: those that were asked for, but none of this machine or of a private network."""

from collections.abc import Sequence

from aisbx.learn.evidence import HostSeen
from aisbx.learn.learned import Learned, Never
from aisbx.profiles import hosts, rules
from aisbx.types import Network, NetworkMode, Profile

NOWHERE = "nothing.invalid:443"
"""An allow-list that reaches nothing (RFC 6761, 6.4): whatever is asked for is refused, and recorded."""
_OWN = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet", ".corp", ".private")


def reached(profile: Profile, asked: Sequence[HostSeen], learned: Learned, *, recorded: bool) -> None:
    """Grant the hosts that were asked for; `recorded` False: nobody knows which."""
    base = profile.network or Network()
    if not recorded:
        learned.grant("network", "none", "hosts were not recorded")
        return
    granted: list[str] = []
    for seen in asked:
        host = f"[{seen.host}]" if ":" in seen.host and seen.port else seen.host
        rule = f"{host}:{seen.port}" if seen.port else seen.host
        if hosts_why := _refused(seen, rule, profile):
            learned.never.append(Never(f"reach {rule}", hosts_why, str(seen.trace)))
            continue
        new = "" if _within(rule, base) else "new: "
        alone = "" if seen.port else ", by its name alone: the port is not known"
        learned.grant("network", rule, f"{new}asked for {seen.trace}{alone}")
        granted.append(rule)
    if not granted:
        learned.grant("network", "none", "no host was asked for")
    _unused(base, granted, learned)


def _refused(seen: HostSeen, rule: str, profile: Profile) -> str:
    """Say why a rule is never granted; empty where it may be."""
    import ipaddress  # few learn

    host = seen.host
    try:
        place = hosts.parse(rule)
    except ValueError:
        return "it is no name of a host"
    try:
        if not ipaddress.ip_address(host).is_global or seen.network:
            return "an address of this machine or of a private network; if it should be reached, write it by hand"
    except ValueError:
        name = host.lower().removesuffix(".")
        if "." not in name or name.endswith(_OWN) or seen.network:
            return "a name of this machine or of a private network; if it should be reached, write it by hand"
    base, ceiling = profile.network or Network(), profile.ceiling.network if profile.ceiling else None
    for text in rules.denials(base.allow):
        if hosts.covers(rules.parse(text).place, place):
            return f"the base denies it: {text}"
    if ceiling is not None and not _within(rule, ceiling):
        return f"beyond the restriction of {profile.ceiling.name if profile.ceiling else ''}"
    return ""


def _within(rule: str, network: Network) -> bool:
    if network.mode is NetworkMode.ALLOWLIST:
        return rules.included((rule,), network.allow)
    return network.mode is NetworkMode.OPEN


def _unused(base: Network, granted: Sequence[str], learned: Learned) -> None:
    if base.mode is NetworkMode.OPEN:
        learned.unused.append("network: open (an allow-list is enough)" if granted else "network: open")
    for text in base.allow:
        if not text.startswith("deny ") and not rules.intersection((text,), granted):
            learned.unused.append(f"network: {text}")
