"""The developers' sessions, run through `./dev NAME`.

They run in the environment that `./dev` keeps rather than in one each: every tool is locked with hashes already, and
a session that starts at once is run more often. Caches go into that environment, so that a checkout may be read-only.
"""

import os
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.options.default_venv_backend = "none"

BIN = os.path.dirname(sys.executable)
CACHE = os.path.join(sys.prefix, "cache")
RESULTS = "docs/kit-results.json"
LIMA_RESULTS = "docs/kit-results-lima.json"
CHROOT_RESULTS = "docs/kit-results-chroot.json"
ATTACKED = ("-k", "attack_fails or not_claimed")
LEVELS = {"privileged": "users", "plain": "all"}
"""Level of the chroot driver → what `tests.driver_chroot.less` takes away for it."""
SCHEMA = "tests/supervisor/test_schema.py"
WHO = {"user": "an ordinary user", "root": "root"}
DISTRIBUTIONS = [
    "aisbx-core",
    "aisbx-linux",
    "aisbx-driver-bwrap",
    "aisbx-driver-chroot",
    "aisbx-driver-lima",
    "aisbx-profiles",
    "aisbx-mcp",
    "aisbx-egress",
    "aisbx-supervisor",
    "aisbx-vault",
]


def _tool(session: nox.Session, name: str, *args: str, **env: str) -> None:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    session.run(os.path.join(BIN, name), *args, env={"PATH": path, **env}, external=True)


def _pytest(session: nox.Session, *args: str) -> None:
    _tool(session, "python", "-m", "pytest", "-o", f"cache_dir={CACHE}/pytest", *args)


@nox.session
def test(session: nox.Session) -> None:
    # worksteal, because a few tests build environments and take a minute while most take a moment. More workers than
    # processors, because many wait: for a limit, or for something to end.
    workers = (os.cpu_count() or 1) * 3 // 2 + 1
    many = ["-n", str(workers), "--dist", "worksteal", *session.posargs]
    if any(word.startswith("tests") for word in session.posargs):
        _pytest(session, *many)
        return
    # In workers of its own: in one that had run many others, its sandboxes were refused a user namespace.
    apart = "tests/driver_chroot"
    _pytest(session, *many, f"--ignore={apart}")
    _pytest(session, *many, apart)


@nox.session
def kit(session: nox.Session) -> None:
    """Attack the drivers, record what the kit saw as this kind of user, and make the tables if the other's is there.

    That the attacks work unconfined is shown once; with the behaviour that hosts rely on, by the first of them.
    """
    from aisbx.testing.results import kind_of_user, lacking

    for results, tests, which in (
        (RESULTS, "tests/driver_bwrap/test_contract.py::TestBwrap", ()),
        (CHROOT_RESULTS, "tests/driver_chroot/test_contract.py::TestChroot", ("--proved-by", RESULTS, *ATTACKED)),
    ):
        record = ["-p", "aisbx.testing.record", "--record-results", results]
        _pytest(session, "-n", "auto", *record, tests, *which, *session.posargs)
        if kind_of_user() in lacking(Path(results)):
            session.error(f"{results} has nothing of these attacks as {kind_of_user()}: run all of them, without -k")
    missing = lacking(Path(RESULTS)) or lacking(Path(CHROOT_RESULTS))
    if missing:
        session.log(
            f"{RESULTS} has what was seen as {kind_of_user()}; no table is made before that of {missing[0]} is there"
        )
        session.log(f"next: take it and {CHROOT_RESULTS} to a checkout of {WHO[missing[0]]}, and run ./dev kit there")
        return
    for name in ("enforcement", "security"):
        _tool(session, "python", f"tools/document_{name}.py")
    _side_by_side(session)


