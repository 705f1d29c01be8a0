"""A root directory is whole or not there, and what an archive says leads nowhere else."""

import os
import signal
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx.errors import StateError, UsageError
from aisbx_linux.layer.remove import remove
from aisbx_linux.roots import extract
from aisbx_linux.roots import make as module
from aisbx_linux.roots.host import HostStream
from aisbx_linux.roots.making import making
from aisbx_linux.roots.unpack import Bounds

from tests.linux.roots.conftest import Make
from tests.linux.roots.systems import entry, written

USR = (entry("usr", tarfile.DIRTYPE, 0o755), b"")


def test_a_tar_becomes_a_root_directory_once(make: Make, told: list[str], system: str, tmp_path: Path) -> None:
    place = tmp_path / "root"
    assert make(place, system)
    assert (place / "usr/bin/sh").stat().st_mode & 0o7777 == 0o755
    assert (place / "lib").readlink() == Path("usr/lib")
    assert told[-1].startswith(f"made {place}: ")
    before = (place / "usr/bin/sh").stat()
    assert not make(place, system)
    assert told[-1].startswith(f"{place} is there already, made from tar:")
    assert (place / "usr/bin/sh").stat() == before
    with pytest.raises(StateError, match="was made from tar:"):
        make(place, "host")
    assert os.listdir(tmp_path) == ["root"]


def test_a_directory_of_somebody_elses_is_not_touched(make: Make, system: str, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "mine").write_text("mine")
    with pytest.raises(StateError, match="not made by aisbx"):
        make(tmp_path / "root", system)
    assert [*tmp_path.rglob("*")] == [tmp_path / "root", tmp_path / "root/mine"]


def hostile(tmp_path: Path) -> tuple[str, Path]:
    """Give an archive that plants a file beside where it is unpacked: by a link, and by a file that goes through it."""
    out = tmp_path / "out"
    out.mkdir()
    link = (entry("usr/out", tarfile.SYMTYPE, link=str(out)), b"")
    return written(tmp_path / "hostile.tar", USR, link, (entry("usr/out/planted"), b"planted")), out


def test_the_way_by_a_link_leads_out_where_nothing_confines_who_unpacks(tmp_path: Path) -> None:
    origin, out = hostile(tmp_path)
    with tarfile.open(origin.removeprefix("tar:")) as archive:
        archive.extraction_filter = tarfile.fully_trusted_filter if hasattr(tarfile, "fully_trusted_filter") else None
        archive.extractall(tmp_path / "plain")
    assert os.listdir(out) == ["planted"]


def test_a_link_in_an_archive_leads_nowhere_out_of_it(make: Make, tmp_path: Path) -> None:
    origin, out = hostile(tmp_path)
    with pytest.raises(StateError, match="cannot be unpacked"):  # inside, that link leads to nothing
        make(tmp_path / "root", origin)
    assert os.listdir(out) == []
    assert sorted(os.listdir(tmp_path)) == ["hostile.tar", "out"]


@pytest.mark.parametrize("name", ["../planted", "usr/../../planted"])
def test_a_path_that_leads_out_is_refused(make: Make, name: str, tmp_path: Path) -> None:
    origin = written(tmp_path / "a.tar", USR, (entry(name), b"planted"))
    with pytest.raises(StateError, match="leads out of it"):
        make(tmp_path / "root", origin)
    assert os.listdir(tmp_path) == ["a.tar"]


