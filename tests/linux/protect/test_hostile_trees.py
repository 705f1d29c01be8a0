"""Trees that are made to break, stall or mislead whoever walks them."""

import os
import stat
import time

from aisbx_linux.protect.scan import scan
from aisbx_linux.protect.settle import settle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.linux.protect.conftest import Lab


def test_levels_beyond_the_longest_path_are_bounded_and_taken_away_whole(lab: Lab) -> None:
    ran = lab.run(
        """
        python3 - <<'END'
import os
for _ in range(3_000):
    os.mkdir("d"); os.chdir("d")
os.mkdir(".vscode")
END
        """
    )
    assert ran.code == 0, ran.output
    (line,) = ran.lines
    assert line.startswith("quarantined d/d/d/")
    assert "nested too deep" in line
    depth = 0
    path = lab.workspace
    while (path := path / "d").exists():
        depth += 1
    assert depth == 128
    assert lab.run("true").lines == []


def test_a_directory_that_was_too_deep_before_is_named_and_left_alone(lab: Lab) -> None:
    lab.host("python3 -c \"import os; [(os.mkdir('d'), os.chdir('d')) for _ in range(140)]\"")
    ran = lab.run("true")
    assert [path.count("/d") for path in ran.unchecked] == [129]
    assert ran.lines == []


def test_directories_that_nobody_may_read_are_opened_and_looked_at(lab: Lab) -> None:
    ran = lab.run("mkdir -p a/b; echo evil > a/b/.envrc; chmod 000 a/b a")
    assert not (lab.workspace / "a/b/.envrc").exists()
    assert "quarantined a/b/.envrc" in ran.lines[-1]
    if lab.user:
        assert ran.lines[:2] == ["made a readable to its owner again", "made a/b readable to its owner again"]


def test_a_directory_that_was_readable_before_is_looked_at_too(lab: Lab) -> None:
    lab.host("mkdir -p a/b")
    lab.run("echo evil > a/b/.envrc; chmod 000 a/b; chmod 000 a")
    lab.host("chmod 755 a; chmod 755 a/b")
    assert not (lab.workspace / "a/b/.envrc").exists()


def test_modes_keep_nothing_from_being_looked_at_or_undone(lab: Lab) -> None:
    lab.host("git init -q r")
    for mode in ("000", "111", "222", "333", "444", "555", "600", "300"):
        script = f"""
            mkdir a .vscode; echo evil > a/.envrc; git init -q n; : > n/.git/hooks/x; git -C r config core.pager e
            chmod {mode} a .vscode n/.git/hooks n/.git r/.git .
        """
        ran = lab.run(script)
        assert (lab.run("true").lines, [line for line in ran.lines if line.startswith("cannot")]) == ([], [])
        lab.host("chmod -R u+rwx .")
        for path in ("a/.envrc", ".vscode", "n/.git/hooks/x"):
            assert not (lab.workspace / path).exists(), (mode, path)
        assert lab.host("git config core.pager", "r").stdout == ""
        assert lab.host("rm -rf a n").returncode == 0


def test_a_directory_that_could_only_be_listed_is_not_trusted_later(lab: Lab) -> None:
    lab.run("mkdir a; echo evil > a/.envrc; chmod 600 a")
    lab.host("chmod 755 a")
    assert not (lab.workspace / "a/.envrc").exists()


def test_pipes_sockets_and_devices_do_not_stall_it(lab: Lab) -> None:
    start = time.monotonic()
    ran = lab.run(
        """
        git init -q .; mkdir -p n/objects n/refs; mkfifo .envrc n/HEAD n/config n/hooks m
        mkfifo .git/commondir .git/config.worktree
        rm -rf .git/hooks; mkfifo .git/hooks; mkdir o; mkfifo o/.git
        python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('.bashrc')"
        """
    )
    assert ran.code == 0, ran.output
    assert time.monotonic() - start < 20
    for path in (".envrc", "n/config", "n/hooks", ".git/hooks", ".git/commondir", "o/.git", ".bashrc"):
        assert not os.path.lexists(lab.workspace / path) or stat.S_ISREG(os.lstat(lab.workspace / path).st_mode), path


