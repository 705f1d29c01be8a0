"""What `POST .../exec` answers by its direct way is what its route answers, whatever is sent."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.conftest import Answer, Home, Served, clear, serving

BODIES = (
    {
        "argv": ["sh", "-c", "cat; echo e >&2; exit 3"],
        "stdin": "in\u00e4\n",
        "env": {"A": "b"},
        "cwd": "/tmp",
        "capture": 3,
    },
    {"argv": ["printf", r"\377"], "stdin_base64": "eA=="},
    {"argv": ["sleep", "9"], "timeout": 0.1},
    {"argv": ["echo", "\udcff"]},
    {"argv": ["nothing"]},
    {"argv": ["true"], "cwd": "/nowhere"},
    {"argv": []},
    {"argv": [""]},
    {"argv": ["a\0b"]},
    {"argv": "true"},
    {"argv": ["true", 1]},
    {"argv": ["true"], "more": 1},
    {"argv": ["true"], "timeout": "1"},
    {"argv": ["true"], "timeout": -1},
    {"argv": ["true"], "timeout": float("nan")},
    {"argv": ["true"], "pids": 1.0},
    {"argv": ["true"], "pids": 1.5},
    {"argv": ["true"], "pids": True},
    {"argv": ["true"], "memory": 5},
    {"argv": ["true"], "capture": "9"},
    {"argv": ["true"], "stdin": "a", "stdin_base64": "eA=="},
    {"argv": ["true"], "stdin_base64": "!"},
    {"argv": ["true"], "env": None},
    ["true"],
    None,
    b"",
    b"{",
    b'{"argv": ["true"], "argv": ["false"]}',
    b'{"argv": ["true"]} {}',
    b'\xff{"argv": ["true"]}',
    b'\xef\xbb\xbf{"argv": ["true"]}',
    '{"argv": ["true"]}'.encode("utf-16"),
)


def told(answer: Answer) -> Any:
    """Give what is the same each time."""
    text = re.sub(rb'"(run|duration|user_seconds|system_seconds|max_rss_bytes)":("\w*"|[\d.e-]+)', b'"":0', answer.body)
    fixed = {name: value for name, value in answer.headers.items() if name not in {"date", "content-length"}}
    return answer.status, fixed, text


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_it_answers_as_its_route_does(body: Any, served: Served, box: str) -> None:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    answers = [
        served.ask("POST", f"sandboxes/{box}/exec", sent, Content_Type=kind)
        for kind in ("application/json", "application/json; charset=utf-8")
    ]
    assert told(answers[0]) == told(answers[1])


def test_a_directory_that_is_not_there_is_no_fault_of_the_service(served: Served, box: str) -> None:
    for path in ("exec", "processes"):
        asked = served.ask("POST", f"sandboxes/{box}/{path}", {"argv": ["true"], "cwd": "/nowhere"})
        assert (asked.status, asked.json["code"]) == (409, "launch"), asked.json


def test_it_refuses_as_its_route_does(served: Served, home: Home, box: str) -> None:
    files, other = home.key("direct-files", "files"), home.key("direct-other")
    for path, key in (
        (box, files),
        (box, other),
        ("none", ""),
        ("%2e%2e", ""),
        (f"{box}%2fx", ""),
        ("A%20B", ""),
        (box, "no"),
    ):
        answers = [
            served.ask("POST", f"sandboxes/{path}/exec", b'{"argv": ["true"]}', key=key or None, Content_Type=kind)
            for kind in ("application/json", "application/json; charset=utf-8")
        ]
        assert told(answers[0]) == told(answers[1])
        assert answers[0].status in {401, 403, 404, 400}
    metrics = served.ask("GET", "/metrics").body.decode()
    counted = re.findall(r'aisbx_requests_total\{method="POST",route="([^"]*/exec)",status="200"\}', metrics)
    assert counted == ["/api/v1/sandboxes/{name}/exec"]


FAILING = """
import sys
from aisbx_supervisor import direct, main
async def broken(*_): raise ZeroDivisionError("nobody foresaw it")
direct.perform = broken
sys.exit(main.main())
"""


def test_what_nobody_foresaw_is_logged_and_tells_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with serving(home, "--profile", "shell", "--no-auth", server=[sys.executable, "-c", FAILING]) as served:
        served.done("POST", "sandboxes", {"name": "one"})
        body = {"argv": ["true"]}
        found = served.refused(500, "POST", "sandboxes/one/exec", body)
        assert "foresaw" not in json.dumps(found)
        for headers in ({"Content_Type": "text/json; charset=utf-8"}, {"Content_Type": "application/json; a=b"}):
            assert served.ask("POST", "sandboxes/one/exec", json.dumps(body).encode(), **headers).status != 500
        for headers in ({"Accept": "application/json"}, {"Idempotency_Key": "x"}):
            assert served.ask("POST", "sandboxes/one/exec", body, **headers).status == 500
        assert served.ask("POST", "sandboxes/one/exec", body, Accept="text/event-stream").status == 200
        assert served.ask("POST", "sandboxes/one/exec?a=b", body).status == 200
    clear(home)
    assert any("nobody foresaw it" in path.read_text() for path in home.path.glob("stderr-*"))
