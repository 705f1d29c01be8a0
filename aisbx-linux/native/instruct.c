/* Tell the tool, over a pipe, what to mount and to set: `instruct` of `aisbx_linux/assemble.py`. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front.h"
#include "stage.h"

static void word(struct text *text, const char *word)
{
    text_add(text, word, strlen(word) + 1);
}

static void number(struct text *text, size_t index, const struct run *run)
{
    text_print(text, "%d", run->base + (int)index);
    text_add(text, "", 1);
}

/* Add words, with the number in the tool of file N for `{file:N}`. */
static int fill(struct text *text, const struct run *run, const struct plan_strings *words)
{
    for (size_t at = 0; at < words->count; at++) {
        const char *item = words->items[at];
        char *end;
        unsigned long file;

        if (strncmp(item, "{file:", 6) != 0) {
            word(text, item);
            continue;
        }
        file = strtoul(item + 6, &end, 10);
        if (end == item + 6 || strcmp(end, "}") != 0 || file >= run->plan->file_count) {
            return -1;
        }
        number(text, run->first_file + file, run);
    }
    return 0;
}

static void mounts(struct text *text, const struct run *run)
{
    size_t given = run->first_file + run->plan->file_count;

    for (size_t at = 0; at < run->plan->source_count; at++) {
        const struct plan_source *source = &run->plan->sources[at];

        if (mounted_directly(run, at)) {
            word(text, source->writable ? "--bind-fd" : "--ro-bind-fd");
            number(text, given++, run);
        } else if (run->layout.shown[at]) {
            word(text, source->writable ? "--bind" : "--ro-bind");
            text_print(text, STAGE "/%zu", at);
            text_add(text, "", 1);
        } else {
            continue;
        }
        word(text, source->target);
    }
}

/* Add the option for NAME=VALUE. */
static void set_variable(struct text *text, const char *variable)
{
    size_t length = (size_t)(strchr(variable, '=') - variable);

    word(text, "--setenv");
    text_add(text, variable, length);
    text_add(text, "", 1);
    word(text, variable + length + 1);
}

const char **chosen_variables(const struct run *run)
{
    const struct plan_strings *planned = &run->plan->environment;
    const char **chosen = calloc(planned->count + run->line.variable_count + 1, sizeof *chosen);
    bool set[MOST_OPTIONS] = {false};
    size_t count = 0;

    for (size_t at = 0; chosen != NULL && at < planned->count; at++) {
        const char *end = strchr(planned->items[at], '=');

        if (end == NULL) {
            free(chosen);
            return NULL;
        }
        chosen[count] = planned->items[at];
        for (size_t typed = 0; typed < run->line.variable_count; typed++) {
            if (strncmp(run->line.variables[typed], planned->items[at], (size_t)(end - planned->items[at]) + 1) == 0) {
                chosen[count] = run->line.variables[typed];
                set[typed] = true;
            }
        }
        count++;
    }
    for (size_t typed = 0; chosen != NULL && typed < run->line.variable_count; typed++) {
        if (!set[typed]) {
            chosen[count++] = run->line.variables[typed];
        }
    }
    return chosen;
}

static int variables(struct text *text, const struct run *run)
{
    const char **chosen = chosen_variables(run);

    for (const char **variable = chosen; variable != NULL && *variable != NULL; variable++) {
        set_variable(text, *variable);
    }
    free(chosen);
    return chosen != NULL ? 0 : -1;
}

const char *instruct(struct run *run)
{
    struct text text = {0};
    size_t written = 0;

    if (fill(&text, run, &run->plan->head) != 0) {
        return "a file that is not in the plan";
    }
    mounts(&text, run);
    if (fill(&text, run, &run->plan->tail) != 0 || variables(&text, run) != 0) {
        return "a file or variable that is not in the plan";
    }
    word(&text, "--chdir");
    word(&text, run->plan->cwd);
    if (text.failed) {
        return "no memory";
    }
    while (written < text.size) {
        ssize_t size = write(run->options, text.data + written, text.size - written);
        if (size < 0 && errno != EINTR) {
            return "the tool has ended";
        }
        written += size > 0 ? (size_t)size : 0;
    }
    (void)close(run->options);
    run->options = -1;
    text_free(&text);
    return NULL;
}
