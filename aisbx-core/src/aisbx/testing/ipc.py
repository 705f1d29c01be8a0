"""IPC objects of the host, open to everyone, with the token in them: svipc(7), mq_overview(7)."""

import ctypes
import os
import secrets

from aisbx.testing.scene import Scene

_CREATE_FOR_ALL = 0o1000 | 0o2000 | 0o666  # IPC_CREAT | IPC_EXCL
_REMOVE = 0  # IPC_RMID
_SET_VALUE = 16  # SETVAL of semctl(2)
_SIZE = 4096

_libc = ctypes.CDLL(None, use_errno=True)
_libc.shmat.restype = ctypes.c_void_p
_libc.shmdt.argtypes = [ctypes.c_void_p]


def shared_memory(scene: Scene) -> int:
    """Make a System V segment; gives its key."""
    key = _key()
    segment = _checked(_libc.shmget(key, _SIZE, _CREATE_FOR_ALL))
    scene.defer(_libc.shmctl, segment, _REMOVE, None)
    address = _libc.shmat(segment, None, 0)
    ctypes.memmove(address, scene.token.encode(), len(scene.token))
    _libc.shmdt(address)
    return key


def semaphores(scene: Scene, value: int) -> int:
    """Make a System V set of one semaphore with this value; gives its key."""
    key = _key()
    made = _checked(_libc.semget(key, 1, _CREATE_FOR_ALL))
    scene.defer(_libc.semctl, made, 0, _REMOVE)
    _checked(_libc.semctl(made, 0, _SET_VALUE, value))
    return key


def message_queue(scene: Scene) -> int:
    """Make a System V queue with one message; gives its key."""
    key = _key()
    queue = _checked(_libc.msgget(key, _CREATE_FOR_ALL))
    scene.defer(_libc.msgctl, queue, _REMOVE, None)
    text = scene.token.encode()
    message = ctypes.create_string_buffer((1).to_bytes(8, "little") + text)
    _checked(_libc.msgsnd(queue, message, len(text), 0))
    return key


def posix_queue(scene: Scene) -> str:
    """Make a POSIX queue with one message; gives its name."""
    name = f"/{scene.token}"
    mask = os.umask(0)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        queue = _checked(_libc.mq_open(name.encode(), flags, ctypes.c_uint(0o666), None))
    finally:
        os.umask(mask)
    scene.defer(_libc.mq_unlink, name.encode())
    text = scene.token.encode()
    _checked(_libc.mq_send(queue, text, len(text), 0))
    os.close(queue)
    return name


def _key() -> int:
    return secrets.randbelow(0x7FFF_0000) + 1


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
