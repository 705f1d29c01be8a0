"""What a process may change about itself: its personality, and filters on top of ours."""

import errno
import struct

import pytest

from .support import ENTRIES, PYTHON, Call, ask, confined, number

ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, MMAP_PAGE_ZERO, UNAME26 = 0x4_0000, 0x40_0000, 0x10_0000, 0x2_0000
QUERY = 0xFFFF_FFFF
ABOVE = 1 << 32
REFUSED = (-1, errno.EPERM)
PERSONAS = (ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, MMAP_PAGE_ZERO, UNAME26, ABOVE | ADDR_NO_RANDOMIZE)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("persona", PERSONAS)
def test_protections_of_the_address_space_cannot_be_turned_off(persona: int, entry: str) -> None:
    probes = {"set": [(number("personality"), persona)]}
    assert ask(probes, "base", entry=entry)["set"] == [REFUSED]
    assert ask(probes)["set"][0][1] == 0


def test_asking_for_the_personality_is_allowed() -> None:
    probes: dict[str, list[Call]] = {str(persona): [(number("personality"), persona)] for persona in (QUERY, 0, 8)}
    assert all(rows[0][1] == 0 for rows in ask(probes, "base").values())


@pytest.mark.parametrize("group", ["debug", "sanitizers"])
def test_a_debugger_or_sanitizer_may_turn_off_randomisation_and_nothing_else(group: str) -> None:
    probes = {str(p): [(number("personality"), p)] for p in (ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC)}
    got = ask(probes, "base", group)
    assert got[str(ADDR_NO_RANDOMIZE)][0][1] == 0
    assert got[str(READ_IMPLIES_EXEC)] == [REFUSED]


NESTED = """
import ctypes, errno, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, int(sys.argv[3], 16)))
fprog = struct.pack("HxxxxxxP", 1, ctypes.addressof(program))
libc.prctl(38, 1, 0, 0, 0)
result = libc.syscall(ctypes.c_ulong(int(sys.argv[1])), ctypes.c_ulong(1), ctypes.c_ulong(int(sys.argv[2])), fprog)
print("done" if result >= 0 else errno.errorcode[ctypes.get_errno()])
try:
    os.chmod("/run", 0o4755)
    print("changed")
except OSError as error:
    print(errno.errorcode[error.errno])
"""
ALLOW_ALL, NEW_LISTENER, TSYNC = "7fff0000", 8, 1


def nested(flags: int, *groups: str) -> list[str]:
    done = confined([PYTHON, "-c", NESTED, str(number("seccomp")), str(flags), ALLOW_ALL], *groups)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_filter_that_allows_everything_does_not_undo_ours() -> None:
    assert nested(TSYNC, "base") == ["done", "EPERM"]
    assert nested(TSYNC) == ["done", "changed"]


@pytest.mark.parametrize("flags", [NEW_LISTENER, NEW_LISTENER | 16, ABOVE | NEW_LISTENER])
def test_a_listener_over_ones_own_children_is_refused_as_if_there_were_one(flags: int) -> None:
    assert nested(flags, "base") == ["EBUSY", "EPERM"]
    assert nested(flags)[0] == "done"


def test_what_seccomp_offers_can_be_asked() -> None:
    action = {"bytes": struct.pack("I", 0x7FFF_0000).hex()}
    assert ask({"action": [(number("seccomp"), 2, 0, action)]}, "base")["action"] == [(0, 0)]
