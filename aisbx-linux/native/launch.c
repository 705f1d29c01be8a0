/* The order of a launch, as `aisbx_linux/launch.py` and `lasting/command.py` have it: the gate opens last, and the end is looked at first. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "front.h"

/* How long a report of the tool's is held back; then it is Python's turn. */
#define HOLD (SECOND / 10)
#define SIGNAL_BASE 128
#define LAST_SIGNAL 64
static const char EXIT_CODE[] = "\"exit-code\":";

static int64_t clock_of(clockid_t clock)
{
    struct timespec time;

    (void)clock_gettime(clock, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

int64_t now(void)
{
    return clock_of(CLOCK_MONOTONIC);
}

/* Tell whether the tool reported the end of the command, and give its code. */
static bool ran(struct run *run)
{
    const char *found = memmem(run->report, run->report_size, EXIT_CODE, sizeof EXIT_CODE - 1);
    const char *end = run->report + run->report_size;
    int code = 0;

    if (found == NULL) {
        return false;
    }
    for (found += sizeof EXIT_CODE - 1; found < end && *found == ' '; found++) {
    }
    for (; found < end && *found >= '0' && *found <= '9' && code < 1000; found++) {
        code = code * 10 + (*found - '0');
    }
    run->code = code;
    return true;
}

/* The command has ended, or the tool that reports it: feed and bound it no longer. */
static void over(struct run *run)
{
    close_end(&run->status);
    run->ended = now();
    run->deadline = run->look_at = 0;
    input_close(&run->input);
}

static void read_status(struct run *run)
{
    ssize_t size;

    if (run->plan->joining != NULL) {
        over(run);
        if (output_drain(&run->stdout_, &run->budget) != 0 || output_drain(&run->stderr_, &run->budget) != 0) {
            hand_over(run);
        }
        return;
    }

    if (run->report_size == sizeof run->report) {
        hand_over(run); /* more than any tool that we know tells */
    }
    size = read(run->status, run->report + run->report_size, sizeof run->report - run->report_size);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (size > 0) {
        run->report_size += (size_t)size;
        return;
    }
    over(run);
    if (!ran(run) || (run->stderr_.used && output_release(&run->stderr_, &run->budget) != 0)) {
        hand_over(run);
    }
}

static int milliseconds(int64_t until, int64_t present)
{
    int64_t wait = until - present;

    if (until == 0) {
        return -1;
    }
    return wait <= 0 ? 0 : wait > 3600 * SECOND ? 3600000 : (int)(wait / 1000000) + 1;
}

static int64_t earlier(int64_t one, int64_t other)
{
    return one == 0 || (other != 0 && other < one) ? other : one;
}

/* Serve the streams until all have ended; a turn that is Python's is handed over. */
static void relay(struct run *run)
{
    for (;;) {
        struct pollfd waited[5] = {{.fd = run->status, .events = POLLIN}, {.fd = run->waker, .events = POLLIN}};
        int64_t until = earlier(run->deadline, run->look_at);
        int64_t held = run->stderr_.held_size > 0 ? now() + HOLD : 0;
        int ready;

        waited[2].fd = input_wants(&run->input, &waited[2].events);
        waited[3].fd = output_wants(&run->stdout_, &waited[3].events);
        waited[4].fd = output_wants(&run->stderr_, &waited[4].events);
        if (run->status < 0 && waited[2].fd < 0 && waited[3].fd < 0 && waited[4].fd < 0) {
            return;
        }
        ready = poll(waited, 5, milliseconds(earlier(until, held), now()));
        if (ready < 0 && errno != EINTR) {
            hand_over(run);
        }
        if (waited[1].revents != 0 || (ready == 0 && held != 0)) {
            hand_over(run);
        }
        if (waited[0].revents != 0) {
            read_status(run);
        }
        if (waited[2].revents != 0) {
            input_step(&run->input);
        }
        if ((waited[3].revents != 0 && output_step(&run->stdout_, &run->budget) != 0) ||
            (waited[4].revents != 0 && output_step(&run->stderr_, &run->budget) != 0)) {
            hand_over(run);
        }
        if (run->deadline != 0 && now() >= run->deadline) {
            hand_over(run);
        }
        if (run->look_at != 0 && now() >= run->look_at && !watch_look(run)) {
            hand_over(run);
        }
    }
}

/* Every stream has ended: look at what is left, reap, and remove the groups. Out of the ordinary: nothing is reaped. */
static void finish(struct run *run)
{
    siginfo_t ended;
    struct rusage used;

    while (waitid(P_PID, (id_t)run->monitor, &ended, WEXITED | WNOWAIT) != 0) {
        if (errno != EINTR) {
            hand_over(run);
        }
    }
    if (asked(run) || run->budget.log_error != 0 || (run->grouped && !group_quiet(&run->group)) ||
        stay_met(&run->stay) || (run->look != NULL && !look_same(run->look)) || wait4(run->monitor, &run->status_code, 0, &used) < 0) {
        hand_over(run);
    }
    run->done = true;
    run->user = used.ru_utime.tv_sec * 1000000LL + used.ru_utime.tv_usec;
    run->system = used.ru_stime.tv_sec * 1000000LL + used.ru_stime.tv_usec;
    run->max_rss = used.ru_maxrss * 1024LL;
    if (run->grouped) {
        group_remove(&run->group);
    }
    if (run->plan->joining != NULL) {
        run->code = WIFEXITED(run->status_code) ? WEXITSTATUS(run->status_code)
                                                : SIGNAL_BASE + WTERMSIG(run->status_code);
        end_stay(&run->stay);
    }
    close_end(&run->budget.log);
}

static void write_record(struct run *run)
{
    struct text line = {0};
    int signal = run->code > SIGNAL_BASE && run->code <= SIGNAL_BASE + LAST_SIGNAL ? run->code - SIGNAL_BASE : 0;
    char user[32];
    struct record_who who = {.run = run->id, .principal = user, .host = "cli"};
    struct record_result result = {
        .code = run->code,
        .signal = signal,
        .duration = (run->ended - run->started + 500) / 1000,
        .user = run->user,
        .system = run->system,
        .max_rss = run->max_rss,
        .stdout_bytes = run->stdout_.passed,
        .stderr_bytes = run->stderr_.passed,
    };

    (void)snprintf(user, sizeof user, "uid:%lu", (unsigned long)geteuid());
    if (run->asking) {
        who.principal = run->principal;
        who.host = run->host;
    }
    record_build(&line, run->plan, &who, clock_of(CLOCK_REALTIME) / 1000, (const char *const *)run->line.command,
                 &result);
    if (line.failed || log_append(&run->log, &line) != 0) {
        hand_over(run);
    }
    run->recorded = true;
}

/* Tell whether there are so many logs of output that Python is to remove some (`audit.write.prune`). */
static bool overfull(const struct run *run)
{
    char path[4096];
    uint64_t count = 0;
    DIR *folder;

    if (run->plan->keep_output == 0 || run->stdout_.passed + run->stderr_.passed == 0 ||
        (size_t)snprintf(path, sizeof path, "%s/runs", run->plan->state) >= sizeof path ||
        (folder = opendir(path)) == NULL) {
        return false;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    (void)closedir(folder);
    return count > run->plan->keep_runs + 16;
}

int launch(struct run *run)
{
    char path[4096];
    unsigned char chance[6];
    const char *why;

    if (run->id[0] == '\0' && getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance) {
        fall_back(run, "no chance");
    }
    for (size_t at = 0; at < sizeof chance && !run->asking; at++) {
        (void)snprintf(run->id + 2 * at, 3, "%02x", chance[at]);
    }
    run->budget = (struct budget){.limited = run->plan->output > 0, .left = run->plan->output, .log = -1};
    if (run->plan->keep_output > 0 && run->plan->state[0] != '\0') {
        if ((size_t)snprintf(path, sizeof path, "%s/runs/%s.log", run->plan->state, run->id) >= sizeof path) {
            fall_back(run, "the state's path is too long");
        }
        run->budget.path = path;
        run->budget.log_left = run->plan->keep_output;
    }
    if ((why = run->plan->joining != NULL ? join_command(run) : start_tool(run)) != NULL) {
        fall_back(run, why);
    }
    relay(run);
    finish(run);
    write_record(run);
    if (overfull(run)) {
        hand_over(run);
    }
    if (run->asking) {
        answer_program(run);
    }
    return run->code;
}
