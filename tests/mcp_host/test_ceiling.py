"""What was set when the server started is the most that an agent can have."""

from pathlib import Path

from tests.mcp_host.conftest import Client, Home, connected


def test_no_tool_names_a_path_of_the_host_a_driver_or_a_network(client: Client) -> None:
    tools = client.portal.call(client.session.list_tools).tools
    for tool in tools:
        named = set(tool.input_schema["properties"])
        assert named & {"workspace", "mount", "mounts", "driver", "network", "user", "lower"} == set()
        assert tool.input_schema["additionalProperties"] is False
        assert tool.title
        assert tool.annotations
        assert tool.output_schema is None
    assert {"run_command", "read_file", "sandbox_create", "aisbx-run", "aisbx-profile-list"} <= {
        one.name for one in tools
    }


def test_a_profile_that_was_not_offered_is_denied_with_what_to_do(client: Client) -> None:
    for profile in ("go-dev", "python-dev+go-dev", "nope", "+"):
        told = client.refused("sandbox_create", name="wide", profile=profile)
        assert told.startswith(("denied: mcp.profile", "profile", "usage")), told
    assert "--allow-profile" in client.refused("sandbox_create", name="wide", profile="go-dev")
    assert "wide" not in client.call("sandbox_list")


def test_a_restriction_may_be_added(client: Client) -> None:
    assert "readonly" in client.call("sandbox_create", name="narrow", profile="readonly")
    assert "Read-only" in client.call("run_command", command="echo > x", sandbox="narrow")
    assert "already" in client.refused("sandbox_create", name="narrow")
    client.call("sandbox_destroy", name="narrow")
    assert "no sandbox" in client.refused("sandbox_destroy", name="narrow")


def test_sandboxes_are_apart(client: Client) -> None:
    client.call("sandbox_create", name="second")
    client.call("run_command", command="echo 1 > /tmp/mark; echo 1 > shared")
    assert "No such file" in client.call("run_command", command="cat /tmp/mark", sandbox="second")
    client.call("sandbox_destroy", name="second")


def test_one_for_a_single_command_is_gone_after_it(client: Client) -> None:
    assert client.call("aisbx-run", command=["python3", "-c", "print(6*7)"]).endswith("42\n")
    assert "once-" not in client.call("sandbox_list")
    assert "(the usual one)" in client.call("aisbx-profile-list")


def test_the_workspace_is_the_one_that_the_server_was_started_with(home: Home, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("1")
    with connected(home, "--workspace", f"{tmp_path}:ro", "--allow-profile", "shell") as client:
        told = client.call("run_command", command="ls; echo 2 > there")
        assert "there" in told
        assert "Read-only" in told
        assert "shell" in client.call("sandbox_create", name="other", profile="shell")
        assert (
            "network is unreachable"
            in client.call("run_command", command="exec 3<>/dev/tcp/192.0.2.1/80 || true").lower()
        )
    assert (tmp_path / "there").read_text() == "1"
    kinds = [row["kind"] for row in home.audit() if row["host"] == "mcp"]
    assert {"sandbox.create", "exec.end", "sandbox.destroy"} <= set(kinds)
