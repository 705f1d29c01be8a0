/* A sandbox that lasts while a command is in it: what `lasting/pause.py`, `lasting/use.py` and `command.Counts` do in
 * the ordinary course. Whoever would have to wait for a lock goes on as Python. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front.h"

/* Of a moment in the file that says when a sandbox was last used: nanoseconds, little-endian. */
#define MOMENT 8

static int inside(const struct run *run, const char *name, char path[PATH_MAX])
{
    int size = snprintf(path, PATH_MAX, "%s/%s", run->plan->joining->home, name);

    return size > 0 && size < PATH_MAX ? 0 : -1;
}

/* Tell whether the machine is up since the sandbox was made. */
static bool same_boot(const char *boot)
{
    char present[64];
    size_t size = strlen(boot);
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = file >= 0 ? read(file, present, sizeof present) : -1;

    if (file >= 0) {
        (void)close(file);
    }
    return got > 0 && (size_t)got == size + 1 && memcmp(present, boot, size) == 0 && present[size] == '\n';
}

/* Keep it from being paused, and its layer from being exchanged (`pause.share`). */
static const char *keep_still(struct run *run)
{
    char path[PATH_MAX];
    struct stat status;

    if (inside(run, "paused", path) != 0 ||
        (run->stay.still = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0 ||
        flock(run->stay.still, LOCK_SH | LOCK_NB) != 0 || fstat(run->stay.still, &status) != 0 || status.st_size != 0) {
        return "the sandbox is paused";
    }
    if (inside(run, "changing", path) != 0 || stat(path, &status) == 0 || errno != ENOENT) {
        return "the sandbox's workspace is being exchanged";
    }
    return NULL;
}

/* Write the moment of use: CLOCK_MONOTONIC, as time.monotonic_ns gives it. 0 or -1. */
static int note_use(int file)
{
    unsigned char moment[MOMENT];
    int64_t present = now();

    for (int at = 0; at < MOMENT; at++) {
        moment[at] = (unsigned char)((uint64_t)present >> 8 * at);
    }
    return pwrite(file, moment, sizeof moment, 0) == (ssize_t)sizeof moment ? 0 : -1;
}

static const char *begin_use(struct run *run)
{
    char path[PATH_MAX];

    if (inside(run, "used", path) != 0) {
        return "the sandbox's path is too long";
    }
    run->stay.used = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (run->stay.used < 0) {
        return errno == ENOENT ? NULL : "the sandbox's use cannot be noted";
    }
    return flock(run->stay.used, LOCK_SH | LOCK_NB) == 0 && note_use(run->stay.used) == 0
               ? NULL
               : "the sandbox's use cannot be noted";
}

static const char *begin_counts(struct run *run)
{
    const struct plan_joining *joining = run->plan->joining;
    struct stay *stay = &run->stay;

    for (size_t at = 0; at < joining->group_count; at++) {
        const struct plan_group *group = &joining->groups[at];

        for (size_t event = 0; event < group->event_count; event++) {
            char path[PATH_MAX];
            int size = snprintf(path, sizeof path, "%s/%s", group->parent, group->events[event].file);
            int file = size > 0 && size < PATH_MAX ? open(path, O_RDONLY | O_CLOEXEC) : -1;

            if (file < 0 && errno == ENOENT) {
                continue; /* as in Python: it counts nothing */
            }
            if (file < 0 || stay->count == MOST_COUNTS) {
                return "what the sandbox counts cannot be read";
            }
            stay->counts[stay->count] = file;
            stay->keys[stay->count] = group->events[event].key;
            stay->before[stay->count] = group_number(file, group->events[event].key);
            if (stay->before[stay->count++] < 0) {
                return "what the sandbox counts cannot be read";
            }
        }
    }
    return NULL;
}

const char *enter_stay(struct run *run)
{
    const char *why;

    if (!same_boot(run->plan->joining->boot)) {
        return "the sandbox has ended";
    }
    if ((why = begin_counts(run)) != NULL || (why = keep_still(run)) != NULL) {
        return why;
    }
    return begin_use(run);
}

bool stay_met(const struct stay *stay)
{
    for (size_t at = 0; at < stay->count; at++) {
        /* The groups of a sandbox that has ended count nothing. */
        if (group_number(stay->counts[at], stay->keys[at]) > stay->before[at]) {
            return true;
        }
    }
    return false;
}

void end_stay(struct stay *stay)
{
    if (stay->used >= 0) {
        (void)note_use(stay->used); /* the lock has been seen: else it counts from the last look */
    }
    close_end(&stay->used);
}

void stay_tell(struct text *text, const struct run *run)
{
    const struct stay *stay = &run->stay;

    text_print(text, "held %d\n", run->plan->joining->held);
    keep_open(run->plan->joining->held);
    if (stay->used >= 0) {
        text_print(text, "used %d\n", stay->used);
        keep_open(stay->used);
    }
    if (stay->count > 0) {
        text_print(text, "counts");
        for (size_t at = 0; at < stay->count; at++) {
            text_print(text, " %lld", (long long)stay->before[at]);
        }
        text_add(text, "\n", 1);
    }
    if (stay->kept) {
        text_print(text, "kept\n");
    }
}
