"""The policy `commands` with what nobody would write: nothing ends the process, nothing hides what is refused."""

import os
import shlex
from collections.abc import Callable

from aisbx.policy.commands import Commands
from aisbx.policy.grammar import parse, text_of
from aisbx.policy.shell import Reader
from hypothesis import given, settings
from hypothesis import strategies as st

from .test_commands import SPELLINGS, decide

TRIES = int(os.environ.get("FUZZ_TRIES", "0"))
"""Of `./dev fuzz`."""
Wrap = Callable[[str], str]

PIECES = [
    "rm",
    "-rf",
    "/",
    "$x",
    "${x",
    "}",
    "$(",
    ")",
    "`",
    "'",
    '"',
    "|",
    "&&",
    ";",
    "\n",
    "<<E",
    "E",
    "{",
    ",",
    "x=",
    "sh -c",
    "\\",
]


@settings(max_examples=TRIES or 60)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=24), st.sampled_from(["", " "]))
def test_no_text_at_all_is_an_error_and_what_follows_it_is_still_seen(pieces: list[str], between: str) -> None:
    policy = Commands.load("")
    script = between.join(pieces)
    assert policy.decide(("sh", "-c", script), {}, "/work")[0] in {"allow", "ask", "forbid"}
    reader = Reader()
    reader.read(("env", "-i", *(piece for piece in pieces if piece)), {}, "")
    assert decide(policy, "rm -rf /; " + script)[0] != "allow"


def test_what_is_no_ascii_neither_ends_the_process_nor_hides_anything() -> None:
    built_in = Commands.load("")
    for code in range(0x80, 0x110000, 0x800):
        decide(built_in, f"{{{chr(code)} ")  # the grammar itself ends the process at some of them
    for letter in "\x80Ω\uffff\U00010000\U0010ffff":
        assert decide(built_in, f"{{{letter} ; rm -rf /{letter}/..")[0] == "forbid"
        assert decide(built_in, f"rm -rf /{letter}")[0] == "allow"
    reader = Reader()
    reader.read(("sh", "-c", "mv 'é\udcff' \x01gg ü$x"), {"x": "Ω"}, "")
    assert reader.found[-1].argv == ("mv", "é\udcff", "\x01gg", "üΩ")


def test_the_grammar_gets_ascii_only() -> None:
    got: list[bytes] = []

    class Grammar:
        def parse(self, source: bytes) -> "Grammar":
            got.append(source)
            return self

        root_node = None

    text = "{é\udcff\U000f3f36\x01 ${x%y}"
    parse(Grammar(), text)  # pyright: ignore[reportArgumentType]  (a stand-in)
    assert got[0].isascii()
    assert got[0].endswith(b" ${x%y}")
    assert text_of(got[0]) == text


WRAPPED: list[Wrap] = [
    lambda inner: f"sh -c {shlex.quote(inner)}",
    lambda inner: f"eval {shlex.quote(inner)}",
    lambda inner: f"env -i A=b bash -ec {shlex.quote(inner)}",
    lambda inner: f"nice -n 5 timeout 9 sh -c {shlex.quote(inner)}",
    lambda inner: f"( {inner} )",
    lambda inner: f"true && {{ {inner}; }}",
    lambda inner: f"ls | xargs -I% sh -c {shlex.quote(inner)}",
    lambda inner: f"if true; then {inner}; fi",
    lambda inner: f"x=$( {inner} )",
    lambda inner: f"echo {shlex.quote(inner)} | sh",
    lambda inner: f"find . -exec sh -c {shlex.quote(inner)} ';'",
    lambda inner: f"f() {{ {inner}; }}; f",
    lambda inner: f"while read a; do {inner}; done",
]


@settings(max_examples=TRIES or 60, derandomize=not TRIES)
@given(st.lists(st.sampled_from(WRAPPED), max_size=4), st.sampled_from(SPELLINGS[:20]))
def test_no_wrapping_hides_it_and_a_harmless_word_stays_one(wraps: list[Wrap], script: str) -> None:
    policy = Commands.load("")
    harmless = f"echo {shlex.quote(script)}"
    for wrap in wraps:
        script, harmless = wrap(script), wrap(harmless)
    assert decide(policy, script)[0] != "allow"
    if not any("| sh" in wrap("x") for wrap in wraps):  # what cannot be told is asked about, such as an xargs in one
        assert decide(policy, harmless)[0] != "forbid"
