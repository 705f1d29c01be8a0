"""The distribution tests/thirdparty/aisbx-mcp-conformance, as if it were installed."""

import sys
import tomllib
from collections.abc import Generator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.house.support import ROOT
from tests.mcp_host import serving

PROJECT = ROOT / "tests/thirdparty/aisbx-mcp-conformance"
START = "import sys; sys.path[:0] = {place!r}; from aisbx_mcp.main import main; sys.exit(main())"


@contextmanager
def with_fixtures(site: Path) -> Generator[None]:
    """Have servers over HTTP start with it: a distribution is what has metadata on `sys.path`."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    name, version = project["name"], project["version"]
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = ConfigParser(interpolation=None, delimiters=("=",))
    points.optionxform = lambda optionstr: optionstr  # names as they are
    points.read_dict(project["entry-points"])
    with (info / "entry_points.txt").open("w") as file:
        points.write(file)
    start = START.format(place=[str(site), str(PROJECT / "src")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "SERVER", [sys.executable, "-I", "-c", start])
        yield
