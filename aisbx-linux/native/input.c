/* The caller's stdin on its way in; see relay.h.
 *
 * What a command does not read belongs to whoever reads next: a pipe's bytes are lent to it with tee(2) and consumed only
 * when it has read them, a file's offset is set back to where it stopped. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "relay.h"

int input_begin(struct input *input, int source, int target)
{
    int flags = fcntl(target, F_GETFL);

    input->used = true;
    input->source = source;
    input->target = target;
    input->reader = -1;
    input->kind = kind_of(source);
    if (flags < 0 || fcntl(target, F_SETFL, flags | O_NONBLOCK) != 0) {
        return -1;
    }
    /* One slot: room for more means that the command has read all of it (see `lend`). */
    return input->kind == KIND_PIPE && fcntl(target, F_SETPIPE_SZ, 4096) < 0 ? -1 : 0;
}

int input_wants(const struct input *input, short *event)
{
    if (!input->used || input->target < 0) {
        return -1;
    }
    if (input->pending_size > 0 || input->lent > 0 || input->at_end) {
        *event = POLLOUT;
        return input->target;
    }
    *event = POLLIN;
    return input->source;
}

size_t unread(int pipe)
{
    int size = 0;

    return ioctl(pipe, FIONREAD, &size) == 0 && size > 0 ? (size_t)size : 0;
}

static void consume(int source, size_t size)
{
    unsigned char data[4096];

    while (size > 0) {
        ssize_t got = read(source, data, size < sizeof data ? size : sizeof data);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return;
        }
        size -= (size_t)got;
    }
}

void input_close(struct input *input)
{
    int *ends[] = {&input->target, &input->reader};

    for (size_t which = 0; input->used && which < 2; which++) {
        int pipe = *ends[which];
        if (pipe < 0) {
            continue;
        }
        if (input->kind == KIND_FILE) {
            /* It may have no offset (O_PATH), or none that can be set (files of tracefs): nothing to give back. */
            (void)lseek(input->source, -(off_t)(unread(pipe) + input->pending_size), SEEK_CUR);
        } else if (input->kind == KIND_PIPE && input->lent > unread(pipe)) {
            consume(input->source, input->lent - unread(pipe));
        }
        input->lent = 0;
        (void)close(pipe);
        *ends[which] = -1;
    }
}

/* Let the command see the end; for a file, keep a way to count what it leaves unread. */
static void finish(struct input *input)
{
    if (input->kind == KIND_FILE) {
        char path[32];
        /* As a reader, opened before the last writer goes. */
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", input->target);
        input->reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    }
    (void)close(input->target);
    input->target = -1;
}

/* Tell whether a pipe has lost its readers, by its writing end. */
static bool abandoned(int pipe)
{
    struct pollfd watched = {.fd = pipe};

    return poll(&watched, 1, 0) > 0 && (watched.revents & POLLERR) != 0;
}

/* Copy from pipe to pipe with tee(2) and consume the original only when the copy has been read. */
static void lend(struct input *input)
{
    ssize_t copied;

    if (input->lent > 0) {
        if (unread(input->target) > 0) {
            input_close(input); /* ready because nobody reads any more, not because all was read */
        } else {
            consume(input->source, input->lent);
            input->lent = 0;
        }
        return;
    }
    copied = tee(input->source, input->target, CHUNK, SPLICE_F_NONBLOCK);
    if (copied > 0) {
        input->lent = (size_t)copied;
    } else if (copied == 0) {
        finish(input);
    } else if (abandoned(input->target)) {
        input_close(input); /* nobody reads any more: all of it is for the next */
    } else {
        input->kind = KIND_OTHER; /* this kernel can't: pass on what there is */
    }
}

void input_step(struct input *input)
{
    if (input->target < 0) {
        return; /* ended by what became ready together with it */
    }
    if (input->kind == KIND_PIPE) {
        lend(input);
        return;
    }
    if (input->pending_size == 0 && !input->at_end) {
        ssize_t size = read(input->source, input->pending, CHUNK);
        if (size < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                input_close(input);
            }
            return;
        }
        input->at_end = size == 0;
        input->pending_at = 0;
        input->pending_size = (size_t)size;
    }
    if (input->pending_size > 0) {
        ssize_t written = write(input->target, input->pending + input->pending_at, input->pending_size);
        if (written < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                input_close(input); /* EPIPE: the command reads no more */
            }
            return;
        }
        input->pending_at += (size_t)written;
        input->pending_size -= (size_t)written;
    }
    if (input->at_end && input->pending_size == 0) {
        finish(input);
    }
}

void input_tell(struct text *text, const struct input *input)
{
    static const char *const names[] = {"null", "pipe", "file", "other"};

    if (!input->used) {
        return;
    }
    keep_open(input->target);
    keep_open(input->reader);
    text_print(text, "stdin %s %d %d %d %zu ", names[input->kind], input->target, input->reader, input->at_end,
               input->lent);
    text_hex(text, input->pending + input->pending_at, input->pending_size);
    text_add(text, "\n", 1);
}
