"""What people do all day, as commands in a repository of 20,000 committed files; and each many times in one sandbox."""

import shutil
import subprocess
from dataclasses import dataclass

from benchmarks.world import World

FILES = 20_000
FUNCTIONS = 120
"""Of the C source: about half a second of a compiler's time."""
_FUNCTION = (
    "static int f{0}(int a, int b) {{ int s = {0}; for (int i = 0; i < a; i++) {{ s += (i ^ b) % {1}; "
    "if (s > 1000) s -= b * i; }} switch (s & 7) {{ case 0: return a; case 1: return b; default: return s + {0}; }} }}"
)


@dataclass(frozen=True, slots=True)
class Task:
    """A command that is run `times` in one sandbox, so that its own start is a small part of what is measured."""

    name: str
    script: str
    times: int

    @property
    def argv(self) -> list[str]:
        """One command line for all of it."""
        numbers = " ".join(str(number) for number in range(self.times))
        return ["sh", "-ec", f"for n in {numbers}; do {self.script}; done"]

    @property
    def plain(self) -> list[str]:
        """The same for posix_spawn(3), which looks for no program."""
        return ["/bin/sh", *self.argv[1:]]


# Each says by its exit code whether it saw all of the files: some tools run a command elsewhere, and are quick there.
TASKS = (
    Task("git status", "git status --porcelain > /dev/null", 5),
    Task("tar", 'test "$(tar -cf - . | wc -c)" -gt 10000000', 3),
    Task("find", f"test \"$(find . -name '*.py' | wc -l)\" -eq {FILES}", 10),
    Task("compile", "gcc -pipe -O2 -c big.c -o big.o", 1),
)


def fill(world: World) -> None:
    """Make the repository; SystemExit where there is no git or no compiler."""
    for name in ("git", "gcc"):
        if not shutil.which(name, path=world.environ["PATH"]):
            raise SystemExit(f"benchmarks: the workloads need {name}")
    world.fill(FILES)
    functions = [_FUNCTION.format(number, number % 97 + 2) for number in range(FUNCTIONS)]
    calls = " + ".join(f"f{number}(n, {number})" for number in range(FUNCTIONS))
    (world.large / "big.c").write_text("\n".join([*functions, f"int every(int n) {{ return {calls}; }}\n"]))
    (world.large / ".gitignore").write_text("*.o\n")
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid", "-c", "gc.auto=0")
    for words in (("add", "--all"), ("commit", "--quiet", "--message", "all")):
        subprocess.run(["git", *who, *words], cwd=world.large, env=world.environ, check=True)
