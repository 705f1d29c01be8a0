"""Sandboxes over HTTP: made, used, looked at, ended; each key's are its own."""

import json
import uuid
from base64 import b64decode
from contextlib import suppress
from http.client import IncompleteRead
from pathlib import Path

from aisbx.audit.write import append_once, start
from aisbx.engine import Engine
from aisbx.keys import Keyring

from tests.supervisor.conftest import Home, Served, until


def test_a_sandbox_is_made_listed_by_pages_inspected_and_destroyed(served: Served, home: Home) -> None:
    key = home.key("pages")
    for name in ("a", "b", "c"):
        made = served.done("POST", "sandboxes", {"name": name, "idle_ttl": 600}, key=key)
        assert (made["name"], made["state"], made["profile"]) == (name, "running", "shell")
    page = served.done("GET", "sandboxes?limit=2", key=key)
    assert [row["name"] for row in page["sandboxes"]] == ["a", "b"]
    rest = served.done("GET", f"sandboxes?limit=2&after={page['next']}", key=key)
    assert ([row["name"] for row in rest["sandboxes"]], rest["next"]) == (["c"], None)
    served.done("POST", "sandboxes/b/pause", key=key)
    assert [row["name"] for row in served.done("GET", "sandboxes?state=paused", key=key)["sandboxes"]] == ["b"]
    served.done("POST", "sandboxes/b/resume", key=key)
    assert served.done("GET", "sandboxes/a", key=key)["enforcement"]
    workspace = Path(served.done("GET", "sandboxes/a", key=key)["workspace"])
    assert workspace.is_dir()
    for name in ("a", "b", "c"):
        assert served.done("DELETE", f"sandboxes/{name}", key=key) == {"findings": []}
    assert not workspace.exists()
    served.refused(404, "GET", "sandboxes/a", key=key)


def test_a_command_runs_with_input_variables_and_a_directory_and_says_how_it_ended(served: Served, box: str) -> None:
    found = served.run(
        box, "sh", "-c", "cat; echo $A; pwd; echo no >&2; exit 3", stdin="in\n", env={"A": "b"}, cwd="/tmp"
    )
    assert (found["exit_code"], found["stdout"]["text"], found["stderr"]["text"]) == (3, "in\nb\n/tmp\n", "no\n")
    assert served.run(box, "printf", r"\377")["stdout"]["base64"] == "/w=="
    assert served.run(box, "sleep", "9", timeout=0.2)["timed_out"]
    assert served.refused(422, "POST", f"sandboxes/{box}/exec", {"argv": ["nothing"]})["code"] == "command-not-found"
    for argv in ([], [""], ["a\0b"]):
        assert served.ask("POST", f"sandboxes/{box}/exec", {"argv": argv}).status in {400, 422}


def test_another_keys_sandbox_is_not_there_and_its_name_is_free(served: Served, home: Home, box: str) -> None:
    other, boss = home.key("stranger"), home.key("boss", "admin", "run")
    real = served.done("GET", f"sandboxes/{box}")["id"]
    for name in (box, real):
        served.refused(404, "GET", f"sandboxes/{name}", key=other)
        served.refused(404, "DELETE", f"sandboxes/{name}", key=other)
        served.refused(404, "POST", f"sandboxes/{name}/exec", {"argv": ["true"]}, key=other)
        served.refused(404, "GET", f"sandboxes/{name}/files?path=/etc/passwd", key=other)
    served.done("POST", "sandboxes", {"name": box}, key=other)
    served.done("DELETE", f"sandboxes/{box}", key=other)
    assert served.run(box, "true")["exit_code"] == 0
    assert real in {row["name"] for row in served.done("GET", "sandboxes?all=true", key=boss)["sandboxes"]}
    assert served.done("GET", f"sandboxes/{real}", key=boss)["name"] == real
    assert all(row["principal"] != f"key:{real[:12]}" for row in served.done("GET", "audit", key=other)["records"])


