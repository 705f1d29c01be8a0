/* Read the flat file of a plan: numbers (8 bytes, little-endian), texts and bytes (a number, that many bytes, a NUL).
 *
 * Every read is bounded by what the file holds. What goes beyond sets `failed`, gives 0 or "", and reads no further.
 */
#ifndef AISBX_PLAN_READ_H
#define AISBX_PLAN_READ_H

#include "plan.h"

struct reader {
    struct plan_memory memory;
    const char *next;
    size_t left; /* bytes */
    bool failed;
};

uint64_t read_number(struct reader *reader);
/* A number of things that each take at least `each` numbers: more than the file can hold fail. */
size_t read_count(struct reader *reader, size_t each);
struct plan_bytes read_bytes(struct reader *reader);
/* A text without a NUL in it. */
char *read_string(struct reader *reader);
struct plan_strings read_strings(struct reader *reader);

/* Read an open file whole, from its beginning, into `reader`; false where it is empty, too large or can't be read. */
bool read_whole(int file, struct reader *reader);
/* Read the beginning: that it is a plan of our version, of just this name, and whole. */
bool read_header(struct reader *reader, const char *name);

/* Numbers that tell which file was written: device, inode, mtime in nanoseconds, size in bytes. */
#define WRITTEN 4

/* Read the rest; `group` becomes what /proc/self/cgroup said when the plan was made, `held` of which file the sandbox
 * that it joins, if it joins one, was read. NULL where it is torn. */
struct plan *read_plan(struct reader *reader, struct plan_bytes *group, uint64_t held[WRITTEN]);

/* Read which variables made a difference, and tell whether they have the values that they had. */
bool same_environment(struct reader *reader);

void plan_memory_free(struct plan_memory *memory);

#endif
