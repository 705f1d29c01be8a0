import pytest
from aisbx.admission import require, unmet
from aisbx.errors import ControlError
from aisbx.types import (
    CONTROLS,
    ControlState,
    Enforcement,
    Identity,
    Level,
    Limit,
    LimitStrength,
    Network,
    NetworkMode,
    SandboxSpec,
    Secret,
    Workspace,
    WorkspaceMode,
)

ME = Identity("me", 1000, 1000, "/home/me")


def spec(**changes: object) -> SandboxSpec:
    fields: dict[str, object] = {"profile": "test", "identity": ME, "cwd": "/"} | changes
    return SandboxSpec(**fields)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def full(*but: ControlState) -> Enforcement:
    other = {state.control for state in but}
    return Enforcement.of([*but, *(ControlState(name, Level.FULL, "test") for name in CONTROLS if name not in other)])


@pytest.mark.parametrize("control", [name for name in CONTROLS if not name.startswith("limit:")])
@pytest.mark.parametrize("level", [Level.PARTIAL, Level.NONE])
def test_a_control_that_is_not_full_refuses_unless_lowered_by_name(control: str, level: Level) -> None:
    enforcement = full(ControlState(control, level, reason="because", remedy="do this"))
    listed: dict[str, object] = {}
    if control in {"net:allowlist", "secret:proxied"}:
        listed["network"] = Network(NetworkMode.ALLOWLIST, ("a.example",))
    if control == "secret:proxied":
        listed["secrets"] = (Secret("x", placeholder="X"),)
    asked = spec(workspace=Workspace("/w", WorkspaceMode.COW), **listed)
    assert [state.control for state in unmet(asked, enforcement)] == [control]
    with pytest.raises(ControlError, match="because") as caught:
        require(asked, enforcement)
    assert caught.value.control == control
    assert caught.value.hint.startswith("do this, or give it up by name")
    require(spec(lowered=frozenset({control}), **listed), enforcement)


def test_a_driver_that_names_nothing_is_refused_for_every_control_but_unasked_limits() -> None:
    asked = spec(workspace=Workspace("/w", WorkspaceMode.GUARDED))
    assert [state.control for state in unmet(asked, Enforcement())] == [
        name for name in CONTROLS if not name.startswith("limit:") and name not in {"net:allowlist", "secret:proxied"}
    ]


@pytest.mark.parametrize(
    ("strength", "refused"),
    [(LimitStrength.REQUESTED, True), (LimitStrength.REQUIRED, True), (LimitStrength.DEFAULT, False)],
)
def test_only_a_default_limit_may_go_unenforced(strength: LimitStrength, *, refused: bool) -> None:
    enforcement = full(ControlState("limit:memory", Level.PARTIAL, reason="no cgroup"))
    missing = unmet(spec(limits={"memory": Limit(1 << 20, strength)}), enforcement)
    assert [state.control for state in missing] == ["limit:memory"] * refused


def test_an_open_network_needs_no_net_deny_and_an_rw_workspace_no_full_protection() -> None:
    enforcement = full(
        ControlState("net:deny", Level.NONE), ControlState("fs:protected", Level.PARTIAL, reason="caught at the end")
    )
    asked = spec(network=Network(NetworkMode.OPEN), workspace=Workspace("/w", WorkspaceMode.RW))
    assert unmet(asked, enforcement) == []


def test_a_live_workspace_needs_some_protection_of_files_that_the_host_executes() -> None:
    enforcement = full(ControlState("fs:protected", Level.NONE, reason="it has none"))
    live = Workspace("/w", WorkspaceMode.RW)
    assert [state.control for state in unmet(spec(workspace=live), enforcement)] == ["fs:protected"]
    assert unmet(spec(workspace=live, lowered=frozenset({"fs:protected"})), enforcement) == []
    assert unmet(spec(), enforcement) == []


def test_the_refusal_is_one_line_that_names_the_others_too() -> None:
    enforcement = full(ControlState("sys:filter", Level.PARTIAL), ControlState("net:deny", Level.NONE, reason="no"))
    with pytest.raises(ControlError) as caught:
        require(spec(), enforcement)
    assert caught.value.message == "net:deny cannot be enforced here: no (nor sys:filter)"
    assert "\n" not in caught.value.hint


def test_a_spec_whose_controls_all_hold_is_admitted() -> None:
    require(spec(), full())
