/* A launch up to the opening of the gate: until then, nothing of the command has run (`launch.py`, `bounds.py`). */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "front.h"
#include "kernel.h"

/* Where a sandbox's limit on tasks is set from outside, its first process counts too. */
#define OWN_TASKS 1

void close_end(int *descriptor)
{
    if (*descriptor >= 0) {
        (void)close(*descriptor);
        *descriptor = -1;
    }
}

void close_inside(struct run *run)
{
    for (int at = 0; at < 3; at++) {
        close_end(&run->inside[at]);
    }
}

/* Close what the tool has by now: every end that is not ours, else no stream would ever end. */
static void close_passed(struct run *run)
{
    for (size_t at = 0; at < run->passed_count; at++) {
        (void)close(run->passed[at]); /* some of the sources are among them */
    }
    close_inside(run);
    close_end(&run->program);
    close_end(&run->identity);
}

/* Tell whether one of the relayed signals has come. */
bool asked(const struct run *run)
{
    struct pollfd waker = {.fd = run->waker, .events = POLLIN};

    return poll(&waker, 1, 0) > 0;
}

/* Wait for the tool's report of its first process. */
static const char *await_first(struct run *run)
{
    while (memchr(run->report, '\n', run->report_size) == NULL) {
        struct pollfd waited[] = {{.fd = run->status, .events = POLLIN}, {.fd = run->waker, .events = POLLIN}};
        ssize_t size;

        if (poll(waited, 2, -1) < 0 && errno != EINTR) {
            return "the tool cannot be waited for";
        }
        if (waited[1].revents != 0) {
            return "a signal";
        }
        size = read(run->status, run->report + run->report_size, sizeof run->report - run->report_size);
        if (size <= 0) {
            return "the tool has ended";
        }
        run->report_size += (size_t)size;
    }
    run->first = first_child(run->monitor);
    return run->first > 0 ? NULL : "the sandbox's first process is not there";
}

static rlim_t within(uint64_t wanted, rlim_t more, rlim_t ceiling)
{
    rlim_t limit = wanted == RLIM_INFINITY ? RLIM_INFINITY : wanted + more;

    return limit < ceiling ? limit : ceiling;
}

/* Hold the sandbox's first process, and so all its later ones. */
static const char *hold_first(struct run *run)
{
    const struct plan *plan = run->plan;

    if (run->grouped && group_add(&run->group, run->first) != 0) {
        return "the sandbox cannot be moved into its cgroup";
    }
    if (plan->watched) {
        run->look_at = now() + LOOK;
    }
    for (size_t at = 0; !plan->outsider && at < plan->rlimit_count; at++) {
        const struct plan_rlimit *row = &plan->rlimits[at];
        rlim_t more = row->resource == RLIMIT_NPROC ? OWN_TASKS : 0;
        struct rlimit present, limit;

        if (prlimit(run->first, (unsigned int)row->resource, NULL, &present) != 0) {
            return "a limit cannot be read";
        }
        limit.rlim_cur = within(row->soft, more, present.rlim_max);
        limit.rlim_max = within(row->hard, more, present.rlim_max);
        if (prlimit(run->first, (unsigned int)row->resource, &limit, NULL) != 0) {
            return "a limit cannot be set";
        }
    }
    return NULL;
}

/* Everything up to the gate. A word for why not, and then nothing of the command has run. */
const char *start_tool(struct run *run)
{
    const struct plan *plan = run->plan;
    const char *why;

    run->started = now();
    run->deadline = plan->wall_time ? run->started + (int64_t)plan->wall_time * 1000 : 0;
    if (plan->group_count > 0) {
        if (group_make(&run->group, plan) != 0) {
            return "cgroups cannot be made";
        }
        run->grouped = true;
    }
    if ((why = assemble(run)) != NULL || (why = spawn(run)) != NULL) {
        return why;
    }
    close_passed(run);
    if ((why = instruct(run)) != NULL) {
        return why;
    }
    if (run->grouped && group_limit(&run->group) != 0) {
        return "a cgroup cannot be limited";
    }
    if ((why = await_first(run)) != NULL || (why = hold_first(run)) != NULL) {
        return why;
    }
    if (asked(run)) {
        return "a signal";
    }
    if (write(run->gate, plan->filter.data, plan->filter.size) != (ssize_t)plan->filter.size) {
        return "the filter cannot be given";
    }
    close_end(&run->gate);
    return NULL;
}

