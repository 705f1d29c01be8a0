/* Watch one sandbox: `aisbx_linux/watching/serve.py`, which says why, in C, and small, for there is one for each sandbox.
 *
 * It reads its job from descriptor 0 (numbers, texts, bytes, see plan_read.h) and writes "." to 1, or what kept it from
 * beginning. Each call is answered with the errno of the filter, and nothing else: there is no code here that lets one go
 * on. What is told of it is given to another process (recorder.h). With an argument it only tries to have a listener.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "join.h"
#include "notify.h"
#include "plan_read.h"
#include "recorder.h"
#include "tally.h"

enum { FIRST, OWNER, DOOR, CONNECTION, LISTENER, RECORDER }; /* what a descriptor of the poller is */
enum { RUN = TALLY_RUN, BACKLOG = 64, LARGEST = 8 << 20, TICK = 1000 };
#define PIDFD_SEND_SIGNAL 424 /* of the generic table */

static struct {
    int poller, first, owner, tool, door;
    const struct sock_filter *program;
    size_t count;
    struct recorder recorder;
    char (*runs)[RUN]; /* by the listener's descriptor */
    int room;
} watch;

static _Noreturn void give_up(const char *why) {
    (void)!write(1, why, strlen(why));
    _exit(1);
}

static bool add(int descriptor, uint64_t kind) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = kind << 32 | (uint32_t)descriptor};
    return epoll_ctl(watch.poller, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

static void forget(int descriptor) {
    (void)close(descriptor); /* and so no more of the poller's */
}

static void notified(int listener, uint32_t events) {
    static char room[NOTIFY_ROOM];
    struct seccomp_notif call = {0};
    if ((events & EPOLLIN) == 0) { /* nobody has the filter any more */
        forget(listener);
        return;
    }
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
        return; /* who made it has gone */
    struct seccomp_notif_resp answer = {.id = call.id};
    int error = notify_errno(watch.program, watch.count, &call.data);
    size_t size = 0;
    answer.error = -error;
    if (tally_describes())
        size = notify_told(room, &call.data, 0, error, watch.runs[listener], &call, listener);
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    if (size == 0 || !recorder_tell(&watch.recorder, room, size))
        tally_add(watch.runs[listener], &call.data, error);
}

/* Take a listener of a connection, or let go what has ended. */
static void take(int connection) {
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control;
    char told[sizeof(uint32_t) + RUN];
    struct iovec into = {told, sizeof told - 1};
    struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(connection, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    struct cmsghdr *header = size > (ssize_t)sizeof(uint32_t) ? CMSG_FIRSTHDR(&message) : NULL;
    int listener;
    if (header == NULL || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof listener)) {
        forget(connection);
        return;
    }
    memcpy(&listener, CMSG_DATA(header), sizeof listener);
    if (listener >= watch.room) {
        char(*more)[RUN] = realloc(watch.runs, ((size_t)listener + 16) * RUN);
        if (more == NULL) {
            forget(listener); /* what has the filter is refused, and not told of */
            return;
        }
        watch.runs = more;
        watch.room = listener + 16;
    }
    told[size] = '\0';
    const char *run = told + sizeof(uint32_t);
    (void)snprintf(watch.runs[listener], RUN, "%s", strcmp(run, "-") == 0 ? "" : run);
    if (!add(listener, LISTENER))
        forget(listener);
}

static void accept_one(void) {
    int connection = accept4(watch.door, NULL, NULL, SOCK_CLOEXEC);
    if (connection >= 0 && !add(connection, CONNECTION))
        forget(connection);
}

static _Noreturn void work(void) {
    for (;;) {
        struct epoll_event event; /* one at a time: what it leads to may close another, whose number is used again */
        int patience = tally_patience();
        if (patience < 0 && recorder_behind())
            patience = TICK;
        int found = epoll_wait(watch.poller, &event, 1, patience);
        tally_tell(&watch.recorder, false);
        if (found <= 0) {
            recorder_serve(&watch.recorder);
            continue;
        }
        int descriptor = (int)(uint32_t)event.data.u64;
        switch (event.data.u64 >> 32) {
        case FIRST:
            tally_tell(&watch.recorder, true);
            recorder_end(&watch.recorder);
            _exit(0);
        case OWNER:
            (void)syscall(PIDFD_SEND_SIGNAL, watch.tool, SIGKILL, NULL, 0);
            forget(watch.owner);
            break;
        case DOOR:
            accept_one();
            break;
        case CONNECTION:
            take(descriptor);
            break;
        case LISTENER:
            notified(descriptor, event.events);
            break;
        default:
            recorder_serve(&watch.recorder);
        }
    }
}

/* Give a pidfd of a process that was told by pid and moment of birth; -1 where it has ended. */
static int process(struct reader *reader) {
    struct joined_sandbox sandbox = {.first = (pid_t)read_number(reader)};
    sandbox.born = read_number(reader);
    return join_open(&sandbox);
}

static int opened(const char *home) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int directory = open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/watch", directory);
    if (directory < 0 || door < 0 || (unlinkat(directory, "watch", 0) != 0 && errno != ENOENT) ||
        bind(door, (struct sockaddr *)&address, sizeof address) != 0 || listen(door, BACKLOG) != 0)
        give_up("its socket cannot be made in the sandbox's directory");
    (void)close(directory);
    return door;
}

