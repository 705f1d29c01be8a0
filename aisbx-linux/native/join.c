/* See join.h. */
#define _GNU_SOURCE
#include "join.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define NR_PIDFD_OPEN 434 /* of the generic table, the same on x86_64 and aarch64 */

enum { PATH_ROOM = 4096, STAT_ROOM = 1024, STARTED = 19, MOST_CAPABILITIES = 64, RUN = 32, PATIENCE = 10 };

/* A name in /proc/PID/ns and its flag of clone(2). */
static const struct {
    const char *name;
    int flag;
} NAMESPACES[] = {
    {"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS},   {"pid", CLONE_NEWPID},       {"net", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP},
};

/* When a process was started, in ticks since boot; 0 where there is none, or it has ended and waits to be reaped. */
static uint64_t started(pid_t process) {
    char path[64], text[STAT_ROOM];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    (void)close(file);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    char *field = strrchr(text, ')'); /* behind the command's name, which may hold anything */
    if (field == NULL || field[1] != ' ' || field[2] == 'Z' || field[2] == 'X')
        return 0;
    field++;
    for (int i = 0; i < STARTED; i++) {
        field = strchr(field + 1, ' ');
        if (field == NULL)
            return 0;
    }
    return strtoull(field + 1, NULL, 10);
}

int join_open(const struct joined_sandbox *sandbox) {
    int process = (int)syscall(NR_PIDFD_OPEN, sandbox->first, 0);
    if (process < 0)
        return -1;
    if (started(sandbox->first) == sandbox->born) /* whoever has the number now had it when it was opened */
        return process;
    (void)close(process);
    errno = ESRCH;
    return -1;
}

static int enter_group(const char *group) {
    char path[PATH_ROOM];
    int file = -1;
    /* In version 1 by the thread alone, which need not wait. */
    static const char *const NAMES[] = {"tasks", "cgroup.procs"};
    for (size_t i = 0; i < 2 && file < 0; i++) {
        int size = snprintf(path, sizeof path, "%s/%s", group, NAMES[i]);
        if (size < 0 || (size_t)size >= sizeof path)
            return -1;
        file = open(path, O_WRONLY | O_CLOEXEC);
        if (file < 0 && errno != ENOENT)
            return -1;
    }
    if (file < 0)
        return -1;
    ssize_t written = write(file, "0", 1);
    (void)close(file);
    return written == 1 ? 0 : -1;
}

/* Flags for the namespaces in which a process is and this one is not; -1 where one can't be compared. */
static int differing(pid_t process) {
    int flags = 0;
    for (size_t i = 0; i < sizeof NAMESPACES / sizeof *NAMESPACES; i++) {
        char path[64];
        struct stat theirs, ours;
        (void)snprintf(path, sizeof path, "/proc/self/ns/%s", NAMESPACES[i].name);
        if (stat(path, &ours) != 0) {
            if (errno == ENOENT)
                continue; /* this kernel has none of that kind */
            return -1;
        }
        (void)snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)process, NAMESPACES[i].name);
        if (stat(path, &theirs) != 0)
            return -1;
        if (theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev)
            flags |= NAMESPACES[i].flag;
    }
    return flags;
}

const char *join_enter(const struct joined_sandbox *sandbox, int process) {
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return "this process cannot be closed to others";
    for (const char *const *group = sandbox->groups; *group != NULL; group++)
        if (enter_group(*group) != 0)
            return "entering the sandbox's cgroups was refused";
    if (geteuid() == 0 && setgroups(0, NULL) != 0)
        return "giving up groups was refused";
    int flags = differing(sandbox->first);
    if (flags < 0 || (flags != 0 && setns(process, flags) != 0))
        return "joining the sandbox's namespaces was refused";
    if (setresgid(sandbox->gid, sandbox->gid, sandbox->gid) != 0 ||
        setresuid(sandbox->uid, sandbox->uid, sandbox->uid) != 0)
        return "becoming the sandbox's user was refused";
    /* A change of user makes a process one that can be looked into again, or not, as the system likes (proc(5)). */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return "this process cannot be closed to others";
    return NULL;
}

