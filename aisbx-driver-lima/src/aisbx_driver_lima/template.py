"""Lima's description of the machine. Pure. JSON, which is YAML too (YAML 1.2)."""

import json
from dataclasses import dataclass

from aisbx_driver_lima.configuration import Configuration

USER = "aisbx"
"""The account of the guest that everything of ours runs as."""
UID = 1000
CMDLINE = (
    "root=/dev/vda rw console=ttyS0 net.ifnames=0 no_timer_check quiet mitigations=auto panic=-1 "
    "init=/usr/lib/aisbx/init"
)
"""`no_timer_check`: under emulation the check of the timer fails now and then, and the kernel panics."""
VM_TYPES = {"linux": "qemu", "darwin": "vz", "win32": "wsl2"}
"""What Lima uses on a platform."""


@dataclass(frozen=True, slots=True)
class Image:
    """The files of a guest image, and the architecture in Lima's word for it."""

    disk: str
    kernel: str
    initrd: str
    arch: str


def template(image: Image, configuration: Configuration, vm_type: str) -> str:
    """Give the text: nothing of the host is mounted, forwarded or told to the guest."""
    kernel = {"location": image.kernel, "arch": image.arch, "cmdline": CMDLINE}
    disk = {
        "location": image.disk,
        "arch": image.arch,
        "kernel": kernel,
        "initrd": {"location": image.initrd, "arch": image.arch},
    }
    return json.dumps(
        {
            "vmType": vm_type,
            "arch": image.arch,
            "plain": True,
            "cpus": configuration.cpus,
            "memory": f"{configuration.memory}MiB",
            "disk": "4GiB",
            "images": [disk],
            "firmware": {"legacyBIOS": True},
            "containerd": {"system": False, "user": False},
            "mounts": [],
            "video": {"display": "none"},
            "audio": {"device": "none"},
            "user": {"name": USER, "uid": UID, "home": f"/home/{USER}", "shell": "/bin/bash"},
            "propagateProxyEnv": False,
            "hostResolver": {"enabled": False},
            "caCerts": {"removeDefaults": False},
            "ssh": {"localPort": 0, "loadDotSSHPubKeys": False, "forwardAgent": False},
        },
        indent=1,
    )
