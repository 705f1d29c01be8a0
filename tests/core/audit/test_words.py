"""What a record has of a command line is bounded, whoever makes the record."""

import json

import pytest
from aisbx.audit.write import start


def recorded(argv: list[str]) -> tuple[list[str], int]:
    line = start("run.refused", "r", "uid:1", "api", argv)
    return json.loads(line + "}")["argv"], len(line)


def test_a_usual_command_line_is_recorded_as_it_is() -> None:
    argv = ["sh", "-c", "x" * 16_000, ""]
    assert recorded(argv)[0] == argv
    argv = ["sh", *(f"file-{number}" for number in range(5_000))]
    assert recorded(argv)[0] == argv


@pytest.mark.parametrize(
    ("argv", "last"),
    [
        (["sh", "-c", "x" * 1_000_000], "x" * 16_384 + "... (1000000 characters)"),
        (["x" * 100] * 100_000, "more words)"),
        ([""] * 1_000_000, "more words)"),
        (["\U0001f600" * 20_000] * 1_000, "more words)"),
    ],
    ids=["a word", "words", "empty words", "what is escaped"],
)
def test_a_long_one_is_cut_and_says_how_long_it_was(argv: list[str], last: str) -> None:
    told, size = recorded(argv)
    assert told[-1].endswith(last)
    assert told[0] == argv[0] or told[0].startswith(argv[0][:16_384] + "... (20000")
    assert size < 1 << 21
