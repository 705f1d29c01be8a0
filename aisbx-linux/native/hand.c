/* The two ways from here to Python: see front.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front.h"

extern char **environ;

#define REFUSED 125
/* Where Python would be started and must not be: no error of aisbx ends with it. */
#define NOT_HERE 99
static const int RELAYED[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGTSTP};

int hold_signals(struct run *run)
{
    struct sigaction ignored = {.sa_handler = SIG_IGN}, present;

    (void)sigemptyset(&run->signals);
    for (size_t at = 0; at < sizeof RELAYED / sizeof *RELAYED; at++) {
        if (sigaction(RELAYED[at], NULL, &present) == 0 && present.sa_handler != SIG_IGN) { /* nohup stays in force */
            (void)sigaddset(&run->signals, RELAYED[at]);
        }
    }
    if (sigaction(SIGPIPE, &ignored, &run->pipe_before) != 0 || sigaction(SIGXFSZ, &ignored, &run->size_before) != 0 ||
        sigprocmask(SIG_BLOCK, &run->signals, &run->signals_before) != 0) {
        return -1;
    }
    run->signals_held = true;
    run->waker = signalfd(-1, &run->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return run->waker < 0 ? -1 : 0;
}

/* Execute Python with one of our files and the words behind it. */
static _Noreturn void become_python(struct run *run, const char *file, const char *first)
{
    enum { OWN_WORDS = 7 };
    size_t count = 0, at = 0;
    const char **words;

    while (run->arguments[count] != NULL) {
        count++;
    }
    words = calloc(count + OWN_WORDS + 1, sizeof *words);
    if (words != NULL) {
        const char *const own[] = {run->python, "-I", "-S", "-X", "utf8", file, first};

        for (at = 0; at < OWN_WORDS && own[at] != NULL; at++) {
            words[at] = own[at];
        }
        memcpy(words + at, run->arguments, count * sizeof *words);
        (void)execve(run->python, (char *const *)words, environ);
    }
    (void)dprintf(2, "aisbx: launch: %s cannot be executed; hint: install aisbx anew\n", run->python);
    if (run->monitor > 0) {
        (void)kill(run->monitor, SIGKILL);
    }
    _exit(REFUSED);
}

void fall_back(struct run *run, const char *why)
{
    /* Killed with its namespace: nothing of the command's has run, for its gate is shut. */
    if (run->monitor > 0) {
        (void)kill(run->monitor, SIGKILL);
        (void)waitpid(run->monitor, NULL, 0);
        run->monitor = 0;
    }
    if (run->grouped) {
        group_remove(&run->group);
    }
    if (run->signals_held) {
        (void)sigaction(SIGPIPE, &run->pipe_before, NULL);
        (void)sigaction(SIGXFSZ, &run->size_before, NULL);
        (void)sigprocmask(SIG_SETMASK, &run->signals_before, NULL); /* one that has come acts now: nothing has run */
    }
    if (run->asking) {
        decline_program();
    }
    if (run->strict) {
        (void)dprintf(2, "aisbx: front: %s; hint: without AISBX_FRONT=only Python carries it out\n", why);
        _exit(NOT_HERE);
    }
    become_python(run, run->script, NULL);
}

/* Describe a run for `aisbx_linux/resume.py`: lines of a name and numbers, bytes in hexadecimal. */
static void describe(struct run *run, struct text *text)
{
    text_print(text, "entry %d\n", run->plan->entry);
    keep_open(run->plan->entry);
    if (run->look != NULL) {
        text_print(text, "look %d\n", run->look->file);
        keep_open(run->look->file);
    }
    if (run->asking) {
        text_print(text, "program %d %d\n", PROGRAM_ANSWER, PROGRAM_REQUEST);
        keep_open(PROGRAM_ANSWER);
        keep_open(PROGRAM_REQUEST);
    }
    text_print(text, "run %s\n", run->id);
    text_print(text, "processes %d %d\n", (int)run->monitor, (int)run->first);
    text_print(text, "status %d ", run->status);
    keep_open(run->status);
    text_hex(text, (const unsigned char *)run->report, run->report_size);
    text_print(text, "\nclock %lld %lld %lld\n", (long long)run->started, (long long)run->ended,
               (long long)run->look_at);
    input_tell(text, &run->input);
    output_tell(text, "stdout", &run->stdout_);
    output_tell(text, "stderr", &run->stderr_);
    text_print(text, "budget %llu %llu %d %d\n", (unsigned long long)run->budget.left,
               (unsigned long long)run->budget.log_left, run->budget.log, run->budget.log_error);
    keep_open(run->budget.log);
    if (run->grouped && !run->done) {
        text_print(text, "group %s", run->group.name);
        for (size_t at = 0; at < run->group.made; at++) {
            text_print(text, " %d", run->group.parents[at]);
            keep_open(run->group.parents[at]);
        }
        text_add(text, "\n", 1);
    }
    if (run->plan->joining != NULL) {
        stay_tell(text, run);
    }
    if (run->done) {
        text_print(text, "done %d %d %lld %lld %lld %d\n", run->recorded, run->status_code, (long long)run->user,
                   (long long)run->system, (long long)run->max_rss, run->code);
    }
}

void hand_over(struct run *run)
{
    static const char name[] = "resume.py";
    const char *slash = strrchr(run->script, '/');
    int state = memfd_create("aisbx-run", MFD_CLOEXEC);
    struct text text = {0};
    char number[16], *file;
    size_t folder, written = 0;

    /* Signals stay blocked, and what has come stays pending, until Python has its handlers. */
    describe(run, &text);
    folder = slash != NULL ? (size_t)(slash - run->script) + 1 : 0;
    file = malloc(folder + sizeof name);
    while (state >= 0 && !text.failed && written < text.size) {
        ssize_t size = write(state, text.data + written, text.size - written);
        if (size < 0) {
            break;
        }
        written += (size_t)size;
    }
    if (file == NULL || state < 0 || text.failed || written < text.size || lseek(state, 0, SEEK_SET) != 0) {
        (void)dprintf(2, "aisbx: aborted: no memory to go on with this run; hint: see what its command did\n");
        if (run->monitor > 0) {
            (void)kill(run->monitor, SIGKILL);
        }
        _exit(REFUSED);
    }
    memcpy(file, run->script, folder);
    memcpy(file + folder, name, sizeof name);
    keep_open(state);
    (void)snprintf(number, sizeof number, "%d", state);
    become_python(run, file, number);
}
