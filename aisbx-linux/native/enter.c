/* Start a command in a sandbox that is there already: `start` of `aisbx_linux/lasting/join.py`, which says why.
 *
 * A short-lived child joins the namespaces and makes the command's process there, as its own sibling. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front.h"
#include "join.h"
#include "kernel.h"

#define NR_PIDFD_OPEN 434
#define NR_CLOSE_RANGE 436
/* In which a command must have begun. */
#define PATIENCE (10 * SECOND)
/* What the two children tell, each with one write(2). */
enum told { COMMAND, FAILED };
struct message {
    enum told told;
    pid_t command;
};

/* What both children need; all of it made before there is any. */
struct entry {
    struct joined_sandbox sandbox;
    const char **groups;
    struct join_limit *limits;
    const char **variables;
    const char *path; /* where programs are looked for */
    int process;      /* pidfd of the sandbox's first process */
    int told, tell;
};

static _Noreturn void fail(const struct entry *entry)
{
    const struct message message = {.told = FAILED};

    (void)!write(entry->tell, &message, sizeof message);
    _exit(1);
}

/* End with the front: it is gone already where nobody reads what is told any more. */
static void die_with_front(const struct entry *entry)
{
    struct pollfd reader = {.fd = entry->tell};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || poll(&reader, 1, 0) != 0) {
        _exit(1);
    }
}

/* Become the program, looked for as execvp(3) does; comes back where none can be. */
static void execute(const struct entry *entry, char **command)
{
    char *const *variables = (char *const *)(uintptr_t)entry->variables;
    char program[PATH_MAX];

    if (strchr(command[0], '/') != NULL) {
        (void)execve(command[0], command, variables);
        return;
    }
    for (const char *place = entry->path; place != NULL;) {
        size_t length = strcspn(place, ":");
        int size = length > 0 ? snprintf(program, sizeof program, "%.*s/%s", (int)length, place, command[0])
                              : snprintf(program, sizeof program, "./%s", command[0]);

        if (size > 0 && (size_t)size < sizeof program) {
            (void)execve(program, command, variables);
        }
        place = place[length] == ':' ? place + length + 1 : NULL;
    }
}

/* What the second child does: it becomes the command, with its three streams and nothing else. */
static _Noreturn void become_command(struct run *run, struct entry *entry)
{
    unsigned int others;

    die_with_front(entry);
    if (setsid() < 0) {
        fail(entry);
    }
    for (int at = 0; at < 3; at++) { /* all of ours lie above */
        if (dup2(run->inside[at], at) < 0) {
            fail(entry);
        }
    }
    others = join_keep(&entry->tell, &entry->sandbox);
    if (others == 0 || syscall(NR_CLOSE_RANGE, others, ~0U, 0) != 0) {
        fail(entry);
    }
    reset_signals();
    if (join_confine(&entry->sandbox) == NULL) {
        execute(entry, run->line.command);
    }
    fail(entry);
}

/* What the first child does. It holds our memory, and can't be looked into from inside. */
static _Noreturn void enter(struct run *run, struct entry *entry)
{
    struct message message = {.told = COMMAND};

    (void)close(entry->told);
    die_with_front(entry);
    if (join_enter(&entry->sandbox, entry->process) != NULL || chdir(run->plan->cwd) != 0) {
        fail(entry);
    }
    die_with_front(entry); /* a change of user has undone that */
    message.command = clone_process(CLONE_PARENT);
    if (message.command == 0) {
        become_command(run, entry);
    }
    if (message.command < 0) {
        fail(entry);
    }
    (void)!write(entry->tell, &message, sizeof message);
    _exit(0);
}

/* Read what the two children tell until neither can tell more. 0; 1: it can't be started; -1: it takes too long. */
static int hear(int told, pid_t *command)
{
    int64_t until = now() + PATIENCE;
    int result = 0;

    for (;;) {
        struct pollfd waited = {.fd = told, .events = POLLIN};
        int64_t left = until - now();
        struct message message;
        ssize_t size;

        if (left <= 0) {
            return -1;
        }
        if (poll(&waited, 1, (int)(left / 1000000) + 1) <= 0) {
            continue;
        }
        size = read(told, &message, sizeof message);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size != (ssize_t)sizeof message) {
            return result;
        }
        if (message.told == COMMAND) {
            *command = message.command;
        } else {
            result = 1;
        }
    }
}

