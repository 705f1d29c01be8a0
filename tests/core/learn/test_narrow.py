"""From a profile and evidence to the narrowest profile: what was used is granted, what is a secret never is."""

from dataclasses import replace
from pathlib import Path

from aisbx.inputs import Inputs
from aisbx.learn.evidence import Evidence, FileSeen, HostSeen, Refused, Trace
from aisbx.learn.narrow import Base, Learned, narrow
from aisbx.learn.text import profile_text
from aisbx.profiles import ProfileText, narrower, parse_profile
from aisbx.toolchains import Toolchain
from aisbx.types import (
    Change,
    Identity,
    Limit,
    LimitStrength,
    Mount,
    Network,
    NetworkMode,
    Profile,
    SandboxSpec,
    Secret,
    Workspace,
    WorkspaceMode,
)

WORK = "/srv/work"
TRACE = Trace(1, 1_700_000_000.0, "/usr/bin/tool")
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"


def seen(*paths: tuple[str, str] | str, **more: object) -> Evidence:
    """Give evidence of paths, each read unless a kind is named."""
    rows = [(path, "read") if isinstance(path, str) else path for path in paths]
    return replace(Evidence(), files=[FileSeen(path, kind, there=True, trace=TRACE) for path, kind in rows], **more)  # pyright: ignore[reportArgumentType]


def base(profile: Profile | None = None, mounts: tuple[Mount, ...] = (), **more: object) -> Base:
    profile = profile or Profile(name="mine", mounts=mounts)
    spec = SandboxSpec(
        profile="mine",
        identity=Identity("me", 1000, 1000, "/home/me"),
        cwd=WORK,
        workspace=Workspace(WORK),
        mounts=profile.mounts,
        syscalls=tuple(sorted(profile.syscalls or {"base"})),
    )
    return Base(profile=profile, spec=spec, **more)  # pyright: ignore[reportArgumentType]


def profile_of(learned: Learned) -> Profile:
    """Give the profile as the file of what was learned is read."""
    text = profile_text(learned, "/usr/bin/tool", TRACE.first)
    return parse_profile(ProfileText("learned", text, "learned.yaml", "file"), Inputs({"HOME": "/home/me"}))[0]


def values(learned: Learned, key: str) -> list[object]:
    return [granted.value for granted in learned.of(key)]


def test_what_was_used_of_the_base_is_granted_and_the_rest_is_named(tmp_path: Path) -> None:
    (tmp_path / "models/deep").mkdir(parents=True)
    (tmp_path / "models/deep/a.bin").write_bytes(b"\0")
    target = "/data"
    profile = Profile(
        name="mine",
        toolchains=frozenset({"python", "node"}),
        mounts=(
            Mount(str(tmp_path / "models"), target, writable=True, origin="profile mine"),
            Mount("/opt/idle", "/opt/idle", origin="profile mine"),
        ),
        environment={"MODE": "test"},
        path=("/opt/tool/bin", "/opt/other/bin"),
        cache=True,
        workspace_mode=WorkspaceMode.RW,
        limits={"memory": Limit(8 << 30, LimitStrength.REQUIRED), "wall_time": Limit(600.0)},
        secrets=(Secret("used", target="used"), Secret("idle", target="idle")),
    )
    tools = {"python": Toolchain(), "node": Toolchain((Mount("/opt/node", "/opt/node", origin="toolchain node"),))}
    evidence = seen(
        ("/usr/bin/python3", "run"),
        f"{target}/deep/a.bin",
        ("/opt/tool/bin/x", "run"),
        "/run/secrets/used",
        syscalls=["basic-io", "memory"],
        spare=["ipc"],
        peaks={"memory": 100 << 20, "pids": 3},
    )
    learned = narrow(base(profile, toolchains=tools), evidence)
    assert values(learned, "toolchains") == ["python"]
    source = f"{tmp_path}/models/deep/a.bin"
    assert values(learned, "mounts") == [{"source": source, "target": f"{target}/deep/a.bin", "mode": "ro"}]
    assert values(learned, "workspace") == ["ro"]
    assert values(learned, "secrets") == ["used"]
    assert sorted(learned.unused) == [
        "cache: true",
        "mounts: /data as rw (ro is enough)",
        "mounts: /opt/idle",
        "path: /opt/other/bin",
        "secrets: idle",
        "syscalls: ipc",
        "toolchains: node",
        "workspace: rw (ro is enough)",
    ]
    found = profile_of(learned)
    assert found.limits["memory"] == Limit(208 << 20, LimitStrength.REQUIRED)
    assert found.limits["pids"].amount == 32
    assert found.environment == {"MODE": "test"}
    assert found.network == Network()
    assert narrower(replace(found, mounts=()), replace(profile, network=Network(), syscalls=found.syscalls))


