"""How a command behaves in a sandbox, whatever confines it: the part of `DriverContract` that attacks nothing."""

from aisbx.testing.behaviour.background import Backgrounds
from aisbx.testing.behaviour.commands import Commands
from aisbx.testing.behaviour.files import InsideFiles
from aisbx.testing.behaviour.forks import Forks
from aisbx.testing.behaviour.layers import LayeredWorkspaces
from aisbx.testing.behaviour.lifetimes import Lifetimes
from aisbx.testing.behaviour.pausing import Pausing
from aisbx.testing.behaviour.publishing import Publishing
from aisbx.testing.behaviour.reports import Reports
from aisbx.testing.behaviour.servers import Servers
from aisbx.testing.behaviour.streams import Streams
from aisbx.testing.whole import names_of_tests


class Capabilities(InsideFiles, Pausing, Backgrounds, LayeredWorkspaces, Publishing, Forks, contract=True):
    """What a driver may have beside running commands; one without it says so, and is refused where it is asked for."""


class Behaviour(Reports, Commands, Servers, Streams, Lifetimes, Capabilities, contract=True):
    """All of it."""


BEHAVIOUR = names_of_tests(Behaviour)
"""The names of its tests."""
