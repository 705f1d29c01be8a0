"""What was worked out before is used again only where nobody else can have written it and nothing has changed."""

import json
import sys
from pathlib import Path

import pytest
from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.plan.known import known


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where results are kept."""
    found = tmp_path / "known"
    found.mkdir(mode=0o700)
    return found


class Maker:
    """Gives 1, 2, 3 …, so that a result shows when it was made; it looks at one file."""

    def __init__(self, file: Path, directory: Path) -> None:
        self.file = file
        self.directory = directory
        self.made = 0

    def __call__(self, looked: Inputs) -> object:
        looked.note(self.file)
        self.made += 1
        return self.made

    def ask(self, what: str = "what", inputs: Inputs | None = None) -> object:
        return known(str(self.directory), what, self, inputs)


@pytest.fixture
def maker(tmp_path: Path, directory: Path) -> Maker:
    """One result is kept."""
    (tmp_path / "file").write_text("1")
    found = Maker(tmp_path / "file", directory)
    assert (found.ask(), found.ask()) == (1, 1)
    return found


def only(directory: Path) -> Path:
    (file,) = directory.iterdir()
    return file


def test_another_question_and_another_python_have_an_answer_of_their_own(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert maker.ask("other") == 2
    monkeypatch.setattr(sys, "version", "4.0")
    assert maker.ask() == 3


def test_another_installation_has_answers_of_its_own(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aisbx.plan.known.__file__", "/elsewhere/aisbx/plan/known.py")
    assert maker.ask() == 2


def test_it_is_made_anew_when_what_was_looked_at_has_changed(maker: Maker) -> None:
    maker.file.write_text("12")
    assert (maker.ask(), maker.ask()) == (2, 2)
    maker.file.unlink()
    assert (maker.ask(), maker.ask()) == (3, 3)


def test_it_is_made_anew_when_the_code_has_changed(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    assert maker.ask("now") == 2
    assert maker.ask("now") == 2
    (site / "new").mkdir()
    assert maker.ask("now") == 3


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_directory_that_others_may_enter_is_not_used(maker: Maker, directory: Path, mode: int) -> None:
    directory.chmod(mode)
    assert maker.ask() == 2


@pytest.mark.parametrize("what", ["mode", "link", "second name", "directory", "torn", "other", "no paths"])
def test_a_file_that_is_not_exactly_ours_is_not_used(maker: Maker, directory: Path, tmp_path: Path, what: str) -> None:
    file = only(directory)
    kept = json.loads(file.read_bytes())
    if what == "mode":
        file.chmod(0o640)
    elif what == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    elif what == "second name":
        (tmp_path / "elsewhere").hardlink_to(file)
    elif what == "directory":
        file.unlink()
        file.mkdir()
    elif what == "torn":
        file.write_bytes(file.read_bytes()[:-3])
    elif what == "other":
        file.write_text("[]")
    else:
        file.write_text(json.dumps({"result": kept["result"]}))
    assert maker.ask() == 2


def test_without_a_directory_it_is_made_each_time_and_none_is_made(maker: Maker, tmp_path: Path) -> None:
    maker.directory = tmp_path / "none"
    assert (maker.ask(), maker.ask()) == (2, 3)
    assert not maker.directory.exists()


def test_an_error_is_not_kept(directory: Path) -> None:
    def fail(_: Inputs) -> object:
        raise ProfileError("no")

    for _ in range(2):
        with pytest.raises(ProfileError):
            known(str(directory), "what", fail)
    assert list(directory.iterdir()) == []


def test_whoever_gets_it_is_guarded_by_all_that_it_was_made_from(maker: Maker, directory: Path) -> None:
    (directory / only(directory).name).unlink()
    first, second = Inputs({}), Inputs({})
    assert (maker.ask(inputs=first), maker.ask(inputs=second)) == (2, 2)
    assert first.paths == second.paths
    assert {str(maker.file), known.__globals__["__file__"]} <= {path for path, *_ in second.paths}
