"""What a project's tools keep between runs: a directory for each project and profile, `/var/cache` inside.

`kept` gives a run its cache; `inventory` lists what there is, with `owner` (whose), `tree` (how large) and `use`
(whether a sandbox has it now); `prune` removes.
"""

from aisbx.caches.kept import INSIDE, ORIGIN, kept_cache

__all__ = ["INSIDE", "ORIGIN", "kept_cache"]
