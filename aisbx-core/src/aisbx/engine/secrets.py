"""The last step before a launch: names of secrets become values, in this process's memory and nowhere else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from aisbx.engine import proxied
from aisbx.engine.prepare import Prepared
from aisbx.errors import AisbxError, ConfigError, PluginBrokenError, SecretError, UsageError
from aisbx.inputs import Inputs
from aisbx.paths import LARGEST, config_dir, state_dir
from aisbx.places import within
from aisbx.plugins import Plugins
from aisbx.settings import Settings
from aisbx.types import (
    SECRETS_PLACE,
    Binding,
    BoundSecrets,
    Command,
    Driver,
    Proxied,
    SandboxSpec,
    Secret,
    SecretDriver,
    Secrets,
)

if TYPE_CHECKING:
    from aisbx.engine.engine import Engine


def admit(engine: "Engine", prepared: Prepared) -> None:
    """Refuse, before any store is asked, what could not be given."""
    secrets, driver = prepared.spec.secrets, prepared.driver
    admit_files(secrets, driver, prepared.spec.targets())
    if any(secret.placeholder for secret in secrets):
        proxied.admit(engine, prepared.spec, driver, prepared.request.environment)


def admit_files(secrets: Iterable[Secret], driver: Driver, targets: Iterable[str]) -> None:
    """Refuse files that could not be given; `targets` is where something is mounted inside."""
    if not any(_is_file(secret) for secret in secrets):
        return
    if not isinstance(driver, SecretDriver):
        hint = "give them as variables (type=env), or take another driver"
        raise UsageError(f"the driver {driver.name} gives no secrets as files", hint=hint)
    for target in targets:
        if within(target, SECRETS_PLACE) or within(SECRETS_PLACE, target):
            raise UsageError(f"{target} is mounted where secrets are, at {SECRETS_PLACE}", hint="mount it elsewhere")


def without_variables(prepared: Prepared) -> None:
    """Refuse a sandbox that lasts with a secret as a variable, of which each command has its own; UsageError."""
    if variable := next((secret.variable for secret in prepared.spec.secrets if secret.variable), ""):
        hint = "aisbx exec NAME --secret SECRET,type=env; or leave out type=env"
        asked = any(secret.variable for secret in prepared.request.secrets)
        whose = "--secret" if asked else f"profile {prepared.spec.profile}"
        raise UsageError(f"{whose}: the variable {variable} is given with each command", hint=hint)


def supply(engine: "Engine", prepared: Prepared) -> Prepared:
    """Give an admitted request with the values of its secrets; SecretError where one can't be had."""
    secrets = prepared.spec.secrets
    if not secrets:
        return prepared
    values = _values(engine, secrets)
    driver, spec = _bearing(engine, prepared.driver, prepared.spec, values)
    request = prepared.request
    request = replace(request, environment={**request.environment, **_variables(secrets, values, request.environment)})
    return replace(prepared, request=request, spec=spec, driver=driver)


def supply_command(engine: "Engine", command: Command) -> Command:
    """Give a reviewed command with the values of its secrets, which all are variables; SecretError as above."""
    if not command.secrets:
        return command
    if other := next((secret.name for secret in command.secrets if not secret.variable), ""):
        what = f"the secret {other!r} is no variable, so it is given when a sandbox is made"
        raise UsageError(what, hint="name it there, or give it as a variable")
    values = _values(engine, command.secrets)
    variables = _variables(command.secrets, values, command.environment)
    return replace(command, environment={**command.environment, **variables}, secrets=())


def value(engine: "Engine", secret: Secret) -> bytes:
    """Give the value of a secret that is for this process; SecretError as above."""
    return _values(engine, (secret,))[secret].value


def supply_sandbox(engine: "Engine", driver: Driver, spec: SandboxSpec) -> tuple[Driver, SandboxSpec]:
    """Give driver and spec of a sandbox with its secrets, which have been admitted; SecretError as above."""
    return _bearing(engine, driver, spec, _values(engine, spec.secrets)) if spec.secrets else (driver, spec)


