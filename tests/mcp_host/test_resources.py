"""Files and logs of a sandbox as resources: those of the caller's sandboxes, and nothing of the host's."""

import base64
from pathlib import Path

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import BlobResourceContents, TextResourceContents

from tests.mcp_host.conftest import Client


def read(client: Client, uri: str) -> str | bytes:
    (content,) = client.portal.call(client.session.read_resource, uri).contents
    if isinstance(content, BlobResourceContents):
        return base64.b64decode(content.blob)
    assert isinstance(content, TextResourceContents)
    return content.text


def test_a_file_is_read_as_what_it_is(client: Client) -> None:
    client.call("write_file", path="r/one.txt", content="ü\n")
    client.call("run_command", command="printf 'a\\0b' > r/two")
    assert read(client, "aisbx://default/files/r/one.txt") == "ü\n"
    assert read(client, "aisbx://default/files/r/two") == b"a\0b"


def test_what_a_result_leaves_out_is_linked(client: Client) -> None:
    result = client.result("run_command", command="seq 1 50000", max_output_chars=500)
    link = result.content[-1]
    assert link.type == "resource_link"
    log = read(client, str(link.uri))
    assert isinstance(log, str)
    assert log.splitlines() == [str(number) for number in range(1, 50001)]
    assert len(client.result("run_command", command="echo 1").content) == 1


def test_no_link_and_no_path_leads_to_the_host(client: Client, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cr3t")
    client.call("run_command", command=f"ln -s {tmp_path} out; mkdir -p deep")
    paths = (f"/{tmp_path}/secret", "out/secret", f"deep/../../..{tmp_path}/secret", f"%2e%2e/..{tmp_path}/secret")
    for path in paths:
        with pytest.raises(MCPError) as refused:
            read(client, f"aisbx://default/files/{path}")
        assert "s3cr3t" not in str(refused.value)
    for uri in ("aisbx://other/files/x", "aisbx://default/logs/nope", "aisbx://default/files/r", "file:///etc/passwd"):
        with pytest.raises(MCPError):
            read(client, uri)
