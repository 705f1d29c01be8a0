"""What `docs/plugins.md` tells a third party works, from wheels, in an environment of their own."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.house.support import ROOT, must, new_environment, once, pip

NULL = ROOT / "tests" / "thirdparty" / "aisbx-driver-null"
GUIDE = (ROOT / "docs" / "plugins.md").read_text()
DRIVER_GUIDE = (ROOT / "docs" / "plugins-driver.md").read_text()
SHARED = "src/aisbx_driver_null/process.py"  # taken from the sample, as the guide says
WHEELS = [ROOT / "aisbx-core", ROOT / "aisbx-profiles", NULL]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kit's attacks are programs for Linux")


def listings(guide: str) -> dict[str, str]:
    """Give the files that a guide shows: path → text."""
    return dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL))


def commands(guide: str) -> list[str]:
    """Give the shell blocks of a guide."""
    return re.findall(r"^```sh\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)


@dataclass
class Author:
    """Somebody with an environment that has nothing of this checkout but its wheels."""

    environment: Path
    wheels: Path
    home: Path

    def shell(self, script: str, cwd: Path, **more: str) -> str:
        """Run a block of the guide as it stands; what it needs beside our wheels is in the environment already."""
        # One at a time: tests that run in parallel share the environment, and pip does not.
        alone = f"flock {shlex.quote(str(self.environment))}.pip sh -eu -c {shlex.quote(script)}"
        done = subprocess.run(
            ["sh", "-c", alone],
            cwd=cwd,
            env={
                "HOME": str(self.home),
                "PATH": f"{self.environment}/bin:{os.defpath}",
                "LANG": "C.UTF-8",
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(self.wheels),
                "PIP_NO_BUILD_ISOLATION": "0",  # that is how pip spells --no-build-isolation here
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                **more,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build(target: Path) -> None:
        for project in WHEELS:
            # A copy, because a backend may write beside what it builds.
            copy = target / "src" / project.name
            shutil.copytree(project, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            must([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, copy])

    return once(tmp_path_factory, "thirdparty-wheels", build)


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Author:
    def make(target: Path) -> None:
        new_environment(target)
        pip(target, "--require-hashes", "-r", ROOT / "requirements-run.lock")
        tools = [f"{name}=={version(name)}" for name in ("pytest", "hatchling", "editables")]
        pip(target, *tools)
        pip(target, "--no-index", "--find-links", wheels, "aisbx-core[testing]", "aisbx-profiles")

    environment = once(tmp_path_factory, "thirdparty-environment", make)
    return Author(environment, wheels, tmp_path_factory.mktemp("author"))


@pytest.mark.slow
def test_the_sample_driver_passes_the_kit_from_its_wheel_in_a_clean_environment(
    author: Author, tmp_path: Path, wheels: Path
) -> None:
    target = tmp_path / "environment"
    shutil.copytree(NULL / "tests", tmp_path / "tests")
    # The wheel goes to a directory of its own, so that the environment stays clean for the guide.
    pip(author.environment, "--no-index", "--find-links", wheels, "--no-deps", "--target", target, "aisbx-driver-null")
    printed = author.shell("pytest -q -p no:cacheprovider -W error tests", tmp_path, PYTHONPATH=str(target))
    passed = re.search(r"(\d+) passed, 1 skipped", printed)
    assert passed, printed
    assert int(passed[1]) > 200, printed
    assert "waived: the null driver gives no terminals" in author.shell(
        "pytest -q -rs -p no:cacheprovider -k terminal_has tests", tmp_path, PYTHONPATH=str(target)
    )


@pytest.mark.slow
def test_the_guides_driver_is_built_from_its_listings_and_its_commands_work(author: Author, tmp_path: Path) -> None:
    text = DRIVER_GUIDE
    project = tmp_path / "aisbx-driver-null"
    for path, content in listings(text).items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(content)
    for path in ("README.md", "src/aisbx_driver_null/py.typed"):
        (project / path).touch()
    shutil.copy(NULL / SHARED, project / SHARED)
    install, refused = commands(text)
    # All of the kit runs in the test above; here only what is quick.
    printed = author.shell(install, project, PYTEST_ADDOPTS="-k 'not attack'")
    assert re.search(r"driver +null +aisbx-driver-null +1.0 +yes", printed), printed
    assert re.search(r"\d+ passed, 1 skipped", printed), printed
    printed = author.shell(refused, project)
    (shown,) = re.findall(r"```text\n(aisbx: .*?)\n```", text)
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    assert re.match(pattern, printed), printed


@pytest.mark.slow
def test_the_guides_profile_is_built_from_its_listings_and_its_commands_work(author: Author, tmp_path: Path) -> None:
    text = GUIDE
    for path, content in listings(text).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    (block,) = commands(text)
    printed = author.shell(block, tmp_path)
    assert "acme-dev" in printed
    assert re.search(r"\d+ passed", printed), printed


def test_the_guides_listings_are_the_sample_driver_word_for_word() -> None:
    shown = listings(DRIVER_GUIDE)
    sources = {
        str(path.relative_to(NULL))
        for pattern in ("*.toml", "src/**/*.py", "tests/*.py")
        for path in NULL.glob(pattern)
    }
    assert set(shown) == sources - {SHARED}
    assert f"{NULL.relative_to(ROOT)}/{SHARED}" in DRIVER_GUIDE
    for path, text in shown.items():
        assert text == (NULL / path).read_text(), path
