/* The audit record of a run: what `aisbx/audit/write.py` does in the ordinary course, and nothing more.
 *
 * A log that is to be begun, mended, rotated or exported, or that anything is odd about, is Python's.
 */
#ifndef AISBX_RECORD_H
#define AISBX_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan.h"

/* A text that grows; `failed` once there was no memory, and then it is not to be used. Begins as {0}. */
struct text {
    char *data; /* NUL-terminated once something was added */
    size_t size, room;
    bool failed;
};

void text_add(struct text *text, const char *data, size_t size);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *text);

/* Add a JSON string (ASCII) of bytes that Python would decode as UTF-8 with surrogate escapes. */
void text_quote(struct text *text, const char *bytes);
/* Add a JSON list of strings; `words` end with a NULL. */
void text_list(struct text *text, const char *const *words);
/* Add microseconds as a number of seconds, the way Python writes a float: 0.0, 1.5, 2e-06. */
void text_seconds(struct text *text, int64_t microseconds);

/* Tell whether a command line is short enough to be recorded as it is (longer ones are Python's to bound). */
bool record_fits(const char *const *argv);

/* What came of a run that ended in the ordinary course: not timed out, nothing met, nothing dropped, no failure, no
 * findings. Times in microseconds, resident set size in bytes. */
struct record_result {
    int code;
    int signal; /* 0: none */
    int64_t duration, user, system;
    int64_t max_rss;
    uint64_t stdout_bytes, stderr_bytes;
};

/* Which run it was and who asked for it: `uid:` and the effective user by `cli`, unless a program says otherwise. */
struct record_who {
    const char *run, *principal, *host;
};

struct log {
    int file, head;
    const char *path;
    uint64_t limit;
    unsigned char key[64];
};

/* Open the log for appending, without making anything; -1 where it, its head or its key is not there, is a link,
 * another's or open to others, or where the head is to be exported: nothing is open then. */
int log_open(struct log *log, const struct plan *plan);
void log_close(struct log *log);

/* Append a record (an object without a line feed) as the next of the chain, waiting until nobody else writes.
 * 0: written. 1: it can't be here as usual (another file has the name by now, the file is full or the disk, the head
 * does not fit), and nothing of it was written: Python appends it. */
int log_append(struct log *log, const struct text *line);

/* Add the beginning of a record, up to its time (microseconds since the epoch), and its end from the exit code on. */
void record_begin(struct text *line, int64_t time);
void record_end(struct text *line, const struct record_result *result);

/* Give a whole record, `start`, the plan's part and `ending` of write.py: `time` in microseconds since the epoch,
 * `run` the run's id, `argv` ending with a NULL. */
void record_build(struct text *line, const struct plan *plan, const struct record_who *who, int64_t time,
                  const char *const *argv, const struct record_result *result);

#endif
