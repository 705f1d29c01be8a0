"""Every command that the documents show is run as it stands, in a project of its own, and does what they say."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .consoles import Block, blocks, matches

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
BLOCKS = [block for path in DOCUMENTS if path.exists() for block in blocks(path, str(path.relative_to(ROOT)))]

SCRIPT = "import sys\nprint('hello from', 'Python', sys.version_info.major)\n"


@pytest.fixture(scope="session")
def command() -> Path:
    """The directory with the `aisbx` that is installed beside this Python."""
    found = Path(sys.executable).parent
    assert (found / "aisbx").exists(), "install the distributions of this checkout first (./dev test does)"
    return found


@pytest.fixture
def project(tmp_path: Path, command: Path) -> Path:
    """Somebody's project, in a home of their own, with `./aisbx` as a checkout has it."""
    project = tmp_path / "home" / "project"
    project.mkdir(parents=True)
    (project / "script.py").write_text(SCRIPT)
    if (ROOT / "examples").exists():
        shutil.copytree(ROOT / "examples", project / "examples")
    (project / "aisbx").write_text(f'#!/bin/sh\nexec "{command}/aisbx" "$@"\n')
    (project / "aisbx").chmod(0o755)
    return project


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_the_commands_of_the_documents_do_what_they_say(block: Block, project: Path, command: Path) -> None:
    environ = {
        "HOME": str(project.parent),
        "PATH": f"{command}{os.pathsep}/usr/local/bin{os.pathsep}/usr/bin{os.pathsep}/bin",
        "LANG": "C.UTF-8",
        "USER": "somebody",
    }
    for step in block.steps:
        done = subprocess.run(
            ["bash", "-c", step.command],
            cwd=project,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        printed = done.stdout.decode(errors="backslashreplace")
        assert done.returncode == step.exit_code, f"{block.where}: {step.command}\n{printed}"
        assert not step.expected or matches(step.expected, printed), f"{block.where}: {step.command}\n{printed}"


def test_the_documents_show_commands() -> None:
    assert {"docs/cli.md"} <= {block.where.rpartition(":")[0] for block in BLOCKS}
