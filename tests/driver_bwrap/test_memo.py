"""That a bubblewrap worked is remembered; a refusal never is, and nothing that others could have written counts."""

import os
import stat
from pathlib import Path

import pytest
from aisbx_driver_bwrap import tool
from aisbx_linux.local import memo

WORKS = """#!/bin/sh
echo run >> {log}
case $1 in --version) echo bubblewrap 9.9;; --help) echo --bind-fd;; esac
exit {code}
"""


class Fake:
    """A bubblewrap that counts how often it is started."""

    def __init__(self, place: Path) -> None:
        place.chmod(0o755)
        self.log = place / "log"
        self.path = place / "bwrap"
        self.memory = str(place / "probes")
        self.write(0)

    def write(self, code: int) -> None:
        self.path.write_text(WORKS.format(log=self.log, code=code))
        self.path.chmod(0o755)

    def probe(self) -> tuple[bool, int]:
        """Give whether it is usable, and how many processes it took to say so."""
        self.log.write_text("")
        self.log.chmod(0o666)
        _, probed = tool.probe({"path": str(self.path)}, self.memory)
        return probed.usable, len(self.log.read_text().splitlines())

    def file(self) -> Path:
        """Give the one file in the memory."""
        [found] = Path(self.memory).iterdir()
        return found


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    def reachable(_: str) -> bool:
        return False  # root tries it as somebody else where they can reach it; pytest's directories they can't

    monkeypatch.setattr(tool, "reachable", reachable)
    return Fake(tmp_path)


def test_one_that_worked_is_not_tried_again(fake: Fake) -> None:
    assert fake.probe() == (True, 3)
    assert fake.probe() == (True, 0)
    assert tool.probe({"path": str(fake.path)}, fake.memory)[1].facts["version"] == "9.9"


def test_a_refusal_is_tried_anew_each_time(fake: Fake) -> None:
    fake.write(1)
    assert fake.probe() == (False, 3)
    assert fake.probe() == (False, 3)
    fake.write(0)
    assert fake.probe() == (True, 3)


def test_another_file_under_the_same_path_is_tried(fake: Fake) -> None:
    fake.probe()
    fake.write(1)
    assert fake.probe() == (False, 3)


@pytest.mark.parametrize("mode", [0o4755, 0o777])
def test_one_that_may_not_be_used_is_refused_though_it_worked(mode: int, fake: Fake) -> None:
    fake.probe()
    fake.path.chmod(mode)
    assert fake.probe() == (False, 0)


@pytest.mark.parametrize("what", ["/proc/sys/kernel/random/boot_id", "/proc/sys/user/max_user_namespaces", "Seccomp"])
def test_after_a_change_of_the_machine_it_is_tried(what: str, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.probe()
    genuine = memo._text

    def changed(name: str) -> str:
        if name == what:
            return "another"
        return genuine(name).replace(f"\n{what}:", f"\n{what}:1")

    monkeypatch.setattr(memo, "_text", changed)
    assert fake.probe() == (True, 3)


def _group_writable(fake: Fake) -> None:
    fake.file().chmod(0o620)


def _open_folder(fake: Fake) -> None:
    Path(fake.memory).chmod(0o755)


def _linked(fake: Fake) -> None:
    file = fake.file()
    file.rename(fake.path.with_name("planted"))
    file.symlink_to(fake.path.with_name("planted"))


def _linked_folder(fake: Fake) -> None:
    folder = Path(fake.memory)
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


def _torn(fake: Fake) -> None:
    fake.file().write_text('"9.')


def _fifo(fake: Fake) -> None:
    file = fake.file()
    file.unlink()
    os.mkfifo(file, 0o600)


@pytest.mark.parametrize("harm", [_group_writable, _open_folder, _linked, _linked_folder, _torn, _fifo])
def test_what_others_could_have_written_does_not_count(harm: object, fake: Fake) -> None:
    fake.probe()
    harm(fake)  # type: ignore[operator]  # pyright: ignore[reportCallIssue]
    assert fake.probe() == (True, 3)


def test_a_second_name_for_the_file_does_not_count(fake: Fake) -> None:
    fake.probe()
    os.link(fake.file(), fake.path.with_name("other"))
    assert fake.probe() == (True, 3)


def test_what_is_kept_is_the_users_alone(fake: Fake) -> None:
    before = os.umask(0)
    try:
        fake.probe()
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path(fake.memory).stat().st_mode) == 0o700
    assert stat.S_IMODE(fake.file().stat().st_mode) == 0o600


def test_that_something_was_possible_is_remembered_and_that_it_was_not_is_not(fake: Fake) -> None:
    answers = [False, True]

    def attempt() -> bool:
        return answers.pop(0)

    def tried(what: str) -> bool:
        return memo.tried(fake.memory, str(fake.path), what, attempt)

    assert [tried("contained"), tried("contained"), tried("contained")] == [False, True, True]
    assert answers == []
    with pytest.raises(IndexError):
        tried("idmap 1 2")  # another thing is tried for itself
