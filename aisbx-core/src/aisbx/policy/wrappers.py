"""Programs that start another one: what of their command line is that one's. Data, and a reader of options."""

from dataclasses import dataclass

SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "rbash"))


@dataclass(frozen=True)
class Prefix:
    """`valued`: options whose value is the next word; `skip`: words before the command; `assigns`: also NAME=VALUE."""

    valued: frozenset[str] = frozenset()
    skip: int = 0
    assigns: bool = False


def _prefix(valued: str = "", skip: int = 0, *, assigns: bool = False) -> Prefix:
    return Prefix(frozenset(valued.split()), skip, assigns)


# The options are those of the manuals: coreutils 9, util-linux 2.38, sudo 1.9, findutils 4.9, bash 5.2.
PREFIXES = {
    "env": _prefix("-u --unset -C --chdir -a --argv0", assigns=True),
    "sudo": _prefix(
        "-u --user -g --group -h --host -p --prompt -C --close-from -D --chdir -R --chroot -T --command-timeout "
        "-r --role -t --type -U --other-user",
        assigns=True,
    ),
    "doas": _prefix("-u -C", assigns=True),
    "timeout": _prefix("-s --signal -k --kill-after", 1),
    "nice": _prefix("-n --adjustment"),
    "ionice": _prefix("-c --class -n --classdata -p --pid"),
    "chrt": _prefix("-T -P -D", 1),
    "taskset": _prefix("", 1),
    "setpriv": _prefix("--reuid --regid --groups --bounding-set --inh-caps --ambient-caps --securebits --pdeathsig"),
    "nohup": _prefix(),
    "setsid": _prefix(),
    "stdbuf": _prefix("-i -o -e --input --output --error"),
    "time": _prefix("-f --format -o --output"),
    "command": _prefix(),
    "builtin": _prefix(),
    "exec": _prefix("-a"),
    "xargs": _prefix(
        "-a --arg-file -d --delimiter -E -I -L --max-lines -n --max-args -P --max-procs -s --max-chars "
        "--process-slot-var"
    ),
    "busybox": _prefix(),
    "toybox": _prefix(),
    "chroot": _prefix("", 1),
    "unshare": _prefix("-S --setuid -G --setgid -R --root -w --wd"),
    "watch": _prefix("-n --interval"),
    "strace": _prefix("-e -o -p -s -u -E -a -I -O -S -P"),
    "flock": _prefix("-w --timeout -E --conflict-exit-code", 1),
    "parallel": _prefix("-j --jobs"),
    "catchsegv": _prefix(),
    "unbuffer": _prefix(),
}


def inner(prefix: Prefix, argv: list[str]) -> list[str]:
    """Give the command that such a program starts, empty where it starts none."""
    place, skipped = 1, 0
    while place < len(argv):
        word = argv[place]
        if word == "--":
            place += 1
            break
        if word.startswith("-") and len(word) > 1:
            place += 2 if word in prefix.valued else 1
        elif prefix.assigns and "=" in word and word.partition("=")[0].isidentifier():
            place += 1
        elif skipped < prefix.skip:
            skipped += 1
            place += 1
        else:
            break
    return argv[place + (prefix.skip - skipped) :] if skipped < prefix.skip else argv[place:]


def script_of(argv: list[str]) -> tuple[str | None, list[str], bool]:
    """Read a shell's command line: (the script of `-c`, what follows it, whether it reads its standard input)."""
    place, asked, from_input = 1, False, False
    while place < len(argv) and argv[place][:1] in {"-", "+"} and len(argv[place]) > 1:
        word = argv[place]
        place += 1
        if word == "--":
            break
        if not word.startswith("--"):
            asked = asked or "c" in word[1:]
            from_input = from_input or "s" in word[1:]
            place += word[-1] in "oO"
        elif word in {"--rcfile", "--init-file"}:
            place += 1
    rest = argv[place:]
    if asked:
        return (rest[0] if rest else None), rest[1:], False
    return None, rest, from_input or not rest
