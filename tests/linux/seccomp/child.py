"""Runs inside a sandbox: makes system calls as raw as they come and says what the kernel answered.

Reads {"filter": descriptor or null, "probes": {name: [[number, arg, …], …]}} from its first argument, writes
{name: [[result, errno], …]}. Each probe has a process of its own, so that one cannot spoil the next. An argument is a
number, or text (a buffer holding it), or {"bytes": hex} (a writable buffer), or {"result": i} (what the i-th call of
the probe gave).
"""

import ctypes
import json
import os
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

Argument = int | str | dict[str, str] | dict[str, int]
Answer = tuple[int, int]

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2


def install(descriptor: int) -> None:
    with open(descriptor, "rb") as file:
        program = file.read()
    buffer = ctypes.create_string_buffer(program)
    fprog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer)))
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0), (PR_SET_SECCOMP, MODE_FILTER, ctypes.addressof(fprog))):
        if libc.prctl(arguments[0], ctypes.c_ulong(arguments[1]), ctypes.c_void_p(arguments[2]), 0, 0) != 0:
            sys.exit(f"prctl{arguments}: {os.strerror(ctypes.get_errno())}")


def value(argument: Argument, results: list[Answer], kept: list[object]) -> object:
    if isinstance(argument, int):
        return ctypes.c_ulong(argument & (1 << 64) - 1)
    if isinstance(argument, dict) and "result" in argument:
        return ctypes.c_ulong(results[int(argument["result"])][0])
    content = argument.encode() if isinstance(argument, str) else bytes.fromhex(str(argument["bytes"]))
    kept.append(buffer := ctypes.create_string_buffer(content, 4096))
    return buffer


def call(arguments: list[Argument], results: list[Answer], kept: list[object]) -> Answer:
    values = [value(argument, results, kept) for argument in arguments]
    ctypes.set_errno(0)
    me = os.getpid()
    result: int = libc.syscall(*values)
    if os.getpid() != me:
        os._exit(0)  # a clone that came to be
    return (result, ctypes.get_errno() if result == -1 else 0)


def probe(calls: list[list[Argument]]) -> list[tuple[str | int, int]]:
    """Give the answers, or [("signal", N)] when a call ended the process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        results: list[Answer] = []
        kept: list[object] = []  # buffers live until the last call
        for arguments in calls:
            results.append(call(arguments, results, kept))
        os.write(writer, json.dumps(results).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return json.loads(answer) if status == 0 else [("signal", -status)]


def main() -> None:
    request = json.loads(sys.argv[1])
    if request["filter"] is not None:
        install(request["filter"])
    sys.stdout.write(json.dumps({name: probe(calls) for name, calls in request["probes"].items()}))


if __name__ == "__main__":
    main()
