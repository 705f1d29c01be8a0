"""A sandbox as its client sees it."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from aisbx.engine.opened import Opened
from aisbx.errors import UsageError
from aisbx.types import Files

from aisbx_mcp.kernels.pool import Kernels
from aisbx_mcp.running import Running


@dataclass(slots=True)
class Box:
    """A sandbox as its client sees it; `real` is its name for everybody else."""

    name: str
    real: str
    profile: str
    workspace: str
    opened: Opened
    kernels: Kernels
    running: dict[str, Running] = field(default_factory=dict[str, Running])
    shell: str = ""

    def path(self, path: str) -> str:
        """Give a path inside as an absolute one; what is relative is so to the workspace. UsageError for none."""
        if "\0" in path:
            raise UsageError("a path has no NUL", hint="leave it out")
        return posixpath.normpath(posixpath.join(self.workspace, path))

    @property
    def files(self) -> Files:
        """Its files; UsageError where its driver cannot reach them."""
        files = self.opened.sandbox.files
        if files is None:
            driver = self.opened.record.driver
            raise UsageError(f"driver {driver} cannot reach its sandboxes' files", hint="use commands such as cat")
        return files


def variables(given: Mapping[str, str] | None) -> dict[str, str]:
    """Give variables for a command; UsageError for a name that can be none."""
    for name, value in (given or {}).items():
        if not name or "=" in name or "\0" in name + value:
            raise UsageError(f"{name!r} is no name of a variable", hint="letters, digits and _")
    return dict(given or {})
