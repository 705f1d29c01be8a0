"""`aisbx run` through the full command line: words, streams, codes and records, in a real sandbox."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Cli


def test_the_command_and_its_words_arrive_as_they_were_typed(cli: Cli) -> None:
    words = ["-p", "--json", "a b", "", "--", "$HOME", "*", "-h", "--help", "ä\n"]
    script = 'for word; do printf "<%s>" "$word"; done'
    expected = "".join(f"<{word}>" for word in words)
    assert cli("run", "sh", "-c", script, "sh", *words).stdout == expected
    assert cli("run", "--", "sh", "-c", script, "sh", *words).stdout == expected


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
)
def test_the_exit_code_is_the_commands(cli: Cli, script: str, code: int) -> None:
    assert cli("run", "--", "sh", "-c", script).returncode == code


def test_the_exit_code_is_the_same_with_json(cli: Cli) -> None:
    done = cli("run", "--json", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stderr) == (7, "")
    outcome = json.loads(done.stdout)
    assert outcome["exit_code"] == 7
    assert outcome["stdout"] == {"text": "out\n", "truncated": False, "dropped_bytes": 0}
    assert outcome["stderr"]["text"] == "err\n"
    assert outcome["driver"] == "bwrap"
    assert outcome["enforcement"]["net:deny"]["level"] == "full"


def test_a_time_out_is_124(cli: Cli) -> None:
    assert cli("run", "-t", "0.3s", "--", "sleep", "30").returncode == 124


def test_a_command_that_is_not_there_is_127_and_one_that_cannot_run_126(cli: Cli) -> None:
    cli.refused("run", "--", "no-such-command", code="command-not-found", exit_code=127)
    (cli.project / "text").write_text("no program\n")
    cli.refused("run", "--", "./text", code="command-not-executable", exit_code=126)


def test_without_a_command_and_a_terminal_it_is_wrong_usage(cli: Cli) -> None:
    cli.refused("run", code="usage")
    cli.refused("run", "-p", "shell", "--", code="usage")


def test_streams_pass_byte_for_byte(cli: Cli) -> None:
    data = bytes(range(256)) * 1000
    done = subprocess.run(
        cli.argv("run", "--", "sh", "-c", "cat > copy; cat copy; cat copy >&2"),
        input=data,
        cwd=cli.project,
        env=cli.env,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == data
    assert done.stderr == data


def test_what_is_captured_is_bounded_and_flagged(cli: Cli) -> None:
    script = "head -c 5000 /dev/zero | tr '\\0' x"
    outcome = json.loads(cli("run", "--json", "--output", "1K", "--", "sh", "-c", script).stdout)
    assert outcome["exit_code"] == 0
    assert outcome["stdout"]["truncated"] is True
    assert len(outcome["stdout"]["text"]) + outcome["stdout"]["dropped_bytes"] == 5000
    assert outcome["output_truncated"] is True


def test_as_much_is_captured_as_was_asked_for(cli: Cli) -> None:
    script = "head -c 3000000 /dev/zero | tr '\\0' x"
    outcome = json.loads(cli("run", "--json", "--output", "4M", "--", "sh", "-c", script).stdout)
    assert len(outcome["stdout"]["text"]) == 3_000_000
    assert outcome["stdout"]["truncated"] is False


def test_no_command_on_a_terminal_is_a_shell(cli: Cli) -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen(
        cli.argv("run", "-p", "shell"), env=cli.env, cwd=cli.project, stdin=child, stdout=child, stderr=child
    )
    os.close(child)
    os.write(parent, b"echo got-$((40+2)); exit 3\n")
    seen = b""
    while True:
        try:
            chunk = os.read(parent, 4096)
        except OSError:
            break
        seen += chunk
    os.close(parent)
    assert process.wait(timeout=60) == 3
    assert b"got-42" in seen


def test_only_what_is_named_is_in_the_environment(cli: Cli) -> None:
    cli.environ["SECRET_TOKEN"] = "hunter2"
    printed = cli("run", "-e", "MODE=x=y", "--", "env").stdout
    assert "MODE=x=y\n" in printed
    assert "hunter2" not in printed


def test_a_mount_is_seen_and_read_only_unless_it_says_rw(cli: Cli, tmp_path: Path) -> None:
    data = tmp_path / "da:ta"
    data.mkdir()
    (data / "f").write_text("content\n")
    assert cli("run", "--mount", f"{data}:/data", "--", "cat", "/data/f").stdout == "content\n"
    assert cli("run", "--mount", f"{data}:/data", "--", "sh", "-c", "echo x > /data/f").returncode != 0
    assert cli("run", "--mount", f"{data}:/data:rw", "--", "sh", "-c", "echo x > /data/f").returncode == 0
    assert (data / "f").read_text() == "x\n"


def test_a_workspace_whose_name_has_a_colon_can_be_named(cli: Cli) -> None:
    odd = cli.home / "x:rw"
    odd.mkdir()
    assert cli("run", "-w", f"{odd}:ro", "--", "pwd").stdout == f"{odd}\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-s", "dev", "--", "true"), "state"),
        (("-s", "dev", "-w", ".", "--", "true"), "usage"),
        (("-w", "/", "--", "true"), "workspace"),
        (("-p", "nope", "--", "true"), "profile"),
        (("-d", "nope", "--", "true"), "plugin-not-found"),
        (("--memory", "lots", "--", "true"), "usage"),
        (("--mount", "/x", "--", "true"), "usage"),
    ],
)
def test_a_refusal_is_one_line_or_one_object(cli: Cli, arguments: tuple[str, ...], code: str) -> None:
    cli.refused("run", *arguments, code=code)
    done = cli("run", "--json", *arguments)
    assert (done.returncode, done.stderr) == (125, "")
    assert json.loads(done.stdout)["error"]["code"] == code


def test_an_allow_list_without_a_proxy_is_refused_by_what_to_install(cli: Cli) -> None:
    cli.config.mkdir(parents=True)
    (cli.config / "config.toml").write_text('[plugins]\ndisable = ["aisbx-egress"]\n')
    line = cli.refused("run", "--network=allow=pypi.example:443", "--", "touch", "here", code="plugin-not-found")
    assert "aisbx-egress" in line
    assert "lower" not in line


def test_an_open_network_is_there(cli: Cli) -> None:
    assert cli("run", "--network=open", "--", "true").returncode == 0


def test_a_run_is_recorded_without_the_values_of_its_environment(cli: Cli) -> None:
    assert cli("run", "-e", "TOKEN=hunter2", "--", "echo", "hi").stdout == "hi\n"
    cli("run", "-w", "/", "--", "true")
    done, refused = cli.json("audit", "show")["records"]
    assert (done["kind"], done["argv"], done["exit_code"], done["host"]) == ("run.end", ["echo", "hi"], 0, "cli")
    assert done["principal"] == f"uid:{os.geteuid()}"
    assert (refused["kind"], refused["error"]["code"]) == ("run.refused", "workspace")
    assert "hunter2" not in (cli.state / "audit.jsonl").read_text()
    assert cli("logs", done["run"]).stdout == "hi\n"


def test_a_preview_starts_nothing_and_says_what_would_hold(cli: Cli) -> None:
    done = cli("run", "--dry-run", "-p", "python-dev", "-e", "TOKEN=hunter2", "--", "touch", "made")
    assert done.returncode == 0, done.stderr
    assert not (cli.project / "made").exists()
    assert "hunter2" not in done.stdout
    for part in (
        "Sandbox",
        "Files",
        "Limits",
        "System calls",
        "Environment",
        "Enforcement",
        "net:deny",
        str(cli.project),
    ):
        assert part in done.stdout
    assert done.stdout.endswith("This run would be admitted. Nothing was started.\n")
    shown = cli("run", "--dry-run", "--json", "-e", "TOKEN=hunter2", "--", "touch", "made")
    preview = json.loads(shown.stdout)
    assert preview["admitted"] is True
    assert preview["spec"]["workspace"] == {"path": str(cli.project), "mode": "rw"}
    assert preview["environment_given"] == ["TOKEN"]
    assert "hunter2" not in shown.stdout
    assert not cli.json("audit", "show")["records"]


def test_a_preview_of_what_would_be_refused_ends_as_the_run_would(cli: Cli) -> None:
    done = cli("run", "--dry-run", "--disk", "1M", "--", "true")
    run = cli("run", "--disk", "1M", "--", "true")
    assert done.returncode == run.returncode == 125
    assert done.stderr.startswith("aisbx: not-enforced: ")
    assert run.stderr.startswith("aisbx: not-enforced: ")


def test_older_spellings_are_understood(cli: Cli) -> None:
    done = cli("run", "-i", "-p", "base", "-t", "30s", "-e", "A=1", "sh", "-c", "echo $A")
    assert (done.stdout, done.returncode) == ("1\n", 0)


def test_doctor_says_whether_a_run_would_be_admitted(cli: Cli) -> None:
    done = cli("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("driver bwrap", "net:deny", "sys:filter", "platform"):
        assert part in done.stdout
    report = cli.json("doctor")
    assert report["ready"] is True
    assert {"section": "driver bwrap", "name": "net:deny", "state": "ok"}.items() <= next(
        row for row in report["rows"] if row["name"] == "net:deny"
    ).items()


WITHOUT_DRIVERS = """
import sys
from importlib import metadata
every = metadata.distributions
metadata.distributions = lambda **context: [d for d in every(**context) if "driver" not in d.metadata["Name"]]
from aisbx.cli.app import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("command", "code"),
    [(("run", "--", "true"), 125), (("run", "--dry-run", "true"), 125), (("doctor",), 125), (("plugin", "list"), 0)],
)
def test_without_a_driver_every_command_that_needs_one_says_which_to_install(
    cli: Cli, command: tuple[str, ...], code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", WITHOUT_DRIVERS, *command],
        cwd=cli.project,
        env=cli.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "pip install aisbx-driver-bwrap" in done.stdout + done.stderr


def test_a_driver_that_is_left_out_is_not_loaded(cli: Cli) -> None:
    cli.environ["AISBX_DISABLE_PLUGINS"] = "aisbx-driver-bwrap,aisbx-driver-chroot,aisbx-driver-lima"
    assert "AISBX_DISABLE_PLUGINS" in cli.refused("run", "--", "true", code="plugin-not-found")


def test_words_that_are_no_utf8_arrive_as_they_are(cli: Cli) -> None:
    argv = [os.fsencode(word) for word in cli.argv("run", "--", "printf", "%s")]
    done = subprocess.run(
        [*argv, b"\xff\xfe"], cwd=cli.project, env=cli.env, capture_output=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == (b"\xff\xfe", 0)


def test_an_interrupt_reaches_the_command_and_ends_with_130(cli: Cli) -> None:
    with subprocess.Popen(
        cli.argv("run", "--", "sh", "-c", "echo ready; exec sleep 30"),
        cwd=cli.project,
        env=cli.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (130, b"")


def test_output_can_be_followed_while_the_command_runs(cli: Cli) -> None:
    with subprocess.Popen(
        cli.argv("run", "--", "sh", "-c", "echo first; read line; echo last"),
        cwd=cli.project,
        env=cli.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == b"first\n"
        [log] = (cli.state / "runs").iterdir()
        with subprocess.Popen(
            cli.argv("logs", log.stem, "-f"), cwd=cli.project, env=cli.env, stdout=subprocess.PIPE
        ) as follower:
            assert follower.stdout
            assert follower.stdout.readline() == b"first\n"
            process.stdin.write(b"go\n")
            process.stdin.close()
            assert follower.stdout.readline() == b"last\n"
            assert follower.wait(timeout=30) == 0
    assert process.returncode == 0


def test_what_a_run_plants_for_the_host_to_execute_is_told_on_stderr(cli: Cli) -> None:
    script = "git init -q . && printf '#!/bin/sh\\n' > .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit"
    done = cli("run", "--", "sh", "-c", script)
    assert done.returncode == 0
    assert any("pre-commit" in line and line.startswith("aisbx: ") for line in done.stderr.splitlines()), done.stderr
    outcome = json.loads(cli("run", "--json", "--", "sh", "-c", "mkdir sub; cd sub; " + script).stdout)
    assert any("pre-commit" in finding for finding in outcome["findings"])


def test_more_words_than_bubblewrap_takes_are_told_as_a_shell_tells_it(cli: Cli) -> None:
    line = cli.refused("run", "--", "true", *(["x"] * 9100), code="command-not-executable", exit_code=126)
    assert "Argument list too long" in line
    assert "xargs" in line
    assert cli("run", "--", "sh", "-c", "echo $#", "sh", *(["x"] * 8000)).stdout == "8000\n"


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("pth = '/usr/bin/bwrap'", "drivers.bwrap.pth: there is no such setting"),
        ("path = 'bwrap'", "drivers.bwrap.path: 'bwrap' is not an absolute path"),
        ("path = 5", "drivers.bwrap.path: 5 is not an absolute path"),
    ],
)
def test_what_the_driver_cannot_be_told_is_refused_where_it_stands(cli: Cli, said: str, what: str) -> None:
    cli.config.mkdir(parents=True)
    (cli.config / "config.toml").write_text(f"[drivers.bwrap]\n{said}\n")
    assert f"config.toml:2: {what}" in cli.refused("run", "--", "true", code="config")


def test_the_doctor_makes_nothing_whatever_the_profile_keeps(cli: Cli) -> None:
    cli.environ["AISBX_PROFILE"] = "go-dev"
    cli("doctor")
    assert [path.name for path in cli.home.iterdir()] == ["project"]
