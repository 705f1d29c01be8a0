"""`aisbx run --dry-run`: what would be mounted, filtered and limited, in words and as data."""

from collections.abc import Iterable, Iterator

from aisbx.cli.describe import amount, data, network
from aisbx.cli.render import emit_json, printable, shell_words, table
from aisbx.engine import Preview
from aisbx.errors import ControlError
from aisbx.types import LocalPlan, RunRequest, SandboxSpec

FILTER_STEP = 8
"""Bytes of one instruction (struct sock_filter, linux/filter.h)."""


def show(preview: Preview, request: RunRequest, *, as_json: bool) -> int:
    """Print a preview; the exit code is that of the run's refusal, 0 if it would be admitted."""
    if as_json:
        emit_json(_record(preview, request))
        return ControlError.exit_code if preview.refusals else 0
    for title, lines in _sections(preview, request):
        print(title)
        for line in lines:
            print(f"  {printable(line)}")
        print()
    if preview.refusals:
        names = ", ".join(state.control for state in preview.refusals)
        first = preview.refusals[0]
        raise ControlError(f"this run would be refused for {names}", control=first.control, hint=first.remedy)
    print("This run would be admitted. Nothing was started.")
    return 0


def _sections(preview: Preview, request: RunRequest) -> Iterator[tuple[str, Iterable[str]]]:
    spec = preview.spec
    yield "Sandbox", [f"driver     {preview.driver}: {preview.why}", *_sandbox(spec, request)]
    yield "Files", _files(spec, request)
    yield "Limits", _limits(spec)
    yield "System calls", _filter(spec, preview.plan)
    variables = [f"{name}={value}" for name, value in sorted(spec.environment.items())]
    variables += [f"{each.variable} (the secret {each.store}:{each.name})" for each in spec.secrets if each.variable]
    variables += [
        f"{each.placeholder} (a placeholder for the secret {each.store}:{each.name})"
        for each in spec.secrets
        if each.placeholder
    ]
    # What the request sets may be a secret: the name is enough.
    yield "Environment", [*variables, *(f"{name} (as given with --env)" for name in sorted(request.environment))]
    rows = [(state.control, state.level.value, state.mechanism or state.reason) for state in preview.enforcement.states]
    yield "Enforcement", table(("CONTROL", "LEVEL", "BY"), rows).splitlines()
    if preview.refusals:
        refused = [(state.control, state.reason, state.remedy) for state in preview.refusals]
        yield "Refused for", table(("CONTROL", "WHY", "REMEDY"), refused).splitlines()


def _sandbox(spec: SandboxSpec, request: RunRequest) -> Iterator[str]:
    who = spec.identity
    yield f"command    {shell_words(request.command) if request.command else '(a shell)'}"
    yield f"profile    {spec.profile}"
    yield f"directory  {spec.cwd}"
    yield f"user       {who.name} (uid {who.uid}, gid {who.gid}), home {who.home}"
    yield f"network    {network(spec.network)}"
    if spec.lowered:
        yield f"given up   {', '.join(sorted(spec.lowered))}"


def _files(spec: SandboxSpec, request: RunRequest) -> Iterator[str]:
    rows = [(mount.target, "rw" if mount.writable else "ro", mount.source, mount.origin) for mount in spec.mounts]
    if spec.workspace:
        rows.insert(0, (spec.workspace.path, spec.workspace.mode.value, spec.workspace.path, "workspace"))
    rows += [(path, "link", target, "") for path, target in sorted(spec.links.items())]
    for each in spec.secrets:
        if each.target:
            asked = any(each.place == one.place for one in request.secrets)
            origin = "request" if asked else f"profile {spec.profile}"
            rows.append((each.place, "ro", f"the secret {each.store}:{each.name}", origin))
    yield from table(("INSIDE", "ACCESS", "FROM", "ASKED FOR BY"), rows).splitlines()
    whose = f"the runtime of {spec.rootfs}" if spec.rootfs else "the driver's runtime"
    yield f"and {whose} (/usr and a small /etc, read-only), private /tmp, /dev, /proc and an empty home"


def _filter(spec: SandboxSpec, plan: LocalPlan | None) -> Iterator[str]:
    yield f"allowed groups: {', '.join(spec.syscalls)}; all other calls are refused"
    if plan is not None:
        yield f"as a seccomp program of {len(plan['filter']) // FILTER_STEP} instructions"


def _limits(spec: SandboxSpec) -> Iterator[str]:
    rows = [(name, amount(name, limit.amount), limit.strength.value) for name, limit in sorted(spec.limits.items())]
    yield from table(("LIMIT", "AMOUNT", "STRENGTH"), rows).splitlines() if rows else ["none"]


def _record(preview: Preview, request: RunRequest) -> dict[str, object]:
    return {
        "admitted": not preview.refusals,
        "driver": preview.driver,
        "driver_why": preview.why,
        "command": list(request.command),
        "spec": data(preview.spec),
        "environment_given": sorted(request.environment),
        "enforcement": preview.enforcement.as_record(),
        "refusals": [state.control for state in preview.refusals],
        "plan": _plan(preview.plan),
    }


def _plan(plan: LocalPlan | None) -> object:
    """Give a plan without its bulk: file contents and the filter by their length."""
    if plan is None:
        return None
    return {key: data(value) for key, value in plan.items()}
