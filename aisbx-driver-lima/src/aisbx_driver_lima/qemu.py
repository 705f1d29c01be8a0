"""What Lima's QEMU is started through: without a network of its own, and emulated where the kernel gives no KVM."""

import os
import shutil
from collections.abc import Callable

_KVM_CREATE_VM = 0xAE01  # linux/kvm.h

WRAPPER = r"""#!/bin/sh
# Written by aisbx-driver-lima. The guest reaches nothing but the ssh that comes to it; without that, it does not start.
count=$#
networks=0
cut=0
previous=
while [ "$count" -gt 0 ]; do
    word=$1
    shift
    count=$((count - 1))
    case $previous in
        -netdev | --netdev)
            [ "$word" = help ] || networks=$((networks + 1))
            case $word in user,*) word=$word,restrict=on cut=$((cut + 1)) ;; esac
            ;;
        -nic | --nic | -net | --net) networks=$((networks + 1)) ;;
        -machine | -accel)
            [ -n "@KVM@" ] || word=$(printf '%s' "$word" | sed -e 's/accel=kvm/accel=tcg/' -e 's/^kvm/tcg/')
            ;;
        -cpu) [ -n "@KVM@" ] || case $word in host*) word=max${word#host} ;; esac ;;
    esac
    previous=$word
    set -- "$@" "$word"
done
if [ "$networks" -ne "$cut" ]; then
    echo 'aisbx-driver-lima: Lima gives the guest a network that cannot be cut off: it does not start' >&2
    exit 1
fi
[ "$networks" -gt 0 ] || set -- "$@" -nic none # otherwise QEMU gives it one
exec "@QEMU@" "$@"
"""


def kvm_works(device: str = "/dev/kvm") -> bool:
    """Tell whether a machine can be made with KVM: the device alone says nothing, in a container for example."""
    try:
        import fcntl

        kvm = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except (ImportError, OSError):
        return False
    try:
        os.close(fcntl.ioctl(kvm, _KVM_CREATE_VM, 0))
    except OSError:
        return False
    finally:
        os.close(kvm)
    return True


def find(arch: str, which: Callable[[str], str | None] = shutil.which) -> str:
    """Give the path of QEMU for an architecture; empty where there is none."""
    return which(f"qemu-system-{arch}") or ""


def wrapper(qemu: str, *, kvm: bool) -> str:
    """Give the text of the wrapper for the QEMU at a path."""
    return WRAPPER.replace("@QEMU@", qemu).replace("@KVM@", "yes" if kvm else "")
