"""What a policy leaves to a person: asked of the client's user in both eras, refused where nobody can be asked."""

import re
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, ElicitResult

from tests.mcp_host.conftest import Home, text_of
from tests.mcp_host.serving import Served, serving

ERAS = ("legacy", "2026-07-28")
ASKED = "git push --force"
RULES = """
rules:
  - {id: no-mkfifo, decide: forbid, reason: no, program: [mkfifo], match: [mkfifo x], no_match: [echo mkfifo]}
  - {id: no-code, decide: forbid, reason: no, program: [python3, node], arguments: ["*mkf*"], match: [node -e mkf]}
"""
YES = ElicitResult(action="accept", content={"run": True})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("approval"))
    (home.path / ".config/aisbx").mkdir(parents=True)
    (home.path / ".config/aisbx/config.toml").write_text('policies = ["commands"]\n')
    (home.path / ".config/aisbx/commands.yaml").write_text(RULES)
    return home


@pytest.fixture(scope="module")
def served(home: Home) -> Iterator[Served]:
    with serving(home, "--profile", "shell", "--no-auth") as found:
        yield found


class User:
    """Answers what is asked, in turn, and keeps the questions."""

    def __init__(self, *answers: ElicitResult) -> None:
        self.answers = [*answers]
        self.questions: list[str] = []

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        del context
        self.questions.append(params.message)
        return self.answers.pop(0)


def called(served: Served, era: str, user: User | None, tool: str, **arguments: Any) -> tuple[bool, str]:
    async def work() -> CallToolResult:
        async with Client(streamable_http_client(served.url), mode=era, elicitation_callback=user) as client:
            found = await client.call_tool(tool, arguments)
            assert isinstance(found, CallToolResult)
            return found

    found = anyio.run(work)
    return bool(found.is_error), text_of(found)


@pytest.mark.parametrize("era", ERAS)
def test_a_yes_is_to_one_command_and_is_recorded_before_it_runs(era: str, served: Served, home: Home) -> None:
    user = User(YES, ElicitResult(action="accept", content={"run": False}))
    failed, told = called(served, era, user, "run_command", command=ASKED)
    assert not failed
    assert told.startswith("[exit ")
    assert "The agent wants to run:" in user.questions[0]
    assert ASKED in user.questions[0]
    kinds = [record["kind"] for record in home.audit() if ASKED in " ".join(record.get("argv") or ())]
    assert kinds[-2:] == ["policy.approved", "exec.end"]
    failed, told = called(served, era, user, "run_command", command=ASKED)  # what was said before does not count
    assert failed
    assert "the user said no" in told


@pytest.mark.parametrize("era", ERAS)
def test_code_is_asked_for_as_well_and_a_cancelled_question_is_a_no(era: str, served: Served) -> None:
    user = User(YES, ElicitResult(action="cancel"))
    assert called(served, era, user, "run_code", language="bash", code=ASKED)[1].startswith(("[ok", "[failed"))
    failed, told = called(served, era, user, "aisbx-run", command=ASKED.split())
    assert failed
    assert "the user said no" in told


@pytest.mark.parametrize("era", ERAS)
def test_who_cannot_be_asked_is_refused_with_how_to_ask_for_it(era: str, served: Served) -> None:
    failed, told = called(served, era, None, "run_command", command=ASKED)
    assert failed
    assert "commands/force-push" in told
    assert "nobody is here to be asked" in told
    assert "ask your user to run it" in told


def test_nobody_decides_on_what_they_cannot_see(served: Served) -> None:
    user = User(YES)
    failed, told = called(served, "legacy", user, "run_command", command=f"{ASKED} {'x' * 5000}")
    assert failed
    assert "too long to be shown" in told
    assert user.questions == []
    called(served, "legacy", user, "run_command", command=f"{ASKED} '\u202e\x1b[2J'")
    assert "\\u202e\\x1b[2J" in user.questions[0]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("run_command", {"command": "true && mkfifo x"}),
        ("run_command", {"command": ["mkfifo", "x"]}),
        ("run_command", {"command": "sh", "stdin": "mkfifo x"}),
        ("run_command", {"command": ["sh"], "stdin": "mkfifo x", "interactive": True}),
        ("aisbx-run", {"command": ["sh", "-c", "mkfifo x"]}),
        ("run_code", {"code": "mkfifo x", "language": "bash"}),
        ("run_code", {"code": "import os; os.mkfifo('x')"}),
        ("run_code", {"code": "require('child_process').execSync('mkfifo x')", "language": "node"}),
    ],
)
def test_what_is_forbidden_is_so_for_every_tool(tool: str, arguments: dict[str, Any], served: Served) -> None:
    failed, told = called(served, "2026-07-28", None, tool, **arguments)
    assert failed
    assert "commands/no-" in told


def test_what_is_written_to_a_shell_is_reviewed_as_its_reader_takes_it(served: Served, home: Home) -> None:
    def given(data: str) -> tuple[bool, str]:
        return called(served, "legacy", user, "process_input", process=process, data=data)

    user = User(YES)
    told = called(served, "legacy", None, "run_command", command="sh", interactive=True, yield_s=0)[1]
    process = re.findall(r"process (\w{8})", told)[0]
    assert "fine" in given("echo fine\nmkf")[1]
    for data in ("ifo x\n", "ifo \\\n", "ifo x; echo done\n"):
        failed, told = given(data)
        assert failed
        assert "commands/no-mkfifo" in told
    assert "mkf: not found" in given("\n")[1], "and nothing of that was written"
    failed, told = given(f"{ASKED}\n")
    assert not failed
    assert f"sh' <<< '{ASKED}\n'" in user.questions[0]
    kinds = [record["kind"] for record in home.audit()][-7:]
    assert kinds == ["exec.refused"] * 3 + ["exec.input", "exec.refused", "policy.approved", "exec.input"]
