/* The workspace before and after a run: whether it holds just what was known of it (`aisbx_linux/protect/scan.py`).
 *
 * Only the comparison is here: ordinary files may come and go (entries.c). What differs otherwise is Python's: it reads
 * what changed, and undoes what was planted.
 */
#ifndef AISBX_LOOK_H
#define AISBX_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan.h"

/* Layout of the file, which protect/remember.py writes: as `scan.FORMAT`. */
#define LOOK_FORMAT 9

/* How a place of the workspace is covered, as in compose.py: by itself, by itself read-only, by the null device. */
enum cover_kind { COVER_PINNED, COVER_HELD, COVER_HIDDEN };

struct cover {
    enum cover_kind kind;
    const char *path; /* absolute */
};

struct look {
    /* The file it was read from, open for reading (close-on-exec): handed over, so that Python's end of the run
     * compares with just this state, whatever other runs have remembered since. */
    int file;
    struct cover *covered; /* what `Guard.hold` gives, in its order */
    size_t cover_count;
    struct look_data *data; /* of look.c */
};

/* Give what is known of the plan's workspace if it still holds: every directory and protected file is the same, and
 * where entries have changed there is nothing that Python would note; NULL where there is
 * nothing, it is not ours alone, is torn, or anything differs: nothing is left open then. Only for a plan with a
 * workspace of mode `rw` and `scans`. */
struct look *look_known(const struct plan *plan);

/* The same, without a look whether it holds: what the workspace of a sandbox that lasts held when that was made. */
struct look *look_read(const struct plan *plan);

/* Have `look_same` change nothing, so that many threads may ask at once; false where there is no memory. */
bool look_share(struct look *look);

/* Tell whether it still holds, once the last process has ended. */
bool look_same(struct look *look);

/* Close and free it. NULL is allowed. */
void look_free(struct look *look);

#endif
