"""Attacks on the workspace: its mode (`fs:workspace`) and what in it the host would execute (`fs:protected`).

In a live workspace what appears during the run can only be caught at its end, so a driver answers PARTIAL there;
what it then still promises, that what exists is not changed and that no new hook is left armed, is attacked as well.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from aisbx.testing.attack import Attack
from aisbx.testing.scene import Scene
from aisbx.types import ExitStatus, Level, SandboxSpec, Workspace, WorkspaceMode

_HOOK = "#!/bin/sh\necho of the host\n"


def _in_mode(mode: WorkspaceMode) -> Callable[[Scene, SandboxSpec], SandboxSpec]:
    def shape(scene: Scene, spec: SandboxSpec) -> SandboxSpec:
        return replace(spec, workspace=Workspace(scene.workspace, mode))

    return shape


def _document(scene: Scene) -> Mapping[str, object]:
    scene.file("home", "project", "document", text="of the host", mode=0o666)
    os.chmod(scene.workspace, 0o777)
    return {}


def _document_changed(scene: Scene, _status: ExitStatus) -> str:
    path = os.path.join(scene.workspace, "document")
    names = set(os.listdir(scene.workspace)) - {"document"}
    if names:
        return f"{', '.join(sorted(names))} appeared in the workspace"
    if scene.read(path) != "of the host":
        return "the document was changed"
    return "" if os.stat(path).st_mode & 0o7777 == 0o666 else "the document's mode was changed"


def _repository(scene: Scene) -> Mapping[str, object]:
    """Make a repository with a hook, another one nested in it, and an `.envrc`; writable by all."""
    for place in (("home", "project"), ("home", "project", "vendored")):
        scene.file(*place, ".git", "HEAD", text="ref: refs/heads/main\n")
        scene.file(*place, ".git", "config", text="[core]\n\tbare = false\n", mode=0o666)
        scene.file(*place, ".git", "hooks", "pre-commit", text=_HOOK, mode=0o777)
        for name in ("objects", "refs"):
            os.makedirs(os.path.join(scene.root, *place, ".git", name))
    scene.file("home", "project", ".envrc", text="# of the host\n", mode=0o666)
    for directory, _, _ in os.walk(scene.workspace):
        os.chmod(directory, 0o777)
    return {"payload": f"#!/bin/sh\n# {scene.token}\n"}


_EXECUTED = ("config", "hooks/pre-commit", "hooks/post-checkout", "info/attributes")


def _armed(scene: Scene, _status: ExitStatus) -> str:
    """Say which of the files that the host executes now carry the attacker's text."""
    places = [os.path.join(scene.workspace, ".envrc")]
    for below in ("", "vendored", "fresh"):
        places += [os.path.join(scene.workspace, below, ".git", name) for name in _EXECUTED]
    armed = [place for place in places if scene.token in scene.read(place) and _would_run(place)]
    return f"the host would execute {', '.join(armed)}" if armed else ""


def _would_run(path: str) -> bool:
    """Git runs a hook that is executable; configuration acts whatever its mode is."""
    return "/hooks/" not in path or bool(os.stat(path).st_mode & 0o111)


def _protected(name: str, sentence: str, program: str) -> Attack:
    return Attack(
        id=f"fs:protected/{name}",
        sentence=sentence,
        stage=_repository,
        evidence=_armed,
        holds_from=Level.PARTIAL,
        program=program,
    )


ATTACKS = (
    Attack(
        id="fs:workspace/read-only",
        sentence="write, create, rename, link and change modes in a read-only workspace",
        stage=_document,
        shape=_in_mode(WorkspaceMode.RO),
        evidence=_document_changed,
        program="""
            tries(put, "document")
            tries(os.chmod, "document", 0o4755)
            tries(os.link, "document", "second-name")
            tries(os.rename, "document", "renamed")
            tries(put, "/proc/self/cwd/new")
        """,
    ),
    _protected(
        "overwrite-hook",
        "write over a hook that exists, in the repository and in one nested in it",
        """
            tries(put, ".git/hooks/pre-commit", facts["payload"])
            tries(put, "vendored/.git/hooks/pre-commit", facts["payload"])
        """,
    ),
    _protected(
        "replace-hook",
        "rename another file over a hook",
        """
            put("innocent", facts["payload"])
            tries(os.rename, "innocent", ".git/hooks/pre-commit")
        """,
    ),
    _protected(
        "swap-parent",
        "rename the hooks' directory, or the whole of .git, and put another in its place",
        """
            for old in (".git/hooks", ".git", "vendored/.git/hooks", "vendored"):
                if tries(os.rename, old, old + ".old"):
                    hooks = {"vendored": "/.git/hooks", ".git": "/hooks"}.get(old, "")
                    os.makedirs(old + hooks, exist_ok=True)
                    put(old + hooks + "/pre-commit", facts["payload"])
        """,
    ),
    _protected(
        "configuration",
        "make git run a program through .git/config, and direnv through .envrc",
        """
            text = "[core]\\n\\tfsmonitor = " + token + "\\n"
            tries(put, ".git/config", text)
            tries(put, "vendored/.git/config", text)
            tries(put, ".envrc", facts["payload"])
        """,
    ),
    _protected(
        "new-hook",
        "leave a hook behind where there was none, in this repository and in a new one",
        """
            tries(put, ".git/hooks/post-checkout", facts["payload"])
            os.makedirs("fresh/.git/hooks", exist_ok=True)
            os.makedirs("fresh/.git/objects", exist_ok=True)
            os.makedirs("fresh/.git/refs", exist_ok=True)
            put("fresh/.git/HEAD", "ref: refs/heads/main\\n")
            put("fresh/.git/hooks/post-checkout", facts["payload"])
        """,
    ),
)
