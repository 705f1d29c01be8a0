/* See group.h. By descriptor, as in cgroup/group.py: whoever starts the tool may cover /sys for a while. */
#define _GNU_SOURCE
#include "group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TRIES = 50,            /* milliseconds for the last process to be on its way out still */
    SWEPT = 16,            /* groups of others that a launch looks at */
    PAGE = 4096,           /* a control file is no longer */
    MILLISECOND = 1000000, /* nanoseconds */
};
static const char PREFIX[] = "aisbx-";

static int write_to(int folder, const char *path, const char *text) {
    size_t size = strlen(text);
    int file = openat(folder, path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    ssize_t written = write(file, text, size);
    int problem = written < 0 ? errno : EIO;
    close(file);
    errno = problem;
    return written == (ssize_t)size ? 0 : -1;
}

static int path_in(const struct group *group, const char *file, char path[PATH_MAX]) {
    int size = snprintf(path, PATH_MAX, "%s/%s", group->name, file);
    return size > 0 && size < PATH_MAX ? 0 : -1;
}

static void shut(struct group *group) {
    for (size_t i = 0; i < group->opened; i++) {
        if (group->inside[i] >= 0)
            close(group->inside[i]);
        group->inside[i] = -1;
    }
}

static void remove_made(const struct group *group) {
    static const struct timespec pause = {0, MILLISECOND};
    for (size_t i = 0; i < group->made; i++)
        for (int tries = 0; unlinkat(group->parents[i], group->name, AT_REMOVEDIR) != 0 && tries < TRIES; tries++)
            nanosleep(&pause, NULL);
}

static void close_all(struct group *group) {
    shut(group);
    for (size_t i = 0; i < group->opened; i++)
        close(group->parents[i]);
    group->opened = group->made = 0;
}

static int make_one(struct group *group, size_t index) {
    char path[PATH_MAX];
    int parent = group->parents[index];
    if (mkdirat(parent, group->name, 0755) != 0) {
        /* Of a launcher that was killed and had the pid before us. */
        if (errno != EEXIST || unlinkat(parent, group->name, AT_REMOVEDIR) != 0 ||
            mkdirat(parent, group->name, 0755) != 0)
            return -1;
    }
    group->made++;
    if (!group->plan->groups[index].inherited)
        return 0;
    /* A group for a share alone: who is scheduled in real time may not enter it (sched-rt-group.rst). */
    int policy = group->plan->groups[index].limit_count > 0 ? SCHED_OTHER : sched_getscheduler(0);
    if (policy == SCHED_FIFO || policy == SCHED_RR)
        return 0;
    if (path_in(group, "tasks", path) == 0)
        group->inside[index] = openat(parent, path, O_WRONLY | O_CLOEXEC);
    return group->inside[index] < 0 ? -1 : 0;
}

int group_make(struct group *group, const struct plan *plan) {
    memset(group, 0, sizeof *group);
    group->plan = plan;
    snprintf(group->name, sizeof group->name, "%s%ld-0", PREFIX, (long)getpid());
    if (plan->group_count > GROUP_MOST)
        return -1;
    for (size_t i = 0; i < plan->group_count; i++) {
        int parent = open(plan->groups[i].parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0) {
            close_all(group);
            return -1;
        }
        group->parents[i] = parent;
        group->inside[i] = -1;
        group->opened++;
    }
    for (size_t i = 0; i < group->opened; i++) {
        if (make_one(group, i) != 0) {
            remove_made(group);
            close_all(group);
            return -1;
        }
    }
    return 0;
}

int group_enter(const struct group *group) {
    for (size_t i = 0; i < group->opened; i++)
        if (group->inside[i] >= 0 && write(group->inside[i], "0", 1) != 1)
            return -1;
    return 0;
}

int group_limit(struct group *group) {
    char path[PATH_MAX];
    shut(group);
    for (size_t i = 0; i < group->made; i++) {
        const struct plan_group *row = &group->plan->groups[i];
        for (size_t j = 0; j < row->limit_count; j++)
            if (path_in(group, row->limits[j].file, path) != 0 ||
                write_to(group->parents[i], path, row->limits[j].value) != 0)
                return -1;
    }
    return 0;
}

int group_add(const struct group *group, pid_t process) {
    char path[PATH_MAX], number[24];
    snprintf(number, sizeof number, "%ld", (long)process);
    for (size_t i = 0; i < group->made; i++)
        if (!group->plan->groups[i].inherited && (path_in(group, "cgroup.procs", path) != 0 ||
                                                  write_to(group->parents[i], path, number) != 0))
            return -1;
    return 0;
}

int64_t group_number(int file, const char *key) {
    char content[PAGE + 1];
    size_t length = strlen(key);
    ssize_t size = pread(file, content, PAGE, 0);
    if (size < 0)
        return -1;
    content[size] = '\0';
    for (const char *line = content; *line != '\0';) {
        size_t end = strcspn(line, "\n");
        if (end > length && memcmp(line, key, length) == 0 && line[length] == ' ')
            return strtoll(line + length + 1, NULL, 10);
        line += end + (line[end] != '\0');
    }
    return 0;
}

/* Tell whether a file counts 0 for a key; false where it can't be told. */
static bool counts_nothing(int folder, const char *path, const char *key) {
    int file = openat(folder, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    int64_t count = group_number(file, key);
    close(file);
    return count == 0;
}

int group_quiet(const struct group *group) {
    char path[PATH_MAX];
    for (size_t i = 0; i < group->made; i++) {
        const struct plan_group *row = &group->plan->groups[i];
        for (size_t j = 0; j < row->event_count; j++)
            if (path_in(group, row->events[j].file, path) != 0 ||
                !counts_nothing(group->parents[i], path, row->events[j].key))
                return 0;
    }
    return 1;
}

static bool lives(const char *name) {
    char path[PATH_MAX];
    struct stat status;
    const char *pid = name + sizeof PREFIX - 1;
    snprintf(path, sizeof path, "/proc/%.*s", (int)strcspn(pid, "-"), pid);
    return stat(path, &status) == 0;
}

/* Remove the group of a launcher that has gone; where something lives in it, it can't be removed. */
static void sweep_one(const struct group *group, const char *name) {
    for (size_t i = 0; !lives(name) && i < group->opened; i++)
        unlinkat(group->parents[i], name, AT_REMOVEDIR);
}

static bool is_group(const struct dirent *entry) { return strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) == 0; }

/* Of many only some are looked at, others the next time: sandboxes that last have such groups too, in any number. */
static void sweep(const struct group *group) {
    struct timespec now = {0};
    struct dirent *entry;
    size_t count = 0, place = 0;
    int folder = group->opened == 0 ? -1 : openat(group->parents[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = folder < 0 ? NULL : fdopendir(folder);
    if (names == NULL) {
        if (folder >= 0)
            close(folder);
        return;
    }
    while ((entry = readdir(names)) != NULL)
        count += is_group(entry);
    clock_gettime(CLOCK_MONOTONIC, &now);
    size_t first = count == 0 ? 0 : (size_t)now.tv_nsec % count;
    if (count > 0)
        rewinddir(names);
    while (count > 0 && (entry = readdir(names)) != NULL)
        if (is_group(entry) && (place++ + count - first) % count < SWEPT)
            sweep_one(group, entry->d_name);
    closedir(names);
}

void group_remove(struct group *group) {
    remove_made(group);
    sweep(group);
    close_all(group);
}
