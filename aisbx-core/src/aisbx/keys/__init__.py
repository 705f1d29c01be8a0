"""API keys: who may reach a host of aisbx over a network, with what scopes, and until when."""

from aisbx.keys.key import SCOPES, Key
from aisbx.keys.keyring import Keyring

__all__ = ["SCOPES", "Key", "Keyring"]
