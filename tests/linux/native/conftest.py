"""The pieces of the compiled front, built with sanitizers around a small program that each test asks."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[3] / "aisbx-linux" / "native"
PIECES = ["entries", "group", "look", "plan", "plan_name", "plan_read", "record", "sha256", "text"]
_FLAGS = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]

Ask = Callable[..., str]


@pytest.fixture(scope="session")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program; `.ci/run` installs a compiler, so there a missing one is a failure."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None and "machine" not in os.environ.get("AISBX_REQUIRE", "").split(","):
        pytest.skip("there is no C compiler")
    program = str(tmp_path_factory.mktemp("native") / "pieces")
    sources = [str(Path(__file__).with_name("pieces.c")), *(f"{NATIVE}/{name}.c" for name in PIECES)]
    command = [compiler or "cc", *_FLAGS, "-fno-sanitize-recover=all", f"-I{NATIVE}", "-o", program, *sources]
    subprocess.run(command, check=True, timeout=120)
    return program


@pytest.fixture
def ask(pieces: str) -> Ask:
    """Give what it answers, under an environment of its own; anything on stderr is an error of the sanitizers."""

    def ask(*words: object, environ: dict[str, str] | None = None) -> str:
        # Leaks are looked for by tracing, which a sandbox that runs these tests may refuse.
        given = {"ASAN_OPTIONS": "detect_leaks=0", **(environ or {})}
        done = subprocess.run(
            [pieces, *map(str, words)], env=given, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.rstrip("\n")

    return ask