def test_no_request_goes_beyond_what_the_server_gives(served: Served) -> None:
    served.refused(403, "POST", "sandboxes", {"profile": "python-dev"})
    for more in (
        {"workspace": "/etc"},
        {"mounts": {"/etc": "/x"}},
        {"driver": "chroot"},
        {"network": "open"},
        {"mode": "rw"},
    ):
        served.refused(422, "POST", "sandboxes", more)
    for more in ({"memory": 1 << 40}, {"pids": 4000}):  # than its profile has
        assert served.refused(403, "POST", "sandboxes", more)["detail"].startswith("rest.limits: ")
    less = served.done("POST", "sandboxes", {"timeout": 60, "output": 1000})
    served.done("DELETE", f"sandboxes/{less['name']}")
    made = served.done("POST", "sandboxes", {"profile": "offline"})
    assert made["profile"] == "offline+shell"
    served.done("DELETE", f"sandboxes/{made['name']}")


def test_a_post_with_an_idempotency_key_is_done_once(served: Served, box: str) -> None:
    key = str(uuid.uuid4())
    body = {"argv": ["sh", "-c", "echo x >> /tmp/once; wc -l < /tmp/once"]}
    first = served.ask("POST", f"sandboxes/{box}/exec", body, Idempotency_Key=key)
    again = served.ask("POST", f"sandboxes/{box}/exec", body, Idempotency_Key=key)
    assert (first.status, first.json["stdout"]["text"].strip()) == (200, "1")
    assert again.body == first.body
    assert again.headers["idempotency-replayed"] == "true"
    other = {"argv": ["true"]}
    served.refused(409, "POST", f"sandboxes/{box}/exec", other, Idempotency_Key=key)
    served.refused(400, "POST", f"sandboxes/{box}/exec", other, Idempotency_Key="x" * 300)


def test_a_stream_has_ids_and_is_taken_up_where_it_was_cut_off(served: Served, box: str) -> None:
    body = {
        "argv": ["sh", "-c", "read a; echo $a; sleep 0.3; echo two >&2; sleep 0.3; echo three; exit 4"],
        "stdin": "one\n",
    }
    stream = served.events(f"sandboxes/{box}/exec", body)
    kind, process = next((kind, data) for _, kind, data in stream if kind == "process")
    number, kind, data = next(stream)
    assert (kind, data) == ("stdout", {"text": "one\n"})
    stream.close()  # type: ignore[attr-defined]
    path = f"sandboxes/{box}/processes/{process['id']}/events"
    rest = [(kind, data) for _, kind, data in served.events(path, Last_Event_ID=number)][1:]
    assert rest[:2] == [("stderr", {"text": "two\n"}), ("stdout", {"text": "three\n"})]
    assert (rest[2][0], rest[2][1]["exit_code"], rest[2][1]["state"]) == ("end", 4, "ended")
    whole = served.done("GET", f"sandboxes/{box}/processes/{process['id']}/output")
    assert (whole["stream"], whole["text"]) == (1, "one\n")


def test_who_listens_when_too_many_do_is_told_and_nobody_waits_for_them(served: Served, box: str) -> None:
    one = served.done("POST", f"sandboxes/{box}/processes", {"argv": ["sleep", "600"]})
    path = f"sandboxes/{box}/processes/{one['id']}/events"
    streams = [served.events(path) for _ in range(41)]
    assert {next(stream)[1] for stream in streams} == {"process"}
    assert next(streams[-1])[2]["code"] == "limited"
    assert served.done("DELETE", f"sandboxes/{box}/processes/{one['id']}")["state"] == "ended"
    assert [kind for _, kind, _ in streams[0]] == ["end"]
    for stream in streams:
        stream.close()  # type: ignore[attr-defined]


def test_a_process_goes_on_takes_input_and_signals(served: Served, box: str) -> None:
    place = f"sandboxes/{box}/processes"
    one = served.done("POST", place, {"argv": ["cat"], "stdin": True})
    path = f"{place}/{one['id']}"
    served.done("POST", f"{path}/input", {"text": "hello", "end": True})
    assert until(lambda: served.done("GET", path)["state"] == "ended")
    assert served.done("GET", f"{path}/output")["text"] == "hello"
    two = served.done("POST", place, {"argv": ["sleep", "600"]})
    assert any(row["argv"] == ["sleep", "600"] for row in served.done("GET", f"sandboxes/{box}/ps")["processes"])
    served.done("POST", f"{place}/{two['id']}/signal", {"signal": "TERM"})
    assert until(lambda: served.done("GET", f"{place}/{two['id']}")["exit_code"] == 143)
    three = served.done("POST", place, {"argv": ["sleep", "600"]})
    assert served.done("DELETE", f"{place}/{three['id']}")["state"] == "ended"
    assert len(served.done("GET", place)["processes"]) >= 3
    served.refused(404, "GET", f"{place}/{'0' * 12}")
    assert served.done("GET", f"{path}/output?cursor={1 << 62}")["stream"] is None  # further than a file can be
    assert [kind for _, kind, _ in served.events(f"{path}/events", Last_Event_ID="9" * 18)] == ["process", "end"]


