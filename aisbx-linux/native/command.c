/* See command.h. */
#define _GNU_SOURCE
#include "command.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STACK = 1 << 16, /* bytes */
    PATH_ROOM = 4096,
    WITH_PIDFD = 0x1000, /* CLONE_PIDFD */
    FAILED = 127,
};
#define USUAL_PATH "/usr/bin:/bin"

static _Alignas(16) char stack[STACK];

/* The variable's value, NULL where it is not set. */
static const char *value_of(const struct plan_strings *environment, const char *name) {
    size_t size = strlen(name);
    for (size_t i = 0; i < environment->count; i++)
        if (strncmp(environment->items[i], name, size) == 0 && environment->items[i][size] == '=')
            return environment->items[i] + size + 1;
    return NULL;
}

/* Become the program, looked for as execvp(3) does; gives the errno that tells most where none can be. */
static int execute(const struct request *request) {
    char *const *argv = (char *const *)request->argv.items;
    char *const *environment = (char *const *)request->environment.items;
    if (strchr(argv[0], '/') != NULL) {
        (void)execve(argv[0], argv, environment);
        return errno;
    }
    const char *place = value_of(&request->environment, "PATH");
    int best = 0;
    for (place = place == NULL ? USUAL_PATH : place; place != NULL;) {
        char path[PATH_ROOM];
        const char *end = strchrnul(place, ':');
        size_t size = (size_t)(end - place), more = strlen(argv[0]);
        int error = ENAMETOOLONG;
        if (size + more + 3 < sizeof path) {
            memcpy(path, size == 0 ? "." : place, size == 0 ? 1 : size);
            size = size == 0 ? 1 : size;
            path[size] = '/';
            memcpy(path + size + 1, argv[0], more + 1);
            (void)execve(path, argv, environment);
            error = errno;
        }
        if (best == 0 || (error != ENOENT && error != ENOTDIR))
            best = error;
        place = *end == ':' ? end + 1 : NULL;
    }
    return best;
}

/* The child, in its parent's memory until it executes: on a stack of its own, and with nothing left to confine. */
static int begin(void *given) {
    struct request *request = given;
    if (setsid() >= 0) {
        bool placed = true;
        for (int i = 0; i < STREAMS; i++) /* all that came lie above */
            placed = placed && dup2(request->descriptors[i], i) == i;
        if (placed)
            errno = execute(request);
    }
    request->error = errno;
    _exit(FAILED);
}

pid_t command_start(struct request *request, int *process) {
    request->error = 0;
    /* Its end sends no signal, and as with vfork(2) this waits until it executes or ends. */
    pid_t command = clone(begin, stack + sizeof stack, CLONE_VM | CLONE_VFORK | WITH_PIDFD, request, process);
    if (command < 0 || request->error == 0)
        return command;
    (void)waitpid(command, NULL, __WALL);
    (void)close(*process);
    errno = request->error;
    return -1;
}
