"""The benchmark of allow-lists gives every figure, and loses no connection."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("socat") is None, reason="there is no socat to compare with")
def test_it_gives_every_figure_and_no_connection_is_lost(figures: Callable[..., dict[str, Any]]) -> None:
    rows = figures("--egress", "--rounds", "1", "--bytes", "1000000")["rows"]
    assert all(row["figure"] > 0 for row in rows)
    assert len([row for row in rows if row["at_most"] or row["at_least"]]) == 9
    assert rows[-1]["figure"] == 500
