"""Whoever is killed while the keys are changed leaves a vault that opens: by the one key or by the other."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from aisbx_vault import kdf
from aisbx_vault.vault import Vault

from .conftest import PASSPHRASE, in_place, passphrase

NEW = b"quite another passphrase"
STEPS = ("open", "write", "fsync", "close", "replace", "unlink")
VALUES = {name: f"value of {name}".encode() for name in ("one", "two", "three")}


def run_killed(change: Callable[[], None], at: int) -> bool:
    """Carry a change out in a process that is killed before its step number `at`; False where it has fewer."""
    child = os.fork()
    if child == 0:
        count = 0

        def counted(name: str) -> Callable[..., object]:
            real = getattr(os, name)

            def step(*arguments: object, **options: object) -> object:
                nonlocal count
                if count == at:
                    if name == "write":  # half of it is written
                        data = bytes(arguments[1])  # type: ignore[arg-type]
                        real(arguments[0], data[: len(data) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                count += 1
                return real(*arguments, **options)

            return step

        code = 1
        try:
            for name in STEPS:
                setattr(os, name, counted(name))
            change()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def values(vault: Vault, key: bytes) -> dict[str, bytes]:
    opened = vault.open(lambda: key)
    return {name: opened.keys.open(name, record) for name, record in opened.document.records.items()}


def changes(vault: Vault) -> dict[str, tuple[Callable[[], None], bytes]]:
    fixed = kdf.fresh(kdf.PBKDF2)
    kdf.derive(fixed, NEW)  # remembered: each child would derive it anew

    def passphrases() -> None:
        kdf.fresh = lambda _: fixed
        vault.rotate_passphrase(kdf.PBKDF2, passphrase, lambda: NEW)

    def value() -> None:
        vault.set("one", VALUES["one"], passphrase)

    return {
        "passphrase": (passphrases, NEW),
        "data key": (lambda: vault.rotate_data_key(passphrase), PASSPHRASE),
        "value": (value, PASSPHRASE),
    }


@pytest.mark.parametrize("which", ["passphrase", "data key", "value"])
def test_nothing_is_lost_at_whatever_step_a_change_is_killed(made: bytes, tmp_path: Path, which: str) -> None:
    vault = in_place(tmp_path / "state", made)
    values(vault, PASSPHRASE)
    change, after = changes(vault)[which]
    seen: set[bool] = set()
    step = 0
    while True:
        in_place(tmp_path / "state", made)
        killed = run_killed(change, step)
        data = vault.file.path.read_bytes()
        changed = data != made
        seen.add(changed)
        assert values(vault, after if changed else PASSPHRASE) == VALUES, f"step {step}"
        # What it left is in nobody's way.
        vault.set("more", b"x", lambda key=after if changed else PASSPHRASE: key)
        if not killed:
            break
        step += 1
    assert step > 6, "a replacement has more steps than that: this kills nothing"
    assert seen == {False, True}
