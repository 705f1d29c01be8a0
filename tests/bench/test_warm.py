"""The benchmark of commands of lasting sandboxes gives every figure, and leaves nothing."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.slow
def test_it_gives_every_figure_and_leaves_the_users_home_alone(figures: Callable[..., dict[str, Any]]) -> None:
    rows = figures("--warm", "--rounds", "1", "--alive", "2")["rows"]
    assert all(row["figure"] > 0 for row in rows)
    assert len([row for row in rows if row["at_most"] or row["at_least"]]) == 10
