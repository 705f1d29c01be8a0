/* See client.h. */
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "append.h"
#include "look.h"

enum {
    PAGE = 4096,         /* bytes of a file with counts, at most */
    LONGEST = 1 << 16,   /* bytes of a message that goes into any socket at once */
    STREAMS = 2,
    PASSED = 4,
};
#define SECOND INT64_C(1000000000)
#define BASELINE "baseline"

const int client_format = CLIENT_FORMAT;

struct client {
    int home; /* by which its files are named: a path as long costs as much as the file */
    int null;
    int64_t owner;
    size_t count;
    int files[CLIENT_COUNTS];
    char keys[CLIENT_COUNTS][64];
    struct look *look; /* NULL where no command can write to a watched workspace */
    struct stat remembered; /* the file that it was read from */
};

static int64_t now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* Tell whether what the workspace held is remembered still in just the file that was read. */
static bool remembered(const struct client *client) {
    struct stat status;
    return client->look == NULL ||
           (fstatat(client->home, BASELINE, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_ino == client->remembered.st_ino &&
            status.st_size == client->remembered.st_size && memcmp(&status.st_mtim, &client->remembered.st_mtim, sizeof status.st_mtim) == 0 &&
            memcmp(&status.st_ctim, &client->remembered.st_ctim, sizeof status.st_ctim) == 0);
}

struct client *client_open(const char *home, const char *workspace, int null, int64_t owner, size_t count,
                           const int *files, const char *const *keys) {
    struct client *client = count > CLIENT_COUNTS ? NULL : calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    char baseline[PATH_MAX];
    int named = snprintf(baseline, sizeof baseline, "%s/%s", home, BASELINE);
    client->home = open(home, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool usual = client->home >= 0 && named > 0 && (size_t)named < sizeof baseline;
    client->null = null;
    client->owner = owner;
    client->count = count;
    for (size_t i = 0; i < count && usual; i++) {
        client->files[i] = files[i];
        int size = snprintf(client->keys[i], sizeof client->keys[i], "%s ", keys[i]);
        usual = size > 1 && (size_t)size < sizeof client->keys[i];
    }
    if (usual && workspace != NULL) {
        struct plan plan = {0};
        plan.scans = baseline;
        plan.workspace = workspace;
        client->look = look_read(&plan);
        usual = client->look != NULL && look_share(client->look) && fstat(client->look->file, &client->remembered) == 0;
    }
    if (usual)
        return client;
    client_close(client);
    return NULL;
}

void client_close(struct client *client) {
    if (client == NULL)
        return;
    look_free(client->look);
    if (client->home >= 0)
        (void)close(client->home);
    free(client);
}

/* Give what keeps the sandbox as it is until it is closed (pause.share); -1 where anything is not as usual. */
static int share(const struct client *client) {
    struct stat status;
    int file = openat(client->home, "paused", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return -1;
    if (flock(file, LOCK_SH) == 0 && fstat(file, &status) == 0 && status.st_size == 0 &&
        fstatat(client->home, "changing", &status, 0) != 0 && errno == ENOENT &&
        fstatat(client->home, "used", &status, 0) != 0 && errno == ENOENT)
        return file;
    (void)close(file);
    return -1;
}

/* Read how often each limit was met (cgroup/group.py: count): 0 of a group that has gone. */
static void count(const struct client *client, int64_t counts[CLIENT_COUNTS]) {
    for (size_t i = 0; i < client->count; i++) {
        char text[PAGE + 1];
        ssize_t size = pread(client->files[i], text, PAGE, 0);
        size_t key = strlen(client->keys[i]);
        text[size < 0 ? 0 : size] = '\0';
        counts[i] = 0;
        for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
            line += *line == '\n';
            if (strncmp(line, client->keys[i], key) == 0) {
                counts[i] = strtoll(line + key, NULL, 10);
                break;
            }
        }
    }
}

static bool quiet(const struct client *client, const int64_t before[CLIENT_COUNTS]) {
    int64_t after[CLIENT_COUNTS];
    count(client, after);
    for (size_t i = 0; i < client->count; i++)
        if (after[i] > before[i])
            return false;
    return true;
}

static bool ask(int socket, const void *message, size_t size, const int passed[PASSED]) {
    union {
        char room[CMSG_SPACE(PASSED * sizeof(int))];
        struct cmsghdr aligned;
    } control = {{0}};
    struct iovec from = {(void *)(uintptr_t)message, size};
    struct msghdr told = {.msg_iov = &from, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&told);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(PASSED * sizeof(int));
    memcpy(CMSG_DATA(header), passed, PASSED * sizeof(int));
    return sendmsg(socket, &told, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

static void close_end(int64_t *descriptor) {
    if (*descriptor >= 0)
        (void)close((int)*descriptor);
    *descriptor = -1;
}

/* Make the pipes and ask; `writers` are their other ends. */
static bool begin(const struct client *client, int socket, const void *message, size_t size,
                  struct client_outcome *outcome, int writers[STREAMS]) {
    int out[2] = {-1, -1}, err[2] = {-1, -1};
    int joining = share(client);
    bool asked = joining >= 0 && remembered(client) && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0;
    if (asked && client->owner >= 0) /* else /dev/stdout could not be opened inside */
        asked = fchown(out[1], (uid_t)client->owner, (gid_t)client->owner) == 0 &&
                fchown(err[1], (uid_t)client->owner, (gid_t)client->owner) == 0;
    if (asked) {
        int passed[PASSED] = {client->null, out[1], err[1], joining};
        count(client, outcome->before);
        asked = ask(socket, message, size, passed);
    }
    int done[] = {joining, asked ? -1 : out[0], asked ? -1 : out[1], asked ? -1 : err[0], asked ? -1 : err[1]};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++)
        if (done[i] >= 0)
            (void)close(done[i]);
    writers[0] = out[1];
    writers[1] = err[1];
    outcome->reader[0] = asked ? out[0] : -1;
    outcome->reader[1] = asked ? err[0] : -1;
    return asked;
}

/* Read what is there of a stream; false where Python is to do it. */
static bool take(struct client_outcome *outcome, int stream) {
    size_t have = (size_t)outcome->size[stream], left = outcome->room - have;
    uint64_t all = (uint64_t)outcome->size[0] + (uint64_t)outcome->size[1];
    if (outcome->most != 0 && outcome->most - all < left)
        left = (size_t)(outcome->most - all);
    ssize_t got = left == 0 ? -1 : read((int)outcome->reader[stream], outcome->data[stream] + have, left);
    outcome->size[stream] += got > 0 ? got : 0;
    return got > 0;
}

/* Tell whether the helper says that the command ended, without taking what it says. */
static bool ended(int socket, struct client_outcome *outcome) {
    struct {
        uint32_t size;
        char answer[sizeof(struct answer)];
    } __attribute__((packed)) message;
    struct answer answer;
    if (recv(socket, &message, sizeof message, MSG_PEEK | MSG_DONTWAIT) != sizeof message ||
        message.size != sizeof answer)
        return false;
    memcpy(&answer, message.answer, sizeof answer);
    outcome->status = answer.status;
    outcome->user = answer.user;
    outcome->system = answer.system;
    outcome->peak = answer.peak;
    return answer.kind == ANSWER_ENDED;
}

/* Read the streams until the helper has its answer, which comes after all that the command printed; false where it is not
 * that the command ended. They don't end before, for their other ends are open here too: to be woken by that would be to
 * compete with the command's own end, and then with the helper, for a processor. */
static bool relay(int socket, struct client_outcome *outcome) {
    int64_t until = outcome->patience == 0 ? 0 : outcome->started + outcome->patience;
    for (;;) {
        /* The socket is looked at first: what a stream has after that was there before the answer. */
        struct pollfd watched[] = {
            {socket, POLLIN, 0}, {(int)outcome->reader[0], POLLIN, 0}, {(int)outcome->reader[1], POLLIN, 0}};
        int64_t left = until == 0 ? 0 : until - now();
        struct timespec wait = {left > 0 ? left / SECOND : 0, left > 0 ? left % SECOND : 0};
        if (ppoll(watched, 3, until == 0 ? NULL : &wait, NULL) <= 0)
            return false; /* a signal, or its time is over */
        bool drained = true;
        for (int i = 0; i < STREAMS; i++)
            if (watched[i + 1].revents != 0) {
                drained = false;
                if (!take(outcome, i))
                    return false;
            }
        if (drained && watched[0].revents != 0)
            return ended(socket, outcome);
    }
}

/* Let go of a command that was seen to its end. */
static bool let_go(int socket, struct client_outcome *outcome) {
    char taken[sizeof(uint32_t) + sizeof(struct answer)];
    if (recv(socket, taken, sizeof taken, MSG_DONTWAIT) != sizeof taken)
        return false;
    for (int i = 0; i < STREAMS; i++)
        close_end(&outcome->reader[i]);
    return true;
}

enum client_result client_run(const struct client *client, int socket, const void *message, const char *members,
                              struct client_outcome *outcome) {
    uint32_t size;
    memcpy(&size, message, sizeof size);
    outcome->started = now();
    outcome->size[0] = outcome->size[1] = outcome->recorded = 0;
    int writers[STREAMS];
    if (size > LONGEST || !begin(client, socket, message, sizeof size + size, outcome, writers))
        return CLIENT_NOT_ASKED;
    bool over = relay(socket, outcome);
    for (int i = 0; i < STREAMS; i++)
        (void)close(writers[i]);
    if (!over || !quiet(client, outcome->before))
        return CLIENT_GOES_ON;
    outcome->ended = now();
    if ((client->look != NULL && !(remembered(client) && look_same(client->look))) || !let_go(socket, outcome))
        return CLIENT_GOES_ON;
    outcome->recorded = outcome->log != NULL && record_ended(outcome->log, members, strlen(members), outcome);
    return CLIENT_ENDED;
}
