/* The compiled front: the ordinary course of `aisbx run` and `exec` with a plan at hand (docs/adr/0024-a-compiled-front.md).
 *
 * It is never wiser than Python. Until the gate is open, or the command executed, nothing of it has run: whatever is not just as usual is
 * undone, and Python starts from the beginning (`fall_back`). After that Python goes on in this same process, with the
 * children and descriptors that it has (`hand_over`).
 */
#ifndef AISBX_FRONT_H
#define AISBX_FRONT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "group.h"
#include "look.h"
#include "plan.h"
#include "record.h"
#include "relay.h"

/* Options of one command line; more are Python's. */
#define MOST_OPTIONS 64
/* Mounts, memory files and descriptors for the tool of one plan; more are Python's. */
#define MOST_SOURCES 256
#define MOST_PASSED 512
/* Events that the cgroups of one sandbox count. */
#define MOST_COUNTS 32

/* What was typed. */
struct command_line {
    struct plan_option options[MOST_OPTIONS]; /* by long name, in the order first given */
    size_t option_count;
    const char *values[MOST_OPTIONS]; /* which the options point into, once all are read */
    const char *variables[MOST_OPTIONS]; /* NAME=VALUE, each name once, in the order first given */
    size_t variable_count;
    const char *workspace; /* the last one given, NULL for none */
    const char *sandbox;   /* of `exec`, NULL for `run` */
    char **command;        /* at least one word, and a NULL */
};

/* Read the options of `run` or `exec` just as `cli/lean.py` does. 0, or -1 for anything unusual. */
int read_command_line(struct command_line *line, char **words);

/* What the launcher lays out at STAGE and puts together before the tool starts (`compose.layout`). */
struct layout {
    bool used;
    bool shown[MOST_SOURCES];
    char workspace[4096]; /* where the workspace is laid out, empty for none */
};

/* A sandbox that lasts, as long as one command is in it (`lasting/pause.py`, `use.py`, `command.Counts`). */
struct stay {
    int still; /* keeps it as it is until the command has begun; -1: not held */
    int used;  /* notes that it is in use; -1: nobody counts that */
    int counts[MOST_COUNTS]; /* the files that count its events, -1 for one that is not there */
    const char *keys[MOST_COUNTS];
    int64_t before[MOST_COUNTS];
    size_t count;
    bool kept; /* what runs in it kept the command from starting */
};

/* One run. */
struct run {
    char *python, *script;  /* what is executed instead; as the shell launcher gave them */
    char **arguments;       /* of `aisbx`, NULL-terminated */
    bool strict;            /* refuse where Python would be started instead */
    bool asking;            /* a program has asked for it, no command line: see program.c */
    const char *principal, *host;
    sigset_t signals;       /* that are relayed, all blocked from `hold_signals` on */
    sigset_t signals_before;
    struct sigaction pipe_before, size_before; /* SIGPIPE, SIGXFSZ */
    bool signals_held;
    int waker; /* signalfd(2) of them, -1 before */

    struct command_line line;
    struct plan *plan;
    struct look *look; /* NULL where the command can't write to a watched workspace */
    struct log log;
    struct group group;
    bool grouped;
    struct stay stay;
    char id[13]; /* empty: not chosen yet */

    struct layout layout;
    int sources[MOST_SOURCES]; /* O_PATH, in the plan's order */
    int passed[MOST_PASSED];   /* what the tool gets; the one at index N becomes number `base + N` there */
    size_t passed_count;
    size_t first_file; /* index of the plan's first content among them */
    int base, highest;
    int program;  /* root's: the tool, open; else -1 */
    int identity; /* root's: the user namespace that mounts are mapped by; else -1 */
    unsigned int outside; /* root's: uid and gid of the sandbox on the host */
    int inside[3];        /* what becomes 0, 1 and 2 */
    int status; /* this end of the tool's report, or a pidfd of a command that has joined; -1 once closed */
    int gate, options; /* this end of the pipes, -1 once closed */

