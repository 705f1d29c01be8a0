/* `aisbx-front PYTHON FAST.PY ARGUMENT...`: what the shell launchers start in place of `PYTHON -I -S -X utf8 FAST.PY
 * ARGUMENT...`. See front.h.
 *
 * `aisbx-front --program PYTHON FAST.PY`: a run that a program asks for (program.c).
 *
 * AISBX_FRONT=0 in the environment: start Python at once. AISBX_FRONT=only: where Python would be started before
 * anything has run, say why and end with 99 (for tests and `aisbx doctor`). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front.h"
#include "kernel.h"

static const char *const MODES[] = {"rw", "ro", "cow", "guarded"};

/* Give the real path of what `--workspace` names, with a mode or without. 0 or -1. */
static int real_workspace(const char *value, char *path, size_t size)
{
    const char *colon = strrchr(value, ':');
    char link[32], folder[4096];
    size_t length = strlen(value);
    ssize_t got;
    int opened;

    for (size_t at = 0; colon != NULL && colon != value && at < sizeof MODES / sizeof *MODES; at++) {
        if (strcmp(colon + 1, MODES[at]) == 0) {
            length = (size_t)(colon - value);
        }
    }
    if (length >= sizeof folder) {
        return -1;
    }
    memcpy(folder, value, length);
    folder[length] = '\0';
    opened = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) {
        return -1;
    }
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", opened);
    got = readlink(link, path, size - 1);
    (void)close(opened);
    if (got <= 0 || (size_t)got >= size - 1) {
        return -1;
    }
    path[got] = '\0';
    return 0;
}

/* Give `$XDG_CACHE_HOME/aisbx/plans`, or the directory of a sandbox's plans below `$XDG_STATE_HOME`. 0 or -1. */
static int plans_directory(const char *sandbox, char *path, size_t size)
{
    const char *base = getenv(sandbox == NULL ? "XDG_CACHE_HOME" : "XDG_STATE_HOME"), *below = "";
    int length;

    if (base == NULL || *base == '\0') {
        base = getenv("HOME");
        below = sandbox == NULL ? "/.cache" : "/.local/state";
    }
    if (base == NULL || *base != '/') {
        return -1;
    }
    length = sandbox == NULL ? snprintf(path, size, "%s%s/aisbx/plans", base, below)
                             : snprintf(path, size, "%s%s/aisbx/sandboxes/%s/plans", base, below, sandbox);
    return length >= 0 && (size_t)length < size ? 0 : -1;
}

/* Find the plan for what was typed; a word for why there is none. */
static const char *find_plan(struct run *run)
{
    const struct plan_origin origin = {.python = run->python, .script = run->script};
    char directory[4096], cwd[4096], workspace[4096], name[PLAN_NAME];
    struct stat status;

    if (read_command_line(&run->line, run->arguments) != 0) {
        return "it carries out `run` and `exec` only, or an option, or no command";
    }
    for (int at = 0; at < 3; at++) {
        if (fstat(at, &status) != 0) {
            return "a stream is closed";
        }
    }
    if (isatty(0) && isatty(1)) {
        return "a terminal";
    }
    if (plans_directory(run->line.sandbox, directory, sizeof directory) != 0 || getcwd(cwd, sizeof cwd) == NULL || cwd[0] != '/') {
        return "no place for plans, or no directory";
    }
    if (run->line.sandbox != NULL) {
        workspace[0] = '\0'; /* it was looked at when the sandbox was made */
    } else if (run->line.workspace == NULL) {
        memcpy(workspace, cwd, sizeof workspace);
    } else if (real_workspace(run->line.workspace, workspace, sizeof workspace) != 0) {
        return "the workspace";
    }
    if (plan_name(name, &origin, run->line.options, run->line.option_count, cwd) != 0) {
        return "the options";
    }
    run->plan = plan_find(directory, name, workspace);
    return run->plan == NULL || (run->plan->joining != NULL) != (run->line.sandbox != NULL) ? "no plan that holds" : NULL;
}

/* Find the plan and what it needs; a word for why it is not to be used. */
static const char *prepare(struct run *run)
{
    const char *why = run->asking ? take_program(run) : find_plan(run);

    if (why != NULL) {
        return why;
    }
    if (!record_fits((const char *const *)run->line.command)) {
        return "a long command line";
    }
    if (log_open(&run->log, run->plan) != 0) {
        return "the audit log";
    }
    if (!own_proc()) {
        return "/proc is another PID namespace's";
    }
    if (run->plan->workspace != NULL && strcmp(run->plan->mode, "rw") == 0) {
        run->look = run->plan->joining != NULL ? look_read(run->plan) : look_known(run->plan);
        if (run->look == NULL) {
            return "the workspace has changed since it was looked at";
        }
    }
    if (hold_signals(run) != 0) {
        return "signals cannot be held";
    }
    return run->plan->joining != NULL ? NULL : lay_out(run);
}

int main(int count, char **words)
{
    static struct run run = {.log = {.file = -1, .head = -1}, .waker = -1, .program = -1, .identity = -1,
                             .inside = {-1, -1, -1}, .status = -1, .gate = -1, .options = -1,
                             .stay = {.still = -1, .used = -1}};
    const char *chosen = getenv("AISBX_FRONT"), *why;

    if (count == 4 && strcmp(words[1], "--program") == 0) {
        run.asking = true;
        words++;
        count--;
    }
    if (count < 3) {
        (void)dprintf(2, "aisbx-front: usage: aisbx-front PYTHON FAST.PY [ARGUMENT]...; hint: run aisbx\n");
        return 125;
    }
    run.python = words[1];
    run.script = words[2];
    run.arguments = words + 3;
    run.strict = run.asking || (chosen != NULL && strcmp(chosen, "only") == 0);
    why = chosen != NULL && strcmp(chosen, "0") == 0 ? "AISBX_FRONT=0" : NULL;
    (void)unsetenv("AISBX_FRONT"); /* no setting, and none of what plans depend on */
    if (why != NULL || (why = prepare(&run)) != NULL) {
        fall_back(&run, why);
    }
    _exit(launch(&run));
}
