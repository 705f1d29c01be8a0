/* A call that a filter notifies of: what the filter answers, and what there is to tell of it. */
#ifndef AISBX_NOTIFY_H
#define AISBX_NOTIFY_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NOTIFY_ARGUMENTS = 6,
    NOTIFY_ROOM = 1 << 13, /* bytes of what is told of a call, at most */
};

/* Give the errno of a call by carrying the filter out as it was compiled: what it would have answered by itself, EPERM
 * should it allow the call now, or be none. */
int notify_errno(const struct sock_filter *program, size_t count, const struct seccomp_data *data);

/* Write what is told of calls (`aisbx_linux/watching/told.py` reads it), and give its size in bytes. Numbers of eight
 * bytes: how many there were, 0 for one that is described; number and arguments of the call, its errno, whether it waits
 * still; pids on the host and inside. Texts: the run and the program. Bytes: what lies where each argument points to. */
size_t notify_told(char room[NOTIFY_ROOM], const struct seccomp_data *data, uint64_t times, int error, const char *run,
                   const struct seccomp_notif *call, int listener);

#endif
