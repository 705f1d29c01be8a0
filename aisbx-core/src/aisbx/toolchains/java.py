"""Find the Java that people have: JAVA_HOME, a version file, the one on PATH, SDKMAN's and others', in this order.

Maven and Gradle come along where there are any.
"""

import os
from collections.abc import Iterator

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.places import within
from aisbx.toolchains.choose import choose
from aisbx.toolchains.found import Toolchain
from aisbx.toolchains.installed import Kind, on_path
from aisbx.toolchains.prefix import SYSTEM, checked
from aisbx.toolchains.versions import Manager
from aisbx.types import Mount

# The runtime image since Java 9, and what came before it.
JAVA = Kind("java", "java", ("lib/modules", "lib/rt.jar", "jre/lib/rt.jar"))
FILES = {".sdkmanrc": "java", ".java-version": "", ".tool-versions": "java"}
MANAGERS = (
    Manager("SDKMAN", "SDKMAN_DIR", ".sdkman", "candidates/java", current="candidates/java/current"),
    Manager("jabba", "JABBA_HOME", ".jabba", "jdk"),
    Manager("asdf", "ASDF_DATA_DIR", ".asdf", "installs/java"),
    Manager("mise", "MISE_DATA_DIR", ".local/share/mise", "installs/java"),
)
BUILDERS = (
    (Kind("maven", "mvn", ("bin/m2.conf",)), ("MAVEN_HOME", "M2_HOME")),
    (Kind("gradle", "gradle", ("init.d/readme.txt", "README")), ("GRADLE_HOME",)),
)
ETC = "/etc"
_SETTINGS = ("java", "maven", "gradle")
"""How directories in /etc begin that Debian's and Fedora's packages link their settings to."""

# Only Maven 3.9 and newer reads it; older ones fail at the first name that they look up.
OFFLINE = {"MAVEN_ARGS": "--offline"}


def find(workspace: str | None, inputs: Inputs) -> Toolchain:
    """Give the mounts, PATH and JAVA_HOME for the first Java in the order above, and the builders that there are."""
    found = _java(workspace, inputs)
    if found.path:
        home = os.path.dirname(found.path[0])
        found |= Toolchain(_settings(home, inputs), environment={"JAVA_HOME": home})
    for kind, variables in BUILDERS:
        found |= _builder(kind, variables, workspace, inputs)
    return found | Toolchain(offline=OFFLINE)


def _java(workspace: str | None, inputs: Inputs) -> Toolchain:
    if found := choose(JAVA, "Java", MANAGERS, FILES, workspace, inputs, variable="JAVA_HOME"):
        return found
    names = ", ".join(manager.name for manager in MANAGERS)
    raise ProfileError(
        f"no Java was found: no JAVA_HOME, not on PATH, with {names}, nor in /usr",
        key="toolchains",
        hint="install default-jdk-headless",
    )


def _builder(kind: Kind, variables: tuple[str, ...], workspace: str | None, inputs: Inputs) -> Toolchain:
    sdkman = Manager(
        "SDKMAN", "SDKMAN_DIR", ".sdkman", f"candidates/{kind.name}", current=f"candidates/{kind.name}/current"
    )
    for variable in variables:
        named = inputs.env(variable)
        if named and named.startswith("/"):
            return _with_settings(kind.at(named, inputs, workspace, why=f"{variable}={named}"), kind, inputs)
    if program := on_path(kind.program, inputs, workspace):
        why = f"the {kind.name} at {program}"
        return _with_settings(kind.of_program(program, inputs, workspace, why=why), kind, inputs)
    directory = sdkman.usual(inputs)
    return kind.at(directory, inputs, workspace, why=f"SDKMAN's {kind.name}") if directory else Toolchain()


def _with_settings(found: Toolchain, kind: Kind, inputs: Inputs) -> Toolchain:
    """Add the settings in /etc of a builder that is the system's."""
    return found if found.mounts else found | Toolchain(tuple(_mounts([os.path.join(ETC, kind.name)], inputs)))


def _settings(home: str, inputs: Inputs) -> tuple[Mount, ...]:
    """Give the directories of /etc that the files of the system's JDK are links into: Java does not work without."""
    if not within(home, SYSTEM):
        return ()
    places: set[str] = set()
    for directory in ("conf", "lib"):
        inputs.note(os.path.join(home, directory))
        for entry in _entries(os.path.join(home, directory)):
            target = os.path.realpath(entry) if os.path.islink(entry) else ""
            if within(target, ETC) and target != ETC:
                places.add(os.path.join(ETC, os.path.relpath(target, ETC).split(os.sep)[0]))
    return tuple(_mounts(sorted(places), inputs))


def _mounts(places: list[str], inputs: Inputs) -> Iterator[Mount]:
    for place in places:
        inputs.note_link(place)
        if os.path.basename(place).startswith(_SETTINGS) and os.path.isdir(place):
            real = checked(place, inputs, None, why="the settings of Java").real
            yield Mount(real, place, origin="toolchain java")


def _entries(directory: str) -> list[str]:
    try:
        return [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
    except OSError:
        return []
