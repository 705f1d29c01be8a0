"""What counts how often a limit was met, of one command."""

import gc
import os
from pathlib import Path
from typing import Any

from aisbx_linux.lasting.bounds import CommandBounds, Counts


class _Command:
    """As a command does it: it has its bounds, and they ask it for its process."""

    def __init__(self, plan: Any, held: Any) -> None:
        self.bounds = CommandBounds(plan, Counts(held))
        self.bounds.watch(1, self.process)

    def process(self) -> int:
        return 1


def test_the_files_that_count_are_closed_with_the_command_and_not_by_the_collector(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("max 0\n")
    plan: Any = {"cgroup": ("", [("", (), [("events", "max", "pids_limited")], True)]), "watch": None}
    before = set(os.listdir("/proc/self/fd"))
    gc.disable()
    try:
        command = _Command(plan, {"plan": plan, "groups": [str(tmp_path)]})
        (tmp_path / "events").write_text("max 1\n")
        command.bounds.settle()
        assert command.bounds.happened == {"pids_limited"}
        del command
        assert set(os.listdir("/proc/self/fd")) == before
    finally:
        gc.enable()
