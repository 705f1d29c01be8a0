/* Between client.c, which sees a command end, and append.c, which records it. */
#ifndef AISBX_APPEND_H
#define AISBX_APPEND_H

#include <stdbool.h>

#include "client.h"

/* Append the record of a command that has ended; `members` are those before its exit code, as `write.members` gives them.
 * False where nothing of it was written: see log_append. */
bool record_ended(struct client_log *log, const char *members, size_t size, const struct client_outcome *outcome);

/* Tell whether the file that is open has the log's name still (kept.ready). */
bool log_is_ready(const struct client_log *log);

#endif
