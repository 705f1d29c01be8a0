"""Compile the programs into the wheel where there is a C compiler, and tag it for the platform; else it is pure."""

import os
import runpy
import shutil
import sys
import sysconfig
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontHook(BuildHookInterface[Any]):
    """Adds what `native/build.py` makes to the scripts of the wheel."""

    _folder = ""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; a checkout's own environment does that itself, so an editable wheel has none."""
        if version == "editable" or not sys.platform.startswith("linux"):
            return
        self._folder = tempfile.mkdtemp(prefix="aisbx-front-")
        made = runpy.run_path(os.path.join(self.root, "native", "build.py"))
        programs = {os.path.join(self._folder, name): name for name in made["SOURCES"]}
        for program in programs:
            failed = made["build"](program)
            if failed:
                print(f"aisbx-linux: without the compiled programs, a pure wheel: {failed}", file=sys.stderr)
                return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        build_data["shared_scripts"] = programs

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Take away what was compiled."""
        shutil.rmtree(self._folder, ignore_errors=True)
