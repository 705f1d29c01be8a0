"""Interpreters with a process for each session: node and bash. The end of what code printed is marked by a token."""

import asyncio
import json
import secrets
from collections.abc import Callable
from importlib.resources import files

from aisbx_mcp.kernels.cell import Cell
from aisbx_mcp.kernels.channel import Channel

_CHUNK = 1 << 16


def _node(token: str, code: str) -> bytes:
    return json.dumps({"token": token, "code": code}).encode() + b"\n"


def _bash(token: str, code: str) -> bytes:
    return f"{token}\n{code}\0".encode()


LANGUAGES: dict[str, tuple[tuple[str, ...], str, Callable[[str, str], bytes]]] = {
    "node": (("node", "--no-warnings", "-e"), "inside.js", _node),
    "bash": (("bash", "-c"), "inside.sh", _bash),
}


class SpokenSession:
    """One session."""

    def __init__(self, channel: Channel, language: str) -> None:
        """`channel` is started with `argv`."""
        words, source, self._frame = LANGUAGES[language]
        self.argv = (*words, files("aisbx_mcp.kernels").joinpath(source).read_text())
        self._channel = channel

    @property
    def lives(self) -> bool:
        """Whether it has its names still."""
        return self._channel.lives

    async def run(self, code: str, cell: Cell, seconds: float | None, memory: int) -> None:
        """Execute code; see `Interpreter`. Of `memory`, only the sandbox's own limit holds here."""
        del memory
        token = secrets.token_hex(8)
        try:
            async with asyncio.timeout(seconds):
                await self._channel.send(self._frame(token, code))
                await self._hear(token, cell)
        except TimeoutError:
            cell.note = f"ended by its time limit of {seconds:g} s, and its interpreter with it"
            await self.close()
        except asyncio.CancelledError:
            await asyncio.shield(self.close())
            raise
        except (ConnectionError, ValueError, asyncio.IncompleteReadError):
            await self.close()
            why = self._channel.why
            cell.note = f"the interpreter has ended{f': {why}' if why else ''}"

    async def close(self) -> None:
        """End it."""
        await self._channel.close()

    async def _hear(self, token: str, cell: Cell) -> None:
        mark = f"\0{token}\0".encode()
        pending = b""
        while mark not in pending:
            part = await self._channel.err.read(_CHUNK)
            if not part:
                cell.output.append(pending)
                raise ConnectionResetError
            pending += part
            if mark not in pending and len(pending) > len(mark):
                cell.output.append(pending[: -len(mark)])
                pending = pending[-len(mark) :]
        cell.output.append(pending.partition(mark)[0])
        cell.ok = _ended_well(await self._channel.out.readline(), token)


def _ended_well(line: bytes, token: str) -> bool:
    if line.startswith(b"{"):
        return json.loads(line).get("ok") is True
    said, _, code = line.decode().partition(" ")
    return said == token and code.strip() == "0"
