"""Go on with a run that a program has asked the compiled front for, and answer it (`aisbx-linux/native/program.c`).

What was asked for is in an open memory file: numbers of eight bytes, and texts with their size before and a NUL behind
them. Builtin modules only.
"""

import marshal
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.cli.handed import Handed
    from aisbx.types import PlanEntry

_WORD = 8
_BY_PYTHON = 1


def go_on_for(answer: int, request: int, entry: "PlanEntry", handed: "Handed") -> int:
    """Carry it out from where the front has got, and tell the program; gives this process's exit code.

    `answer` is the descriptor that the program reads, `request` the one of what it has asked for.
    """
    from aisbx.cli.handed import read_all
    from aisbx.cli.lean import request as asked
    from aisbx.plan.run import go_on

    posix.set_inheritable(answer, False)
    principal, host, command, environment = _read(read_all(request))
    wanted = asked(entry, environment, command, handed["run"][0])
    wanted["keep_output"] = 0
    result = go_on(entry, wanted, handed, principal, host)
    told = _BY_PYTHON.to_bytes(_WORD, "little") + marshal.dumps(result)  # pyright: ignore[reportArgumentType]
    while told:
        told = told[posix.write(answer, told) :]
    return result["code"]


def _read(data: bytes) -> "tuple[str, str, list[str], dict[str, str]]":
    """Give principal, host, words and variables."""
    place = _WORD  # behind the program's number

    def count() -> int:
        nonlocal place
        place += _WORD
        return int.from_bytes(data[place - _WORD : place], "little")

    def word() -> str:
        nonlocal place
        size = count()
        place += size + 1
        return data[place - size - 1 : place - 1].decode("utf-8", "surrogateescape")

    word()  # the run's id, which the front tells too
    principal, host = word(), word()
    command = [word() for _ in range(count())]
    variables = [word().partition("=") for _ in range(count())]
    return principal, host, command, {name: value for name, _, value in variables}
