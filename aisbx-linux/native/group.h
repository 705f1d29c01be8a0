/* The control groups of one launch: the ordinary course of `aisbx_linux/cgroup/group.py`.
 *
 * Groups are named `aisbx-PID-0`: the pid stays the same when Python takes over, and Python knows the names by it.
 */
#ifndef AISBX_GROUP_H
#define AISBX_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "plan.h"

/* More hierarchies than that are Python's. */
#define GROUP_MOST 8

struct group {
    const struct plan *plan;
    char name[40];
    int parents[GROUP_MOST];   /* directories, open while it is there; close-on-exec */
    int inside[GROUP_MOST];    /* `tasks` of the group, -1: not one that the tool is started in, or shut */
    int outside[GROUP_MOST];   /* `tasks` of the one above it */
    size_t made;               /* in so many of the parents there is a group */
};

/* Make the groups, without limits. 0, or -1: nothing is left then, and Python tries and tells. */
int group_make(struct group *group, const struct plan *plan);

/* Take this thread into the groups that the tool is started in, for what it starts next. 0, or -1 with errno. */
int group_enter(const struct group *group);
/* Take it back; may be called without group_enter. 0, or -1 with errno: this process is still in the group then. */
int group_leave(const struct group *group);

/* Shut the doors and set the limits, once nobody else is in the groups. 0, or -1 with errno. */
int group_limit(struct group *group);

/* Move a process into the groups that the tool is not started in. 0, or -1 with errno. */
int group_add(const struct group *group, pid_t process);

/* Once every process has ended: tell whether nothing that the plan watches for has happened. 1: nothing; 0: something
 * did, or a count can't be read, and Python settles. */
int group_quiet(const struct group *group);

/* Remove the groups, and those of launchers that are gone, and close all. 0; 1 where one could not be removed yet:
 * nothing is closed then, and Python goes on. */
int group_remove(struct group *group);

/* Undo: remove what was made (nothing has been started in it) and close all. */
void group_undo(struct group *group);

#endif
