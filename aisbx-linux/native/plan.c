/* Find a plan: its guards, and whether all that it was made from is as it was. See plan.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plan_read.h"

enum { PRESENT = 1, NOFOLLOW = 2, SIGNATURE = 6 };

static uint64_t nanoseconds(struct timespec time) {
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

/* recall.unchanged */
static bool same_paths(struct reader *reader) {
    size_t count = read_count(reader, 2);
    for (size_t i = 0; i < count; i++) {
        struct stat now;
        uint64_t known[SIGNATURE] = {0};
        const char *path = read_string(reader);
        uint64_t flags = read_number(reader);
        for (int j = 0; (flags & PRESENT) != 0 && j < SIGNATURE; j++)
            known[j] = read_number(reader);
        if (reader->failed)
            return false;
        bool there = ((flags & NOFOLLOW) != 0 ? lstat(path, &now) : stat(path, &now)) == 0;
        if (there != ((flags & PRESENT) != 0))
            return false;
        if (there && (known[0] != now.st_dev || known[1] != now.st_ino || known[2] != now.st_mode ||
                      known[3] != nanoseconds(now.st_mtim) || known[4] != nanoseconds(now.st_ctim) ||
                      known[5] != (uint64_t)now.st_size))
            return false;
    }
    return !reader->failed;
}

/* recall.in_place: what is in a source may change. */
static bool same_sources(const struct plan *plan) {
    for (size_t i = 0; i < plan->source_count; i++) {
        const struct plan_source *source = &plan->sources[i];
        struct stat now;
        if (stat(source->path, &now) != 0)
            return false;
        if (source->known && (source->device != now.st_dev || source->inode != now.st_ino))
            return false;
    }
    return true;
}

/* recall.in_group: this process is still in the control group below which the plan makes its own. */
static bool same_group(const struct plan_bytes *known) {
    size_t size = 0;
    char *now = malloc(known->size + 1);
    int file = now == NULL ? -1 : open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    for (ssize_t more = 1; file >= 0 && more > 0 && size <= known->size; size += more > 0 ? (size_t)more : 0)
        more = read(file, now + size, known->size + 1 - size);
    bool same = file >= 0 && size == known->size && memcmp(now, known->data, size) == 0;
    if (file >= 0)
        close(file);
    free(now);
    return same;
}

/* Tell whether an open file or directory is the effective user's alone and has one name (recall.ours). */
static bool ours(int descriptor, mode_t kind, struct stat *status) {
    return fstat(descriptor, status) == 0 && (status->st_mode & S_IFMT) == kind && status->st_uid == geteuid() &&
           (status->st_mode & 077) == 0 && (kind == S_IFDIR || status->st_nlink == 1);
}

static bool lies_in(int folder, const char *place) {
    char link[40], path[PATH_MAX + 1];
    size_t size = strlen(place);
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, path, PATH_MAX);
    if (length <= 0 || length >= PATH_MAX)
        return true; /* not to be told: not used */
    path[length++] = '/';
    while (size > 0 && place[size - 1] == '/')
        size--;
    return (size_t)length > size && memcmp(path, place, size) == 0 && path[size] == '/';
}

static int open_ours(int folder, const char *name, struct stat *status) {
    int file = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (file >= 0 && !ours(file, S_IFREG, status)) {
        close(file);
        return -1;
    }
    return file;
}

static bool load(int folder, const char *name, struct reader *reader) {
    struct stat status;
    int file = open_ours(folder, name, &status);
    bool whole = file >= 0 && read_whole(file, reader);
    if (file >= 0)
        close(file);
    return whole;
}

/* Open a file of ours if it is still the one that was written. */
static int open_written(int folder, const char *name, const uint64_t known[WRITTEN]) {
    struct stat status;
    int file = open_ours(folder, name, &status);
    if (file >= 0 && (known[0] != status.st_dev || known[1] != status.st_ino ||
                      known[2] != nanoseconds(status.st_mtim) || known[3] != (uint64_t)status.st_size)) {
        close(file);
        return -1;
    }
    return file;
}

/* Open the entry of Python that the plan stands for, if it is still the one that was written with it, or take the one
 * that was given (not -1). */
static int open_entry(int folder, struct reader *reader, const char *name, int given) {
    uint64_t known[WRITTEN];
    for (size_t i = 0; i < WRITTEN; i++)
        known[i] = read_number(reader);
    if (reader->failed || strchr(name, '/') != NULL)
        return -1;
    return given >= 0 ? given : open_written(folder, name, known);
}

/* Open what says which sandbox the plan joins, if it says the same still. */
static bool same_sandbox(struct plan_joining *joining, const uint64_t known[WRITTEN]) {
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/held", joining->home);
    joining->held = size > 0 && size < PATH_MAX ? open_written(AT_FDCWD, path, known) : -1;
    return joining->held >= 0;
}

/* Give the plan that `reader` holds, if it holds; what `reader` has is the plan's then. */
static struct plan *checked(int folder, struct reader *reader, const char *name, int given) {
    struct plan_bytes group = {0};
    uint64_t held[WRITTEN] = {0};
    if (!read_header(reader, name))
        return NULL;
    const char *entry = read_string(reader);
    int file = open_entry(folder, reader, entry, given);
    if (file < 0)
        return NULL;
    bool same = same_environment(reader) && same_paths(reader);
    struct plan *plan = same ? read_plan(reader, &group, held) : NULL;
    if (plan == NULL || !same_sources(plan) || (plan->grouped && !same_group(&group)) ||
        (plan->joining != NULL && !same_sandbox(plan->joining, held))) {
        close(file);
        return NULL;
    }
    plan->entry = file;
    plan->entry_name = entry;
    return plan;
}

/* Have the plan keep what it lies in, or let go of that where there is none. */
static struct plan *kept(struct plan *plan, struct reader *reader) {
    if (plan == NULL)
        plan_memory_free(&reader->memory);
    else
        plan->memory = reader->memory;
    return plan;
}

struct plan *plan_find(const char *directory, const char *name, const char *workspace) {
    struct stat status;
    struct reader reader = {0};
    struct plan *plan = NULL;
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return NULL;
    bool alone = ours(folder, S_IFDIR, &status) && (workspace[0] == '\0' || !lies_in(folder, workspace));
    if (alone && load(folder, name, &reader))
        plan = checked(folder, &reader, name, -1);
    close(folder);
    return kept(plan, &reader);
}

struct plan *plan_given(int file, int entry) {
    struct reader reader = {0};
    return kept(read_whole(file, &reader) ? checked(-1, &reader, PLAN_GIVEN, entry) : NULL, &reader);
}

void plan_free(struct plan *plan) {
    if (plan == NULL)
        return;
    struct plan_memory memory = plan->memory;
    close(plan->entry);
    if (plan->joining != NULL)
        close(plan->joining->held);
    plan_memory_free(&memory);
}
