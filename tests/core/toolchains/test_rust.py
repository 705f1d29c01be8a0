"""Which Rust is found, by rustup's layout and rules (recorded), and what of the host is shown for it."""

import platform
from pathlib import Path

import pytest
from aisbx.errors import ProfileError
from aisbx.toolchains import installed

from tests.core.toolchains.installs import find, install, mounted
from tests.core.toolchains.pythons import forbid_processes
from tests.core.world import World

RUST = ("bin/rustc", "bin/cargo", "lib/rustlib/components")
HOST = f"{platform.machine()}-unknown-linux-gnu"


@pytest.fixture(autouse=True)
def nothing_is_executed(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    forbid_processes(monkeypatch)
    monkeypatch.setattr(installed, "SYSTEM_PATH", (str(world.home.parent / "usr/bin"),))


def rustup(world: World, name: str) -> Path:
    return install(world.home / ".rustup/toolchains" / name, RUST)


@pytest.fixture
def several(world: World) -> dict[str, Path]:
    world.write(world.home / ".rustup/settings.toml", f'version = "12"\ndefault_toolchain = "stable-{HOST}"\n')
    return {name: rustup(world, f"{name}-{HOST}") for name in ("stable", "1.75.0", "nightly", "beta")}


def test_variable_override_file_and_default_in_rustups_order(world: World, several: dict[str, Path]) -> None:
    def chosen() -> list[str]:
        return mounted(find(world, "rust"))

    assert chosen() == [str(several["stable"])]
    world.write(world.project / "rust-toolchain.toml", '[toolchain]\nchannel = "nightly"\ncomponents = ["clippy"]\n')
    assert chosen() == [str(several["nightly"])]
    world.write(world.project / "rust-toolchain", "1.75.0\n")
    assert chosen() == [str(several["1.75.0"])]
    overrides = f'[overrides]\n"{world.project}" = "beta-{HOST}"\n"{world.home}" = "stable-{HOST}"\n'
    world.write(world.home / ".rustup/settings.toml", f'version = "12"\n{overrides}')
    assert chosen() == [str(several["beta"])]
    world.environ["RUSTUP_TOOLCHAIN"] = "nightly"
    assert chosen() == [str(several["nightly"])]


def test_only_the_toolchain_is_shown_and_cargo_is_told_that_there_is_no_network(
    world: World, several: dict[str, Path]
) -> None:
    found = find(world, "rust")
    assert mounted(found) == [str(several["stable"])]
    assert found.path == (f"{several['stable']}/bin",)
    assert found.offline == {"CARGO_NET_OFFLINE": "true"}


def test_a_single_toolchain_needs_no_default(world: World) -> None:
    only = rustup(world, f"1.80.0-{HOST}")
    assert mounted(find(world, "rust")) == [str(only)]


def test_another_rustup_home_is_honoured(world: World) -> None:
    only = install(world.home / "r/toolchains" / f"stable-{HOST}", RUST)
    world.environ["RUSTUP_HOME"] = str(world.home / "r")
    assert mounted(find(world, "rust")) == [str(only)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1.60.0\n", "Rust 1.60.0, which rustup has not installed"),
        ("../../.ssh", "not a toolchain's name"),
        ("/etc", "not a toolchain's name"),
        ('[toolchain]\npath = "/home/me/.ssh"\n', "a repository cannot name a directory"),
        ('[toolchain]\nchannel = ["a"]\n', "not a toolchain's name"),
        ("[toolchain\n", "is not TOML"),
        ("[toolchain]\nchannel = \xff\n", "is not TOML"),
    ],
)
def test_a_toolchain_file_only_selects_among_what_is_installed(
    text: str, why: str, world: World, several: dict[str, Path]
) -> None:
    assert several
    world.write(world.project / "rust-toolchain", text.encode("latin-1"))
    with pytest.raises(ProfileError, match=why) as caught:
        find(world, "rust")
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_several_without_a_default_are_an_error(world: World) -> None:
    rustup(world, f"stable-{HOST}")
    rustup(world, f"nightly-{HOST}")
    with pytest.raises(ProfileError, match="no toolchain of the several"):
        find(world, "rust")


def test_what_cargo_install_left_is_shown_and_not_the_credentials_beside_it(world: World) -> None:
    only = rustup(world, f"stable-{HOST}")
    world.write(world.home / ".cargo/bin/cargo-nextest", "", 0o755)
    world.write(world.home / ".cargo/credentials.toml", "token")
    install(world.home / ".cargo/bin", ())
    found = find(world, "rust")
    assert mounted(found) == [str(only), str(world.home / ".cargo/bin")]
    assert found.path[-1] == str(world.home / ".cargo/bin")


def test_without_rustup_the_one_on_path_is_found(world: World) -> None:
    where = install(world.home / "opt/rust", RUST)
    world.environ["PATH"] = f"{where}/bin"
    assert mounted(find(world, "rust")) == [str(where)]
    (where / "lib/rustlib/components").unlink()
    with pytest.raises(ProfileError, match="not an installed rust"):
        find(world, "rust")


def test_no_rust_at_all_says_where_it_was_looked_for(world: World) -> None:
    with pytest.raises(ProfileError, match="no Rust was found: not with rustup") as caught:
        find(world, "rust")
    assert caught.value.hint == "install rustc and cargo"
