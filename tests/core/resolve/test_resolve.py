import os
from dataclasses import replace

import pytest
from aisbx.errors import AisbxError, PolicyError, TrustError, UsageError
from aisbx.resolve import resolve
from aisbx.settings import ProjectSettings, Settings
from aisbx.settings.model import SettingsModel
from aisbx.settings.values import Context
from aisbx.toolchains import Toolchain
from aisbx.types import (
    LIMITS,
    Identity,
    Limit,
    LimitStrength,
    Mount,
    MountRequest,
    Network,
    NetworkMode,
    Profile,
    RunRequest,
    SandboxSpec,
    Secret,
    Workspace,
    WorkspaceMode,
)

ME = Identity("me", 1000, 1000, "/home/me", "Me", "me@example.org")
WORKSPACE = Workspace("/home/me/work/project", WorkspaceMode.RW)
REQUEST = RunRequest(command=("true",), cwd="/home/me/work/project/src")
BASE = Profile(name="base", network=Network(), syscalls=frozenset({"base"}))
OWN = ("/home/me/.config/aisbx", "/home/me/.local/state/aisbx", "/home/me/.cache/aisbx")
OPEN, ALLOW = Network(NetworkMode.OPEN), NetworkMode.ALLOWLIST
REQUIRED, REQUESTED, DEFAULT = LimitStrength.REQUIRED, LimitStrength.REQUESTED, LimitStrength.DEFAULT


def settings(**values: object) -> Settings:
    untrusted = values.pop("untrusted", ProjectSettings())
    assert isinstance(untrusted, ProjectSettings)
    said = SettingsModel.model_validate(values).values()
    return replace(said, context=Context(untrusted=untrusted, own_dirs=OWN))


def spec(
    request: RunRequest = REQUEST,
    profile: Profile = BASE,
    *,
    given: Settings | None = None,
    workspace: Workspace | None = WORKSPACE,
    toolchain: Toolchain | None = None,
) -> SandboxSpec:
    return resolve(request, profile, given or settings(), workspace, toolchain or Toolchain(), ME)


def mounted(*mounts: MountRequest, profile: Profile = BASE) -> tuple[Mount, ...]:
    return spec(replace(REQUEST, mounts=mounts), profile).mounts


def test_resolving_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("resolve looked at the host")

    everything = replace(REQUEST, mounts=(MountRequest("data", "/data"),), limits={"memory": 1.0})
    toolchain = Toolchain(mounts=(Mount("/opt/python", "/opt/python"),), path=("/opt/python/bin",))
    given = settings()  # making them looks at the environment
    before = spec(everything, given=given, toolchain=toolchain)
    with monkeypatch.context() as patched:  # pytest itself must be able to look when this fails
        for name in ("stat", "lstat", "open", "listdir", "scandir", "readlink", "getcwd", "access", "environ"):
            patched.setattr(os, name, refuse)
        patched.setattr("builtins.open", refuse)
        after = spec(everything, given=given, toolchain=toolchain)
    assert after == before


def test_the_command_starts_where_the_caller_is_else_in_the_workspace_else_at_home() -> None:
    assert spec().cwd == REQUEST.cwd
    assert spec(replace(REQUEST, cwd="/elsewhere")).cwd == WORKSPACE.path
    assert spec(replace(REQUEST, cwd=f"{WORKSPACE.path}-other")).cwd == WORKSPACE.path
    assert spec(workspace=None).cwd == ME.home


def test_the_environment_is_complete_and_holds_nothing_that_the_request_adds() -> None:
    toolchain = Toolchain(path=("/w/.venv/bin",), environment={"VIRTUAL_ENV": "/w/.venv"})
    profile = replace(BASE, environment={"LANG": "de_DE.UTF-8", "A": "1"}, path=("/opt/bin",), shell="/bin/zsh")
    found = spec(replace(REQUEST, environment={"SECRET": "hunter2"}), profile, toolchain=toolchain)
    path = "/w/.venv/bin:/opt/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
    assert found.environment == {
        "A": "1",
        "HOME": "/home/me",
        "LANG": "de_DE.UTF-8",
        "LOGNAME": "me",
        "PATH": path,
        "SHELL": "/bin/zsh",
        "TERM": "xterm-256color",
        "TMPDIR": "/tmp",
        "USER": "me",
        "VIRTUAL_ENV": "/w/.venv",
    }
    assert ":".join(found.path) == path
    assert spec().environment["LANG"] == "C.UTF-8"


