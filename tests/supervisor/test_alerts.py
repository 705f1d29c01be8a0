"""Who scans a real service is told of to the user's webhook."""

from pathlib import Path

from tests.core.violations.hooks import hook, with_hook
from tests.supervisor.conftest import Home, serving, until


def test_who_asks_for_path_after_path_that_is_not_served_is_told_of_and_held_back(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with hook() as made:
        with_hook(home.path, made)
        with serving(home, "--profile", "shell", key=home.key("scans")) as served:
            for number in range(20):
                served.refused(404, "GET", f"/admin/{number}")
            served.refused(429, "GET", "sandboxes")
            assert until(lambda: len(made.bodies) > 0)
    (row,) = made.rows()
    assert (row["rule"], row["host"]) == ("name-scan", "rest")
    assert row["principal"].startswith("key:")
    assert made.signed_by(b"what-signs-alerts")
