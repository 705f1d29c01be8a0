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


def compiled(program: Path, names: list[str]) -> str:
    """Build a program of this folder's file of that name and pieces; its path.

    `.ci/run` installs a compiler, so there a missing one is a failure.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None and "machine" not in os.environ.get("AISBX_REQUIRE", "").split(","):
        pytest.skip("there is no C compiler")
    sources = [f"{Path(__file__).parent}/{program.name}.c", *(f"{NATIVE}/{name}.c" for name in names)]
    command = [compiler or "cc", *_FLAGS, "-fno-sanitize-recover=all", f"-I{NATIVE}", "-o", str(program), *sources]
    subprocess.run(command, check=True, timeout=120)
    return str(program)


@pytest.fixture(scope="session")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program that has most pieces in it."""
    return compiled(tmp_path_factory.mktemp("native") / "pieces", PIECES)


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
