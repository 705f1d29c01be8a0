"""What differs between a copy-on-write layer and the workspace below it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path that a sandbox changed; kinds are file, directory, link, fifo, socket, device and unread."""

    path: str
    """Below the workspace; undecodable bytes are surrogate escapes."""
    action: str
    """added, modified or deleted."""
    kind: str
    """What it is now; where it was deleted, what it was. `unread`: a directory that was not gone through."""
    was_kind: str = ""
    mode: int = 0
    """Permission bits, now and (`was_mode`) in the workspace; 0 where there is nothing."""
    was_mode: int = 0
    size: int = 0
    """Bytes, now and (`was_size`) in the workspace."""
    was_size: int = 0
    protected: str = ""
    """Why the host would execute it by itself; it is only applied where it is named."""
    conflict: str = ""
    """What happened on the host meanwhile; it is not applied over that."""

    @property
    def executable(self) -> bool:
        """Tell whether somebody may start it by its name."""
        return self.kind == "file" and bool(self.mode & 0o111)
