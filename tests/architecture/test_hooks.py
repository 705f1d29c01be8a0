"""Every hook has a kind, a protocol or type that answers are held to, a documented example, and a test."""

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx import hookspecs
from aisbx.plugins import KINDS
from aisbx.plugins.load import EXPECTED, PLAIN

ROOT = Path(__file__).parents[2]
HOOKS: dict[str, Callable[..., object]] = {
    name: function for name, function in inspect.getmembers(hookspecs, inspect.isfunction) if name.startswith("aisbx_")
}


def test_there_is_one_hook_for_each_kind_that_is_not_a_plain_object() -> None:
    assert set(HOOKS) == {f"aisbx_{kind}" for kind in KINDS if kind not in PLAIN}
    assert set(EXPECTED) == set(KINDS) - PLAIN


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_firstresult_and_takes_the_name_first(name: str) -> None:
    options = getattr(HOOKS[name], f"{hookspecs.PROJECT}_spec")
    assert options["firstresult"], "a list hook would drop the answer of a plugin that forgets to return"
    parameters = list(inspect.signature(HOOKS[name]).parameters)
    assert parameters in (["name"], ["name", "settings"])
    assert (parameters == ["name"]) == (name == "aisbx_profile")


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_says_what_none_means_and_gives_an_example_that_parses(name: str) -> None:
    text = inspect.getdoc(HOOKS[name]) or ""
    assert "or None if it is not yours" in text
    example = re.search(r"Example: `(.+)`", text)
    assert example
    ast.parse(f"def hook(name, settings):\n    {example[1]}")


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_documented_for_authors(name: str) -> None:
    guide = (ROOT / "docs" / "plugins.md").read_text()
    kind = name.removeprefix("aisbx_")
    assert f"`{name}(" in guide
    assert f"`{KINDS[kind]}`" in guide


@pytest.mark.parametrize("kind", sorted(PLAIN))
def test_a_kind_without_a_hook_is_documented_for_authors(kind: str) -> None:
    assert f"`{KINDS[kind]}`" in (ROOT / "docs" / "plugins.md").read_text()


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_has_a_test(name: str) -> None:
    """By name, or by its kind in the one test that takes the kinds in turn."""
    text = (ROOT / "tests" / "core" / "plugins" / "test_load.py").read_text()
    kind = name.removeprefix("aisbx_")
    in_turn = re.search(r'@pytest.mark.parametrize\("kind", \[(.+)\]\)\ndef test_each_kind_is_held', text)
    assert in_turn
    assert f"def {name}(" in text or f'"{kind}"' in in_turn[1]
