"""The machine of a user: made where it is missing, started where it stands, and left running for the next sandbox."""

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path

from aisbx_driver_lima import qemu
from aisbx_driver_lima.bundle import bundle
from aisbx_driver_lima.configuration import INSTANCE, Configuration
from aisbx_driver_lima.errors import unavailable
from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import Channel, ClosedError
from aisbx_driver_lima.image import find
from aisbx_driver_lima.limactl import Instance, Limactl, hindrance
from aisbx_driver_lima.template import USER, VM_TYPES, template

_OWN = f"/home/{USER}/.aisbx"
_START = (
    "umask 077; rm -rf {own}; mkdir -p {own}/code && tar -x -C {own}/code && "
    "exec setsid -f /usr/bin/python3 -I -S -c '"
    'import sys; sys.path.insert(0, "{own}/code"); '
    'sys.argv[0] = "aisbx"; import runpy; runpy.run_module("aisbx_driver_lima.guest.agent", run_name="__main__")'
    "' {own} {socket} </dev/null >{own}/log 2>&1"
)
_PAUSE = 0.05
_ANSWER = 20.0


class Machine:
    """One virtual machine by Lima; its directory is private, and holds the keys to it."""

    def __init__(self, configuration: Configuration, environ: Mapping[str, str]) -> None:
        """Look at nothing yet."""
        self._configuration = configuration
        self._environ = environ
        self.socket = os.path.join(configuration.home, "agent.sock")

    def hindrance(self) -> tuple[str, str]:
        """Say why there can be none here, and what to do; two empty texts where there can. Starts nothing."""
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        reason, remedy = hindrance(self._configuration, root=root)
        if reason:
            return reason, remedy
        image = find(self._configuration.image)
        if isinstance(image, str):
            return image, f"aisbx-driver-lima image build {self._configuration.image}"
        if VM_TYPES.get(sys.platform) != "qemu":
            return f"on {sys.platform} nothing of this driver has been run yet", "use it on Linux"
        if not qemu.find(image.arch):
            return f"there is no qemu-system-{image.arch} on PATH", "install QEMU (Debian: qemu-system-x86)"
        return "", ""

    def connect(self) -> Channel:
        """Give a connection to the agent in the guest, having started what is not there; DriverUnavailableError."""
        channel = self._dialled()
        if channel is not None:
            return channel
        with self._held():
            channel = self._dialled()
            if channel is None:
                self._start()
                channel = self._awaited()
        return channel

    def status(self) -> str:
        """Give the state of the instance in Lima's word; `absent` where there is none."""
        found = self._limactl().instance(INSTANCE) if os.path.isdir(self._configuration.home) else None
        return found.status if found else "absent"

    def remove(self) -> None:
        """End the machine and take it away with all in it."""
        if os.path.isdir(self._configuration.home):
            with self._held():
                self._limactl().delete(INSTANCE)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.socket)

    def _dialled(self) -> Channel | None:
        """Connect to an agent that is there and has this code; None where there is none."""
        digest = self._known()
        if digest != self._wanted():
            return None
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_ANSWER)
        try:
            connection.connect(self.socket)
            channel = Channel(connection)
            channel.send(frames.QUESTION, json.dumps({"op": "hello"}).encode())
            connection.settimeout(_ANSWER)
            kind, _ = channel.receive()
            channel.close()
            if kind != frames.RESULT:
                return None
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.socket)
        except (OSError, ClosedError):
            connection.close()
            return None
        return Channel(connection)

    def _awaited(self) -> Channel:
        end = time.monotonic() + self._configuration.start
        while (channel := self._dialled()) is None:
            if time.monotonic() > end:
                raise unavailable("the agent in the guest does not answer", "aisbx-driver-lima stop, and try again")
            time.sleep(_PAUSE)
        return channel

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
            limactl.delete(INSTANCE)
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
        """Bring the code in, start the agent, and have ssh forward a socket of ours to it."""
        digest, code = bundle()
        remote = f"/run/user-{USER}/agent-{digest}.sock"
        ssh = ["ssh", "-F", found.ssh_config, f"lima-{INSTANCE}"]
        self._ssh([*ssh, _START.format(own=_OWN, socket=remote)], code)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        forward = ["-o", "ControlPath=none", "-o", "ControlMaster=no", "-o", "ExitOnForwardFailure=yes"]
        forward += ["-o", "ServerAliveInterval=15", "-o", "StreamLocalBindMask=0177"]
        self._ssh([*ssh[:-1], *forward, "-f", "-N", "-L", f"{self.socket}:{remote}", ssh[-1]], b"")
        Path(self._configuration.home, "digest").write_text(self._wanted())

    def _ssh(self, words: list[str], given: bytes) -> None:
        log = os.path.join(self._configuration.home, "ssh.log")
        with open(log, "wb") as told:
            try:
                done = subprocess.run(
                    words,
                    input=given,
                    stdout=told,
                    stderr=told,
                    check=False,
                    timeout=60,
                    env=self._limactl().environment,
                    cwd="/",
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise unavailable(f"ssh to the guest: {error}", f"see {log}") from error
        if done.returncode:
            raise unavailable(f"ssh to the guest ended with {done.returncode}", f"see {log}")

    def _wanted(self) -> str:
        return f"{bundle()[0]} {self._template()[1]}"

    def _known(self) -> str:
        try:
            return Path(self._configuration.home, "digest").read_text()
        except OSError:
            return ""

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
