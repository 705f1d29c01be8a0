"""The entry: help everywhere, wrong usage is one line and 125, nothing expected ends in a traceback."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aisbx.cli.options import wants_json

from .conftest import Cli, record

COMMANDS = [
    ("run",),
    *((name,) for name in ("create", "exec", "ls", "inspect", "destroy", "prune", "diff", "apply", "discard")),
    *((name,) for name in ("pause", "resume", "ps", "kill", "attach", "input", "cp", "fork")),
    *(("snapshot", name) for name in ("create", "ls", "rm", "restore")),
    ("init",),
    ("doctor",),
    ("logs",),
    *(("profile", name) for name in ("list", "show", "create", "validate", "detect", "trust")),
    ("plugin", "list"),
    ("config", "show"),
    ("audit", "show"),
    ("monitor",),
    ("explain",),
    ("learn",),
    *(("cache", name) for name in ("list", "prune")),
    *(("key", name) for name in ("create", "list", "revoke")),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples(cli: Cli, command: tuple[str, ...]) -> None:
    done = cli(*command, "--help")
    assert done.returncode == 0
    assert f"aisbx {' '.join(command)}" in done.stdout.partition("Examples:")[2]
    assert done.stdout == cli(*command, "-h").stdout


def test_the_overview_lists_what_there_is_and_nothing_that_is_not(cli: Cli) -> None:
    done = cli("--help")
    listed = [line.split()[0] for line in done.stdout.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()]
    assert sorted(listed) == sorted(
        {"grant", "mcp", "secret", "supervisor", *(command[0] for command in COMMANDS)}
    )  # of other distributions
    assert cli().stdout == done.stdout


@pytest.mark.parametrize("group", ["profile", "plugin", "config", "audit", "cache", "key", "snapshot"])
def test_a_group_without_a_command_shows_its_help(cli: Cli, group: str) -> None:
    done = cli(group)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == cli(group, "--help").stdout


def test_the_version_is_shown(cli: Cli) -> None:
    from aisbx import __version__

    assert cli("--version").stdout == f"aisbx {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("bogus",),
        ("--bogus",),
        ("profile", "bogus"),
        ("profile", "show"),
        ("profile", "show", "a", "b"),
        ("run", "--bogus"),
        ("run", "-t"),
        ("run", "--json=yes"),
        ("run", "-x"),
        ("logs", "--tail", "many"),
        ("logs", "--since", "yesterdayish"),
        ("run", "-s", "dev", "-p", "base", "--", "true"),
        ("run", "-s", "../dev", "--", "true"),
        ("create", "--name", "A b"),
        ("create", "--ttl", "soon"),
        ("destroy",),
        ("destroy", "--all", "dev"),
        ("run", "-t", "never", "--", "true"),
        ("exec",),
        ("exec", "dev"),
        ("exec", "dev", "--bogus", "true"),
        ("exec", "dev", "--cwd", "sub", "true"),
        ("teleport", "dev", "1"),
        ("kill", "dev", "1", "-s", "NONE"),
        ("attach", "dev", "1", "--detach-keys", "alt-x"),
        ("b\x1b]0;o\x07g\nus",),
        ("run", "--b\x1b[2Jogus"),
    ],
    ids=repr,
)
def test_wrong_usage_is_one_line_with_a_hint_and_ends_with_125(cli: Cli, arguments: tuple[str, ...]) -> None:
    line = cli.refused(*arguments, code="usage")
    assert "; hint: " in line
    assert line[:-1].isprintable()


def test_wrong_usage_with_json_is_one_object_on_stdout(cli: Cli) -> None:
    done = cli("run", "--json", "--bogus")
    assert (done.returncode, done.stderr) == (125, "")
    assert json.loads(done.stdout)["error"]["code"] == "usage"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["run", "--json", "--bogus"], True),
        (["exec", "dev", "--json", "cmd"], True),
        (["exec", "dev", "cmd", "--json"], False),
        (["exec", "--json"], True),
        (["run", "--bogus", "--json"], True),
        (["run", "-p", "x", "--json"], True),
        (["run", "-px", "--json"], True),
        (["run", "--profile", "--json", "cmd"], False),
        (["run", "-p", "--json", "cmd"], False),
        (["run", "-ip", "--json", "cmd"], False),
        (["run", "-tp", "--json", "cmd"], True),
        (["run", "--profile=x", "--json"], True),
        (["run", "cmd", "--json"], False),
        (["run", "--", "--json"], False),
        (["run", "-", "--json"], False),
        (["logs", "x", "--json"], True),
        (["logs", "--", "--json"], False),
        ([], False),
    ],
)
def test_json_is_asked_for_only_by_our_own_options(arguments: list[str], *, wanted: bool) -> None:
    assert wants_json(arguments) is wanted


def test_a_defect_is_one_line_and_shows_its_traceback_only_to_who_asks(cli: Cli) -> None:
    # A defect made to order: a standard module that breaks when the command needs it.
    breaking = "import sys; sys.modules['aisbx.settings'] = None; from aisbx.cli.app import main; sys.exit(main())"
    argv = [cli.argv()[0], "-c", breaking, "config", "show"]
    done = subprocess.run(argv, env=cli.env, cwd=cli.project, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 125
    assert done.stderr.startswith("aisbx: internal: ")
    assert done.stderr.count("\n") == 1
    environ = cli.env | {"AISBX_DEBUG": "1"}
    done = subprocess.run(argv, env=environ, cwd=cli.project, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 125
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("aisbx: internal: ")


def test_a_reader_that_goes_away_ends_it_quietly(cli: Cli) -> None:
    cli.write_audit(*(record(number) for number in range(5000)))
    read, write = os.pipe()
    process = subprocess.Popen(
        cli.argv("audit", "show"), env=cli.env, cwd=cli.project, stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert os.read(read, 10)
    os.close(read)
    _, stderr = process.communicate(timeout=60)
    assert stderr == b""
    assert process.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("command", [("--version",), ("audit", "show")], ids=" ".join)
def test_a_full_disk_behind_stdout_is_said(cli: Cli, command: tuple[str, ...]) -> None:
    cli.write_audit(*(record(number) for number in range(500)))
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            cli.argv(*command), env=cli.env, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 125
    assert done.stderr.startswith("aisbx: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]])
def test_a_closed_standard_descriptor_does_not_matter(cli: Cli, closed: list[int]) -> None:
    script = " ".join(f"{number}>&-" for number in closed)
    done = subprocess.run(
        ["sh", "-c", f'"$@" {script}', "sh", *cli.argv("config", "show")],
        env=cli.env,
        cwd=cli.project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert not done.stderr
    assert bool(done.stdout) is (1 not in closed)


def test_an_interrupt_ends_with_130_and_no_traceback(cli: Cli) -> None:
    cli.write_audit(record(1))
    process = subprocess.Popen(
        cli.argv("logs", "--follow"), env=cli.env, cwd=cli.project, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert b"RUN" in process.stdout.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, b"")


def test_a_deleted_directory_is_said(cli: Cli) -> None:
    done = subprocess.run(
        ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && "$@"', "sh", *cli.argv("config", "show")],
        env=cli.env,
        cwd=cli.project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 125
    assert done.stderr.startswith("aisbx: workspace: ")


def test_help_is_there_for_who_has_a_broken_settings_file(cli: Cli) -> None:
    cli.config.mkdir(parents=True)
    (cli.config / "config.toml").write_text("profile = 3\n")
    assert cli("--help").returncode == 0
    line = cli.refused("config", "show", code="config")
    assert f"{cli.config}/config.toml:1: profile: " in line


def test_no_code_is_loaded_through_the_plugins_of_pydantic(cli: Cli, tmp_path: Path) -> None:
    """They are entry points of another project, which `plugins.allow` knows nothing of."""
    site = tmp_path / "site"
    info = site / "acme_evil-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pydantic]\nevil = acme_evil:plugin\n")
    (site / "acme_evil.py").write_text("open('loaded', 'w').close()\n")
    found = f"import sys; sys.path.insert(0, {str(site)!r})"
    ours = f"{found}; from aisbx.cli.app import main; main(['config', 'show'])"
    others = f"{found}; import aisbx.settings.model"
    for program, loaded in ((ours, False), (others, True)):
        # Where nothing is set, pydantic has nothing to do.
        env = {**cli.env, "AISBX_DRIVER": "auto"}
        subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path, env=env, check=False, timeout=60)
        assert (tmp_path / "loaded").exists() is loaded
