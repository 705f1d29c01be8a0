/* The client's side of a command that a helper starts: the ordinary course of `aisbx_linux/lasting/helped.py`, in one call
 * of a shared library that `lasting/client.py` loads. The caller's Python can do other work meanwhile.
 *
 * It is never wiser than Python. What is not just as usual is left as it is, for Python to go on with or to begin anew.
 */
#ifndef AISBX_CLIENT_H
#define AISBX_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#define EXPORTED __attribute__((visibility("default")))
/* What this file says: as FORMAT of lasting/client.py, which takes no library that says otherwise. */
#define CLIENT_FORMAT 4
EXPORTED extern const int client_format;
/* Limits of cgroups that are counted; more are Python's. */
#define CLIENT_COUNTS 16

/* The audit log of a program, open for all its threads. NULL where it is not as usual (record.h), or without memory. */
struct client_log;
EXPORTED struct client_log *client_log_open(const char *path, const char *key, uint64_t limit);
EXPORTED void client_log_close(struct client_log *log);

/* What the commands of one sandbox have in common; nothing in it changes, so any number of threads may use one. */
struct client;

/* `home` is the sandbox's private directory, `workspace` the one to be compared after each command (0 for none) with what
 * `home` says of it, `null` is /dev/null open for reading, `owner` the uid on the host that what is made for a command is
 * given to (-1 for this process's own), `files` are open files with counts and `keys` the words before them.
 * NULL where anything is not as usual. Files and `null` stay the caller's, and are open until `client_close`. */
EXPORTED struct client *client_open(const char *home, const char *workspace, int null, int64_t owner, size_t count,
                                    const int *files, const char *const *keys);
EXPORTED void client_close(struct client *client);

enum client_result {
    CLIENT_ENDED,    /* all is in the outcome */
    CLIENT_NOT_ASKED, /* nothing was asked of the helper, nothing is left */
    CLIENT_GOES_ON,  /* the helper was asked and its answer has not been read: Python goes on with the two streams */
};

/* How a command is to be run, and what came of it: 8 bytes each, as `lasting/client.py` has them. */
struct client_outcome {
    int64_t patience;             /* nanoseconds, 0: any number */
    uint64_t most, room;          /* bytes of all output (0: any number), and of one stream */
    unsigned char *data[2];       /* where what is printed goes */
    struct client_log *log;       /* NULL: its end is not recorded */
    int64_t started, ended;       /* monotonic nanoseconds */
    int64_t status, user, system; /* as of wait4(2); microseconds */
    int64_t peak;                 /* KiB */
    int64_t size[2];              /* bytes of stdout and stderr that were read */
    int64_t reader[2];            /* ends of their pipes; -1 where closed */
    int64_t recorded;             /* its record is written */
    int64_t run;                  /* of `brief_run`: the run's id */
    int64_t before[CLIENT_COUNTS];
};

/* Have a helper, at the other end of `socket`, run the command of a message (its size comes first), and wait for its end.
 * Gives back when its patience has ended, more has come than there may or than there is room for in one stream, or a signal.
 * Where it has ended, its record is appended to the log, with `members` (JSON) before its exit code. */
EXPORTED enum client_result client_run(const struct client *client, int socket, const void *message, const char *members,
                                       struct client_outcome *outcome);

/* What the plainest commands of a sandbox have in common: a few words, and nothing of their own. */
struct brief_plan {
    const struct client *client; /* it and the log are open as long as a brief that has them */
    struct client_log *log;
    int64_t patience, most;      /* as of an outcome */
    const char *before, *after;  /* `asking.surroundings` */
    size_t before_size, after_size;
    const char *who, *known;     /* JSON members of the records: who asks, from where; the sandbox's */
    int64_t program_only;        /* a record has only the first word */
};

struct brief;
EXPORTED struct brief *brief_open(const struct brief_plan *plan);
EXPORTED void brief_close(struct brief *brief);

/* `client_run` of a command, its words in `text` with a NUL between each two, for this process and user alone;
 * `watched` is readable once who watches the sandbox has ended (-1: nobody does). What is not just so is not asked for. */
EXPORTED enum client_result brief_run(const struct brief *brief, int socket, int watched, const char *text, size_t size,
                                      size_t count, struct client_outcome *outcome);

#endif
