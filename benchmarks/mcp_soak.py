"""`./dev soak --mcp`: half an hour of twenty clients of one server; then nothing is left, and no answer was wrong.

python -m benchmarks.soak --mcp [--minutes N] [--clients N] [--seed N]

Each client has a key of its own, connects in one era of the protocol or the other, uses the tools in any order and
looks at each answer. It goes as clients go: by saying so, or in the middle of a call. Interpreters and whole sandboxes
get SIGKILL meanwhile.

In the end the server has as many descriptors and processes as before the clients came, its memory has
not grown since a third of the time had passed, and once it has ended no process, mount, cgroup or file is left.
"""

import argparse
import asyncio
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import anyio
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.types import CallToolResult

from benchmarks.mcp_server import Server, WrongError
from benchmarks.soak import Left, left

GROWTH = 1.25
"""Times: what memory the server may have at the end, of what it had after a third of the time."""
SETTLING = 60.0
_SAMPLE = 2.0


class Visitor:
    """A client that comes and goes."""

    def __init__(self, server: Server, name: str, chance: random.Random) -> None:
        self.server = server
        self.key = server.keys.create(name, ["run", "files"])[1]
        self.chance = chance
        self.count: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.gone = False

    async def come_and_go(self, until: float) -> None:
        while time.monotonic() < until:
            try:
                await self._visit(until)
            except BaseExceptionGroup as group:
                _, others = group.split(lambda error: isinstance(error, WrongError))
                self.wrong += [str(error) for error in _leaves(group) if isinstance(error, WrongError)]
                if others is not None:
                    self.wrong += [
                        f"{type(error).__name__}: {error}"
                        for error in _leaves(others)
                        # What the SDK's client still had to hand on when it was cancelled.
                        if not (self.gone and isinstance(error, anyio.BrokenResourceError | anyio.ClosedResourceError))
                    ]
            except WrongError as error:
                self.wrong.append(str(error))
            self.count["visits"] += 1

    async def _visit(self, until: float) -> None:
        era = self.chance.choice(["legacy", "2026-07-28"])
        self.gone = False
        headers = {"Authorization": f"Bearer {self.key}"}
        with anyio.CancelScope() as scope:
            async with (
                create_mcp_http_client(headers=headers) as http,
                Client(streamable_http_client(self.server.url, http_client=http), mode=era) as client,
            ):
                for _ in range(self.chance.randint(3, 15)):
                    if time.monotonic() > until:
                        return
                    work: Callable[[Client], Awaitable[None]] = self.chance.choice(WORKS).__get__(self)
                    if self.chance.random() < 0.1:  # noqa: PLR2004 - one in ten goes in the middle
                        async with anyio.create_task_group() as tasks:
                            tasks.start_soon(work, client)
                            await anyio.sleep(self.chance.uniform(0, 0.3))
                            self.count["gone in the middle"] += 1
                            self.gone = True
                            scope.cancel()
                    await work(client)

    async def call(self, client: Client, tool: str, **arguments: object) -> str:
        """Give a result's text; where a sandbox was killed meanwhile, nothing."""
        self.count[tool] += 1
        with anyio.fail_after(120):
            found = await client.call_tool(tool, arguments)
        assert isinstance(found, CallToolResult)
        text = "\n".join(block.text for block in found.content if block.type == "text")
        if found.is_error or text.startswith("[exit 137") or "interpreter" in text.partition("\n")[0]:
            self.count["refused"] += 1
            if not self.killing and "was ended from outside" not in text:  # it may have been long ago
                raise WrongError(f"{tool}: {text[:300]}")
            return ""
        return text

    killing = False
    """Whether sandboxes are killed from outside meanwhile: then a call may say so."""

    async def echo(self, client: Client) -> None:
        word = f"{self.chance.random()}"
        text = await self.call(client, "run_command", command=f"echo {word}; echo {word} >&2")
        self.expect(text, f"{word}\n{word}\n")

    async def files(self, client: Client) -> None:
        path, content = f"d/{self.chance.randint(0, 9)}", f"{self.chance.random()}\n" * self.chance.randint(1, 500)
        if await self.call(client, "write_file", path=path, content=content):
            text = await self.call(client, "run_command", command=f"cat {path} | md5sum; wc -c < {path}")
            if text and f"\n{len(content)}\n" not in text:
                self.lost(text)

    async def code(self, client: Client) -> None:
        number = self.chance.randint(1, 1 << 30)
        if await self.call(client, "run_code", code=f"x = {number}"):
            text = await self.call(client, "run_code", code="print(x + 1)")
            if text and "NameError" not in text:
                self.expect(text, f"{number + 1}\n")

    async def broken_code(self, client: Client) -> None:
        arguments = {"code": "import os; os.kill(os.getpid(), 9)", "session": "broken"}
        self.count["run_code"] += 1
        await client.call_tool("run_code", arguments)

    async def large(self, client: Client) -> None:
        text = await self.call(client, "run_command", command="seq 1 200000", max_output_chars=1000)
        if text and not (text.rstrip().endswith("200000") and "bytes left out" in text):
            raise WrongError(f"seq: {text[:200]}")

    async def background(self, client: Client) -> None:
        text = await self.call(client, "run_command", command="echo on; sleep 60", yield_s=0)
        found = re.search(r"process (\w{8})", text)
        if found:
            await self.call(client, "process_output", process=found[1])
            await client.call_tool("process_kill", {"process": found[1]})

    async def cancelled(self, client: Client) -> None:
        with anyio.move_on_after(self.chance.uniform(0.05, 0.5)):
            await client.call_tool("run_command", {"command": "sleep 30"})

    async def another(self, client: Client) -> None:
        name = f"s{self.chance.randint(0, 1)}"
        with suppress(MCPError):
            made = await client.call_tool("sandbox_create", {"name": name})
            if not made.is_error:
                await self.call(client, "run_command", command="echo there", sandbox=name)
            await client.call_tool("sandbox_destroy", {"name": name})

    async def once(self, client: Client) -> None:
        self.expect(await self.call(client, "aisbx-run", command=["echo", "once"]), "once\n")

    async def prompt(self, client: Client) -> None:
        try:
            found = await client.get_prompt("fix-tests", {"command": "make"})
        except MCPError as error:
            if not self.killing and "was ended from outside" not in str(error):
                raise
            return
        if "`make`" not in str(found.messages):
            raise WrongError(f"fix-tests: {found}")

    def expect(self, text: str, ends: str) -> None:
        if text and not text.endswith(ends):
            raise WrongError(f"{text[:300]!r} does not end {ends!r}")

    def lost(self, text: str) -> None:
        if not self.killing:
            raise WrongError(f"a file is not what was written: {text[:300]!r}")


