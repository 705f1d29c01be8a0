"""`aisbx secret`: keep the vault. Values and passphrases come from stdin, a file or a terminal, never from argv."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from aisbx.audit.jsontext import dumps
from aisbx.audit.reserve import recording
from aisbx.audit.write import append_once, start
from aisbx.cli.render import emit_json, printable, table
from aisbx.cli.session import audit_place, principal, remote, server, session
from aisbx.cli.when import local
from aisbx.errors import UsageError
from aisbx.paths import read_at_most, state_dir
from aisbx.plan.run import new_run
from aisbx.profiles import hosts as rules
from aisbx.types import Binding

from aisbx_vault import kdf
from aisbx_vault.document import LARGEST_VALUE, bound
from aisbx_vault.passphrase import Passphrase, from_file, prompt
from aisbx_vault.vault import Ask, Vault

app = typer.Typer(help="Keep secrets in an encrypted file, and give them to sandboxes.", no_args_is_help=True)

INIT = """\b
Examples:
  aisbx secret init                          asks for a passphrase
  aisbx secret init --kdf keyring            the system's keyring has the key
"""
SET = """\b
Examples:
  aisbx secret set token                     asks for the value
  printf %s "$TOKEN" | aisbx secret set token
  aisbx secret set key --host api.example --method POST --path /v1/ < key
"""
LIST = """\b
Examples:
  aisbx secret list                          names only; needs no passphrase
"""
RM = """\b
Examples:
  aisbx secret rm token
"""
ROTATE = """\b
Examples:
  aisbx secret rotate                        another passphrase
  aisbx secret rotate --data-key             everything encrypted anew, under the same passphrase
"""
EXPORT = """\b
Examples:
  aisbx secret export token > token          as bytes; asks for the passphrase
"""
_METHODS = {"pbkdf2": kdf.PBKDF2, "argon2id": kdf.ARGON2ID, "keyring": kdf.KEYRING}
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="As `aisbx secret list` says.")]
NewFile = Annotated[
    str, typer.Option("--new-passphrase-file", metavar="FILE", help="Take the new passphrase from there.")
]
_Texts = list[str] | None


@app.command("init", epilog=INIT)
def init(
    method: Annotated[
        str, typer.Option("--kdf", metavar="METHOD", help="How it is opened: argon2id, pbkdf2 or keyring.")
    ] = "argon2id",
    new_file: NewFile = "",
) -> None:
    """Make an empty vault."""
    vault, passphrase = _vault()
    vault.create(_method(method), _new(new_file, passphrase))
    _record("init", "")
    print(f"made {vault.file.path}")


@app.command("set", epilog=SET)
def put(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    host: Annotated[
        _Texts, typer.Option("--host", metavar="HOST[:PORT]", help="Bind it: only to be sent there.")
    ] = None,
    method: Annotated[_Texts, typer.Option("--method", metavar="METHOD", help="And only with this method.")] = None,
    path: Annotated[_Texts, typer.Option("--path", metavar="PATH", help="And only below this path.")] = None,
) -> None:
    """Keep a secret, or a new value of it: from stdin, byte for byte, or asked for on a terminal."""
    binding = _binding(host or [], method or [], path or [])
    vault, passphrase = _vault()
    vault.records()  # that there is no vault is said before anybody types
    value = prompt(f"Value of {name}: ", again=True) if os.isatty(0) else read_at_most(0, LARGEST_VALUE + 1)
    version = vault.set(name, value, passphrase, binding)
    _record("set", name)
    print(f"{name}: version {version}")


@app.command("list", epilog=LIST)
def show(json: Json = False) -> None:
    """List the secrets, never a value; of a supervisor's host the names alone."""
    if remote:
        names: list[str] = server().get("secrets")["secrets"]
        if json:
            emit_json({"secrets": [{"name": name} for name in names]})
        else:
            print(table(("NAME",), [(printable(name),) for name in names]))
        return
    vault, _ = _vault()
    records = sorted(vault.records().items())
    if json:
        rows = [
            {"name": name, "version": row.version, "created": row.created, "binding": bound(row.binding)}
            for name, row in records
        ]
        emit_json({"secrets": rows, "opened_by": vault.method()})
        return
    cells = [
        (name, str(row.version), local(row.created), printable(", ".join(row.binding.hosts)) if row.binding else "-")
        for name, row in records
    ]
    print(table(("NAME", "VERSION", "SINCE", "BOUND TO"), cells))


