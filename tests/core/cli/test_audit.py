"""`aisbx audit show` and `aisbx logs`: every run is told, and none of them can act on the reader's terminal."""

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from aisbx.audit.places import place
from aisbx.audit.write import append_once

from .conftest import Cli, record


def on_terminal(cli: Cli, *arguments: str) -> bytes:
    """Run with a terminal as stdout, and give what it was sent."""
    parent, child = pty.openpty()
    process = subprocess.Popen(cli.argv(*arguments), env=cli.env, cwd=cli.project, stdin=child, stdout=child)
    os.close(child)
    data = b""
    while True:
        try:
            chunk = os.read(parent, 65536)
        except OSError:
            break
        if not chunk:
            break
        data += chunk
    os.close(parent)
    assert process.wait(timeout=60) == 0
    return data


def test_no_runs_is_no_error(cli: Cli) -> None:
    assert cli("audit", "show").stdout.split() == ["TIME", "RUN", "WHO", "PROFILE", "DRIVER", "RESULT", "COMMAND"]
    assert cli("logs").stdout.split() == ["RUN", "TIME", "RESULT", "TOOK", "COMMAND"]
    assert cli.json("audit", "show") == {"records": [], "damaged": []}
    assert not cli.state.exists(), "reading makes nothing"


def test_each_run_is_a_row_with_what_came_of_it(cli: Cli) -> None:
    cli.write_audit(
        record(1, argv=["python", "a b.py"]),
        record(2, exit_code=137, signal=9),
        record(3, exit_code=124, timed_out=True),
        {"v": 1, "time": 1.0, "kind": "run.refused", "run": "run4", "error": {"code": "workspace", "message": "no"}},
    )
    rows = cli("audit", "show").stdout.splitlines()[1:]
    assert "run0001  uid:1000  base     bwrap   exit 0              python 'a b.py'" in rows[0]
    assert "signal 9" in rows[1]
    assert "timed out" in rows[2]
    assert "refused: workspace" in rows[3]


def test_programs_get_the_records_as_they_are(cli: Cli) -> None:
    written = [record(1, argv=["a\x1bb", "\udcff"]), record(2)]
    cli.write_audit(*written)
    assert cli.json("audit", "show") == {"records": written, "damaged": []}
    assert cli.json("audit", "show", "--tail", "1") == {"records": written[1:], "damaged": []}


def test_since_takes_an_age_or_a_date(cli: Cli) -> None:
    now = time.time()
    cli.write_audit(record(1, time=now - 7200, run="old"), record(2, time=now - 60, run="new"))
    assert [row["run"] for row in cli.json("audit", "show", "--since", "1h")["records"]] == ["new"]
    assert [row["run"] for row in cli.json("audit", "show", "--since", "3h")["records"]] == ["old", "new"]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now - 3600))
    assert [row["run"] for row in cli.json("logs", "--since", stamp)["runs"]] == ["new"]


def test_damage_is_named_with_its_line_and_hides_nothing(cli: Cli) -> None:
    cli.write_audit(record(1), b'{"half": \n', record(3), b'{"v": 1, "ti')
    done = cli("audit", "show")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 3
    assert done.stderr == "aisbx: state: the audit log's line 2 is damaged: not JSON\n"
    path = str(cli.state / "audit.jsonl")
    assert cli.json("audit", "show")["damaged"] == [{"file": path, "line": 2, "reason": "not JSON"}]


HOSTILE = ["echo", "\x1b]0;title\x07", "\x1b[2J\n", "a\rb", "\u202exyz", "\x9b6n", "\udcff"]


@pytest.mark.parametrize("command", [("audit", "show"), ("logs",)])
def test_the_words_of_a_command_cannot_act_on_the_terminal(cli: Cli, command: tuple[str, ...]) -> None:
    cli.write_audit(record(1, argv=HOSTILE, profile="p\x1b[31m", run="r\x07", principal="u\n\x1b", driver="\x9b"))
    shown = on_terminal(cli, *command).replace(b"\r\n", b"\n")
    assert len(shown.splitlines()) == 2
    assert shown.decode().replace("\n", "").isprintable()
    assert b"$'\\x1b]0;title\\x07'" in shown


