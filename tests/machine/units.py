"""The units that come with the supervisor, under a real systemd: `./dev units`, two minutes."""

import os
import sys
import tempfile
from pathlib import Path

from .boot import boot

CHECKOUT = Path(__file__).parents[2]
SHIPPED = str(CHECKOUT / "aisbx-supervisor/systemd")
HOMES = ("/root/", "/home/", "/run/user/")
HIDDEN = sorted({path for path in (sys.prefix, sys.base_prefix, str(CHECKOUT)) if path.startswith(HOMES)})
SHOWN = f"[Service]\nProtectHome=tmpfs\nBindReadOnlyPaths={' '.join(HIDDEN)}\n" if HIDDEN else ""
"""Of the homes that `ProtectHome=yes` hides, the service sees this Python and these sources, and nothing else."""
SERVICE = """
set -e
echo 'aisbx:x:64322:64322::/var/lib/aisbx:/usr/sbin/nologin' >> /etc/passwd
echo 'aisbx:x:64322:' >> /etc/group
printf '#!/bin/sh\nexec %s -I -m aisbx_supervisor "$@"\n' "$1" > /usr/local/bin/aisbx-supervisor
chmod 755 /usr/local/bin/aisbx-supervisor
cp "$2"/aisbx-supervisor.* /etc/systemd/system
mkdir /etc/systemd/system/aisbx-supervisor.service.d
printf %s "$3" > /etc/systemd/system/aisbx-supervisor.service.d/shown.conf
systemctl daemon-reload
systemctl start aisbx-supervisor.socket
ask() { curl -sS --fail-with-body --unix-socket /run/aisbx-supervisor.sock -H 'Content-Type: application/json' "$@"; }
systemctl is-active aisbx-supervisor.service || true
ask http://x/api/v1/sandboxes -d '{"name": "one", "pids": 50}' | cut -c1-14
text() { grep -o '"text":"[^"]*"' | head -1; }
ask http://x/api/v1/sandboxes/one/exec -d '{"argv": ["sh", "-c", "echo kept > /tmp/x; id -u"]}' | text
systemctl is-active aisbx-supervisor.service
systemctl kill -s KILL --kill-who=main aisbx-supervisor.service
ask http://x/api/v1/sandboxes/one/exec -d '{"argv": ["cat", "/tmp/x"]}' | text
systemctl reload aisbx-supervisor.service
systemctl show -p NRestarts --value aisbx-supervisor.service
ask -X DELETE http://x/api/v1/sandboxes/one
echo
systemctl stop aisbx-supervisor.socket aisbx-supervisor.service
systemctl show -p Result --value aisbx-supervisor.service
"""


def test_a_request_starts_the_service_which_is_confined_started_again_when_killed_and_leaves_sandboxes_alone() -> None:
    with tempfile.TemporaryDirectory(prefix="aisbx-units-") as folder:
        os.chmod(folder, 0o755)
        command = ("sh", "-c", SERVICE, "sh", sys.executable, SHIPPED, SHOWN)
        code, stdout, stderr = boot(Path(folder), [("service", "root", command)])["service"]
    assert code == 0, stdout + stderr
    first, made, uid, active, kept, restarts, gone, result = stdout.splitlines()
    assert (first, made, active, kept) == ("inactive", '{"name":"one",', "active", '"text":"kept\\n"'), stderr
    assert (uid, restarts, gone, result) == ('"text":"64322\\n"', "1", '{"findings":[]}', "success")
