"""Attacks that write where nothing may be written: `fs:readonly-runtime`."""

import os
from collections.abc import Mapping
from dataclasses import replace

from aisbx.testing.attack import Attack
from aisbx.testing.scene import Scene
from aisbx.types import ExitStatus, Mount, SandboxSpec

_HOSTS = "#!/bin/sh\necho of the host\n"


def _toolchain(scene: Scene) -> Mapping[str, object]:
    """Make a toolchain of the user's own, as pyenv or nvm keep it, and a link to it in the workspace."""
    tool = scene.file("elsewhere", "toolchain", "bin", "tool", text=_HOSTS, mode=0o777)
    os.chmod(os.path.dirname(tool), 0o777)
    os.chmod(os.path.dirname(os.path.dirname(tool)), 0o777)
    os.symlink(tool, os.path.join(scene.workspace, "to-tool"))
    return {"tool": tool}


def _mounted(scene: Scene, spec: SandboxSpec) -> SandboxSpec:
    """Show the toolchain inside, read-only, at its own path."""
    path = os.path.join(scene.elsewhere, "toolchain")
    return replace(spec, mounts=(*spec.mounts, Mount(path, path, origin="toolchain")))


def _changed(scene: Scene, _status: ExitStatus) -> str:
    """Say what is not as it was in the toolchain."""
    found: list[str] = []
    for directory, names, files in os.walk(os.path.join(scene.elsewhere, "toolchain")):
        for name in names + files:
            path = os.path.join(directory, name)
            if name not in {"bin", "tool"}:
                found.append(f"{path} is new")
            elif name == "tool" and scene.read(path) != _HOSTS:
                found.append(f"{path} was changed")
            elif name == "tool" and os.stat(path).st_mode & 0o7777 != 0o777:
                found.append(f"the mode of {path} was changed")
    if not os.path.exists(os.path.join(scene.elsewhere, "toolchain", "bin", "tool")):
        found.append("the tool is gone")
    return "; ".join(found)


def _own(scene: Scene) -> Mapping[str, object]:
    """Make a tool in the workspace that the host will execute, as an environment with aisbx in it is."""
    return {"tool": scene.file("home", "project", "own", "bin", "tool", text=_HOSTS, mode=0o755)}


def _held(scene: Scene, spec: SandboxSpec) -> SandboxSpec:
    """Ask for it read-only, and for a mount over the directory above, which then cannot be renamed."""
    above = os.path.join(scene.workspace, "own")
    own = os.path.join(above, "bin")
    return replace(spec, mounts=(*spec.mounts, Mount(above, above, writable=True), Mount(own, own)))


def _swapped(scene: Scene, _status: ExitStatus) -> str:
    tool = os.path.join(scene.workspace, "own", "bin", "tool")
    return "" if scene.read(tool) == _HOSTS else "the host would execute another tool"


def _usr_is_not_writable() -> str:
    return "" if os.access("/usr/lib", os.W_OK) else "/usr cannot be written by this user anyway"


def _toolchain_attack(name: str, sentence: str, program: str) -> Attack:
    return Attack(
        id=f"fs:readonly-runtime/{name}",
        sentence=sentence,
        stage=_toolchain,
        shape=_mounted,
        evidence=_changed,
        program=program,
    )


ATTACKS = (
    _toolchain_attack(
        "overwrite",
        "write over a tool, by path and through a link in the workspace",
        """
            tries(put, facts["tool"])
            tries(put, "to-tool")
        """,
    ),
    _toolchain_attack(
        "remount",
        "make the toolchain writable again before writing",
        """
            directory = os.path.dirname(os.path.dirname(facts["tool"])).encode()
            libc.mount(None, directory, None, 0x1020, None)  # MS_REMOUNT | MS_BIND
            libc.umount2(directory, 2)  # MNT_DETACH
            tries(put, facts["tool"])
        """,
    ),
    _toolchain_attack(
        "replace",
        "put another file in a tool's place, or take the tool away",
        """
            fresh = os.path.dirname(facts["tool"]) + "/fresh"
            tries(put, fresh)
            tries(os.rename, fresh, facts["tool"])
            tries(os.unlink, facts["tool"])
        """,
    ),
    _toolchain_attack(
        "mode",
        "make a tool set-uid",
        """
            tries(os.chmod, facts["tool"], 0o4755)
        """,
    ),
    _toolchain_attack(
        "hard-link",
        "give a tool a second name in the workspace and write there",
        """
            os.link(facts["tool"], "second-name")
            put("second-name")
        """,
    ),
    Attack(
        id="fs:readonly-runtime/in-the-workspace",
        sentence="write a tool that lies read-only in the live workspace, or put another directory in its place",
        stage=_own,
        shape=_held,
        evidence=_swapped,
        program="""
            tries(put, "own/bin/tool")
            tries(os.rename, "own/bin", "own/away")
            tries(os.rename, "own", "away")
            for directory in ("own", "own/bin"):
                tries(os.mkdir, directory)
            tries(put, "own/bin/tool")
        """,
    ),
    Attack(
        id="fs:readonly-runtime/usr",
        sentence="create a file in /usr",
        unprovable=_usr_is_not_writable,
        program="""
            for place in ("/usr/lib", "/usr/bin", "/usr/local/lib"):
                path = place + "/" + token
                if tries(put, path):
                    os.unlink(path)
                    breach("created a file in " + place)
        """,
    ),
)
