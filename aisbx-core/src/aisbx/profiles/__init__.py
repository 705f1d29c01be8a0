"""Profiles: YAML files, `extends`, composition (`-p python-dev+offline`), and the order `narrower`.

The core knows how to read them; where the ones that come with aisbx are is a plugin's business.
"""

from aisbx.profiles.choose import choose
from aisbx.profiles.composition import Composition
from aisbx.profiles.find import Finder
from aisbx.profiles.load import Lookup, ProfileText, load_profile, parse_profile
from aisbx.profiles.order import narrower, widened

__all__ = [
    "Composition",
    "Finder",
    "Lookup",
    "ProfileText",
    "choose",
    "load_profile",
    "narrower",
    "parse_profile",
    "widened",
]