@app.command("rm", epilog=RM)
def remove(name: Name) -> None:
    """Remove a secret."""
    vault, passphrase = _vault()
    vault.remove(name, passphrase)
    _record("rm", name)
    print(f"removed {name}")


@app.command("rotate", epilog=ROTATE)
def rotate(
    data_key: Annotated[bool, typer.Option("--data-key", help="Encrypt everything anew instead.")] = False,
    method: Annotated[str, typer.Option("--kdf", metavar="METHOD", help="Open it by another method from now on.")] = "",
    new_file: NewFile = "",
) -> None:
    """Change the passphrase, or the key that the secrets are encrypted with. Killed in between, nothing is lost."""
    vault, passphrase = _vault()
    if data_key:
        if method or new_file:
            raise UsageError("--data-key changes no passphrase", hint="rotate twice: without it, and with it")
        vault.rotate_data_key(passphrase)
    else:
        chosen = _method(method) if method else vault.method()
        ask = _new(new_file, None) if chosen != kdf.KEYRING else _nothing
        vault.rotate_passphrase(chosen, passphrase, ask)
    _record("rotate", "")
    print("the secrets are encrypted anew" if data_key else "the vault is opened by the new key from now on")


@app.command("export", epilog=EXPORT)
def export(name: Name) -> None:
    """Write a secret's value to stdout, byte for byte; to a file or another program, not to a terminal."""
    if os.isatty(1):
        raise UsageError("a terminal keeps what it has shown", hint=f"aisbx secret export {name} > FILE, or | PROGRAM")
    vault, passphrase = _vault()
    value = vault.get(name, passphrase)
    _record("export", name)
    sys.stdout.buffer.write(value)


def _vault() -> tuple[Vault, Passphrase]:
    here = session(project=False)
    return Vault(state_dir(here.inputs)), Passphrase(here.settings.secret_settings.get("vault", {}))


def _record(what: str, name: str) -> None:
    kind = f"secret.{what}"
    place = audit_place()
    Path(place["path"]).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with recording(place["path"], f"what was done ({kind})"):
        beginning = start(kind, new_run(), principal().id, "cli", [])
        append_once(place, f'{beginning},"secret":{dumps(name or None)}}}')


def _new(file: str, configured: Passphrase | None) -> Ask:
    if file:
        return lambda: from_file(os.path.abspath(file))
    if configured is not None and not configured.prompted:
        return configured
    return _asked_twice


def _asked_twice() -> bytes:
    return prompt("New passphrase: ", again=True)


def _nothing() -> bytes:
    return b""


def _method(name: str) -> str:
    if name in _METHODS:
        return _METHODS[name]
    if name in _METHODS.values():
        return name
    raise UsageError(f"--kdf: there is no method {name!r}", hint=f"one of {', '.join(_METHODS)}")


def _binding(hosts: list[str], methods: list[str], paths: list[str]) -> Binding | None:
    if not hosts:
        if methods or paths:
            raise UsageError("--method and --path stand with --host", hint="name the hosts that it may be sent to")
        return None
    for path in paths:
        if not path.startswith("/"):
            raise UsageError(f"--path: {path!r} does not begin with /", hint="write the beginning of a URL's path")
    for method in methods:
        if not method.isascii() or not method.isalpha():
            raise UsageError(f"--method: {method!r} is none", hint="write GET, POST, …")
    return Binding(tuple(_each(hosts, _host)), tuple(_each(methods, str.upper)), tuple(paths))


def _each(texts: list[str], read: Callable[[str], str]) -> list[str]:
    return [read(text) for text in texts]


def _host(text: str) -> str:
    try:
        return str(rules.parse(text))
    except ValueError as error:
        raise UsageError(f"--host: {error}", hint="write HOST, HOST:PORT or *.DOMAIN") from error
