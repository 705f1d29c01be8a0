"""What a machine makes of the API's own description: no request, however odd, is answered otherwise than it says.

`./dev fuzz` tries more, and other ones each time, with keys of each scope.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.supervisor.conftest import MUCH, Home, Served, clear, serving

TRIES = int(os.environ.get("FUZZ_TRIES", "0"))
UNWATCHED = """
import functools, sys
from aisbx.engine import door
door.Limits = functools.partial(door.Limits, watched=False)
door._FAILURES = door.Limits({door.ADDRESS: 1000000, door.EVERYWHERE: 1000000})
from aisbx_supervisor.main import main
sys.exit(main())
"""
"""Who asks so oddly is held back soon, and of everything else nothing would be seen."""
SCOPES = [("run", "files", "admin"), *([("run",), ("files",), ("admin",)] if TRIES else [])]
SETTINGS = """
# What is in the right form and cannot be done as things stand: there is no such command, no such file, it is paused.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "413", "416", "422", "429"]

# Before anybody looks at what a request holds: an address that is too long, with a parameter given a thousand times
# over; an Idempotency-Key that another request had.
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "406", "409", "413", "422", "428"]

# A sandbox that is there, for whatever does not end it.
[parameters]
"path.name" = "box"

[[operations]]
include-name = "DELETE /api/v1/sandboxes/{name}"
parameters = { "path.name" = "another" }

[[operations]]
include-path-regex = "/(pause|signal)$"
parameters = { "path.name" = "another" }
"""


@pytest.mark.slow
@pytest.mark.parametrize("scopes", SCOPES, ids="+".join)
def test_every_answer_is_one_that_the_description_has(scopes: tuple[str, ...], tmp_path: Path) -> None:
    home = Home(tmp_path)
    try:
        server = [sys.executable, "-I", "-c", UNWATCHED]
        options = ("--profile", "shell", "--sandboxes", "3")
        with serving(home, *options, key=home.key("k", *scopes), env=MUCH, server=server) as served:
            if "run" in scopes:
                served.done("POST", "sandboxes", {"name": "box"})
            tried(served, tmp_path)
            assert served.ask("GET", "/health").status == 200
        said = "".join(path.read_text() for path in tmp_path.glob("stderr-*"))
        assert "Traceback" not in said, said
    finally:
        clear(home)


def tried(served: Served, place: Path) -> None:
    (place / "settings.toml").write_text(SETTINGS)
    program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    argv = [
        program,
        "--config-file",
        str(place / "settings.toml"),
        "--no-color",
        "run",
        f"{served.address}/api/v1/openapi.json",
    ]
    argv += ["-H", f"Authorization: Bearer {served.key}", "--exclude-path-regex", "^/api/v1/[a-z]+/events$"]
    if TRIES:
        argv += ["--max-examples", str(max(1, TRIES // 50)), "--phases", "examples,coverage,fuzzing"]
        argv += ["--generation-with-security-parameters", "false"]  # a second key is refused before all else is seen
    else:
        argv += ["--max-examples", "1", "--phases", "fuzzing", "--generation-deterministic"]
    done = subprocess.run(argv, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, _failures(done.stdout) + done.stderr[-2000:]


def _failures(told: str) -> str:
    """Give the failures alone, each kind first where there are many."""
    begin = told.find("= FAILURES")
    return told[max(begin, 0) :][:20000]
