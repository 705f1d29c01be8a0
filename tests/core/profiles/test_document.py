import time

import pytest
from aisbx.errors import ProfileError
from aisbx.profiles import document


def test_scalars_follow_the_core_schema_of_yaml_1_2() -> None:
    text = 'a: yes\nb: "1"\nc: 12:30\nd: 010\ne: 1.5\nf: ~\ng: true\nh: 0x10\ni: .nan\nj: 2024-01-01\nk: 1_000\nl: -7\n'
    assert document.parse(text, "f").data == {
        "a": "yes",
        "b": "1",
        "c": "12:30",
        "d": "010",
        "e": 1.5,
        "f": None,
        "g": True,
        "h": "0x10",
        "i": ".nan",
        "j": "2024-01-01",
        "k": "1_000",
        "l": -7,
    }


def test_every_key_and_entry_has_its_line() -> None:
    read = document.parse("# comment\nlimits:\n  memory: 1G\nmounts:\n  - source: /a\n  - {source: /b}\n", "f")
    assert read.locate(("limits", "memory", "plain")) == ("limits.memory", 3)
    assert read.locate(("mounts", 1, "source")) == ("mounts.1.source", 6)
    assert read.locate(("nowhere",)) == ("", 2)


@pytest.mark.parametrize(
    ("text", "line", "key", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a", r"stands twice \(first in line 1\)"),
        ("x:\n  a: 1\n  a: 1\n", 3, "x.a", "stands twice"),
        ("a: &x 1\n", 1, "a", "anchors and aliases"),
        ("a: 1\nb: *a\n", 2, "b", "anchors and aliases|undefined alias"),
        ("a: !!python/object/apply:os.system [id]\n", 1, "a", "tags"),
        ("a: !x 1\n", 1, "a", "tags"),
        ("a: 1\n? [b]\n: 2\n", 2, "", "not plain text"),
        ("true: 1\n", 1, "", "not plain text"),
        ("a: 1\n---\nb: 2\n", 2, "", "second document"),
        ("a: 1\n  b: 2\n", 2, "", "is not YAML"),
        ("a: [1\n", 2, "", "is not YAML"),
        ("a: 'x\n", 2, "", "is not YAML"),
        ("\ta: 1\n", 1, "", "is not YAML"),
        ("a: \x07\n", 1, "", "is not YAML"),
        ("- a\n", 1, "", "not a table"),
        ("just text\n", 1, "", "not a table"),
        ("", 1, "", "not a table"),
        ("# only a comment\n", 1, "", "not a table"),
    ],
)
def test_what_is_not_accepted_is_said_with_line_and_key(text: str, line: int, key: str, what: str) -> None:
    with pytest.raises(ProfileError, match=what) as caught:
        document.parse(text, "the.yaml")
    assert (caught.value.file, caught.value.line, caught.value.key) == ("the.yaml", line, key)
    assert "\n" not in str(caught.value)


BOMB = "\n".join([f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9 if n else ['x'])}]" for n in range(9)])


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "a: " + "[" * 50_000,
        "a: " + "{a: " * 50_000,
        "- " * 50_000,
        "a: " + "x" * document.LARGEST,
        "a: 1\n" * 20_000,
        "a: " + "[" * 30 + "]" * 30,
    ],
)
def test_bombs_of_aliases_depth_and_size_are_refused_at_once(text: str) -> None:
    start = time.monotonic()
    with pytest.raises(ProfileError):
        document.parse(text, "f")
    assert time.monotonic() - start < 5


def test_the_python_parser_refuses_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
    assert document.parse("a: yes\nb: [1, 2.5]\n", "f").data == {"a": "yes", "b": [1, 2.5]}
    for text in (BOMB, "a: " + "[" * 5_000, "a: !x 1"):
        with pytest.raises(ProfileError):
            document.parse(text, "f")
