"""The head is told elsewhere: what was told there finds an earlier state, and nothing runs where it can't be told."""

import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from aisbx.audit.reserve import opened, recording
from aisbx.audit.verify import exported, verify
from aisbx.audit.write import AuditError, ExportError, append, append_once, open_log
from aisbx.errors import StateError

from .logs import problems, record, somewhere


def test_an_earlier_state_of_log_and_head_is_found_by_what_was_exported(tmp_path: Path) -> None:
    told = tmp_path / "told"
    where = somewhere(tmp_path, export=str(told))
    append_once(where, record(1))
    shutil.copytree(tmp_path / "state", tmp_path / "old")
    append_once(where, record(2))
    known = exported(str(told), where["path"])
    assert sorted(known) == [1, 2]
    assert verify(where, known).problems == []
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "old").rename(tmp_path / "state")
    assert problems(where) == [], "what the export is for"
    assert "cut off" in str(verify(where, known).problems)
    append_once(where, record(3))
    assert "record 2 is not the one whose head was exported" in str(verify(where, known).problems)
    with pytest.raises(StateError):
        exported(str(tmp_path / "none"), where["path"])


def test_syslog_is_told_the_head_and_nothing_runs_where_it_does_not_listen(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        where = somewhere(tmp_path, export=f"syslog:{tmp_path}/log")
        log = open_log(where)
        append(log, record(1))
        assert server.recv(1000).endswith(f"audit-head {where['path']} 1 {verify(where).mac}".encode())
    with pytest.raises(ExportError, match="not exported"):
        append(log, record(2))
    assert verify(where).records == 2, "the record itself is there"
    with pytest.raises(AuditError, match=r"audit\.export"):
        open_log(where)
    log.close()


def test_a_syslog_that_takes_nothing_and_a_fifo_hold_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aisbx.audit.export._PATIENCE", 0.01)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler,
    ):
        server.bind(str(tmp_path / "log"))
        filler.settimeout(0)
        filler.connect(str(tmp_path / "log"))
        with suppress(BlockingIOError):
            while True:
                filler.send(b"x")
        with pytest.raises(ExportError, match="timed out"):
            append_once(somewhere(tmp_path, export=f"syslog:{tmp_path}/log"), record(1))
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    with pytest.raises(AuditError, match=r"audit\.export"):
        open_log(somewhere(tmp_path, export=fifo))
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(AuditError, match="not a regular file"):
            open_log(somewhere(tmp_path, export=fifo))
    finally:
        os.close(reader)


def test_a_head_that_was_not_exported_is_told_apart_from_a_record_that_is_missing(tmp_path: Path) -> None:
    where = somewhere(tmp_path, export=f"syslog:{tmp_path}/log")
    with pytest.raises(StateError, match="audit log cannot be written"):
        opened(where)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        log = opened(where)
    with pytest.raises(StateError, match=r"not exported.*: this command has a record"), recording("x", "this command"):
        append(log, record(1))
    log.close()
    for error in (OSError(28, "No space left on device"), AuditError("it is not a file of yours alone")):
        with pytest.raises(StateError, match="this command has no record"), recording("x", "this command"):
            raise error
