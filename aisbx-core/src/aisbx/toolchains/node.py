"""Find the Node.js that people have: by a version file, on PATH, a manager's default, the system's, in this order."""

import os

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.paths import home, read_own
from aisbx.places import within
from aisbx.toolchains.choose import choose
from aisbx.toolchains.found import Toolchain
from aisbx.toolchains.installed import Kind, own_tools
from aisbx.toolchains.prefix import SYSTEM, checked
from aisbx.toolchains.versions import Manager
from aisbx.types import Mount

NODE = Kind("node", "node", ("include/node/node.h", "lib/node_modules/npm/package.json"))
FILES = {".nvmrc": "", ".node-version": "", ".tool-versions": "nodejs"}
MANAGERS = (
    Manager("nvm", "NVM_DIR", ".nvm", "versions/node", prefix="v", default="alias/default", aliases="alias"),
    Manager(
        *("fnm", "FNM_DIR", ".local/share/fnm", "node-versions"),
        prefix="v",
        inner="installation",
        current="aliases/default",
    ),
    Manager("Volta", "VOLTA_HOME", ".volta", "tools/image/node", default="tools/user/platform.json"),
    Manager("nodenv", "NODENV_ROOT", ".nodenv", "versions", default="version"),
    Manager("asdf", "ASDF_DATA_DIR", ".asdf", "installs/nodejs"),
    Manager("mise", "MISE_DATA_DIR", ".local/share/mise", "installs/node"),
)

# Without a network npm waits for one, several times, before it says so.
OFFLINE = {"npm_config_offline": "true"}
# Looks for a newer npm and asks for money: neither is for a sandbox.
_QUIET = {"npm_config_update_notifier": "false", "npm_config_fund": "false"}


def find(workspace: str | None, inputs: Inputs) -> Toolchain:
    """Give the mounts and PATH for the first Node.js in the order above, with what npm has installed globally."""
    return _node(workspace, inputs) | _global(workspace, inputs) | Toolchain(environment=_QUIET, offline=OFFLINE)


def _node(workspace: str | None, inputs: Inputs) -> Toolchain:
    if found := choose(NODE, "Node.js", MANAGERS, FILES, workspace, inputs, also=("nodejs",)):
        return found
    names = ", ".join(manager.name for manager in MANAGERS)
    raise ProfileError(
        f"no Node.js was found: not on PATH, with {names}, nor in /usr", key="toolchains", hint="install nodejs"
    )


def _global(workspace: str | None, inputs: Inputs) -> Toolchain:
    """Show what `npm install -g` left where the user told npm to (`prefix`), a directory of its own only."""
    prefix = inputs.env("NPM_CONFIG_PREFIX") or _npmrc(inputs)
    prefix = os.path.join(home(inputs), prefix[2:]) if prefix.startswith(("~/", "${HOME}/")) else prefix
    if not prefix.startswith("/"):
        return Toolchain()
    modules = os.path.join(prefix, "lib", "node_modules")
    inputs.note_link(modules)
    tools = own_tools(os.path.join(prefix, "bin"), inputs, workspace)
    if not tools.mounts or not os.path.isdir(modules):
        return Toolchain()
    real = checked(modules, inputs, workspace, why=f"npm's prefix {prefix}").real
    if within(real, SYSTEM) or (workspace and within(real, workspace)):
        return Toolchain()
    return tools | Toolchain((Mount(real, real, origin="toolchain npm"),))


def _npmrc(inputs: Inputs) -> str:
    """Read `prefix` of the user's own ~/.npmrc; nothing else of it, it holds tokens."""
    data = read_own(home(inputs) / ".npmrc", inputs) or b""
    for line in data.decode("utf-8", "replace").splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() == "prefix":
            return value.strip().strip("\"'").replace("${HOME}", "~")
    return ""
