"""Output of a sandbox on the user's terminal: text and colours, nothing else."""

import re
from itertools import pairwise

import pytest
from aisbx.cli.terminal import Cleaner
from hypothesis import given
from hypothesis import strategies as st


def clean(*chunks: bytes) -> str:
    cleaner = Cleaner()
    return "".join([*map(cleaner.feed, chunks), cleaner.close()])


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"a\tb\nc\r\n", "a\tb\nc\n"),
        ("äöü 漢".encode(), "äöü 漢"),
        (b"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        (b"\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        (b"\x1b[2J\x1b[1;1H", "\\x1b[2J\\x1b[1;1H"),
        (b"\x1b[6n", "\\x1b[6n"),
        (b"secret\rpublic", "secret\\x0dpublic"),
        (b"\x9b31m", "\\x9b31m"),
        (b"\xc2\x9b31m", "\\x9b31m"),
        (b"\x1bP+q\x1b\\", "\\x1bP+q\\x1b\\"),
        (b"a\x08b\x7f\x00", "a\\x08b\\x7f\\x00"),
        (b"\x1b[", "\\x1b["),
        (b"end\r", "end\\x0d"),
        (b"\xff\xfe", "\\xff\\xfe"),
    ],
)
def test_only_text_and_colours_reach_the_terminal(data: bytes, shown: str) -> None:
    assert clean(data) == shown


@given(st.binary(max_size=60), st.lists(st.integers(min_value=0, max_value=60), max_size=5))
def test_where_a_stream_is_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(data)]
    assert clean(*(data[a:b] for a, b in pairwise(edges))) == clean(data)


@given(st.text(alphabet="\x1b[]0;mHJ\r\n\x07a\x9b", max_size=40))
def test_no_sequence_but_a_colour_survives(text: str) -> None:
    rest = re.sub(r"\x1b\[[0-9;:]*m", "", clean(text.encode()))
    assert "\x1b" not in rest
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", rest)


def test_a_colour_that_was_left_on_is_switched_off() -> None:
    assert clean(b"\x1b[5;31mblink").endswith("\x1b[0m")
