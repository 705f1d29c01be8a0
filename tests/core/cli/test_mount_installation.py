"""Bind mounts of the host that show the aisbx that runs under a second name, where no mount of ours would hold it."""

from pathlib import Path

import aisbx
import pytest

from .conftest import Cli
from .test_mount import in_a_namespace

PACKAGE = Path(aisbx.__file__).parent
NAMES = {
    "a part, below the workspace": ("mkdir sub; mount --bind {package} sub", "sub/cli", "sub too"),
    "what lies in a part, below the workspace": ("mkdir sub; mount --bind {package}/cli sub", "sub", "sub too"),
    "what holds a part, below the workspace": ("mkdir sub; mount --bind {package}/.. sub", "sub/aisbx/cli", "sub"),
    "what lies in a part, as the workspace": ("mkdir sub; mount --bind {package}/cli sub; cd sub", ".", "sub too"),
    "a part, as the workspace": ("mkdir sub; mount --bind {package} sub; cd sub", "cli", "may not be a writable"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_second_name_of_a_part_is_not_left_writable(cli: Cli, name: str) -> None:
    setup, where, said = NAMES[name]
    done = in_a_namespace(cli, setup.format(package=PACKAGE), "run", "--", "touch", f"{where}/planted")
    planted = PACKAGE / "cli" / "planted"
    was_there = planted.exists()
    planted.unlink(missing_ok=True)
    assert not was_there, "it wrote the aisbx that ran it"
    assert done.returncode == 125, done.stdout + done.stderr
    assert "may not be a writable workspace: it " in done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_read_only_workspace_may_show_it_by_any_name(cli: Cli) -> None:
    setup = f"mkdir sub; mount --bind {PACKAGE} sub"
    done = in_a_namespace(cli, setup, "run", "--dry-run", "-w", ".:ro", "--", "true")
    assert "may not be" not in done.stderr


def test_other_mounts_in_the_workspace_are_no_reason(cli: Cli) -> None:
    setup = "mkdir sub other; mount --bind other sub; mount -t tmpfs mine other"
    done = in_a_namespace(cli, setup, "run", "--dry-run", "--", "true")
    assert "may not be" not in done.stderr
