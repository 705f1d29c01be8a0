"""A client of a supervisor that is killed now and then: it tries again, and remembers what it was promised."""

import json
import random
import time
import uuid
from collections import Counter
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_BOXES = 3
_LINES = 40
_SOME = 2000
"""Bytes of a file that is written, at most so many times this."""
_NOT_THERE, _CONFLICT = 404, 409
_PATIENCE = 60.0
_AT_WORK = 0.003


class WrongError(Exception):
    """An answer that is not the one that it should be."""


class Box:
    """What a client knows of one of its sandboxes."""

    def __init__(self, name: str) -> None:
        """It has nothing in it yet."""
        self.name = name
        self.lines = 0
        """Of its log, at least: commands that were answered."""
        self.files: dict[str, set[bytes]] = {}
        """What may be in each: more than one where a writer was cut off."""


class Client:
    """One, with a key of its own; used by one thread."""

    def __init__(self, port: int, key: str, chance: random.Random, life: int) -> None:
        """`life` is how long its sandboxes last, in seconds."""
        self._port = port
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._chance = chance
        self._life = life
        self._boxes: dict[str, Box] = {}
        self._made = 0
        self._since = 0.0
        self.count: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.runs: list[str] = []
        """The ids of commands that were answered."""
        self.made: list[str] = []
        """The ids of sandboxes that were there."""

    def go_on(self, until: float) -> None:
        """Do one thing after the other."""
        works: list[Callable[[], None]] = [self._make, self._use, self._use, self._file, self._process]
        works += [self._once, self._end]
        while time.monotonic() < until:
            work = self._chance.choice(works)
            try:
                work()
            except (WrongError, ValueError, KeyError) as error:
                self.wrong.append(f"{work.__name__}: {type(error).__name__}: {error}")

    def leave(self) -> None:
        """See that all is there still and nothing runs in it but what should, then end it."""
        for box in [*self._boxes.values()]:
            found = self._sure("GET", f"sandboxes/{box.name}")
            if found["state"] != "running":
                self.wrong.append(f"{box.name} is {found}")
                continue
            # A command whose client was cut off may go on for as long as it takes.
            until = time.monotonic() + _PATIENCE
            while (rows := self._ps(box)) and time.monotonic() < until:
                time.sleep(0.2)
            self.wrong += [f"{box.name}: {row['argv']} runs still" for row in rows]
            self._check(box)
            self._destroy(box)

    def _ps(self, box: Box) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._sure("GET", f"sandboxes/{box.name}/ps")["processes"]
        return [row for row in rows if row["pid"] != 1]

    # -- asking

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any] | None:
        """Ask once; gives status and data, None where the connection was cut off: nobody knows how far it came."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=90)
        sent = {**self._headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            connection.request(method, f"/api/v1/{path}", data, sent)
            self._since = time.monotonic()
            answer = connection.getresponse()
            told = answer.read()
        except (OSError, HTTPException):
            self.count["cut off"] += 1
            return None
        finally:
            self._since = 0.0
            connection.close()
        self.count[
            f"{method} {path.rsplit('/', maxsplit=1)[-1].partition('?')[0] if path.count('/') > 1 else 'sandboxes'}"
        ] += 1
        kind = answer.headers.get_content_type()
        return answer.status, json.loads(told) if kind.endswith("json") else told

    def waits(self) -> bool:
        """Tell whether it has waited for an answer so long that whoever is to give it is at it."""
        since = self._since
        return since > 0 and time.monotonic() - since > _AT_WORK

    def _sure(self, method: str, path: str, body: object = None, **headers: str) -> Any:  # noqa: ANN401 - JSON
        """Ask until there is an answer, which must be no problem."""
        while (found := self.ask(method, path, body, **headers)) is None:
            pass
        if found[0] >= 300:  # noqa: PLR2004 - what is done has 2xx
            raise WrongError(f"{method} {path}: {found}")
        return found[1]

    def _once_only(self, path: str, body: object) -> tuple[int, Any]:
        """Ask with a key until there is an answer, that it was begun and cut off included."""
        key = str(uuid.UUID(int=self._chance.getrandbits(128)))
        while True:
            found = self.ask("POST", path, body, Idempotency_Key=key)
            if found is not None and not (found[0] == _CONFLICT and found[1]["code"] == "state"):
                return found
            time.sleep(0.05)

    # -- what it does

    def _make(self) -> None:
        if len(self._boxes) >= _BOXES:
            return
        self._made += 1
        name = f"b{self._made}"
        status, told = self._once_only("sandboxes", {"name": name, "ttl": self._life})
        if status == _CONFLICT and told["code"] == "aborted":
            told = self._was_made(name)
            if told is None:
                self.count["half made, and gone"] += 1
                return
        elif status != 201:  # noqa: PLR2004 - made
            raise WrongError(f"{name}: {status} {told}")
        self.made.append(told["id"])
        self._boxes[name] = Box(name)

    def _was_made(self, name: str) -> dict[str, Any] | None:
        """Give a sandbox of which nobody knows how far it came; None where what was half made of it is gone."""
        until = time.monotonic() + _PATIENCE
        while True:
            found = self.ask("GET", f"sandboxes/{name}")
            if found is not None and (found[0] == _NOT_THERE or found[1].get("state") == "running"):
                return None if found[0] == _NOT_THERE else found[1]
            if time.monotonic() > until:
                raise WrongError(f"{name} is neither made nor gone: {found}")
            time.sleep(0.1)

    def _some(self) -> Box | None:
        return self._chance.choice([*self._boxes.values()]) if self._boxes else None

    def _use(self) -> None:
        if (box := self._some()) is None:
            return
        script = "echo x >> /tmp/log; wc -l < /tmp/log"
        found = self.ask("POST", f"sandboxes/{box.name}/exec", {"argv": ["sh", "-c", script]})
        if found is None:
            return
        lines = self._answered(found)
        if not lines > box.lines:
            raise WrongError(f"{box.name}: {lines} lines, where {box.lines} were promised")
        box.lines = lines

    def _answered(self, found: tuple[int, Any]) -> int:
        status, told = found
        if status != 200 or told["exit_code"] != 0:  # noqa: PLR2004 - done
            raise WrongError(f"{status} {told}")
        self.runs.append(told["run"])
        return int(told["stdout"]["text"])

    def _file(self) -> None:
        if (box := self._some()) is None:
            return
        path = f"f{self._chance.randint(0, 3)}"
        data = f"{self._chance.random()}".encode() * self._chance.randint(1, _SOME)
        found = self.ask("PUT", f"sandboxes/{box.name}/files?path={path}", data)
        if found is None:
            box.files[path] = {data, *box.files.get(path, {b""})}
        elif found[0] != 204:  # noqa: PLR2004 - done
            raise WrongError(f"{path}: {found}")
        else:
            box.files[path] = {data}
        self._check(box)

    def _check(self, box: Box) -> None:
        for path, may_be in box.files.items():
            found = self.ask("GET", f"sandboxes/{box.name}/files?path={path}")
            if found is None or (found[0] == _CONFLICT and b"" in may_be):
                continue
            if found[0] != 200 or found[1] not in may_be:  # noqa: PLR2004 - done
                raise WrongError(f"{box.name}: {path} is {found[0]} {found[1][:60]!r}")

    def _process(self) -> None:
        if (box := self._some()) is None:
            return
        script = f"for i in $(seq {_LINES}); do echo $i; sleep 0.05; done"
        place = f"sandboxes/{box.name}/processes"
        status, made = self._once_only(place, {"argv": ["sh", "-c", script]})
        if status == _CONFLICT and made["code"] == "aborted":
            return
        if status != 201:  # noqa: PLR2004 - made
            raise WrongError(f"{status} {made}")
        text, last = "", "0"
        end: dict[str, Any] = {}
        while not end:
            text, last, end = self._follow(f"/api/v1/{place}/{made['id']}/events", text, last)
        if text.split() != [str(number + 1) for number in range(_LINES)] or end["exit_code"] != 0:
            raise WrongError(f"{box.name}: {made['id']} printed {text!r}, and ended {end}")
        self.runs.append(made["id"])

    def _follow(self, path: str, text: str, last: str) -> tuple[str, str, dict[str, Any]]:
        """Read a stream as far as it comes; gives what it was, where it goes on, and how the process ended."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=90)
        kind = ""
        try:
            connection.request("GET", path, headers={**self._headers, "Last-Event-ID": last})
            answer = connection.getresponse()
            if answer.status != 200:  # noqa: PLR2004 - done
                raise WrongError(f"{path}: {answer.status} {answer.read()!r}")
            number = last
            for line in answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    number = value
                elif name == "event":
                    kind = value
                elif name == "data" and kind == "end":
                    return text, last, json.loads(value)
                elif name == "data" and kind == "error":
                    raise WrongError(f"{path}: {value}")
                elif name == "data" and kind == "stdout":
                    text += json.loads(value)["text"]
                    last = number
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()
        self.count["streams taken up again"] += 1
        return text, last, {}

    def _once(self) -> None:
        if (box := self._some()) is None:
            return
        path = f"/tmp/once-{self._chance.getrandbits(64)}"
        script = f"echo x >> {path}; wc -l < {path}"
        status, told = self._once_only(f"sandboxes/{box.name}/exec", {"argv": ["sh", "-c", script]})
        if status == _CONFLICT and told["code"] == "aborted":
            self.count["begun and cut off"] += 1
            return
        if self._answered((status, told)) != 1:
            raise WrongError(f"{box.name}: a command with an Idempotency-Key was run {told['stdout']} times")

    def _end(self) -> None:
        if self._chance.random() < 0.3 and (box := self._some()) is not None:  # noqa: PLR2004 - a third of the times
            self._check(box)
            self._destroy(box)

    def _destroy(self, box: Box) -> None:
        del self._boxes[box.name]
        until = time.monotonic() + _PATIENCE
        while True:
            found = self.ask("DELETE", f"sandboxes/{box.name}")
            if found is not None and found[0] in {200, _NOT_THERE}:
                break
            if found is not None and (found[0] != _CONFLICT or time.monotonic() > until):
                raise WrongError(f"{box.name} is not destroyed: {found}")
            time.sleep(0.05)
        if self._sure_of(box) != _NOT_THERE:
            raise WrongError(f"{box.name} is there still")

    def _sure_of(self, box: Box) -> int:
        while (found := self.ask("GET", f"sandboxes/{box.name}")) is None:
            pass
        return found[0]
