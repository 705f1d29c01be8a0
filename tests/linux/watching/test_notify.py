"""A filter that notifies differs from its original in one way only, and what listens can do one thing only."""

import errno

import pytest
from aisbx_linux.seccomp import bpf
from aisbx_linux.seccomp.compile import ARCHITECTURES, compile_filter
from aisbx_linux.seccomp.table import REVIEWED
from aisbx_linux.watching import notify

_USER_NOTIF = 0x7FC0_0000
_ERRNO = 0x0005_0000


@pytest.mark.parametrize("probes", [True, False])
@pytest.mark.parametrize("arch", sorted(ARCHITECTURES))
def test_what_was_refused_notifies_and_nothing_else_differs(arch: str, *, probes: bool) -> None:
    token = ARCHITECTURES[arch]
    program = compile_filter(["base"], arch=arch)
    before, after = bpf.decode(program), bpf.decode(notify.notifying(program, probes=probes))
    seen = {"refused": 0, "allowed": 0, "probed": 0, "killed": 0}
    for number in range(REVIEWED + 40):
        for arguments in ((0,) * 6, ((1 << 64) - 1,) * 6, (16, 3, 0, 0, 0, 0)):
            for abi in (token, 0x4000_0003):
                old, new = (bpf.run(each, number, abi, arguments) for each in (before, after))
                if old & 0xFFFF_0000 == _ERRNO and (probes or old != bpf.ret_errno(errno.ENOSYS)):
                    assert new == _USER_NOTIF
                    seen["refused"] += 1
                else:
                    assert new == old
                    kind = "allowed" if old == bpf.RET_ALLOW else "probed" if old & _ERRNO == _ERRNO else "killed"
                    seen[kind] += 1
    assert min(seen["refused"], seen["allowed"], seen["killed"]) > 100, seen
    assert (seen["probed"] > 100) is not probes, seen


def test_the_answer_is_an_errno_and_has_no_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, bytes]] = []

    def ioctl(_: int, request: int, data: bytes) -> None:
        sent.append((request, bytes(data)))

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    notify.Listener(-1, "").refuse(0x1122_3344_5566_7788, 1)
    ((request, answer),) = sent
    assert request == 0xC018_2101  # SECCOMP_IOCTL_NOTIF_SEND
    # struct seccomp_notif_resp: id, val, error, flags; SECCOMP_USER_NOTIF_FLAG_CONTINUE would be the last one's bit
    assert answer == (0x1122_3344_5566_7788).to_bytes(8, "little") + bytes(8) + b"\xff\xff\xff\xff" + bytes(4)
