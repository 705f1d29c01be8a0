/* The control groups of one launch: the ordinary course of `aisbx_linux/cgroup/group.py`.
 *
 * Groups are named `aisbx-PID-0`: the pid stays the same when Python takes over, and Python knows the names by it.
 */
#ifndef AISBX_GROUP_H
#define AISBX_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan.h"

/* More hierarchies than that are Python's. */
#define GROUP_MOST 8

struct group {
    const struct plan *plan;
    char name[40];
    int parents[GROUP_MOST];   /* directories, open while it is there; close-on-exec */
    int inside[GROUP_MOST];    /* `tasks` of the group; -1: not one that the tool is started in, or shut */
    size_t opened, made;       /* so many of the parents are open, and in so many there is a group */
};

/* Make the groups, without limits. 0, or -1: nothing is left then, and Python tries and tells. */
int group_make(struct group *group, const struct plan *plan);

/* Take this process, which is to become the tool, into the groups that it is started in. 0, or -1 with errno. */
int group_enter(const struct group *group);

/* Shut the doors and set the limits, once nobody else is in the groups. 0, or -1 with errno. */
int group_limit(struct group *group);

/* Move a process into the groups that the tool is not started in. 0, or -1 with errno. */
int group_add(const struct group *group, pid_t process);

/* Once every process has ended: tell whether nothing that the plan watches for has happened. 1: nothing; 0: something
 * did, or a count can't be read, and Python settles. */
int group_quiet(const struct group *group);

/* Give the number behind a key of an open control file with lines `KEY NUMBER`, 0 where it has no such line; -1 where it
 * can't be read. */
int64_t group_number(int file, const char *key);

/* Once nothing is in them: remove the groups, and some of launchers that are gone, and close all. */
void group_remove(struct group *group);

#endif
