"""Attacks on secrets that the proxy puts in: their bytes are in no process, file or record of a sandbox with them."""

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.egress.secure import Secured, authority_for

from .test_secrets import Place, processes

VALUE = f"proxied-{os.urandom(8).hex()}"
SCRIPT = """
unset no_proxy NO_PROXY
curl -sS -H "X-API-Key: $KEY" https://localhost:$PORT/v1/curl
curl -sS -u "me:$KEY" https://localhost:$PORT/v1/basic
curl -sS -H "X-API-Key: $KEY" https://localhost:$PORT/admin
python3 -c 'import os, urllib.request as u
place = "https://localhost:%s/v1/python" % os.environ["PORT"]
print(u.urlopen(u.Request(place, headers={"X-API-Key": os.environ["KEY"]})).read().decode())'
set | grep KEY
tr '\\0' '\\n' < /proc/1/environ; grep -c . /run/aisbx/authorities.pem
echo; echo ready; read x
"""


class World(Place):
    """Settings with an authority of the test's, and a server that is told the secret."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        trusted = authority_for("localhost")
        self.server = Secured("localhost", trusted)
        bundle = root / "trusted.pem"
        bundle.write_bytes(trusted.certificate)
        self.env["AISBX_EGRESS__ALLOWLIST__AUTHORITIES"] = str(bundle)
        self.put("key", VALUE)
        here = f"localhost:{self.server.port}"
        self.allowed = ["--network", f"allow={here},127.0.0.1:{self.server.port}", "-e", f"PORT={self.server.port}"]
        self.secret = ["--secret", f"key,type=proxy,target=KEY,host={here},path=/v1"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("proxied"))
    yield made
    made.server.listener.close()


def holding(value: str, among: set[int]) -> set[int]:
    """Which processes have a value in memory that can be written to; OSError for one that we may not look into."""
    return {pid for pid in among if value.encode() in memory(pid)}


def memory(pid: int) -> bytes:
    rows = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    ranges = [[int(part, 16) for part in row[0].split("-")] for row in rows if row[1].startswith("rw")]
    found = b""
    with open(f"/proc/{pid}/mem", "rb", 0) as stream:
        for begin, end in ranges:
            stream.seek(begin)
            found += stream.read(end - begin)
    return found


def below(pid: int) -> set[int]:
    """A process and all below it."""
    found = {pid}
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        for each in child.read_text().split():
            found |= below(int(each))
    return found


def network(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")


def cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def test_a_proxied_secret_is_nowhere_in_the_sandbox_that_uses_it(world: World) -> None:
    process = world.start("run", *world.allowed, *world.secret, "--", "bash", "-c", SCRIPT)
    assert process.stdout
    said: list[str] = []
    while not said or said[-1] not in {"ready\n", ""}:
        said.append(process.stdout.readline())
    told = "".join(said)
    try:
        assert said[-1] == "ready\n", told
        within = {pid for pid in below(process.pid) if network(pid) != network(os.getpid())}
        assert len(within) > 1
        assert not holding(VALUE, within)
        assert holding("KEY=aisbx-", within), "the search finds nothing, so it proves nothing"
        proxies = {pid for pid in processes("cmdline", "aisbx.egress.server") if str(world.home) in cmdline(pid)}
        assert len(proxies) == 1
        assert holding(VALUE, proxies) == proxies
        assert not processes("environ", VALUE)
        assert not processes("cmdline", VALUE)
        limits = Path(f"/proc/{proxies.pop()}/limits").read_text()
        assert next(line for line in limits.splitlines() if "core file" in line).split()[4] in {"0", "1"}
    finally:
        process.communicate("\n", timeout=30)
    assert process.returncode == 0
    assert VALUE not in told
    assert "KEY=aisbx-" in told
    assert "GET /v1/python" in told, told
    assert "is not sent to this path" in told
    heads = [got.split(b"\r\n")[0].split()[1] for got in world.server.got]
    assert heads == [b"/v1/curl", b"/v1/basic", b"/v1/python"]
    assert world.server.got[0].count(VALUE.encode()) == 1
    assert world.server.got[2].count(VALUE.encode()) == 1
    assert not world.kept(VALUE)
    rows = [json.loads(line) for line in (world.home / ".local/state/aisbx/audit.jsonl").read_text().splitlines()]
    assert [row["egress"]["secrets"] for row in rows if "secrets" in row.get("egress", {})] == [
        ["file:key"]
    ]  # the same again is counted
    assert rows[-1]["secrets"] == ["file:key"]


def test_a_sandbox_that_lasts_keeps_a_placeholder_and_a_fork_of_it_has_another(world: World) -> None:
    world.server.got.clear()
    show = 'curl --noproxy none -sS -H "X-API-Key: $KEY" https://localhost:$PORT/v1/lasting >/dev/null && echo $KEY'
    world("create", "--name", "box", "-w", ".:cow", *world.allowed, *world.secret)
    try:
        first = world("exec", "box", "--", "sh", "-c", show)
        assert world("exec", "box", "--", "sh", "-c", show) == first
        world("fork", "box", "other")
        second = world("exec", "other", "--", "sh", "-c", show)
        assert first != second
        assert first.startswith("aisbx-")
        assert second.startswith("aisbx-")
        assert [got.count(VALUE.encode()) for got in world.server.got] == [1, 1, 1]
        assert not world.kept(VALUE)
        said = world("exec", "box", *world.secret, "--", "true", code=125)
        assert "placeholders are given when a sandbox is made" in said
    finally:
        world("destroy", "--discard", "box", "other")


def test_a_profile_names_secrets_of_every_kind_in_the_words_of_the_command_line(world: World) -> None:
    world.server.got.clear()
    profile = world.home / ".config/aisbx/profiles/own.yaml"
    profile.parent.mkdir(parents=True, exist_ok=True)
    here = f"localhost:{world.server.port}"
    secrets = f'["key,type=proxy,target=KEY,host={here},path=/v1", "key,target=file", "key,type=env,target=PLAIN"]'
    network = f'{{allow: ["{here}", "127.0.0.1:{world.server.port}"]}}'
    profile.write_text(f"extends: shell\nnetwork: {network}\nsecrets: {secrets}\n")
    script = (
        'curl --noproxy none -sS -H "X-API-Key: $KEY" $PLACE >/dev/null; rev /run/secrets/file; echo; rev <<<"$PLAIN"'
    )
    for _ in range(2):  # a plan that was kept of the first would have none in the second
        said = world("run", "-p", "own", "-e", f"PLACE=https://{here}/v1/p", "--", "bash", "-c", script)
        assert said.split() == [VALUE[::-1]] * 2
    assert [got.count(VALUE.encode()) for got in world.server.got] == [1, 1]
    said = world("create", "-p", "own", code=125)
    assert "profile own: the variable PLAIN is given with each command" in said
    assert not world.kept(VALUE)


def test_a_core_file_of_a_program_that_used_a_secret_has_its_placeholder_and_not_its_value(world: World) -> None:
    """Where the kernel writes core files into the directory of what dies (core(5)); else it is the memory alone."""
    profile = world.home / ".config/aisbx/profiles/dumping.yaml"
    profile.parent.mkdir(parents=True, exist_ok=True)
    profile.write_text("extends: shell\nlimits: {core: 1G}\n")
    place = f"https://localhost:{world.server.port}/v1/core"
    program = """if True:
        import os, resource, urllib.request as u
        resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE)[1:] * 2)
        kept = u.urlopen(u.Request(os.environ["PLACE"], headers={"X-API-Key": os.environ["KEY"]})).read()
        memory = b"".join(
            os.pread(os.open("/proc/self/mem", os.O_RDONLY), int(end, 16) - int(begin, 16), int(begin, 16))
            for begin, end in (line.split()[0].split("-") for line in open("/proc/self/maps") if " rw" in line)
        )
        open("memory", "wb").write(memory)
        os.abort()
    """
    run = ("run", "-p", "dumping", *world.allowed, *world.secret, "-e", f"PLACE={place}", "-e", "no_proxy=")
    world(*run, "--", "python3", "-c", program, code=134)
    found = [path for path in world.project.iterdir() if path.name.startswith(("core", "memory"))]
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    dumps = pattern.startswith("core") and resource.getrlimit(resource.RLIMIT_CORE)[1] not in {0, 1}
    assert len(found) == 1 + dumps, found
    for path in found:
        data = path.read_bytes()
        assert b"KEY=aisbx-" in data
        assert b"/v1/core HTTP/1.1" in data, "the answer that shows the request is not in it"
        assert VALUE.encode() not in data
        path.unlink()


def test_what_no_proxy_could_put_in_is_refused_before_anything_runs(world: World) -> None:
    run = ("--", "touch", "ran")
    assert "needs an allow-list" in world("run", *world.secret, *run, code=125)
    unbound = ("run", *world.allowed, "--secret", "key,type=proxy,target=KEY", *run)
    assert "nothing says for which host" in world(*unbound, code=125)
    world.put("short", "x")
    short = ("run", *world.allowed, "--secret", "short,type=proxy,host=localhost", *run)
    assert "has 1 bytes; one that the proxy puts in has 8 to 4096" in world(*short, code=125)
    assert not (world.project / "ran").exists()