def test_a_hard_link_to_a_file_of_the_hosts_is_none(make: Make, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    origin = written(tmp_path / "a.tar", USR, (entry("usr/x", tarfile.LNKTYPE, link=f"{tmp_path}/secret"), b""))
    with pytest.raises(StateError, match="cannot be unpacked"):
        make(tmp_path / "root", origin)
    assert (tmp_path / "secret").stat().st_nlink == 1


def test_no_devices_pipes_or_programs_that_run_as_others_come_of_an_archive(
    make: Make, told: list[str], tmp_path: Path
) -> None:
    device = entry("dev/sda", tarfile.BLKTYPE, 0o666)
    device.devmajor, device.devminor = 8, 0
    members = [(entry("usr/su", mode=0o6755), b"x"), (device, b""), (entry("dev/pipe", tarfile.FIFOTYPE), b"")]
    make(tmp_path / "root", written(tmp_path / "a.tar", USR, *members))
    assert (tmp_path / "root/usr/su").stat().st_mode & 0o7777 == 0o755
    kinds = {stat.S_IFMT(path.lstat().st_mode) for path in (tmp_path / "root").rglob("*")}
    assert kinds <= {stat.S_IFREG, stat.S_IFDIR}
    assert "2 devices and pipes were left out" in told[-1]


def test_what_an_archive_puts_in_the_place_of_our_file_is_neither_taken_nor_followed(
    make: Make, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    ours = ".aisbx-rootfs.json"
    link = (entry(ours, tarfile.SYMTYPE, link=str(tmp_path / "mine")), b"")
    make(tmp_path / "root", written(tmp_path / "a.tar", USR, link))
    assert not (tmp_path / "root" / ours).is_symlink()
    assert not make(tmp_path / "root", f"tar:{tmp_path}/a.tar")
    again = (entry("again", tarfile.SYMTYPE, link="/"), b"")
    link[0].name = f"again/{ours}"
    with pytest.raises(StateError, match="File exists"):
        make(tmp_path / "other", written(tmp_path / "b.tar", USR, again, link))
    assert (tmp_path / "mine").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "b.tar", "mine", "root"]


def test_no_archive_lets_others_write_where_programs_are(make: Make, tmp_path: Path) -> None:
    open_to_all = [(entry(name, tarfile.DIRTYPE, 0o1777), b"") for name in ("usr/lib", "opt", "tmp")]
    unnamed = (entry("srv/on/the/way/file", mode=0o666), b"")
    make(tmp_path / "root", written(tmp_path / "a.tar", USR, *open_to_all, unnamed))
    modes = {str(path.relative_to(tmp_path / "root")): path.stat().st_mode for path in (tmp_path / "root").rglob("*")}
    assert {name for name, mode in modes.items() if mode & 0o022} == {"tmp"}
    assert modes["tmp"] & 0o7777 == 0o1777


def test_what_is_deeper_than_python_walks_is_removed_again(make: Make, tmp_path: Path) -> None:
    deep = [(entry("usr" + "/d" * depth, tarfile.DIRTYPE, 0o500), b"") for depth in range(400, 1700, 400)]
    origin = written(tmp_path / "a.tar", USR, *deep, (entry("../planted"), b"planted"))
    try:
        with pytest.raises(StateError, match="leads out of it"):
            make(tmp_path / "root", origin)
        assert os.listdir(tmp_path) == ["a.tar"]
    finally:
        remove(str(tmp_path / ".root.making"))  # pytest could not


def test_how_far_a_large_file_is_is_told(
    make: Make, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract, "_EVERY", 0)
    make(tmp_path / "root", written(tmp_path / "a.tar", USR, (entry("usr/large"), bytes(3 << 20))))
    assert "0 files, 2 MiB" in told


@pytest.mark.parametrize(("bounds", "why"), [(Bounds(size=1 << 20), "bytes"), (Bounds(entries=3), "entries")])
def test_a_bomb_ends_at_its_bounds_and_leaves_nothing(
    make: Make, bounds: Bounds, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "bounds_of", {tmp_path / ".root.making/root": bounds}.__getitem__)
    many = [(entry(f"usr/{number}"), bytes(1 << 18)) for number in range(8)]
    plain = written(tmp_path / "a.tar", USR, *many).removeprefix("tar:")
    subprocess.run(["gzip", plain], check=True, timeout=30)
    assert os.stat(f"{plain}.gz").st_size < 1 << 14
    with pytest.raises(StateError, match=f"more than .* {why}"):
        make(tmp_path / "root", f"tar:{plain}.gz")
    assert os.listdir(tmp_path) == ["a.tar.gz"]


def test_a_header_that_takes_all_memory_is_refused(make: Make, tmp_path: Path) -> None:
    """The reader keeps such a header whole, as long as it says it is."""
    header = entry("h", tarfile.XHDTYPE, size=7 << 30).tobuf(tarfile.PAX_FORMAT)
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(header)
        file.truncate(9 << 30)  # sparse
    with pytest.raises(StateError, match="memory"):
        make(tmp_path / "root", f"tar:{tmp_path}/a.tar")
    assert os.listdir(tmp_path) == ["a.tar"]


@pytest.mark.parametrize("content", [b"", b"no tar", b"\x1f\x8b\x08broken"])
def test_what_is_no_archive_is_refused(make: Make, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(StateError, match="cannot be unpacked"):
        make(tmp_path / "root", f"tar:{tmp_path}/a.tar")
    assert os.listdir(tmp_path) == ["a.tar"]


@pytest.mark.parametrize("length", [512, 700, 1024, 1124])
def test_what_is_cut_off_is_not_taken_for_whole(make: Make, length: int, tmp_path: Path) -> None:
    """At an entry, in its header, before its content, in it: tarfile says nothing of the first two."""
    place = written(tmp_path / "a.tar", USR, (entry("usr/x"), bytes(600))).removeprefix("tar:")
    os.truncate(place, length)
    with pytest.raises(StateError, match="cannot be unpacked"):
        make(tmp_path / "root", f"tar:{place}")
    assert os.listdir(tmp_path) == ["a.tar"]


def test_what_follows_a_damaged_entry_is_missed(make: Make, tmp_path: Path) -> None:
    place = Path(written(tmp_path / "a.tar", USR, (entry("usr/x"), b"x"), (entry("usr/y"), b"y")).removeprefix("tar:"))
    data = bytearray(place.read_bytes())
    data[512 + 148] ^= 1  # the sum of its header
    place.write_bytes(data)
    with pytest.raises(StateError, match="damaged, behind its first 512 bytes"):
        make(tmp_path / "root", f"tar:{place}")


@pytest.mark.parametrize("origin", ["debain", "tar", "tar:", "host:x", "tar:/no/such", "tar:/"])
def test_another_origin_is_refused(make: Make, origin: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--from"):
        make(tmp_path / "root", origin)


def test_only_one_process_makes_it(make: Make, system: str, tmp_path: Path) -> None:
    with making(tmp_path / "root", "host", lambda _: None), pytest.raises(StateError, match="by another process"):
        make(tmp_path / "root", system)


def test_what_a_killed_process_left_half_made_is_removed(
    make: Make, told: list[str], system: str, tmp_path: Path
) -> None:
    code = (
        "import sys, pathlib, time; from aisbx_linux.roots.making import making\n"
        "with making(pathlib.Path(sys.argv[1]), 'host', print) as beside:\n"
        "    (beside / 'root/half').mkdir(); print('half', flush=True); time.sleep(60)"
    )
    place = tmp_path / "root"
    with subprocess.Popen([sys.executable, "-c", code, str(place)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half\n"
        child.send_signal(signal.SIGKILL)
    assert not place.exists()
    assert os.listdir(tmp_path) == [".root.making"]
    make(place, system)
    assert told[0] == "removing what was left half made"
    assert os.listdir(tmp_path) == ["root"]
    assert not (place / "half").exists()


# In the place of mmdebstrap, in the midst of its work: a mount, a process of its own, directories that are read-only.
_HALF = """#!/bin/sh
mkdir -p "$TMPDIR/half/closed/below" "$TMPDIR/half/dev"
chmod 0555 "$TMPDIR/half/closed" && chmod 0 "$TMPDIR/half/closed/below"
mount --bind "$TMPDIR/half/closed" "$TMPDIR/half/dev" || exit 1
setsid sleep SECONDS <&- >&- 2>&- &
printf 'I: half\\n' >&2
sleep 30
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_mmdebstrap_left_whose_caller_was_ended_is_ended_and_removed(
    number: signal.Signals, make: Make, told: list[str], system: str, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    seconds = f"31.{os.getpid()}"
    (tmp_path / "bin/mmdebstrap").write_text(_HALF.replace("SECONDS", seconds))
    (tmp_path / "bin/mmdebstrap").chmod(0o755)
    code = (
        "import sys, pathlib, signal; from aisbx_linux.roots import debian, make; from aisbx_linux.seccomp import "
        "compile_filter; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "bin, place = sys.argv[1:]; debian._PATH = bin + ':' + debian._PATH; "
        "debian._suite, debian._sources = lambda: 'any', lambda: []\n"
        "make.make_root(pathlib.Path(place), 'debian', compile_filter(('base',)), lambda line: print(line, flush=True))"
    )
    place = tmp_path / "root"
    argv = [sys.executable, "-c", code, str(tmp_path / "bin"), str(place)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert "half" in [child.stdout.readline().strip() for _ in range(2)]
        soon(lambda: running(seconds))
        child.send_signal(number)
        _, complaint = child.communicate(timeout=20)
    if number == signal.SIGINT:  # it can see to all of it itself
        assert complaint.endswith("KeyboardInterrupt\n")
        assert not running(seconds)
        assert os.listdir(tmp_path) == ["bin"]
        return
    soon(lambda: not running(seconds) and not running(str(tmp_path / "bin/mmdebstrap")))
    assert os.listdir(tmp_path / ".root.making/scratch") == ["half"]
    make(place, system)
    assert told[0] == "removing what was left half made"
    assert sorted(os.listdir(tmp_path)) == ["bin", "root"]


def test_what_was_left_beside_one_that_is_whole_is_removed(make: Make, system: str, tmp_path: Path) -> None:
    make(tmp_path / "root", system)
    (tmp_path / ".root.making/scratch").mkdir(parents=True)
    assert not make(tmp_path / "root", system)
    assert os.listdir(tmp_path) == ["root"]


def soon(happens: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.01)


def running(word: str) -> bool:
    return any(word in words_of(name) for name in os.listdir("/proc") if name.isdigit())


def words_of(process: str) -> list[str]:
    try:
        return Path(f"/proc/{process}/cmdline").read_text().split("\0")
    except OSError:
        return []


def test_the_hosts_runtime_is_copied_without_what_programs_do_not_need(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "host"
    for name in ("usr/bin/tool", "usr/share/doc/tool", "etc/ssl/certs/one", "etc/shadow", "home/me/secret"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    (top / "bin").symlink_to("usr/bin")
    (top / "usr/bin/tool").chmod(0o4755)
    (top / "usr/bin/mine").write_text("nobody else reads it")
    (top / "usr/bin/mine").chmod(0)
    (top / "usr/bin/too").hardlink_to(top / "usr/bin/mine")
    readable = set[str]() if os.geteuid() else {"usr/bin/mine", "usr/bin/too"}
    monkeypatch.setattr(module, "HostStream", lambda: HostStream(str(top)))
    make(tmp_path / "root", "host")
    made = {
        str(path.relative_to(tmp_path / "root"))
        for path in (tmp_path / "root").rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    assert made == {"usr/bin/tool", "bin", "etc/ssl/certs/one", ".aisbx-rootfs.json", *readable}
    assert (tmp_path / "root/usr/bin/tool").stat().st_mode & 0o7777 == 0o755
