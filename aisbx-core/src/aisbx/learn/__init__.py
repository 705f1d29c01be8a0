"""Learn a profile: run a command confined and observed, and write the narrowest profile that covers what it did.

session.py    the run: copy-on-write, network recorded and closed, secrets masked
evidence.py   what was seen of it
never.py      what is not granted, whoever asks for it
narrow.py     from a profile and the evidence to what of it is needed
files.py      the part of that which is about mounts
network.py    the part which is about hosts
text.py       the profile's file, with its evidence
"""

from aisbx.learn.narrow import Granted, Learned, Never
from aisbx.learn.session import Lesson, learn
from aisbx.learn.text import profile_text

__all__ = ["Granted", "Learned", "Lesson", "Never", "learn", "profile_text"]
