"""What a sandbox or a run changed in a workspace of the mode `cow` or `guarded`, for a program."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from aisbx.api.doors import HOST, engine, principal
from aisbx.cli import difftext
from aisbx.engine.review import Review, below
from aisbx.types import Change


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of changes: `done` is in the workspace, `left` stays in the layer, each with the reason."""

    done: list[Change] = field(default_factory=list[Change])
    left: list[tuple[Change, str]] = field(default_factory=list[tuple[Change, str]])


class Changes:
    """The layer of a sandbox, also of one that has ended, or of a run (`Result.run`).

    Paths are below the workspace, or absolute and in it; none means all. StateError where there is no layer.
    """

    def __init__(self, name: str, review: Review | None = None) -> None:
        """Look at nothing yet; `name` is a sandbox's, or a run's id."""
        self.name = name
        self._review = review or engine().changes

    def list(self, *paths: str) -> Iterator[Change]:
        """Give what differs from the workspace."""
        layers = self._review.layers(self.name)
        return layers.changes(below(layers.workspace, paths))

    def contents(self, change: Change, limit: int = difftext.LARGEST) -> tuple[bytes | None, bytes | None]:
        """Give a file in the workspace and in the layer; None for no file and for more than `limit` bytes."""
        return self._review.layers(self.name).contents(change, limit)

    def diff(self, *paths: str) -> str:
        """Give what `aisbx diff` prints: a line for each change, and a unified diff of texts."""
        layers = self._review.layers(self.name)
        lines: list[str] = []
        for change in layers.changes(below(layers.workspace, paths)):
            lines += [difftext.headline(change), *difftext.of_change(layers, change)]
        return "".join(f"{line}\n" for line in lines)

    def apply(self, *paths: str, force: bool = False) -> Applied:
        """Take changes over into the workspace; `force` also over what changed there meanwhile, for given paths.

        What the host would execute by itself is left unless a path names it.
        """
        applied = Applied()
        for change, why in self._review.apply(self.name, paths, principal(), HOST, force=force):
            if why:
                applied.left.append((change, why))
            else:
                applied.done.append(change)
        return applied

    def discard(self, *paths: str) -> "list[Change]":
        """Drop changes; gives them. StateError while the sandbox runs."""
        return [*self._review.discard(self.name, paths, principal(), HOST)]