def test_a_foreign_audit_log_is_refused(cli: Cli, tmp_path: Path) -> None:
    cli.state.mkdir(parents=True)
    (tmp_path / "elsewhere").write_text("{}\n")
    (cli.state / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    cli.refused("audit", "show", code="state")
    cli.refused("logs", code="state")


def test_logs_lists_the_newest_runs(cli: Cli) -> None:
    cli.write_audit(*(record(number) for number in range(30)))
    assert [line.split()[0] for line in cli("logs").stdout.splitlines()[1:]] == [f"run{n:04}" for n in range(10, 30)]
    assert [line.split()[0] for line in cli("logs", "-n", "2").stdout.splitlines()[1:]] == ["run0028", "run0029"]
    assert cli.json("logs", "--tail", "1")["runs"][0]["run"] == "run0029"


def test_output_is_given_byte_for_byte_to_a_pipe(cli: Cli) -> None:
    data = bytes(range(256)) + b"\r\n\x1b[31mred"
    cli.keep_output("abc123", data)
    assert cli.raw("logs", "abc1").stdout == data
    assert cli.json("logs", "abc123")["output"].keys() == {"base64"}
    cli.keep_output("text", "äöü\n".encode())
    assert cli.json("logs", "text") == {"run": "text", "output": {"text": "äöü\n"}}


def test_output_cannot_act_on_the_terminal_but_keeps_its_colours(cli: Cli) -> None:
    cli.keep_output("abc", b"\x1b[31mred\x1b[0m \x1b]52;c;aGk=\x07 \x1b[6n a\rb\nend\n")
    shown = on_terminal(cli, "logs", "abc")
    assert shown == b"\x1b[31mred\x1b[0m \\x1b]52;c;aGk=\\x07 \\x1b[6n a\\x0db\r\nend\r\n\x1b[0m"


def test_the_end_of_the_output_is_enough(cli: Cli) -> None:
    cli.keep_output("abc", b"1\n2\n3\n")
    assert cli("logs", "abc", "--tail", "2").stdout == "2\n3\n"
    assert not cli("logs", "abc", "--tail", "0").stdout


def test_a_run_that_kept_nothing_or_is_not_clear_is_refused(cli: Cli) -> None:
    cli.keep_output("abc1", b"")
    cli.keep_output("abc2", b"")
    cli.refused("logs", "zzz", code="state")
    cli.refused("logs", "../../x", code="state")
    cli.refused("logs", "abc", code="usage")
    cli.refused("logs", "abc1", "--since", "1h", code="usage")
    assert cli.json("logs", "-f", code=125)["error"]["code"] == "usage"


@contextmanager
def following(cli: Cli, *arguments: str) -> Generator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    argv = cli.argv("logs", *arguments, "-f")
    with subprocess.Popen(argv, env=cli.env, cwd=cli.project, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout
        try:
            yield process, process.stdout
        finally:
            process.kill()


def test_following_shows_each_run_as_it_ends(cli: Cli) -> None:
    cli.write_audit(record(1))
    with following(cli) as (process, stdout):
        assert stdout.readline().startswith(b"RUN")
        assert stdout.readline().startswith(b"run0001")
        cli.write_audit(record(1), record(2, argv=["late"]))
        assert stdout.readline().startswith(b"run0002")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130


def test_following_a_run_ends_with_the_run(cli: Cli) -> None:
    cli.write_audit(record(1))
    cli.keep_output("abc", b"first\n")
    with following(cli, "abc") as (process, stdout):
        assert stdout.readline() == b"first\n"
        cli.keep_output("abc", b"first\nsecond\n")
        assert stdout.readline() == b"second\n"
        cli.write_audit(record(1), record(2, run="abc"))
        assert process.wait(timeout=30) == 0


def test_verify_says_whether_the_log_is_as_it_was_written(cli: Cli, tmp_path: Path) -> None:
    cli.state.mkdir(parents=True, mode=0o700)
    where = place(cli.state, cli.config, 1 << 20, 0, "")
    for number in range(3):
        append_once(where, json.dumps(record(number), separators=(",", ":")))
    done = cli("audit", "verify")
    assert (done.returncode, done.stderr) == (0, "")
    whole, _, head = done.stdout.strip().rpartition(" ")
    assert whole == "3 records, as they were written; head"
    log = Path(where["path"])
    log.write_bytes(log.read_bytes().replace(b"run0001", b"run0009"))
    done = cli("audit", "verify", "--head", head)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{log}:2: record 2 is not as it was written")
    assert cli.json("audit", "verify", "--head", f"9:{'a' * 64}", code=1)["problems"][1]["path"] == "exported head"
    cli.refused("audit", "verify", "--head", "three", code="usage")
    log.unlink()
    log.symlink_to(tmp_path / "elsewhere")
    cli.refused("audit", "verify", code="state")
