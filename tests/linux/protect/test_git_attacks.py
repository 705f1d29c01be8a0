"""Ways to make git on the host run a program, each seen to work before it is seen to fail.

`EVIL` plants a program at its argument; the host runs it if the canary appears.
"""

from dataclasses import dataclass

import pytest

from tests.linux.protect.conftest import Lab

EVIL = r"""
evil() { mkdir -p "$(dirname "$1")"; printf '#!/bin/sh\ntouch %s\n' "$CANARY" > "$1"; chmod +x "$1"; }
"""
COMMIT = "git commit -q --allow-empty -m x"
# The rest of what git takes for a repository; its work tree is a directory below.
BARE = """
    echo 'ref: refs/heads/main' > HEAD; git config -f config core.repositoryformatversion 0
    git config -f config core.bare false; git config -f config core.worktree w
    evil e; mkdir w; cd w; echo > f; git add f; cd ..; git config -f config core.fsmonitor $PWD/e
"""
REPOSITORY = "git init -q . && echo one > one && git add one && git commit -qm one;"


@dataclass(frozen=True)
class Attack:
    """`setup` and `provoke` happen on the host, `plant` inside; `live`: mounts alone stop it, while it still runs."""

    name: str
    plant: str
    provoke: str
    setup: str = REPOSITORY
    live: bool = False
    where: str = ""


