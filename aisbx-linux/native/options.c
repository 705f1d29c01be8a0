/* Read the options of `aisbx run` and `exec` as `aisbx/cli/lean.py` does; whatever that would not understand is left to it. */
#define _GNU_SOURCE
#include <string.h>

#include "front.h"

struct known_option {
    const char *typed, *name;
};
static const struct known_option RUN[] = {
    {"-p", "profile"},          {"-d", "driver"},         {"-w", "workspace"},   {"-e", "env"},
    {"-t", "timeout"},          {"--profile", "profile"}, {"--driver", "driver"}, {"--workspace", "workspace"},
    {"--env", "env"},           {"--mount", "mount"},     {"--network", "network"}, {"--timeout", "timeout"},
    {"--memory", "memory"},     {"--pids", "pids"},       {"--cpus", "cpus"},    {"--disk", "disk"},
    {"--output", "output"},     {"--rootfs", "rootfs"},   {NULL, NULL},
};
static const struct known_option EXEC[] = {
    {"-e", "env"},           {"-t", "timeout"},     {"--env", "env"}, {"--timeout", "timeout"},
    {"--output", "output"}, {"--cwd", "cwd"},      {NULL, NULL},
};

static const char *name_of(const struct known_option *options, const char *typed, size_t length)
{
    for (const struct known_option *option = options; option->typed != NULL; option++) {
        if (strlen(option->typed) == length && memcmp(option->typed, typed, length) == 0) {
            return option->name;
        }
    }
    return NULL;
}

/* Take NAME=VALUE; a name that is there already keeps its place, as in Python's dict. */
static int take_variable(struct command_line *line, const char *text)
{
    const char *end = strchr(text, '=');
    size_t length;

    if (end == NULL || end == text) {
        return -1;
    }
    length = (size_t)(end - text) + 1;
    for (size_t at = 0; at < line->variable_count; at++) {
        if (strncmp(line->variables[at], text, length) == 0) {
            line->variables[at] = text;
            return 0;
        }
    }
    line->variables[line->variable_count++] = text;
    return 0;
}

/* Group the values by option: `names[N]` is that of the value `given[N]`. */
static void group(struct command_line *line, const char *const *names, const char *const *given, size_t count)
{
    size_t placed = 0;

    for (size_t at = 0; at < count; at++) {
        struct plan_option *option = &line->options[line->option_count];
        bool known = false;

        for (size_t before = 0; before < at; before++) {
            known = known || strcmp(names[before], names[at]) == 0;
        }
        if (known) {
            continue;
        }
        *option = (struct plan_option){.name = names[at], .values = &line->values[placed]};
        for (size_t later = at; later < count; later++) {
            if (strcmp(names[later], names[at]) == 0) {
                line->values[placed++] = given[later];
                option->count++;
            }
        }
        line->option_count++;
    }
}

/* Read the options of either; the first `count` are known already. */
static int read_options(struct command_line *line, const struct known_option *known, char **words, const char **names,
                        const char **given, size_t count)
{
    for (; *words != NULL && **words == '-'; words++) {
        const char *equals = strncmp(*words, "--", 2) == 0 ? strchr(*words, '=') : NULL;
        const char *name;

        if (strcmp(*words, "--") == 0) {
            words++;
            break;
        }
        name = name_of(known, *words, equals != NULL ? (size_t)(equals - *words) : strlen(*words));
        if (name == NULL || count == MOST_OPTIONS) {
            return -1;
        }
        if (equals == NULL && *++words == NULL) {
            return -1;
        }
        names[count] = name;
        given[count] = equals != NULL ? equals + 1 : *words;
        if (strcmp(name, "env") == 0 && take_variable(line, given[count]) != 0) {
            return -1;
        }
        if (strcmp(name, "workspace") == 0) {
            line->workspace = given[count];
        }
        count++;
    }
    group(line, names, given, count);
    line->command = words;
    return *words != NULL ? 0 : -1;
}

int read_command_line(struct command_line *line, char **words)
{
    const char *names[MOST_OPTIONS] = {"sandbox"}, *given[MOST_OPTIONS];

    if (words[0] == NULL) {
        return -1;
    }
    if (strcmp(words[0], "run") == 0) {
        return read_options(line, RUN, words + 1, names, given, 0);
    }
    if (strcmp(words[0], "exec") != 0 || words[1] == NULL || strchr("-.", words[1][0]) != NULL ||
        strchr(words[1], '/') != NULL) {
        return -1; /* also the empty name, for the NUL is found too */
    }
    line->sandbox = given[0] = words[1];
    return read_options(line, EXEC, words + 2, names, given, 1);
}
