"""The runner of the documents' commands fails when a document is wrong."""

from pathlib import Path

import pytest

from .consoles import blocks, matches, steps


def test_commands_outputs_and_exit_codes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text(
        "x\n```console\n$ echo a \\\n>   b\na   b\n$ false   # exits with 1\n```\n```sh\n$ no\n```\n"
        "- item\n  ```console\n  $ true\n  ```\n"
    )
    first, second = blocks(file, "a.md")
    assert first.where == "a.md:2"
    assert [(step.command, step.expected, step.exit_code) for step in first.steps] == [
        ("echo a   b", ("a   b",), 0),
        ("false", (), 1),
    ]
    assert second.steps[0].command == "true"


def test_a_block_without_an_end_or_a_command_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("```console\n$ true\n")
    with pytest.raises(ValueError, match="no end"):
        blocks(tmp_path / "a.md", "a.md")
    with pytest.raises(ValueError, match="before any command"):
        list(steps(["output"], "a.md:1"))


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        (("a b",), "a    b \n", True),
        (("a … c",), "a b c\n", True),
        (("a…",), "a\n", True),
        (("a", "…", "d"), "a\nb\nc\nd\n", True),
        (("a", "…"), "a\n", True),
        (("a",), "a\nb\n", False),
        (("a", "b"), "a\n", False),
        (("a.c",), "abc\n", False),
        (("…",), "", True),
        (("a",), "", False),
    ],
)
def test_a_wildcard_matches_text_and_nothing_else_is_loose(
    expected: tuple[str, ...], printed: str, *, same: bool
) -> None:
    assert matches(expected, printed) is same