def test_names_that_are_no_text_and_names_that_write_on_a_terminal_are_handled_and_escaped(lab: Lab) -> None:
    ran = lab.run(
        """
        python3 - <<'END'
import os
for name in (b"\\xff\\xfe", b"a\\nb", b"\\x1b]0;title\\x07", b"\\xe2\\x80\\xae", b" ", b"-rf"):
    os.mkdir(name); os.mkdir(name + b"/.vscode"); os.close(os.open(name + b"/.envrc", os.O_CREAT))
END
        """
    )
    assert ran.code == 0, ran.output
    assert len(ran.lines) == 12
    assert all(line.isprintable() for line in ran.lines)
    left = {name for _, directories, files in os.walk(lab.workspace) for name in (*directories, *files)}
    assert not left & {".vscode", ".envrc"}


def test_many_findings_are_all_undone_and_told_in_few_lines(lab: Lab) -> None:
    ran = lab.run("for i in $(seq 500); do mkdir d$i; echo evil > d$i/.envrc; done")
    assert len(ran.lines) == 101
    assert ran.lines[-1].startswith("and 400 more")
    assert len(os.listdir(lab.quarantine)) == 500


def test_links_that_go_round_in_circles_are_left(lab: Lab) -> None:
    ran = lab.run(
        "ln -s b a; ln -s a b; ln -s . c; mkdir d; ln -s ../d d/e; ln -s a .envrc; git init -q n; ln -s n n/x"
    )
    assert [line.partition(" (")[0] for line in ran.lines] == ["quarantined .envrc"]


def test_a_workspace_that_is_emptied_is_no_error(lab: Lab) -> None:
    lab.host("mkdir -p a/b/c; git init -q n")
    ran = lab.run("rm -rf * 2>/dev/null; true")
    assert ran.lines == []


NAME = st.sampled_from(
    [
        ".git",
        ".envrc",
        ".vscode",
        "hooks",
        "HEAD",
        "objects",
        "refs",
        "config",
        "commondir",
        "gitdir",
        "modules",
        "worktrees",
        "logs",
        "rebase-merge",
        "git-rebase-todo",
        "a",
        "b",
        "\udcff",
        ".bashrc",
    ]
)
STEP = st.tuples(
    st.sampled_from(["dir", "file", "link", "fifo", "move", "config", "shut"]),
    st.lists(NAME, min_size=1, max_size=4),
    st.lists(NAME, min_size=1, max_size=3),
)


def put(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_NOFOLLOW, 0o644)
    os.write(file, text.encode("utf-8", "surrogateescape"))
    os.close(file)


def build(root: str, steps: list[tuple[str, list[str], list[str]]]) -> None:  # noqa: C901
    for step, path, other in steps:
        place, target = os.path.join(root, *path), os.path.join(*other)
        try:
            if step != "move":
                os.makedirs(os.path.dirname(place), exist_ok=True)
            if step == "dir":
                os.makedirs(place)
            elif step == "file":
                put(place, f"gitdir: {target}\n")
            elif step == "link":
                os.symlink(target, place)
            elif step == "fifo":
                os.mkfifo(place)
            elif step == "move":
                os.rename(place, os.path.join(root, target))
            elif step == "config":
                put(place, "[core]\n\thooksPath = ../a\n\tfsmonitor = evil\n[include]\n\tpath = ../b\n")
            elif step == "shut":
                os.chmod(place, 0)
        except (OSError, UnicodeEncodeError):
            continue


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(STEP, max_size=12), during=st.lists(STEP, max_size=12))
def test_whatever_the_tree_is_a_settled_one_is_stable_and_a_kept_memory_equals_a_fresh_look(
    lab: Lab, before: list[tuple[str, list[str], list[str]]], during: list[tuple[str, list[str], list[str]]]
) -> None:
    lab.fresh()
    root = str(lab.workspace)
    build(root, before)
    outside = lab.base / "home" / "mine"
    outside.write_text("mine")
    cache = str(lab.base / "cache")
    state = scan(root, cache)
    build(root, during)
    settle(root, state, str(lab.quarantine))
    warm, cold = scan(root, cache), scan(root)
    assert (warm.mounts, warm.pins, warm.links, warm.sockets) == (cold.mounts, cold.pins, cold.links, cold.sockets)
    assert warm.repositories == cold.repositories
    assert {path: set(items) for path, items in warm.items.items()} == {
        path: set(items) for path, items in cold.items.items()
    }
    assert settle(root, warm, str(lab.quarantine)) == []
    assert outside.read_text() == "mine"
