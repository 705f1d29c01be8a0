"""The command line says and does the same here and at a supervisor."""

import json
import re
import time
from typing import Any

import pytest
from aisbx.cli import session
from aisbx.cli.app import main
from aisbx.remote.server import KEY, Server
from aisbx_vault import kdf
from aisbx_vault.vault import Vault

from tests.remote.conftest import Way

IDS = re.compile(r"\b[0-9a-f]{12}\b")


def told(way: Way, *words: str, given: bytes = b"") -> tuple[int, str, str]:
    done = way.aisbx(*words, given=given)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def box(way: Way) -> str:
    options = ["-p", "shell", "-w", str(way.project)] if not way.finding else []
    assert told(way, "create", "--name", "line", "--idle-ttl", "10m", *options) == (0, "line\n", "")
    return "line"


def test_commands_are_run_and_what_they_print_and_end_with_comes_through(way: Way, box: str) -> None:
    script = "cat; echo out; echo err >&2; exit 3"
    assert told(way, "exec", box, "--", "sh", "-c", script, given=b"in\n") == (3, "in\nout\n", "err\n")
    code, out, _ = told(way, "exec", "-e", "A=b", "-t", "5s", box, "--json", "--", "sh", "-c", "echo $A; kill -9 $$")
    record: dict[str, Any] = json.loads(out)
    assert (code, record["exit_code"], record["signal"], record["stdout"]["text"]) == (137, 137, 9, "b\n")
    assert record["enforcement"]["proc:isolated"]["level"] == "full"
    code, out, errors = told(way, "exec", box, "--", "nothing-of-that-name")
    assert (code, out) == (127, "")
    assert errors.startswith("aisbx: command-not-found: ")
    code, _, errors = told(way, "exec", "nobody", "--", "true")
    assert (code, errors) == (125, "aisbx: state: there is no sandbox 'nobody'; hint: see: aisbx ls\n")
    code, _, errors = told(way, "exec", box, "-t", "200ms", "--", "sleep", "9")
    assert (code, "time" in errors) == (124, True)


def test_what_runs_in_the_background_is_listed_shown_fed_and_ended(way: Way, box: str) -> None:
    code, out, _ = told(way, "exec", box, "-d", "-i", "--", "sh", "-c", "read a; echo got $a; exit 2")
    first = out.strip()
    assert (code, bool(IDS.fullmatch(first))) == (0, True)
    assert told(way, "input", box, first[:6], given=b"it\n") == (0, "", "")
    assert told(way, "attach", box, first, "--logs", "--no-stdin") == (2, "got it\n", "")
    assert told(way, "logs", box, first, "--tail", "1") == (0, "got it\n", "")
    assert json.loads(told(way, "logs", box, first, "--json")[1])["output"] == {"text": "got it\n"}
    second = told(way, "exec", box, "-d", "--", "sleep", "600")[1].strip()
    rows = json.loads(told(way, "ps", box, "--json")[1])
    states = {row["id"]: row["state"] for row in rows["commands"]}  # a supervisor's has those that were waited for, too
    assert {name: states[name] for name in (first, second)} == {first: "ended", second: "running"}
    assert any(row["argv"] == ["sleep", "600"] for row in rows["processes"])
    assert told(way, "kill", box, second, "-s", "KILL") == (0, "", "")
    assert told(way, "attach", box, second, "--logs")[0] == 137


def test_a_sandbox_with_an_allow_list_is_granted_more_and_less(way: Way, box: str) -> None:
    options = ("-p", "shell", "-w", str(way.project), "--network", "allow=one.example:443")
    assert told(way.here, "create", "--name", "reaches", *options)[0] == 0
    assert told(way, "grant", "reaches", "two.example:443", "--ttl", "10m") == (0, "", "")
    code, out, _ = told(way, "grant", "reaches")
    assert (code, out.splitlines()[1].split()[0]) == (0, "two.example:443")
    (row,) = json.loads(told(way, "grant", "reaches", "--json")[1])["grants"]
    assert (row["rule"], row["until"] > 0) == ("two.example:443", True)
    assert told(way, "grant", "reaches", "two.example:443", "--withdraw") == (0, "", "")
    assert json.loads(told(way, "grant", "reaches", "--json")[1])["grants"] == []
    for words, said in (
        ((box, "two.example:443"), "not an allow-list"),
        (("nobody", "two.example:443"), "aisbx: state: there is no sandbox 'nobody'; hint: see: aisbx ls\n"),
        (("reaches", "two.example:443", "--withdraw"), "was not granted"),
        (("reaches", "two.example:x"), "aisbx: usage: "),
    ):
        code, _, errors = told(way, "grant", *words)
        assert (code, errors.count("\n"), said in errors) == (125, 1, True), errors
    assert told(way, "destroy", "reaches")[0] == 0


