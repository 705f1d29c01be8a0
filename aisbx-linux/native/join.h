/* Join a sandbox that is there, and be confined as its first process is: `aisbx_linux/lasting/join.py`, which says why.
 *
 * Nothing here takes memory or buffers output, so all of it may be called in a child that shares its parent's memory.
 */
#ifndef AISBX_JOIN_H
#define AISBX_JOIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A limit of setrlimit(2). */
struct join_limit {
    int resource;
    uint64_t soft, hard;
};

/* A sandbox that lasts, as `lasting/identity.py` keeps it. */
struct joined_sandbox {
    pid_t first;             /* its first process, as the host numbers it */
    uint64_t born;           /* when that was started, in ticks since boot (proc_pid_stat(5), field 22) */
    uid_t uid;               /* inside */
    gid_t gid;
    const char *const *groups; /* the directories of its cgroups, then NULL */
    const struct join_limit *limits;
    size_t limit_count;
    const unsigned char *filter; /* sock_filter[] */
    size_t filter_size;          /* bytes */
    int watch;       /* a connection to who watches it, which gets the filter's listener; -1 where nobody is to */
    const char *run; /* told with the listener: at most 31 characters */
};

/* Connect to who watches the sandbox that has this home (`aisbx_linux/watching/hand.py`); -1 where nobody does. */
int join_watch(const char *home);

/* Give a pidfd, closed on exec, of just the sandbox's first process; -1 where it has ended. */
int join_open(const struct joined_sandbox *sandbox);

/* Have this process in the sandbox's cgroups and namespaces, as its user, and closed to others (PR_SET_DUMPABLE). Of its
 * processes only children of this one are among the sandbox's. 0, or what went wrong: then it is to end. */
const char *join_enter(const struct joined_sandbox *sandbox, int process);

/* Have a descriptor, and the connection to who watches, directly behind the three streams; gives the number from which on
 * all others may be closed, 0 where that can't be. */
unsigned int join_keep(int *tell, struct joined_sandbox *sandbox);

/* Set limits, give up every capability and any way to new ones, and put the filter on: in this order, each needs the
 * one before. Where somebody watches, its listener is handed over, and neither that nor the connection is kept. 0, or
 * what went wrong: then this process is to end. */
const char *join_confine(const struct joined_sandbox *sandbox);

#endif
