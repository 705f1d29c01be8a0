"""setup.py KIND ROOT VENV [UV]: make or refresh the environment of a checkout.

KIND is `run` (what the command needs) or `dev` (the developers' tools as well). The environment is built in its final
place, because its scripts carry their own path; a stamp file, written last, says that it is complete.
"""

import fcntl
import os
import subprocess
import sys
import time

LOCKS = {"run": "requirements-run.lock", "dev": "requirements.lock"}
# By name, never by pattern: what is installed from here is executed, and a sandbox that works on this folder must not
# be able to add to it.
DISTRIBUTIONS = (
    "aisbx-core",
    "aisbx-driver-bwrap",
    "aisbx-driver-chroot",
    "aisbx-driver-lima",
    "aisbx-egress",
    "aisbx-linux",
    "aisbx-mcp",
    "aisbx-profiles",
    "aisbx-supervisor",
    "aisbx-vault",
)

FRONT = (
    *("answer.h", "append.c", "append.h", "assemble.c", "brief.c", "build.py", "client.c", "client.h"),
    "command.c",
    *("command.h", "enter.c"),
    *("entries.c", "front.c", "front.h", "group.c", "group.h", "hand.c", "helper.c", "input.c", "instruct.c"),
    *("join.c", "join.h", "kernel.c", "kernel.h", "launch.c", "look.c", "look.h", "look_data.h", "notify.c"),
    *("notify.h", "options.c", "output.c", "plan.c", "plan.h", "plan_name.c", "plan_read.c", "plan_read.h"),
    *("program.c", "record.c", "record.h", "recorder.c", "recorder.h", "relay.h", "sha256.c", "sha256.h", "spawn.c"),
    *("stage.c", "stage.h", "start.c", "stay.c", "tally.c"),
    *("tally.h", "text.c", "watch.c", "watcher.c"),
)
"""What the compiled programs are made from, in aisbx-linux/native."""
PROGRAMS = ("aisbx-front", "aisbx-helper", "aisbx-watcher", "aisbx-client.so")

ELSEWHERE = "/"
"""Where uv is started: it takes settings from the directory it is in, whoever wrote them there."""


