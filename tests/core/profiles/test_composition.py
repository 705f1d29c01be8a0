"""Composition is a lattice on each side: the order of `-p a+b` does not matter, and restrictions only narrow."""

from collections.abc import Sequence
from itertools import permutations

import pytest
from aisbx.errors import ProfileError
from aisbx.profiles import Composition, narrower, widened
from aisbx.profiles.lattice import join, meet
from aisbx.types import (
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
from hypothesis import given
from hypothesis import strategies as st

from tests.core.profiles.strategies import profiles, restrictions, runtimes

CONTRADICTION = "contradiction"


def composed(*parts: Composition | Profile) -> Composition | str:
    """Compose from the left; two contradictions count as equal, whichever message comes first."""
    result = Composition()
    try:
        for part in parts:
            result |= part if isinstance(part, Composition) else Composition.of(part)
    except ProfileError:
        return CONTRADICTION
    return result


def outcome(*parts: Composition | Profile | str) -> Composition | str:
    return CONTRADICTION if CONTRADICTION in parts else composed(*(p for p in parts if not isinstance(p, str)))


@given(st.lists(profiles, min_size=1, max_size=4))
def test_the_order_of_profiles_does_not_matter(parts: Sequence[Profile]) -> None:
    assert all(composed(*order) == composed(*parts) for order in permutations(parts))


@given(profiles, profiles, profiles)
def test_the_grouping_of_profiles_does_not_matter(a: Profile, b: Profile, c: Profile) -> None:
    assert outcome(composed(a, b), c) == outcome(a, composed(b, c))


@given(profiles, profiles)
def test_a_profile_that_is_named_twice_counts_once(a: Profile, b: Profile) -> None:
    assert composed(a, a) == composed(a)
    assert composed(a, b, a) == composed(a, b)


@given(profiles, profiles)
def test_a_composition_can_be_taken_apart_and_composed_again(a: Profile, b: Profile) -> None:
    whole = composed(a, b)
    if isinstance(whole, Composition):
        try:
            profile = whole.profile()
        except ProfileError:
            return
        assert outcome(Composition.of(profile), whole).profile() == profile  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]


@given(runtimes, restrictions)
def test_composing_with_a_restriction_is_always_narrower(runtime: Profile, restriction: Profile) -> None:
    whole = composed(runtime, restriction)
    assert isinstance(whole, Composition)
    if restriction.syscalls and not (runtime.syscalls or {"base"}) & restriction.syscalls:
        with pytest.raises(ProfileError, match="no system calls in common"):
            whole.profile()
    else:
        assert narrower(whole.profile(), runtime)


@given(st.lists(runtimes, min_size=1, max_size=3), restrictions, st.lists(restrictions, max_size=2))
def test_one_more_restriction_is_always_narrower_whatever_is_composed(
    given_: list[Profile], last: Profile, others: list[Profile]
) -> None:
    fewer, more = composed(*given_, *others), composed(*given_, *others, last)
    if isinstance(fewer, Composition) and isinstance(more, Composition):
        try:
            wide = fewer.profile()
            narrow = more.profile()
        except ProfileError:
            return
        assert narrower(narrow, wide)


@given(profiles)
def test_narrower_is_reflexive(a: Profile) -> None:
    assert narrower(a, a)


@given(profiles, profiles, profiles)
def test_narrower_is_transitive(a: Profile, b: Profile, c: Profile) -> None:
    if narrower(a, b) and narrower(b, c):
        assert narrower(a, c)


@given(restrictions, restrictions)
def test_both_parts_of_two_restrictions_are_at_least_as_wide(a: Profile, b: Profile) -> None:
    try:
        both = meet(a, b)
    except ProfileError:
        return
    base = Profile(name="base", network=Network(NetworkMode.OPEN), syscalls=frozenset({"base", "debug", "numa"}))
    whole = Composition(base, both).profile()
    for one in (a, b):
        assert narrower(whole, Composition(base, one).profile())


@given(runtimes, runtimes)
def test_every_limit_of_a_composition_is_the_larger_and_as_binding_as_either(a: Profile, b: Profile) -> None:
    try:
        both = join(a, b)
    except ProfileError:
        return
    for name in {*a.limits, *b.limits}:
        given_ = [profile.limits[name] for profile in (a, b) if name in profile.limits]
        assert both.limits[name].amount == max(limit.amount for limit in given_)
        required = any(limit.strength is LimitStrength.REQUIRED for limit in given_)
        assert (both.limits[name].strength is LimitStrength.REQUIRED) == required


