"""Find the Go that people have: GOROOT, a version file, the one on PATH, a manager's, /usr/local/go, in this order."""

import os

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.paths import home
from aisbx.toolchains.found import Toolchain
from aisbx.toolchains.installed import Kind, on_path, own_tools
from aisbx.toolchains.versions import Manager, selected, usual

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
    if named := inputs.env("GOROOT"):
        if not named.startswith("/"):
            raise ProfileError(f"GOROOT={named} is not an absolute path", hint="unset GOROOT or correct it")
        return GO.at(named, inputs, workspace, why=f"GOROOT={named}")
    directory, why = selected("Go", MANAGERS, FILES, workspace, inputs)
    if directory:
        return GO.at(directory, inputs, workspace, why=why)
    if program := on_path("go", inputs, workspace):
        return GO.of_program(program, inputs, workspace, why=f"the Go at {program}")
    directory, why = usual(MANAGERS, inputs)
    inputs.note_link(UNPACKED)
    if not directory and os.path.isdir(UNPACKED):
        directory, why = UNPACKED, "the Go in"
    if directory:
        return GO.at(directory, inputs, workspace, why=why)
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
