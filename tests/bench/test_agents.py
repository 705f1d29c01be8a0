"""The benchmark of the MCP server gives its figures."""

import json

import pytest

from benchmarks.agents import main


def test_it_gives_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--rounds", "1", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert len(told["rows"]) == 7
    assert all(row["figure"] > 0 for row in told["rows"])
