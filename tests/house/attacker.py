"""Run inside a sandbox: `python attacker.py ROOT NAME…` tries to change the aisbx that started it; tells what it could.

Each way is tried by itself, so that one that works does not hide another; `^NAME` is a folder above some part. What
it makes for that has a name that begins with `fresh`.
"""

import os
import shutil
import sys
from collections.abc import Callable

MARK = b"\n# planted\n"


def append(path: str) -> None:
    with open(path, "ab") as file:
        file.write(MARK)


def make(folder: str) -> None:
    with open(f"{folder}/sitecustomize.py", "xb") as file:
        file.write(MARK)


def replace(path: str) -> None:
    with open("fresh-file", "wb") as file:
        file.write(MARK)
    os.replace("fresh-file", path)


def replace_from_beside(path: str) -> None:
    beside = f"{os.path.dirname(path)}/fresh-file"
    with open(beside, "wb") as file:
        file.write(MARK)
    os.replace(beside, path)


def swap(path: str) -> None:
    os.rename(path, f"{path}.away")
    os.mkdir(path)


def chmod(path: str) -> None:
    os.chmod(path, 0o777)


def second_name(path: str) -> None:
    os.link(path, "fresh-link")
    append("fresh-link")


def over(path: str) -> None:
    os.makedirs("fresh", exist_ok=True)
    os.rename("fresh", path)


WAYS: dict[str, tuple[Callable[[str], None], ...]] = {
    "file": (append, replace, replace_from_beside, chmod, second_name, os.unlink, swap),
    "folder": (swap, shutil.rmtree, chmod, over, make),
    "above": (swap, over),
}


def main(root: str, names: list[str]) -> None:
    absent = [name for name in names if not os.path.lexists(os.path.join(root, name.removeprefix("^")))]
    assert not absent, absent
    for name in names:
        path = os.path.join(root, name.removeprefix("^"))
        kind = "above" if name.startswith("^") else "file" if os.path.isfile(path) else "folder"
        for way in WAYS[kind]:
            try:
                way(path)
            except OSError:
                continue
            sys.stdout.write(f"{way.__name__}: {path}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
