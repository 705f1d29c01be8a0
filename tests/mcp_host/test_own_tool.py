"""A tool of somebody else's: the one that docs/mcp.md shows."""

import re
import sys
from pathlib import Path

import pytest

from tests.mcp_host import conftest
from tests.mcp_host.conftest import Home, connected

PAGE = Path(__file__).parents[2] / "docs/mcp.md"
BLOCK = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
START = "import sys; sys.path.insert(0, {place!r}); from aisbx_mcp.main import main; sys.exit(main())"


def installed(place: Path, name: str, module: str) -> None:
    (place / f"{name}.py").write_text(module)
    info = place / f"acme_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[aisbx.tools]\n{name} = {name}:{name.upper()}\n")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(conftest, "SERVER", [sys.executable, "-I", "-c", START.format(place=str(tmp_path))])
    return tmp_path


def test_the_tool_of_the_documents_works_and_its_arguments_are_checked(place: Path, home: Home) -> None:
    installed(place, "count_lines", BLOCK)
    with connected(home) as client:
        client.call("write_file", path="three", content="1\n2\n3\n")
        assert client.call("count_lines", path="three") == "3"
        assert client.refused("count_lines", path="nope").startswith("state: ")
        assert "path" in client.refused("count_lines", path=["x"])
        (tool,) = [one for one in client.portal.call(client.session.list_tools).tools if one.name == "count_lines"]
        assert tool.description == "Count the lines of a file in the sandbox."
        assert tool.annotations
        assert tool.annotations.read_only_hint


def test_what_is_no_tool_ends_the_server_with_a_line(place: Path, home: Home) -> None:
    import subprocess

    installed(place, "broken", "BROKEN = 5\n")
    done = subprocess.run(conftest.SERVER, env=home.env, capture_output=True, text=True, cwd="/", input="", check=False)
    assert done.returncode == 125
    assert "the tool 'broken' is no aisbx_mcp.tool.Tool" in done.stderr.splitlines()[0]
