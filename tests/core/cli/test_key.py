"""`aisbx key`: the secret is printed once, on stdout, and stands nowhere else."""

from pathlib import Path

import pytest
from aisbx.audit.write import ExportError
from aisbx.cli import key as command
from aisbx.errors import StateError
from aisbx.keys import Keyring

from .conftest import Cli


def test_a_key_is_shown_once_and_never_told_again(cli: Cli) -> None:
    made = cli("key", "create", "laptop", "-w", f"{cli.project}:cow")
    assert made.returncode == 0, made.stderr
    written = made.stdout.strip()
    assert written.startswith("aisbx_")
    assert written not in made.stderr
    listed = cli.json("key", "list")
    (row,) = listed["keys"]
    assert (row["name"], row["state"], row["scopes"], row["mode"]) == ("laptop", "active", ["run", "files"], "cow")
    assert "sha256" not in row
    assert cli.json("key", "revoke", "laptop")["revoked"]
    assert "revoked" in cli("key", "list").stdout
    log = (cli.state / "audit.jsonl").read_text()
    assert '"kind":"key.create"' in log
    assert '"kind":"key.revoke"' in log
    secret = written.split("_", 2)[2]
    for file in filter(Path.is_file, cli.home.rglob("*")):
        assert secret.encode() not in file.read_bytes(), file


def test_a_key_that_cannot_be_is_refused_in_one_line(cli: Cli) -> None:
    assert "may not be a workspace" in cli.refused("key", "create", "x", "-w", str(cli.home), code="workspace")
    assert "--expires" in cli.refused("key", "create", "x", "--expires", "soon", code="usage")
    assert "nope" in cli.refused("key", "create", "x", "-p", "nope", code="profile")


def test_a_key_whose_record_was_not_exported_is_revoked_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ExportError(28, "the head was not exported to /x: No space left on device")

    revoked: list[str] = []

    def revoke(_keyring: Keyring, name: str) -> None:
        revoked.append(name)

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(command, "append_once", fail)
    monkeypatch.setattr(Keyring, "revoke", revoke)
    key, _ = Keyring(tmp_path / "state").create("k", ["run"])
    with pytest.raises(StateError, match=r"was not exported to /x.*key.create .* has a record") as caught:
        command._record("key.create", key)
    assert caught.value.hint == "see audit.export"
    assert revoked == [key.id]
