/* Start a command where this process is: its namespaces, user, limits and filter are inherited. */
#ifndef AISBX_COMMAND_H
#define AISBX_COMMAND_H

#include <sys/types.h>

#include "plan_read.h"

/* The three streams, and what keeps the sandbox as it is until the command has begun. */
enum { STREAMS = 3, JOINING = STREAMS, DESCRIPTORS };

/* What the client asks for. */
struct request {
    const char *cwd;
    struct plan_strings argv, environment; /* each ends with a NULL */
    int descriptors[DESCRIPTORS];          /* closed on exec, above those that the command gets */
    volatile int error;                    /* errno of what kept it from running */
};

/* Start it, in a session of its own and in this process's directory. Gives its pid once it executes, and a pidfd in
 * `process`; it is to be waited for with __WALL. -1 with errno where it could not be started or executed. */
pid_t command_start(struct request *request, int *process);

#endif