def test_what_profile_and_settings_say_arrives() -> None:
    profile = replace(BASE, syscalls=frozenset({"debug", "base"}))
    found = spec(replace(REQUEST, publish=(80,)), profile, given=settings(lower=["fs:protected"]))
    assert (found.profile, found.syscalls, found.publish) == ("base", ("base", "debug"), (80,))
    assert found.lowered == {"fs:protected"}
    assert spec(profile=Profile(name="empty")).syscalls == ("base",)


def test_a_secret_of_the_request_comes_in_the_place_of_the_profiles_at_the_same_place() -> None:
    profile = replace(BASE, secrets=(Secret("x", variable="X"), Secret("y", target="y")))
    found = spec(replace(REQUEST, secrets=(Secret("z", "env", placeholder="X"),)), profile)
    assert found.secrets == (Secret("z", "env", placeholder="X"), Secret("y", "vault", target="y"))


# Network


def test_the_request_decides_the_network_then_the_profile_then_none() -> None:
    assert spec(profile=Profile(name="empty")).network == Network()
    wide = replace(BASE, network=Network(NetworkMode.OPEN))
    assert spec(profile=wide).network.mode is NetworkMode.OPEN
    assert spec(replace(REQUEST, network=Network()), wide).network == Network()
    assert spec(replace(REQUEST, network=Network(NetworkMode.OPEN))).network.mode is NetworkMode.OPEN


def test_rules_of_the_request_are_checked_and_reduced() -> None:
    asked = Network(NetworkMode.ALLOWLIST, ("PyPI.example:443", "*.example", "files.pypi.example"))
    assert spec(replace(REQUEST, network=asked)).network == Network(NetworkMode.ALLOWLIST, ("*.example",))
    with pytest.raises(UsageError, match="--network"):
        spec(replace(REQUEST, network=Network(NetworkMode.ALLOWLIST, ("http://pypi.example",))))


def test_an_empty_allow_list_is_no_network() -> None:
    assert spec(replace(REQUEST, network=Network(NetworkMode.ALLOWLIST, ()))).network == Network(NetworkMode.NONE)


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (Network(NetworkMode.OPEN), Network()),
        (Network(NetworkMode.ALLOWLIST, ("a.org",)), Network()),
        (Network(NetworkMode.OPEN), Network(NetworkMode.ALLOWLIST, ("a.org",))),
        (Network(NetworkMode.ALLOWLIST, ("a.org", "b.org")), Network(NetworkMode.ALLOWLIST, ("a.org",))),
        (Network(NetworkMode.ALLOWLIST, ("a.org",)), Network(NetworkMode.ALLOWLIST, ("a.org:443",))),
    ],
)
def test_no_request_goes_beyond_the_network_of_a_restriction(asked: Network, allowed: Network) -> None:
    profile = replace(BASE, ceiling=Profile(name="r", restriction=True, network=allowed))
    with pytest.raises(PolicyError, match="at most"):
        spec(replace(REQUEST, network=asked), profile)
    assert spec(replace(REQUEST, network=allowed), profile).network == allowed


@pytest.mark.parametrize(
    ("own", "most", "restriction", "reached"),
    [
        (Network(), OPEN, None, OPEN),  # a profile that names no host has what the server gives
        (Network(), Network(ALLOW, ("A.org", "b.org")), None, Network(ALLOW, ("a.org", "b.org"))),
        (Network(ALLOW, ("a.org",)), OPEN, None, Network(ALLOW, ("a.org",))),
        (Network(ALLOW, ("a.org", "b.org")), Network(ALLOW, ("a.org:443",)), None, Network(ALLOW, ("a.org:443",))),
        (Network(ALLOW, ("a.org",)), Network(), None, Network()),
        (OPEN, Network(ALLOW, ("a.org",)), None, Network(ALLOW, ("a.org",))),
        (Network(), OPEN, Network(), Network()),
        (Network(), OPEN, Network(ALLOW, ("a.org",)), Network(ALLOW, ("a.org",))),
    ],
)
def test_what_a_server_gives_at_most_is_narrowed_by_profile_and_restriction(
    own: Network, most: Network, restriction: Network | None, reached: Network
) -> None:
    above = Profile(name="r", restriction=True, network=restriction) if restriction else None
    profile = replace(BASE, network=own, ceiling=above)
    assert spec(replace(REQUEST, network_ceiling=most), profile).network == reached
    assert spec(replace(REQUEST, network_ceiling=most, network=Network()), profile).network == Network()


