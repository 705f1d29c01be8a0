"""What is printed: one line for an error, nothing a terminal would act on."""

import json
import subprocess

import pytest
from aisbx.cli.render import error_line, printable, report, shell_words, table
from aisbx.errors import ControlError, UsageError
from hypothesis import given
from hypothesis import strategies as st


def test_an_error_is_one_line_with_code_message_and_hint() -> None:
    error = UsageError("--timeout: 'x'\nis not a duration", hint="write 30s")
    assert error_line(error) == "aisbx: usage: --timeout: 'x' is not a duration; hint: write 30s"


def test_an_error_without_a_hint_ends_after_the_message() -> None:
    assert error_line(UsageError("no")) == "aisbx: usage: no"


def test_a_report_goes_to_stderr_and_with_json_only_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    error = ControlError("no", control="net:deny", hint="do")
    assert report(error, as_json=False) == 125
    assert capsys.readouterr() == ("", "aisbx: not-enforced: no; hint: do\n")
    assert report(error, as_json=True) == 125
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": {"code": "not-enforced", "message": "no", "hint": "do"}}
    assert not err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain äöü 漢字", "plain äöü 漢字"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\rb\n", "a\\x0db\\x0a"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff", "\\xff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_a_terminal_would_act_on_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_but_printable_characters_is_left(text: str) -> None:
    assert printable(text).isprintable()


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_shell_words_are_one_printable_line(words: list[str]) -> None:
    assert shell_words(words).isprintable()


@pytest.mark.parametrize("word", ["a b", "it's", "\x1b[31m", "a\\b\nc'd", "", "$(id)", "äö", "\u202e\t"])
def test_shell_words_read_back_as_what_they_were(word: str) -> None:
    line = f"printf %s {shell_words([word])}"
    assert subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout == word.encode()


def test_a_table_is_aligned_and_its_cells_cannot_break_out() -> None:
    assert table(("A", "B"), [("x", "1\n2"), ("long", "\x1b")]) == "A     B\nx     1 2\nlong  \\x1b"
