"""The guest's image: where it is, and how it is built."""

import json
import os
import stat

from aisbx_driver_lima.template import Image

MANIFEST = "manifest.json"
FORMAT = 1
DISK, KERNEL, INITRD = "disk.qcow2", "vmlinuz", "initrd"


def find(place: str) -> Image | str:
    """Give the image in a directory, or why there is none that may be used."""
    try:
        with open(os.path.join(place, MANIFEST), encoding="utf-8") as file:
            told = json.load(file)
        if told.get("format") != FORMAT:
            return f"{place} holds an image of another version"
        files = {name: os.path.join(place, name) for name in (DISK, KERNEL, INITRD)}
        for path in (place, *files.values()):
            found = os.stat(path)
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or not _trusted(found.st_uid):
                return f"{path} can be changed by other users"
        return Image(files[DISK], files[KERNEL], files[INITRD], str(told["arch"]))
    except (OSError, ValueError, KeyError) as error:
        why = error.strerror if isinstance(error, OSError) else "its manifest cannot be read"
        return f"there is no guest image in {place}: {why}"


def _trusted(owner: int) -> bool:
    return not hasattr(os, "geteuid") or owner in {0, os.geteuid()}
