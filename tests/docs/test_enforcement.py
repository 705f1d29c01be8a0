"""The README's table of controls is what the kit saw, and what the driver reports here and now."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aisbx.errors import StateError
from aisbx_linux.cgroup.find import find

from .test_security import load

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools/document_enforcement.py"


def test_the_table_is_what_the_kit_saw_and_the_driver_says() -> None:
    done = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_table_that_says_more_than_the_driver_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    copy = tmp_path / "tools" / TOOL.name
    copy.write_bytes(TOOL.read_bytes())
    row = "| `limit:cpus` | the sandbox's share of processor time is capped | none |"
    text = (ROOT / "README.md").read_text()
    assert row in text
    (tmp_path / "README.md").write_text(text.replace(row, row.replace("none", "full")))
    (tmp_path / "docs").mkdir()
    for name in ("docs/limits.md", "docs/kit-results.json"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run([sys.executable, copy, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "python tools/document_enforcement.py" in done.stderr


RESULTS = ROOT / "docs/kit-results.json"


@pytest.mark.parametrize("user", ["user", "root"])
@pytest.mark.parametrize("control", json.loads(RESULTS.read_text())["root"]["controls"])
@pytest.mark.parametrize(("tool", "document"), [("enforcement", "README.md"), ("security", "docs/security.md")])
def test_another_result_of_the_kit_changes_the_tables(
    tool: str, document: str, control: str, user: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/limits.md", "docs/security.md"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    record = json.loads(RESULTS.read_text())
    attacks = record[user]["controls"][control]["attacks"]
    for name, text in attacks.items():
        attacks[name] = "full held" if text.endswith("refused") else "none refused"
    (tmp_path / "docs/kit-results.json").write_text(json.dumps(record))
    module = load(ROOT / f"tools/document_{tool}.py")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "docs/kit-results.json")
    text = (ROOT / document).read_text()
    assert (module.render(document, text) if tool == "enforcement" else module.render(text)) != text


@pytest.mark.parametrize("tool", ["enforcement", "security"])
def test_results_of_other_attacks_make_no_table(tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = json.loads(RESULTS.read_text())
    record["user"]["attacks"] = "of yesterday"
    (tmp_path / "old.json").write_text(json.dumps(record))
    module = load(ROOT / f"tools/document_{tool}.py")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "old.json")
    rows = module.controls if tool == "enforcement" else module.claims
    with pytest.raises(StateError, match="the results for user are of other attacks"):
        list(rows())


def test_a_run_with_the_defaults_is_reported_as_the_table_says(tmp_path: Path) -> None:
    project = tmp_path / "home/project"
    project.mkdir(parents=True)
    command = [Path(sys.executable).parent / "aisbx", "run", "--dry-run", "--json", "--", "true"]
    environ = {"HOME": str(project.parent), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=project, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()
    report = json.loads(done.stdout)["enforcement"]
    rows = [line.split(" | ") for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `")]
    written = {row[0].strip("| `"): (row[2], row[3].removesuffix(" |")) for row in rows}
    assert written.keys() == report.keys()
    cgroups = find()
    for name, (level, text) in written.items():
        limit = name.removeprefix("limit:")
        if limit in cgroups.by_limit:
            assert report[name] == {"level": "full", "mechanism": cgroups.mechanism(limit)}
            continue
        assert report[name]["level"] == level, name
        if name == "priv:not-root" and os.geteuid() == 0:
            continue  # the one mechanism that is another for root
        how = "; ".join(filter(None, (report[name].get("mechanism"), report[name].get("reason"))))
        # Why there is no cgroup here is this machine's to say.
        assert how == text or (limit in cgroups.reasons and how == f"{text}: {cgroups.reasons[limit]}")
