"""`aisbx run` and `exec` for a plan at hand: reads the options, checks the plan, runs, ends. Builtin modules only.

Without a plan, or with a stale one, the engine makes one from the options that are read here (`prepare`). Whatever else
is out of the ordinary (help, an error) goes to the full command line. All carry the run out with the same code.
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from aisbx.types import Failure, LaunchRequest, LaunchResult, PlanEntry

VALUED = {
    "-p": "profile",
    "-d": "driver",
    "-w": "workspace",
    "-e": "env",
    "-t": "timeout",
    "--profile": "profile",
    "--driver": "driver",
    "--workspace": "workspace",
    "--env": "env",
    "--mount": "mount",
    "--rootfs": "rootfs",
    "--network": "network",
    "--timeout": "timeout",
    "--memory": "memory",
    "--pids": "pids",
    "--cpus": "cpus",
    "--disk": "disk",
    "--output": "output",
}
"""Options of `run` that take a value and may be part of a plan."""
JOINING = {
    "-e": "env",
    "-t": "timeout",
    "--env": "env",
    "--timeout": "timeout",
    "--output": "output",
    "--cwd": "cwd",
}
"""The same of `exec`, behind the sandbox's name."""
MODES = ("rw", "ro", "cow", "guarded")
"""What may stand behind a workspace's colon (`aisbx.types.WorkspaceMode`)."""


def main(arguments: "list[str]") -> "NoReturn":
    """Run one command line and end the process with its exit code."""
    read = read_line(arguments)
    code = attempt(*read) if read else None
    if code is None:
        code = prepare(read[0], read[2]) if read else full(arguments)
    # Nothing of ours is left to flush, and taking the interpreter down in order costs a millisecond.
    posix._exit(code)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def read_line(arguments: "list[str]") -> "tuple[dict[str, list[str]], dict[str, str], list[str]] | None":
    """Read a command line of `run` or `exec`, as `read_options` gives it."""
    if arguments[:1] == ["run"]:
        return read_options(arguments[1:])
    if arguments[:1] == ["exec"] and arguments[1:] and arguments[1][:1] not in {"", "-", "."}:
        return read_options(arguments[2:], JOINING, {"sandbox": arguments[1:2]})
    return None


def attempt(options: "dict[str, list[str]]", environment: "dict[str, str]", command: "list[str]") -> "int | None":
    """Run by a plan that is at hand; None where there is none, or something is out of the ordinary."""
    sandbox = options.get("sandbox")
    directory = sandbox_directory(sandbox[0]) if sandbox else plans_directory()
    if directory is None:
        return None
    try:
        for descriptor in (0, 1, 2):
            posix.fstat(descriptor)
        cwd = posix.getcwd()
        workspace = real_workspace(options["workspace"][-1]) if "workspace" in options else "" if sandbox else cwd
    except OSError:
        return None

    from aisbx.plan.recall import install, name_of
    from aisbx.plan.recall import read as read_entry

    entry = read_entry(directory, name_of(options, cwd, posix.environ), workspace)
    if entry is None:
        return None

    install(entry["code"])
    from aisbx.audit.write import AuditError
    from aisbx.plan.run import carry_out, new_run

    try:
        result = carry_out(
            entry,
            request(entry, environment, command, new_run()),
            f"uid:{posix.geteuid()}",
            "cli",
        )
    except (AuditError, ProcessLookupError):
        return None  # nothing has run, and without a plan it is said what is wrong
    return conclude(options, command, result)


def request(entry: "PlanEntry", environment: "dict[str, str]", command: "list[str]", run: str) -> "LaunchRequest":
    """Give what is asked of a launch by a process that exists for this run alone."""
    return {
        "argv": command,
        "environment": environment,
        "cwd": "",
        "stdin": 0,
        "stdout": 1,
        "stderr": 2,
        "terminal": posix.isatty(0) and posix.isatty(1),
        "capture": 0,
        "exclusive": True,
        "state": entry["state"],
        "run": run,
        "keep_output": entry["keep_output"],
    }


