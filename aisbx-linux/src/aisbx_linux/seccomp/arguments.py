"""Calls of which the arguments decide. Few, because the kernel cannot skip the filter for them.

Only the low 32 bits of an argument are looked at, as the kernel does with an `int` or `unsigned int`: a filter that
compares all 64 is passed by with a bit set above them (CVE-2019-10063). The cases of a call are tried in order and
the first that fits decides, otherwise `otherwise`. Numbers are those of Linux on x86_64 and aarch64 alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass

ALLOW = "allow"
WHOLE = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Condition:
    """`argument` (0 to 5), with `mask` laid over its low 32 bits, is one of `values`."""

    argument: int
    values: tuple[int, ...]
    mask: int = WHOLE


@dataclass(frozen=True, slots=True)
class Case:
    """If all `conditions` hold, `verdict`: `ALLOW` or the name of an errno. Applies only where `group` is allowed."""

    verdict: str
    conditions: tuple[Condition, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """What of one call is refused; `why` in a few words."""

    call: str
    why: str
    cases: tuple[Case, ...]
    otherwise: str


# include/uapi/linux/sched.h: NEWTIME NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET. (In clone(2), the bit of
# NEWTIME belongs to the exit signal, and no signal has a number that high.)
_NEW_NAMESPACES = 0x80 | 0x2_0000 | 0x200_0000 | 0x400_0000 | 0x800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000

_SET_ID = 0o6000
_SET_ID_OR_DEVICE = 0o6000 | 0o020000  # S_IFCHR and S_IFBLK share a bit that no other file type of mknod(2) has
_CREATES = 0o100 | 0o20000000  # O_CREAT, __O_TMPFILE: without them the mode means nothing and may be garbage

_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_STREAM, _DGRAM, _RAW, _TYPE = 1, 2, 3, 0xF
_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_INTERNET = Condition(0, (_INET, _INET6))

_FASTOPEN = 0x2000_0000  # MSG_FASTOPEN: connects without connect(2)


def _namespaces(call: str) -> Check:
    quiet = Case(ALLOW, (Condition(0, (0,), _NEW_NAMESPACES),))
    return Check(
        call, "new namespaces: in a user namespace of its own a process has every capability", (quiet,), "EPERM"
    )


def _mode(call: str, argument: int, *, flags: int | None = None, bits: int = _SET_ID) -> Check:
    cases = [Case(ALLOW, group="set-id"), Case(ALLOW, (Condition(argument, (0,), bits),))]
    if flags is not None:
        cases.insert(1, Case(ALLOW, (Condition(flags, (0,), _CREATES),)))
    return Check(
        call,
        "set-uid and set-gid bits: in a workspace they would give this user's power to others",
        tuple(cases),
        "EPERM",
    )


def _send(call: str, flags: int) -> Check:
    refused = Case("EOPNOTSUPP", (Condition(flags, (_FASTOPEN,), _FASTOPEN),))
    return Check(call, "TCP fast open: a connection without connect(2)", (refused,), ALLOW)


# The ones that are called most come first.
CHECKS: Mapping[str, Check] = {
    check.call: check
    for check in (
        _mode("openat", 3, flags=2),
        Check(
            "ioctl",
            "typing into the terminal (TIOCSTI, TIOCLINUX) and line disciplines (TIOCSETD loads kernel modules)",
            (Case("EPERM", (Condition(1, (0x5412, 0x541C, 0x5423)),)),),
            ALLOW,
        ),
        _send("sendto", 3),
        _send("sendmsg", 2),
        _send("sendmmsg", 3),
        _mode("open", 2, flags=1),
        _namespaces("clone"),
        Check(
            "socket",
            "families other than Unix and the Internet's, protocols other than TCP, UDP and ping (MPTCP, SCTP, DCCP …)",
            (
                Case(ALLOW, (Condition(0, (_UNIX,)),), group="network-io"),
                Case(ALLOW, (_INTERNET, Condition(1, (_STREAM,), _TYPE), Condition(2, (0, _TCP))), group="network-io"),
                Case(
                    ALLOW,
                    (_INTERNET, Condition(1, (_DGRAM,), _TYPE), Condition(2, (0, _ICMP, _UDP, _ICMPV6))),
                    group="network-io",
                ),
                # What the kernel says to those without CAP_NET_RAW; ping looks for it before it tries without.
                Case("EPERM", (_INTERNET, Condition(1, (_RAW,), _TYPE))),
                # Go's net package takes this for a kernel without MPTCP and goes on with TCP.
                Case("EPROTONOSUPPORT", (_INTERNET,)),
                Case(ALLOW, (Condition(0, (_NETLINK,)), Condition(2, (0,))), group="netlink-route"),
            ),
            # Not EPERM: glibc's getaddrinfo and others go on when the kernel lacks netlink.
            "EAFNOSUPPORT",
        ),
        Check(
            "socketpair",
            "families other than Unix",
            (Case(ALLOW, (Condition(0, (_UNIX,)),)),),
            "EOPNOTSUPP",
        ),
        Check(
            "setsockopt",
            "TCP fast open, and TCP_ULP, which loads kernel modules",
            (Case("ENOPROTOOPT", (Condition(1, (6,)), Condition(2, (23, 30, 31)))),),
            ALLOW,
        ),
        _mode("fchmodat", 2),
        _mode("chmod", 1),
        _mode("fchmod", 1),
        _mode("fchmodat2", 2),
        _mode("creat", 1),
        _mode("mknodat", 2, bits=_SET_ID_OR_DEVICE),
        _mode("mknod", 1, bits=_SET_ID_OR_DEVICE),
        _namespaces("unshare"),
        Check(
            "personality",
            "all but asking, PER_LINUX and PER_LINUX32; ADDR_NO_RANDOMIZE with them in `debug` and `sanitizers`",
            (
                Case(ALLOW, (Condition(0, (0, 8, 0xFFFF_FFFF)),)),
                Case(ALLOW, (Condition(0, (0x4_0000, 0x4_0008)),), group="debug"),
                Case(ALLOW, (Condition(0, (0x4_0000, 0x4_0008)),), group="sanitizers"),
            ),
            "EPERM",
        ),
        Check(
            "seccomp",
            "listeners (SECCOMP_FILTER_FLAG_NEW_LISTENER); EBUSY is what a kernel says when there is one already",
            (Case("EBUSY", (Condition(0, (1,)), Condition(1, (8,), 8))),),
            ALLOW,
        ),
    )
}