# Limits


def limited(amount: float, strength: LimitStrength = DEFAULT, ceiling: float | None = None) -> Profile:
    above = Profile(name="r", restriction=True, limits={"memory": Limit(ceiling)}) if ceiling else None
    return replace(BASE, limits={"memory": Limit(amount, strength)}, ceiling=above)


def memory(found: SandboxSpec) -> Limit:
    return found.limits["memory"]


def test_the_request_then_the_settings_then_the_profile_decide_a_limit() -> None:
    mine = settings(limits={"memory": 50})
    assert memory(spec(profile=limited(10))) == Limit(10, DEFAULT)
    assert memory(spec(profile=limited(10), given=mine)) == Limit(50, DEFAULT)
    assert memory(spec(replace(REQUEST, limits={"memory": 99.0}), limited(10), given=mine)) == Limit(99, REQUESTED)
    assert memory(spec(given=mine)) == Limit(50, DEFAULT)


def test_settings_only_lower_what_a_profile_requires() -> None:
    assert memory(spec(profile=limited(10, REQUIRED), given=settings(limits={"memory": 50}))) == Limit(10, REQUIRED)
    assert memory(spec(profile=limited(10, REQUIRED), given=settings(limits={"memory": 5}))) == Limit(5, REQUIRED)


def test_nothing_raises_what_a_restriction_lowered() -> None:
    profile = limited(10, ceiling=10)
    assert memory(spec(profile=profile, given=settings(limits={"memory": 50}))) == Limit(10, DEFAULT)
    assert memory(spec(replace(REQUEST, limits={"memory": 10.0}), profile)) == Limit(10, REQUESTED)
    with pytest.raises(PolicyError, match="a memory of 10 at most, not 11"):
        spec(replace(REQUEST, limits={"memory": 11.0}), profile)


def test_an_untrusted_project_only_lowers_limits() -> None:
    less, more = (settings(untrusted=ProjectSettings(limits={"memory": amount})) for amount in (5, 11))
    assert memory(spec(profile=limited(10), given=less)) == Limit(5, DEFAULT)
    assert memory(spec(profile=limited(10, REQUIRED), given=less)) == Limit(5, REQUIRED)
    assert memory(spec(given=more)) == Limit(11, DEFAULT)
    with pytest.raises(TrustError, match=r"aisbx.toml: limits.memory: 11 is more than the 10") as caught:
        spec(profile=limited(10), given=more)
    assert "aisbx profile trust" in caught.value.hint
    assert memory(spec(replace(REQUEST, limits={"memory": 7.0}), limited(10), given=less)) == Limit(7, REQUESTED)


@pytest.mark.parametrize("amount", [0.0, -1.0, float("nan"), float("inf"), float("-inf")])
def test_an_amount_that_would_mean_no_limit_is_refused(amount: float) -> None:
    with pytest.raises(UsageError, match="memory cannot be"):
        spec(replace(REQUEST, limits={"memory": amount}))


def test_limits_come_in_one_order_and_unknown_ones_are_refused() -> None:
    found = spec(replace(REQUEST, limits=dict.fromkeys(reversed(list(LIMITS)), 1.0)))
    assert list(found.limits) == list(LIMITS)
    with pytest.raises(UsageError, match="no limit 'ram'"):
        spec(replace(REQUEST, limits={"ram": 1.0}))


def test_no_core_files_can_be_asked_for() -> None:
    assert spec(replace(REQUEST, limits={"core": 0.0})).limits["core"] == Limit(0.0, REQUESTED)


# Mounts


