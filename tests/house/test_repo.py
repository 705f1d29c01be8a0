"""What is, and what must never be, in the repository."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from .support import PROJECTS, ROOT, tracked_files

LONGEST = 300  # lines; a reader holds a file of that size in their head
LONGER = {  # path: why it may be longer
    "requirements.lock": "generated",
    "requirements-run.lock": "generated",
    "docs/profile.schema.json": "generated",
    "docs/kit-results.json": "generated",
    "docs/kit-results-chroot.json": "generated",
    "docs/kit-results-lima.json": "generated",
    "tests/core/cli/test_run.py": "one subject, many short tests",
    "tests/core/resolve/test_resolve.py": "one subject, many short tests",
    "tests/linux/protect/test_git_attacks.py": "a table of attacks",
    "tests/linux/roots/test_make.py": "one subject, many short tests",
    "tests/supervisor/test_api.py": "one subject, many short tests",
}
LOCKS_WITH_HOSTS = ("uv.lock", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "poetry.lock", "Pipfile.lock")
# Spelt in two parts so that this file does not hold what it looks for.
REGISTRIES = re.compile(
    "|".join(
        re.escape(a + b)
        for a, b in [
            ("pypi", ".org"),
            ("pythonhosted", ".org"),
            ("registry.npm", "js.org"),
            ("registry.yarn", "pkg.com"),
            ("deb.debian", ".org"),
            ("archive.ubuntu", ".com"),
            ("static.crates", ".io"),
            ("index.crates", ".io"),
            ("proxy.golang", ".org"),
            ("repo1.maven", ".org"),
        ]
    )
)
# A machine's own places: work folders, root's toolchains, a home by name.
PLACES = re.compile(r"(?<![\w.*$}~-])/(?:" + "|".join(["wor" + "k/", r"root/\.pye" + "nv", "opt/whe" + "els"]) + ")")


def texts() -> list[tuple[str, str]]:
    return [
        (str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
        for path in tracked_files()
        if path.is_file() and not path.is_symlink()
    ]


def test_every_file_is_text() -> None:
    binary = [path for path in tracked_files() if path.is_file() and b"\0" in path.read_bytes()]
    assert not binary


def test_no_lock_file_records_where_packages_came_from() -> None:
    assert not [path for path in tracked_files() if path.name in LOCKS_WITH_HOSTS]
    for name in ("requirements.lock", "requirements-run.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert not [line for line in text.splitlines() if line.lstrip().startswith("-") and "--hash=" not in line]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-run.lock"])
def test_every_locked_package_has_hashes(name: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text())
    assert entries
    assert not [entry for entry in entries if "--hash=sha256:" not in entry]


def test_the_two_locks_agree() -> None:
    pins = [
        dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), flags=re.MULTILINE))
        for name in ("requirements.lock", "requirements-run.lock")
    ]
    everything, runtime = pins
    assert runtime.items() <= everything.items()


def test_no_registry_is_named() -> None:
    # But where rules say what the public ones are called: whoever allows them does so by name; nothing here asks them.
    assert [name for name, text in texts() if REGISTRIES.search(text)] == ["aisbx-core/src/aisbx/profiles/indexes.py"]


def test_no_path_of_the_machine_it_was_written_on() -> None:
    assert not [f"{name}: {found[0]}" for name, text in texts() if (found := PLACES.search(text))]


def test_every_file_fits_in_a_readers_head() -> None:
    long = {name: text.count("\n") for name, text in texts() if text.count("\n") > LONGEST and name not in LONGER}
    assert not long


def test_the_list_of_longer_files_is_up_to_date() -> None:
    lengths = {name: text.count("\n") for name, text in texts()}
    stale = [name for name in LONGER if name not in lengths or lengths[name] <= LONGEST]
    assert not stale


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_each_distribution_has_the_same_frame(project: Path) -> None:
    table = tomllib.loads((project / "pyproject.toml").read_text())
    package = project.name.replace("-", "_").removesuffix("_core")
    assert table["project"]["name"] == project.name
    assert table["project"]["version"] == version("aisbx-core")
    assert table["project"]["requires-python"] == ">=3.11"
    assert table["project"]["license"] == "Apache-2.0"
    assert (project / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (project / "README.md").is_file()
    assert (project / "src" / package / "py.typed").is_file()
    for requirement in table["project"].get("dependencies", []):
        if requirement.startswith("aisbx-"):  # they are released together
            assert requirement.endswith(f"=={version('aisbx-core')}")


def test_the_workspace_lists_every_distribution() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = [project.name for project in PROJECTS]
    packages = {name.replace("-", "_").removesuffix("_core") for name in names}
    assert sorted(table["tool"]["uv"]["workspace"]["members"]) == names
    assert set(table["tool"]["uv"]["sources"]) == set(names)
    assert set(table["tool"]["importlinter"]["root_packages"]) == packages


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs/adr").glob("0*.md"))]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
