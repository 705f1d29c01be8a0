"""Runs inside the sandbox, in a process for each session: executes code, and shows what it comes to."""
# pyright: basic

import json
import os
import signal
import sys

from aisbx_mcp.kernels.inside import DONE, SHOW, read_frame, write_frame


class Session:
    """Executes code; the last expression's value is shown."""

    def __init__(self, number, source, target):
        import random

        self.number, self.source, self.target = number, source, target
        self.pid = os.getpid()
        for one in (source, target):
            os.set_inheritable(one, False)
        self.names = {"__name__": "__main__", "__builtins__": __builtins__, "display": self.display}
        main = sys.modules["__main__"]
        main.__dict__.clear()
        main.__dict__.update(self.names)
        self.names = main.__dict__
        sys.path.insert(0, "")
        sys.stdin = open(os.devnull)
        sys.stdout = open(1, "w", buffering=1, errors="backslashreplace", closefd=False)
        sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        random.seed()  # a fork has its parent's state
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()
        os.environ.setdefault("MPLBACKEND", "agg")
        self.count = 0
        self.loop = None

    def serve(self):
        while True:
            try:
                frame = read_frame(self.source)
                if frame is None:
                    return
                wanted = json.loads(frame[2])
                ok = self.run(wanted["code"], wanted.get("memory"))
            except KeyboardInterrupt:
                continue  # too late: nothing runs
            if os.getpid() != self.pid:
                os._exit(0)  # what code has forked ends with it, else two would read what is asked for next
            self.tell_host(DONE, {"ok": ok})

    def run(self, code, memory):
        import resource

        limits = resource.getrlimit(resource.RLIMIT_DATA)
        if memory:
            soft = memory if limits[1] == resource.RLIM_INFINITY else min(memory, limits[1])
            resource.setrlimit(resource.RLIMIT_DATA, (soft, limits[1]))
        try:
            self.execute(code)
            self.show_figures()
            return True
        except SystemExit as ended:
            if ended.code not in (None, 0):
                print("exit:", ended.code, file=sys.stderr)
            return ended.code in (None, 0)
        except BaseException:
            self.tell(sys.exc_info())
            return False
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, limits)
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except Exception:
                    pass

    def execute(self, code):
        import ast
        import linecache

        self.count += 1
        name = "<code %d>" % self.count
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        tree = ast.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        self.perform(compile(tree, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True))
        if last is not None:
            value = self.perform(
                compile(ast.Expression(last.value), name, "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True)
            )
            if value is not None:
                self.names["_"] = value
                self.display(value)

    def perform(self, code):
        value = eval(code, self.names)
        if code.co_flags & 0x80:  # inspect.CO_COROUTINE
            import asyncio

            if self.loop is None:
                self.loop = asyncio.new_event_loop()
            return self.loop.run_until_complete(value)
        return value

    def display(self, *values):
        """Show values: images as such, tables as Markdown, all else as text."""
        for value in values:
            kind, data = shown(value)
            sys.stdout.flush()
            if kind == "text/plain":
                print(data)
            else:
                self.show(kind, data)

    def show(self, kind, data):
        self.tell_host(SHOW, {"kind": kind, "data": data})

    def tell_host(self, kind, told):
        """Write a frame whole: an interrupt waits."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            write_frame(self.target, kind, self.number, json.dumps(told).encode())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def show_figures(self):
        plots = sys.modules.get("matplotlib.pyplot")
        if plots is None:
            return
        import base64
        import io

        for number in plots.get_fignums():
            file = io.BytesIO()
            plots.figure(number).savefig(file, format="png", bbox_inches="tight")
            self.show("image/png", base64.b64encode(file.getvalue()).decode())
        plots.close("all")

    def tell(self, error):
        import traceback

        kind, value, trace = error
        while trace is not None and not trace.tb_frame.f_code.co_filename.startswith("<code "):
            trace = trace.tb_next
        traceback.print_exception(kind, value, trace)


def shown(value):
    import base64

    if callable(getattr(value, "_repr_png_", None)):
        data = value._repr_png_()
        if data:
            return "image/png", data if isinstance(data, str) else base64.b64encode(data).decode()
    if callable(getattr(value, "_repr_markdown_", None)):
        data = value._repr_markdown_()
        if data:
            return "text/markdown", data
    if hasattr(value, "columns") and hasattr(value, "to_numpy") and hasattr(value, "index"):
        return "text/markdown", table(value)
    if callable(getattr(value, "_repr_html_", None)):
        data = value._repr_html_()
        if isinstance(data, str) and data:
            return "text/html", data
    return "text/plain", repr(value)


def table(frame, rows=50, columns=30):
    """Give the beginning of a data frame as a Markdown table."""
    part = frame.iloc[:rows, :columns]

    def cell(value):
        return str(value).replace("|", "\\|").replace("\n", " ")

    names = [""] + [cell(one) for one in part.columns]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for index, row in zip(part.index, part.to_numpy()):
        lines.append("| " + " | ".join([cell(index)] + [cell(one) for one in row]) + " |")
    if len(frame) > rows or len(frame.columns) > columns:
        lines.append("\n(%d rows, %d columns in all)" % (len(frame), len(frame.columns)))
    return "\n".join(lines)
