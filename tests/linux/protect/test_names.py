"""Names of the table: held where they are, taken away where they appear."""

import os
import posix
import shlex

import pytest
from aisbx_linux.protect.names import AT_HOME, NAMES, ONLY_BELOW, SUFFIXES
from aisbx_linux.protect.scan import scan

from tests.linux.protect.conftest import Lab

PLACES = [
    *(f"{place}/{name}" if place else name for name in NAMES for place in ONLY_BELOW.get(name, ("",))),
    *("my" + suffix for suffix in SUFFIXES),
]

CHANGES = {
    "writing to it": "echo evil >> .envrc",
    "truncating it": ": > .envrc",
    "removing it": "rm -f .envrc",
    "renaming it": "mv .envrc x",
    "renaming another over it": "echo evil > x; mv -f x .envrc",
    "linking over it": "echo evil > x; ln -sf x .envrc",
    "writing through a new hard link": "ln .envrc x; echo evil > x",
    "writing through a link": "ln -s .envrc x; echo evil > x",
    "making it executable": "chmod +x .envrc",
    "its permissions first": "chmod 777 .envrc; echo evil > .envrc",
    "its times": "touch -d 2001-01-01 .envrc",
    "a new file in a protected directory": "echo evil > .vscode/tasks.json",
    "a changed file in a protected directory": "echo evil > .vscode/settings.json",
    "replacing the directory": "mv .vscode x; mkdir .vscode; echo evil > .vscode/settings.json",
}


def look(lab: Lab) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for directory, _, names in os.walk(lab.workspace):
        for path in (os.path.join(directory, name) for name in names):
            status = os.lstat(path)
            if not os.path.islink(path) and (".envrc" in path or ".vscode" in path):
                with open(path, "rb") as file:
                    found[path] = status.st_mode, int(status.st_mtime), file.read()
    return found


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_protected_is_not_changed_by(lab: Lab, change: str) -> None:
    for hold in (False, True):
        lab.fresh()
        lab.host("echo good > .envrc; mkdir .vscode; echo good > .vscode/settings.json")
        before = look(lab)
        ran = lab.run(CHANGES[change], hold=hold, undo=False)
        assert (look(lab) == before) is hold, ran.output


def test_every_name_of_the_table_is_held_as_a_file_and_as_a_directory(lab: Lab) -> None:
    for make, write in (("echo good >", "echo evil >>"), ("mkdir", "echo evil > ")):
        lab.fresh()
        for place in PLACES:
            lab_path = shlex.quote(f"deep/er/{place}")
            assert lab.host(f"mkdir -p $(dirname {lab_path}); {make} {lab_path}").returncode == 0
        tail = "/new" if make == "mkdir" else ""
        ran = lab.run("cd deep/er\n" + "\n".join(f"{write} {place}{tail}" for place in PLACES), undo=False)
        assert ran.output.count("Read-only file system") == len(PLACES)
        assert len(ran.mounts) == len(PLACES)


def test_every_name_of_the_table_is_taken_where_it_appears(lab: Lab) -> None:
    for make in ("echo evil >", "mkdir", "ln -s x", "mkfifo"):
        lab.fresh()
        script = "\n".join(f"mkdir -p deep/er/$(dirname {place}); {make} deep/er/{place}" for place in PLACES)
        ran = lab.run(script)
        assert not any(os.path.lexists(lab.workspace / "deep/er" / place) for place in PLACES)
        taken = [line for line in ran.lines if line.startswith("quarantined deep/er/")]
        assert len(taken) == min(len(PLACES), 100)
        assert len(os.listdir(lab.quarantine)) == len(PLACES) if make != "mkfifo" else not lab.quarantine.exists()


def test_a_plain_name_is_free_everywhere_else(lab: Lab) -> None:
    script = "\n".join(f"mkdir -p deep/er; echo mine > deep/er/{name}" for name in ONLY_BELOW)
    assert lab.run(script).lines == []
    assert lab.run("cd deep/er; for name in *; do echo more >> $name; done").output == ""


def test_a_place_of_plain_names_is_compared_without_case(lab: Lab) -> None:
    ran = lab.run("mkdir -p .HG .Config/Fish; echo evil > .HG/HgRc")
    assert sorted(line.partition(" (")[0] for line in ran.lines) == [
        "quarantined .Config/Fish",
        "quarantined .HG/HgRc",
    ]


