"""The tool's code is found also in a process whose modules were made from a kept plan, without the import system."""

import sys
from types import ModuleType

import pytest
from aisbx_linux.confine import carry


def test_modules_that_were_made_without_a_search_are_carried_too(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = list(carry.files())
    assert [name for name, _ in expected] == list(carry.MODULES)
    for name, file in expected:
        made = ModuleType(name)  # as `aisbx.plan.recall.install` makes them: it has no spec
        made.__file__ = file
        monkeypatch.setitem(sys.modules, name, made)
    assert list(carry.files()) == expected