def test_a_secret_is_never_granted_and_a_directory_that_holds_one_is_granted_file_by_file(tmp_path: Path) -> None:
    for name, text in {"data/a.csv": "1", "data/b.csv": "2", "data/.env": "X=1", "data/notes.txt": KEY}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    place = str(tmp_path / "data")
    mounts = (Mount(place, place, origin="the request"),)
    asked = narrow(base(mounts=mounts), seen(f"{place}/a.csv", f"{place}/b.csv", f"{place}/.env", f"{place}/notes.txt"))
    assert [row["target"] for row in values(asked, "mounts")] == [f"{place}/a.csv", f"{place}/b.csv"]  # pyright: ignore[reportIndexIssue]
    assert [row.what for row in asked.never] == [f"read {place}/.env", f"read {place}/notes.txt"]
    # One that nobody asked for is not shown along with what was asked for either, by its name or by what it holds.
    for name in (".env", "notes.txt"):
        (tmp_path / "data" / name).rename(tmp_path / name)
        quiet = narrow(base(mounts=mounts), seen(f"{place}/a.csv", f"{place}/b.csv"))
        assert [row["target"] for row in values(quiet, "mounts")] == [f"{place}/a.csv", f"{place}/b.csv"]  # pyright: ignore[reportIndexIssue]
        (tmp_path / name).rename(tmp_path / "data" / name)
    # Nor is one that was only looked at: what is granted is the file.
    (tmp_path / "data/plain").symlink_to(".env")
    for name in ("plain", "notes.txt"):
        looked = narrow(base(mounts=mounts), seen((f"{place}/{name}", "look")))
        assert (values(looked, "mounts"), [row.what for row in looked.never]) == ([], [f"read {place}/{name}"])
    (tmp_path / "data/plain").unlink()
    (tmp_path / "data/notes.txt").unlink()
    quiet = narrow(base(mounts=mounts), seen(f"{place}/a.csv", f"{place}/b.csv"))
    assert [row["target"] for row in values(quiet, "mounts")] == [f"{place}/a.csv", f"{place}/b.csv"]  # pyright: ignore[reportIndexIssue]
    (tmp_path / "data/.env").unlink()
    clean = narrow(base(mounts=mounts), seen(f"{place}/a.csv", f"{place}/b.csv"))
    assert [row["target"] for row in values(clean, "mounts")] == [place]  # pyright: ignore[reportIndexIssue]


