"""The benchmark of the REST host gives every figure, and each of its streams gets what comes."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.slow
def test_it_gives_every_figure(figures: Callable[..., dict[str, Any]]) -> None:
    rows = figures("--supervisor", "--rounds", "1", "--idle", "3")["rows"]
    assert all(row["figure"] > 0 for row in rows)
    assert len([row for row in rows if row["at_most"] or row["at_least"]]) == 5
    assert rows[-2]["figure"] == 200
