"""`aisbx config show` and `aisbx plugin list`."""

from .conftest import Cli


def test_every_setting_is_shown_with_where_it_comes_from(cli: Cli) -> None:
    cli.config.mkdir(parents=True)
    (cli.config / "config.toml").write_text('lower = ["limit:disk"]\n[drivers.bwrap]\npath = "/usr/bin/bwrap"\n')
    cli.environ["AISBX_LIMITS__MEMORY"] = "2G"
    lines = cli("config", "show", "--origin").stdout.splitlines()
    assert f'lower = ["limit:disk"]  # {cli.config}/config.toml:1' in lines
    assert f'drivers.bwrap.path = "/usr/bin/bwrap"  # {cli.config}/config.toml:3' in lines
    assert f"limits.memory = {float(2 << 30)}  # environment AISBX_LIMITS__MEMORY" in [
        line.replace(f"= {2 << 30} ", f"= {float(2 << 30)} ") for line in lines
    ]
    assert 'driver = "auto"  # default' in lines
    assert 'driver = "auto"' in cli("config", "show").stdout.splitlines()


def test_settings_are_data_for_programs(cli: Cli) -> None:
    cli.environ["AISBX_PROFILE"] = "shell"
    shown = cli.json("config", "show", "--origin")
    assert shown["settings"]["profile"] == "shell"
    assert shown["origins"]["profile"] == "environment AISBX_PROFILE"
    assert "origins" not in cli.json("config", "show")


def test_a_setting_cannot_write_on_the_terminal(cli: Cli) -> None:
    cli.environ["AISBX_PROFILE"] = "x\x1b]0;owned\x07"
    assert "\x1b" not in cli("config", "show", "--origin").stdout


def test_an_unknown_setting_is_refused_with_its_place(cli: Cli) -> None:
    cli.config.mkdir(parents=True)
    (cli.config / "config.toml").write_text("\ncolour = 1\n")
    assert "config.toml:2: colour: there is no such setting" in cli.refused("config", "show", code="config")


def test_plugins_are_listed_with_their_distribution(cli: Cli) -> None:
    from aisbx import __version__

    done = cli("plugin", "list")
    assert done.stdout.splitlines()[0].split() == ["KIND", "NAME", "DISTRIBUTION", "VERSION", "USABLE"]
    assert ["driver", "bwrap", "aisbx-driver-bwrap", __version__, "yes"] in [
        line.split() for line in done.stdout.splitlines()
    ]


def test_a_disabled_plugin_is_listed_with_the_reason(cli: Cli) -> None:
    cli.environ["AISBX_DISABLE_PLUGINS"] = "bwrap"
    rows = cli.json("plugin", "list")["plugins"]
    [row] = [row for row in rows if row["name"] == "bwrap"]
    assert row["usable"] is False
    assert "AISBX_DISABLE_PLUGINS" in row["reason"]
    assert "no: " in cli("plugin", "list").stdout
