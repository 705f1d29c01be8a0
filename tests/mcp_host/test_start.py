"""What a server has done when it answers `initialize`, and what not yet."""

import os
import subprocess
import sys
from pathlib import Path

from aisbx_mcp import lifeline

from tests.mcp_host.conftest import Home

_MADE = """
import logging, sys
from aisbx_mcp.options import ServeOptions
from aisbx_mcp.server import Server
from aisbx_mcp.service import Service
Server(Service(ServeOptions()))
logging.getLogger("x").warning("word " * 100)
print(*(name for name in sys.modules if name.startswith(("rich", "uvicorn.protocols", "aisbx_mcp.tools."))))
"""


def test_no_tool_is_made_before_the_first_answer_and_an_event_is_one_line_of_the_log(home: Home) -> None:
    done = subprocess.run([sys.executable, "-I", "-c", _MADE], env=home.env, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
    assert done.stderr == f"WARNING x: {'word ' * 100}\n"


def test_what_waits_for_a_servers_end_has_loaded_nothing() -> None:
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print({'aisbx', 'subprocess'} & {*sys.modules})"
    argv = [sys.executable, "-I", "-S", "-c", code, lifeline.__file__]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_directory_that_a_killed_server_leaves_is_removed_also_where_a_sandbox_has_closed_it(tmp_path: Path) -> None:
    left = tmp_path / "left"
    (left / "a/b").mkdir(parents=True)
    for closed in ("a", "."):
        (left / closed).chmod(0)
    argv = [sys.executable, "-I", "-S", lifeline.__file__]
    subprocess.run(argv, input=f"directory {left}\n", text=True, check=True)
    assert os.listdir(tmp_path) == []
