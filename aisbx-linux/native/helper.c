/* Start commands in a sandbox for one client, one after the other: `aisbx_linux/lasting/helper.py`, which says why, in C.
 *
 * Started by aisbx_linux/lasting/helped.py alone, with a socket as descriptor 3 and a memory file as 4, and, where it has
 * an argument, a connection to who watches the sandbox as 5. A message is its size (4 bytes, little-endian) and what
 * plan_read.h reads: numbers, texts, bytes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "answer.h"
#include "command.h"
#include "join.h"
#include "plan_read.h"

enum {
    SOCKET = 3,
    PIDS = 4,          /* a memory file that always has the pid of the command that runs, 0 for none */
    WATCH = 5,
    PIDS_SIZE = 4096,  /* bytes; the first eight are the pid */
    SMALL = 1 << 16,   /* bytes of a message that needs no memory of its own */
    MOST = 1 << 26,    /* bytes of any message */
    PATH_ROOM = 4096,
};
#define NR_CLOSE_RANGE 436 /* of the generic table, the same on x86_64 and aarch64 */
#define STARTING UINT64_MAX /* in PIDS instead of a pid that is not known yet */

static char small[SMALL];
static volatile uint64_t *running;

static void say(const void *data, size_t size, const char *text) {
    char message[sizeof(uint32_t) + 512];
    uint32_t length = (uint32_t)(size + strnlen(text, sizeof message - sizeof length - size));
    memcpy(message, &length, sizeof length);
    memcpy(message + sizeof length, data, size);
    memcpy(message + sizeof length + size, text, length - size);
    if (send(SOCKET, message, sizeof length + length, MSG_NOSIGNAL) != (ssize_t)(sizeof length + length))
        _exit(0); /* the client has gone */
}

static void refuse(int error, const char *text) {
    struct answer answer = {.kind = ANSWER_REFUSED, .status = error};
    say(&answer, sizeof answer, text);
}

/* Take the descriptors of a message, closed on exec; false where they are not as many as a request has. */
static bool take(struct msghdr *message, int descriptors[DESCRIPTORS]) {
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(DESCRIPTORS * sizeof(int)) || (message->msg_flags & MSG_CTRUNC) != 0)
        return false;
    memcpy(descriptors, CMSG_DATA(header), DESCRIPTORS * sizeof(int));
    return true;
}

/* Receive a message; gives its bytes, in memory of its own where it is long, and whether descriptors came with it. Ends
 * where the client has gone. */
