"""The machine of a user: made where it is missing, started where it stands, and left running for the next sandbox."""

import contextlib
import hashlib
import os
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aisbx.errors import StateError
from aisbx.types import NetworkMode, SandboxSpec

from aisbx_driver_lima import qemu
from aisbx_driver_lima.agent import Agent
from aisbx_driver_lima.bundle import bundle
from aisbx_driver_lima.configuration import INSTANCE, Configuration
from aisbx_driver_lima.errors import unavailable
from aisbx_driver_lima.guest.frames import Channel
from aisbx_driver_lima.image import find
from aisbx_driver_lima.limactl import Instance, Limactl, hindrance
from aisbx_driver_lima.lodgers import Lodgers
from aisbx_driver_lima.template import VM_TYPES, template

if TYPE_CHECKING:
    from aisbx_driver_lima.outlet import Running


def here() -> bool:
    """Tell whether this is a platform on which the driver has been run."""
    return VM_TYPES.get(sys.platform) == "qemu"


class Machine:
    """One virtual machine by Lima; its directory is private, and holds the keys to it."""

    def __init__(self, configuration: Configuration, environ: Mapping[str, str]) -> None:
        """Look at nothing yet."""
        self._configuration = configuration
        self._environ = environ
        self._agent = Agent(configuration.home)
        self.lasting = Lodgers(os.path.join(configuration.home, "_lasting"))
        """Those of its sandboxes, and of their snapshots, that last."""

    def hindrance(self) -> tuple[str, str]:
        """Say why there can be none here, and what to do; two empty texts where there can. Starts nothing."""
        if not here():
            return f"on {sys.platform} nothing of this driver has been run yet", "use it on Linux"
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        reason, remedy = hindrance(self._configuration, root=root)
        if reason:
            return reason, remedy
        image = find(self._configuration.image)
        if isinstance(image, str):
            return image, f"aisbx-driver-lima image build {self._configuration.image}"
        if not qemu.find(image.arch):
            return f"there is no qemu-system-{image.arch} on PATH", "install QEMU (Debian: qemu-system-x86)"
        return "", ""

    @property
    def socket(self) -> str:
        """The path at which the agent is reached while the machine runs."""
        return self._agent.socket

    def connect(self) -> Channel:
        """Give a connection to the agent in the guest, having started what is not there; DriverUnavailableError."""
        channel = self._dialled()
        if channel is not None:
            return channel
        with self._held():
            channel = self._dialled()
            if channel is None:
                self._start()
                channel = self._agent.await_one(self._configuration.start)
        return channel

    def reach(self, *, anew: bool = False) -> Channel:
        """Give a connection into a machine that runs; StateError where it has ended, and its sandboxes with it.

        `anew`: what the last connection led to did not answer.
        """
        if not anew:
            with contextlib.suppress(OSError):
                return self._agent.dial()
        with self._held():
            found = self._limactl().instance(INSTANCE)
            if found is None or found.status != "Running":
                raise StateError("the machine that it was in has ended", hint="see: aisbx-driver-lima status")
            channel = self._agent.greet()
            if channel is None:
                self._serve(found)
                channel = self._agent.await_one(self._configuration.start)
        return channel

    def outlet(self, spec: SandboxSpec, name: str, home: Path | None = None) -> "Running | None":
        """Have an allow-list held for the sandbox that the guest knows as `name`; None where it has none.

        `home` is that of one that lasts. DriverUnavailableError says why it is not held.
        """
        proxy = spec.network.proxy
        if proxy is None or spec.network.mode is not NetworkMode.ALLOWLIST:
            return None
        from aisbx_driver_lima.outlet import Job, Running

        who = (proxy.words, proxy.job, proxy.principal, "" if home else name, str(home or ""))
        return Running(Job(self._configuration.home, name, *who))

    def status(self) -> str:
        """Give the state of the instance in Lima's word; `absent` where there is none."""
        found = self._limactl().instance(INSTANCE) if os.path.isdir(self._configuration.home) else None
        return found.status if found else "absent"

    def remove(self, *, force: bool = True) -> None:
        """End the machine and take it away with all in it; StateError for sandboxes that last, without `force`."""
        if os.path.isdir(self._configuration.home):
            with self._held():
                if not force and self.status() == "Running":
                    self._refuse_losses("--force ends them too")
                self._limactl().delete(INSTANCE)
                self._agent.forget()
                self.lasting.clear()

    def _refuse_losses(self, hint: str) -> None:
        if lodgers := self.lasting.all():
            raise StateError(f"sandboxes that last are in the machine: {', '.join(lodgers)}", hint=hint)

    def _dialled(self) -> Channel | None:
        """Connect to an agent that is there and has this code; None where there is none."""
        return self._agent.greet() if self._agent.known() == self._wanted() else None

    def _start(self) -> None:
        reason, remedy = self.hindrance()
        if reason:
            raise unavailable(reason, remedy)
        limactl = self._limactl()
        text, digest = self._template()
        found = limactl.instance(INSTANCE)
        place = Path(self._configuration.home)
        made = place / "made"
        if found is not None and (found.status != "Running" or not made.exists() or made.read_text() != digest):
            if found.status == "Running":
                self._refuse_losses("its image or its settings have changed: aisbx destroy them, and it starts anew")
            limactl.delete(INSTANCE)
            self.lasting.clear()
            found = None
        if found is None:
            made.unlink(missing_ok=True)
            try:
                limactl.run("create", "--name", INSTANCE, "-", given=text)
                wait = f"{self._configuration.start}s"
                limactl.run("start", "--timeout", wait, INSTANCE, seconds=self._configuration.start + 30)
            except BaseException:
                with contextlib.suppress(Exception):
                    limactl.delete(INSTANCE)  # nothing half made is left
                raise
            made.write_text(digest)
            found = limactl.instance(INSTANCE)
        if found is None or not found.ssh_config:
            raise unavailable("Lima does not know its instance", "see: limactl list")
        self._serve(found)

    def _serve(self, found: Instance) -> None:
        self._agent.start(found, self._limactl().environment)
        self._agent.note(self._wanted())

    def _wanted(self) -> str:
        return f"{bundle()[0]} {self._template()[1]}"

    def _template(self) -> tuple[str, str]:
        image = find(self._configuration.image)
        if isinstance(image, str):
            raise unavailable(image, f"aisbx-driver-lima image build {self._configuration.image}")
        text = template(image, self._configuration, VM_TYPES[sys.platform])
        stamp = os.stat(image.disk)
        return text, hashlib.sha256(f"{text}{stamp.st_mtime_ns}{stamp.st_size}".encode()).hexdigest()

    def _limactl(self) -> Limactl:
        image = find(self._configuration.image)
        variables: dict[str, str] = {}
        if not isinstance(image, str):
            path = os.path.join(self._configuration.home, f"qemu-{image.arch}")
            variables[f"QEMU_SYSTEM_{image.arch.upper()}"] = path
            self._write_wrapper(path, image.arch)
        return Limactl(self._configuration, self._environ, variables)

    def _write_wrapper(self, path: str, arch: str) -> None:
        text = qemu.wrapper(qemu.find(arch), kvm=qemu.kvm_works())
        os.makedirs(self._configuration.home, mode=0o700, exist_ok=True)
        try:
            with open(path, encoding="utf-8") as file:
                if file.read() == text:
                    return
        except OSError:
            pass
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(f"{path}.new", 0o700)
        os.replace(f"{path}.new", path)

    @contextlib.contextmanager
    def _held(self) -> Generator[None]:
        """Have the machine for this process: two must not make it at once."""
        import fcntl

        os.makedirs(self._configuration.home, mode=0o700, exist_ok=True)
        descriptor = os.open(
            os.path.join(self._configuration.home, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
