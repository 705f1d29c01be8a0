/* Output of the command on its way to the caller; see relay.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "relay.h"

/* What bubblewrap says on stderr, in this form, before the command runs is its own report, not the command's. */
static const char TOOL_REPORT[] = "bwrap: ";

enum kind kind_of(int descriptor)
{
    struct stat status;

    if (fstat(descriptor, &status) != 0) {
        return KIND_OTHER;
    }
    if (S_ISFIFO(status.st_mode)) {
        return KIND_PIPE;
    }
    if (S_ISREG(status.st_mode)) {
        return KIND_FILE;
    }
    if (S_ISCHR(status.st_mode) && major(status.st_rdev) == 1 && minor(status.st_rdev) == 3) {
        return KIND_NULL;
    }
    return KIND_OTHER;
}

void output_begin(struct output *output, int source, int target, bool holding)
{
    enum kind kind = kind_of(target);

    output->used = true;
    output->source = source;
    output->target = target;
    output->holding = holding;
    output->direct = kind == KIND_PIPE;
    output->step = kind == KIND_FILE || kind == KIND_NULL ? CHUNK : SAFE_WRITE;
}

int output_wants(const struct output *output, short *event)
{
    if (!output->used) {
        return -1;
    }
    if (output->pending_size > 0) {
        *event = POLLOUT;
        return output->target;
    }
    *event = POLLIN;
    return output->source;
}

static void end(struct output *output)
{
    (void)close(output->source);
    output->source = -1;
}

/* Write what is pending as far as that can't block. 1 where the descriptor refuses it. */
static int flush(struct output *output)
{
    struct pollfd room = {.fd = output->target, .events = POLLOUT};
    size_t size = output->pending_size < output->step ? output->pending_size : output->step;
    ssize_t written;

    if (output->step == SAFE_WRITE && poll(&room, 1, 0) <= 0) {
        return 0;
    }
    written = write(output->target, output->pending + output->pending_at, size);
    if (written < 0) {
        return errno != EAGAIN && errno != EINTR;
    }
    output->pending_at += (size_t)written;
    output->pending_size -= (size_t)written;
    if (output->pending_size == 0) {
        output->pending_at = 0;
    }
    return 0;
}

/* Keep the beginning of the output. A full disk does not end the run: it is told at its end. */
static void keep(struct budget *budget, const unsigned char *data, size_t size)
{
    if (size > budget->log_left) {
        size = (size_t)budget->log_left;
    }
    budget->log_left -= size;
    if (size == 0 || budget->log_error != 0) {
        return;
    }
    if (budget->log < 0) {
        budget->log = open(budget->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (budget->log < 0) {
            budget->log_error = errno;
            return;
        }
    }
    while (size > 0) {
        ssize_t written = write(budget->log, data, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            budget->log_error = errno;
            return;
        }
        data += written;
        size -= (size_t)written;
    }
}

/* Count what has come, keep its beginning and pass it on; there is room for it in the budget and in `pending`. */
static int accept_bytes(struct output *output, struct budget *budget, const unsigned char *data, size_t size)
{
    output->passed += size;
    if (budget->limited) {
        budget->left -= size;
    }
    keep(budget, data, size);
    memcpy(output->pending, data, size);
    output->pending_at = 0;
    output->pending_size = size;
    return flush(output);
}

int output_release(struct output *output, struct budget *budget)
{
    size_t size = output->held_size;

    if (budget->limited && size > budget->left) {
        return 1;
    }
    output->holding = false;
    output->held_size = 0;
    return size > 0 ? accept_bytes(output, budget, output->held, size) : 0;
}

/* Move from pipe to pipe in the kernel. 0: done, 1: Python's, -1: it has to be read. */
static int splice_bytes(struct output *output, struct budget *budget, size_t most)
{
    ssize_t moved = splice(output->source, NULL, output->target, NULL, most, SPLICE_F_NONBLOCK);

    if (moved < 0) {
        return errno == EAGAIN ? -1 : 1; /* the target is full: read a chunk and wait for room with it */
    }
    if (moved == 0) {
        end(output);
    }
    output->passed += (uint64_t)moved;
    if (budget->limited) {
        budget->left -= (uint64_t)moved;
    }
    return 0;
}

/* Take what is there still, as far as it fits. 0 or 1 as of a step. */
static int drain_on(struct output *output, struct budget *budget)
{
    unsigned char data[CHUNK];

    while (output->source >= 0 && output->pending_size == 0) {
        size_t most = output->left < CHUNK ? output->left : CHUNK;
        ssize_t size;

        if (budget->limited && most > budget->left) {
            return 1;
        }
        size = most > 0 ? read(output->source, data, most) : 0;
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            end(output);
            break;
        }
        output->left -= (size_t)size;
        if (accept_bytes(output, budget, data, (size_t)size) != 0) {
            return 1;
        }
    }
    return 0;
}

int output_drain(struct output *output, struct budget *budget)
{
    if (!output->used || output->source < 0) {
        return 0;
    }
    output->draining = true;
    output->left = unread(output->source);
    return drain_on(output, budget);
}

static bool like_a_report(const struct output *output, const unsigned char *data, size_t size)
{
    size_t compared = size < sizeof TOOL_REPORT - 1 ? size : sizeof TOOL_REPORT - 1;

    return output->held_size > 0 || memcmp(data, TOOL_REPORT, compared) == 0;
}

int output_step(struct output *output, struct budget *budget)
{
    unsigned char data[CHUNK];
    size_t most = CHUNK;
    ssize_t size;

    if (output->pending_size > 0) {
        return flush(output) != 0 || (output->draining && drain_on(output, budget) != 0);
    }
    if (output->source < 0) {
        return 0; /* ended by what became ready together with it */
    }
    if (budget->limited && budget->left < output->held_size + most) {
        if (budget->left <= output->held_size) {
            return 1;
        }
        most = (size_t)budget->left - output->held_size;
    }
    if (output->direct && !output->holding && (budget->path == NULL || budget->log_left == 0)) {
        int spliced = splice_bytes(output, budget, most);
        if (spliced >= 0) {
            return spliced;
        }
    }
    size = read(output->source, data, most);
    if (size < 0) {
        return errno != EAGAIN && errno != EINTR;
    }
    if (size == 0) {
        end(output);
        return 0;
    }
    if (!output->holding || !like_a_report(output, data, (size_t)size)) {
        output->holding = false;
        return accept_bytes(output, budget, data, (size_t)size);
    }
    memcpy(output->held + output->held_size, data, (size_t)size); /* the tool writes its report in pieces */
    output->held_size += (size_t)size;
    return output->held_size > LONGEST_REPORT ? output_release(output, budget) : 0;
}

void text_hex(struct text *text, const unsigned char *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    if (size == 0) {
        text_add(text, "-", 1);
    }
    for (size_t at = 0; at < size; at++) {
        text_add(text, &digits[data[at] >> 4], 1);
        text_add(text, &digits[data[at] & 15], 1);
    }
}

void keep_open(int descriptor)
{
    if (descriptor >= 0) {
        (void)fcntl(descriptor, F_SETFD, 0);
    }
}

void output_tell(struct text *text, const char *name, const struct output *output)
{
    if (!output->used) {
        return;
    }
    keep_open(output->source);
    text_print(text, "%s %d %llu %d ", name, output->source, (unsigned long long)output->passed, output->holding);
    text_hex(text, output->held, output->held_size);
    text_add(text, " ", 1);
    text_hex(text, output->pending + output->pending_at, output->pending_size);
    text_add(text, "\n", 1);
}
