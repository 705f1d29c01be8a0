"""Attacks on and with processes and IPC: `proc:isolated`, `proc:no-survivors`, `ipc:isolated`."""

import os
from collections.abc import Mapping

from aisbx.testing import ipc
from aisbx.testing.attack import Attack
from aisbx.testing.scene import Scene
from aisbx.types import ExitStatus


def _victim(scene: Scene) -> Mapping[str, object]:
    victim = scene.victim()
    scene.watch(lambda: "" if victim.poll() is None else "a process of the host was ended")
    return {"victim": victim.pid}


def _noticed(scene: Scene, _status: ExitStatus) -> str:
    return scene.seen[0] if scene.seen else ""


def _survivor(scene: Scene, _status: ExitStatus) -> str:
    return scene.survivor()


def _heart(scene: Scene) -> Mapping[str, object]:
    os.chmod(scene.workspace, 0o777)
    return {"heart": scene.heart}


def _shared_memory(scene: Scene) -> Mapping[str, object]:
    return {"key": ipc.shared_memory(scene)}


def _semaphores(scene: Scene) -> Mapping[str, object]:
    value = 7
    return {"key": ipc.semaphores(scene, value), "value": value}


def _message_queue(scene: Scene) -> Mapping[str, object]:
    return {"key": ipc.message_queue(scene)}


def _posix_queue(scene: Scene) -> Mapping[str, object]:
    return {"name": ipc.posix_queue(scene)}


def _no_posix_queues() -> str:
    return "" if os.path.exists("/proc/sys/fs/mqueue") else "this kernel has no POSIX message queues"


ATTACKS = (
    Attack(
        id="proc:isolated/see",
        sentence="find a process of the host in /proc",
        stage=_victim,
        program="""
            for process in pids():
                try:
                    with open("/proc/" + process + "/cmdline", "rb") as file:
                        line = file.read()
                except OSError:
                    continue
                if (token + "-victim").encode() in line:
                    breach("saw " + process)
        """,
    ),
    Attack(
        id="proc:isolated/signal",
        sentence="end a process of the host whose number is known",
        stage=_victim,
        evidence=_noticed,
        program="""
            if tries(os.kill, facts["victim"], signal.SIGTERM):
                time.sleep(0.3)
        """,
    ),
    Attack(
        id="proc:isolated/limits",
        sentence="change the limits and the priority of a process of the host, or get a descriptor for it",
        stage=_victim,
        program="""
            import resource
            victim = facts["victim"]
            if tries(resource.prlimit, victim, resource.RLIMIT_NOFILE):
                breach("read its limits")
            if tries(os.setpriority, os.PRIO_PROCESS, victim, 19):
                breach("changed its priority")
            if tries(os.pidfd_open, victim):
                breach("got a descriptor for it")
        """,
    ),
    Attack(
        id="proc:no-survivors/daemon",
        sentence="leave a daemon behind that is deaf to signals",
        stage=_heart,
        evidence=_survivor,
        program="""
            daemon(facts["heart"], 6)
            time.sleep(0.2)
        """,
    ),
    Attack(
        id="proc:no-survivors/open-streams",
        sentence="leave a daemon behind that keeps the run's streams open",
        stage=_heart,
        evidence=_survivor,
        program="""
            daemon(facts["heart"], 6, keep_streams=True)
            time.sleep(0.2)
        """,
    ),
    Attack(
        id="proc:no-survivors/launcher-killed",
        sentence="go on when the launcher is killed with SIGKILL",
        stage=_heart,
        evidence=_survivor,
        kills_launcher=True,
        program="""
            daemon(facts["heart"], 6)
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
                signal.signal(number, signal.SIG_IGN)
            end = time.monotonic() + 6
            while time.monotonic() < end:
                with open(facts["heart"], "ab", buffering=0) as beats:
                    beats.write(b".")
                time.sleep(0.03)
        """,
        unmarked=lambda status: status.signal == 9,
    ),
    Attack(
        id="ipc:isolated/shared-memory",
        sentence="read System V shared memory of the host by its key",
        stage=_shared_memory,
        program="""
            libc.shmat.restype = ctypes.c_void_p
            segment = checked(libc.shmget(facts["key"], 0, 0), "shmget")
            address = libc.shmat(segment, None, 0o10000)  # SHM_RDONLY
            if address in (None, ctypes.c_void_p(-1).value):
                raise OSError("shmat")
            if token.encode() in ctypes.string_at(address, 64):
                breach("read the segment")
        """,
    ),
    Attack(
        id="ipc:isolated/semaphore",
        sentence="read and change a System V semaphore of the host",
        stage=_semaphores,
        program="""
            made = checked(libc.semget(facts["key"], 0, 0), "semget")
            if checked(libc.semctl(made, 0, 12), "semctl") == facts["value"]:  # GETVAL
                changed = tries(lambda: checked(libc.semctl(made, 0, 16, 1), "semctl"))  # SETVAL
                breach("changed it" if changed else "read it")
        """,
    ),
    Attack(
        id="ipc:isolated/message-queue",
        sentence="take a message from a System V queue of the host",
        stage=_message_queue,
        program="""
            queue = checked(libc.msgget(facts["key"], 0), "msgget")
            buffer = ctypes.create_string_buffer(8 + 256)
            checked(libc.msgrcv(queue, buffer, 256, 0, 0o4000), "msgrcv")  # IPC_NOWAIT
            if token.encode() in buffer.raw:
                breach("took the message")
        """,
    ),
    Attack(
        id="ipc:isolated/posix-queue",
        sentence="take a message from a POSIX queue of the host",
        stage=_posix_queue,
        unprovable=_no_posix_queues,
        program="""
            queue = checked(libc.mq_open(facts["name"].encode(), os.O_RDONLY | os.O_NONBLOCK), "mq_open")
            buffer = ctypes.create_string_buffer(65536)
            checked(libc.mq_receive(queue, buffer, 65536, None), "mq_receive")
            if token.encode() in buffer.raw:
                breach("took the message")
        """,
    ),
)
