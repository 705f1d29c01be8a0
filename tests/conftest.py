"""What holds for every test."""

import os
import resource
from collections.abc import Iterator
from ctypes import CDLL
from pathlib import Path

import pytest
from hypothesis import settings

# Nothing is written into the checkout, which may be read-only, and a slow machine is no failure.
settings.register_profile("house", database=None, deadline=None)
settings.load_profile("house")

_GET_DUMPABLE = 3
_KEPT = (
    *("Uid:", "Gid:", "Groups:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:"),
    *("CapEff:", "CapBnd:", "Umask:", "NStgid:"),
)


@pytest.fixture(autouse=True)
def unchanged_worker() -> Iterator[None]:
    """Fail a test that leaves this process another one: what comes after it would be refused for that."""
    before = _process()
    yield
    assert _process() == before


def _process() -> dict[str, object]:
    status = Path("/proc/self/status").read_text().splitlines()
    state: dict[str, object] = {line.split(":")[0]: line for line in status if line.startswith(_KEPT)}
    state |= {name: os.readlink(f"/proc/self/ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))}
    state["root"] = os.stat("/").st_ino
    state["dumpable"] = CDLL(None).prctl(_GET_DUMPABLE)
    for name in ("RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_FSIZE"):
        state[name] = resource.getrlimit(getattr(resource, name))
    return state