def test_files_are_streamed_both_ways_and_by_ranges(served: Served, box: str) -> None:
    place = f"sandboxes/{box}/files"
    data = bytes(range(256)) * 4096 * 12  # more than what is passed on in one piece
    assert served.ask("PUT", f"{place}?path=/tmp/big&mode=600", data).status == 204
    assert served.ask("GET", f"{place}?path=/tmp/big").body == data
    part = served.ask("GET", f"{place}?path=/tmp/big", Range="bytes=1000-1999")
    assert (part.status, part.body) == (206, data[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(data)}"
    assert served.ask("GET", f"{place}?path=/tmp/big", Range="bytes=-3").body == data[-3:]
    served.refused(416, "GET", f"{place}?path=/tmp/big", Range=f"bytes={len(data)}-")
    assert served.run(box, "stat", "-c", "%a %s", "/tmp/big")["stdout"]["text"] == f"600 {len(data)}\n"
    assert served.ask("PUT", f"{place}?path=note", b"in the workspace").status == 204
    served.done("POST", f"{place}/directories", {"path": "a/b", "parents": True})
    assert [row["name"] for row in served.done("GET", f"{place}/list")["files"]] == ["a", "note"]
    served.run(box, "ln", "-s", "/etc/passwd", "/tmp/link")
    assert b"root:x:0:0:root:/root" not in served.ask("GET", f"{place}?path=/tmp/../../../../etc/shadow").body
    assert served.done("GET", f"{place}/stat?path=/tmp/link")["kind"] == "link"
    served.run(box, "ln", "-sf", "/tmp/big", "/tmp/link")
    assert served.ask("GET", f"{place}?path=/tmp/link").body == data  # also more than fits into one part
    whole = served.ask("GET", f"{place}?path=/tmp/big", Range="bytes=0-1", If_Range='"of another time"')
    assert (whole.status, len(whole.body)) == (200, len(data))
    served.done("DELETE", f"{place}?path=a&recursive=true")
    served.refused(409, "GET", f"{place}?path=/tmp/none")


def test_a_layer_is_reviewed_kept_and_forked_and_only_admin_applies(served: Served, home: Home) -> None:
    boss = home.key("reviewer", "admin", "run", "files")
    name = served.done("POST", "sandboxes", {"name": "layer", "mode": "cow"}, key=boss)["name"]
    place = f"sandboxes/{name}"
    served.done("POST", f"{place}/exec", {"argv": ["sh", "-c", "echo 1 > made"]}, key=boss)
    assert [row["path"] for row in served.done("GET", f"{place}/changes", key=boss)["changes"]] == ["made"]
    assert b"+1" in served.ask("GET", f"{place}/changes/diff", key=boss).body
    assert served.done("POST", f"{place}/snapshots", {"tag": "one"}, key=boss)["tag"] == "one"
    served.done("POST", f"{place}/exec", {"argv": ["rm", "made"]}, key=boss)
    fork = served.done("POST", f"{place}/fork", {"tag": "one"}, key=boss)["name"]
    assert served.done("POST", f"sandboxes/{fork}/exec", {"argv": ["cat", "made"]}, key=boss)["stdout"]["text"] == "1\n"
    served.done("POST", f"{place}/snapshots/one/restore", key=boss)
    applied = served.done("POST", f"{place}/changes/apply", {}, key=boss)
    assert [row["path"] for row in applied["done"]] == ["made"]
    for one in (name, fork):
        served.done("DELETE", f"sandboxes/{one}?discard=true", key=boss)
    plain = home.key("plain")
    served.done("POST", "sandboxes", {"name": "layer", "mode": "cow"}, key=plain)
    served.refused(403, "POST", f"{place}/changes/apply", {}, key=plain)
    served.done("DELETE", f"{place}?discard=true", key=plain)


def test_keys_settings_profiles_secrets_and_the_log_are_there_for_who_may(served: Served, home: Home, box: str) -> None:
    boss = home.key("chief", "admin", "run")
    wanted = {"name": "made-here", "scopes": ["run"]}
    made = served.done("POST", "keys", wanted, key=boss, Idempotency_Key="a-key")
    assert served.refused(409, "POST", "keys", wanted, key=boss, Idempotency_Key="a-key")["code"] == "state"
    kept = [json.loads(path.read_bytes()) for path in (home.state / "supervisor/once").iterdir()]
    assert kept  # and nothing of what is told once
    assert not any(made["key"].encode() in b64decode(row.get("body", "")) for row in kept)
    assert served.ask("GET", "sandboxes", key=made["key"]).status == 200
    assert made["key"] not in served.ask("GET", "keys", key=boss).body.decode()
    served.done("DELETE", f"keys/{made['id']}", key=boss)
    served.refused(401, "GET", "sandboxes", key=made["key"])
    served.refused(422, "POST", "keys", {"name": "x", "workspace": "/home"}, key=boss)
    served.refused(403, "POST", "keys", {"name": "x", "profile": "python-dev"}, key=boss)
    assert [row["name"] for row in served.done("GET", "profiles")["profiles"]] == ["shell"]
    assert served.done("GET", "profiles/shell")["profile"]["name"] == "shell"
    assert served.ask("GET", "secrets", key=boss).status in {200, 409}
    kinds = {row["kind"] for row in served.done("GET", "audit?limit=1000", key=boss)["records"]}
    assert {"key.create", "key.revoke"} <= kinds
    settings = home.path / ".config/aisbx/config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('sinks = []\n[sink_settings.otel]\nendpoint = "http://user:password@x"\n')
    served.done("POST", "configuration/reload", key=boss)
    shown = served.run(box, "true", "shown")["run"]
    settings.write_text('[sink_settings.otel]\nendpoint = "http://user:password@x"\n[audit]\nargv = false\n')
    served.done("POST", "configuration/reload", key=boss)
    other = served.run(box, "true", "kept-back")["run"]  # it holds for what was there before, too
    words = {row["run"]: row["argv"] for row in home.audit() if row["run"] in {shown, other}}
    assert words == {shown: ["true", "shown"], other: ["true"]}
    told = served.ask("GET", "configuration", key=boss)
    assert told.json["settings"]["sink_settings"] == {"otel": {"endpoint": "[redacted]"}}
    settings.write_text("nonsense = 1\n")
    served.refused(500, "POST", "configuration/reload", key=boss)
    settings.write_text('driver = "gone"\n')  # it can be read, and nothing can be made by it
    assert served.ask("POST", "configuration/reload", key=boss).status >= 400
    assert served.done("POST", "sandboxes", {"name": "after-that"})["driver"] == "bwrap"
    served.done("DELETE", "sandboxes/after-that")
    settings.unlink()
    served.done("POST", "configuration/reload", key=boss)
    assert served.ask("GET", "sandboxes").status == 200


def test_the_log_is_followed_and_taken_up(served: Served, box: str) -> None:
    served.run(box, "true")
    last = served.done("GET", "audit?limit=1000")["records"][-1]
    stream = served.events("audit/events?kind=exec.end", Last_Event_ID=str(last["seq"] - 1))
    number, kind, data = next(stream)
    assert (int(number), kind, data["run"]) == (last["seq"], "record", last["run"])
    run = served.run(box, "false")["run"]
    assert next(data["run"] for _, _, data in stream if data["run"] == run) == run
    stream.close()  # type: ignore[attr-defined]


def test_what_a_revoked_key_had_ends(served: Served, home: Home) -> None:
    gone = home.key("gone")
    real = served.done("POST", "sandboxes", {"name": "x"}, key=gone)["id"]
    one = served.done("POST", "sandboxes/x/processes", {"argv": ["sleep", "600"]}, key=gone)
    stream = served.events(f"sandboxes/x/processes/{one['id']}/events", Authorization=f"Bearer {gone}")
    next(stream)
    Keyring(home.state).revoke("gone")
    assert until(lambda: real not in home.sandboxes())
    with suppress(IncompleteRead):  # it was cut off
        assert all(kind in {"end", "error"} for _, kind, _ in stream)


def test_a_sandbox_whose_time_is_over_says_so(served: Served) -> None:
    served.done("POST", "sandboxes", {"name": "short", "ttl": 1})
    assert until(lambda: served.done("GET", "sandboxes/short")["end"] is not None)  # its keeper writes it down
    assert served.done("GET", "sandboxes/short")["state"] == "ended"
    assert served.done("GET", "sandboxes/short")["end"]["reason"] in {"ttl", "ended"}
    assert served.refused(409, "POST", "sandboxes/short/exec", {"argv": ["true"]})["code"] == "state"
    served.done("DELETE", "sandboxes/short")


def test_violations_are_told_to_whose_they_are_by_what_is_asked_for_and_counted(
    served: Served, home: Home, box: str
) -> None:
    found = served.done("GET", f"sandboxes/{box}")
    for number, (severity, rule) in enumerate((("high", "sys.mount"), ("low", "net.scan"))):
        told = {"id": f"v{number}", "sandbox": found["id"], "rule": rule, "severity": severity, "times": 2}
        told["arguments"] = {"path": "/tmp/\udcff"}  # what is no UTF-8 is told, and costs nobody the others
        members = json.dumps(told)[1:]
        append_once(Engine(home.env, "/").audit, f"{start('violation', '', found['principal'], 'rest', [])},{members}")
    rows = served.done("GET", f"violations?severity=medium&sandbox={box}")["violations"]
    assert served.done("GET", f"violations?severity=critical&sandbox={box}")["violations"] == []
    served.refused(422, "GET", "violations?severity=grave")
    assert [(row["id"], row["rule"]) for row in rows] == [("v0", "sys.mount")]
    stream = served.events("violations/events?rule=net.scan", Last_Event_ID=str(rows[0]["seq"] - 1))
    assert next(stream)[1:] == ("violation", served.done("GET", "violations?rule=net.scan")["violations"][0])
    stream.close()  # type: ignore[attr-defined]
    assert served.done("GET", "violations", key=home.key("no-violations"))["violations"] == []
    boss = home.key("sees-violations", "admin", "run")
    seen = served.done("GET", "violations", key=boss)["violations"]
    assert {row["id"] for row in seen if row["sandbox"] == found["id"]} >= {"v0", "v1"}
    counted = 'aisbx_violations_total{rule="sys.mount",severity="high"} 2.0'
    assert until(lambda: counted in served.ask("GET", "/metrics", key="").body.decode())


def test_what_others_record_is_a_violation_too_and_comes_while_it_happens(served: Served, home: Home, box: str) -> None:
    served.run(box, "true")
    last = served.done("GET", "audit?limit=1")["records"][-1]["seq"]
    served.run(box, "sleep", "60", timeout=0.2)
    stream = served.events("violations/events?source=limit", Last_Event_ID=str(last))
    row = next(stream)[2]
    stream.close()  # type: ignore[attr-defined]
    assert (row["rule"], row["what"], row["program"], row["of"]) == ("wall-time", "wall_time", "sleep", "exec.end")
    named = served.done("GET", f"sandboxes/{box}")["id"]
    assert (row["sandbox"], row["hint"], row["grant"]) == (named, False, "a larger limits.wall_time")
    assert served.ask("GET", "/health", key="none-such").status == 401
    boss = home.key("sees-strangers", "admin", "run")
    found = served.done("GET", "violations?source=auth", key=boss)["violations"]
    assert "unauthenticated" in {row["rule"] for row in found}


def test_a_command_may_have_less_than_its_sandbox_and_its_output_as_much_as_is_asked_for(
    served: Served, box: str
) -> None:
    found = served.run(box, "seq", "1000", capture=10)
    assert (found["stdout"]["text"], found["stdout"]["truncated"]) == ("1\n2\n3\n4\n5\n", True)
    answer = served.ask("POST", f"sandboxes/{box}/exec", {"argv": ["true"], "pids": 5})
    assert answer.status in {200, 422}, answer.body  # held, or refused where nothing could hold it
    if answer.status == 422:
        assert answer.json["code"] == "not-enforced"