MOVES = {
    "renamed, and another put in its place": "mv a b; mkdir -p a/deep; echo evil > a/deep/.envrc",
    "copied, and the copy put in its place": "cp -r a b; mv a c; mv b a; echo evil > a/deep/.envrc",
    "replaced by a link": "mv a b; mkdir -p c/deep; echo evil > c/deep/.envrc; ln -s c a",
    "swapped with another": "mkdir -p b/deep; echo evil > b/deep/.envrc; mv a c; mv b a; mv c b",
    "moved into another": "mkdir b; mv a b; mkdir -p a/deep; echo evil > a/deep/.envrc",
}


@pytest.mark.parametrize("move", MOVES)
def test_a_protected_file_is_not_exchanged_when_its_parent_is(lab: Lab, move: str) -> None:
    """What is new is taken at the end, wherever it is; the file itself is not changed under whatever name."""
    for control in (False, True):
        lab.fresh()
        lab.host("mkdir -p a/deep; echo good > a/deep/.envrc")
        write = "find . -name .envrc -exec sh -c 'echo evil >> $1' sh {} ';'"
        ran = lab.run(f"{MOVES[move]}; {write}", undo=control, hold=control)
        found = lab.host("cat $(find . -name .envrc)").stdout
        assert (found == "good\n") is control, ran.lines


def test_what_is_taken_is_kept_and_cannot_be_run_by_accident(lab: Lab) -> None:
    ran = lab.run(
        "umask 0; echo mine > .envrc; chmod 777 .envrc; mkdir -p .vscode/deep; echo x > .vscode/deep/tasks.json"
    )
    places = {line.partition(" (")[0]: line.rpartition("moved to ")[2] for line in ran.lines}
    with open(places["quarantined .envrc"]) as file:
        assert file.read() == "mine\n"
    assert os.stat(places["quarantined .envrc"]).st_mode & 0o7777 == 0o600
    assert os.path.exists(places["quarantined .vscode"] + "/deep/tasks.json")
    assert os.stat(lab.quarantine).st_mode & 0o7777 == 0o700


def test_a_second_run_finds_nothing_more_to_undo(lab: Lab) -> None:
    lab.run(
        "echo evil > .envrc; git init -q n; echo evil > n/.git/hooks/x; git -C n config core.pager e; ln -s y .bashrc"
    )
    for cache in (True, False):
        assert lab.run("true", cache=cache).lines == []


def test_packages_may_ship_what_editors_read_but_not_repositories(lab: Lab) -> None:
    ran = lab.run(
        "mkdir -p node_modules/p/.vscode; git init -q node_modules/p; echo evil > node_modules/p/.git/hooks/pre-commit"
    )
    assert [line.partition(" (")[0] for line in ran.lines] == ["quarantined node_modules/p/.git/hooks/pre-commit"]
    assert (lab.workspace / "node_modules/p/.vscode").is_dir()


def test_names_are_compared_without_case(lab: Lab) -> None:
    ran = lab.run("echo evil > .EnvRc; mkdir .VSCode")
    assert len(ran.lines) == 2


def test_a_protected_name_that_is_a_link_holds_what_it_leads_to_and_is_put_back(lab: Lab) -> None:
    setup = "mkdir env; echo good > env/dev; ln -s env/dev .envrc"
    attacks = {
        "the file behind it": "echo evil > env/dev",
        "the link": "rm .envrc; echo evil > .envrc",
        "the link, by another": "echo evil > e; ln -sf e .envrc",
        "the parent of the file behind it": "mv env x; mkdir env; echo evil > env/dev",
    }
    for attack in attacks.values():
        for control in (False, True):
            lab.fresh()
            lab.host(setup)
            lab.run(attack, hold=control, undo=control)
            content = lab.host("cat .envrc").stdout
            assert (content == "evil\n") is not control, attack
            if control:
                assert os.readlink(lab.workspace / ".envrc") == "env/dev"


