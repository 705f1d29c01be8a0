"""The processes on the host that attend to one sandbox's network: of published ports, and of an allow-list."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import LocalPlan

    from aisbx_linux import egress as egresses
    from aisbx_linux import publish
    from aisbx_linux.lasting.identity import Born


class Attendants:
    """Them; each ends with the sandbox."""

    __slots__ = ("_egress", "_published")

    def __init__(self, plan: "LocalPlan", first: int, run: str, home: str) -> None:
        """Start what a plan asks for; OSError where that cannot be."""
        self._published: publish.Published | None = None
        self._egress: egresses.Egress | None = None
        try:
            if "egress" in plan:
                from aisbx_linux.egress import Egress

                self._egress = Egress(plan, plan["egress"], first, run, home)
            if plan["publish"]:
                from aisbx_linux.publish import Published

                self._published = Published(plan, first)
        except BaseException:
            self.close()
            raise

    @property
    def forwarder(self) -> "Born | None":
        """The process of published ports."""
        return None if self._published is None else self._published.process

    def close(self) -> None:
        """End them now."""
        for each in (self._published, self._egress):
            if each is not None:
                each.close()
