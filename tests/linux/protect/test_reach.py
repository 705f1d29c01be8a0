"""What git and others on the host would reach *through* the workspace, and sockets that lie in it."""

import socket

import pytest

from tests.linux.protect.conftest import Lab

REPOSITORY = "set -e; git init -q . && echo one > one && git add one && git commit -qm one"
CONNECT = """
python3 - <<'END'
import os, socket
for directory, _, names in os.walk("."):
    for name in names:
        if name.startswith("sock"):
            one = socket.socket(socket.AF_UNIX)
            try:
                one.connect(os.path.join(directory, name))
                print("reached", os.path.join(directory, name))
            except OSError as error:
                print(error.strerror)
END
"""


def test_git_on_the_host_does_not_write_through_a_planted_link(lab: Lab) -> None:
    for control in (False, True):
        lab.fresh()
        lab.host(REPOSITORY + "; echo mine > $HOME/.bashrc")
        home = lab.base / "home" / ".bashrc"
        ran = lab.run(f"ln -sf {home} .git/logs/HEAD; ln -sf {home} .git/COMMIT_EDITMSG", hold=control, undo=control)
        lab.host("git commit -q --allow-empty -m x")
        assert (home.read_text() == "mine\n") is control
        assert len(ran.lines) == 2 * control


# A repository that git is led to by a `.git` file, made of a directory that looks like a bare one.
LED = "git init -q n; mv n/.git n/r; git --git-dir=n/r remote add o $PWD; mkdir m; echo gitdir: ../n/r > m/.git;"
# What rerere writes to is named by the conflict, which the inside can make beforehand.
REPLAYED = """
cp -r . /tmp/w; mkdir /tmp/w/.git/rr-cache; (cd /tmp/w; git merge -q b)
for known in /tmp/w/.git/rr-cache/*; do
    here=.git/rr-cache/${known##*/}; mkdir -p $here; cp $known/preimage $here; cp one $here/postimage
    ln -s $TARGET $here/thisimage
done
"""
CONFLICT = "; git checkout -q -b b; echo b > one; git commit -qam b; git checkout -q -; echo c > one; git commit -qam c"


@pytest.mark.parametrize(
    ("setup", "plant", "provoke"),
    [
        (REPOSITORY, LED + "ln -s $TARGET n/r/FETCH_HEAD", "cd m; git fetch -q o"),
        (REPOSITORY, LED + "ln -s $TARGET n/r/COMMIT_EDITMSG", "cd m; git commit -q --allow-empty -m x"),
        (REPOSITORY + "; git clone -q --bare . b.git", "ln -s $TARGET b.git/FETCH_HEAD", "cd b.git; git fetch -q .."),
        (
            REPOSITORY,
            LED + "mkdir t p; echo gitdir: ../p > t/.git; echo ../n/r > p/commondir; cp n/r/HEAD p;"
            "ln -s $TARGET p/COMMIT_EDITMSG",
            "cd t; git commit -q --allow-empty -m x",
        ),
        (REPOSITORY + CONFLICT, REPLAYED, "git merge -q b"),
    ],
    ids=["fetch", "commit", "bare", "worktree", "rerere"],
)
def test_git_on_the_host_does_not_write_through_a_link_where_only_git_looks(
    lab: Lab, setup: str, plant: str, provoke: str
) -> None:
    target = lab.base / "home" / ".zshenv"
    for control in (False, True):
        lab.fresh()
        assert lab.host(setup).returncode == 0
        ran = lab.run(f"TARGET={target};{plant}", hold=control, undo=control)
        lab.host(provoke)
        assert target.exists() is not control
        assert len(ran.lines) == control


def test_links_of_a_workspace_stay_where_it_comes_to_look_like_a_repository(lab: Lab) -> None:
    lab.host("ln -s . round; ln -s one two; echo 1 > one")
    ran = lab.run("git init -q --bare .; ln -s one three")
    assert {"round", "two", "three"} <= {path.name for path in lab.workspace.iterdir()}
    assert ran.lines == []


def test_git_on_the_host_does_not_check_out_into_the_home(lab: Lab) -> None:
    for control in (False, True):
        lab.fresh()
        lab.host(REPOSITORY)
        home = lab.base / "home"
        ran = lab.run(
            f"git config core.worktree {home}; git update-index --add --cacheinfo "
            "100644,$(echo evil | git hash-object -w --stdin),.bashrc",
            hold=control,
            undo=control,
        )
        lab.host("git checkout-index -a -f")
        assert (home / ".bashrc").exists() is not control
        assert [line.partition(":")[0] for line in ran.lines] == ["restored .git/config (core.worktree)"] * control


def test_sockets_of_the_host_in_the_workspace_are_covered(lab: Lab) -> None:
    places = ("sock", "deep/er/sock", ".vscode/sock", ".git/sock.ipc")
    lab.host("git init -q .; mkdir -p deep/er .vscode")
    servers = []
    for place in places:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(lab.workspace / place))
        (lab.workspace / place).chmod(0o777)
        server.listen()
        servers.append(server)
    assert lab.run(CONNECT, hold=False).output.count("reached") == len(places)
    ran = lab.run(CONNECT)
    assert "reached" not in ran.output
    assert sorted(ran.sockets) == sorted(str(lab.workspace / place) for place in places)
    assert ran.output.count("\n") == len(places)
    for server in servers:
        server.close()


def test_the_configuration_that_was_found_is_kept_for_the_user(lab: Lab) -> None:
    lab.host(REPOSITORY)
    ran = lab.run("git config alias.st '!evil'")
    place = ran.lines[0].rpartition(" is ")[2]
    with open(place) as file:
        assert "evil" in file.read()


def test_a_configuration_that_is_no_file_any_more_is_put_back(lab: Lab) -> None:
    for attack in (
        "rm .git/config; mkfifo .git/config",
        "rm .git/config; mkdir .git/config",
        "rm .git/config",
        "chmod 000 .git/config; mv .git/config .git/c; mkdir -m 000 .git/config",
        "printf '\\0' >> .git/config",
        "echo '[core' >> .git/config",
        "dd if=/dev/zero bs=1M count=2 2>/dev/null >> .git/config",
        "ln -sf /dev/null .git/config",
    ):
        lab.fresh()
        lab.host(REPOSITORY + "; git config core.fsmonitor false; git config alias.st status")
        before = lab.host("cat .git/config").stdout
        ran = lab.run(attack)
        assert lab.host("cat .git/config").stdout == before, attack
        assert any(line.startswith("restored .git/config") for line in ran.lines), attack
