"""Scenes for layers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx_linux.layer import place

from .scenes import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    assert os.listdir(made.outside) == ["file"], "something was written outside"
    assert (made.outside / "file").read_text() == "outside\n"
    if made.place.exists():
        place.drop(str(made.place))