static void reap(pid_t process)
{
    while (process > 0 && waitpid(process, NULL, 0) < 0 && errno == EINTR) {
    }
}

/* Start the command by way of the first child. */
static const char *start(struct run *run, struct entry *entry)
{
    int ends[2], result;
    pid_t child, command = 0;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return "no pipes";
    }
    entry->told = ends[0];
    entry->tell = ends[1];
    child = clone_process(0);
    if (child == 0) {
        enter(run, entry);
    }
    (void)close(entry->tell);
    close_inside(run);
    result = child > 0 ? hear(entry->told, &command) : 1;
    (void)close(entry->told);
    if (result < 0 || (result == 0 && command <= 0)) {
        /* One of them was stopped from inside, or the first was killed before it told of the second. The command may run
         * by now: so it is never started again, and ends with this process at the latest. */
        (void)kill(child, SIGKILL);
        if (command > 0) {
            (void)kill(command, SIGKILL);
        }
        reap(child);
        reap(command);
        run->stay.kept = true;
        run->ended = now();
        run->deadline = 0;
        hand_over(run);
    }
    reap(child);
    if (result != 0) {
        reap(command);
        return "the command cannot be started";
    }
    run->monitor = run->first = command;
    return NULL;
}

/* Give what both children need of a plan. 0, or a word for why not. */
static const char *prepare(struct run *run, struct entry *entry)
{
    const struct plan *plan = run->plan;
    const struct plan_joining *joining = plan->joining;
    char path[32];
    struct stat status;

    entry->groups = calloc(joining->group_count + 1, sizeof *entry->groups);
    entry->limits = calloc(plan->rlimit_count + 1, sizeof *entry->limits);
    entry->variables = chosen_variables(run);
    if (entry->groups == NULL || entry->limits == NULL || entry->variables == NULL) {
        return "no memory";
    }
    for (size_t at = 0; at < joining->group_count; at++) {
        entry->groups[at] = joining->groups[at].parent;
    }
    for (size_t at = 0; at < plan->rlimit_count; at++) {
        const struct plan_rlimit *row = &plan->rlimits[at];
        entry->limits[at] = (struct join_limit){(int)row->resource, row->soft, row->hard};
    }
    entry->path = "/usr/bin:/bin";
    for (const char **variable = entry->variables; *variable != NULL; variable++) {
        if (strncmp(*variable, "PATH=", 5) == 0) {
            entry->path = *variable + 5;
        }
    }
    entry->sandbox = (struct joined_sandbox){
        .first = (pid_t)joining->first,
        .born = joining->born,
        .uid = (uid_t)joining->uid,
        .gid = (gid_t)joining->gid,
        .groups = entry->groups,
        .limits = entry->limits,
        .limit_count = plan->rlimit_count,
        .filter = plan->filter.data,
        .filter_size = plan->filter.size,
        .watch = -1,
        .run = run->id,
    };
    entry->process = join_open(&entry->sandbox);
    if (entry->process < 0) {
        return "the sandbox has ended";
    }
    if (joining->watched && (entry->sandbox.watch = join_watch(joining->home)) < 0) {
        return "nobody watches the sandbox";
    }
    if (plan->outsider) {
        (void)snprintf(path, sizeof path, "/proc/%d", (int)entry->sandbox.first);
        if (stat(path, &status) != 0) {
            return "the sandbox has ended";
        }
        run->outside = status.st_uid;
    }
    return NULL;
}

const char *join_command(struct run *run)
{
    struct entry entry = {.process = -1};
    const char *why;

    run->started = now();
    run->deadline = run->plan->wall_time ? run->started + (int64_t)run->plan->wall_time * 1000 : 0;
    if ((why = enter_stay(run)) != NULL || (why = prepare(run, &entry)) != NULL || (why = wire(run)) != NULL ||
        (why = start(run, &entry)) != NULL) {
        return why;
    }
    close_end(&run->stay.still);
    (void)close(entry.process);
    close_end(&entry.sandbox.watch);
    free(entry.groups);
    free(entry.limits);
    free(entry.variables);
    run->look_at = run->plan->watched ? now() + LOOK : 0;
    run->status = (int)syscall(NR_PIDFD_OPEN, run->monitor, 0);
    if (run->status < 0) {
        hand_over(run);
    }
    return NULL;
}
