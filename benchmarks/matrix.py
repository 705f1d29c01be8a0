"""Which clients reach what an allow-list allows, with the proxy's variables and without: `./dev matrix [--write]`.

In a network of the test's own (`benchmarks.network`), each client that is on this machine asks for an allowed host and
for another one; then, by the placeholder of a secret, for what needs the secret. `--write` puts the tables into
docs/network.md and docs/secrets.md. The exit code is 1 where one did not reach what is allowed, reached what is not,
took its time to fail, or was shown the secret.
"""

import argparse
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.table import grid
from benchmarks.world import ROOT

_HERE = Path(__file__).parent
_DOCS = ROOT / "docs"
_BEGIN, _END = "<!-- clients: ./dev matrix --write -->\n", "<!-- end -->\n"
_PACKAGES = (
    "requests",
    "urllib3",
    "certifi",
    "idna",
    "charset_normalizer",
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "h11",
    "anyio",
    "sniffio",
    "truststore",
    "aiohttp",
    "multidict",
    "yarl",
    "frozenlist",
    "aiosignal",
    "attr",
    "attrs",
    "propcache",
    "aiohappyeyeballs",
    "typing_extensions",
)
_ALLOWED = "allow=web.example,files.example:443,127.0.0.2"
_SECRET = "file:api,type=proxy,target=API_KEY,host=web.example,path=/secret"
_TRUST = "keytool -importcert -noprompt -file /run/aisbx/authorities.pem -keystore /tmp/trust.p12 -storepass changeit"
_QUICK = 20.0
"""Seconds in which a client has to have failed: Java is compiled first. Time-outs are longer."""
_YES, _AT_ONCE, _NOT_ASKED = "yes", "fails at once", "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all of them, print the table, and give the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.matrix", description="which clients an allow-list works for")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/network.md and docs/secrets.md")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="aisbx-matrix-", dir=Path.home()) as directory:
        found, secret = tried(Path(directory).resolve())
    bad: list[str] = []
    ways = {"with the variables": "with", "without them": "without", "a host that is not allowed": "other"}
    reached = _table(found, ways, bad)
    trusts = {row["name"]: row["trust"] for row in _clients() if "trust" in row}
    given = _table(secret, {"with the variables": "with", "without them": "without"}, bad, trusts)
    print(reached, given, sep="\n\n")
    names = list(found["with"])
    missing = [name for name in names if found["with"][name] == "missing"]
    print(f"{len(names) - len(missing)} clients; not on this machine: {', '.join(missing) or 'none'}")
    if options.write:
        for name, table in (("network.md", reached), ("secrets.md", given)):
            text = (_DOCS / name).read_text()
            begin = text.index(_BEGIN) + len(_BEGIN)
            (_DOCS / name).write_text(f"{text[:begin]}{table}\n{text[text.index(_END, begin) :]}")
    for line in bad:
        print(f"matrix: {line}", file=sys.stderr)
    return 1 if bad else 0


def _table(
    found: Mapping[str, Mapping[str, str]],
    ways: Mapping[str, str],
    bad: list[str],
    trusts: Mapping[str, str] | None = None,
) -> str:
    """Give a table of the clients that are here; `bad` gets what went wrong, a column of its own what they trust by."""
    lines: list[tuple[str, ...]] = [("client", *(["is told of the authority by"] if trusts else []), *ways)]
    for name in found["with"]:
        cells = [found[way][name] for way in ways.values()]
        if "missing" in cells:
            continue
        bad += [f"{name}: {cell}" for cell in cells if cell not in {_YES, _AT_ONCE, _NOT_ASKED}]
        lines.append((name, *([trusts[name]] if trusts else []), *(cell.partition(":")[0] for cell in cells)))
    return "\n".join(grid(lines))


def _clients() -> list[dict[str, str]]:
    return tomllib.loads((_HERE / "matrix.toml").read_text())["client"]


Told = Mapping[str, Mapping[str, str]]


