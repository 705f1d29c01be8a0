"""Attacks on the limits that count all processes of a sandbox together: memory, tasks, processor time."""

from aisbx.testing.attack import Attack
from aisbx.testing.attacks.limits import limited
from aisbx.types import ExitStatus, Level

_MIB = 1 << 20
_SIGKILL = 9


def _killed(status: ExitStatus) -> bool:
    return status.signal == _SIGKILL or status.oom_killed


ATTACKS = (
    Attack(
        id="limit:memory/one",
        sentence="use more memory than the cap in one process",
        shape=limited("memory", 96 * _MIB),
        holds_from=Level.PARTIAL,
        unmarked=_killed,
        program="""
            taken = [b"x" * 1048576 for _ in range(256)]
            breach("%d MiB" % len(taken))
        """,
    ),
    Attack(
        id="limit:memory/sum",
        sentence="use more memory than the cap in several processes that each stay below it",
        shape=limited("memory", 96 * _MIB),
        holds_from=Level.PARTIAL,
        unmarked=_killed,
        program="""
            alive = []
            for _ in range(5):
                reader, writer = os.pipe()
                child = os.fork()
                if child == 0:
                    try:
                        taken = b"x" * (48 << 20)
                        os.write(writer, b"!")
                        time.sleep(9)
                    finally:
                        os._exit(0)
                os.close(writer)
                alive.append((child, os.read(reader, 1)))
            # A watchdog needs a moment; with a whole second to itself it has no excuse.
            end = time.monotonic() + 2
            ended = False
            while not ended and time.monotonic() < end:
                time.sleep(0.1)
                ended = any(os.waitpid(child, os.WNOHANG)[0] for child, _ in alive)
            for child, _ in alive:
                tries(os.kill, child, signal.SIGKILL)
            if not ended and all(answer for _, answer in alive):
                breach("five times 48 MiB")
        """,
    ),
    Attack(
        id="limit:memory/files",
        sentence="keep more than the memory cap in files of private space, which is memory",
        shape=limited("memory", 96 * _MIB),
        holds_from=Level.PARTIAL,
        unmarked=_killed,
        program="""
            paths = [place + "/" + token + "-files" for place in ("/dev/shm", "/tmp", facts["home"])]
            written = 0
            try:
                for path in paths:
                    with open(path, "wb", buffering=0) as file:
                        try:
                            for _ in range(64):
                                written += file.write(b"x" * 1048576)
                        except OSError:
                            continue  # this place is full
                time.sleep(2)
            finally:
                for path in paths:
                    tries(os.unlink, path)
            if written > 96 << 20:
                breach("%d MiB in private files" % (written >> 20))
        """,
    ),
    Attack(
        id="limit:memory/inodes",
        sentence="make so many empty files that they take more of the kernel's memory than the cap",
        shape=limited("memory", 64 * _MIB),
        holds_from=Level.PARTIAL,
        unmarked=_killed,
        program="""
            folders = [place + "/" + token + "-inodes" for place in ("/dev/shm", "/tmp", facts["home"])]
            made = []
            try:
                for folder in folders:
                    os.mkdir(folder)
                    try:
                        while len(made) < 100000:
                            path = folder + "/" + str(len(made))
                            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
                            made.append(path)
                    except OSError:
                        continue  # this place has no room for more
                time.sleep(2)
            finally:
                for path in made:
                    os.unlink(path)
                for folder in folders:
                    tries(os.rmdir, folder)
            if len(made) == 100000:
                breach("%d files" % len(made))
        """,
    ),
    Attack(
        id="limit:pids/fork",
        sentence="fork more tasks than the cap",
        shape=limited("pids", 24),
        unmarked=_killed,
        program="""
            children = []
            try:
                for _ in range(48):
                    child = os.fork()
                    if child == 0:
                        time.sleep(10)
                        os._exit(0)
                    children.append(child)
            except OSError:
                pass
            for child in children:
                tries(os.kill, child, signal.SIGKILL)
            for child in children:
                os.waitpid(child, 0)
            if len(children) > 24:
                breach("%d tasks" % len(children))
        """,
    ),
    Attack(
        id="limit:pids/threads",
        sentence="have more threads than the cap, in one process",
        shape=limited("pids", 24),
        unmarked=_killed,
        program="""
            import _thread
            started = 0
            try:
                for _ in range(48):
                    _thread.start_new_thread(time.sleep, (5,))
                    started += 1
            except RuntimeError:
                pass
            if started >= 24:
                breach("%d threads" % (started + 1))
        """,
    ),
    Attack(
        id="limit:pids/bomb",
        sentence="have every child fork again, so that killing one does not help",
        shape=limited("pids", 24),
        unmarked=_killed,
        program="""
            # At most 64 of them, for a moment: each tells of itself by a byte in the pipe.
            first = os.getpid()
            reader, writer = os.pipe()
            for _ in range(6):
                tries(os.fork)
            os.write(writer, b"!")
            if os.getpid() != first:
                time.sleep(2)
                os._exit(0)
            time.sleep(1)
            count = len(os.read(reader, 100))
            if count > 24:
                breach("%d tasks" % count)
        """,
    ),
    Attack(
        id="limit:cpus/burn",
        sentence="use more processor time than the share allows",
        shape=limited("cpus", 0.1),
        program="""
            # On a busy host an unconfined program gets little as well, so it is given time to get ahead of the share.
            begin, before = time.monotonic(), time.process_time()
            while (elapsed := time.monotonic() - begin) < 6:
                used = time.process_time() - before
                if used > 0.1 * elapsed + 0.4:
                    breach("%.2f s of processor time in %.2f s" % (used, elapsed))
        """,
    ),
)