def test_a_sandbox_is_copied_to_paused_looked_at_and_ended(way: Way, box: str) -> None:
    (way.project / "sent").write_text("hello\n")
    assert told(way, "cp", "sent", f"{box}:/tmp/there") == (0, "", "")
    assert told(way, "cp", f"{box}:/tmp/there", "back") == (0, "", "")
    assert (way.project / "back").read_text() == "hello\n"
    assert told(way, "pause", box)[0] == 0
    code, _, errors = told(way, "exec", box, "--", "true")
    assert (code, "paused" in errors) == (125, True)
    assert told(way, "resume", box)[0] == 0
    row = json.loads(told(way, "inspect", box, "--json")[1])
    assert (row["name"], row["state"], row["profile"], row["idle_ttl"]) == (box, "running", "shell", 600)
    assert [one["name"] for one in json.loads(told(way, "ls", "--json")[1])["sandboxes"] if one["name"] == box] == [box]
    assert json.loads(told(way, "destroy", box, "--json")[1]) == {"destroyed": [box]}
    assert told(way, "destroy", box) == (0, "", "")


def test_keys_the_log_and_the_settings_are_the_hosts(way: Way) -> None:
    code, key, errors = told(way, "key", "create", "made", "--scope", "run", "--expires", "1h")
    assert (code, key[:6], "(made): run, until" in errors) == (0, "aisbx_", True)
    rows = json.loads(told(way, "key", "list", "--json")[1])["keys"]
    assert [(row["name"], row["state"], row["scopes"]) for row in rows] == [("made", "active", ["run"])]
    assert told(way, "key", "revoke", "made")[0] == 0
    assert told(way, "key", "revoke", "made")[0] == 125
    kinds = [row["kind"] for row in json.loads(told(way, "audit", "show", "--json", "--tail", "2")[1])["records"]]
    assert kinds == ["key.create", "key.revoke"]
    assert 'profile = "' in told(way, "config", "show")[1]


def test_profiles_and_secrets_are_told_by_their_names(way: Way) -> None:
    rows = {row["name"]: row for row in json.loads(told(way, "profile", "list", "--json")[1])["profiles"]}
    assert (rows["shell"]["origin"], bool(rows["shell"]["description"])) == ("installed", True)
    assert json.loads(told(way, "profile", "show", "shell+offline", "--json")[1])["profile"]["name"] == "offline+shell"
    code, out, _ = told(way, "profile", "show", "shell")
    assert (code, out.splitlines()[0].split()) == (0, ["name", "shell"])
    assert told(way, "profile", "show", "nothing")[0] == 125
    code, _, errors = told(way, "secret", "list")
    assert (code, errors.startswith("aisbx: secret: ")) == (125, True)  # there is no vault
    vault = Vault(way.home.state)
    vault.create(kdf.PBKDF2, lambda: b"passphrase")
    vault.set("token", b"value", lambda: b"passphrase")
    code, out, _ = told(way, "secret", "list")
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, ["NAME", "token"])
    assert [row["name"] for row in json.loads(told(way, "secret", "list", "--json")[1])["secrets"]] == ["token"]


