"""Run limactl, with an environment of our own making."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aisbx_driver_lima.configuration import LONGEST, Configuration
from aisbx_driver_lima.errors import unavailable

_SECONDS = 60.0
_TOLD = 400
INSTALL = (
    "install Lima 2: https://lima-vm.io/docs/installation/, or go install github.com/lima-vm/lima/v2/cmd/limactl@v2.2.0"
)


@dataclass(frozen=True, slots=True)
class Instance:
    """What Lima says of an instance."""

    status: str
    ssh_config: str
    directory: str


def hindrance(
    configuration: Configuration, *, root: bool, which: Callable[[str], str | None] = shutil.which
) -> tuple[str, str]:
    """Say why limactl cannot be used here, and what to do; two empty texts where it can. Starts nothing."""
    if root:
        return "Lima does not run as root", "run aisbx as an ordinary user"
    if configuration.limactl and not os.access(configuration.limactl, os.X_OK):
        return f"there is no {configuration.limactl}, which the settings name", INSTALL
    if not configuration.limactl and which("limactl") is None:
        return "there is no limactl on PATH", INSTALL
    if which("ssh") is None:
        return "there is no ssh on PATH", "install the OpenSSH client"
    if len(os.fsencode(configuration.home)) > LONGEST:
        why = f"{configuration.home} is too long for the sockets in it, {LONGEST} bytes at most"
        return why, "set home in [drivers.lima] to a short path of your own"
    return "", ""


class Limactl:
    """The command, for one LIMA_HOME."""

    def __init__(self, configuration: Configuration, environ: Mapping[str, str], qemu: Mapping[str, str]) -> None:
        """`qemu` are the variables by which Lima finds its QEMU. Nothing is started yet."""
        self._program = configuration.limactl or shutil.which("limactl", path=environ.get("PATH")) or "limactl"
        kept = {name: environ[name] for name in ("HOME", "PATH", "USER", "LOGNAME", "TMPDIR") if name in environ}
        self.environment = {**kept, "LIMA_HOME": configuration.home, "LC_ALL": "C.UTF-8", **qemu}

    def run(self, *words: str, seconds: float = _SECONDS, given: str = "") -> str:
        """Run it, and give what it printed; DriverUnavailableError with its last words where it fails."""
        try:
            done = subprocess.run(
                [self._program, "--tty=false", *words],
                input=given,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=seconds,
                env=self.environment,
                cwd="/",
            )
        except subprocess.TimeoutExpired:
            raise unavailable(f"limactl {words[0]} did not end within {seconds:g} s", "see: limactl list") from None
        except OSError as error:
            raise unavailable(f"{self._program}: {error.strerror}", INSTALL) from error
        if done.returncode:
            told = [line for line in done.stderr.splitlines() if "level=info" not in line] or [
                f"it ended with {done.returncode}"
            ]
            raise unavailable(f"limactl {words[0]}: {told[-1][-_TOLD:]}", "see: aisbx-driver-lima status")
        return done.stdout

    def instance(self, name: str) -> Instance | None:
        """Give what there is of an instance; None where there is none."""
        for line in self.run("list", "--json").splitlines():
            found = json.loads(line)
            if found.get("name") == name:
                return Instance(str(found["status"]), str(found.get("sshConfigFile", "")), str(found.get("dir", "")))
        return None

    def delete(self, name: str) -> None:
        """Take an instance away, whatever its state; nothing happens where there is none."""
        self.run("delete", "--force", name)
