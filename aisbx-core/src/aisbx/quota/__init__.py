"""How often a principal may ask, how much at once, and what is unusual of it."""

from aisbx.quota.admission import Admission
from aisbx.quota.limits import GENEROUS, PROTOCOL, Limits

__all__ = ["GENEROUS", "PROTOCOL", "Admission", "Limits"]
