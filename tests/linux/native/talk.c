/* A client of a helper that says anything: `talk HOME TIMES`; tells how often each enum client_result came. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "answer.h"
#include "client.h"

enum { ROOM = 4096, MOST = 512, PASSED = 4 };
static uint32_t chance = 1;

static uint32_t choose(uint32_t below) {
    chance = chance * 1664525 + 1013904223;
    return (chance >> 8) % below;
}

static void print(int stream, uint32_t size) {
    static char data[3 * ROOM];
    while (size > 0) {
        ssize_t written = write(stream, data, size < sizeof data ? size : sizeof data);
        if (written <= 0)
            return;
        size -= (uint32_t)written;
    }
}

/* Take a request, print something, and give an answer that may be one. */
static void serve(int socket) {
    char message[MOST], control[CMSG_SPACE(PASSED * sizeof(int))];
    int passed[PASSED];
    struct iovec into = {message, sizeof message};
    struct msghdr told = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(socket, &told, 0) <= 0 || CMSG_FIRSTHDR(&told) == NULL)
        _exit(1);
    memcpy(passed, CMSG_DATA(CMSG_FIRSTHDR(&told)), sizeof passed);
    for (int stream = 1; stream <= 2; stream++)
        print(passed[stream], choose(4) == 0 ? choose(2 * ROOM) : choose(64));
    struct answer answer = {.kind = choose(8) == 0 ? choose(3) : ANSWER_ENDED, .status = (int)choose(1 << 16)};
    uint32_t size = sizeof answer;
    char said[sizeof size + sizeof answer + 64] = {0};
    memcpy(said + sizeof size, &answer, sizeof answer);
    if (choose(8) == 0)
        size = choose(2) == 0 ? chance : choose(sizeof answer + 64);
    memcpy(said, &size, sizeof size);
    size_t all = choose(6) == 0 ? choose(sizeof said) : sizeof size + sizeof answer;
    if (choose(8) == 0)
        said[choose(sizeof said)] ^= (char)(1 << choose(8));
    if (all > 0 && send(socket, said, all, MSG_NOSIGNAL) < 0)
        _exit(1);
    _exit(0);
}

/* One command; gives what came of it. */
static enum client_result talk(const struct client *client, unsigned char *const data[2]) {
    int ends[2];
    struct client_outcome outcome = {.data = {data[0], data[1]}, .room = ROOM, .reader = {-1, -1}};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        exit(3);
    choose(2);
    pid_t helper = fork();
    if (helper == 0) {
        close(ends[0]);
        serve(ends[1]);
    }
    close(ends[1]);
    outcome.patience = INT64_C(2000000000);
    outcome.most = choose(3) == 0 ? ROOM : 0;
    enum client_result result = client_run(client, ends[0], "\4\0\0\0told", "", &outcome);
    for (int i = 0; i < 2; i++) {
        if (outcome.size[i] < 0 || outcome.size[i] > ROOM || (result != CLIENT_GOES_ON && outcome.reader[i] >= 0))
            exit(4);
        if (outcome.reader[i] >= 0)
            close((int)outcome.reader[i]);
    }
    close(ends[0]);
    waitpid(helper, NULL, 0);
    return result;
}

int main(int count, char **words) {
    int said[3] = {0}, null = open("/dev/null", O_RDONLY | O_CLOEXEC), before = dup(null);
    static const char *const keys[] = {"oom_kill"};
    char path[4096];
    if (count != 3 || snprintf(path, sizeof path, "%s/counts", words[1]) < 0)
        return 2;
    int counts = open(path, O_RDONLY | O_CLOEXEC);
    close(before);
    /* Of just the size that is promised, so that the sanitizers see what goes beyond it. */
    unsigned char *data[2] = {malloc(ROOM), malloc(ROOM)};
    struct client *client = client_open(words[1], NULL, null, -1, 1, &counts, keys);
    if (client == NULL || counts < 0)
        return 2;
    for (int i = atoi(words[2]); i > 0; i--)
        said[talk(client, data)]++;
    client_close(client);
    free(data[0]);
    free(data[1]);
    close(counts);
    int after = dup(null);
    printf("%d %d %d %s\n", said[0], said[1], said[2], after == before ? "closed" : "left open");
    return 0;
}
