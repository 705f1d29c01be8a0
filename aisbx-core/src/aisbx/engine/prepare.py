"""From a request to a specification, and to the driver that is to carry it out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from aisbx.admission import unmet
from aisbx.caches import kept_cache
from aisbx.errors import DriverUnavailableError, UsageError
from aisbx.identity import identity
from aisbx.inputs import Inputs
from aisbx.installation.hold import hold
from aisbx.installation.parts import parts
from aisbx.paths import cache_dir
from aisbx.plugins import Plugins
from aisbx.profiles import Finder, choose
from aisbx.resolve import real_sources, resolve
from aisbx.settings import Settings
from aisbx.toolchains import discover
from aisbx.types import ControlState, Driver, Enforcement, LocalDriver, LocalPlan, RunRequest, SandboxSpec
from aisbx.workspace import choose as choose_workspace

AUTO = "auto"
PREFERRED = ("bwrap", "chroot", "lima")
"""The order in which `auto` tries drivers; others follow by name."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, resolved; nothing has been made yet."""

    request: RunRequest
    spec: SandboxSpec
    driver: Driver
    enforcement: Enforcement


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would be: its spec, what would hold, and the controls for which it would be refused."""

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

    def prepare(self, request: RunRequest) -> Prepared:
        """Resolve a request and ask its driver. Raises AisbxErrors that say what is wrong with it."""
        if not self.plugins.names("driver"):
            self.load(PREFERRED[0])  # nothing can run: says which distribution to install, whatever else is missing
        spec, shell = self.resolve(request)
        if not request.command:
            request = replace(request, command=(shell,))
        driver = self.driver(request)
        return Prepared(request, spec, driver, driver.check(spec))

    def preview(self, request: RunRequest) -> Preview:
        """Say what a run would be, whether or not it would be admitted."""
        prepared = self.prepare(request)
        driver, spec = prepared.driver, prepared.spec
        refusals = tuple(unmet(spec, prepared.enforcement))
        plan = driver.plan(spec) if isinstance(driver, LocalDriver) and not refusals else None
        return Preview(spec, prepared.enforcement, plan, refusals)

    def resolve(self, request: RunRequest) -> tuple[SandboxSpec, str]:
        """Give the spec of a request and the shell that runs where it has no command."""
        finder = Finder(self.settings, self.plugins, self.inputs)
        profile = choose(request.profile, self.settings, finder, self.inputs)
        workspace = choose_workspace(request, profile, self.inputs)
        toolchain = discover(profile.toolchains, workspace, self.environ, self.inputs)
        who = identity(self.environ, self.inputs)
        cache = kept_cache(profile, workspace, self.inputs)
        spec = resolve(request, profile, self.settings, workspace, toolchain, who, cache)
        spec = real_sources(spec, self.settings.own_dirs, self.inputs)
        spec = hold(spec, parts(self.inputs), self.inputs)
        return spec, profile.shell or spec.environment.get("SHELL", "/bin/sh")

    def driver(self, request: RunRequest) -> Driver:
        """Give the driver that the request or the settings name; `auto` is the first that works here."""
        name = request.driver or self.settings.driver
        if name != AUTO:
            return self.load(name)
        names = self.plugins.names("driver")
        names.sort(key=lambda known: (PREFERRED.index(known) if known in PREFERRED else len(PREFERRED), known))
        problems: list[str] = []
        for known in names:
            driver = self.load(known)
            probed = driver.probe()
            if probed.usable:
                return driver
            problems.append(f"{known}: {probed.reason}")
        raise DriverUnavailableError("; ".join(problems), hint="see: aisbx doctor")

    def load(self, name: str) -> Driver:
        """Load one driver with its own table of the settings and a directory where it may cache."""
        own = self.settings.drivers.get(name, {})
        if "cache_dir" in own:
            raise UsageError(f"drivers.{name}.cache_dir is not for the settings to say", hint="remove it")
        cache = cache_dir(self.inputs)
        return self.plugins.get("driver", name, {**own, "cache_dir": str(cache)})


def directories(state: Path, cache: Path) -> tuple[Path, ...]:
    """Give the private directories that runs write to."""
    return (state, state / "runs", state / "scans", cache, cache / "plans", cache / "code", cache / "filters")