    pid_t monitor, first;
    char report[256]; /* what the tool has told on `status` */
    size_t report_size;
    struct budget budget;
    struct input input;
    struct output stdout_, stderr_;
    int64_t started, ended; /* monotonic nanoseconds; 0: not yet */
    int64_t deadline, look_at; /* when there is something to do: time limit, next look of the watch; 0: never */

    bool done;          /* reaped, groups removed, workspace looked at */
    bool recorded;      /* the record is written */
    int status_code;    /* of wait4(2) */
    int64_t user, system, max_rss; /* microseconds, microseconds, bytes */
    int code;
};

#define SECOND 1000000000LL
/* When the watch looks first, after the start, and no sooner again. */
#define LOOK (SECOND / 10)
int64_t now(void); /* monotonic nanoseconds */
/* Look at what the sandbox uses, and choose when next. False where that is Python's to do: it may be too much. */
bool watch_look(struct run *run);
/* Close a descriptor if it is open, and say so in its place. */
void close_end(int *descriptor);
/* Close the command's ends of the streams. */
void close_inside(struct run *run);
/* Tell whether one of the relayed signals has come. */
bool asked(const struct run *run);

/* Hold back the signals that a run relays, and those that writing may cause. 0 or -1. */
int hold_signals(struct run *run);

/* Undo everything and execute Python's own front. Never returns. */
_Noreturn void fall_back(struct run *run, const char *why);
/* Execute Python to go on with this run, whose command may have run. Never returns. */
_Noreturn void hand_over(struct run *run);

/* Open and make all that the tool is started with. 0, or a word for why not. */
const char *assemble(struct run *run);
/* Tell whether the tool mounts a source by descriptor: not from the stage, nor in another. */
bool mounted_directly(const struct run *run, size_t index);
/* Tell the tool what to do. 0, or a word for why not. */
const char *instruct(struct run *run);
/* Make the streams: what the command gets, and what is relayed. 0, or a word for why not. */
const char *wire(struct run *run);
/* Give the command's variables, NAME=VALUE and a NULL: the plan's, each with the value that was typed for it if there is
 * one, then what else was typed. NULL where that can't be; else it is the caller's to free. */
const char **chosen_variables(const struct run *run);
/* In a child: have signals as a command expects them. */
void reset_signals(void);
/* Start the tool. 0, or a word for why not. */
const char *spawn(struct run *run);
/* Make the layout of a plan. 0, or a word for why not. */
const char *lay_out(struct run *run);
/* In the child that becomes the tool: show the sources in a mount namespace of its own. 0 or -1. */
int stage(struct run *run);
/* Everything up to the opening of the gate. 0, or a word for why not, and then nothing of the command has run. */
const char *start_tool(struct run *run);
/* Keep a sandbox as it is, say that it is used, and read what it counts. 0, or a word for why not. */
const char *enter_stay(struct run *run);
/* Tell whether a limit of the sandbox was met meanwhile. */
bool stay_met(const struct stay *stay);
/* Use it no longer. */
void end_stay(struct stay *stay);
/* Describe it for `aisbx_linux/lasting/resume.py`. */
void stay_tell(struct text *text, const struct run *run);
/* Start the command in the sandbox that the plan joins. 0, or a word for why not, and then nothing of it has run. */
const char *join_command(struct run *run);

/* Run to the end and give the exit code, or never return. */
int launch(struct run *run);

/* Descriptors that a program gives: see program.c. */
enum { PROGRAM_ANSWER = 3, PROGRAM_PLAN, PROGRAM_ENTRY, PROGRAM_REQUEST, PROGRAM_END };
/* Take what a program asks for, with its plan. 0, or a word for why not. */
const char *take_program(struct run *run);
/* Tell it what came of its run, once that is recorded. */
void answer_program(const struct run *run);
/* Tell it that nothing has run. */
void decline_program(void);

#endif
