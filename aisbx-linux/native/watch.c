/* The cheap look of `aisbx_linux/watch.py` at what a sandbox uses, which nearly every look is: what is resident, which is
 * never less than what is charged, and the tasks. Only where that may be too much is there more to find out, by Python. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "front.h"

/* Bytes of kernel memory that a file of a tmpfs is reckoned at, as in watch.py. */
#define INODE ((uint64_t)1024)
/* No look comes sooner than after this many times what the last one took. */
#define SHARE 20
/* Places in /proc/PID/stat behind the command's name: fields 20 and 24 of proc_pid_stat(5). */
enum { THREADS = 17, RESIDENT = 21 };
#define LONGEST_STAT ((size_t)2048)

struct use {
    uint64_t tasks, bytes;
};

/* Tell whether it has a root of its own yet, and has not ended. */
static bool stands(const char *root)
{
    struct stat inside, here;

    return stat(root, &inside) == 0 && stat("/", &here) == 0 &&
           (inside.st_dev != here.st_dev || inside.st_ino != here.st_ino);
}

/* Add one process; one that has gone or is hidden has nothing. */
static void add_process(int processes, const char *pid, struct use *use)
{
    char path[32], text[LONGEST_STAT + 1];
    unsigned long long threads = 0, resident = 0;
    char *rest, *field, *keep = NULL;
    ssize_t size;
    int file;

    if ((size_t)snprintf(path, sizeof path, "%s/stat", pid) >= sizeof path ||
        (file = openat(processes, path, O_RDONLY | O_CLOEXEC)) < 0) {
        return;
    }
    size = read(file, text, LONGEST_STAT);
    (void)close(file);
    if (size <= 0) {
        return;
    }
    text[size] = '\0';
    rest = strrchr(text, ')');
    if (rest == NULL) {
        return;
    }
    field = strtok_r(rest + 1, " \n", &keep);
    for (int at = 0; field != NULL && at <= RESIDENT; at++, field = strtok_r(NULL, " \n", &keep)) {
        if (at == THREADS) {
            threads = strtoull(field, NULL, 10);
        } else if (at == RESIDENT) {
            resident = strtoull(field, NULL, 10);
        }
    }
    use->tasks += threads;
    use->bytes += resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Add what a private file system takes, by its blocks and files. False where it has gone. */
static bool add_place(const char *root, const char *place, struct use *use)
{
    char path[4096];
    struct statvfs found;

    if ((size_t)snprintf(path, sizeof path, "%s%s", root, place) >= sizeof path || statvfs(path, &found) != 0) {
        return false;
    }
    use->bytes += (found.f_blocks - found.f_bfree) * found.f_frsize + (found.f_files - found.f_ffree) * INODE;
    return true;
}

static bool add_all(const struct run *run, struct use *use)
{
    char root[64], path[80];
    struct dirent *found;
    DIR *processes;

    (void)snprintf(root, sizeof root, "/proc/%d/root", (int)run->first);
    (void)snprintf(path, sizeof path, "%s/proc", root);
    if (!stands(root) || (processes = opendir(path)) == NULL) {
        return false;
    }
    while ((found = readdir(processes)) != NULL) {
        if (isdigit((unsigned char)found->d_name[0])) {
            add_process(dirfd(processes), found->d_name, use);
        }
    }
    (void)closedir(processes);
    for (size_t at = 0; at < run->plan->watch_places.count; at++) {
        if (!add_place(root, run->plan->watch_places.items[at], use)) {
            return false;
        }
    }
    return true;
}

bool watch_look(struct run *run)
{
    const struct plan *plan = run->plan;
    struct use use = {0, 0};
    int64_t begun = now(), again;

    if (plan->joining != NULL) {
        return false; /* a command's own bounds are looked after too */
    }
    if (add_all(run, &use) && ((plan->watch_tasks != 0 && use.tasks > plan->watch_tasks) ||
                               (plan->watch_memory != 0 && use.bytes > plan->watch_memory))) {
        return false;
    }
    again = (now() - begun) * SHARE;
    run->look_at = now() + (again > LOOK ? again : LOOK);
    return true;
}
