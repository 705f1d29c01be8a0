"""`aisbx profile` and `aisbx init`: seen, made, checked and trusted through the command line."""

import os
from pathlib import Path

from .conftest import Cli


def write_profile(cli: Cli, name: str, text: str) -> Path:
    directory = cli.config / "profiles"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.yaml").write_text(text)
    return directory / f"{name}.yaml"


def test_the_list_tells_where_each_profile_comes_from(cli: Cli) -> None:
    write_profile(cli, "mine", "description: my own\nextends: base\n")
    lines = cli("profile", "list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "FROM", "DESCRIPTION"]
    rows = {line.split()[0]: line for line in lines[1:]}
    assert {"base", "python-dev", "shell", "offline", "mine"} <= rows.keys()
    assert rows["mine"].split() == ["mine", "user", "my", "own"]
    assert "installed" in rows["base"]
    listed = cli.json("profile", "list")["profiles"]
    assert {"name": "mine", "origin": "user", "description": "my own"} in listed


def test_a_broken_profile_does_not_hide_the_others(cli: Cli) -> None:
    write_profile(cli, "bad", "colour: green\n")
    done = cli("profile", "list")
    assert done.returncode == 0
    row = next(line for line in done.stdout.splitlines() if line.startswith("bad "))
    assert "broken" in row
    assert "bad.yaml:1: colour" in row
    assert "python-dev" in done.stdout


def test_show_gives_the_composition(cli: Cli) -> None:
    write_profile(cli, "web", "extends: base\nnetwork: {allow: [pypi.example]}\nlimits: {memory: 3G, wall_time: 90s}\n")
    shown = dict(line.split(None, 1) for line in cli("profile", "show", "web").stdout.splitlines())
    assert shown["network"] == "allowlist: pypi.example"
    text = cli("profile", "show", "web").stdout
    assert "memory 3G (default)" in text
    assert "wall_time 1m30s (default)" in text
    profile = cli.json("profile", "show", "web+offline")["profile"]
    assert profile["network"] == {"mode": "none", "allow": [], "proxy": None}
    assert profile["limits"]["memory"] == {"amount": 3 << 30, "strength": "default"}


def test_a_profile_that_is_not_there_is_refused(cli: Cli) -> None:
    assert "nope" in cli.refused("profile", "show", "nope", code="profile")
    assert cli.json("profile", "show", "nope", code=125)["error"]["code"] == "profile"


def test_a_created_profile_can_be_used_and_is_not_overwritten(cli: Cli) -> None:
    done = cli("profile", "create", "mine", "--from", "python-dev+offline")
    assert done.returncode == 0, done.stderr
    path = cli.config / "profiles" / "mine.yaml"
    assert str(path) in done.stdout
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(path.parent).st_mode & 0o777 == 0o700
    assert cli.json("profile", "show", "mine")["profile"]["toolchains"] == ["python"]
    path.write_text(path.read_text() + "shell: /bin/sh\n")
    assert "already" in cli.refused("profile", "create", "mine", code="usage")
    assert "shell: /bin/sh" in path.read_text()
    assert cli("profile", "create", "mine", "--force").returncode == 0
    assert "shell: /bin/sh" not in path.read_text()


def test_a_new_profile_takes_no_name_that_is_taken_or_is_none(cli: Cli) -> None:
    cli.refused("profile", "create", "base", "--force", code="usage")
    cli.refused("profile", "create", "../x", code="profile")
    cli.refused("profile", "create", "x", "--from", "nope", code="profile")
    cli.refused("profile", "create", "x", "--from", "x", code="usage")
    assert not (cli.config / "profiles").exists()


def test_validate_names_file_line_and_key_of_what_is_wrong(cli: Cli) -> None:
    write_profile(cli, "good", "extends: base\n")
    bad = write_profile(cli, "bad", "description: x\nlimits:\n  memory: lots\n")
    done = cli("profile", "validate", "good", "bad", "nope")
    assert done.returncode == 125
    assert done.stdout.splitlines()[0] == "good: ok"
    assert f"bad: profile: {bad}:3: limits.memory" in done.stdout
    assert "nope: profile: there is no profile" in done.stdout
    report = cli.json("profile", "validate", "good", "bad", code=125)
    assert report["valid"] is False
    assert report["profiles"]["good"] is None
    assert report["profiles"]["bad"]["code"] == "profile"
    assert cli("profile", "validate").returncode == 125


def test_validate_takes_a_file_where_it_lies(cli: Cli) -> None:
    (cli.project / "team.yaml").write_text("extends: python-dev\nnetwork: none\n")
    (cli.project / "odd.yaml").write_bytes(b"description: ok\nshell: \xff\n")
    assert cli("profile", "validate", "./team.yaml").stdout == "./team.yaml: ok\n"
    assert "odd.yaml:2: is not UTF-8" in cli("profile", "validate", "odd.yaml").stdout
    assert "cannot be read" in cli("profile", "validate", "./none.yaml").stdout


def test_detect_names_the_profile_that_suits(cli: Cli) -> None:
    assert cli("profile", "detect").stdout == "base\n"
    (cli.project / "pyproject.toml").touch()
    assert cli("profile", "detect").stdout == "python-dev\n"
    assert cli("profile", "detect", str(cli.project), cwd="/").stdout == "python-dev\n"
    found = cli.json("profile", "detect")
    assert found == {"profile": "python-dev", "kinds": ["python"], "evidence": {"python": "pyproject.toml"}}


def test_init_writes_what_it_detects_and_never_overwrites(cli: Cli) -> None:
    (cli.project / "requirements.txt").touch()
    done = cli("init")
    assert done.returncode == 0, done.stderr
    assert "requirements.txt (python)" in done.stdout
    file = cli.project / "aisbx.toml"
    assert 'profile = "python-dev"' in file.read_text()
    assert "exists" in cli.refused("init", code="usage")
    file.write_text("broken [\n")
    assert cli("init", "--force", "--profile", "shell").returncode == 0
    assert 'profile = "shell"' in file.read_text()


def test_init_refuses_a_profile_that_nobody_has(cli: Cli) -> None:
    cli.refused("init", "--profile", "nope", code="profile")
    cli.refused("init", "--profile", 'x"\npolicies = ["evil"', code="profile")
    assert not (cli.project / "aisbx.toml").exists()


def test_trust_lasts_until_the_content_changes(cli: Cli) -> None:
    file = cli.project / "aisbx.toml"
    file.write_text('profile = "python-dev"\n')
    origin = ("config", "show", "--origin")
    assert 'profile = "base"  # default' in cli(*origin).stdout
    done = cli("profile", "trust")
    assert done.returncode == 0, done.stderr
    assert "  aisbx.toml\n" in done.stdout
    assert f'profile = "python-dev"  # {file}:1 (trusted)' in cli(*origin).stdout
    file.write_text('profile = "python-dev"\n# changed\n')
    assert 'profile = "base"  # default' in cli(*origin).stdout
    cli("profile", "trust")
    assert cli("profile", "trust", "--revoke").returncode == 0
    assert 'profile = "base"  # default' in cli(*origin).stdout
    cli.refused("profile", "trust", "--revoke", code="usage")


def test_trust_of_a_directory_that_says_nothing_is_refused(cli: Cli) -> None:
    cli.refused("profile", "trust", code="untrusted")


def test_names_of_files_cannot_write_on_the_terminal(cli: Cli) -> None:
    (cli.project / ".aisbx").mkdir()
    (cli.project / ".aisbx" / "a\x1b[2Jb").touch()
    done = cli("profile", "trust")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "a\\x1b[2Jb" in done.stdout
