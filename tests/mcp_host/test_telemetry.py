"""The sink `otel` and a collector: one tree of spans for each request, and nothing in it that is somebody's own."""

import gzip
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from aisbx.errors import ConfigError
from aisbx.telemetry.options import Options
from aisbx.telemetry.spans import REQUESTS, Spans
from aisbx.types import REQUEST_BEGIN, REQUEST_END, Event
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.mcp_host.conftest import MARKER, Home, connected

SECRET = "what-stands-on-the-command-line"


class Collector:
    """Takes OTLP over HTTP, as a collector does."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                encoded = self.headers.get("content-encoding") == "gzip"
                collector.bodies.append(gzip.decompress(body) if encoded else body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        resources = [each for one in requests for each in one.resource_spans]
        return [span for each in resources for scope in each.scope_spans for span in scope.spans]


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.server.shutdown()
    found.server.server_close()


def configured(path: Path, endpoint: str) -> Home:
    place = path / ".config/aisbx"
    place.mkdir(parents=True)
    told = f'sinks = ["otel"]\npolicies = ["commands"]\n[sink_settings.otel]\nendpoint = "{endpoint}"\ntimeout = 2\n'
    (place / "config.toml").write_text(told)
    return Home(path)


def attributes(span: Span) -> dict[str, object]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


def tree(spans: list[Span], tool: str) -> tuple[Span, dict[str, Span]]:
    (root,) = [span for span in spans if span.name == f"request {tool}"]
    return root, {span.name: span for span in spans if span.parent_span_id == root.span_id}


def test_each_request_is_one_tree_without_what_is_its_owners(tmp_path: Path, collector: Collector) -> None:
    home = configured(tmp_path, collector.endpoint)
    with connected(home) as client:
        client.call("run_command", command=f"exit 3 # {SECRET}", env={"TOKEN": SECRET}, stdin=SECRET)
        client.refused("run_code", code=f"rm -rf / # {SECRET}", language="bash")
        client.refused("read_file", path=SECRET)
    spans = collector.spans()
    root, parts = tree(spans, "run_command")
    assert {"admission.end", "policy.end", "exec.end"} <= parts.keys()
    assert {span.trace_id for span in parts.values()} == {root.trace_id}
    ended = attributes(parts["exec.end"])
    assert (ended["aisbx.exit_code"], ended["aisbx.driver"]) == (3, "bwrap")
    assert root.start_time_unix_nano <= parts["exec.end"].start_time_unix_nano < parts["exec.end"].end_time_unix_nano
    assert attributes(root)["aisbx.host"] == "mcp"
    refused, parts = tree(spans, "run_code")
    assert attributes(parts["policy.end"])["aisbx.error.code"] == "denied"
    assert "exec.end" not in parts
    assert refused.status.code == refused.status.STATUS_CODE_ERROR
    assert len({root.trace_id, refused.trace_id, tree(spans, "read_file")[0].trace_id}) == 3
    sent = b"".join(collector.bodies)
    assert SECRET.encode() not in sent
    assert MARKER.encode() not in sent
    assert SECRET in (home.path / ".local/state/aisbx/audit.jsonl").read_text(), "the log has it: there was one to tell"


def test_a_run_tells_before_its_process_ends_and_needs_no_collector(tmp_path: Path, collector: Collector) -> None:
    home = configured(tmp_path, collector.endpoint)
    run = [sys.executable, "-I", "-m", "aisbx", "run", "--", "sh", "-c", "exit 7"]
    work = tmp_path / "work"
    work.mkdir()
    assert subprocess.run(run, env=home.env, cwd=work, check=False).returncode == 7
    root, parts = tree(collector.spans(), "run")
    assert attributes(parts["run.end"])["aisbx.exit_code"] == 7
    assert attributes(root)["aisbx.host"] == "cli"
    gone = {"AISBX_SINK_SETTINGS__OTEL__ENDPOINT": "http://127.0.0.1:9/v1/traces"}
    done = subprocess.run(run, env=home.env | gone, cwd=work, check=False, capture_output=True, text=True)
    assert done.returncode == 7
    assert "127.0.0.1" in done.stderr, "whose spans are lost is told so"


def test_what_is_kept_of_requests_and_said_of_them_is_bounded() -> None:
    exporter = InMemorySpanExporter()
    sink = Spans(exporter, 5.0)
    for number in range(REQUESTS + 3):
        sink.emit(Event(REQUEST_BEGIN, 1.0, {"what": "x" * 1000}, f"r{number}"))
    assert len(sink._roots) == REQUESTS
    sink.emit(Event("exec.end", 2.0, {"rule": "\udcff" * 1000, "argv": ["x"], "exit_code": 1}, "r0"))
    sink.emit(Event(REQUEST_END, 2.0, {}, "r0"))
    sink.flush()
    found = {span.name: dict(span.attributes or {}) for span in exporter.get_finished_spans()}
    assert found["exec.end"] == {"aisbx.rule": "?" * 128, "aisbx.exit_code": 1}
    assert all(len(name) <= 200 for name in found)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"endpoint": "http://user:pw@host/"}, "endpoint"),
        ({"endpoint": "file:///x"}, "endpoint"),
        ({"endpoint": "http://[/"}, "endpoint"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"timeout": "nan"}, "timeout"),
        ({"timeout": "soon"}, "timeout"),
        ({"token": "x"}, "token"),
    ],
)
def test_a_wrong_setting_is_refused(table: dict[str, object], key: str) -> None:
    assert Options.of({}) == Options()
    assert Options.of({"timeout": "2.5"}).timeout == 2.5, "as a variable says it"
    with pytest.raises(ConfigError) as caught:
        Options.of(table)
    assert caught.value.key == f"sink_settings.otel.{key}"
