"""The diff of two texts: right for any, and quick for those that were written to make it slow."""

import time

from aisbx.cli.difftext import compare, unified
from hypothesis import given
from hypothesis import strategies as st

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "unique", "other"]) | st.text("xy", max_size=3), max_size=200)


@given(before=LINES, after=LINES)
def test_what_it_says_is_replaced_makes_one_text_of_the_other(before: list[str], after: list[str]) -> None:
    made: list[str] = []
    at = 0
    for _, first, last, start, end in compare(before, after):
        assert first >= at
        made += before[at:first] + after[start:end]
        at = last
    assert made + before[at:] == after
    assert (compare(before, after) == []) == (before == after)


def test_texts_that_make_others_slow_take_no_time() -> None:
    many = [str(index % 500) for index in range(200_000)]
    began = time.monotonic()
    for before, after in ((many, many[::-1]), (many, [*many[1:], "x", *many]), (["a"] * 500_000, ["a", "b"] * 250_000)):
        compare(before, after)
    shuffled = [f"{index * 7919 % 100_003}" for index in range(100_003)]
    compare(sorted(shuffled), shuffled)
    assert time.monotonic() - began < 20


def test_nothing_in_a_text_acts_on_a_terminal() -> None:
    hostile = "\x1b]0;t\x07\r\x9b31m\u202e\x00"[:-1].encode() + b"\xff\xfe\n" + b"x" * 5000
    shown = "\n".join(unified("na\x1bme\n", None, hostile))
    assert shown.startswith("--- /dev/null\n+++ na\\x1bme\\x0a\n@@ -0,0 +1,2 @@\n")
    assert "\n+\\x1b]0;t\\x07\\x0d\\x9b31m\\u202e\\xff\\xfe\n+xxx" in shown
    assert "… (5000 characters)\n\\ No newline at end of file" in shown
    assert list(unified("f", b"a\0b", b"c")) == ["  (binary)"]
    assert list(unified("f", b"a\n", None)) == ["--- f", "+++ /dev/null", "@@ -1 +0,0 @@", "-a"]
