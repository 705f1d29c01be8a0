"""What the system-call filter adds to a call: nanoseconds, with and without, interleaved. Needs a C compiler (`cc`).

Beside it stands the least that a filter can be, one instruction that allows everything: what that adds is the kernel's
own price for having a filter at all, and no filter is cheaper.

python -m benchmarks.syscalls [ROUNDS]
"""

import os
import statistics
import struct
import subprocess
import sys
import tempfile

from aisbx_linux.seccomp import compile_filter

SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
/* The best of many short batches: on a busy machine most batches are interrupted, a few are not. */
#define TIME(name, expression) do { double best = 1e18; \
    for (int batch = 0; batch < 300; batch++) { \
        double start = now(); for (int i = 0; i < 1000; i++) { expression; } \
        double spent = (now() - start) / 1000; if (spent < best) best = spent; } \
    printf("%s\t%.1f\n", name, best); } while (0)
int main(int count, char **arguments) {
    static struct sock_filter program[4096];
    if (count > 1) {
        FILE *file = fopen(arguments[1], "rb");
        struct sock_fprog filter = { fread(program, sizeof *program, 4096, file), program };
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) { perror("seccomp"); return 1; }
    }
    int zero = open("/dev/zero", O_RDONLY), pair[2];
    char byte[64];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    TIME("getpid", syscall(SYS_getpid));
    TIME("read", read(zero, byte, 1));
    TIME("ioctl", ioctl(zero, 0x5401, byte));
    TIME("openat+close", close(open("/dev/null", O_RDONLY)));
    TIME("send+recv", (send(pair[0], byte, 1, 0), recv(pair[1], byte, 1, 0)));
}
"""


_ALLOW_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
"""`return SECCOMP_RET_ALLOW` as a sock_filter."""


def main(rounds: int = 9) -> None:
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "cost")
        subprocess.run(["cc", "-O2", "-w", "-x", "c", "-o", program, "-"], input=SOURCE, text=True, check=True)
        variants = [[program]]
        for name, filter_ in (("least", _ALLOW_ALL), ("base", compile_filter(["base"]))):
            path = os.path.join(directory, name)
            with open(path, "wb") as file:
                file.write(filter_)
            variants.append([program, path])
        times: dict[str, list[list[float]]] = {}
        for _ in range(rounds):
            for index, argv in enumerate(variants):
                done = subprocess.run(argv, capture_output=True, text=True, check=True)
                for line in done.stdout.splitlines():
                    name, value = line.split("\t")
                    times.setdefault(name, [[] for _ in variants])[index].append(float(value))
    heads = ("no filter", "least filter adds", "base adds")
    print(f"{'ns a call':14} " + " ".join(f"{head:>18}" for head in heads) + f"   (min / median of {rounds})")
    for name, rows in times.items():
        plain, least, base = ((min(values), statistics.median(values)) for values in rows)
        columns = [plain, *((filtered[0] - plain[0], filtered[1] - plain[1]) for filtered in (least, base))]
        print(f"{name:14} " + " ".join(f"{a:9.1f}/{b:8.1f}" for a, b in columns))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
