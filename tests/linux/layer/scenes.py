"""A workspace and a layer over it, laid out by hand."""

import os
from pathlib import Path

from aisbx_linux.layer import place
from aisbx_linux.layer.layers import Layer


class Scene:
    """A workspace, a layer over it, and a directory outside that nothing may reach."""

    def __init__(self, root: Path) -> None:
        self.workspace = root / "workspace"
        self.outside = root / "outside"
        self.place = root / "state" / "layers" / "0123456789ab"
        for directory in (self.workspace, self.outside, self.place.parent):
            directory.mkdir(parents=True)
        (self.outside / "file").write_text("outside\n")

    def begin(self) -> Path:
        """Make the layer, as what is in the workspace by now stands; gives its upper directory."""
        descriptor = place.make(str(self.place), str(self.workspace), "cow", None, volatile=False)
        os.close(descriptor)
        return self.place / "upper"

    def differences(self) -> dict[str, str]:
        layer = Layer(str(self.place))
        try:
            return {found.path: found.conflict or found.action for found in layer.differences()}
        finally:
            layer.close()

    def apply(self, *paths: str, move: bool = True) -> dict[str, str]:
        layer = Layer(str(self.place))
        try:
            return {found.path: why for found, why in layer.apply(paths, move=move)}
        finally:
            layer.close()
