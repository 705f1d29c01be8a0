"""From a request to a specification, and to the driver that is to carry it out."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from aisbx.admission import require, require_able, unmet
from aisbx.caches import kept_cache
from aisbx.errors import AisbxError, ConfigError, DriverUnavailableError, LaunchError, UsageError, WorkspaceError
from aisbx.identity import identity
from aisbx.inputs import Inputs
from aisbx.installation.hold import hold
from aisbx.installation.parts import parts
from aisbx.paths import cache_dir
from aisbx.plan.known import DIRECTORY
from aisbx.plugins import Plugins
from aisbx.profiles import Finder, choose
from aisbx.resolve import real_rootfs, real_sources, resolve
from aisbx.settings import Settings
from aisbx.toolchains import discover
from aisbx.types import (
    ControlState,
    Driver,
    Enforcement,
    LocalDriver,
    LocalPlan,
    NetworkMode,
    RunRequest,
    SandboxSpec,
)
from aisbx.workspace import choose as choose_workspace
from aisbx.workspace import place

AUTO = "auto"
PREFERRED = ("bwrap", "chroot", "lima")
"""The order in which drivers are tried where nobody named one, the quickest first; others follow by name."""
STRONGEST = ("lima", "bwrap", "chroot")
"""The same where `auto` was asked for: a kernel of its own is one wall more."""
AGAIN = "it is planned anew the next time: run it again, and if it fails again see: aisbx doctor"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, resolved; nothing has been made yet."""

    request: RunRequest
    spec: SandboxSpec
    driver: Driver
    enforcement: Enforcement
    why: str
    """Why this driver."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would be: its spec, what would hold, and the controls for which it would be refused."""

    driver: str
    why: str
    """Why this driver."""
    spec: SandboxSpec
    enforcement: Enforcement
    plan: LocalPlan | None
    refusals: tuple[ControlState, ...]


