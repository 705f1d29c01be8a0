"""The sinks of an engine: each is loaded once, and nothing that goes wrong with one stops or changes a run."""

import logging
from dataclasses import replace
from functools import cached_property

from aisbx.engine.requests import current
from aisbx.plugins import Plugins
from aisbx.settings import Settings
from aisbx.types import REQUEST_END, Event, FlushableSink, Sink


class Sinks:
    """Those that the settings name."""

    def __init__(self, plugins: Plugins, settings: Settings, *, hold: bool = False) -> None:
        """Load nothing yet. `hold`: tell what happens in a request when that ends.

        A process that serves one run alone has one thread until then: with more of them it can make no namespaces.
        """
        self._hold = hold
        self._held: list[Event] = []
        self._plugins = plugins
        self._settings = settings

    @cached_property
    def loaded(self) -> dict[str, Sink]:
        """Them by name; an AisbxError says why one cannot be had."""
        tables = self._settings.sink_settings
        return {name: self._plugins.get("sink", name, tables.get(name, {})) for name in self._settings.sinks}

    def ready(self) -> None:
        """See that every one is there; an AisbxError says which is not."""
        assert len(self.loaded) <= len(self._settings.sinks)  # noqa: S101 - loading them is the point

    def emit(self, event: Event) -> None:
        """Hand an event to every one of them."""
        told = [event if event.request else replace(event, request=current())]
        if self._hold:
            self._held += told
            if current() and event.kind != REQUEST_END:
                return
            told, self._held = self._held, []
        for name, sink in self._known().items():
            for one in told:
                try:
                    sink.emit(one)
                except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on
                    _log(name, error)

    def flush(self) -> None:
        """Let them bring away what they have kept."""
        for name, sink in self._known().items():
            if isinstance(sink, FlushableSink):
                try:
                    sink.flush()
                except Exception as error:  # noqa: BLE001 - as above
                    _log(name, error)

    def _known(self) -> dict[str, Sink]:
        try:
            return self.loaded
        except Exception as error:  # noqa: BLE001 - what is asked for next is refused for it
            _log(", ".join(self._settings.sinks), error)
            return {}


def _log(name: str, error: Exception) -> None:
    logging.getLogger("aisbx").warning("sink %s: %s: %s", name, type(error).__name__, error)
