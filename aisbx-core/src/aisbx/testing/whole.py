"""A contract is taken whole: a test of it can be left out only by name and with a reason.

    class TestAcme(DriverContract):
        waive = {"test_a_terminal_has_the_size_it_is_given": "Acme has no terminals"}

Anything else that would drop a test (defining one of the same name, setting it to None, a mixin that hides it) is an
error when the class is made. Attacks cannot be waived at all: a driver that does not withstand one must not claim
the control.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

import pytest


class Contract:
    """Base of the contracts; `TESTS` names what a subclass must run, `UNWAIVABLE` what it may not leave out."""

    TESTS: ClassVar[frozenset[str]] = frozenset()
    UNWAIVABLE: ClassVar[frozenset[str]] = frozenset({"test_the_contract_is_whole"})
    waive: ClassVar[Mapping[str, str]] = {}
    """Test's name → reason."""

    def __init_subclass__(cls, *, contract: bool = False, **options: object) -> None:
        """Check a subclass; `contract=True` declares a new contract instead of fulfilling one."""
        super().__init_subclass__(**options)
        if contract:
            return
        problems = [*_bad_waivers(cls), *_missing(cls)]
        if problems:
            raise TypeError(f"{cls.__name__} does not take its contract whole: {'; '.join(problems)}")
        for name, reason in cls.waive.items():
            setattr(cls, name, _waived(reason))

    def test_the_contract_is_whole(self) -> None:
        """The tests that the kit's authors listed are the tests that run, also if somebody changed the base class."""
        missing = _missing(type(self))
        assert not missing, "; ".join(missing)


def names_of_tests(contract: type[Contract]) -> frozenset[str]:
    """Give the names of the tests that a contract has, its own and those of its bases."""
    return frozenset(name for name in dir(contract) if name.startswith("test_"))


def _contract_of(cls: type[Contract]) -> type[Contract]:
    """Give the class that declared the contract: the nearest one that has `TESTS` of its own."""
    return next(base for base in cls.__mro__ if issubclass(base, Contract) and "TESTS" in vars(base))


def _bad_waivers(cls: type[Contract]) -> list[str]:
    problems: list[str] = []
    for name, reason in cls.waive.items():
        if name not in cls.TESTS:
            problems.append(f"waive names {name}, which is no test of it")
        elif name in cls.UNWAIVABLE:
            problems.append(f"{name} cannot be waived")
        elif not reason.strip():
            problems.append(f"waive gives no reason for {name}")
    return problems


def _missing(cls: type[Contract]) -> list[str]:
    declared = _contract_of(cls)
    if declared is cls and cls is not Contract:
        return [f"{cls.__name__} changes TESTS"]
    problems: list[str] = []
    for name in sorted(declared.TESTS):
        original = getattr(declared, name, None)
        given = getattr(cls, name, None)
        waived = name in cls.waive and (given is original or hasattr(given, "waived"))
        if original is None:
            problems.append(f"{name} was deleted from {declared.__name__}")
        elif given is not original and not waived:
            problems.append(f"{name} is overridden; name it in waive, with a reason, or rename yours")
    below = cls.__mro__[: cls.__mro__.index(declared)]
    for name in ("TESTS", "UNWAIVABLE", "__init_subclass__"):
        problems += [f"{base.__name__} changes {name}" for base in below if name in vars(base)]
    for base in below:
        marks = cast("pytest.MarkDecorator | list[pytest.MarkDecorator]", vars(base).get("pytestmark", []))
        names = [mark.name for mark in (marks if isinstance(marks, list) else [marks])]
        problems += [f"{base.__name__} is marked {name}" for name in names if name in {"skip", "skipif", "xfail"}]
    return problems


def _waived(reason: str) -> Callable[..., Any]:
    def waived(_self: object) -> None:
        pytest.skip(f"waived: {reason}")

    vars(waived)["waived"] = True
    return waived
