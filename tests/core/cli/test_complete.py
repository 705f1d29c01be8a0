"""The shell's completion: scripts for the shells, and the names that only we know."""

import subprocess

import pytest

from .conftest import Cli, record


def offered(cli: Cli, *words: str) -> list[str]:
    """Ask as bash's completion function does, with the last of `words` unfinished."""
    environ = {
        "_AISBX_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["aisbx", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        cli.argv(), env=cli.env | environ, cwd=cli.project, capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_for_the_command(cli: Cli, shell: str) -> None:
    import typer.completion

    script = typer.completion.get_completion_script(prog_name="aisbx", complete_var="_AISBX_COMPLETE", shell=shell)
    assert "_AISBX_COMPLETE=complete_" in script
    cli.environ["SHELL"] = f"/bin/{shell}"
    assert cli("--help").stdout.count("--show-completion") == 1


def test_commands_and_options_are_completed(cli: Cli) -> None:
    assert offered(cli, "pro") == ["profile"]
    assert "--workspace" in offered(cli, "run", "--wo")
    assert "validate" in offered(cli, "profile", "va")


def test_profiles_are_completed_also_behind_a_plus(cli: Cli) -> None:
    assert offered(cli, "run", "-p", "pyth") == ["python-dev"]
    assert offered(cli, "run", "-p", "python-dev+off") == ["python-dev+offline"]
    assert offered(cli, "profile", "show", "she") == ["shell"]


def test_drivers_and_runs_are_completed(cli: Cli) -> None:
    cli.write_audit(record(1), record(2))
    assert set(offered(cli, "run", "--driver", "")) >= {"auto", "bwrap"}
    assert offered(cli, "logs", "run00") == ["run0002", "run0001"]


def test_a_broken_settings_file_does_not_print_into_the_prompt(cli: Cli) -> None:
    cli.config.mkdir(parents=True)
    (cli.config / "config.toml").write_text("broken [\n")
    assert offered(cli, "run", "-p", "pyth") == []
