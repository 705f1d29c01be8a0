"""Runs inside the sandbox, by the interpreter that is there: one that has imported what the profile names, and is forked
for each session. It speaks frames (kind, session, length, data) on its stdin and stdout, and executes nothing itself.

Frames in: RUN (JSON: code, memory), INTERRUPT, END. Out: READY, OUT (bytes that were printed), SHOW (JSON: kind, data),
DONE (JSON: ok), GONE (JSON: code).
"""
# pyright: basic

import json
import os
import selectors
import signal
import struct
import sys

RUN, INTERRUPT, END, READY, OUT, SHOW, DONE, GONE = range(8)
HEAD = struct.Struct(">BII")
CHUNK = 65536
LARGEST = 1 << 28


def read_all(descriptor, size):
    data = bytearray()  # grows in place: code may have megabytes, and a pipe gives them in small pieces
    while len(data) < size:
        part = os.read(descriptor, min(CHUNK, size - len(data)))
        if not part:
            return None
        data += part
    return bytes(data)


def read_frame(descriptor):
    head = read_all(descriptor, HEAD.size)
    if head is None:
        return None
    kind, session, size = HEAD.unpack(head)
    data = read_all(descriptor, size)
    return None if data is None else (kind, session, data)


def write_frame(descriptor, kind, session, data):
    view = memoryview(HEAD.pack(kind, session, len(data)) + data)
    while view:
        view = view[os.write(descriptor, view) :]


class Host:
    """Forks sessions, and passes on what goes in and comes out."""

    def __init__(self, source, target, session):
        self.source, self.target, self.session = source, target, session
        self.selector = selectors.DefaultSelector()
        self.sessions = {}

    def serve(self):
        self.selector.register(self.source, selectors.EVENT_READ, None)
        write_frame(self.target, READY, 0, b"")
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    if not self.take():
                        return
                elif key.data in self.sessions:
                    self.pass_on(key.data, key.fd)

    def take(self):
        frame = read_frame(self.source)
        if frame is None:
            return False
        kind, number, data = frame
        if kind == RUN:
            if number not in self.sessions and not self.begin(number):
                return True
            try:
                write_frame(self.sessions[number]["in"], RUN, number, data)
            except BrokenPipeError:
                pass  # it has just ended, which is told
        elif number in self.sessions:
            kill(self.sessions[number]["pid"], signal.SIGINT if kind == INTERRUPT else signal.SIGKILL)
        return True

    def begin(self, number):
        code_in, code_out = os.pipe()
        said_in, said_out = os.pipe()
        told_in, told_out = os.pipe()
        try:
            pid = os.fork()
        except OSError as error:  # the sandbox may have no more tasks: the other sessions have theirs
            for one in (code_in, code_out, said_in, said_out, told_in, told_out):
                os.close(one)
            write_frame(self.target, OUT, number, ("no interpreter can be begun: %s\n" % error).encode())
            write_frame(self.target, GONE, number, json.dumps({"code": 1}).encode())
            return False
        if pid == 0:
            try:
                for one in (self.source, self.target, code_out, said_in, told_in):
                    os.close(one)
                for other in self.sessions.values():
                    for name in ("in", "said", "told"):
                        os.close(other[name])
                self.selector.close()
                os.setsid()
                os.dup2(said_out, 1)
                os.dup2(said_out, 2)
                os.close(said_out)
                self.session(number, code_in, told_out).serve()
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(0)
        for one in (code_in, said_out, told_out):
            os.close(one)
        os.set_blocking(said_in, False)
        os.set_blocking(told_in, False)
        self.sessions[number] = {"pid": pid, "in": code_out, "said": said_in, "told": told_in, "rest": b""}
        for one in (said_in, told_in):
            self.selector.register(one, selectors.EVENT_READ, number)
        return True

    def pass_on(self, number, descriptor):
        session = self.sessions[number]
        if descriptor == session["said"]:
            self.drain(number)
            return
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        session["rest"] += data
        self.drain(number)  # all that was printed before that
        while len(session["rest"]) >= HEAD.size:
            kind, _, size = HEAD.unpack(session["rest"][: HEAD.size])
            if kind not in (SHOW, DONE) or size > LARGEST:
                data = b""  # its code has written there: nothing that comes now can be told apart
                break
            size += HEAD.size
            if len(session["rest"]) < size:
                break
            told = session["rest"][HEAD.size : size]
            session["rest"] = session["rest"][size:]
            write_frame(self.target, kind, number, told)
        if data:
            return
        try:
            os.kill(session["pid"], signal.SIGKILL)  # it may have closed that and live on
        except OSError:
            pass
        _, status = os.waitpid(session["pid"], 0)
        kill(session["pid"], signal.SIGKILL)  # what it started goes with it
        for name in ("said", "told"):
            try:
                self.selector.unregister(session[name])
            except KeyError:
                pass  # its end was seen before
        for name in ("in", "said", "told"):
            os.close(session[name])
        del self.sessions[number]
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        write_frame(self.target, GONE, number, json.dumps({"code": code}).encode())

    def drain(self, number):
        said = self.sessions[number]["said"]
        try:
            while True:
                data = os.read(said, CHUNK)
                if not data:
                    self.selector.unregister(said)
                    return
                write_frame(self.target, OUT, number, data)
        except (BlockingIOError, KeyError):
            pass


def kill(pid, number):
    try:
        if number == signal.SIGINT:
            os.kill(pid, number)
        else:
            os.killpg(pid, number)
    except OSError:
        pass


def main(preload, session):
    source, target = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)  # what a module prints while it is imported must not be taken for a frame
    os.close(null)
    for name in preload:
        try:
            __import__(name)
        except (Exception, SystemExit) as error:  # whatever a module does when it is imported: code can do without
            print("preload: %s: %s" % (name, error), file=sys.stderr)
    import gc

    gc.freeze()  # what is there already is left alone by the collector, so that its pages stay shared
    Host(source, target, session).serve()
