"""How a command behaves in a sandbox, whatever confines it: the part of `DriverContract` that attacks nothing."""

from aisbx.testing.behaviour.commands import Commands
from aisbx.testing.behaviour.forks import Forks
from aisbx.testing.behaviour.lifetimes import Lifetimes
from aisbx.testing.behaviour.reports import Reports
from aisbx.testing.behaviour.servers import Servers
from aisbx.testing.behaviour.streams import Streams
from aisbx.testing.whole import names_of_tests


class Behaviour(Reports, Commands, Servers, Streams, Lifetimes, Forks, contract=True):
    """All of it."""


BEHAVIOUR = names_of_tests(Behaviour)
"""The names of its tests."""
