/* Turn a plan and a command into descriptors and an argument list: `aisbx_linux/assemble.py` and `sources.py`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front.h"
#include "kernel.h"
#include "stage.h"

/* How many uids from a plan's first one are used (`spawn.UIDS`). */
#define UIDS ((unsigned int)1 << 22)

static int note(struct run *run, int descriptor)
{
    if (descriptor > run->highest) {
        run->highest = descriptor;
    }
    return descriptor;
}

static int pass(struct run *run, int descriptor)
{
    if (descriptor < 0 || run->passed_count == MOST_PASSED) {
        return -1;
    }
    run->passed[run->passed_count++] = note(run, descriptor);
    return 0;
}

/* Give an O_PATH descriptor of a source: no link, and just what it was when the plan was made. */
static int open_source(const struct plan_source *source)
{
    int descriptor = open(source->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;

    if (descriptor < 0) {
        return -1;
    }
    if (fstat(descriptor, &status) != 0 || S_ISLNK(status.st_mode) ||
        (source->known && (status.st_dev != source->device || status.st_ino != source->inode))) {
        (void)close(descriptor);
        return -1;
    }
    return descriptor;
}

static int memory(const struct plan_bytes *content)
{
    int descriptor = memfd_create("content", MFD_CLOEXEC);
    size_t written = 0;

    while (descriptor >= 0 && written < content->size) {
        ssize_t size = write(descriptor, content->data + written, content->size - written);
        if (size <= 0) {
            return -1;
        }
        written += (size_t)size;
    }
    return descriptor >= 0 && lseek(descriptor, 0, SEEK_SET) == 0 ? descriptor : -1;
}

/* Make a pipe; `ours` is kept, the other end is given. -1 where that can't be. */
static int make_pipe(struct run *run, int *ours, bool ours_reads)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    *ours = note(run, ends[ours_reads ? 0 : 1]);
    return note(run, ends[ours_reads ? 1 : 0]);
}

static int open_null(struct run *run, int flags)
{
    return note(run, open("/dev/null", flags | O_CLOEXEC));
}

const char *wire(struct run *run)
{
    bool tool = run->plan->joining == NULL; /* its own report is held back at first */
    int ours;

    if (kind_of(0) == KIND_NULL) {
        run->inside[0] = open_null(run, O_RDONLY);
    } else {
        run->inside[0] = make_pipe(run, &ours, false);
        if (run->inside[0] >= 0 && input_begin(&run->input, 0, ours) != 0) {
            return "stdin cannot be relayed";
        }
    }
    if (kind_of(1) == KIND_NULL) {
        run->inside[1] = open_null(run, O_WRONLY);
    } else if ((run->inside[1] = make_pipe(run, &ours, true)) >= 0) {
        output_begin(&run->stdout_, ours, 1, false);
    }
    if (!tool && kind_of(2) == KIND_NULL) {
        run->inside[2] = open_null(run, O_WRONLY);
    } else if ((run->inside[2] = make_pipe(run, &ours, true)) >= 0) {
        output_begin(&run->stderr_, ours, 2, tool);
    }
    for (int at = 0; at < 3; at++) {
        if (run->inside[at] < 0) {
            return "no streams";
        }
        /* What was made for the command is its user's on the host, else /dev/stdout could not be opened inside. */
        if (run->outside != 0 && kind_of(run->inside[at]) != KIND_NULL &&
            fchown(run->inside[at], run->outside, run->outside) != 0) {
            return "a stream cannot be given to the sandbox's user";
        }
    }
    return NULL;
}

const char *lay_out(struct run *run)
{
    const struct plan *plan = run->plan;
    struct layout *layout = &run->layout;
    bool live = plan->workspace != NULL && strcmp(plan->mode, "rw") == 0;
    bool nested = live;

    if (plan->source_count > MOST_SOURCES) {
        return "too many mounts";
    }
    for (size_t at = 0; at < plan->source_count; at++) {
        nested = nested || plan->sources[at].within >= 0;
        layout->shown[at] = plan->outsider;
    }
    layout->used = plan->outsider || plan->private.count > 0 || nested;
    if (!layout->used) {
        return NULL;
    }
    for (size_t at = 0; at < plan->source_count; at++) {
        int64_t outer = plan->sources[at].within;
        if (outer >= 0) {
            if ((size_t)outer >= at) {
                return "a mount lies in a later one";
            }
            layout->shown[at] = false;
            layout->shown[outer] = layout->shown[outer] || plan->sources[outer].within < 0;
        }
    }
    if (plan->workspace != NULL) {
        size_t at = 0;
        while (at < plan->source_count && strcmp(plan->sources[at].target, plan->workspace) != 0) {
            at++;
        }
        if (at == plan->source_count) {
            return "the workspace is no mount";
        }
        while (plan->sources[at].within >= 0) {
            at = (size_t)plan->sources[at].within;
        }
        layout->shown[at] = true;
        if ((size_t)snprintf(layout->workspace, sizeof layout->workspace, STAGE "/%zu%s", at,
                             plan->workspace + strlen(plan->sources[at].target)) >= sizeof layout->workspace) {
            return "the workspace's path is too long";
        }
    }
    return NULL;
}

bool mounted_directly(const struct run *run, size_t at)
{
    return !run->layout.used || (!run->layout.shown[at] && run->plan->sources[at].within < 0);
}

const char *assemble(struct run *run)
{
    const struct plan *plan = run->plan;
    const char *why;

    if (plan->outsider) {
        run->outside = (unsigned int)plan->outside_first + (unsigned int)getpid() % UIDS;
        run->identity = note(run, make_identity((unsigned int)plan->disk_uid, (unsigned int)plan->disk_gid, run->outside));
        run->program = note(run, open(plan->program, O_PATH | O_CLOEXEC));
        if (run->identity < 0 || run->program < 0) {
            return "no user namespace for the mounts, or no tool";
        }
    }
    if ((why = wire(run)) != NULL) {
        return why;
    }
    for (size_t at = 0; at < plan->source_count; at++) {
        run->sources[at] = note(run, open_source(&plan->sources[at]));
        if (run->sources[at] < 0) {
            return "a mount's source is not what it was";
        }
    }
    if (pass(run, make_pipe(run, &run->status, true)) != 0 || pass(run, make_pipe(run, &run->gate, false)) != 0 ||
        pass(run, make_pipe(run, &run->options, false)) != 0) {
        return "no pipes";
    }
    run->first_file = run->passed_count;
    for (size_t at = 0; at < plan->file_count; at++) {
        if (pass(run, memory(&plan->files[at])) != 0) {
            return "no memory files";
        }
    }
    for (size_t at = 0; !plan->outsider && at < plan->source_count; at++) {
        /* No other: what the tool gets and does not use would stay open inside. */
        if (mounted_directly(run, at) && pass(run, run->sources[at]) != 0) {
            return "too many mounts";
        }
    }
    run->base = run->highest + 1;
    return NULL;
}