def _side_by_side(session: nox.Session) -> None:
    """Make the tables of docs/drivers.md, if all is there that they are made from."""
    from aisbx.testing.results import KINDS, lacking

    if missing := lacking(Path(CHROOT_RESULTS), (*KINDS, *LEVELS)):
        by = "./dev levels, as root" if missing[0] in LEVELS else f"./dev kit, as {WHO[missing[0]]}"
        session.log(f"docs/drivers.md is not made: {CHROOT_RESULTS} has nothing of {missing[0]}; next: {by}")
        return
    _tool(session, "python", "tools/document_drivers.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, import directions and the changelog; `--fix` mends what can be mended by itself."""
    fix = "--fix" in session.posargs
    steps = [
        ["ruff", "check", *(["--fix"] if fix else [])],
        ["ruff", "format", *([] if fix else ["--check"])],
        ["lint-imports", "--cache-dir", f"{CACHE}/imports"],
        ["python", "tools/check_changelog.py"],
    ]
    failed: list[str] = []
    for step in steps:  # all of them, so that one run shows everything
        try:
            _tool(session, *step, RUFF_CACHE_DIR=f"{CACHE}/ruff")
        except CommandFailed:
            failed.append(" ".join(step[:2]))
    if failed:
        session.error(f"failed: {', '.join(failed)}")


@nox.session
def types(session: nox.Session) -> None:
    _tool(session, "basedpyright", "--warnings", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    _tool(session, "python", "-m", "benchmarks", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    _tool(session, "python", "-m", "benchmarks.soak", *session.posargs)


@nox.session
def matrix(session: nox.Session) -> None:
    """Try which clients an allow-list works for; `--write` puts the table into docs/network.md."""
    _tool(session, "python", "-m", "benchmarks.matrix", *session.posargs)


@nox.session
def calm(session: nox.Session) -> None:
    """Run test suites of real packages watched, and see that none of it is told as an attack."""
    _tool(session, "python", "-m", "benchmarks.calm", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Try what nobody would write: 5000 of each kind, others each time; the first argument is another number."""
    tries, *rest = session.posargs or ["5000"]
    session.env["FUZZ_TRIES"] = tries
    _pytest(session, "-n", "2", "--timeout", "3600", "tests/mcp_host/test_fuzz.py", "tests/core/policy", SCHEMA, *rest)


@nox.session
def lima(session: nox.Session) -> None:
    """Boot a real virtual machine and attack what runs in it: the setting drivers.lima.image names its image.

    The whole of it records what the kit saw; in a gate (AISBX_REQUIRE names lima) it takes a part, and nothing is.
    After a whole run that was cut off or failed, `--go-on` takes what has not passed yet, of the same code.
    """
    words = [word for word in session.posargs if word != "--go-on"]
    noted = Path(CACHE, "lima-noted.json")
    noted.parent.mkdir(exist_ok=True)
    if len(words) == len(session.posargs):
        noted.unlink(missing_ok=True)
    whole = not words and "lima" not in os.environ.get("AISBX_REQUIRE", "").split(",")
    named = any(word.startswith("tests") for word in words)
    # That the attacks work unconfined is shown by `./dev kit`: no driver has a part in that.
    record = ["-p", "aisbx.testing.record", "--record-results", LIMA_RESULTS, "--proved-by", RESULTS] if whole else []
    record += ["--noted", str(noted)] if whole else []
    where = [] if named else ["tests/driver_lima"]
    _pytest(session, "--timeout", "1200", *record, *where, *words, "--lima")


@nox.session
def units(session: nox.Session) -> None:
    """Boot a machine with systemd and have it run the supervisor by the units that come with it."""
    _pytest(session, "-n", "0", "tests/machine/units.py", *session.posargs)


@nox.session
def levels(session: nox.Session) -> None:
    """Attack what the chroot driver is where root is given less, and record what the kit saw; needs root."""
    record = ["-p", "aisbx.testing.record", "--record-results", CHROOT_RESULTS, "--proved-by", RESULTS]
    for level, what in LEVELS.items():
        python = os.path.join(BIN, "python")
        words = ["-m", "tests.driver_chroot.less", what, python, "-m", "pytest", "-n", "auto", "-q", *ATTACKED]
        words += [*record, "--results-of", level, "tests/driver_chroot/levels.py", *session.posargs]
        _tool(session, "python", *words, AISBX_LEVEL=level)
    _side_by_side(session)


@nox.session
def docs(session: nox.Session) -> None:
    _pytest(session, "tests/docs", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Write both lock files anew; the index is whatever this machine's settings say, and is not recorded."""
    fixed = ["--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
    fixed += ["--no-annotate", "--no-header", "--no-emit-index-url"]
    for name in DISTRIBUTIONS:
        fixed += ["--no-emit-package", name]
    for output, groups in (("requirements-run.lock", ["build"]), ("requirements.lock", ["build", "dev"])):
        flags = [flag for group in groups for flag in ("--group", group)]
        _tool(session, "uv", "pip", "compile", *fixed, *flags, "-o", output, "pyproject.toml", *session.posargs)
