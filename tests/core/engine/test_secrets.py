"""The step from names to values: what may not be given is refused, and no error has a value in it."""

from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aisbx.egress import job
from aisbx.engine import proxied, secrets
from aisbx.errors import PluginBrokenError, SecretError, UsageError
from aisbx.types import AUTHORITIES, Authority, Binding, Command, Proxied, Secret

VALUE = b"hunter2"


class Store:
    def __init__(self, given: object = VALUE, binding: Binding | None = None) -> None:
        self.given = given
        self._binding = binding
        self.asked = 0

    def get(self, ref: str) -> bytes:
        assert ref == "x"
        self.asked += 1
        if isinstance(self.given, Exception):
            raise self.given
        return cast("bytes", self.given)

    def binding(self, ref: str) -> Binding | None:
        assert ref == "x"
        return self._binding


def supplied(store: Store, *, variable: str = "T", environment: dict[str, str] | None = None) -> Command:
    def get(kind: str, name: str, _: object) -> Store:
        assert (kind, name) == ("secrets", "acme")
        return store

    plugins = SimpleNamespace(get=get)
    settings = SimpleNamespace(secret_store="acme", secret_settings={})
    from aisbx.inputs import Inputs

    engine = SimpleNamespace(plugins=plugins, settings=settings, decided=Inputs({"HOME": "/nowhere"}))
    command = Command(argv=("true",), environment=environment or {}, secrets=(Secret("x", variable=variable),))
    return secrets.supply_command(cast("Any", engine), command)


def test_a_command_gets_values_and_loses_the_names() -> None:
    command = supplied(Store(), environment={"A": "b"})
    assert dict(command.environment) == {"A": "b", "T": "hunter2"}
    assert not command.secrets


def test_a_bound_secret_never_enters_a_sandbox_and_its_store_is_not_asked_for_it() -> None:
    store = Store(binding=Binding(("api.example",)))
    with pytest.raises(SecretError, match=r"is bound to api\.example"):
        supplied(store)
    assert not store.asked


@pytest.mark.parametrize(
    ("given", "kind", "why"),
    [
        ("hunter2", PluginBrokenError, "gave no bytes"),
        (ValueError("hunter2 is odd"), PluginBrokenError, "failed: ValueError"),
        (b"hunter2\0", SecretError, "NUL byte"),
        (b"", SecretError, "is empty"),
        (b"hunter2" * (1 << 18), SecretError, "is larger than"),
    ],
)
def test_an_error_says_nothing_of_a_value(given: object, kind: type[Exception], why: str) -> None:
    with pytest.raises(kind, match=why) as caught:
        supplied(Store(given))
    assert "hunter2" not in f"{caught.value}"
    assert caught.value.__cause__ is None


def test_a_variable_that_is_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="by --env and by a secret"):
        supplied(Store(), environment={"T": "x"})


def test_a_driver_that_has_no_secrets_is_refused_them_as_files_only() -> None:
    driver = cast("Any", SimpleNamespace(name="acme"))
    with pytest.raises(UsageError, match="the driver acme gives no secrets as files"):
        secrets.admit_files([Secret("x", target="x")], driver, [])
    secrets.admit_files([Secret("x", variable="X")], driver, [])


def _authority(secrets: object) -> Authority:
    assert secrets
    return Authority(b"CERTIFICATE", b"PRIVATE")


def _given(plugin: object, *_: object) -> object:
    return plugin


def carried(value: bytes) -> tuple[Proxied, dict[str, str]]:
    plugin = SimpleNamespace(authority=_authority, bearing=repr, serve=repr)
    settings = SimpleNamespace(secret_store="acme", egress={})
    engine = SimpleNamespace(plugins=SimpleNamespace(get=partial(_given, plugin)), settings=settings)
    asked = Secret("x", placeholder="KEY", binding=Binding(("a.example",)))
    return proxied.carry(cast("Any", engine), {asked: secrets.Given(value, Binding(("*.example",)))})


def test_the_value_of_a_proxied_secret_is_in_what_its_proxy_is_told_and_nothing_else() -> None:
    made, variables = carried(b"hunter2-hunter2")
    assert "hunter2" not in repr(made)
    assert "PRIVATE" not in repr(made)
    assert b"CERTIFICATE" in made.authorities
    (given,), authority = job.understood(made.job)
    assert given.value == b"hunter2-hunter2"
    assert given.bindings == (Binding(("a.example",)), Binding(("*.example",)))
    assert given.placeholder == variables["KEY"]
    assert variables["SSL_CERT_FILE"] == AUTHORITIES
    assert authority.key == b"PRIVATE"
    assert carried(b"hunter2-hunter2")[1]["KEY"] != variables["KEY"]


@pytest.mark.parametrize("value", [b"hunter2", b"hunter2-\n", b" hunter2-", b"hun\0ter2-", b"hunter2\x7f", b"h" * 4097])
def test_what_cannot_be_in_a_header_field_is_refused(value: bytes) -> None:
    with pytest.raises(SecretError) as caught:
        carried(value)
    assert "hunter2" not in f"{caught.value}"