class Preparation:
    """Resolves requests under one set of settings and plugins, noting in `inputs` all that it looks at."""

    def __init__(self, environ: Mapping[str, str], settings: Settings, plugins: Plugins, inputs: Inputs) -> None:
        """Keep what is needed; nothing is read yet."""
        self.environ = environ
        self.settings = settings
        self.plugins = plugins
        self.inputs = inputs
        self._known = ""
        """Where results are kept that need not be worked out again, once it may be read."""

    def enter(self, request: RunRequest) -> None:
        """See that the workspace shows nothing that aisbx keeps; only then is any of it used. WorkspaceError else."""
        try:
            place(request, self.inputs)
        except WorkspaceError:
            self._need_a_driver()
            raise
        self._known = self.plugins.cache = str(cache_dir(self.inputs) / DIRECTORY)

    def _need_a_driver(self) -> None:
        if not self.plugins.names("driver"):
            self.load(PREFERRED[0])  # nothing can run: says which distribution to install, whatever else is missing

    def prepare(self, request: RunRequest, principal: str = "", *, cache: str = "") -> Prepared:
        """Resolve a request and ask its driver. Raises AisbxErrors that say what is wrong with it.

        `cache` as for `load`.
        """
        self._need_a_driver()
        spec, shell = self.resolve(request, cache=cache)
        if spec.network.proxy is not None:
            proxy = replace(spec.network.proxy, principal=principal)
            spec = replace(spec, network=replace(spec.network, proxy=proxy))
        if not request.command:
            request = replace(request, command=(shell,))
        driver, enforcement, why = self.choose(request, spec, cache=cache)
        return Prepared(request, spec, driver, enforcement, why)

    def preview(self, request: RunRequest) -> Preview:
        """Say what a run would be, whether or not it would be admitted. What has to be made for that is gone again."""
        from aisbx.engine.scratch import renamed, scratch  # no run needs it

        self.enter(request)
        cache = cache_dir(self.inputs)
        with scratch(cache) as place:
            prepared = self.prepare(request, cache=place)
            driver, spec = prepared.driver, prepared.spec
            refusals = tuple(unmet(spec, prepared.enforcement))
            plan = driver.plan(spec) if isinstance(driver, LocalDriver) and not refusals else None
        usual = os.path.realpath(cache)
        mounts = (replace(mount, source=renamed(mount.source, place, usual)) for mount in spec.mounts)
        spec = replace(spec, mounts=tuple(mounts))
        return Preview(driver.name, prepared.why, spec, prepared.enforcement, renamed(plan, place, usual), refusals)

    def resolve(self, request: RunRequest, *, cache: str = "") -> tuple[SandboxSpec, str]:
        """Give the spec of a request and the shell that runs where it has no command.

        The cache of the project and profile is made where it is not there. `cache` as for `load`; os.devnull leaves
        that of the project out.
        """
        finder = Finder(self.settings, self.plugins, self.inputs)
        profile = choose(request.profile, self.settings, finder, self.inputs, cache=self._known)
        workspace = choose_workspace(request, profile, self.inputs)
        # What a root directory has is what there is: programs of the host's would not find their libraries.
        wanted = frozenset[str]() if request.rootfs or profile.rootfs else profile.toolchains
        toolchain = discover(wanted, workspace, self.environ, self.inputs)
        who = identity(self.environ, self.inputs)
        root = Path(cache) if cache else cache_dir(self.inputs)
        kept = kept_cache(profile, workspace, root) if cache != os.devnull else None
        spec = resolve(request, profile, self.settings, workspace, toolchain, who, kept)
        spec = real_sources(spec, self.settings.own_dirs, self.inputs)
        spec = real_rootfs(spec, self.settings.own_dirs, self.inputs)
        spec = hold(spec, parts(self.inputs), self.inputs)
        if spec.network.mode is NetworkMode.ALLOWLIST:
            from aisbx.egress import job  # most have no network

            spec = job.with_proxy(spec, self.settings, self.plugins, self.inputs)
        return spec, profile.shell or spec.environment.get("SHELL", "/bin/sh")

    def choose(self, request: RunRequest, spec: SandboxSpec, *, cache: str = "") -> tuple[Driver, Enforcement, str]:
        """Give the driver that the request or the settings name, what it says of the spec, and why it is that one.

        Where the request says `auto` it is the first in the order of `STRONGEST` that works here and holds all that the
        spec requires, where only the settings do of `PREFERRED`; where none does, the first that works.
        DriverUnavailableError where none works; UsageError as of `Driver.check`. `cache` as for `load`.
        """
        name, order = request.driver or self.settings.driver, STRONGEST if request.driver == AUTO else PREFERRED
        names = [name] if name != AUTO else self.plugins.names("driver")
        names.sort(key=lambda known: (order.index(known) if known in order else len(order), known))
        against: dict[str, str] = {}
        remedies: list[str] = []
        short: tuple[Driver, Enforcement] | None = None
        refusal: UsageError | None = None
        for known in names:
            driver = self.load(known, cache=cache)
            probed = driver.probe()
            if not probed.usable:
                against[known] = probed.reason
                remedies += [probed.remedy] if probed.remedy else []
                continue
            try:
                require_able(spec, driver)
                enforcement = driver.check(spec)
            except UsageError as error:
                refusal, against[known] = refusal or error, error.message
                continue
            lacking = [state.control for state in unmet(spec, enforcement)]
            if not lacking:
                return driver, enforcement, _why(request, name, known, against)
            short = short or (driver, enforcement)
            against[known] = f"does not hold {', '.join(lacking)} here"
        if short is not None:
            return *short, _why(request, name, short[0].name, against)
        if refusal is not None:
            raise refusal
        message = "; ".join(f"{known}: {reason}" for known, reason in against.items())
        raise DriverUnavailableError(message, hint="; or ".join(dict.fromkeys(remedies)) or "see: aisbx doctor")

    def load(self, name: str, *, cache: str = "") -> Driver:
        """Load one driver with its own table of the settings and a directory where it may cache, the user's or `cache`.

        With one where nothing is, such as `scratch` gives, what it says is found out anew; with os.devnull too, but
        for what it has to make something to find out.
        """
        own = self.settings.drivers.get(name, {})
        if "cache_dir" in own:
            raise UsageError(f"drivers.{name}.cache_dir is not for the settings to say", hint="remove it")
        try:
            return self.plugins.get("driver", name, {**own, "cache_dir": cache or str(cache_dir(self.inputs))})
        except ConfigError as error:
            where = self.settings.origins().get(error.key)
            if error.file or where is None:
                raise
            raise ConfigError(f"{where}: {error.message}", key="", hint=error.hint) from None

    def explain(self, request: RunRequest, error: LaunchError) -> AisbxError:
        """Say why a launch failed that was admitted: what would refuse it now, looked at anew; else the error itself.

        A plan, and what a driver remembers of the machine, can be older than what has become of it. A process whose
        launch got as far as its walls can start no other, and does not look.
        """
        try:
            if _walled():
                return LaunchError(error.message, hint=error.hint or AGAIN)
            from aisbx.engine.scratch import scratch  # most launches do not fail

            spec = self.resolve(request)[0]
            with scratch(cache_dir(self.inputs)) as place:
                require(spec, self.choose(request, spec, cache=place)[1])
        except AisbxError as found:
            return found
        return LaunchError(error.message, hint=error.hint or AGAIN)


def _why(request: RunRequest, name: str, chosen: str, against: Mapping[str, str]) -> str:
    """Say why a driver was chosen where `name` was to be taken, and what spoke against others."""
    if name != AUTO:
        return "it is the one that was named"
    others = "; ".join(f"{name}: {reason}" for name, reason in against.items() if name != chosen)
    first = "it is the strongest that holds all that is required" if request.driver else "it holds all that is required"
    if chosen in against:
        first = f"none here holds all that is required: it {against[chosen]}"
    return f"{first}; {others}" if others else first


def _walled() -> bool:
    """Tell whether what this process starts next is in another PID namespace than itself (namespaces(7))."""
    try:
        return os.readlink("/proc/self/ns/pid_for_children") != os.readlink("/proc/self/ns/pid")
    except FileNotFoundError:
        return os.path.exists("/proc/self/ns/pid")  # the other one's first process has ended


def directories(state: Path, cache: Path) -> tuple[Path, ...]:
    """Give the private directories that runs write to."""
    kept = (cache / name for name in ("plans", DIRECTORY, "code", "filters"))
    return (state, state / "runs", state / "scans", state / "layers", cache, *kept)
