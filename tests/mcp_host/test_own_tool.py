"""A tool, a prompt and a resource of somebody else's: those that docs/mcp.md shows."""

import json
import re
import sys
from pathlib import Path

import pytest
from mcp import MCPError
from mcp.types import TextContent, TextResourceContents

from tests.mcp_host import conftest
from tests.mcp_host.conftest import Home, connected

PAGE = Path(__file__).parents[2] / "docs/mcp.md"
TOOL, OTHERS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
START = "import sys; sys.path.insert(0, {place!r}); from aisbx_mcp.main import main; sys.exit(main())"


def installed(place: Path, name: str, module: str, **points: str) -> None:
    """Install a module; `points` are kind → name, and the object's is that in capitals."""
    (place / f"{name}.py").write_text(module)
    info = place / f"acme_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{name}\nVersion: 1.0\n")
    groups = [f"[aisbx.{kind}]\n{one} = {name}:{one.upper()}\n" for kind, one in points.items()]
    (info / "entry_points.txt").write_text("\n".join(groups))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(conftest, "SERVER", [sys.executable, "-I", "-c", START.format(place=str(tmp_path))])
    return tmp_path


def test_the_tool_of_the_documents_works_and_its_arguments_are_checked(place: Path, home: Home) -> None:
    installed(place, "count_lines", TOOL, tools="count_lines")
    with connected(home) as client:
        client.call("write_file", path="three", content="1\n2\n3\n")
        assert client.call("count_lines", path="three") == "3"
        assert client.refused("count_lines", path="nope").startswith("state: ")
        assert "path" in client.refused("count_lines", path=["x"])
        (tool,) = [one for one in client.portal.call(client.session.list_tools).tools if one.name == "count_lines"]
        assert tool.description == "Count the lines of a file in the sandbox."
        assert tool.annotations
        assert tool.annotations.read_only_hint


def test_the_prompt_and_the_resource_of_the_documents_work(place: Path, home: Home) -> None:
    installed(place, "acme", OTHERS, prompts="review", resources="notes")
    with connected(home) as client:
        client.call("write_file", path="notes/a b.md", content="remember")
        (read,) = client.portal.call(client.session.read_resource, "acme://notes/a%20b").contents
        assert isinstance(read, TextResourceContents)
        assert read.text == "remember"
        with pytest.raises(MCPError):
            client.portal.call(client.session.read_resource, "acme://notes/%2e%2e%2f")
        (message,) = client.portal.call(client.session.get_prompt, "review", {"path": "x"}).messages
        assert isinstance(message.content, TextContent)
        assert message.content.text.endswith("/x and tell me what is wrong with it.")


@pytest.mark.parametrize(
    ("kind", "is_none"), [("tool", "tool.Tool"), ("prompt", "prompt.Prompt"), ("resource", "resource.Resource")]
)
def test_what_is_none_of_its_kind_ends_the_server_with_a_line(kind: str, is_none: str, place: Path, home: Home) -> None:
    import subprocess

    installed(place, "broken", "BROKEN = 5\n", **{f"{kind}s": "broken"})
    who = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": who}) + "\n"
    done = subprocess.run(
        conftest.SERVER, env=home.env, capture_output=True, text=True, cwd="/", input=asked, check=False
    )
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"] == "aisbx"  # nobody waited for it to be loaded
    assert done.returncode == 125
    assert len(done.stderr.splitlines()) == 1
    assert f"the {kind} 'broken' is no aisbx_mcp.{is_none}" in done.stderr.splitlines()[0]