ATTACKS = [
    Attack("a hook beside the samples", "evil .git/hooks/pre-commit", COMMIT, live=True),
    Attack(
        "a hook in a repository that has no hooks",
        "evil .git/hooks/pre-commit",
        COMMIT,
        REPOSITORY + "rm -r .git/hooks",
    ),
    Attack(
        "a link to hooks where there were none",
        "evil h/pre-commit; ln -s ../h .git/hooks",
        COMMIT,
        REPOSITORY + "rm -r .git/hooks",
    ),
    Attack(
        "another .git in the place of the first",
        "mv .git old; git init -q .; evil .git/hooks/pre-commit",
        COMMIT,
        live=True,
    ),
    Attack("another hooks directory", "mv .git/hooks old; evil .git/hooks/pre-commit", COMMIT, live=True),
    Attack(
        "a hook of a nested repository",
        "evil a/b/.git/hooks/pre-commit",
        COMMIT,
        "mkdir -p a; git init -q a/b",
        live=True,
        where="a/b",
    ),
    Attack(
        "a nested repository whose parent is swapped",
        "mv a c; mkdir a; git init -q a/b; evil a/b/.git/hooks/pre-commit",
        COMMIT,
        "mkdir a; git init -q a/b",
        where="a/b",
    ),
    Attack(
        "a nested repository whose parent becomes a link",
        "mv a c; git init -q d/b; evil d/b/.git/hooks/pre-commit; ln -s d a",
        COMMIT,
        "mkdir a; git init -q a/b",
        where="a/b",
    ),
    Attack("a new repository with a hook", "git init -q n; evil n/.git/hooks/pre-commit", COMMIT, "true", where="n"),
    Attack(
        "a repository in a directory that nobody may read",
        "git init -q n/m; evil n/m/.git/hooks/pre-commit; chmod 000 n/m n",
        "chmod 755 n && chmod 755 n/m && cd n/m && " + COMMIT,
        "true",
    ),
    Attack("core.fsmonitor", "evil e; git config core.fsmonitor $PWD/e", "git status"),
    Attack(
        "core.fsmonitor on the line of its section",
        'evil e; echo "[core] FsMonitor=$PWD/e" >> .git/config',
        "git status",
    ),
    Attack(
        "core.fsmonitor behind a lock", "evil e; git config core.fsmonitor $PWD/e; > .git/config.lock", "git status"
    ),
    Attack(
        "a configuration that is a link",
        "evil e; cp .git/config c; git config -f c core.fsmonitor $PWD/e; ln -sf ../c .git/config",
        "git status",
    ),
    Attack(
        "core.sshCommand", "evil e; git config core.sshCommand $PWD/e; git config remote.o.url ssh://h/x", "git fetch o"
    ),
    Attack(
        "remote.*.uploadpack", "evil e; git remote add o $PWD; git config remote.o.uploadpack $PWD/e", "git fetch o"
    ),
    Attack("an alias", "evil e; git config alias.st '!'$PWD/e", "git st"),
    Attack("an alias that sets an option", 'evil e; git config alias.st "-c core.fsmonitor=$PWD/e status"', "git st"),
    Attack(
        "a filter",
        "evil e; git config filter.f.clean $PWD/e; echo '* filter=f' > .gitattributes; echo 2 > one",
        "git add -A",
    ),
    Attack("diff.external", "evil e; git config diff.external $PWD/e; echo 2 > one", "git diff"),
    Attack(
        "an included file", "evil e; git config -f c core.fsmonitor $PWD/e; git config include.path ../c", "git status"
    ),
    Attack(
        "a conditional include",
        "evil e; git config -f c core.fsmonitor $PWD/e; git config includeIf.gitdir:/.path ../c",
        "git status",
    ),
    Attack(
        "a file that was included before",
        "evil e; git config -f team.cfg core.fsmonitor $PWD/e; printf '[core]\\nfsmonitor=%s\\n' $PWD/e > team.cfg",
        "git status",
        REPOSITORY + "git config include.path ../team.cfg; git config -f team.cfg user.name T",
        live=True,
    ),
    Attack(
        "a file that an include names and that did not exist",
        "evil e; git config -f team.cfg core.fsmonitor $PWD/e",
        "git status",
        REPOSITORY + "git config include.path ../team.cfg",
    ),
    Attack(
        "config.worktree",
        "evil e; git config extensions.worktreeConfig true; git config --worktree core.fsmonitor $PWD/e",
        "git status",
    ),
    Attack(
        "a hook where core.hooksPath says",
        "evil tools/hooks/pre-commit",
        COMMIT,
        REPOSITORY + "mkdir -p tools/hooks; git config core.hooksPath tools/hooks",
        live=True,
    ),
    Attack(
        "core.hooksPath whose parent is swapped",
        "mv tools t; evil tools/hooks/pre-commit",
        COMMIT,
        REPOSITORY + "mkdir -p tools/hooks; git config core.hooksPath tools/hooks",
    ),
    Attack(
        "core.hooksPath that did not exist",
        "evil tools/hooks/pre-commit",
        COMMIT,
        REPOSITORY + "git config core.hooksPath tools/hooks",
    ),
    Attack(
        "core.hooksPath behind a link",
        "evil scripts/hooks/pre-commit",
        COMMIT,
        REPOSITORY + "mkdir -p scripts/hooks; ln -s scripts tools; git config core.hooksPath tools/hooks",
        live=True,
    ),
    Attack(
        "core.hooksPath behind a link that is turned",
        "evil other/hooks/pre-commit; ln -sfn other tools",
        COMMIT,
        REPOSITORY + "mkdir -p scripts/hooks; ln -s scripts tools; git config core.hooksPath tools/hooks",
    ),
    Attack(
        "core.hooksPath of the user's own configuration",
        "evil .githooks/pre-commit",
        COMMIT,
        REPOSITORY + "mkdir .githooks; git config -f $HOME/.gitconfig core.hooksPath .githooks",
        live=True,
    ),
    Attack("a new core.hooksPath", "evil h/pre-commit; git config core.hooksPath h", COMMIT),
    Attack(
        "a command of the configuration that lies in the workspace",
        "evil tools/clean.sh; echo 2 > one",
        "git add -A",
        REPOSITORY
        + "mkdir tools; echo cat > tools/clean.sh; chmod +x tools/clean.sh; git config filter.f.clean ./tools/clean.sh;"
        + "echo 'one filter=f' > .gitattributes",
        live=True,
    ),
    Attack(
        "a directory shaped like a bare repository",
        "mkdir b b/objects b/refs; cd b;" + BARE,
        "git status",
        "true",
        where="b/w",
    ),
    Attack(
        "the workspace itself shaped like a bare repository",
        "mkdir objects refs;" + BARE,
        "git status",
        "true",
        where="w",
    ),
    Attack(
        "the shape with its halves linked from elsewhere",
        "mkdir -p x/o x/r b; ln -s ../x/o b/objects; ln -s ../x/r b/refs; cd b;" + BARE,
        "git status",
        "true",
        where="b/w",
    ),
    Attack(
        "a hook of a bare repository",
        "evil b.git/hooks/update",
        "git push -q b.git HEAD:x",
        REPOSITORY + "git init -q --bare b.git",
        live=True,
    ),
    Attack(
        "a gitdir file that names a planted repository",
        "git init -q n; mv n/.git n/r; evil n/r/hooks/pre-commit; mkdir m; echo gitdir: ../n/r > m/.git",
        COMMIT,
        "true",
        where="m",
    ),
    Attack(
        "a gitdir file that names a repository hidden among objects",
        "git init -q n; mv n/.git .git/objects/r; evil .git/objects/r/hooks/pre-commit; mkdir m;"
        "echo gitdir: ../.git/objects/r > m/.git",
        COMMIT,
        where="m",
    ),
    Attack(
        "another gitdir file in a worktree",
        "git init -q n; evil n/.git/hooks/pre-commit; echo gitdir: ../n/.git > g; mv -f g tree/.git",
        COMMIT,
        REPOSITORY + "git worktree add -q tree",
        live=True,
        where="tree",
    ),
    Attack(
        "another commondir of a worktree",
        "git init -q n; evil n/.git/hooks/pre-commit; cp -r .git/refs .git/objects n/.git;"
        "echo $PWD/n/.git > .git/worktrees/tree/commondir",
        COMMIT,
        REPOSITORY + "git worktree add -q tree",
        live=True,
        where="tree",
    ),
    Attack(
        "a new worktree whose commondir is a planted directory",
        "git init -q n; mv n/.git n/r; evil n/r/hooks/pre-commit; mkdir -p t p; echo gitdir: ../p > t/.git;"
        "echo ../n/r > p/commondir; echo 'ref: refs/heads/y' > p/HEAD",
        COMMIT,
        "true",
        where="t",
    ),
    Attack(
        "a .git that is a link",
        "git init -q n; mv n/.git n/r; evil n/r/hooks/pre-commit; ln -s n/r .git",
        COMMIT,
        "true",
    ),
    Attack(
        "a hook of a submodule",
        "evil .git/modules/part/hooks/pre-commit",
        COMMIT,
        REPOSITORY + "git clone -q --bare . $HOME/b.git; git submodule --quiet add $HOME/b.git part",
        live=True,
        where="part",
    ),
    Attack(
        "the configuration of a submodule",
        "evil e; git config -f .git/modules/part/config core.fsmonitor $PWD/e",
        "git status",
        REPOSITORY + "git clone -q --bare . $HOME/b.git; git submodule --quiet add $HOME/b.git part",
        where="part",
    ),
    Attack(
        "a submodule's update command",
        "evil e; git config submodule.part.update '!'$PWD/e",
        "git submodule update",
        REPOSITORY
        + "git clone -q --bare . $HOME/b.git; git submodule --quiet add $HOME/b.git part; git commit -qm part;"
        + "git -C part commit -q --allow-empty -m two; git add part; git commit -qm two;"
        + "git -C part checkout -q HEAD~1",
    ),
    Attack(
        "exec lines of a rebase that was left in the middle",
        "evil e; for i in 2 3; do echo $i > one; git commit -qam $i; done;"
        "GIT_SEQUENCE_EDITOR=\"sed -i '1s/^pick/edit/;\\$aexec $PWD/e'\" git rebase -qi HEAD~2",
        "git rebase --continue",
    ),
]


def attack(lab: Lab, case: Attack, *, hold: bool, undo: bool) -> bool:
    lab.fresh()
    assert lab.host("set -e;" + case.setup).returncode == 0
    lab.run(EVIL + case.plant, hold=hold, undo=undo)
    if (lab.workspace / case.where).is_dir():
        lab.host(case.provoke, case.where)
    return lab.canary.exists()


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case.name)
def test_git_on_the_host_does_not_run_what_the_sandbox_planted_by(lab: Lab, case: Attack) -> None:
    assert attack(lab, case, hold=False, undo=False), "the attack itself must work"
    assert not attack(lab, case, hold=True, undo=True)
    if case.live:
        assert not attack(lab, case, hold=True, undo=False), "stopped only at the end, not while it runs"
    else:
        assert attack(lab, case, hold=True, undo=False), "stopped by the mounts too: say so in the table"
