"""The code that plans carry is compiled once; what is not what was compiled, or not ours alone, is made anew."""

import marshal
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import pytest
from aisbx.engine import keep
from aisbx.plan.keep import locate

MODULE = "aisbx_kept_example"


class Kept:
    """A module whose code is kept, and the directory where it is."""

    def __init__(self, place: Path) -> None:
        self.source = place / f"{MODULE}.py"
        self.directory = place / "code"
        self.directory.mkdir(mode=0o700)
        self.source.write_text("VALUE = 'first'\n")

    def value(self) -> object:
        """Give what the module's code says."""
        [(name, file, _, code)] = keep._collected(locate((MODULE,)), (), str(self.directory))
        assert (name, file) == (MODULE, str(self.source))
        assert isinstance(code, CodeType)
        found: dict[str, object] = {}
        exec(code, found)
        return found["VALUE"]

    def file(self) -> Path:
        """Give the one file that is kept."""
        [found] = self.directory.glob("[0-9a-f]*")
        return found

    def plant(self) -> None:
        """Put other code in its place, as somebody would who could write there."""
        code = compile("VALUE = 'planted'", str(self.source), "exec")
        self.file().write_bytes(marshal.dumps([(MODULE, str(self.source), False, code)]))


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return Kept(tmp_path)


def test_it_is_compiled_once(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept.value() == "first"
    monkeypatch.setattr(keep, "collect", None)
    assert kept.value() == "first"


def test_a_changed_source_is_compiled_anew(kept: Kept) -> None:
    kept.value()
    before = kept.source.stat()
    kept.source.write_text("VALUE = 'other'\n")
    os.utime(kept.source, ns=(before.st_atime_ns, before.st_mtime_ns))  # the time of change still tells
    assert kept.value() == "other"


def test_what_is_there_is_used_where_it_is_ours_alone(kept: Kept) -> None:
    """Without this the attacks below would prove nothing."""
    kept.value()
    kept.plant()
    assert kept.value() == "planted"


def _open_file(kept: Kept) -> None:
    kept.file().chmod(0o620)


def _open_directory(kept: Kept) -> None:
    kept.directory.chmod(0o770)


def _link(kept: Kept) -> None:
    file = kept.file()
    file.rename(kept.source.with_name("planted"))
    file.symlink_to(kept.source.with_name("planted"))


def _second_name(kept: Kept) -> None:
    os.link(kept.file(), kept.source.with_name("planted"))


def _torn(kept: Kept) -> None:
    kept.file().write_bytes(kept.file().read_bytes()[:20])


def _something_else(kept: Kept) -> None:
    kept.file().write_bytes(marshal.dumps("no list"))


@pytest.mark.parametrize("harm", [_open_file, _open_directory, _link, _second_name, _torn, _something_else])
def test_what_others_could_have_written_is_not_used(harm: Callable[[Kept], None], kept: Kept) -> None:
    kept.value()
    kept.plant()
    harm(kept)
    assert kept.value() == "first"


def test_a_package_that_a_launch_only_has_modules_in_is_made_empty(kept: Kept) -> None:
    located = locate((MODULE,))
    [(name, file, _, code)] = keep._collected(located, (), str(kept.directory), (MODULE,))
    assert (name, file) == (MODULE, str(kept.source))
    assert isinstance(code, CodeType)
    assert code.co_names == ()
    assert kept.value() == "first", "who needs its code gets it, also from the same directory"
