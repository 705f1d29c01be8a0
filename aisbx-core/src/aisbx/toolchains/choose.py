"""The order in which one kind of toolchain is looked for: what is named, a version file, PATH, what managers have."""

from collections.abc import Mapping, Sequence

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.toolchains.found import Toolchain
from aisbx.toolchains.installed import Kind, on_path
from aisbx.toolchains.versions import Manager, selected, usual


def choose(
    kind: Kind,
    what: str,
    managers: Sequence[Manager],
    files: Mapping[str, str],
    workspace: str | None,
    inputs: Inputs,
    *,
    variable: str = "",
    also: Sequence[str] = (),
) -> Toolchain | None:
    """Give the first toolchain of a kind, None where there is none.

    `variable` is the one that names a directory before all else; `also` are more names of the program, see `on_path`.
    ProfileError where what was named or asked for is not there, or may not be shown.
    """
    if variable and (named := inputs.env(variable)):
        if not named.startswith("/"):
            raise ProfileError(f"{variable}={named} is not an absolute path", hint=f"unset {variable} or correct it")
        return kind.at(named, inputs, workspace, why=f"{variable}={named}")
    directory, why = selected(what, managers, files, workspace, inputs)
    if directory:
        return kind.at(directory, inputs, workspace, why=why)
    if program := on_path(kind.program, inputs, workspace, also=also):
        return kind.of_program(program, inputs, workspace, why=f"the {what} at {program}")
    directory, why = usual(managers, inputs)
    return kind.at(directory, inputs, workspace, why=why) if directory else None