def test_a_link_that_was_removed_is_put_back_and_one_that_moved_with_its_directory_stays(lab: Lab) -> None:
    lab.host("ln -s /nowhere .envrc; mkdir a; ln -s x a/.bashrc")
    assert lab.run("rm .envrc; mv a b").lines == ["restored the link .envrc"]
    assert os.readlink(lab.workspace / "b/.bashrc") == "x"


def test_what_a_moved_link_leads_to_is_looked_at(lab: Lab) -> None:
    lab.host("mkdir a; ln -s x a/.bashrc")
    ran = lab.run("mv a b; echo evil > b/x")
    assert [line.partition(" (")[0] for line in ran.lines] == ["quarantined b/x"]


def test_a_file_of_the_workspace_that_the_home_links_to_is_held_whatever_its_name(lab: Lab) -> None:
    for control in (False, True):
        lab.fresh()
        lab.host("echo good > bash; ln -s $PWD/bash $HOME/.bashrc")
        lab.run("echo evil > bash", hold=control, undo=False)
        assert (lab.host("cat $HOME/.bashrc").stdout == "evil\n") is not control


def test_a_directory_of_the_workspace_that_the_home_links_to_is_held_below_it(lab: Lab) -> None:
    for link in ("mkdir -p $HOME/.config; ln -s $PWD/dots/fish $HOME/.config/fish", "ln -s $PWD/dots $HOME/.config"):
        for control in (False, True):
            lab.fresh()
            lab.host(f"mkdir -p dots/fish; echo good > dots/fish/config.fish; {link}")
            lab.run("echo evil > dots/fish/config.fish", hold=control, undo=False)
            assert (lab.host("cat $HOME/.config/fish/config.fish").stdout == "evil\n") is not control


def test_every_name_that_the_home_links_to_is_found_also_in_a_home_that_cannot_be_listed(lab: Lab) -> None:
    for mode in ("700", "311"):
        lab.fresh()
        for place, names in AT_HOME.items():
            lab.host(f"mkdir -p $HOME/{place}; echo good > x{place.replace('/', '')}")
            lab.host("\n".join(f"ln -s $PWD/x{place.replace('/', '')} $HOME/{place}/{name}" for name in names))
        lab.host(f"chmod {mode} $HOME/.config; chmod {mode} $HOME")
        ran = lab.run("true")
        lab.host("chmod 700 $HOME $HOME/.config")
        assert sorted(ran.mounts) == sorted(f"{lab.workspace}/x{place.replace('/', '')}" for place in AT_HOME)


def test_a_name_is_looked_for_in_the_home_only_where_it_is(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setitem(posix.environ, b"HOME", os.fsencode(lab.base / "home"))
    lab.host("echo > $HOME/.bashrc; echo > $HOME/mine; mkdir -p $HOME/.config/nvim")
    link = posix.readlink

    def read(path: str) -> str:
        looked.append(path)
        return link(path)

    monkeypatch.setattr(posix, "readlink", read)
    scan(str(lab.workspace))
    assert [path[len(str(lab.base / "home")) :] for path in looked] == ["/.bashrc", "/.config", "/.config/nvim"]


@pytest.mark.parametrize("name", [".VSCODE", ".v\u017fcode", ".vs\u200ccode", ".vs\U000e0020code"])
def test_a_name_that_a_directory_which_folds_case_takes_for_a_protected_one_is_protected(lab: Lab, name: str) -> None:
    for control in (False, True):
        lab.fresh()
        lab.host(f"mkdir {name}; echo good > {name}/tasks.json")
        ran = lab.run(f"echo evil > {name}/tasks.json; mkdir -p sub/{name}", hold=control, undo=control)
        assert (lab.host(f"cat {name}/tasks.json").stdout == "evil\n") is not control
        assert (lab.workspace / "sub" / name).exists() is not control
        assert len(ran.lines) == control


def test_what_is_written_through_a_hard_link_that_was_there_before_is_put_back(lab: Lab) -> None:
    for path in (".envrc", ".vscode/tasks.json"):
        for control in (False, True):
            lab.fresh()
            lab.host(f"mkdir .vscode; echo good > {path}; ln {path} twin")
            ran = lab.run("echo evil > twin", hold=control, undo=control)
            assert (lab.host(f"cat {path}").stdout == "evil\n") is not control
            assert ran.lines == ([f"restored {path} (it was written through another hard link)"] if control else [])