static bool set_limit(const struct join_limit *limit) {
    struct rlimit present, wanted = {limit->soft, limit->hard};
    /* The sandbox's first process counts too; a limit on tasks is meant for the command's own (rlimits.OWN_TASKS). */
    if (limit->resource == RLIMIT_NPROC) {
        wanted.rlim_cur += wanted.rlim_cur != RLIM_INFINITY;
        wanted.rlim_max += wanted.rlim_max != RLIM_INFINITY;
    }
    if (getrlimit((unsigned int)limit->resource, &present) != 0)
        return false;
    if (wanted.rlim_cur > present.rlim_max)
        wanted.rlim_cur = present.rlim_max;
    if (wanted.rlim_max > present.rlim_max)
        wanted.rlim_max = present.rlim_max;
    return setrlimit((unsigned int)limit->resource, &wanted) == 0;
}

/* Give up every capability and any way to new ones. */
static bool give_up(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    for (unsigned long capability = 0; capability < MOST_CAPABILITIES; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            break; /* this kernel has no more */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

int join_watch(const char *home) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {PATIENCE, 0};
    int directory = open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int connection = directory < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* By the directory's descriptor: the name of a socket is short (unix(7)). */
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/watch", directory);
    if (connection >= 0 && (setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
                            connect(connection, (struct sockaddr *)&address, sizeof address) != 0)) {
        (void)close(connection);
        connection = -1;
    }
    if (directory >= 0)
        (void)close(directory);
    return connection;
}

unsigned int join_keep(int *tell, struct joined_sandbox *sandbox) {
    enum { TELL = 3, WATCH };
    int told = fcntl(*tell, F_DUPFD_CLOEXEC, WATCH + 1); /* out of the way, whichever numbers both have */
    int watch = sandbox->watch < 0 ? -1 : fcntl(sandbox->watch, F_DUPFD_CLOEXEC, WATCH + 1);
    if (told < 0 || dup3(told, TELL, O_CLOEXEC) < 0)
        return 0;
    *tell = TELL;
    if (sandbox->watch < 0)
        return WATCH;
    sandbox->watch = WATCH;
    return watch < 0 || dup3(watch, WATCH, O_CLOEXEC) < 0 ? 0 : WATCH + 1;
}

/* Put a filter on that notifies, and hand its listener over. From the one to the other nothing may be called that the
 * filter refuses: nobody would answer. */
static const char *be_watched(const struct sock_fprog *program, const struct joined_sandbox *sandbox) {
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control;
    char told[sizeof(uint32_t) + RUN];
    const char *run = sandbox->run[0] != '\0' ? sandbox->run : "-";
    uint32_t size = (uint32_t)strnlen(run, RUN);
    memcpy(told, &size, sizeof size);
    memcpy(told + sizeof size, run, size);
    memset(&control, 0, sizeof control);
    struct iovec data = {told, sizeof size + size};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    int listener =
        (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, program);
    if (listener < 0)
        return "a system-call filter with a listener was refused: is this process watched by another already?";
    memcpy(CMSG_DATA(header), &listener, sizeof listener);
    ssize_t sent = sendmsg(sandbox->watch, &message, MSG_NOSIGNAL);
    (void)close(listener);
    (void)close(sandbox->watch);
    return sent == (ssize_t)data.iov_len ? NULL : "who watches the sandbox has gone";
}

const char *join_confine(const struct joined_sandbox *sandbox) {
    size_t instructions = sandbox->filter_size / sizeof(struct sock_filter);
    if (instructions == 0 || instructions > BPF_MAXINSNS ||
        instructions * sizeof(struct sock_filter) != sandbox->filter_size)
        return "the system-call filter is none";
    for (size_t i = 0; i < sandbox->limit_count; i++)
        if (!set_limit(&sandbox->limits[i]))
            return "setting the sandbox's limits was refused";
    if (!give_up())
        return "giving up capabilities was refused";
    struct sock_fprog program = {
        (unsigned short)instructions,
        (struct sock_filter *)(uintptr_t)sandbox->filter,
    };
    if (sandbox->watch >= 0)
        return be_watched(&program, sandbox);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        return "the system-call filter was refused";
    return NULL;
}
