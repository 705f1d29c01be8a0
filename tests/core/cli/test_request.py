"""From raw option strings to a request: the reading that both fronts share."""

from collections.abc import Mapping

import pytest
from aisbx.cli.request import OPTIONS, parse_mount, parse_network, parse_workspace, to_request
from aisbx.errors import UsageError
from aisbx.types import MountRequest, Network, NetworkMode, RunRequest, WorkspaceMode, WorkspaceRequest
from hypothesis import given
from hypothesis import strategies as st


def request(options: Mapping[str, list[str]], *command: str) -> RunRequest:
    return to_request(options, command or ("true",), "/src/app")


def test_no_options_ask_for_nothing() -> None:
    assert request({}) == RunRequest(command=("true",), cwd="/src/app")


def test_profiles_are_split_at_plus_and_repeated_ones_add_up() -> None:
    assert request({"profile": ["a+b", "c"]}).profile == ("a", "b", "c")


@pytest.mark.parametrize("value", ["", "+", "a+", "+a", "a++b"])
def test_an_empty_profile_name_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="--profile"):
        request({"profile": [value]})


def test_the_last_of_an_option_with_one_value_counts() -> None:
    made = request({"driver": ["chroot", "bwrap"], "timeout": ["1s", "2m"], "workspace": ["a", "b:ro"]})
    assert made.driver == "bwrap"
    assert made.limits == {"wall_time": 120}
    assert made.workspace == WorkspaceRequest("b", WorkspaceMode.RO)


def test_each_limit_has_the_name_of_the_contract() -> None:
    made = request(
        {"timeout": ["1m"], "memory": ["1G"], "pids": ["9"], "cpus": ["1.5"], "disk": ["2M"], "output": ["3K"]}
    )
    assert made.limits == {
        "wall_time": 60,
        "memory": 1 << 30,
        "pids": 9,
        "cpus": 1.5,
        "disk": 2 << 20,
        "output": 3 << 10,
    }


@pytest.mark.parametrize("option", ["timeout", "memory", "pids", "cpus", "disk", "output"])
@pytest.mark.parametrize("value", ["", "0", "-1", "nan", "much"])
def test_a_wrong_limit_names_its_option(option: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"^--{option}: "):
        request({option: [value]})


@pytest.mark.parametrize(
    ("value", "path", "mode"),
    [
        ("src", "src", None),
        ("src:ro", "src", WorkspaceMode.RO),
        ("src:rw", "src", WorkspaceMode.RW),
        ("src:cow", "src", WorkspaceMode.COW),
        ("src:guarded", "src", WorkspaceMode.GUARDED),
        ("a:b", "a:b", None),
        ("a:b:ro", "a:b", WorkspaceMode.RO),
        ("x:rw:rw", "x:rw", WorkspaceMode.RW),
        ("a:RO", "a:RO", None),
        ("a:", "a:", None),
        ("ro", "ro", None),
        (".:ro", ".", WorkspaceMode.RO),
    ],
)
def test_only_one_of_the_four_modes_is_taken_off_a_workspace(value: str, path: str, mode: WorkspaceMode | None) -> None:
    assert parse_workspace(value) == WorkspaceRequest(path, mode)


@given(st.text(alphabet="ab:/row", min_size=1), st.sampled_from(list(WorkspaceMode)))
def test_any_directory_name_can_be_a_workspace(name: str, mode: WorkspaceMode) -> None:
    assert parse_workspace(f"{name}:{mode.value}") == WorkspaceRequest(name, mode)


@pytest.mark.parametrize("value", ["", ":ro", ":guarded"])
def test_a_workspace_without_a_directory_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="--workspace"):
        parse_workspace(value)


