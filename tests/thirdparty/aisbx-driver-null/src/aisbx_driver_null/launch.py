"""Turn a spec and a command into what `subprocess` wants. Pure: nothing is started here."""

from dataclasses import dataclass

from aisbx.types import Command, SandboxSpec


@dataclass(frozen=True, slots=True)
class Launch:
    """What is to be started: argv, environment and directory."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    cwd: str


def launch(spec: SandboxSpec, command: Command) -> Launch:
    """Give the launch of one command: its own variables win over the spec's."""
    environment = {"PATH": ":".join(spec.path), "HOME": spec.identity.home, **spec.environment, **command.environment}
    return Launch(command.argv, environment, command.cwd or spec.cwd)