def load(name: str, plugins: Plugins, settings: Settings, inputs: Inputs) -> Secrets:
    """Give a secret store with its table of the settings, and where aisbx's own directories are."""
    own = settings.secret_settings.get(name, {})
    if taken := {"state_dir", "config_dir"} & own.keys():
        raise ConfigError(
            "is not for the settings to say", key=f"secret_settings.{name}.{min(taken)}", hint="remove it"
        )
    places = {"state_dir": str(state_dir(inputs)), "config_dir": str(config_dir(inputs))}
    return plugins.get("secrets", name, {**own, **places})


@dataclass(frozen=True, slots=True)
class Given:
    """What a store gave."""

    value: bytes = field(repr=False)
    binding: Binding | None = None


def _is_file(secret: Secret) -> bool:
    return not secret.variable and not secret.placeholder


def _bearing(
    engine: "Engine", driver: Driver, spec: SandboxSpec, values: Mapping[Secret, Given]
) -> tuple[Driver, SandboxSpec]:
    """Give a driver that has those of the values that are no variables, and the spec with what stands for them."""
    files = {secret.target: given.value for secret, given in values.items() if _is_file(secret)}
    carried: Proxied | None = None
    if any(secret.placeholder for secret in values):
        carried, variables = proxied.carry(engine, values)
        spec = replace(spec, environment={**spec.environment, **variables})
    if (files or carried) and isinstance(driver, SecretDriver):
        driver = driver.bearing(files, carried)
    return driver, spec


def _values(engine: "Engine", secrets: Iterable[Secret]) -> dict[Secret, Given]:
    _no_core()
    stores: dict[str, Secrets] = {}
    values: dict[Secret, Given] = {}
    for secret in secrets:
        name = secret.store or engine.settings.secret_store
        if name not in stores:
            stores[name] = load(name, engine.plugins, engine.settings, engine.decided)
        values[secret] = _given(secret, name, stores[name])
    return values


def _given(secret: Secret, name: str, store: Secrets) -> Given:
    try:
        bound = store.binding(secret.name) if isinstance(store, BoundSecrets) else None
        refused = _misplaced(secret, bound)
        value = b"" if refused else cast("object", store.get(secret.name))
    except AisbxError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is; what it says may have the value in it
        what = f"the secret store {name!r} failed: {type(error).__name__}"
        raise PluginBrokenError(what, hint="report it to the store's author") from None
    if refused is not None:
        raise refused
    if not isinstance(value, bytes):
        raise PluginBrokenError(f"the secret store {name!r} gave no bytes", hint="report it to its author")
    if len(value) > LARGEST:
        raise SecretError(
            f"the secret {secret.name!r} is larger than {LARGEST} bytes", hint="mount a file in its place"
        )
    if secret.variable and (b"\0" in value or not value):
        what = f"the secret {secret.name!r} cannot be a variable: it is empty, or has a NUL byte"
        raise SecretError(what, hint="give it as a file: leave out type=env")
    return Given(value, bound)


def _misplaced(secret: Secret, bound: Binding | None) -> SecretError | None:
    """Say why a secret may not be given in this way, whatever its value is; None where it may."""
    if secret.placeholder:
        if bound is None and secret.binding is None:
            what = f"the secret {secret.name!r} is for the proxy to put in, and nothing says for which host"
            return SecretError(what, hint="add host=HOST, or bind it: aisbx secret set NAME --host HOST")
        return None
    if bound is None:
        return None
    what = f"the secret {secret.name!r} is bound to {', '.join(bound.hosts)}, so it may not enter a sandbox"
    return SecretError(what, hint="have the proxy put it in: --secret NAME,type=proxy,target=VARIABLE")


def _variables(secrets: Iterable[Secret], values: Mapping[Secret, Given], present: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for secret in secrets:
        if secret.variable:
            if secret.variable in present:
                what = f"the variable {secret.variable} is given by --env and by a secret"
                raise UsageError(what, hint="leave one out")
            given[secret.variable] = values[secret].value.decode("utf-8", "surrogateescape")
    return given


def _no_core() -> None:
    """Have this process leave no core file from now on; what it starts has limits of its own.

    1, not 0: a core_pattern that is a pipe takes the core all the same at 0 (core(5)).
    """
    try:
        import resource
    except ImportError:  # no system with core files
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    soft = 1 if hard == resource.RLIM_INFINITY else min(1, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
