"""Which Go is found, by the layouts of those who install it (recorded), and what of the host is shown for it."""

from pathlib import Path

import pytest
from aisbx.errors import ProfileError
from aisbx.toolchains import golang, installed

from tests.core.toolchains.installs import find, install, mounted
from tests.core.toolchains.pythons import forbid_processes
from tests.core.world import World

GO = ("bin/go", "VERSION", "src/runtime/runtime.go")


@pytest.fixture(autouse=True)
def nothing_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_processes(monkeypatch)


@pytest.fixture(autouse=True)
def unpacked(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a Go of the system's."""
    monkeypatch.setattr(installed, "SYSTEM_PATH", (str(world.home.parent / "usr/bin"),))
    where = world.home.parent / "usr/local/go"
    monkeypatch.setattr(golang, "UNPACKED", str(where))
    return where


PLACES = {
    "goenv": ".goenv/versions/{}",
    "asdf": ".asdf/installs/golang/{}/go",
    "mise": ".local/share/mise/installs/go/{}",
    "sdk": "sdk/go{}",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_managers_newest_is_found_or_what_a_version_file_selects(place: str, world: World) -> None:
    old, new = (install(world.home / place.format(version), GO) for version in ("1.9.7", "1.22.1"))
    assert mounted(find(world, "go")) == [str(new)]
    world.write(world.project / ".go-version", "1.9\n")
    assert mounted(find(world, "go")) == [str(old)]
    world.write(world.project / ".go-version", "1.8\n")
    with pytest.raises(ProfileError, match=r"asks for Go 1\.8, which is not installed"):
        find(world, "go")


def test_the_order_is_goroot_then_a_version_file_then_path_then_the_unpacked_one(world: World, unpacked: Path) -> None:
    install(unpacked, GO)
    assert mounted(find(world, "go")) == [str(unpacked)]
    sdk = install(world.home / "sdk/go1.21.0", GO)
    other = install(world.home / "opt/go", GO)
    world.environ["PATH"] = f"{other}/bin"
    assert mounted(find(world, "go")) == [str(other)]
    world.write(world.project / ".tool-versions", "golang 1.21.0\n")
    assert mounted(find(world, "go")) == [str(sdk)]
    world.environ["GOROOT"] = str(unpacked)
    found = find(world, "go")
    assert mounted(found) == [str(unpacked)]
    assert (found.path, found.offline) == ((f"{unpacked}/bin",), {"GOPROXY": "off"})


@pytest.mark.parametrize(
    ("goroot", "why"),
    [("go", "not an absolute path"), ("/nowhere/go", "No such file"), ("{home}", "not an installed go|home directory")],
)
def test_a_goroot_that_is_none_is_an_error_and_no_reason_to_look_further(goroot: str, why: str, world: World) -> None:
    install(world.home / "sdk/go1.21.0", GO)
    world.write(world.home / "bin/go", "", 0o755)
    world.environ["GOROOT"] = goroot.format(home=world.home)
    with pytest.raises(ProfileError, match=why):
        find(world, "go")


def test_what_go_install_left_is_shown_and_not_the_modules_beside_it(world: World, unpacked: Path) -> None:
    install(unpacked, GO)
    for place in ("go/bin/staticcheck", "go/pkg/mod/private.example/module.go"):
        world.write(world.home / place, "", 0o755)
    install(world.home / "go/bin", ())
    assert mounted(find(world, "go")) == [str(unpacked), str(world.home / "go/bin")]
    world.write(world.home / "tools/gopls", "", 0o755)
    install(world.home / "tools", ())
    world.environ["GOBIN"] = str(world.home / "tools")
    assert mounted(find(world, "go")) == [str(unpacked), str(world.home / "tools")]
    world.environ["GOBIN"] = str(world.project)
    assert mounted(find(world, "go")) == [str(unpacked)]


def test_no_go_at_all_says_where_it_was_looked_for(world: World) -> None:
    with pytest.raises(ProfileError, match="no Go was found: no GOROOT, not on PATH") as caught:
        find(world, "go")
    assert caught.value.hint == "install golang-go"
