"""Where each client keeps its list of servers, and in what form. See each one's own documentation of MCP."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from aisbx.errors import UsageError

NAME = "aisbx"
"""What the server is called there."""


@dataclass(frozen=True, slots=True)
class Client:
    """One program: its configuration file, the table of servers in it, and whether an entry says its kind."""

    name: str
    title: str
    path: str
    table: str
    typed: bool = False

    @property
    def toml(self) -> bool:
        """Whether the file is TOML, else JSON."""
        return self.path.endswith(".toml")

    def entry(self, command: str, arguments: list[str]) -> dict[str, object]:
        """Give what stands there for a server that is started by a command."""
        kind: dict[str, object] = {"type": "stdio"} if self.typed else {}
        return {**kind, "command": command, "args": arguments}


def clients(environ: Mapping[str, str], platform: str = sys.platform) -> dict[str, Client]:
    """Give every client by its name; UsageError where there is no home."""
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    if not os.path.isabs(home):
        raise UsageError("HOME is not set, and the clients' files lie there", hint="set HOME")
    settings = _settings(environ, home, platform)
    found = (
        Client("claude-desktop", "Claude Desktop", f"{settings}/Claude/claude_desktop_config.json", "mcpServers"),
        Client("claude-code", "Claude Code", f"{home}/.claude.json", "mcpServers", typed=True),
        Client("cursor", "Cursor", f"{home}/.cursor/mcp.json", "mcpServers"),
        Client("vscode", "VS Code", f"{settings}/Code/User/mcp.json", "servers", typed=True),
        Client("codex", "Codex", f"{environ.get('CODEX_HOME') or f'{home}/.codex'}/config.toml", "mcp_servers"),
    )
    return {one.name: one for one in found}


def _settings(environ: Mapping[str, str], home: str, platform: str) -> str:
    if platform == "darwin":
        return f"{home}/Library/Application Support"
    if platform == "win32":
        return environ.get("APPDATA") or f"{home}/AppData/Roaming"
    return environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
