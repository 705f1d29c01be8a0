/* Which calls are described, and how many were not: nobody inside can have the watcher read and write without end. */
#ifndef AISBX_TALLY_H
#define AISBX_TALLY_H

#include <linux/seccomp.h>
#include <stdbool.h>

#include "recorder.h"

enum { TALLY_RUN = 32 }; /* characters of a run's id, with its NUL */

/* Tell whether there is time to describe a call: so many a second, as in `aisbx_linux/watching/serve.py`. */
bool tally_describes(void);
/* Count one that is not described. */
void tally_add(const char *run, const struct seccomp_data *data, int error);
/* Tell how many there were, once that is due or `now`. */
void tally_tell(const struct recorder *recorder, bool now);
/* Milliseconds until that is due; -1: never. */
int tally_patience(void);

#endif
