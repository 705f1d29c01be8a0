"""Distributions of aisbx, plugins among them, that are installed as a link to the folder they are written in."""

import os
import re
from collections.abc import Iterable, Iterator

_OURS = re.compile(rb"^\[\s*aisbx\.", re.MULTILINE)
"""An entry-point group of ours in entry_points.txt: whatever has one may be imported by aisbx."""


def folders(path: Iterable[str]) -> tuple[str, ...]:
    """Give the project folders of the editable distributions of aisbx in these directories of `sys.path`, sorted.

    By direct_url.json, which an installer writes (Recording the Direct URL Origin of installed distributions, PyPA).
    """
    found: set[str] = set()
    for directory in path:
        for metadata in _metadata(directory):
            if os.path.basename(metadata).startswith("aisbx") or _OURS.search(_read(f"{metadata}/entry_points.txt")):
                found.update(_folder(_read(f"{metadata}/direct_url.json")))
    return tuple(sorted(found))


def _metadata(directory: str) -> Iterator[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return  # python311.zip, say
    yield from (os.path.join(directory, name) for name in names if name.endswith(".dist-info"))


def _folder(record: bytes) -> Iterator[str]:
    if not record:
        return
    import json  # 6 ms, and from wheels there is nothing to read

    try:
        said: object = json.loads(record)
    except ValueError:
        return  # then it is not found by its name either, and says so
    match said:
        case {"url": str(url), "dir_info": {"editable": True}} if url.startswith("file://"):
            from urllib.parse import unquote_to_bytes, urlsplit

            yield os.fsdecode(unquote_to_bytes(urlsplit(url).path))
        case _:
            return


def _read(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except OSError:
        return b""