WORKS = (
    [Visitor.echo, Visitor.files, Visitor.code] * 3
    + [Visitor.broken_code, Visitor.large, Visitor.background, Visitor.cancelled]
    + [Visitor.another, Visitor.once, Visitor.prompt]
)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return [leaf for one in group.exceptions for leaf in _leaves(one)]
    return [error]


async def _soak(server: Server, visitors: Sequence[Visitor], seconds: float, chance: random.Random) -> list[int]:
    """Let them come and go; gives the server's memory, as it was from time to time."""
    samples: list[int] = []
    until = time.monotonic() + seconds

    async def watch() -> None:
        while time.monotonic() < until:
            await asyncio.sleep(_SAMPLE)
            samples.append(server.memory())

    async def kill() -> None:
        # In every other minute: in the ones between, every answer has to be right.
        while time.monotonic() < until:
            for visitor in visitors:
                visitor.killing = True
            for _ in range(10):
                await asyncio.sleep(chance.uniform(0, 3))
                server.kill_one(chance)
            await asyncio.sleep(5)
            for visitor in visitors:
                visitor.killing = False
            await asyncio.sleep(max(0.0, min(30.0, until - time.monotonic())))

    killing = asyncio.ensure_future(kill())
    await asyncio.gather(watch(), *(visitor.come_and_go(until) for visitor in visitors))
    killing.cancel()
    return samples


def main(arguments: Sequence[str]) -> int:
    """Soak, print what was seen, and give the exit code."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.soak --mcp", description="does an MCP server lose or leave anything?"
    )
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N")
    parser.add_argument("--clients", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, metavar="N")
    options = parser.parse_args(arguments)
    print(f"soak: seed {options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="aisbx-soak-", dir=Path.home())).resolve()
    home, chance = directory / "home", random.Random(options.seed)
    wrong: list[str] = []
    try:
        before = left(home)
        server = Server(home)
        try:
            descriptors = server.descriptors()
            visitors = [Visitor(server, f"c{n}", random.Random(chance.random())) for n in range(options.clients)]
            samples = asyncio.run(_soak(server, visitors, options.minutes * 60, chance))
            wrong += _seen(server, visitors, samples, descriptors)
        finally:
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(60)
        shutil.rmtree(home / ".config")
        wrong += _left(before, home)
        wrong += [f"left in the temporary directory: {path}" for path in (home / "tmp").iterdir()]
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for line in wrong[:20]:
        print(f"soak: {line}")
    print("soak: something is left, lost or wrong" if wrong else "soak: nothing is left, nothing is lost")
    return 1 if wrong else 0


def _seen(server: Server, visitors: Sequence[Visitor], samples: Sequence[int], descriptors: int) -> list[str]:
    counts = sum((visitor.count for visitor in visitors), Counter[str]())
    print(f"soak: {', '.join(f'{count} {what}' for what, count in counts.most_common())}")
    wrong = [line for visitor in visitors for line in visitor.wrong]
    third = max(samples[: max(1, len(samples) // 3)])
    print(f"soak: memory {third // 1024} MiB at most in the first third, {samples[-1] // 1024} MiB at last")
    if samples[-1] > third * GROWTH:
        wrong.append(f"memory grew by more than {GROWTH} x")
    until = time.monotonic() + SETTLING
    while (server.sandboxes() or server.descriptors() > descriptors + 2) and time.monotonic() < until:
        time.sleep(0.5)
    now = server.descriptors()
    print(f"soak: {descriptors} descriptors at first, {now} at last; {len(server.sandboxes())} sandboxes left")
    if now > descriptors + 2:  # the directory of outputs, and the lifeline
        place = Path(f"/proc/{server.process.pid}/fd")
        links = Counter(re.sub(r"\d+", "N", os.readlink(path)) for path in place.iterdir())
        wrong.append(f"descriptors grew from {descriptors} to {now}: {dict(links)}")
    wrong += [f"the sandbox {name} is left" for name in server.sandboxes()]
    if "Traceback" in (said := server.said.read_text()):
        told = {line.strip(" │") for line in said.splitlines() if re.search(r"(Error|Exception)\b.*: |❱ .*aisbx", line)}
        wrong.append(f"the server's log has a traceback: {'; '.join(sorted(told))[:2000]}")
    return wrong


def _left(before: Left, home: Path) -> list[str]:
    until = time.monotonic() + SETTLING
    while (more := left(home).beyond(before)) and time.monotonic() < until:
        time.sleep(0.5)
    return [f"left of {kind}: {', '.join(those[:5])}" for kind, those in more.items() if kind != "descriptors"]
