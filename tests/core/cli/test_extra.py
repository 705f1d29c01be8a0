"""Commands that plugins add: run by name, listed without being imported, never in place of ours."""

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Cli

MODULE = """
print("imported")
import typer
app = typer.Typer(help="Says hello.")

@app.command()
def hello(name: str):
    print("hello", name)
    raise typer.Exit(7)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A distribution that offers two commands, one of them with a name that is taken."""
    site = tmp_path / "site"
    info = site / "extra_commands-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-commands\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text(
        "[aisbx.commands]\nhello = extra_commands:app\ndoctor = extra_commands:app\nodd = extra_commands:MODULE\n"
        "broken = extra_commands.nowhere:app\n"
    )
    (site / "extra_commands.py").write_text(MODULE + "MODULE = 3\n")
    return site


def run(cli: Cli, site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Not by PYTHONPATH: what the environment adds to the search path is not aisbx's to import.
    script = "import sys; sys.path.append(sys.argv.pop(1)); from aisbx.cli.app import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-I", "-c", script, str(site), *arguments],
        cwd=cli.project,
        env=cli.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_command_of_a_plugin_runs_by_its_name(cli: Cli, site: Path) -> None:
    done = run(cli, site, "hello", "you")
    assert (done.stdout, done.stderr, done.returncode) == ("imported\nhello you\n", "", 7)


def test_the_overview_lists_it_without_importing_it(cli: Cli, site: Path) -> None:
    done = run(cli, site, "--help")
    assert "imported" not in done.stdout
    assert ["hello", "From", "extra-commands."] in [line.split() for line in done.stdout.splitlines()]


def test_it_cannot_take_the_place_of_ours(cli: Cli, site: Path) -> None:
    assert "Check this machine" in run(cli, site, "doctor", "--help").stdout
    assert "imported" not in run(cli, site, "doctor", "--help").stdout
    assert [line.split()[0] for line in run(cli, site, "--help").stdout.splitlines() if "doctor " in line[:10]] == [
        "doctor"
    ]


def test_it_is_not_loaded_where_the_settings_leave_it_out(cli: Cli, site: Path) -> None:
    cli.environ["AISBX_DISABLE_PLUGINS"] = "extra-commands"
    done = run(cli, site, "hello", "you")
    assert done.returncode == 125
    assert done.stderr.startswith("aisbx: usage: No such command")
    assert not done.stdout


@pytest.mark.parametrize("name", ["odd", "broken"])
def test_a_broken_one_is_one_line(cli: Cli, site: Path, name: str) -> None:
    done = run(cli, site, name)
    assert done.returncode == 125
    assert done.stderr.startswith("aisbx: plugin-broken: ")
    assert done.stderr.count("\n") == 1
