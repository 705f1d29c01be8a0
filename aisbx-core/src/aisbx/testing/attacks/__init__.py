"""Every attack of the contract kit, by what it aims at. Add, never rename: reports name attacks by their ids."""

from collections.abc import Mapping
from types import MappingProxyType

from aisbx.testing.attack import Attack
from aisbx.testing.attacks import (
    allowlist,
    caller,
    calls,
    entries,
    files,
    information,
    limits,
    network,
    privileges,
    processes,
    runtime,
    secrets,
    sockets,
    sums,
    workspace,
)
from aisbx.types import CONTROLS

EVERY = (
    *files.ATTACKS,
    *runtime.ATTACKS,
    *workspace.ATTACKS,
    *processes.ATTACKS,
    *network.ATTACKS,
    *allowlist.ATTACKS,
    *secrets.ATTACKS,
    *calls.ATTACKS,
    *entries.ATTACKS,
    *sockets.ATTACKS,
    *privileges.ATTACKS,
    *caller.ATTACKS,
    *information.ATTACKS,
    *limits.ATTACKS,
    *sums.ATTACKS,
)

ATTACKS: Mapping[str, Attack] = MappingProxyType(
    {attack.id: attack for control in CONTROLS for attack in EVERY if attack.control == control}
)
"""id → attack, in the order of `CONTROLS`."""
