"""Find the Go that people have: GOROOT, a version file, the one on PATH, a manager's, /usr/local/go, in this order."""

import os

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.paths import home
from aisbx.toolchains.choose import choose
from aisbx.toolchains.found import Toolchain
from aisbx.toolchains.installed import Kind, own_tools
from aisbx.toolchains.versions import Manager

# VERSION has been in every release since 2012; src is what GOROOT is for.
GO = Kind("go", "go", ("VERSION", "src/runtime/runtime.go"))
FILES = {".go-version": "", ".tool-versions": "golang"}
MANAGERS = (
    Manager("goenv", "GOENV_ROOT", ".goenv", "versions", default="version"),
    Manager("asdf", "ASDF_DATA_DIR", ".asdf", "installs/golang", inner="go"),
    Manager("mise", "MISE_DATA_DIR", ".local/share/mise", "installs/go"),
    # Where `go install golang.org/dl/go1.N@latest` puts them.
    Manager("~/sdk", "", "sdk", "", prefix="go"),
)
UNPACKED = "/usr/local/go"
"""Where go.dev's instructions put it, not always on PATH."""

# Without a network every module that is missing would wait for its proxy.
OFFLINE = {"GOPROXY": "off"}


def find(workspace: str | None, inputs: Inputs) -> Toolchain:
    """Give the mounts and PATH for the first Go in the order above, with the programs that `go install` left."""
    return _go(workspace, inputs) | _installed(workspace, inputs) | Toolchain(offline=OFFLINE)


def _go(workspace: str | None, inputs: Inputs) -> Toolchain:
    if found := choose(GO, "Go", MANAGERS, FILES, workspace, inputs, variable="GOROOT"):
        return found
    inputs.note_link(UNPACKED)
    if os.path.isdir(UNPACKED):
        return GO.at(UNPACKED, inputs, workspace, why="the Go in")
    names = ", ".join(manager.name for manager in MANAGERS)
    raise ProfileError(
        f"no Go was found: no GOROOT, not on PATH, with {names}, nor in {UNPACKED} or /usr",
        key="toolchains",
        hint="install golang-go",
    )


def _installed(workspace: str | None, inputs: Inputs) -> Toolchain:
    gopath = (inputs.env("GOPATH") or "").split(":")[0]
    directory = inputs.env("GOBIN") or os.path.join(gopath or os.path.join(home(inputs), "go"), "bin")
    return own_tools(directory, inputs, workspace) if directory.startswith("/") else Toolchain()