/* Read the whole job; it stays for as long as this lives. */
static void read_job(struct reader *reader) {
    size_t size = 0, room = 0;
    char *data = NULL;
    for (ssize_t got = 1; got > 0; size += (size_t)got) {
        if (size == room) {
            room = room == 0 ? 1 << 16 : 2 * room;
            data = room > LARGEST ? NULL : realloc(data, room);
            if (data == NULL)
                give_up("no memory");
        }
        got = read(0, data + size, room - size);
        if (got < 0)
            give_up("its job cannot be read");
    }
    reader->next = data;
    reader->left = size;
}

/* Tell by the exit code whether a process here may have a listener: 0, or an errno. */
static int try_listener(void) {
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) < 0)
        return errno;
    return 0;
}

int main(int argc, char **argv) {
    struct reader reader = {0};
    struct rlimit most;
    (void)argv;
    if (argc > 1)
        return try_listener();
    read_job(&reader);
    const char *lock = read_string(&reader), *record = read_string(&reader);
    struct plan_strings words = read_strings(&reader);
    struct plan_bytes job = read_bytes(&reader);
    const char *home = read_string(&reader);
    bool eager = read_number(&reader) != 0, owned = read_number(&reader) != 0;
    watch.first = process(&reader);
    watch.tool = process(&reader);
    watch.owner = owned ? process(&reader) : -1;
    struct plan_bytes filter = read_bytes(&reader);
    if (reader.failed || reader.left != 0 || words.count == 0 || filter.size % sizeof(struct sock_filter) != 0)
        give_up("its job is torn");
    if (watch.first < 0 || watch.tool < 0 || (owned && watch.owner < 0))
        give_up("the sandbox has ended");
    pid_t child = fork();
    if (child < 0)
        give_up("no process can be made");
    if (child > 0)
        _exit(0);
    int held = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (held < 0)
        give_up("its lock cannot be opened");
    if (flock(held, LOCK_EX | LOCK_NB) != 0) {
        (void)!write(1, ".", 1); /* somebody watches already */
        return 0;
    }
    struct sock_filter *aligned = malloc(filter.size);
    if (aligned == NULL)
        give_up("no memory");
    memcpy(aligned, filter.data, filter.size);
    watch.program = aligned;
    watch.count = filter.size / sizeof *aligned;
    watch.poller = epoll_create1(EPOLL_CLOEXEC);
    watch.door = opened(home);
    int memory = memfd_create("aisbx-job", MFD_CLOEXEC);
    if (watch.poller < 0 || memory < 0 || write(memory, job.data, job.size) != (ssize_t)job.size)
        give_up("no memory");
    watch.recorder = (struct recorder){words.items, memory, record, watch.poller, (unsigned long long)RECORDER << 32};
    if (getrlimit(RLIMIT_NOFILE, &most) == 0) { /* a listener for each command that is left running */
        most.rlim_cur = most.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &most);
    }
    if (!add(watch.first, FIRST) || !add(watch.door, DOOR) || (owned && !add(watch.owner, OWNER)))
        give_up("it cannot wait for the sandbox");
    (void)signal(SIGCHLD, SIG_IGN); /* nobody waits for a recorder */
    (void)!write(1, ".", 1);
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++)
        (void)dup2(null, i);
    if (null > 2)
        (void)close(null);
    if (chdir("/") != 0)
        _exit(1);
    if (eager)
        recorder_start(&watch.recorder);
    work();
}
