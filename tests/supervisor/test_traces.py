"""One trace from a client's request to a command's exit, over OTLP."""

from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.mcp_host.test_telemetry import Collector, attributes, collector, configured
from tests.supervisor.conftest import Home, clear, serving, until

__all__ = ["collector"]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_request_that_names_a_trace_is_a_part_of_it_to_the_exit(tmp_path: Path, collector: Collector) -> None:
    configured(tmp_path, collector.endpoint)
    home = Home(tmp_path)
    try:
        with serving(home, "--profile", "shell", key=home.key("k")) as served:
            served.done("POST", "sandboxes", {"name": "x"})
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            served.done("POST", "sandboxes/x/exec", {"argv": ["sh", "-c", "exit 3"]}, **headers)
            body = {"argv": ["sh", "-c", "sleep 0.2; exit 4"]}
            streamed = [data for _, kind, data in served.events("sandboxes/x/exec", body, **headers) if kind == "end"]
            assert streamed[0]["exit_code"] == 4
            served.process.terminate()
            assert served.process.wait(20) == 0
        assert until(lambda: len(spans(collector)) >= 2)
        found = collector.spans()
        mine = [span for span in found if span.trace_id.hex() == TRACE]
        roots = [span for span in mine if span.name == "request exec"]
        assert {span.parent_span_id.hex() for span in roots} == {PARENT}
        ends = spans(collector)
        assert {attributes(span)["aisbx.exit_code"] for span in ends} == {3, 4}
        assert {span.parent_span_id for span in ends} == {span.span_id for span in roots}
        assert {"admission.end", "policy.end"} <= {span.name for span in mine}
        others = {span.trace_id for span in found if span.name == "request create"}
        assert bytes.fromhex(TRACE) not in others
    finally:
        clear(home)


def spans(collector: Collector) -> list[Span]:
    return [span for span in collector.spans() if span.name == "exec.end" and span.trace_id.hex() == TRACE]
