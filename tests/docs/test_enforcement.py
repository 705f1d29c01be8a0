"""The README's table of controls is what the driver reports, here and now."""

import json
import os
import subprocess
import sys
from pathlib import Path

from aisbx_linux.cgroup.find import find

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools/document_enforcement.py"


def test_the_table_is_the_drivers_own_report() -> None:
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
    (tmp_path / "docs/limits.md").write_bytes((ROOT / "docs/limits.md").read_bytes())
    done = subprocess.run([sys.executable, copy, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "python tools/document_enforcement.py" in done.stderr


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
