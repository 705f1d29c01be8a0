"""A live workspace after a run, however it ended: nothing of ours in it, and no file that lends its owner's power."""

import os
import stat
import subprocess

import pytest

from .conftest import Cli

# Whoever asks for a mode: the shell's tools, a copy of a program that has such a bit.
SET_ID = """
umask 0; echo x > file; mkdir folder
chmod u+s file; chmod g+s file folder; chmod 6755 file folder
install -m 4755 file installed; mkdir -m 2777 made
find /usr/bin /bin -perm /6000 -exec cp --preserve=mode {} . ';' 2>/dev/null
python3 - <<'END'
import os
for number, mode in enumerate((0o4755, 0o2755)):
    try:
        os.close(os.open(f"opened{number}", os.O_CREAT | os.O_WRONLY, mode))
    except OSError:
        pass
END
true
"""


def look(cli: Cli) -> dict[str, tuple[int, ...]]:
    """Everything in the project: path → inode, mode, size and, for what is no directory, change time."""
    found: dict[str, tuple[int, ...]] = {}
    for directory, folders, files in os.walk(cli.project):
        for path in (os.path.join(directory, name) for name in (*folders, *files)):
            status = os.lstat(path)
            change = 0 if stat.S_ISDIR(status.st_mode) else status.st_ctime_ns
            found[path] = status.st_ino, status.st_mode, status.st_size, change
    return found


@pytest.fixture
def full(cli: Cli) -> Cli:
    """A project with something of every kind that is held."""
    for path in ("a/.vscode", ".config/fish", ".hg", "node_modules/p/.vscode"):
        (cli.project / path).mkdir(parents=True)
    for path in (".envrc", "a/.vscode/tasks.json", ".hg/hgrc", "data"):
        (cli.project / path).write_text("mine")
    (cli.project / ".bashrc").symlink_to("data")
    for place in (".", "a/b"):
        subprocess.run(["git", "init", "-q", cli.project / place], check=True)
    return cli


def test_nothing_of_ours_stays_in_the_workspace(full: Cli) -> None:
    before = look(full)
    for _ in range(2):  # without a plan, and with it
        assert full("run", "--", "true").returncode == 0
    assert look(full) == before


def test_nothing_of_ours_stays_when_the_launcher_is_killed(full: Cli) -> None:
    before = look(full)
    argv = full.argv("run", "--", "sh", "-c", "echo ready; exec sleep 60")
    with subprocess.Popen(
        argv, cwd=full.project, env=full.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        run.kill()
    assert look(full) == before
    assert full("run", "--", "true").returncode == 0
    assert look(full) == before


@pytest.mark.parametrize("given", [False, True], ids=["by default", "given up by name"])
def test_set_id_bits_reach_the_host_only_where_they_are_asked_for(cli: Cli, *, given: bool) -> None:
    profiles = cli.config / "profiles"
    profiles.mkdir(parents=True)
    groups = "[base, set-id]" if given else "[base]"
    (profiles / "mine.yaml").write_text(f"description: For this test\nextends: python-dev\nsyscalls: {groups}\n")
    done = cli("run", "-p", "mine", "--", "sh", "-c", SET_ID)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {path.name for path in cli.project.iterdir() if path.lstat().st_mode & 0o6000}
    if given:
        assert {"file", "folder", "installed", "made", "opened0", "opened1"} <= found
    else:
        assert not found
