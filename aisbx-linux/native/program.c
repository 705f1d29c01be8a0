/* A run that a program asks for (`aisbx_linux/fronted.py`), in a process of its own that ends with the program.
 *
 * Its streams are /dev/null and two pipes; four descriptors more come with them: where it is told what came of the run, the
 * plan and the entry of Python that it stands for, which the program keeps in memory files, and what is asked for: the
 * program's pid, the run's id, principal, host, the command's words, and its variables, as plan_read.h reads them.
 *
 * The answer is what happened, and for ANSWER_ENDED numbers of 8 bytes. Whatever is not just as usual is Python's, as for a
 * command line, but before the gate it is the program's own, which is told so. An answer that does not come is that of a
 * front that was killed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "front.h"
#include "kernel.h"
#include "plan_read.h"

enum { ANSWER_ENDED, ANSWER_PYTHON, ANSWER_DECLINED }; /* Python's comes from `aisbx/cli/handed.py` */

static const char *read_request(struct run *run, uint64_t *parent)
{
    struct reader reader;
    struct plan_strings words, variables;
    const char *id;

    if (!read_whole(PROGRAM_REQUEST, &reader)) {
        return "no request";
    }
    *parent = read_number(&reader);
    id = read_string(&reader);
    run->principal = read_string(&reader);
    run->host = read_string(&reader);
    words = read_strings(&reader);
    variables = read_strings(&reader);
    if (reader.failed || reader.left != 0 || words.count == 0 || strlen(id) != sizeof run->id - 1) {
        return "a torn request";
    }
    if (variables.count > MOST_OPTIONS) {
        return "too many variables";
    }
    memcpy(run->id, id, sizeof run->id);
    run->line.command = words.items; /* in memory that stays */
    for (size_t at = 0; at < variables.count; at++) {
        if (strchr(variables.items[at], '=') == NULL) {
            return "a torn request";
        }
        run->line.variables[run->line.variable_count++] = variables.items[at];
    }
    return NULL;
}

const char *take_program(struct run *run)
{
    uint64_t parent;
    const char *why;

    if (close_from(PROGRAM_END) != 0) {
        return "what it has inherited cannot be closed";
    }
    for (int at = PROGRAM_ANSWER; at < PROGRAM_END; at++) {
        if (fcntl(at, F_SETFD, FD_CLOEXEC) != 0) {
            return "not what a program gives";
        }
    }
    if ((why = read_request(run, &parent)) != NULL) {
        return why;
    }
    /* It is a thread of the program that waits for it; one that has ended by now is nobody's parent any more. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || (uint64_t)getppid() != parent) {
        return "the program has gone";
    }
    run->plan = plan_given(PROGRAM_PLAN, PROGRAM_ENTRY);
    if (run->plan == NULL || run->plan->joining != NULL) {
        return "no plan that holds";
    }
    run->plan->keep_output = 0; /* the program has it */
    return NULL;
}

static void tell(const void *answer, size_t size)
{
    ssize_t told = write(PROGRAM_ANSWER, answer, size);

    (void)told; /* a program that has gone hears nothing */
}

void answer_program(const struct run *run)
{
    const int64_t answer[] = {ANSWER_ENDED,  run->code, (run->ended - run->started) / 1000, run->user,
                              run->system, run->max_rss};

    tell(answer, sizeof answer);
}

void decline_program(void)
{
    const int64_t answer[] = {ANSWER_DECLINED};

    tell(answer, sizeof answer);
}