def main(kind: str, root: str, venv: str, uv: str | None = None) -> None:
    """Set up `venv` for `kind` unless another process did so while we waited for it."""
    root = os.path.realpath(root)
    uv = os.path.abspath(uv) if uv else None
    os.makedirs(os.path.dirname(venv), exist_ok=True)
    # flock, not a lock directory: the kernel drops it when its holder dies, so that no stale lock can exist.
    # Not through a link, and nothing is cut off: the name lies where others may have put something.
    with open(os.open(f"{venv}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another set-up of {venv} is under way; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_fresh(kind, root, venv):
            set_up(kind, root, venv, uv)


def set_up(kind: str, root: str, venv: str, uv: str | None) -> None:
    """Build what is missing; every step can be interrupted, since the stamps go first and come back last."""
    began = time.time_ns()
    reason = "refreshing" if os.path.exists(stamp(venv, "run")) else "setting up"
    say(f"{reason} {venv} with Python {sys.version.split()[0]} (once; later runs start at once)")
    complete = os.path.exists(stamp(venv, "run")) and os.access(f"{venv}/bin/python", os.X_OK)
    had_dev = os.path.exists(stamp(venv, "dev"))
    for each in LOCKS:
        if os.path.lexists(stamp(venv, each)):
            os.unlink(stamp(venv, each))
    if not complete:
        say("1/3 creating the environment")
        create(venv, uv)
    # A developer's environment stays one when only `./aisbx` notices that something changed.
    kind = "dev" if had_dev else kind
    say(f"2/3 installing the locked packages ({LOCKS[kind]})")
    install(venv, uv, "--require-hashes", "-r", os.path.join(root, LOCKS[kind]))
    say("3/3 linking this checkout's distributions")
    editables = [arg for name in DISTRIBUTIONS for arg in ("-e", os.path.join(root, name))]
    install(venv, uv, "--no-deps", "--no-build-isolation", *editables)
    compile_programs(root, venv)
    # As old as the start: an edit made meanwhile counts as newer. A file dated in the future must not do so for ever.
    dates = [os.stat(path).st_mtime_ns for path in inputs(root)]
    made = max(began, *(date for date in dates if date > time.time_ns()), 0)
    for each in ("run", "dev") if kind == "dev" else ("run",):
        with open(f"{stamp(venv, each)}.new", "w") as file:
            file.write(f"{root}\n")
        os.utime(f"{stamp(venv, each)}.new", ns=(made, made))
        os.replace(f"{stamp(venv, each)}.new", stamp(venv, each))
    say(f"ready after {(time.time_ns() - began) / 1e9:.0f} s")


def create(venv: str, uv: str | None) -> None:
    """Start from nothing. The interpreter is linked by its full name, so that its removal is noticed."""
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    if uv:
        run(uv, "venv", "--quiet", "--clear", "--python", base, venv, where=ELSEWHERE)
    else:
        run(base, "-I", "-m", "venv", "--clear", venv)


def install(venv: str, uv: str | None, *args: str) -> None:
    """Install with the user's own index settings (environment, pip.conf)."""
    python = f"{venv}/bin/python"
    if uv:
        # Copies: a hard link to uv's cache would be one file with the packages of other environments.
        run(uv, "pip", "install", "--quiet", "--link-mode", "copy", "--python", python, *args, where=ELSEWHERE)
    else:
        run(python, "-I", "-m", "pip", "install", "--quiet", "--no-user", "--disable-pip-version-check", *args)


def compile_programs(root: str, venv: str) -> None:
    """Compile what starts commands in place of Python, where there is a C compiler; without it they start slower."""
    for name in PROGRAMS:
        program = f"{venv}/bin/{name}"
        if os.path.lexists(program):
            os.unlink(program)  # of other sources, perhaps
        subprocess.run(
            [sys.executable, "-I", os.path.join(root, "aisbx-linux/native/build.py"), program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


def run(*argv: str, where: str | None = None) -> None:
    """Run one step; its output is progress, hence standard error."""
    code = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False, cwd=where).returncode
    if code:
        say(f"the set-up failed: `{' '.join(argv[:5])} …` ended with {code}")
        sys.exit(125)


def is_fresh(kind: str, root: str, venv: str) -> bool:
    """The test of tools/venv.sh once more, now that we hold the lock."""
    try:
        with open(stamp(venv, kind)) as file:
            made_for = file.readline().rstrip("\n")
        made = os.stat(stamp(venv, kind)).st_mtime_ns
        fresh = all(os.stat(path).st_mtime_ns <= made for path in inputs(root))
        return fresh and os.path.samefile(made_for, root) and os.access(f"{venv}/bin/python", os.X_OK)
    except OSError:
        return False


def inputs(root: str) -> list[str]:
    """List the files whose change makes an environment stale."""
    projects = [os.path.join(root, name, "pyproject.toml") for name in DISTRIBUTIONS]
    sources = [f"{root}/aisbx-linux/native/{name}" for name in FRONT]
    return [*(os.path.join(root, lock) for lock in LOCKS.values()), *projects, f"{root}/tools/setup.py", *sources]


def stamp(venv: str, kind: str) -> str:
    """Name the file that says: complete for `kind`."""
    return f"{venv}/.aisbx-{kind}"


def say(text: str) -> None:
    """Tell the user what takes time."""
    print(f"aisbx: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        place = error.filename or sys.argv[3]
        say(f"the set-up failed: {place}: {error.strerror}; hint: check HOME, XDG_CACHE_HOME and the disk")
        sys.exit(125)
    except KeyboardInterrupt:
        say("interrupted; the next run starts the set-up again")
        sys.exit(130)