def tried(directory: Path) -> tuple[Told, Told]:
    """Give what each client came to, with the variables, without them, and for another host; then by a placeholder."""
    home, work, network, secrets = (directory / name for name in ("home", "home/work", "network", "secrets"))
    work.mkdir(parents=True)
    network.mkdir()
    secrets.mkdir(mode=0o700)
    value = os.urandom(16).hex()
    for place in (network / "secret", secrets / "api"):
        place.write_text(value)
        place.chmod(0o600)
    _fill(network / "root", directory)
    _equip(work)
    (work / "clients.json").write_text(json.dumps(_clients()))
    (work / "trust.sh").write_text(f"test -e /tmp/trust.p12 || {_TRUST} >&2\n")
    shutil.copy(_HERE / "matrix_inside.py", work)
    # Debian keeps the settings of Java there; no profile, since nobody owns /usr in a user namespace.
    mounts = " ".join(f"--mount {path}:{path}" for path in Path("/etc").glob("java-*"))
    trust = "keytool -importcert -noprompt -alias a -file ca.pem -keystore trust.p12 -storepass changeit >&2"
    run = f"{ROOT}/aisbx run {mounts} --network {_ALLOWED} -t 10m"
    script = (
        f"cp {network}/ca.pem . && if command -v keytool >/dev/null; then {trust}; fi; "
        f"{run} -- python3 matrix_inside.py; {run} --secret {_SECRET} -- python3 matrix_inside.py secret"
    )
    words = [sys.executable, "-m", "benchmarks.network", str(network), "--", "sh", "-ec", script]
    environ = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    environ["AISBX_EGRESS__ALLOWLIST__AUTHORITIES"] = f"{network}/ca.pem"
    environ["AISBX_SECRET_SETTINGS__FILE__DIRECTORY"] = str(secrets)
    done = subprocess.run(words, cwd=work, env=environ, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"matrix: the sandbox ended with {done.returncode}")
    told = [
        {way: _judged(rows, value) for way, rows in json.loads(line).items()} for line in done.stdout.splitlines()[-2:]
    ]
    return told[0], told[1]


def _judged(rows: Mapping[str, Mapping[str, object]], value: str) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, row in rows.items():
        seconds = float(str(row["seconds"]))
        if row["missing"]:
            told[name] = "missing"
        elif row["skipped"]:
            told[name] = _NOT_ASKED
        elif value in str(row["shown"]):
            told[name] = "SHOWN"
        elif not row["other"]:
            told[name] = _YES if row["reached"] else f"NO: {row['said']}"
        else:
            told[name] = "REACHED" if row["reached"] else _AT_ONCE if seconds < _QUICK else f"{seconds:.0f} s"
    return told


def _equip(work: Path) -> None:
    """Give the clients that no system has: Python's libraries, and uv where this environment has it."""
    (work / "site").mkdir()
    (work / "bin").mkdir()
    for name in _PACKAGES:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            continue
        if found.submodule_search_locations:
            package = Path(next(iter(found.submodule_search_locations)))
            shutil.copytree(package, work / "site" / name)
            for facts in package.parent.glob(f"{name}-*.dist-info"):
                shutil.copytree(facts, work / "site" / facts.name)
        else:
            shutil.copy(found.origin, work / "site")
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    if uv.exists():
        shutil.copy(uv, work / "bin")
    (work / "Get.java").write_text((_HERE / "matrix_client.java").read_text())


def _fill(root: Path, directory: Path) -> None:
    """Make what is served: a git repository, and a package for each kind of index."""
    web, files = root / "web.example", root / "files.example"
    secret = web / "secret"
    (files / "simple" / "tiny").mkdir(parents=True)
    secret.mkdir(parents=True)
    environ = {"HOME": str(directory), "PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CONFIG_GLOBAL": os.devnull}
    who = ["-c", "user.name=a", "-c", "user.email=a@a.example"]
    for words in (
        ["init", "-q", "source"],
        [*who, "-C", "source", "commit", "-q", "--allow-empty", "-m", "hello"],
        ["clone", "-q", "--bare", "source", str(web / "repo.git")],
        ["-C", str(web / "repo.git"), "update-server-info"],
    ):
        subprocess.run(["git", *words], cwd=directory, env=environ, check=True)
    wheel = "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(files / "simple" / "tiny" / wheel, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        tag = "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("tiny-1.0.dist-info/WHEEL", tag)
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    (files / "simple" / "tiny" / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    manifest = {"name": "tiny", "version": "1.0.0"}
    with tarfile.open(files / "tiny.tgz", "w:gz") as package:
        data = json.dumps(manifest).encode()
        entry = tarfile.TarInfo("package/package.json")
        entry.size = len(data)
        package.addfile(entry, io.BytesIO(data))
    version = {**manifest, "dist": {"tarball": "https://files.example/tiny.tgz"}}
    packument = {"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    (files / "tiny").write_text(json.dumps(packument))
    module = files / "go" / "a.example" / "tiny" / "@v"
    module.mkdir(parents=True)
    (module / "v1.0.0.info").write_text('{"Version": "v1.0.0"}')
    (module / "v1.0.0.mod").write_text("module a.example/tiny\n")
    with zipfile.ZipFile(module / "v1.0.0.zip", "w") as archive:
        archive.writestr("a.example/tiny@v1.0.0/go.mod", "module a.example/tiny\n")
    shutil.copytree(web / "repo.git", secret / "repo.git")
    for name in ("simple", "go"):
        shutil.copytree(files / name, secret / name)
    shutil.copy(files / "tiny", secret)


if __name__ == "__main__":
    sys.exit(main())
