/* Start the tool as the first process of an outer PID namespace: `aisbx_linux/spawn.py` and `cradle.py`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "front.h"
#include "kernel.h"

/* The tool's and the sandbox's first process count too; a limit on tasks is meant for the command's own. */
#define EXTRA_TASKS 2

/* Keep uid and gid in the user namespace that this process has just been made in. */
static int keep_identity(unsigned int uid, unsigned int gid)
{
    char map[64];

    if (put_file("/proc/self/setgroups", "deny") != 0) {
        return -1;
    }
    (void)snprintf(map, sizeof map, "%u %u 1", uid, uid);
    if (put_file("/proc/self/uid_map", map) != 0) {
        return -1;
    }
    (void)snprintf(map, sizeof map, "%u %u 1", gid, gid);
    return put_file("/proc/self/gid_map", map);
}

static rlim_t least(rlim_t one, rlim_t other)
{
    return one < other ? one : other;
}

/* Set the plan's limits on this process, never above its present hard ones. */
static int limit_self(const struct run *run)
{
    for (size_t at = 0; at < run->plan->rlimit_count; at++) {
        const struct plan_rlimit *row = &run->plan->rlimits[at];
        rlim_t more = row->resource == RLIMIT_NPROC ? EXTRA_TASKS : 0;
        struct rlimit present, limit;

        if (getrlimit((unsigned int)row->resource, &present) != 0) {
            return -1;
        }
        limit.rlim_cur = row->soft == RLIM_INFINITY ? RLIM_INFINITY : row->soft + more;
        limit.rlim_max = row->hard == RLIM_INFINITY ? RLIM_INFINITY : row->hard + more;
        limit.rlim_cur = least(limit.rlim_cur, present.rlim_max);
        limit.rlim_max = least(limit.rlim_max, present.rlim_max);
        if (setrlimit((unsigned int)row->resource, &limit) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Become the sandbox's user on the host, with no group more. By system call: this process has one thread. */
static int become(unsigned int outside)
{
    return syscall(SYS_setgroups, 0, NULL) == 0 && syscall(SYS_setresgid, outside, outside, outside) == 0 &&
                   syscall(SYS_setresuid, outside, outside, outside) == 0
               ? 0
               : -1;
}

void reset_signals(void)
{
    sigset_t none;

    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGXFSZ, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What the child does: it becomes the tool, with an empty environment and nothing open but what is meant for it. What
 * goes wrong is not told: Python tries again and tells. */
static _Noreturn void become_tool(struct run *run, char **words, unsigned int uid, unsigned int gid)
{
    static char *const nothing[] = {NULL};
    char program[32];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setsid() < 0 || (!run->plan->outsider && keep_identity(uid, gid) != 0) ||
        (run->layout.used && stage(run) != 0) || (run->grouped && group_enter(&run->group) != 0) ||
        close_later(3) != 0) {
        _exit(1);
    }
    for (size_t at = 0; at < run->passed_count; at++) {
        if (dup2(run->passed[at], run->base + (int)at) < 0) {
            _exit(1);
        }
    }
    for (int at = 2; at >= 0; at--) {
        if (dup2(run->inside[at], at) < 0) {
            _exit(1);
        }
    }
    if (run->plan->outsider && (limit_self(run) != 0 || become(run->outside) != 0)) {
        _exit(1);
    }
    reset_signals();
    /* By descriptor for root: `outside` may not be able to reach the path. */
    (void)snprintf(program, sizeof program, "/proc/self/fd/%d", run->program);
    (void)execve(run->plan->outsider ? program : run->plan->program, words, nothing);
    _exit(1);
}

const char *spawn(struct run *run)
{
    enum { OWN_WORDS = 8 };
    unsigned long flags = CLONE_NEWPID;
    unsigned int uid = geteuid(), gid = getegid();
    char numbers[3][16];
    size_t count = 0;
    char **words;

    while (run->line.command[count] != NULL) {
        count++;
    }
    words = calloc(count + OWN_WORDS + 1, sizeof *words);
    if (words == NULL) {
        return "no memory";
    }
    for (int at = 0; at < 3; at++) {
        (void)snprintf(numbers[at], sizeof numbers[at], "%d", run->base + at);
    }
    /* The gate is not among what is read from the pipe: a front that ended before it had written all runs nothing. */
    words[0] = "bwrap";
    words[1] = "--json-status-fd";
    words[2] = numbers[0];
    words[3] = "--seccomp";
    words[4] = numbers[1];
    words[5] = "--args";
    words[6] = numbers[2];
    words[7] = "--";
    for (size_t at = 0; at < count; at++) {
        words[OWN_WORDS + at] = run->line.command[at];
    }
    if (!run->plan->outsider) {
        flags |= CLONE_NEWUSER | (run->layout.used ? CLONE_NEWNS : 0);
    }
    run->monitor = clone_process(flags);
    if (run->monitor == 0) {
        become_tool(run, words, uid, gid);
    }
    free(words);
    return run->monitor > 0 ? NULL : "no PID namespace";
}
