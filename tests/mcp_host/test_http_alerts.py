"""Who guesses keys, or scans, is told of to the user's webhook, which a reading of the log agrees with."""

from pathlib import Path

from tests.core.violations.hooks import hook, with_hook
from tests.mcp_host.conftest import Home, until
from tests.mcp_host.serving import keyring, serving


def test_who_guesses_keys_or_paths_is_told_of(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with hook() as made:
        with_hook(home.path, made)
        key = keyring(home).create("scans", ["run"])[1]
        with serving(home, "--profile", "shell") as served:
            for number in range(20):
                assert served.ask(f"Authorization: Bearer wrong-{number}").status == 401
            for number in range(20):
                line = f"POST /admin/{number} HTTP/1.1"
                assert served.ask(f"Authorization: Bearer {key}", line=line).status == 404
            assert served.ask(f"Authorization: Bearer {key}").status == 429
            assert until(lambda: len(made.bodies) > 1)
    assert [row["rule"] for row in made.rows()] == ["key-guessing", "name-scan"]
    assert {row["host"] for row in made.rows()} == {"mcp"}