static char *receive(size_t *size, int descriptors[DESCRIPTORS], bool *taken) {
    union {
        char room[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec into = {small, sizeof small};
    struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(SOCKET, &message, MSG_CMSG_CLOEXEC);
    uint32_t length;
    if (got < (ssize_t)sizeof length)
        _exit(0);
    *taken = take(&message, descriptors);
    memcpy(&length, small, sizeof length);
    char *data = length <= sizeof small - sizeof length ? small + sizeof length : length <= MOST ? malloc(length) : NULL;
    size_t have = (size_t)got - sizeof length;
    if (data == NULL || have > length)
        _exit(1);
    if (data != small + sizeof length)
        memcpy(data, small + sizeof length, have);
    while (have < length) {
        got = recv(SOCKET, data + have, length - have, 0);
        if (got <= 0)
            _exit(0);
        have += (size_t)got;
    }
    *size = length;
    return data;
}

/* Join the sandbox that the client names; gives a pidfd of its first process. Tells why not, and ends. */
static int join(bool watched) {
    int none[DESCRIPTORS];
    bool taken;
    struct reader reader = {0};
    char *data = receive(&reader.left, none, &taken);
    reader.next = data;
    struct joined_sandbox sandbox = {
        .first = (pid_t)read_number(&reader),
        .born = read_number(&reader),
        .uid = (uid_t)read_number(&reader),
        .gid = (gid_t)read_number(&reader),
        .watch = watched ? WATCH : -1,
        .run = "", /* of many commands */
    };
    struct plan_strings groups = read_strings(&reader);
    sandbox.groups = (const char *const *)groups.items; /* ends with a NULL */
    struct join_limit limits[RLIM_NLIMITS];
    sandbox.limits = limits;
    sandbox.limit_count = read_count(&reader, 3);
    for (size_t i = 0; i < sandbox.limit_count && i < RLIM_NLIMITS; i++) {
        limits[i].resource = (int)read_number(&reader);
        limits[i].soft = read_number(&reader);
        limits[i].hard = read_number(&reader);
    }
    struct plan_bytes filter = read_bytes(&reader);
    sandbox.filter = filter.data;
    sandbox.filter_size = filter.size;
    int process = -1;
    const char *problem = "what it was told is torn";
    if (!reader.failed && reader.left == 0 && sandbox.limit_count <= RLIM_NLIMITS) {
        process = join_open(&sandbox);
        problem = process < 0 ? "the sandbox has ended" : join_enter(&sandbox, process);
        if (problem == NULL && chdir("/") != 0)
            problem = "/: no such directory to start in";
        if (problem == NULL)
            problem = join_confine(&sandbox);
    }
    if (problem != NULL) {
        say("!", 1, problem);
        _exit(1);
    }
    plan_memory_free(&reader.memory);
    return process;
}

/* Close what is still open of a request. */
static void close_streams(struct request *request) {
    for (int i = 0; i < STREAMS; i++)
        if (request->descriptors[i] >= 0) {
            (void)close(request->descriptors[i]);
            request->descriptors[i] = -1;
        }
}

/* Tell how a command has ended, without reaping it; false where it has not. */
static bool ended(pid_t command, int flags, siginfo_t *how, struct rusage *used) {
    how->si_pid = 0;
    while (syscall(SYS_waitid, P_PID, command, how, flags | WEXITED | WNOWAIT | __WALL, used) < 0 && errno == EINTR)
        ;
    return how->si_pid == command;
}

/* Wait for a command's end; it ends with the client. */
static void await(pid_t command, int process, siginfo_t *how, struct rusage *used) {
    struct pollfd watched[2] = {{process, POLLIN, 0}, {SOCKET, POLLIN, 0}};
    while (poll(watched, 2, -1) < 0)
        ;
    if (watched[1].revents != 0) { /* it says nothing before it has its answer: it can only have gone */
        (void)kill(command, SIGKILL);
        _exit(0);
    }
    (void)ended(command, 0, how, used);
}

/* Tell of a command's end, as soon as it has. One that has hardly begun mostly has: it has had this processor alone. */
static void attend(pid_t command, int process, struct request *request) {
    struct rusage used;
    siginfo_t how;
    if (!ended(command, WNOHANG, &how, &used)) {
        close_streams(request); /* their end tells the client that this is about to answer */
        await(command, process, &how, &used);
    }
    *running = 0; /* before it is reaped: nobody else can have the number yet */
    struct answer answer = {
        ANSWER_ENDED,
        how.si_code == CLD_EXITED ? W_EXITCODE(how.si_status, 0)
                                  : how.si_status | (how.si_code == CLD_DUMPED ? WCOREFLAG : 0),
        used.ru_utime.tv_sec * INT64_C(1000000) + used.ru_utime.tv_usec,
        used.ru_stime.tv_sec * INT64_C(1000000) + used.ru_stime.tv_usec,
        used.ru_maxrss,
    };
    say(&answer, sizeof answer, "");
    (void)sched_yield(); /* the client first, should it wait for this very processor: all else is done meanwhile */
    close_streams(request);
    (void)close(process);
    while (waitpid(command, NULL, __WALL) < 0 && errno == EINTR)
        ;
}

/* Start what is asked for, and tell what came of it. */
static void serve(struct request *request) {
    int process = -1;
    if (chdir(request->cwd) != 0) {
        char text[PATH_ROOM + 128];
        int error = errno;
        (void)close(request->descriptors[JOINING]);
        close_streams(request);
        (void)snprintf(text, sizeof text, "%s: %s: no such directory to start in", request->cwd, strerror(error));
        refuse(0, text);
        return;
    }
    *running = STARTING;
    pid_t command = command_start(request, &process);
    int error = command < 0 ? errno : 0;
    *running = command < 0 ? 0 : (uint64_t)command;
    if (chdir("/") != 0) /* the workspace may be exchanged for another while there is nothing to do */
        _exit(1);
    (void)close(request->descriptors[JOINING]);
    if (command < 0) {
        close_streams(request);
        refuse(error, strerror(error));
    } else
        attend(command, process, request);
}

/* Close all from one on: the client has closed what could be inherited, and nothing of it may get inside. */
static void close_from(unsigned int first) {
    if (syscall(NR_CLOSE_RANGE, first, ~0U, 0) == 0)
        return;
    for (long i = first, most = sysconf(_SC_OPEN_MAX); i < most; i++) /* Linux before 5.9 */
        (void)close((int)i);
}

int main(int argc, char **argv) {
    bool watched = argc > 1;
    (void)argv;
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL); /* Python ignores them, a command expects their defaults */
    (void)signal(SIGXFSZ, SIG_DFL);
    for (int i = SOCKET; i <= (watched ? WATCH : PIDS); i++)
        if (fcntl(i, F_SETFD, FD_CLOEXEC) != 0)
            return 1;
    close_from((watched ? WATCH : PIDS) + 1);
    running = mmap(NULL, PIDS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, PIDS, 0);
    if (running == MAP_FAILED)
        return 1;
    int first = join(watched);
    say(".", 1, "");
    struct pollfd idle[2] = {{SOCKET, POLLIN, 0}, {first, POLLIN, 0}};
    for (;;) {
        struct request request;
        struct reader reader = {0};
        bool taken;
        if (poll(idle, 2, -1) < 0)
            continue;
        if (idle[1].revents != 0)
            return 0;
        char *data = receive(&reader.left, request.descriptors, &taken);
        reader.next = data;
        request.cwd = read_string(&reader);
        request.argv = read_strings(&reader);
        request.environment = read_strings(&reader);
        if (!taken || reader.failed || reader.left != 0 || request.argv.count == 0)
            return 1;
        serve(&request);
        plan_memory_free(&reader.memory);
        if (data != small + sizeof(uint32_t))
            free(data);
    }
}
