"""The guest as who has its key sees it, outside of any sandbox: what a scene cannot see on the host."""

import shlex
import subprocess
from typing import ClassVar

from aisbx.testing.scene import Scene
from aisbx.types import Driver, WorkspaceMode

PLACE = "/home/aisbx/.aisbx"


class GuestScene(Scene):
    """A scene whose sandboxes get a copy of the workspace, which applies itself at the end."""

    mode: ClassVar[WorkspaceMode] = WorkspaceMode.GUARDED
    driver: ClassVar[Driver | None] = None

    def inside(self, path: str) -> bytes | None:
        """Give what a file holds in the layer of the sandbox that runs, or in what it shows."""
        name = path.removeprefix(f"{self.workspace}/")
        layers = f"{PLACE}/runs/*/state/layers/*/upper {PLACE}/sandboxes/*/home/layer/upper"
        done = inside(self.driver, f"for each in {layers}; do cat $each/{shlex.quote(name)} && exit; done; exit 1")
        return None if done.returncode else done.stdout

    def survivor(self) -> str:
        """Give evidence if a process of this scene is in the guest after everything should have ended."""
        pattern = f"{self.token[:-1]}[{self.token[-1]}]"  # which the words that look for it do not match
        done = inside(self.driver, f"sleep 0.5; grep -la '{pattern}' /proc/[0-9]*/cmdline")
        return f"processes live on in the guest: {done.stdout!r}" if done.stdout else ""


def inside(driver: Driver | None, command: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a shell's command in the guest."""
    assert driver is not None
    home = driver.machine._configuration.home  # pyright: ignore[reportAttributeAccessIssue]  (only this driver has one)
    words = ["ssh", "-F", f"{home}/aisbx/ssh.config", "lima-aisbx", f"sh -c {shlex.quote(command)}"]
    return subprocess.run(words, capture_output=True, check=False, timeout=60)
