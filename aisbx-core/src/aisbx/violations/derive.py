"""What other parts refuse, in the shape of a violation: read from their own records, so nothing is written twice.

The proxy's decisions, policies, limits, protected files, and the door of a host each have records of their own. Here is
what these say as violations: the members that `aisbx.violations.recorder` writes, and `of`, the kind of the record.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from aisbx.audit.read import Record
from aisbx.violations.rules import rule_of

KIND = "violation"
"""Of the records that are violations themselves."""
Rows = Iterator[dict[str, object]]
_FINDING = re.compile(r"(quarantined|restored|cannot quarantine)(?: the link)? (.+?)(?: \((.+?)\).*|: .*)?", re.DOTALL)
_KEPT_BACK = re.compile(r"not applied: (.+?): (the host would execute it: .+)", re.DOTALL)
_LIMITS = {"timed_out": "wall_time", "oom_killed": "memory", "pids_limited": "pids"}
_MET = {
    "wall_time": "it took longer than it may",
    "memory": "it needed more memory than it may have",
    "pids": "it had as many tasks as it may have",
}
_DENIED = {"denied": "command", "untrusted": "project", "workspace": "workspace"}
"""Code of an error → what was refused. Others are no violations: a wrong option, a machine that lacks something."""
_PLAIN = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~@:+,=-]+)+/?|/")
"""A path that can stand in a rule as it is."""
_CUT = 256
"""Characters from which on a path may be one that was cut."""
_SHOWN = ("host", "port", "via", "method", "path", "address", "network")


def violations_of(record: Record) -> list[Record]:
    """Give what a record of the audit log says of violations, each as a record: itself, several, or none."""
    kind = record.text("kind")
    if kind == KIND:
        return [record]
    told = _TOLD.get(kind)
    return [_violation(record, row, place) for place, row in enumerate(told(record))] if told else []


def _violation(record: Record, told: dict[str, object], place: int) -> Record:
    rule = rule_of(told)
    # The record's own place in the chain: the same each time it is read, and no other's.
    chained = record.text("mac")[:10] or f"{int(record.time * 1e6):010x}"[-10:]
    sandbox = record.text("sandbox") or str(told.pop("sandbox", ""))
    run = record.text("run")
    return Record(
        {
            "time": record.time,
            "kind": KIND,
            "id": f"v{chained}{place:02x}",
            "run": "" if run == sandbox else run,
            "principal": record.text("principal"),
            "host": record.text("host"),
            "sandbox": sandbox,
            "severity": rule.severity,
            "rule": rule.id,
            "means": rule.means,
            "pid": 0,
            "pid_inside": 0,
            "arguments": {},
            "program": next(iter(record.words("argv")), ""),
            "errno": "",
            "why": "",
            "grant": "",
            "hint": False,
            "times": 1,
            **told,
            "of": record.text("kind"),
            "seq": record.data.get("seq", 0),
        }
    )


def connection(said: Mapping[str, object]) -> dict[str, object]:
    """Give what a refusal of the proxy's, as it records it, tells of a violation."""
    host, port, rule, before = str(said.get("host", "")), said.get("port", 0), said.get("rule", ""), said.get("before")
    place = f"{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
    return {
        "source": "network",
        "what": "lookup" if said.get("via") == "dns" else "connect" if host else "request",
        "arguments": {name: said[name] for name in _SHOWN if name in said},
        "why": f"{said.get('reason', '')}{f' ({rule})' if rule else ''}",
        "grant": _allowing(said, place),
        "times": 1 + (before if isinstance(before, int) else 0),
    }


def _allowing(said: Mapping[str, object], place: str) -> str:
    """Give the smallest change that would allow a request to a place; empty for none, or none that is plain."""
    rule, method, path, address = (str(said.get(name, "")) for name in ("rule", "method", "path", "address"))
    if not said.get("host") or rule.startswith("deny "):
        return ""
    if said.get("network") and rule and address:  # a rule has its name; its address is to be named too
        text = f"{f'[{address}]' if ':' in address else address}:{said.get('port', 0)}"
    elif rule and method and len(path) < _CUT and _PLAIN.fullmatch(path):
        text = f"{rule.partition(' ')[0]} {method} {path}"  # a place that is more specific would take from the rule's
    elif rule:
        return ""
    else:
        text = place
    return f'network: {{allow: ["{text}"]}}'


def missing(said: Mapping[str, object]) -> dict[str, object]:
    """Give what the proxy says of an answer that there is nothing at a path, as what patterns are made of."""
    return {"source": "network", "what": "missing", "arguments": {name: said[name] for name in _SHOWN if name in said}}


def _connection(record: Record) -> Rows:
    yield connection(record.table("egress"))


def _dropped(record: Record) -> Rows:
    times = record.table("egress").get("times", 1)
    yield {"source": "network", "what": "flood", "times": times, "why": "more decisions than are written down"}


def _ended(record: Record) -> Rows:
    for name, limit in _LIMITS.items():
        if record.data.get(name) is True:
            yield {"source": "limit", "what": limit, "why": _MET[limit], "grant": f"a larger limits.{limit}"}
    yield from _found(record)


def _found(record: Record) -> Rows:
    """Give what of the findings is about protected files."""
    ends = record.text("kind").startswith("sandbox.")
    for finding in record.words("findings"):
        if said := _FINDING.fullmatch(finding):
            done, path, why = said.groups()
        elif said := _KEPT_BACK.fullmatch(finding):
            done, path, why = "kept back", *said.groups()
        else:
            continue
        told: dict[str, object] = {"source": "file", "what": done.replace(" ", "-"), "arguments": {"path": path}}
        yield {**told, "why": why or finding, **({"sandbox": record.text("run")} if ends else {})}


def _refused(record: Record) -> Rows:
    error = record.table("error")
    if what := _DENIED.get(str(error.get("code", ""))):
        yield {"source": "policy", "what": what, "why": error.get("message", ""), "grant": error.get("hint", "")}


def _at_the_door(source: str) -> Callable[[Record], Rows]:
    def told(record: Record) -> Rows:
        error, names = record.table("error"), ("client", "what")
        yield {
            "source": source,
            "what": record.text("kind"),
            "arguments": {name: record.text(name) for name in names if record.text(name)},
            "why": error.get("message", ""),
            "grant": error.get("hint", ""),
        }

    return told


_TOLD: Mapping[str, Callable[[Record], Rows]] = {
    "egress.refused": _connection,
    "egress.dropped": _dropped,
    "run.end": _ended,
    "exec.end": _ended,
    "run.refused": _refused,
    "exec.refused": _refused,
    "sandbox.end": _found,
    "sandbox.destroy": _found,
    "auth.denied": _at_the_door("auth"),
    "auth.failed": _at_the_door("auth"),
    "scope.denied": _at_the_door("auth"),
    "limit.denied": _at_the_door("admission"),
    "anomaly": _at_the_door("anomaly"),
}
