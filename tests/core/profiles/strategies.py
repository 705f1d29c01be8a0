"""Profiles as loading gives them: canonical, from domains small enough that they often meet."""

from aisbx.profiles import hosts
from aisbx.profiles.lattice import allowlist
from aisbx.types import (
    REACTIONS,
    Detection,
    Limit,
    LimitStrength,
    Mount,
    Network,
    NetworkMode,
    Profile,
    Reaction,
    Secret,
    WorkspaceMode,
)
from hypothesis import strategies as st

RULES = ["a.org", "b.org:443", "a.org:443", "*.org", "x.a.org", "*.a.org:443", "*.org:80", "[::1]:80", "10.0.0.1"]

names = st.sampled_from(["alpha", "beta", "gamma", "delta"])
modes = st.none() | st.sampled_from(list(WorkspaceMode))
networks = st.none() | st.one_of(
    st.just(Network()),
    st.just(Network(NetworkMode.OPEN)),
    st.lists(st.sampled_from(RULES), max_size=4).map(lambda rules: allowlist(hosts.union(rules))),
)
limits = st.dictionaries(
    st.sampled_from(["memory", "pids", "wall_time"]),
    st.builds(
        Limit, st.sampled_from([1.0, 2.0, 3.0]), st.sampled_from([LimitStrength.DEFAULT, LimitStrength.REQUIRED])
    ),
    max_size=3,
).map(lambda table: dict(sorted(table.items())))
mounts = st.dictionaries(
    st.sampled_from(["/m", "/n"]), st.tuples(st.sampled_from(["/s", "/t"]), st.booleans()), max_size=2
).map(lambda table: tuple(Mount(s, target, rw, "profile") for target, (s, rw) in sorted(table.items())))
_RULES = [Detection(id=name, severity="low", means="x") for name in "pqr"]
detections = st.frozensets(st.sampled_from(_RULES), max_size=2).map(lambda found: tuple(sorted(found)))
reactions = st.dictionaries(
    st.sampled_from(["high", "mount"]), st.sets(st.sampled_from(REACTIONS), min_size=1), max_size=2
).map(
    lambda table: tuple(
        Reaction(on=on, do=tuple(sorted(done, key=REACTIONS.index))) for on, done in sorted(table.items())
    )
)

runtimes = st.builds(
    Profile,
    name=names,
    description=st.sampled_from(["", "one", "two"]),
    toolchains=st.frozensets(st.sampled_from(["python", "node"])),
    mounts=mounts,
    environment=st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["", "1", "2"]), max_size=2),
    path=st.frozensets(st.sampled_from(["/p", "/q"])).map(lambda found: tuple(sorted(found))),
    cache=st.none() | st.booleans(),
    workspace_mode=modes,
    network=networks,
    syscalls=st.frozensets(st.sampled_from(["base", "debug", "numa"])),
    limits=limits,
    secrets=st.frozensets(
        st.sampled_from([Secret("x", target="f"), Secret("y", target="f"), Secret("x", variable="X")])
    )
    .filter(lambda found: len({each.place for each in found}) == len(found))
    .map(lambda found: tuple(sorted(found, key=lambda each: each.place))),
    preload=st.frozensets(st.sampled_from(["numpy", "pandas"])),
    detections=detections,
    reactions=reactions,
    shell=st.sampled_from(["", "/bin/sh", "/bin/bash"]),
)
restrictions = st.builds(
    Profile,
    name=names,
    description=st.sampled_from(["", "one", "two"]),
    restriction=st.just(value=True),
    workspace_mode=modes,
    network=networks,
    syscalls=st.frozensets(st.sampled_from(["base", "debug", "numa"])),
    limits=limits,
    detections=detections,
    reactions=reactions,
)
profiles = runtimes | restrictions
