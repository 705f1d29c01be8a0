/* The process that writes down what the watcher tells of: `aisbx.watcher`, in Python, and only while there is something. */
#ifndef AISBX_RECORDER_H
#define AISBX_RECORDER_H

#include <stdbool.h>
#include <stddef.h>

struct recorder {
    char *const *argv; /* what it is started with, ends with a NULL */
    int job;           /* a memory file: its standard input */
    const char *record; /* the sandbox's record, which it gets as it is when it is started */
    int poller;        /* epoll: `waits` is told of under `mark` */
    unsigned long long mark;
};

/* Start it if it is not there; at most once a second. */
void recorder_start(const struct recorder *recorder);
/* Tell it something, in order, starting it where it is not there; false where too much waits already. */
bool recorder_tell(const struct recorder *recorder, const void *data, size_t size);
/* Tell whether something waits for it to be started. */
bool recorder_behind(void);
/* Its socket takes more, or it has gone. */
void recorder_serve(const struct recorder *recorder);
/* Tell it all that waits, and let it end. */
void recorder_end(const struct recorder *recorder);

#endif
