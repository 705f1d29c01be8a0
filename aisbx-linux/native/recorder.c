/* See recorder.h. */
#define _GNU_SOURCE
#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SOCKET = 3,     /* in the recorder */
    RECORD = 4,
    WAITING = 512,  /* messages */
    PAUSE = 1,      /* seconds from one start to the next */
    PATIENCE = 10,  /* seconds for all that waits, at the end */
};
#define NR_CLOSE_RANGE 436 /* of the generic table, the same on x86_64 and aarch64 */

struct message {
    struct message *next;
    size_t size;
    char data[];
};

static struct message *first, **last = &first;
static size_t waiting;
static int connection = -1;
static bool asks; /* to be told when the socket takes more */
static time_t started = -1;

static time_t now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static _Noreturn void become(const struct recorder *recorder, int end) {
    char *const none[] = {NULL};
    char path[64];
    sigset_t nothing;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", recorder->job);
    int job = open(path, O_RDONLY), null = open("/dev/null", O_RDWR); /* from its beginning */
    int record = open(recorder->record, O_RDONLY | O_NOFOLLOW); /* that can be gone: then its job has to do */
    end = fcntl(end, F_DUPFD, RECORD + 1);
    record = record < 0 ? -1 : fcntl(record, F_DUPFD, RECORD + 1);
    (void)sigemptyset(&nothing);
    (void)sigprocmask(SIG_SETMASK, &nothing, NULL);
    (void)signal(SIGCHLD, SIG_DFL);
    if (job < 0 || null < 0 || end < 0 || dup2(job, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
        dup2(end, SOCKET) < 0 || (record < 0 ? dup2(null, RECORD) : dup2(record, RECORD)) < 0)
        _exit(1);
    (void)syscall(NR_CLOSE_RANGE, RECORD + 1, ~0U, 0); /* what could not be closed so is closed on exec, but for a few */
    (void)execve(recorder->argv[0], recorder->argv, none);
    _exit(1);
}

static void listen_to(const struct recorder *recorder, bool room) {
    struct epoll_event event = {.events = EPOLLRDHUP | (room ? EPOLLOUT : 0), .data.u64 = recorder->mark};
    if (connection >= 0 && room != asks && epoll_ctl(recorder->poller, EPOLL_CTL_MOD, connection, &event) == 0)
        asks = room;
}

void recorder_start(const struct recorder *recorder) {
    int ends[2];
    if (connection >= 0 || (started >= 0 && now() < started + PAUSE))
        return;
    started = now();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        int flags = fcntl(ends[1], F_GETFL);
        (void)fcntl(ends[1], F_SETFL, flags & ~O_NONBLOCK);
        become(recorder, ends[1]);
    }
    (void)close(ends[1]);
    struct epoll_event event = {.events = EPOLLRDHUP, .data.u64 = recorder->mark};
    if (child < 0 || epoll_ctl(recorder->poller, EPOLL_CTL_ADD, ends[0], &event) != 0) {
        (void)close(ends[0]);
        return;
    }
    connection = ends[0];
    asks = false;
}

static void hang_up(void) {
    if (connection >= 0)
        (void)close(connection); /* and so no more of the poller's */
    connection = -1;
}

/* Send what waits, as far as it is taken. */
static void flush(const struct recorder *recorder) {
    while (first != NULL && connection >= 0) {
        ssize_t sent = send(connection, first->data, first->size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
            listen_to(recorder, true);
            return;
        }
        if (sent < 0) { /* it ended just now: another one gets this */
            hang_up();
            recorder_start(recorder);
            continue;
        }
        struct message *done = first;
        first = done->next;
        last = first == NULL ? &first : last;
        waiting--;
        free(done);
    }
    listen_to(recorder, false);
}

bool recorder_tell(const struct recorder *recorder, const void *data, size_t size) {
    struct message *message = waiting >= WAITING ? NULL : malloc(sizeof *message + size);
    if (message != NULL) {
        message->next = NULL;
        message->size = size;
        memcpy(message->data, data, size);
        *last = message;
        last = &message->next;
        waiting++;
    }
    recorder_start(recorder);
    flush(recorder);
    return message != NULL;
}

bool recorder_behind(void) {
    return first != NULL && connection < 0;
}

void recorder_serve(const struct recorder *recorder) {
    struct pollfd state = {.fd = connection, .events = POLLRDHUP};
    if (connection >= 0 && poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR | POLLRDHUP)) != 0)
        hang_up();
    if (first != NULL) {
        recorder_start(recorder);
        flush(recorder);
    }
}

void recorder_end(const struct recorder *recorder) {
    for (time_t until = now() + PATIENCE; first != NULL && now() < until;) {
        recorder_start(recorder);
        flush(recorder);
        struct pollfd room = {.fd = connection, .events = POLLOUT}; /* one that is not there is not waited for */
        if (first != NULL)
            (void)poll(&room, 1, 100);
    }
    hang_up();
}
