"""What is advised where a sandbox is refused, by switches that this kernel may not have."""

import pytest
from aisbx_linux import remedy as module
from aisbx_linux.remedy import remedy

CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
PLENTY = {f"/proc/sys/user/max_{kind}_namespaces": "63000" for kind in ("user", "mnt", "pid", "net")}
# As bubblewrap 0.8 and 0.11 say it.
UID_MAP = "bwrap: setting up uid map: Permission denied"
LOOPBACK = "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted"
FULL = "bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)"


@pytest.mark.parametrize(
    ("switches", "refusal", "advice"),
    [
        ({CLONE: "0"}, "bwrap: No permissions to create new namespace", "kernel.unprivileged_userns_clone=1"),
        ({CLONE: "1"}, "bwrap: No permissions to create new namespace", "seccomp profile"),
        ({APPARMOR: "1"}, UID_MAP, "AppArmor profile"),
        ({APPARMOR: "1"}, LOOPBACK, "kernel.apparmor_restrict_unprivileged_userns=0"),
        ({APPARMOR: "0"}, LOOPBACK, "a container needs"),
        ({"/proc/sys/user/max_net_namespaces": "0"}, FULL, "user.max_net_namespaces=15000 (it is 0)"),
        ({}, FULL, "end sandboxes"),
        ({}, "bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "systempaths=unconfined"),
    ],
)
def test_the_advice_follows_the_machine_and_the_words(
    switches: dict[str, str], refusal: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _machine(switches, monkeypatch)
    assert advice in remedy(refusal)


def test_of_what_is_not_known_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine({}, monkeypatch)
    assert remedy("bwrap: Can't find source path /x: No such file or directory") == ""


def _machine(switches: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def read(switch: str) -> str:
        return {**PLENTY, **switches}.get(switch, "")

    monkeypatch.setattr(module, "_read", read)
