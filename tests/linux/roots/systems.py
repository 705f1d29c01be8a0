"""Small systems as tars, of programs and files of this machine's."""

import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

SHELL = ("sh", "cat", "ls", "id")


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, link: str = "", size: int = 0
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.mode, made.linkname, made.size = kind, mode, link, size
    return made


def written(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> str:
    """Write an archive; gives it as an origin."""
    with tarfile.open(path, "w") as archive:
        for member, content in entries:
            member.size = member.size or len(content)
            archive.addfile(member, io.BytesIO(content))
    return f"tar:{path}"


def system(path: Path, programs: Iterable[str] = SHELL, trees: Iterable[str] = ()) -> str:
    """Write a system that has these programs and directories; gives it as an origin."""
    with tarfile.open(path, "w") as archive:
        libraries: set[str] = set()
        for name in programs:
            program = os.path.realpath(f"/usr/bin/{name}")
            archive.add(program, f"usr/bin/{name}")
            libraries |= _needed(program)
        for tree in trees:
            archive.add(tree, tree.lstrip("/"), filter=_used)
            libraries |= {each for found in Path(tree).glob("**/*.so") for each in _needed(str(found))}
        for library in sorted(libraries):
            archive.add(os.path.realpath(library), f"usr/{library.removeprefix('/usr').lstrip('/')}")
        for name in ("bin", "lib", "lib64"):
            archive.addfile(entry(name, tarfile.SYMTYPE, link=f"usr/{name}"))
        for name, content in (("etc/ssl/certs/ours", b"ours"), ("opt/tool/said", b"tool")):
            archive.addfile(entry(name, size=len(content)), io.BytesIO(content))
        for name, mode in (("dev", 0o755), ("tmp", 0o1777)):
            archive.addfile(entry(name, tarfile.DIRTYPE, mode))
    return f"tar:{path}"


def _needed(program: str) -> set[str]:
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=False, timeout=30).stdout
    return set(re.findall(r"(/[^ ]+) \(", told))


def _used(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    spare = ("/test", "/tests", "/idlelib", "/lib2to3", "/ensurepip", "/__pycache__", "/dist-packages", "/turtledemo")
    return None if member.name.endswith(spare) else member
