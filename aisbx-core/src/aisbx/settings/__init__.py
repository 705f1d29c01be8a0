"""Settings: the user's `config.toml`, then `AISBX_*` variables, then the project's `aisbx.toml`.

The only reader of configuration. A project can narrow; what would widen counts once the user trusts that content.
"""

from aisbx.settings.load import load
from aisbx.settings.values import ProjectSettings, Settings

__all__ = ["ProjectSettings", "Settings", "load"]
