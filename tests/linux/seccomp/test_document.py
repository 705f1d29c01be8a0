"""What is written about system calls is what filters are made of."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TOOL = ROOT / "tools/document_syscalls.py"


def test_the_tables_of_the_document_are_those_of_the_data() -> None:
    done = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_document_that_differs_is_noticed(tmp_path: Path) -> None:
    for name in ("tools", "docs"):
        (tmp_path / name).mkdir()
    copy = tmp_path / "tools" / TOOL.name
    copy.write_bytes(TOOL.read_bytes())
    text = (ROOT / "docs/syscalls.md").read_text().replace(" `vhangup`", "")
    (tmp_path / "docs/syscalls.md").write_text(text)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, copy, "--check"], capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 1
    assert "python tools/document_syscalls.py" in done.stderr
