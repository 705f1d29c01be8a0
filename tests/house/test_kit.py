"""`./dev kit` records what was seen as one kind of user; the tables need both."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from aisbx.testing import results
from aisbx.testing.results import kind_of_user
from aisbx.types import CONTROLS

ROOT = Path(__file__).parents[2]
OTHER = {"root": "user", "user": "root"}[kind_of_user()]


class FailedError(Exception):
    """The session ended in an error."""


class Session:
    """Stands in for nox's."""

    def __init__(self) -> None:
        self.posargs: list[str] = []
        self.said: list[str] = []

    def log(self, text: str) -> None:
        self.said.append(text)

    def error(self, text: str) -> None:
        raise FailedError(text)


@pytest.fixture(scope="session")
def sessions() -> ModuleType:
    """The file of sessions; nox wants to see each of them once."""
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def noxfile(sessions: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The same, with a file of results of its own and no tests to run."""

    def nothing(_session: object, *_words: str) -> None:
        pass

    monkeypatch.setattr(sessions, "RESULTS", str(tmp_path / "results.json"))
    monkeypatch.setattr(sessions, "CHROOT_RESULTS", str(tmp_path / "chroot.json"))
    monkeypatch.setattr(sessions, "_pytest", nothing)
    return sessions


def kit(noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch, **attacks: str) -> tuple[list[str], list[str]]:
    """Give what is said and which tables are made where the results of these kinds are of these attacks."""
    rows = {kind: {"attacks": of, "controls": {control: {} for control in CONTROLS}} for kind, of in attacks.items()}
    for path in (noxfile.RESULTS, noxfile.CHROOT_RESULTS):
        Path(path).write_text(json.dumps(rows))
    made: list[str] = []

    def tool(_session: object, *words: str) -> None:
        made.append(words[-1])

    monkeypatch.setattr(noxfile, "_tool", tool)
    session = Session()
    noxfile.kit.func(session)
    return session.said, made


def test_with_both_kinds_the_tables_are_made(noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = dict.fromkeys((*results.KINDS, *noxfile.LEVELS), results.digest())
    said, made = kit(noxfile, monkeypatch, **kinds)
    assert (said, made) == ([], [f"tools/document_{name}.py" for name in ("enforcement", "security", "drivers")])


def test_without_the_levels_all_but_the_drivers_tables_are_made(
    noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = dict.fromkeys((*results.KINDS, "privileged"), results.digest())
    said, made = kit(noxfile, monkeypatch, **kinds)
    assert made == ["tools/document_enforcement.py", "tools/document_security.py"]
    assert said[0].endswith("has nothing of plain; next: ./dev levels, as root")


@pytest.mark.parametrize("other", [{}, {OTHER: "older"}])
def test_the_first_of_the_two_is_told_what_is_next_and_succeeds(
    noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    said, made = kit(noxfile, monkeypatch, **{kind_of_user(): results.digest()}, **other)
    assert made == []
    assert f"no table is made before that of {OTHER} is there" in said[0]
    assert "./dev kit" in said[1]


def test_where_nothing_of_the_users_own_was_recorded_it_fails(
    noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FailedError, match="run all of them"):
        kit(noxfile, monkeypatch, **{kind_of_user(): "older", OTHER: results.digest()})
