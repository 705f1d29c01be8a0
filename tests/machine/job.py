"""What the machine is there for: takes its steps one after the other, as root in a service of the system.

steps.json: (name, user, command) each, where the user is "root", or "guest" as at the end of a login by ssh: with a
manager of its own, in a group that is the system's. results.json: exit code, stdout and stderr by name.
"""

import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
HOMES = Path("/mnt/homes")
USER = 64_321


def take(user: str, command: list[str]) -> tuple[int, str, str]:
    uid = USER if user == "guest" else 0
    home = HOMES / user
    if not home.exists():
        (home / "project").mkdir(parents=True)
        for path in (home, home / "project"):
            os.chown(path, uid, uid)
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": f"/run/user/{uid}"}
    done = subprocess.run(
        ["timeout", "100", *command],
        cwd=home / "project",
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        user=uid,
        group=uid,
        extra_groups=(),
    )
    return done.returncode, done.stdout, done.stderr


if __name__ == "__main__":
    results = {"manager": take("root", ["systemctl", "start", f"user@{USER}.service"])}
    for name, user, command in json.loads((HERE / "steps.json").read_text()):
        results[name] = take(user, command)
        (HERE / "results.json").write_text(json.dumps(results))
