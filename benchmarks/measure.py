"""Time real processes, interleaved: in a round each command runs once, so that a busy moment hits them all alike."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Chain = Sequence[Sequence[str]]
"""Commands that run one after the other and count as one."""

# ru_maxrss is inherited through posix_spawn: a child that was spawned by this process would show this process's peak,
# so a process as small as a bare interpreter starts it.
_PEAK = """
import posix, sys
child = posix.posix_spawn(sys.argv[1], sys.argv[1:], posix.environ)
_, status, usage = posix.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(posix.waitstatus_to_exitcode(status))
"""


class BenchmarkError(Exception):
    """A command failed: its time means nothing."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of each round."""

    times: tuple[float, ...]

    @property
    def best(self) -> float:
        """The round that was disturbed least."""
        return min(self.times)

    @property
    def middle(self) -> float:
        """The median."""
        return statistics.median(self.times)

    def plus(self, other: "Sample") -> "Sample":
        """Add round by round."""
        return Sample(tuple(a + b for a, b in zip(self.times, other.times, strict=True)))


class Bench:
    """Starts commands in one directory and environment, with /dev/null, a pipe and a file as their streams.

    Words NAME=VALUE before a command's path are variables of its alone, as for a shell.
    """

    def __init__(self, environ: Mapping[str, str], errors: str) -> None:
        """`errors` is the file that collects what the commands complain of."""
        self.environ = dict(environ)
        self.errors = errors
        self.reader, self.writer = os.pipe()

    def interleaved(self, rounds: int, commands: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, Sample]:
        """Time each command once a round; one that has several argument lists uses the next one each round."""
        times: dict[str, list[float]] = {name: [] for name in commands}
        for index in range(rounds):
            for name, variants in commands.items():
                times[name].append(self.seconds(variants[index % len(variants)]))
        return {name: Sample(tuple(values)) for name, values in times.items()}

    def seconds(self, argv: Sequence[str]) -> float:
        """Run a command to its end; BenchmarkError unless it exits with 0."""
        begin = time.perf_counter()
        _, status = os.waitpid(self._start(argv), 0)
        spent = time.perf_counter() - begin
        self._must(argv, status)
        return spent

    def per_second(self, chain: Chain, count: int, in_flight: int) -> float:
        """Carry out a chain `count` times, always `in_flight` of them at once; gives how many end in a second."""
        begin = time.perf_counter()
        waiting = count
        running: dict[int, int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < in_flight:
                    waiting -= 1
                    running[self._start(chain[0])] = 0
                child, status = os.wait()
                step = running.pop(child)
                self._must(chain[step], status)
                if step + 1 < len(chain):
                    running[self._start(chain[step + 1])] = step + 1
        finally:
            for child in running:  # of a failed attempt
                os.waitpid(child, 0)
        return count / (time.perf_counter() - begin)

    def peak(self, python: str, argv: Sequence[str]) -> int:
        """Give the largest resident set of a command's process, in KiB (wait4(2): ru_maxrss)."""
        command = [python, "-I", "-S", "-c", _PEAK, *argv]
        done = subprocess.run(
            command, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BenchmarkError(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stderr}")
        return int(done.stdout)

    def _start(self, argv: Sequence[str]) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, self.writer, 1),
            (os.POSIX_SPAWN_OPEN, 2, self.errors, flags, 0o600),
        ]
        first = next(index for index, word in enumerate(argv) if word.startswith("/"))
        environ = {**self.environ, **dict(word.split("=", 1) for word in argv[:first])}
        return os.posix_spawn(argv[first], [*argv[first:]], environ, file_actions=actions)

    def _must(self, argv: Sequence[str], status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        if code != 0:
            with open(self.errors, errors="replace") as file:
                raise BenchmarkError(f"{' '.join(argv)}: exit code {code}\n{file.read()[-2000:]}")


def machine() -> dict[str, object]:
    """Say what the figures were seen on."""
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return {
        "cpu": models[0] if models else os.uname().machine,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": os.uname().release,
        "python": sys.version.split()[0],
        "user": "root" if os.geteuid() == 0 else "ordinary",
    }
