import sys

import pytest
from aisbx.errors import ConfigError, PluginBrokenError, PluginConflictError, PluginNotFoundError
from aisbx.plugins import Plugins

from tests.core.installed import Install

DRIVER = """
from aisbx import hookimpl

class Acme:
    name = "acme"
    def __init__(self, settings): self.settings = settings
    def probe(self): ...
    def check(self, spec): ...
    def open(self, spec, home): ...
    def attach(self, handle): ...

@hookimpl
def aisbx_driver(name, settings):
    return Acme(settings) if name == "acme" else None
"""


def test_only_the_plugin_that_is_asked_for_is_imported(install: Install) -> None:
    install("acme-one", {"aisbx.drivers": {"acme": "acme_one"}}, acme_one=DRIVER)
    install("acme-two", {"aisbx.drivers": {"two": "acme_two"}}, acme_two="raise SystemExit")
    driver = Plugins().get("driver", "acme", {"key": 1})
    assert driver.name == "acme"
    assert getattr(driver, "settings") == {"key": 1}  # noqa: B009  the protocol does not know it
    assert "acme_two" not in sys.modules


def test_an_entry_point_may_name_an_attribute_with_the_hook(install: Install) -> None:
    source = DRIVER + "\nclass space:\n    class inner:\n        aisbx_driver = staticmethod(aisbx_driver)\n"
    install("acme-one", {"aisbx.drivers": {"acme": "acme_one : space.inner"}}, acme_one=source)
    assert Plugins().get("driver", "acme").name == "acme"


def test_a_profile_hook_gets_the_name_and_gives_text(install: Install) -> None:
    source = "from aisbx import hookimpl\n@hookimpl\ndef aisbx_profile(name):\n    return f'name: {name}'\n"
    install("acme-p", {"aisbx.profiles": {"acme": "acme_p"}}, acme_p=source)
    assert Plugins().get("profile", "acme") == "name: acme"


@pytest.mark.parametrize(("kind", "group"), [("command", "aisbx.commands"), ("tool", "aisbx.tools")])
def test_commands_and_tools_are_the_object_that_the_entry_point_names(install: Install, kind: str, group: str) -> None:
    install("acme-c", {group: {"acme": "acme_c:thing"}}, acme_c="thing = ['an object']")
    assert Plugins().get(kind, "acme") == ["an object"]


def test_two_distributions_with_one_name_are_refused_naming_both_and_neither_is_imported(install: Install) -> None:
    install("acme-one", {"aisbx.drivers": {"acme": "acme_one"}}, acme_one="raise SystemExit")
    install("acme-two", {"aisbx.drivers": {"acme": "acme_two"}}, version="3.1", acme_two="raise SystemExit")
    plugins = Plugins()
    assert "acme" in plugins.names("driver")
    with pytest.raises(PluginConflictError, match=r"'acme' is offered by acme-one 1.0 and acme-two 3.1") as caught:
        plugins.get("driver", "acme")
    assert caught.value.hint == "uninstall one, or set AISBX_DISABLE_PLUGINS to acme-one or acme-two"


def test_disabling_one_of_two_ends_the_conflict(install: Install) -> None:
    install("acme-one", {"aisbx.drivers": {"acme": "acme_one"}}, acme_one=DRIVER)
    install("acme-two", {"aisbx.drivers": {"acme": "acme_two"}}, acme_two="raise SystemExit")
    plugins = Plugins(disabled=["acme-two"])
    assert plugins.get("driver", "acme").name == "acme"
    assert [row.usable for row in plugins.table() if row.name == "acme"] == [True, False]


