"""Writers of the audit log: every way to write keeps the chain, at once, killed, and across files."""

import signal
import subprocess
import sys
from pathlib import Path

import aisbx
from aisbx.audit.kept import KeptLog
from aisbx.audit.verify import verify
from aisbx.audit.write import append_once

from .logs import problems, record, somewhere, written

# A writer that is killed at one call to the system, whichever of them it is.
KILLED = """
import os, signal, sys
from aisbx.audit import write
from aisbx.audit.write import append_once
where, line, left = eval(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def counting(name, genuine):
    def call(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "write" and left == 0:
            return genuine(arguments[0], arguments[1][:17])  # half of it, and the next call is the last
        return genuine(*arguments, **named)
    return call
for name in ("open", "close", "write", "lseek", "fstat", "stat", "rename", "unlink", "ftruncate"):
    setattr(os, name, counting(name, getattr(os, name)))
write.posix = os
for number in range(2):
    append_once(where, line)
"""


def test_a_writer_that_is_killed_at_any_moment_leaves_a_whole_chain(tmp_path: Path) -> None:
    where = written(tmp_path, 1, rotate=700)
    source = str(Path(aisbx.__file__).parents[1])
    killed = 0
    for left in range(1, 50, 2):
        argv = [sys.executable, "-S", "-c", KILLED, repr(where), record(50 + left, 300), str(left)]
        done = subprocess.run(argv, env={"PYTHONPATH": source}, timeout=60, check=False, capture_output=True)
        killed += done.returncode == -signal.SIGKILL
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr
        append_once(where, record(1000 + left, 50))
        assert problems(where) == [], left
    assert killed > 15


def test_twenty_writers_at_once_keep_one_chain(tmp_path: Path) -> None:
    where = written(tmp_path, 1, rotate=4000)
    script = """
import os, sys
from aisbx.audit.kept import KeptLog
from aisbx.audit.write import append_once
where, line = eval(sys.argv[1]), sys.argv[2]
children = []
for number in range(20):
    pid = os.fork()
    if not pid:
        kept = KeptLog(where, "")
        for each in range(10):
            if number % 2: append_once(where, line)
            else:
                kept.ready()
                kept.write(line)
        os._exit(0)
    children.append(pid)
assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
"""
    source = str(Path(aisbx.__file__).parents[1])
    argv = [sys.executable, "-c", script, repr(where), record(2, 100)]
    subprocess.run(argv, env={"PYTHONPATH": source}, timeout=120, check=True)
    found = verify(where)
    assert (found.records, found.seq, found.problems, found.notes) == (201, 201, [], [])


def test_the_first_writers_of_all_make_one_key(tmp_path: Path) -> None:
    import threading

    where = somewhere(tmp_path)
    threads = [threading.Thread(target=append_once, args=(where, record(number))) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (verify(where).records, problems(where)) == (12, [])
    assert len(list((tmp_path / "config").iterdir())) == 1


def test_a_log_that_is_kept_open_goes_on_in_the_new_file(tmp_path: Path) -> None:
    where = somewhere(tmp_path, rotate=1500)
    kept = KeptLog(where, "")
    for number in range(10):
        kept.ready()
        kept.write(record(number, 200))
        append_once(where, record(number, 200))
    assert (verify(where).records, problems(where)) == (20, [])