def test_a_file_of_the_host_that_is_not_shown_is_named_and_not_granted(tmp_path: Path) -> None:
    for name in (".ssh/id_ed25519", "plain.txt", "link"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        if name != "link":
            (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / ".ssh/id_ed25519")
    names = [*(".ssh/id_ed25519", "plain.txt", "link"), "absent.txt"]
    evidence = replace(
        Evidence(), files=[FileSeen(f"{tmp_path}/{name}", "read", there=False, trace=TRACE) for name in names]
    )
    learned = narrow(base(), evidence)
    assert values(learned, "mounts") == []
    told = {row.what.rpartition("/")[2]: row.why for row in learned.never}
    assert told.keys() == {"id_ed25519", "plain.txt", "link"}
    assert told["id_ed25519"].startswith("a secret: ")
    assert told["link"].startswith("a secret: ")
    assert told["plain.txt"].startswith("not offered; ")


def test_hosts_are_granted_by_the_port_and_those_of_private_networks_never() -> None:
    asked = ("api.example.org", 443), ("10.1.2.3", 80), ("169.254.169.254", 80), ("db.internal", 5432), ("alone.org", 0)
    denied = Network(NetworkMode.ALLOWLIST, ("idle.example.org:443", "*.example.org", "deny bad.example.org"))
    evidence = replace(
        Evidence(), hosts=[HostSeen(host, port, TRACE) for host, port in (*asked, ("bad.example.org", 443))]
    )
    # Public by themselves, and the proxy says what they are: a cloud's own service, and one that an IPv4 address is in.
    places = [HostSeen("168.63.129.16", 80, TRACE, "metadata"), HostSeen("64:ff9b::a9fe:a9fe", 80, TRACE, "translated")]
    evidence = replace(evidence, hosts=[*evidence.hosts, *places])
    learned = narrow(base(Profile(name="mine", network=denied)), evidence)
    assert values(learned, "network") == ["api.example.org:443", "alone.org"]
    assert [row.why.startswith("new: ") for row in learned.of("network")] == [False, True]
    assert [row.what for row in learned.never] == [
        "reach 10.1.2.3:80",
        "reach 169.254.169.254:80",
        "reach db.internal:5432",
        "reach bad.example.org:443",
        "reach 168.63.129.16:80",
        "reach [64:ff9b::a9fe:a9fe]:80",
    ]
    assert learned.unused[-1] == "network: idle.example.org:443"
    ceiling = Profile(name="offline", restriction=True, network=Network())
    offline = narrow(base(Profile(name="mine", ceiling=ceiling), restrictions=["offline"]), evidence)
    assert values(offline, "network") == ["none"]
    assert offline.extends == ("offline",)


def test_what_the_host_would_execute_by_itself_is_no_reason_to_write() -> None:
    hook = Change(path=".git/hooks/post-commit", action="added", kind="file", protected="git runs the programs in it")
    written = (f"{WORK}/.git/hooks/post-commit", "write")
    learned = narrow(base(), seen((f"{WORK}/.git/hooks", "write"), written, changes=[hook]))
    assert values(learned, "workspace") == ["ro"]
    assert [row.what for row in learned.never] == [f"write {WORK}/.git/hooks/post-commit"]
    both = narrow(base(), seen(written, (f"{WORK}/out.txt", "write"), changes=[hook]))
    assert values(both, "workspace") == ["guarded"]
    assert values(narrow(base(mode=WorkspaceMode.COW), seen((f"{WORK}/out", "write"))), "workspace") == ["cow"]


def test_a_refused_call_is_granted_only_if_it_gives_nothing_but_facts() -> None:
    def call(name: str, grant: str, errno: str = "EPERM") -> Refused:
        return Refused(name, {"pid": 1}, errno, "it is refused", grant, TRACE)

    rows = [call("socket", "netlink-route"), call("ptrace", "debug"), call("mount", ""), call("clone3", "", "ENOSYS")]
    learned = narrow(base(), replace(Evidence(), refused=rows))
    assert values(learned, "syscalls") == ["base", "netlink-route"]
    assert [row.what for row in learned.never] == ["ptrace(pid=1)", "mount(pid=1)"]
    ceiling = Profile(name="strict", restriction=True, syscalls=frozenset({"base"}))
    under = narrow(base(Profile(name="mine", ceiling=ceiling)), replace(Evidence(), refused=rows[:1]))
    assert values(under, "syscalls") == ["base"]


def test_no_name_that_a_command_chose_says_anything_else_in_the_file(tmp_path: Path) -> None:
    evil = "x\nnetwork: open\n# \u202e\x1b[2J"
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / 'a"b: {c}#d').write_text("1")
    (tmp_path / "n \U0001f600").write_text("1")
    place = str(tmp_path / "m")
    evidence = replace(
        seen((f"{WORK}/{evil}", "write"), f'{place}/a"b: {{c}}#d'),
        hosts=[HostSeen(evil, 443, TRACE), HostSeen("a.example.org\nnetwork: open", 443, TRACE)],
        refused=[Refused("mount", {"source": evil}, "EPERM", evil, "", TRACE)],
    )
    smile = str(tmp_path / "n \U0001f600")
    evidence = replace(evidence, files=[*evidence.files, *seen(smile).files])
    mounts = (Mount(place, place, origin="the request"), Mount(smile, smile, origin="the request"))
    learned = narrow(base(mounts=mounts), evidence)
    found = profile_of(learned)
    assert found.network == Network()
    assert [mount.source for mount in found.mounts] == [f'{place}/a"b: {{c}}#d', smile]
    text = profile_text(learned, evil, TRACE.first)
    assert not any(line.startswith("network: open") for line in text.splitlines())
    assert all(letter.isprintable() or letter == "\n" for letter in text)