def test_a_disabled_plugin_is_never_imported_and_the_error_says_why(install: Install) -> None:
    install("acme-one", {"aisbx.drivers": {"acme": "acme_one"}}, acme_one=DRIVER)
    with pytest.raises(PluginNotFoundError, match="of acme-one is not used: disabled by AISBX_DISABLE_PLUGINS"):
        Plugins(disabled=["acme"]).get("driver", "acme")
    with pytest.raises(PluginNotFoundError, match=r"acme-one is not in the list plugins.allow"):
        Plugins(allow=["acme-two"]).get("driver", "acme")
    assert "acme_one" not in sys.modules


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import no_such_module_of_acme", "cannot be imported: ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ("def (", "cannot be imported: SyntaxError"),
        ("", "acme_one has no hook aisbx_driver marked with @aisbx.hookimpl"),
        (DRIVER.replace("@hookimpl", ""), "acme_one has no hook aisbx_driver marked with @aisbx.hookimpl"),
        (DRIVER.replace("aisbx_driver", "aisbx_drvier"), "unknown hook 'aisbx_drvier'"),
        (DRIVER + "\n@hookimpl\ndef aisbx_sinc(name, settings): ...\n", "unknown hook 'aisbx_sinc'"),
        (DRIVER.replace("(name, settings)", "(name, host)"), "hook 'aisbx_driver'"),
        (DRIVER.replace('== "acme"', '== "other"'), "answers None for a name that its own metadata claims"),
        (DRIVER.replace("Acme(settings)", "'a string'"), "returned str, which is not a Driver"),
        (DRIVER.replace("Acme(settings)", "Acme"), "returned the class Acme, not an object of it"),
        (DRIVER.replace("def attach", "def detach"), "returned Acme, which is not a Driver"),
        (DRIVER.replace('name = "acme"', 'name = "other"'), "returned a driver whose name is 'other'"),
        (DRIVER.replace("self.settings = settings", "1 / 0"), "aisbx_driver failed: ZeroDivisionError"),
    ],
)
def test_a_plugin_that_breaks_its_contract_is_refused_with_one_line(install: Install, source: str, what: str) -> None:
    install("acme-one", {"aisbx.drivers": {"acme": "acme_one"}}, acme_one=source)
    with pytest.raises(PluginBrokenError) as caught:
        Plugins().get("driver", "acme")
    message = caught.value.message
    assert message.startswith("the driver 'acme' of acme-one 1.0 is broken: ")
    assert what in message
    assert "\n" not in message
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["auth", "transport", "policy", "secrets", "sink", "egress"])
def test_each_kind_is_held_to_its_protocol(install: Install, kind: str) -> None:
    from aisbx.plugins import KINDS

    method = {"auth": "authenticate", "policy": "review", "secrets": "get", "sink": "emit"}.get(kind, "serve")
    source = f"""
from aisbx import hookimpl
class Good:
    def {method}(self, *args): ...
class Bad: ...
@hookimpl
def aisbx_{kind}(name, settings):
    return {{"good": Good, "bad": Bad}}[name]()
"""
    install("acme-k", {KINDS[kind]: {"good": "acme_k", "bad": "acme_k"}}, acme_k=source)
    assert type(Plugins().get(kind, "good")).__name__ == "Good"
    with pytest.raises(PluginBrokenError, match="returned Bad, which is not a"):
        Plugins().get(kind, "bad")


def test_an_error_of_our_tree_passes_through_as_the_plugin_raised_it(install: Install) -> None:
    source = DRIVER.replace("self.settings = settings", "raise ConfigError('too small', key='drivers.acme.size')")
    install(
        "acme-one", {"aisbx.drivers": {"acme": "acme_one"}}, acme_one="from aisbx.errors import ConfigError\n" + source
    )
    with pytest.raises(ConfigError, match=r"drivers.acme.size: too small"):
        Plugins().get("driver", "acme")


def test_with_no_driver_the_error_says_which_distribution_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PluginNotFoundError, match="no driver is installed") as caught:
        Plugins(disabled=[row.name for row in Plugins().table()]).get("driver", "lima-like")
    assert caught.value.hint == "pip install aisbx-driver-bwrap"
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(PluginNotFoundError) as caught:
        Plugins().get("driver", "bwrap")
    assert caught.value.hint == "pip install aisbx-driver-bwrap"
    with pytest.raises(PluginNotFoundError) as caught:
        Plugins().get("profile", "python-dev")
    assert caught.value.hint == "pip install aisbx-profiles"
    with pytest.raises(PluginNotFoundError) as caught:
        Plugins().get("sink", "syslog")
    assert caught.value.hint == "install a distribution with an entry point in aisbx.sinks"


def test_an_unknown_name_lists_what_is_installed_and_invents_no_distribution(install: Install) -> None:
    install("acme-one", {"aisbx.drivers": {"acme": "acme_one"}}, acme_one=DRIVER)
    with pytest.raises(PluginNotFoundError, match="no driver called 'acmee' is installed") as caught:
        Plugins(allow=["acme-one"]).get("driver", "acmee")
    assert caught.value.hint == "installed: acme"
