/* Move bytes between the caller's descriptors and the sandbox's, and let nothing else through: the ordinary course of
 * `aisbx_linux/relay.py`, `lend.py` and `wire.py`, which say why.
 *
 * Nothing blocks, and no flag is changed on a descriptor that the caller shares with others. Whatever is out of the
 * ordinary (a descriptor that refuses bytes, a budget that is used up) is left just as it is, for Python to go on with.
 */
#ifndef AISBX_RELAY_H
#define AISBX_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

#define CHUNK ((size_t)1 << 16)
/* POLLOUT on a pipe, socket or terminal promises room for this much, no more (pipe(7): PIPE_BUF). */
#define SAFE_WRITE ((size_t)4096)
/* Bytes of the tool's own report that are held back at most, before the last chunk. */
#define LONGEST_REPORT ((size_t)8192)

enum kind { KIND_NULL, KIND_PIPE, KIND_FILE, KIND_OTHER };

/* What an open descriptor is; KIND_OTHER for terminals, sockets, devices, and what fstat(2) refuses. */
enum kind kind_of(int descriptor);

/* How many bytes may still pass and be kept, shared by the streams of a run. */
struct budget {
    bool limited;
    uint64_t left;     /* bytes that may pass, where limited */
    uint64_t log_left; /* bytes that are still kept */
    const char *path;  /* of the log, NULL for none */
    int log;           /* open once something was kept, else -1 */
    int log_error;     /* errno with which the file system refused bytes; nothing is kept from then on */
};

/* One stream from the sandbox to the caller's descriptor. */
struct output {
    bool used;
    int source, target;
    bool direct;  /* from pipe to pipe: can be spliced */
    bool holding; /* what begins like the tool's report is held back */
    bool draining; /* the command has ended: `left` bytes are taken still, and no more */
    size_t step, left;
    uint64_t passed;
    size_t held_size, pending_size, pending_at;
    unsigned char held[LONGEST_REPORT + CHUNK];
    unsigned char pending[LONGEST_REPORT + CHUNK];
};

/* The caller's stdin on its way in. */
struct input {
    bool used;
    int source, target, reader;
    enum kind kind;
    bool at_end;
    size_t lent, pending_size, pending_at;
    unsigned char pending[CHUNK];
};

void output_begin(struct output *output, int source, int target, bool holding);
/* Give the descriptor and poll event that the next step waits for; -1 when the stream is done. */
int output_wants(const struct output *output, short *event);
/* Do one step after that was ready. 0, or 1 where Python is to take this very step. */
int output_step(struct output *output, struct budget *budget);
/* Pass on what was held back: it was the command's after all. 0 or 1 as above. */
int output_release(struct output *output, struct budget *budget);

/* Take what is there by now and stop reading: the command has ended, what it left running may go on. 0 or 1 as above;
 * what does not fit at once follows by `output_step`. */
int output_drain(struct output *output, struct budget *budget);
/* The bytes that wait in a pipe, by either of its ends. */
size_t unread(int pipe);

/* Feed `target`, a pipe that was made for the run. 0, or -1 with errno. */
int input_begin(struct input *input, int source, int target);
int input_wants(const struct input *input, short *event);
void input_step(struct input *input);
/* End the stream, and give back to a pipe or file what the command did not read. May be called twice. */
void input_close(struct input *input);

/* Describe a stream for `aisbx_linux/resume.py`: one line. */
void output_tell(struct text *text, const char *name, const struct output *output);
void input_tell(struct text *text, const struct input *input);

/* Leave a descriptor open for what is executed next. */
void keep_open(int descriptor);
/* Add bytes in hexadecimal; `-` for none. */
void text_hex(struct text *text, const unsigned char *data, size_t size);

#endif
