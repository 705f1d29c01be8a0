"""The allow-list proxy: a sandbox reaches what its rules name, and nothing else."""

from collections.abc import Mapping

from aisbx import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import Egress


@hookimpl
def aisbx_egress(name: str, settings: Mapping[str, object]) -> "Egress | None":
    """Give the proxy; `settings` is the table `[egress.allowlist]`."""
    if name != "allowlist":
        return None
    from aisbx_egress.serve import AllowList

    return AllowList(settings)
