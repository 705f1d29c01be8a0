/* A plan as the front reads it: what `aisbx/plan/native.py` writes beside an entry of `aisbx/plan/keep.py`.
 *
 * A plan carries authority: whoever could write one would decide what a sandbox may do. So it is guarded exactly as
 * `aisbx/plan/recall.py` guards an entry, and whatever does not hold exactly is not used: the front then goes on as
 * Python. Nothing here changes anything on disk.
 */
#ifndef AISBX_PLAN_H
#define AISBX_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Version of the file and of the entry beside it; as FORMAT of native.py and of recall.py. */
#define PLAN_FORMAT 3
#define PLAN_ENTRY_FORMAT 12
/* Characters of a name, with its NUL: "native-" and 32 hexadecimal digits. */
#define PLAN_NAME 40
#define PLAN_OPTIONS 32

/* An option by its long name and its values in the order given, as `cli/lean.py` reads them. */
struct plan_option {
    const char *name;
    const char *const *values;
    size_t count;
};

/* Which installation asks: absolute paths, as the launcher passes them and Python has them. */
struct plan_origin {
    const char *python; /* the interpreter that is started instead (sys.executable) */
    const char *script; /* what it is started with (…/aisbx/cli/fast.py) */
};

/* Bytes; `data` is never NULL. */
struct plan_bytes {
    const unsigned char *data;
    size_t size;
};

/* NUL-terminated strings, and one NULL behind them. */
struct plan_strings {
    char **items;
    size_t count;
};

/* See `Source` in aisbx/types/plan.py. */
struct plan_source {
    const char *path;
    const char *target;
    int64_t within; /* index of the source that holds this one, -1: none */
    uint64_t device, inode;
    bool known; /* device and inode are to be compared */
    bool writable;
    bool owned;
};

struct plan_rlimit {
    int64_t resource;
    uint64_t soft, hard; /* RLIM_INFINITY for -1 */
};

/* A row of `CgroupRow`. */
struct plan_limit {
    const char *file, *value;
};
struct plan_event {
    const char *file, *key, *name;
};
struct plan_group {
    const char *parent;
    struct plan_limit *limits;
    size_t limit_count;
    struct plan_event *events;
    size_t event_count;
    bool inherited; /* version 1: the tool is started in it, by a process that goes in for that moment */
};

/* The sandbox that a command joins: `Joining` in aisbx/types/plan.py. */
struct plan_joining {
    int held; /* the file that says who it is, open for reading (close-on-exec): just the one that this was read from */
    const char *home, *boot;
    uint64_t first, born, uid, gid;
    bool watched; /* the filter notifies, and somebody has to listen */
    struct plan_group *groups; /* `parent` is the directory itself; without limits */
    size_t group_count;
};

/* What a plan lies in (plan_read.c). */
struct plan_memory {
    char *data;
    struct plan_block *blocks;
};

struct plan {
    struct plan_memory memory;

    /* The entry of Python that this one stands for: open for reading (close-on-exec), and the same as was written
     * together with this plan. Handed over, so that Python goes on with just that one. */
    int entry;
    const char *entry_name; /* in the directory that plan_find was given */

    /* `PlanEntry` */
    const char *kind;   /* "run" or "exec" */
    const char *record; /* JSON members, without braces */
    bool program_only;
    const char *audit_path, *audit_key, *audit_export;
    uint64_t audit_limit, audit_keep;
    const char *state;
    uint64_t keep_output, keep_runs; /* bytes; files */
    const char *launcher;            /* the module that carries it out: "aisbx_linux.launch", … */

    /* `LaunchPlan` */
    struct plan_source *sources;
    size_t source_count;
    bool grouped; /* there is a `cgroup`, even without rows */
    struct plan_group *groups;
    size_t group_count;

    /* `LocalPlan` */
    const char *program;
    struct plan_strings head, tail;
    struct plan_bytes *files;
    size_t file_count;
    struct plan_strings environment; /* NAME=VALUE */
    struct plan_bytes filter;        /* struct sock_filter[] */
    struct plan_rlimit *rlimits;
    size_t rlimit_count;
    bool watched; /* `watch` is not None */
    uint64_t watch_memory, watch_tasks;
    struct plan_strings watch_places;
    bool outsider; /* `outside` is not None: root runs it */
    uint64_t disk_uid, disk_gid, outside_first;
    bool contained;
    bool composed;
    struct plan_strings private;
    uint64_t *publish;
    size_t publish_count;
    const char *workspace; /* NULL: none is to be watched */
    const char *mode;      /* of `workspace`: "rw", "ro", "cow", "guarded" */
    const char *scans;     /* the file of what is known of an `rw` workspace (look.h); NULL: none */
    const char *cwd;
    uint64_t wall_time; /* microseconds; 0: no bound */
    uint64_t output;    /* bytes; 0: no bound */

    struct plan_joining *joining; /* NULL: the sandbox is made for the command */
};

/* Give the file name for these options in this directory, for this user, kernel and installation.
 *
 * The first 16 bytes of SHA-256, in hexadecimal, of these fields, each as its length (8 bytes, little-endian) and its
 * bytes: PLAN_FORMAT and PLAN_ENTRY_FORMAT in decimal; python, script; effective uid, uid, effective gid in decimal;
 * release and machine of uname(2); the current directory; for each option but `env` that has values, in the order of
 * their names as bytes: name, number of values in decimal, values; and for each of USUALLY_DIFFER (PATH, VIRTUAL_ENV,
 * CONDA_PREFIX, JAVA_HOME, GOROOT) "1" and its value, or "0" where it is not set.
 *
 * `options` are at most PLAN_OPTIONS, in any order. Returns 0, or -1 where there are more or uname(2) fails. */
int plan_name(char name[PLAN_NAME], const struct plan_origin *origin, const struct plan_option *options, size_t count,
              const char *cwd);

/* Give the plan of that name in `directory` if it is there, is ours alone, and everything it was made from is still
 * the same; NULL otherwise, with nothing left open. `workspace` is a real path, "" for none: a command could have
 * written a plan into it, so there none is looked for. The environment is that of this process. */
struct plan *plan_find(const char *directory, const char *name, const char *workspace);

/* The same for a plan that a program has made for its own runs and gives in an open file, under the name PLAN_GIVEN, with
 * the entry of Python in another, which is the plan's from then on: nobody else can have written to them. */
#define PLAN_GIVEN "given"
struct plan *plan_given(int file, int entry);

/* Close and free it. NULL is allowed. */
void plan_free(struct plan *plan);

#endif
