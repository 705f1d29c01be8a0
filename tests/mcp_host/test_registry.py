"""`server.json`, by which the registry of MCP servers knows this one, and the configuration that the README shows."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from aisbx_mcp.main import _parser
from jsonschema import Draft202012Validator

from tests.mcp_host.conftest import Home

ROOT = Path(__file__).parents[2]
ARGUMENT: dict[str, Any] = {
    "type": "object",
    "required": ["type", "name"],
    "additionalProperties": False,
    "properties": {
        "type": {"const": "named"},
        "name": {"type": "string", "pattern": "^--[a-z]"},
        "value": {"type": "string"},
        "description": {"type": "string"},
        "format": {"enum": ["string", "number", "boolean", "filepath"]},
    },
}
# What the registry's schema of 2025-12-11 says of the keys that ours has; others are refused, so that none is misspelt.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "name", "description", "version", "packages"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"},
        "name": {"type": "string", "minLength": 3, "maxLength": 200, "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$"},
        "title": {"type": "string", "minLength": 1, "maxLength": 100},
        "description": {"type": "string", "minLength": 1, "maxLength": 100},
        "version": {"type": "string", "maxLength": 255, "pattern": r"^\d+\.\d+\.\d+$"},
        "packages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["registryType", "identifier", "version", "transport"],
                "additionalProperties": False,
                "properties": {
                    "registryType": {"const": "pypi"},
                    "identifier": {"type": "string"},
                    "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
                    "runtimeHint": {"const": "uvx"},
                    "runtimeArguments": {"type": "array", "items": ARGUMENT},
                    "packageArguments": {"type": "array", "items": ARGUMENT},
                    "transport": {"const": {"type": "stdio"}},
                },
            },
        },
    },
}


def test_the_registry_takes_it_and_what_it_names_is_there() -> None:
    server = json.loads((ROOT / "aisbx-mcp/server.json").read_text())
    Draft202012Validator(SCHEMA).validate(server)
    (package,) = server["packages"]
    projects = {path.parent.name: tomllib.loads(path.read_text()) for path in ROOT.glob("aisbx-*/pyproject.toml")}
    version = projects[package["identifier"]]["project"]["version"]
    assert {server["version"], package["version"]} == {version}
    for one in package["runtimeArguments"]:
        name, _, pinned = one["value"].partition("==")
        assert (one["name"], projects[name]["project"]["version"]) == ("--with", pinned)
    given = [word for one in package["packageArguments"] for word in (one["name"], one.get("value", "/"))]
    assert _parser().parse_args(given).transport == "stdio"
    # By that the registry sees that the package is the server's.
    assert f"mcp-name: {server['name']}" in (ROOT / "aisbx-mcp/README.md").read_text()


def test_the_configuration_of_the_readme_serves_and_the_doctor_says_what_is_wrong(home: Home, tmp_path: Path) -> None:
    blocks = [
        json.loads(text) for text in re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    ]
    (servers,) = [block["mcpServers"] for block in blocks if "mcpServers" in block]
    entry = servers["aisbx"]
    entry["command"] = str(Path(sys.executable).parent / entry["command"])
    place, env = tmp_path / ".cursor/mcp.json", home.env | {"HOME": str(tmp_path)}
    place.parent.mkdir()

    def doctor() -> tuple[int, list[dict[str, Any]]]:
        place.write_text(json.dumps({"mcpServers": servers}))
        command = [sys.executable, "-I", "-m", "aisbx", "doctor", "--json"]
        done = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=False)
        return done.returncode, [row for row in json.loads(done.stdout)["rows"] if row["section"] == "mcp"]

    code, rows = doctor()
    assert [(row["name"], row["state"]) for row in rows] == [("Cursor", "ok")]
    entry["args"] = ["--transport", "nope"]
    broken, (row,) = doctor()
    assert (row["state"], row["needed"], broken) == ("missing", False, code)
    assert "no transport called 'nope'" in row["detail"]