WIDE = Profile(
    name="wide",
    toolchains=frozenset({"python"}),
    mounts=(Mount("/s", "/m", writable=False),),
    environment={"A": "1"},
    path=("/p",),
    workspace_mode=WorkspaceMode.COW,
    network=Network(NetworkMode.ALLOWLIST, ("a.org",)),
    syscalls=frozenset({"base"}),
    limits={"memory": Limit(2.0, LimitStrength.REQUIRED)},
    secrets=(Secret("x", target="x"),),
    shell="/bin/sh",
    detections=(Detection(id="p", severity="low", means="x"),),
    reactions=(Reaction(on="high", do=("alert", "kill")),),
    ceiling=Profile(name="r", restriction=True, limits={"memory": Limit(2.0)}),
)


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("toolchains", "toolchains", frozenset({"python", "node"})),
        ("mounts", "mounts", (Mount("/s", "/m", writable=True),)),
        ("mounts", "mounts", (Mount("/s2", "/m"),)),
        ("environment", "environment", {"A": "2"}),
        ("path", "path", ("/p", "/q")),
        ("workspace", "workspace_mode", WorkspaceMode.GUARDED),
        ("workspace", "workspace_mode", None),
        ("network", "network", Network(NetworkMode.OPEN)),
        ("network", "network", Network(NetworkMode.ALLOWLIST, ("*.org",))),
        ("syscalls", "syscalls", frozenset({"base", "debug"})),
        ("limits", "limits", {"memory": Limit(3.0, LimitStrength.REQUIRED)}),
        ("limits", "limits", {"memory": Limit(2.0)}),
        ("limits", "limits", {}),
        ("secrets", "secrets", (Secret("x", target="x"), Secret("y", target="y"))),
        ("secrets", "secrets", (Secret("x", variable="X"),)),
        ("preload", "preload", frozenset({"numpy"})),
        ("rootfs", "rootfs", "/other"),
        ("shell", "shell", "/bin/bash"),
        ("violations", "detections", ()),
        ("violations", "reactions", (Reaction(on="high", do=("kill",)),)),
        ("restrictions", "ceiling", None),
        ("restrictions", "ceiling", Profile(name="r", restriction=True)),
    ],
)
def test_going_beyond_in_any_one_field_is_not_narrower_and_is_named(key: str, field: str, value: object) -> None:
    from dataclasses import replace

    wider = replace(WIDE, **{field: value})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert widened(wider, WIDE) == (key,)
    assert not narrower(wider, WIDE)


def test_every_field_of_a_profile_is_compared() -> None:
    from dataclasses import fields

    compared = {"toolchains", "mounts", "environment", "path", "cache", "workspace_mode", "network", "syscalls"}
    names = {field.name for field in fields(Profile)} - {"name", "description", "restriction"}
    assert names == compared | {"limits", "secrets", "preload", "rootfs", "shell", "detections", "reactions", "ceiling"}


def test_contradicting_environment_names_both_values_and_profiles() -> None:
    one, other = (Profile(name=name, environment={"A": value}) for name, value in (("x", "1"), ("y", "")))
    with pytest.raises(ProfileError, match=r"environment.A: profiles x\+y say both '' and '1'"):
        join(one, other)


def test_two_sources_for_one_target_are_an_error() -> None:
    one, other = (Profile(name=name, mounts=(Mount(f"/{name}", "/m"),)) for name in ("x", "y"))
    with pytest.raises(ProfileError, match="mount both /x and /y at /m"):
        join(one, other)


def test_two_secrets_for_one_place_are_an_error_and_a_profiles_own_replaces_what_it_extends() -> None:
    one, other = (Profile(name=name, secrets=(Secret(name, variable="KEY"),)) for name in ("x", "y"))
    with pytest.raises(ProfileError, match=r"profiles x\+y have two secrets for KEY"):
        join(one, other)
    assert Composition.of(one).over(other).profile().secrets == other.secrets


def test_two_rules_of_one_id_are_an_error_and_a_profiles_own_replaces_what_it_extends() -> None:
    one, other = (
        Profile(name=name, detections=(Detection(id="r", severity="low", means=name),)) for name in ("x", "y")
    )
    with pytest.raises(ProfileError, match=r"profiles x\+y have two rules r"):
        join(one, other)
    assert Composition.of(one).over(other).profile().detections == other.detections


def test_a_restriction_to_reading_makes_the_mounts_read_only_too() -> None:
    runtime = Profile(name="x", mounts=(Mount("/s", "/m", writable=True),))
    readonly = Profile(name="readonly", restriction=True, workspace_mode=WorkspaceMode.RO)
    found = (Composition.of(runtime) | Composition.of(readonly)).profile()
    assert [mount.writable for mount in found.mounts] == [False]


def test_allow_lists_with_nothing_in_common_are_no_network_never_all_of_it() -> None:
    one, other = (
        Profile(name=name, restriction=True, network=Network(NetworkMode.ALLOWLIST, (rule,)))
        for name, rule in (("x", "a.org"), ("y", "b.org"))
    )
    runtime = Profile(name="r", network=Network(NetworkMode.OPEN))
    assert Composition(runtime, meet(one, other)).profile().network == Network(NetworkMode.NONE)


def test_a_restriction_that_allows_a_network_does_not_give_one() -> None:
    wide = Profile(name="wide", restriction=True, network=Network(NetworkMode.OPEN))
    assert Composition(Profile(name="r"), wide).profile().network is None


def test_system_calls_that_exclude_each_other_are_an_error_never_the_default() -> None:
    one = Profile(name="x", syscalls=frozenset({"debug"}))
    other = Profile(name="y", restriction=True, syscalls=frozenset({"base"}))
    with pytest.raises(ProfileError, match="no system calls in common"):
        Composition(one, other).profile()
