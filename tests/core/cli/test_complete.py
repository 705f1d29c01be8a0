"""The shell's completion: scripts for the shells, and the names that only we know."""

import shlex
import subprocess

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


def test_bash_completes_with_the_script_that_we_print(cli: Cli) -> None:
    command = cli.home / "aisbx"
    command.write_text(f'#!/bin/sh\nexec {shlex.join(cli.argv())} "$@"\n')
    command.chmod(0o755)
    cli.environ["PATH"] = f"{cli.home}:/usr/bin:/bin"
    script = (
        "source <(aisbx --show-completion); COMP_WORDS=(aisbx profile va); COMP_CWORD=2; _aisbx_completion aisbx\n"
        'printf "%s\\n" "${COMPREPLY[@]}"; complete -p aisbx\n'
    )
    done = subprocess.run(
        ["bash", "-c", script], env=cli.env, cwd=cli.project, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == ["validate", "complete -o default -F _aisbx_completion aisbx"], done.stderr


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


def test_a_shell_that_typer_does_not_know_is_an_error_of_ours(cli: Cli) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join(cli.argv())} --show-completion; echo $?"],
        env=cli.env,
        cwd=cli.project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["125"]
    assert "sh" in done.stderr


def test_a_line_is_all_that_is_said_where_not_even_a_module_can_be_opened(cli: Cli) -> None:
    words = f"{shlex.join(cli.argv())} run -w .:cow -- true"
    script = f"{words} && {words}; for n in 13 14 15; do (ulimit -n $n; {words}; echo $?); done"
    done = subprocess.run(
        ["sh", "-c", script], env=cli.env, cwd=cli.project, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["125"] * 3
    assert "Traceback" not in done.stderr
