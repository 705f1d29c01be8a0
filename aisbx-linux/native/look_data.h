/* What was remembered of a workspace, between look.c, which reads and compares it, and entries.c. */
#ifndef AISBX_LOOK_DATA_H
#define AISBX_LOOK_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* The numbers at the beginning, in their order; the layout is that of aisbx_linux/protect/remember.py. */
enum {
    WHAT, FORMAT, PLACE_SIZE, DIRECTORIES, NAMES_SIZE, FILES, OTHERS, PATHS_SIZE,
    PINS, MOUNTS, SOCKETS, COVERED_SIZE, TABLE_SIZE, PLAIN, LAST, TOTAL, HEAD,
};
enum { DEVICE, INODE, CTIME, CONTEXT, DIRECTORY_NUMBERS };
enum { THERE, FILE_DEVICE, FILE_INODE, FILE_CTIME, SIZE, MODE, FILE_NUMBERS };

struct look_data {
    uint64_t *words; /* what was read of the file */
    const uint64_t *directories, *files;
    const char *place, *names, *paths, *covered, *table; /* texts, each of so many bytes, and a NUL */
    /* Made when the first directory has changed, see entries.c. */
    const char **known; /* the directories' names by their hash: open addressing, NULL where it's free */
    size_t slots;       /* of `known`, a power of two */
    const char **meant; /* the names of the table, in its order */
    size_t meant_count;
    /* For who looks again and again: each directory's ctime when its entries, read then, were as expected; 0 for none. */
    _Atomic uint64_t *seen;
};

/* Give the next of a list of texts with a NUL behind each, NULL at its end. */
const char *next_text(const char **place, const char *end);

/* Make what `same_findings` looks names up in, unless it is there; false where there is no memory. */
bool index_names(struct look_data *data);

/* Tell whether a directory whose entries have changed (`now` is its status, `name` its path below `root`, `context` its
 * fourth number) still has all that was found in it, and nothing that would have been found: see entries.c. `budget`
 * is how many entries may yet be read. */
bool same_findings(struct look_data *data, int root, const char *name, uint64_t context, const struct stat *now,
                   unsigned *budget);

#endif
