from tests.linux.protect.conftest import Lab

REPOSITORY = """
git init -q . && echo one > one && git add one && git commit -qm one && git init -q --bare bare.git
"""


def done(lab: Lab, script: str) -> None:
    ran = lab.run("set -eu\n" + script)
    assert ran.code == 0, ran.output
    assert ran.lines == []


def test_a_commit_a_stash_a_branch_and_a_merge_work(lab: Lab) -> None:
    assert lab.host(REPOSITORY).returncode == 0
    done(
        lab,
        """
        echo two > two; git add two; git commit -qm two
        echo three >> one; git stash -q; git stash pop -q; git commit -qam three
        git checkout -qb topic; echo four > four; git add four; git commit -qm four
        git checkout -q main; git merge -q --no-ff -m merge topic; git branch -qd topic; git tag v1
        git rebase -q HEAD~1; git gc -q; git fsck; test -z "$(git status --porcelain --ignored | grep -v bare.git)"
        """,
    )
    assert lab.host("git log --oneline | wc -l").stdout.split() == ["4"]


def test_a_remote_can_be_added_and_pushed_to_with_tracking(lab: Lab) -> None:
    assert lab.host(REPOSITORY).returncode == 0
    done(lab, "git remote add origin $PWD/bare.git; git push -qu origin main; git fetch -q; git pull -q")
    assert lab.host("git rev-parse --abbrev-ref main@{upstream}").stdout.strip() == "origin/main"
    assert lab.host("git config remote.origin.url").stdout.strip() == str(lab.workspace / "bare.git")


def test_a_worktree_can_be_added_used_and_removed(lab: Lab) -> None:
    assert lab.host(REPOSITORY).returncode == 0
    done(
        lab,
        """
        git worktree add -q tree -b topic; cd tree; echo x > x; git add x; git commit -qm x
        cd ..; git worktree add -q other; git worktree remove other
        """,
    )
    assert lab.host("git log --oneline | wc -l", "tree").stdout.strip() == "2"
    done(lab, "cd tree; echo y > y; git add y; git commit -qm y")


def test_a_repository_can_be_made_cloned_and_made_again(lab: Lab) -> None:
    assert lab.host(REPOSITORY).returncode == 0
    done(
        lab,
        """
        git init -q .; git init -q fresh; git init -q --bare fresh.git
        git clone -q . clone; cd clone; echo x > x; git add x; git commit -qm x; git push -q origin HEAD:refs/heads/x
        """,
    )
    assert lab.host("git log --oneline | wc -l", "clone").stdout.strip() == "2"
    assert lab.host("git rev-parse x").returncode == 0


def test_a_submodule_can_be_added_and_committed(lab: Lab) -> None:
    assert lab.host(REPOSITORY + "git push -q bare.git main").returncode == 0
    ran = lab.run("git submodule add -q $PWD/bare.git part && git commit -qm part && git submodule update --init -q")
    assert ran.code == 0, ran.output
    # A new .gitmodules is the one thing that is taken: it says from where the host fetches code.
    assert len(ran.lines) == 1
    assert ran.lines[0].startswith("quarantined .gitmodules")
    assert lab.host("git log --oneline", "part").returncode == 0


def test_a_repository_without_hooks_gets_its_tracking_configuration(lab: Lab) -> None:
    assert lab.host(REPOSITORY + "rm -rf .git/hooks").returncode == 0
    done(
        lab,
        "git checkout -qb topic; git remote add o $PWD/bare.git; git push -qu o topic; git config user.name X",
    )


def test_what_is_kept_of_a_configuration_reads_the_same_in_git(lab: Lab) -> None:
    assert (
        lab.host(REPOSITORY + "git config alias.lg 'log --graph'; git config core.editor 'vi \"x\" # y'").returncode
        == 0
    )
    before = lab.host("git config --local --list").stdout
    ran = lab.run("git config alias.st '!evil'; git remote add o /o; git config branch.main.description 'a; \"b\"'")
    assert [line.partition(":")[0] for line in ran.lines] == ["restored .git/config (alias.st)"]
    after = lab.host("git config --local --list").stdout
    added = set(after.splitlines()) - set(before.splitlines())
    assert added == {
        "remote.o.url=/o",
        "remote.o.fetch=+refs/heads/*:refs/remotes/o/*",
        'branch.main.description=a; "b"',
    }
    assert set(before.splitlines()) <= set(after.splitlines())