def conclude(options: "dict[str, list[str]]", command: "list[str]", result: "LaunchResult") -> int:
    """Tell a person what is to be told of a run that has ended; gives its exit code."""
    if result["failure"] is not None:
        tell(options, command, result["failure"])
    for finding in result["findings"]:
        say(finding)
    dropped = result["stdout_dropped"] + result["stderr_dropped"]
    if result["timed_out"] or result["oom_killed"] or result["pids_limited"] or dropped:
        from aisbx.cli.ends import met

        for line in met(
            timed_out=result["timed_out"],
            oom_killed=result["oom_killed"],
            pids_limited=result["pids_limited"],
            dropped=dropped,
        ):
            say(line)
    return result["code"]


def read_options(
    words: "list[str]", valued: "dict[str, str]" = VALUED, known: "dict[str, list[str]] | None" = None
) -> "tuple[dict[str, list[str]], dict[str, str], list[str]] | None":
    """Read options: (options by long name, variables, command); None for anything unusual.

    Those that are `known` already are a part of them.
    """
    options = known or {}
    environment: dict[str, str] = {}
    place = 0
    while place < len(words):
        word = words[place]
        if word == "--":
            place += 1
            break
        if not word.startswith("-"):
            break
        option, separator, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if option not in valued:
            return None
        if not separator:
            place += 1
            if place >= len(words):
                return None
            value = words[place]
        options.setdefault(valued[option], []).append(value)
        if valued[option] == "env":
            name, given, text = value.partition("=")
            if not name or not given:
                return None
            environment[name] = text
        place += 1
    command = words[place:]
    return (options, environment, command) if command else None


def real_workspace(value: str) -> str:
    """Give the real path of what `--workspace` names, with a mode or without; OSError where there is none."""
    path, _, mode = value.rpartition(":")
    folder = posix.open(path if path and mode in MODES else value, posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        return posix.readlink(f"/proc/self/fd/{folder}")
    finally:
        posix.close(folder)


def plans_directory() -> "str | None":
    """Give `$XDG_CACHE_HOME/aisbx/plans`; None where the full command line is to find out what is wrong."""
    return own_directory(b"XDG_CACHE_HOME", b"/.cache", "plans")


def sandbox_directory(name: str) -> "str | None":
    """Give where the plans of a sandbox's commands are; None as with `plans_directory`."""
    if "/" in name:
        return None
    return own_directory(b"XDG_STATE_HOME", b"/.local/state", f"sandboxes/{name}/plans")


def own_directory(variable: bytes, usual: bytes, name: str) -> "str | None":
    """Give a directory of ours below the one that a variable names."""
    base = posix.environ.get(variable, b"")
    if not base:
        home = posix.environ.get(b"HOME", b"")
        base = home + usual if home else b""
    return f"{base.decode(errors='surrogateescape')}/aisbx/{name}" if base.startswith(b"/") else None


def say(text: str) -> None:
    """Tell a person, which an ordinary run has no need to."""
    from aisbx.cli import render

    render.say(text)


def prepare(options: "dict[str, list[str]]", command: "list[str]") -> int:
    """Run without a plan and leave one. The options are read already, so typer is not needed, which is slow to import.

    Garbage is not looked for here either: this process makes a plan and a run, and ends.
    """
    from aisbx.installation.narrow import enter_site

    enter_site()
    from aisbx.cli.answer import answer

    if "sandbox" in options:
        from aisbx.cli.join import join

        return answer(lambda: join(options.pop("sandbox")[0], options, command), as_json=lambda: False)
    from aisbx.cli.perform import perform

    return answer(lambda: perform(options, command), as_json=lambda: False)


def tell(options: "dict[str, list[str]]", command: "list[str]", failure: "Failure") -> None:
    """Say why nothing was run. Where the plan could not be carried out, the machine knows cause and remedy."""
    code, message, hint = failure
    if code != "launch" or "sandbox" in options:
        say(f"{code}: {message}; hint: {hint}" if hint else f"{code}: {message}")
        return
    from aisbx.installation.narrow import enter_site

    enter_site()
    from aisbx.cli.answer import answer
    from aisbx.cli.perform import explain as find_out
    from aisbx.errors import LaunchError

    answer(lambda: find_out(options, command, LaunchError(message, hint=hint)), as_json=lambda: False)


def full(arguments: "list[str]") -> int:
    """Hand over to the full command line, in the environment that Python would have had without -S."""
    import gc

    from aisbx.installation.narrow import enter_site

    gc.enable()
    enter_site()
    from aisbx.cli.app import main as full_main

    return full_main(arguments)
