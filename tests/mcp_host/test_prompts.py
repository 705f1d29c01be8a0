"""Prompts that come with the server, and what completes their arguments and the addresses of resources."""

import pytest
from mcp import MCPError
from mcp.types import INVALID_PARAMS, PromptReference, ResourceTemplateReference, TextContent

from tests.mcp_host.conftest import Client


def prompt(client: Client, name: str, **arguments: str) -> str:
    (message,) = client.portal.call(client.session.get_prompt, name, arguments).messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    return message.content.text


def completed(client: Client, ref: PromptReference | ResourceTemplateReference, name: str, value: str) -> list[str]:
    argument = {"name": name, "value": value}
    return client.portal.call(lambda: client.session.complete(ref, argument)).completion.values


def test_prompts_say_what_this_sandbox_is(client: Client) -> None:
    listed = {one.name: one for one in client.portal.call(client.session.list_prompts).prompts}
    assert {"set-up-project", "fix-tests", "analyse-data", "ask-for-access"} <= set(listed)
    path, *others = listed["analyse-data"].arguments or []
    assert (path.name, path.required) == ("path", True)
    assert path.description
    assert not any(other.required for other in others)
    told = prompt(client, "fix-tests", command="make check")
    assert "`make check`" in told
    assert "profile python-dev, no network, workspace /" in told
    client.call("write_file", path="p/data.csv", content="a,b\n1,2\n")
    told = prompt(client, "analyse-data", path="p/data.csv", question="How many?")
    assert "a,b\n1,2\n" in told
    assert "How many?" in told
    assert "Ask: no" in prompt(client, "ask-for-access", denial="Ask: no")
    assert client.call("sandbox_list").startswith("default: ")


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("nope", {}, "there is no prompt 'nope'; hint: there are: "),
        ("analyse-data", {}, "path is missing"),
        ("fix-tests", {"mount": "/"}, "there is no argument mount; hint: fix-tests takes command, sandbox"),
        ("analyse-data", {"path": "not-there"}, "state: "),
        ("analyse-data", {"path": "."}, "usage: . is a directory"),
    ],
)
def test_what_is_wrong_with_a_prompt_is_one_line(
    client: Client, name: str, arguments: dict[str, str], said: str
) -> None:
    with pytest.raises(MCPError) as refused:
        prompt(client, name, **arguments)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_arguments_and_addresses_are_completed_from_what_is_there(client: Client) -> None:
    client.call("write_file", path="c/inner/x", content="")
    client.call("write_file", path="c/info", content="")
    data, files = PromptReference(name="analyse-data"), ResourceTemplateReference(uri="aisbx://{sandbox}/files/{+path}")
    assert completed(client, data, "path", "c/in") == ["c/info", "c/inner/"]
    assert completed(client, files, "path", "c/inner/") == ["c/inner/x"]
    assert completed(client, files, "path", "no/such/") == []
    assert completed(client, files, "sandbox", "de") == ["default"]
    assert completed(client, data, "question", "") == []
    for ref in (PromptReference(name="nope"), ResourceTemplateReference(uri="aisbx://nope")):
        with pytest.raises(MCPError) as refused:
            completed(client, ref, "path", "")
        assert refused.value.error.code == INVALID_PARAMS