@pytest.mark.parametrize(
    ("value", "mount"),
    [
        ("/a:/b", MountRequest("/a", "/b")),
        ("/a:/b:ro", MountRequest("/a", "/b")),
        ("/a:/b:rw", MountRequest("/a", "/b", writable=True)),
        ("rel:/b", MountRequest("rel", "/b")),
        ("/a:b:/c", MountRequest("/a:b", "/c")),
        ("C:\\data:/c:rw", MountRequest("C:\\data", "/c", writable=True)),
    ],
)
def test_a_mount_is_read_only_unless_it_says_rw(value: str, mount: MountRequest) -> None:
    assert parse_mount(value) == mount


@pytest.mark.parametrize("value", ["", "/a", ":/b", "/a:", "/a:b", "/a:rw", "/a:ro", "rw", ":", ":rw"])
def test_half_a_mount_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="--mount"):
        parse_mount(value)


def test_network_modes_and_lists() -> None:
    assert parse_network("none") == Network(NetworkMode.NONE)
    assert parse_network("open") == Network(NetworkMode.OPEN)
    made = parse_network("allow=PyPI.example:443,*.example.com,10.0.0.1:80,[2001:DB8::1]:443,[::1]")
    assert made == Network(
        NetworkMode.ALLOWLIST, ("*.example.com", "10.0.0.1:80", "::1", "[2001:db8::1]:443", "pypi.example:443")
    )


@pytest.mark.parametrize(
    "value",
    [
        "",
        "all",
        "Open",
        "allow",
        "allow=",
        "allow=,",
        "allow=a,",
        "allow=a:0",
        "allow=a:65536",
        "allow=a:x",
        "allow=a:",
        "allow=:80",
        "allow=a b",
        "allow=a\0.b",
        "allow=a/b",
        "allow=user@host",
        "allow=exämple.com",
        "allow=a:٨٠",
        "allow=[]",
        "allow=[a;b]",
        "allow=[::1]x",
    ],
)
def test_a_network_that_could_be_read_in_two_ways_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="--network"):
        parse_network(value)


def test_variables_may_hold_anything_behind_the_first_equals_sign() -> None:
    made = request({"env": ["A=1", "B=x=y\n", "C=", "A=2"]})
    assert made.environment == {"A": "2", "B": "x=y\n", "C": ""}


@pytest.mark.parametrize("value", ["hunter2", "=hunter2", "="])
def test_a_variable_without_a_name_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        request({"env": [value]})
    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("value", ["", "0", "65536", "http", "-1", "80:80", "9" * 5000])
def test_a_published_port_is_a_port(value: str) -> None:
    assert request({"publish": ["80", "443"]}).publish == (80, 443)
    with pytest.raises(UsageError, match="--publish"):
        request({"publish": [value]})


def test_a_sandbox_that_is_there_is_no_request_and_not_ignored() -> None:
    with pytest.raises(UsageError, match="--sandbox"):
        request({"sandbox": ["dev"]})
    with pytest.raises(UsageError, match="--sandbox"):
        request({"sandbox": [""]})


def test_an_option_that_nobody_reads_is_refused() -> None:
    with pytest.raises(UsageError, match="--privileged"):
        request({"privileged": ["yes"]})


def test_an_empty_driver_is_refused() -> None:
    assert request({"driver": ["auto"]}).driver == "auto"
    with pytest.raises(UsageError, match="--driver"):
        request({"driver": [""]})


def test_the_command_is_kept_word_by_word() -> None:
    words = ("--", "-p", "x y", "", "\udcff", "$(id)")
    assert request({}, *words).command == words


@given(st.dictionaries(st.sampled_from(sorted(OPTIONS)), st.lists(st.text(max_size=12), max_size=3)))
def test_any_strings_give_a_request_or_a_usage_error(options: dict[str, list[str]]) -> None:
    try:
        made = request(options)
    except UsageError as error:
        refusal = error
    else:
        assert made.command == ("true",)
        return
    assert refusal.message
    assert refusal.hint


def test_the_lean_front_knows_the_modes_of_a_workspace() -> None:
    lean = pytest.importorskip("aisbx.cli.lean", reason="it is for systems with posix", exc_type=ImportError)
    assert set(lean.MODES) == {mode.value for mode in WorkspaceMode}
