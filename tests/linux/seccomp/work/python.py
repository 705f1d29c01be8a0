"""An ordinary day of a Python program: each function is one piece of work and raises if it fails."""

import asyncio
import contextlib
import ctypes
import fcntl
import multiprocessing
import os
import pty
import resource
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import shared_memory


def threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(str, range(100))) == [str(n) for n in range(100)]
    done = threading.Event()
    threading.Timer(0.01, done.set).start()
    assert done.wait(5)


def processes() -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        assert list(pool.map(abs, [-1, -2, -3])) == [1, 2, 3]
    get = multiprocessing.get_context
    for context in (get("fork"), get("spawn"), get("forkserver")):
        queue, lock = context.Queue(), context.Lock()
        with lock:
            child = context.Process(target=queue.put, args=("hello",))
            child.start()
        assert queue.get(timeout=30) == "hello"
        child.join()


def shared() -> None:
    block = shared_memory.SharedMemory(create=True, size=4096)
    assert block.buf is not None
    block.buf[:2] = b"ok"
    other = shared_memory.SharedMemory(block.name)
    assert other.buf is not None
    assert bytes(other.buf[:2]) == b"ok"
    other.close()
    block.close()
    block.unlink()


def system_v_and_posix_queues() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for call, arguments in (("semget", (0, 1, 0o600)), ("msgget", (0, 0o600)), ("shmget", (0, 4096, 0o600))):
        assert getattr(libc, call)(*arguments) >= 0, call
    # mq_open is in librt before glibc 2.34
    opened = ctypes.CDLL("librt.so.1", use_errno=True).mq_open(b"/queue", os.O_CREAT | os.O_RDWR, 0o600, None)
    assert opened >= 0


def subprocesses() -> None:
    assert subprocess.run(["echo", "out"], capture_output=True, check=True).stdout == b"out\n"
    assert subprocess.run("exit 3", shell=True, check=False).returncode == 3
    piped = subprocess.run("yes | head -c 50000000 | wc -c", shell=True, check=True, capture_output=True, text=True)
    assert piped.stdout.strip() == "50000000"
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    child.terminate()
    assert child.wait() == -signal.SIGTERM
    assert os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1]) == 0
    handle = os.pidfd_open(os.getpid())
    signal.pidfd_send_signal(handle, 0)


def asynchronous() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def main() -> None:
        for host in ("127.0.0.1", "::1"):
            server = await asyncio.start_server(serve, host, 0)
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            writer.close()
            server.close()
        server = await asyncio.start_unix_server(serve, "socket")
        reader, writer = await asyncio.open_unix_connection("socket")
        writer.write(b"unix\n")
        assert await reader.readline() == b"unix\n"
        server.close()
        child = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        assert (await child.communicate(b"through"))[0] == b"through"
        assert await asyncio.to_thread(os.getpid) == os.getpid()
        await asyncio.wait_for(asyncio.sleep(0), 1)

    asyncio.run(main())


def names_and_interfaces() -> None:
    assert socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    assert socket.gethostname()
    assert socket.getaddrinfo("127.0.0.1", 80, socket.AF_INET6, 0, 0, socket.AI_V4MAPPED)
    with contextlib.suppress(socket.gaierror):
        socket.getaddrinfo("no-such-host.invalid", 80)


def pairs_datagrams_and_descriptors() -> None:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        left, right = socket.socketpair(type=kind)
        left.send(b"x")
        assert right.recv(1) == b"x"
    socket.send_fds(left, [b"fd"], [0])
    assert len(socket.recv_fds(right, 10, 1)[1]) == 1
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
        one.bind(("127.0.0.1", 0))
        two.sendto(b"datagram", one.getsockname())
        assert one.recvfrom(20)[0] == b"datagram"
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client = socket.create_connection(listener.getsockname())
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 100_000)
        file.seek(0)
        sender = threading.Thread(target=client.sendfile, args=(file,))
        sender.start()
        assert len(listener.accept()[0].recv(100_000, socket.MSG_WAITALL)) == 100_000
        sender.join()


def databases() -> None:
    for mode in ("wal", "delete"):
        base = sqlite3.connect(f"{mode}.db", timeout=10)
        assert base.execute(f"pragma journal_mode={mode}").fetchone() == (mode,)
        base.execute("create table t (x)")
        base.executemany("insert into t values (?)", [(n,) for n in range(1000)])
        base.commit()
        assert sqlite3.connect(f"{mode}.db").execute("select sum(x) from t").fetchone() == (499500,)


def encryption() -> None:
    context = ssl.create_default_context()
    assert context.get_ciphers()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    wrapped = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        wrapped.do_handshake()
    assert outgoing.pending
    assert len(os.urandom(32)) == len(os.getrandom(32)) == 32


def files() -> None:
    with tempfile.TemporaryDirectory(dir=".") as directory:
        path = f"{directory}/ü ñ 名"
        with open(path, "w+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(file.fileno(), 0, 4096)
            os.pwritev(file.fileno(), [b"a", b"b"], 0)
            os.fsync(file.fileno())
        os.chmod(path, 0o640)
        os.utime(path, (1, 1))
        os.link(path, f"{path}2")
        os.symlink(path, f"{path}3")
        os.rename(f"{path}2", f"{path}4")
        with open(path, "rb") as source, open(f"{path}5", "wb") as target:
            assert os.copy_file_range(source.fileno(), target.fileno(), 2) == 2
        assert len(os.listdir(directory)) == 4
        assert os.statvfs(directory).f_bsize
        os.truncate(path, 0)


def terminals() -> None:
    child, primary = pty.fork()
    if child == 0:
        os.execvp("sh", ["sh", "-c", "stty size; tty"])
    said = b""
    try:
        while block := os.read(primary, 1000):
            said += block
    except OSError:
        pass
    assert b"/dev/pts/" in said, said
    os.waitpid(child, 0)


def signals_timers_and_limits() -> None:
    got: list[int] = []

    def note(number: int, _: object) -> None:
        got.append(number)

    signal.signal(signal.SIGALRM, note)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.sigtimedwait([signal.SIGUSR1], 0.1)
    os.kill(os.getpid(), signal.SIGALRM)
    assert got
    assert time.clock_gettime(time.CLOCK_BOOTTIME) > 0
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    os.nice(1)
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.setpgid(0, 0)
    os.getloadavg()
    assert os.memfd_create("x") > 0
    os.eventfd(0)


def giving_up_privileges() -> None:
    os.setresuid(*os.getresuid())
    os.setgid(os.getgid())


if __name__ == "__main__":
    globals()[sys.argv[1]]()