@pytest.mark.usefixtures("box")  # of which the log has a record
def test_the_doctor_and_the_logs_verification_are_the_hosts(way: Way) -> None:
    code, out, _ = told(way, "doctor", "--json")
    report = json.loads(out)
    assert (code, report["ready"]) == (0, True)
    assert {"core", "plugins", "driver bwrap"} <= {row["section"] for row in report["rows"]}
    log = way.home.state / "audit.jsonl"
    code, out, _ = told(way, "audit", "verify")
    assert (code, "as they were written" in out) == (0, True), out
    head = re.search(r"head (\d+:[0-9a-f]{64})", out)
    assert head
    assert told(way, "audit", "verify", "--head", head[1], "--json")[0] == 0
    place = log.read_bytes().rindex(b'"principal":"') + 13
    with log.open("r+b") as file:
        for letter, found in ((b"x", 1), (b"u", 0)):
            file.seek(place)
            file.write(letter)
            file.flush()
            code, out, _ = told(way, "audit", "verify", "--json")
            assert (code, len(json.loads(out)["problems"])) == (found, found), out


def test_what_it_was_refused_is_shown_and_explained(way: Way) -> None:
    options = ["-p", "shell", "-w", str(way.project)] if not way.finding else []
    assert told(way, "create", "--name", "seen", "--idle-ttl", "10m", *options) == (0, "seen\n", "")
    box = "seen"
    code, _, errors = told(way, "exec", box, "--", "python3", "-c", "import os; os.chroot('/tmp')")
    assert (code, "PermissionError" in errors) == (1, True), errors
    until = time.monotonic() + 20
    while not (rows := told(way, "monitor", box, "--once", "--json", "--severity", "high")[1].splitlines()):
        assert time.monotonic() < until
    seen: dict[str, Any] = json.loads(rows[-1])
    assert (seen["what"], seen["severity"], seen["arguments"]) == ("chroot", "high", {"path": "/tmp"})
    code, out, _ = told(way, "explain", seen["id"])
    assert (code, "chroot(path=/tmp) = EPERM" in out, "nothing, in any profile" in out) == (0, True, True), out
    code, _, errors = told(way, "explain", "nothing-of-that-name")
    assert (code, errors.count("\n")) == (125, 1), errors
    assert told(way, "destroy", box)[0] == 0
    assert f" {box} high/mount" in told(way, "monitor", box, "--once")[1]  # what is known of it outlives it


def test_a_key_finds_its_own_by_the_names_it_gave(
    way: Way, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not way.finding:
        pytest.skip("here nobody shows a key")
    monkeypatch.setenv(KEY, way.home.key("finds"))
    server = Server(way.finding["remote"])
    server.post("sandboxes", {"name": "mine"})
    server.post("sandboxes/mine/exec", {"argv": ["sleep", "9"], "timeout": 0.2})
    try:
        for gone in (False, True):
            for words in (("explain", "mine"), ("monitor", "mine", "--once")):
                assert main([*way.words, *words]) == 0
                assert "low/wall-time: sleep wall_time" in capsys.readouterr().out, (words, gone)
            if not gone:
                server.delete("sandboxes/mine")
    finally:
        session.remote.clear()


def test_what_only_this_machine_has_is_refused_with_a_line(way: Way) -> None:
    if not way.finding:
        pytest.skip("here all is offered")
    for words, said in (
        (("init",), "aisbx init is about this machine"),
        (("profile", "create", "x"), "aisbx profile create is about this machine"),
        (("mcp", "install"), "aisbx mcp is about this machine"),
        (("list",), "No such command 'list'"),
        (("diff", "none"), "there is no sandbox 'none'; hint: see: aisbx ls"),
        (("fork", "none", "another"), "there is no sandbox 'none'; hint: see: aisbx ls"),
        (("secret", "set", "x"), "aisbx secret set is about this machine"),
        (("create", "--mount", "/etc:/x"), "the supervisor decides"),
        (("create", "-w", "/"), "the supervisor decides"),
        (("run", "--network", "open", "--", "true"), "the supervisor decides"),
    ):
        code, out, errors = told(way, *words)
        assert (code, out, errors.count("\n"), said in errors) == (125, "", 1, True), errors
    for place in ("", "ftp://x", "http://user:word@127.0.0.1", "unix:/none"):
        code, _, errors = told(Way(way.home, way.project, {}, {"remote": place}), "ls")
        assert (code, errors.count("\n")) == (125, 1), errors
