"""A command on a terminal has a pty that is the sandbox's own."""

import shlex

from .conftest import Box
from .terminals import Person

LOOK = """
tty; stty size; test "$(ls -di /dev/pts)" != "" && ls /dev/pts
[ "$(stat -L -c %t:%T /proc/self/fd/0)" = "$(stat -c %t:%T "$(tty)")" ] && echo same
( : < /dev/tty ) && echo controlling
"""


def test_the_pty_has_a_name_inside_and_is_its_controlling_terminal(box: Box) -> None:
    box.out("create", "--name", "work")
    person = Person(box, ("exec", "work", "--", "sh", "-c", f"{LOOK} read line; echo got $line; stty size"), 31, 97)
    shown = person.sees("controlling").decode().split()
    assert shown[:3] == ["/dev/pts/0", "31", "97"], shown
    assert "same" in shown
    person.resize(13, 45)
    person.type("typed\n")
    assert "typed" in person.sees("got").decode()
    assert "13 45" in person.sees("13 45").decode()
    assert person.ends() == 0


def test_what_stands_in_the_place_of_ptys_is_not_opened(box: Box) -> None:
    """The sandbox may have its /dev changed by what ran before; a fifo there would hang who joins."""
    box.out("create", "--name", "work")
    swap = "rm -f /dev/ptmx; mkfifo /dev/ptmx; mv /dev/pts /dev/away; rm /dev/pts/ptmx; mkdir -p /dev/pts"
    box("exec", "work", "--", "sh", "-c", swap)
    person = Person(box, ("exec", "work", "--", "tty"))
    assert "/dev/pts/0" in person.sees("/dev/pts/0").decode()
    assert person.ends() == 0


def test_the_key_that_stops_a_job_stops_a_command_too(box: Box) -> None:
    box.out("create", "--name", "work")
    person = Person(box, (), command=("bash", "--norc", "--noprofile", "-i"))
    command = shlex.join(box.argv("exec", "work", "--", "sh", "-c", "echo in''side; read a; echo got:$a:"))
    person.type(f"{command}\n")
    person.sees("inside")
    person.type("\x1a")
    person.sees("Stopped")
    person.type("jobs; echo list''ed\n")
    assert b"Stopped" in person.sees("listed")
    person.type("fg\n")
    person.sees("exec work")
    person.type("word\n")
    person.sees("got:word:")
    person.sees("bash-")  # what is typed before that is the command's, which may be about to end
    person.type("exit 5\n")
    assert person.ends() == 5