def test_an_extra_mount_is_read_only_unless_asked_and_relative_to_the_caller() -> None:
    asked = (MountRequest("../data", "/data/"), MountRequest("/srv/x//y", "//mnt/x", writable=True))
    assert mounted(*asked) == (
        Mount("/home/me/work/project/data", "/data", writable=False, origin="the request"),
        Mount("/srv/x/y", "/mnt/x", writable=True, origin="the request"),
    )


def test_mounts_come_parents_first_from_toolchain_profile_and_request() -> None:
    profile = replace(BASE, mounts=(Mount("/b", "/m/b"),))
    toolchain = Toolchain(mounts=(Mount("/opt/python", "/opt/python"),))
    found = spec(replace(REQUEST, mounts=(MountRequest("/a", "/m"),)), profile, toolchain=toolchain)
    assert [mount.target for mount in found.mounts] == ["/m", "/m/b", "/opt/python"]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/", "hide what"),
        ("/.", "hide what"),
        ("/x/..", "hide what"),
        ("/proc", "own"),
        ("/proc/sys", "own"),
        ("/dev/shm", "own"),
        ("/sys", "own"),
        ("/tmp", "hide what"),
        ("/tmp/", "hide what"),
        ("/usr", "hide what"),
        ("/etc", "hide what"),
        ("/run", "hide what"),
        ("/home", "home"),
        ("/home/me", "home"),
        ("/home/me/work", "workspace"),
        ("/home/me/work/project", "workspace"),
        ("/home/me/.config", "aisbx's own"),
        ("/home/me/.config/aisbx", "aisbx's own"),
        ("/home/me/.config/aisbx/x", "aisbx's own"),
        ("relative", "not absolute"),
        ("", "empty"),
        ("/x\0y", "NUL"),
    ],
)
def test_a_target_that_no_sandbox_has_is_refused(target: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        mounted(MountRequest("/srv/x", target))
    assert caught.value.hint


@pytest.mark.parametrize(
    "target",
    ["/mnt/x", "/opt/x", "/tmp/x", "/home/me/x", "/home/me/work/project/x", "/home/me/work/projects", "/etc/x"],
)
def test_other_targets_are_accepted(target: str) -> None:
    assert mounted(MountRequest("/srv/x", target))[0].target == target


@pytest.mark.parametrize(
    ("source", "writable"),
    [
        ("/", False),
        ("/proc", False),
        ("/proc/1/root", False),
        ("/dev", False),
        ("/sys/fs/cgroup", False),
        ("/home/me", True),
        ("/home", True),
        ("/home/me/.config", False),
        ("/home/me/.local/state/aisbx/audit.jsonl", False),
        ("../../../..", True),
    ],
)
def test_a_source_that_no_sandbox_gets_is_refused(source: str, *, writable: bool) -> None:
    with pytest.raises(UsageError, match="cannot be mounted"):
        mounted(MountRequest(source, "/mnt/x", writable))


def test_a_mount_of_a_profile_is_held_to_the_same_rules() -> None:
    with pytest.raises(UsageError, match=r"/proc .profile evil."):
        mounted(profile=replace(BASE, mounts=(Mount("/srv/x", "/proc", origin="profile evil"),)))


def test_two_sources_for_one_target_are_an_error_that_names_both() -> None:
    profile = replace(BASE, mounts=(Mount("/a", "/m", origin="profile p"),))
    assert len(mounted(MountRequest("/a", "/m"), profile=profile)) == 1
    with pytest.raises(UsageError, match=r"/a .profile p. and /b .the request."):
        mounted(MountRequest("/b", "/m"), profile=profile)
    with pytest.raises(UsageError, match="mounted twice"):
        mounted(MountRequest("/a", "/m", writable=True), profile=profile)


def test_no_request_writes_under_a_restriction_to_reading() -> None:
    readonly = Profile(name="readonly", restriction=True, workspace_mode=WorkspaceMode.RO)
    profile = replace(BASE, ceiling=readonly)
    assert mounted(MountRequest("/a", "/m"), profile=profile)
    with pytest.raises(PolicyError, match="no writable mount"):
        mounted(MountRequest("/a", "/m", writable=True), profile=profile)


def test_refusals_are_single_lines_with_a_hint() -> None:
    with pytest.raises(AisbxError) as caught:
        mounted(MountRequest("/srv/x", "/"))
    assert "\n" not in caught.value.message + caught.value.hint
    assert caught.value.hint
