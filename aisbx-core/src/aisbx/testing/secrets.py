"""What every secret store owes: subclass `SecretsContract`, give the fixture `secrets`, run pytest."""

import gc
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest

from aisbx.errors import AisbxError, SecretError
from aisbx.testing.whole import Contract, names_of_tests
from aisbx.types import BoundSecrets, ProbedSecrets, Secrets

VALUE = b"kit-value \xc3\xa4 \xff with bytes\nof all kinds"
OTHER = b"kit-value of another name"

REQUIREMENTS = {
    "secrets:exact": "a value comes back byte for byte, and each name has its own",
    "secrets:missing": "a name that is not there is an error of the tree with a hint, not an empty value",
    "secrets:names": "a name is looked up, never opened as a path or read as a command",
    "secrets:quiet": "no error, no repr, no output and no environment has a value in it",
    "secrets:current": "a value that was changed is the one that is given next",
    "secrets:probe": "a probe says whether the store is usable, and needs no secret for it",
    "secrets:binding": "to what a secret is bound is told before its value is asked for",
}
"""Requirement id → what it says. An id stands in front of the docstring of each test that proves it."""

ODD_NAMES = ("../kit-one", "./kit-one", "kit-one/", "/etc/passwd", "", ".", "..", "kit-one\n", "kit-*", "$(id)", "%s")


@dataclass(frozen=True, slots=True)
class Store:
    """A store to be proved: `make` gives a new object of it, `put` keeps a value there as its users would.

    `text_only`: it can have no value that is not UTF-8 text of one line.
    """

    make: Callable[[], Secrets]
    put: Callable[[str, bytes], None]
    text_only: bool = False


class SecretsContract(Contract, contract=True):
    """A store gives values by name, and says nothing of them in any other way.

    class TestAcme(SecretsContract):
        @pytest.fixture
        def store(self, tmp_path):
            acme = Acme(tmp_path)
            return Store(make=lambda: AcmeSecrets({"at": str(tmp_path)}), put=acme.put)
    """

    ids: ClassVar[tuple[str, str]] = ("kit-one", "kit-two")
    """Two names that the store can have."""

    @pytest.fixture
    def store(self) -> Store:
        """Give the store; the one thing that an author must write."""
        pytest.fail(f"{type(self).__name__} gives no fixture `store`")

    def test_a_value_comes_back_byte_for_byte_by_its_own_name(self, store: Store) -> None:
        """secrets:exact. What one name has is never another's."""
        one, two = self.ids
        value = VALUE.decode(errors="ignore").split("\n")[0].encode() if store.text_only else VALUE
        store.put(one, value)
        store.put(two, OTHER)
        secrets = store.make()
        assert isinstance(secrets, Secrets)
        assert secrets.get(one) == value
        assert secrets.get(two) == OTHER
        assert type(secrets.get(one)) is bytes

    def test_a_name_that_is_not_there_is_an_error_with_a_hint(self, store: Store) -> None:
        """secrets:missing. An empty value in its place would go unnoticed."""
        store.put(self.ids[0], OTHER)
        secrets = store.make()
        with pytest.raises(SecretError) as caught:
            secrets.get(f"{self.ids[0]}_not_there")
        assert "\n" not in caught.value.message
        assert caught.value.hint

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_a_name_is_no_path_and_no_pattern(self, store: Store, name: str) -> None:
        """secrets:names. Whoever may name a secret may not read any other file by it."""
        store.put(self.ids[0], OTHER)
        odd = name.replace("kit-one", self.ids[0])
        with pytest.raises(AisbxError):
            store.make().get(odd)

    def test_nothing_but_get_has_a_value_in_it(self, store: Store, capfd: pytest.CaptureFixture[str]) -> None:
        """secrets:quiet. Whatever is printed, raised or shown of the object."""
        store.put(self.ids[0], OTHER)
        before = dict(os.environ)
        secrets = store.make()
        secrets.get(self.ids[0])
        said = [repr(secrets), str(secrets)]
        with pytest.raises(AisbxError) as caught:
            secrets.get(f"{self.ids[0]}_not_there")
        said += [str(caught.value), caught.value.hint, *capfd.readouterr()]
        assert not [text for text in said if OTHER.decode() in text]
        assert dict(os.environ) == before
        assert not [word for word in sys.argv if OTHER.decode() in word]

    def test_a_value_that_was_changed_is_given_next(self, store: Store) -> None:
        """secrets:current. A rotated key must not live on in a cache; each request has a store of its own."""
        store.put(self.ids[0], OTHER)
        assert store.make().get(self.ids[0]) == OTHER
        store.put(self.ids[0], b"changed")
        gc.collect()
        assert store.make().get(self.ids[0]) == b"changed"

    def test_a_probe_says_whether_the_store_is_usable(self, store: Store) -> None:
        """secrets:probe. A store without one is looked at when a secret of it is asked for."""
        store.put(self.ids[0], OTHER)
        secrets = store.make()
        if isinstance(secrets, ProbedSecrets):
            probe = secrets.probe()
            assert probe.usable, probe.reason
            assert OTHER.decode() not in repr(probe)

    def test_what_is_not_bound_has_no_binding_and_what_is_not_there_is_an_error(self, store: Store) -> None:
        """secrets:binding. The core asks before it asks for the value."""
        store.put(self.ids[0], OTHER)
        secrets = store.make()
        if isinstance(secrets, BoundSecrets):
            assert secrets.binding(self.ids[0]) is None
            with pytest.raises(SecretError):
                secrets.binding(f"{self.ids[0]}_not_there")


SecretsContract.TESTS = names_of_tests(SecretsContract)
