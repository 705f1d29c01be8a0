"""A podman container that stays, beside a sandbox that lasts: what `podman exec` of a command takes.

Its image is a directory of links: the system's /usr is mounted into it, as into a sandbox. Nothing of the user's own
podman is touched.
"""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.tools import PATH, UnavailableError, must

_LIMIT = 120
_IMAGE = "aisbx-bench"
_NAME = "aisbx-bench"
_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
_START = ("run", "--detach", "--name", _NAME, "--network", "none", "--volume", "/usr:/usr:ro")
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")
"""What podman sets by itself is more than a caller may have."""


@contextmanager
def container(directory: Path, environ: Mapping[str, str]) -> Generator[list[str]]:
    """Have one below a directory; gives what runs a command in it, to be followed by the argument list.

    UnavailableError where there is no podman, or none that works here: with its own runtime, or with runc, which also
    knows machines that have both versions of cgroups.
    """
    podman = shutil.which("podman", path=PATH)
    if not podman:
        raise UnavailableError("there is no podman on this system: apt-get install podman")
    archive = directory / "image.tar"
    with tarfile.open(archive, "w") as tar:
        for name, target in _LINKS.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    words = [podman, "--root", f"{directory}/pods", "--runroot", f"{directory}/run"]
    words += ["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]
    try:
        must([*words, "import", str(archive), _IMAGE], environ, _LIMIT)
        words += _runtime(words, environ)
        yield [*words, "exec", _NAME]
    finally:
        remove = [*words, "rm", "--force", "--time", "0", _NAME]
        subprocess.run(remove, env=environ, capture_output=True, timeout=_LIMIT, check=False)
        if os.geteuid():  # the files of an image belong to ids that only its own user namespace may remove
            subprocess.run(
                [podman, "unshare", "rm", "-rf", f"{directory}/pods"], env=environ, capture_output=True, check=False
            )


def _runtime(words: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Start the container; gives the options that choose the runtime by which that went."""
    runc = shutil.which("runc", path=PATH)
    whys: list[str] = []
    for options in ([], ["--runtime", runc]) if runc else ([],):
        try:
            must([*words, *options, *_START, *_LIMITS, f"localhost/{_IMAGE}", "sleep", "infinity"], environ, _LIMIT)
        except UnavailableError as error:
            whys.append(str(error))
            subprocess.run([*words, "rm", "--force", _NAME], env=environ, capture_output=True, check=False)
        else:
            return options
    told = "; with runc: ".join(whys)
    raise UnavailableError(told if runc else f"{told} (there is no runc to try: apt-get install runc)")
