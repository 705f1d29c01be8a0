"""What docs/python.md shows is run, block by block, as one program each."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/python.md"
BLOCKS: list[str] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None and "bwrap" not in os.environ.get("AISBX_REQUIRE", "").split(","),
    reason="bubblewrap is not installed",
)


def test_every_example_runs(tmp_path: Path) -> None:
    assert len(BLOCKS) >= 11
    project = tmp_path / "home/project"
    project.mkdir(parents=True)
    # In turn in one process, as a reader would type them.
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(BLOCKS)],
        cwd=project,
        env={"HOME": str(tmp_path / "home"), "PATH": os.defpath, "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == ["draft", ""]
    assert "no-such-command: not found inside the sandbox command-not-found" in done.stdout
    assert "42" in done.stdout
