/* Drives the pieces of the compiled front for the tests beside it: `pieces WHAT ARGS…`; answers in lines on stdout. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group.h"
#include "look.h"
#include "plan.h"
#include "record.h"

enum { MOST = 64 };

/* The plan as one JSON list, in the order of plan.h, so that Python can compare all of it. */
static struct text out;

static void say(const char *text) {
    text_add(&out, ",", out.size > 1);
    if (text == NULL)
        text_print(&out, "null");
    else
        text_quote(&out, text);
}

static void number(uint64_t value) { text_print(&out, "%s%" PRIu64, out.size > 1 ? "," : "", value); }

static void strings(const struct plan_strings *all) {
    text_print(&out, ",");
    text_list(&out, (const char *const *)all->items);
}

static void bytes(struct plan_bytes data) {
    text_print(&out, ",\"");
    for (size_t i = 0; i < data.size; i++)
        text_print(&out, "%02x", data.data[i]);
    text_print(&out, "\"");
}

static void dump_rest(const struct plan *plan) {
    for (size_t i = 0; i < plan->file_count; i++)
        bytes(plan->files[i]);
    strings(&plan->environment);
    bytes(plan->filter);
    for (size_t i = 0; i < plan->rlimit_count; i++) {
        number((uint64_t)plan->rlimits[i].resource);
        number(plan->rlimits[i].soft);
        number(plan->rlimits[i].hard);
    }
    const uint64_t numbers[] = {plan->watched, plan->watch_memory, plan->watch_tasks, plan->outsider,
                                plan->disk_uid, plan->disk_gid, plan->outside_first, plan->contained,
                                plan->composed, plan->wall_time, plan->output, plan->publish_count};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        number(numbers[i]);
    strings(&plan->watch_places);
    strings(&plan->private);
    say(plan->workspace);
    say(plan->mode);
    say(plan->scans);
    say(plan->cwd);
}

static void dump_group(const struct plan_group *row) {
    say(row->parent);
    number(row->inherited);
    for (size_t j = 0; j < row->limit_count; j++) {
        say(row->limits[j].file);
        say(row->limits[j].value);
    }
    for (size_t j = 0; j < row->event_count; j++) {
        say(row->events[j].file);
        say(row->events[j].key);
        say(row->events[j].name);
    }
}

static void dump_joining(const struct plan_joining *joining) {
    const uint64_t numbers[] = {joining->first, joining->born, joining->uid, joining->gid, joining->watched, joining->held >= 0};
    say(joining->home);
    say(joining->boot);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        number(numbers[i]);
    for (size_t i = 0; i < joining->group_count; i++)
        dump_group(&joining->groups[i]);
}

static void dump(const struct plan *plan) {
    text_print(&out, "[");
    const char *texts[] = {plan->entry_name, plan->kind, plan->record, plan->audit_path, plan->audit_key,
                           plan->audit_export, plan->state, plan->launcher, plan->program};
    const uint64_t numbers[] = {plan->program_only, plan->audit_limit, plan->audit_keep, plan->keep_output,
                                plan->keep_runs, plan->source_count, plan->grouped, plan->group_count};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        say(texts[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        number(numbers[i]);
    for (size_t i = 0; i < plan->source_count; i++) {
        const struct plan_source *source = &plan->sources[i];
        say(source->path);
        say(source->target);
        text_print(&out, ",%" PRId64, source->within);
        number(source->known);
        number(source->writable);
        number(source->owned);
        number(source->device);
        number(source->inode);
    }
    for (size_t i = 0; i < plan->group_count; i++)
        dump_group(&plan->groups[i]);
    strings(&plan->head);
    strings(&plan->tail);
    dump_rest(plan);
    if (plan->joining != NULL)
        dump_joining(plan->joining);
    text_print(&out, "]");
    puts(out.failed ? "failed" : out.data);
    text_free(&out);
}

/* name PYTHON SCRIPT CWD [OPTION VALUE]… */
static int name(char **words) {
    struct plan_option options[MOST];
    const char *values[MOST];
    char made[PLAN_NAME];
    size_t count = 0, used = 0;
    const struct plan_origin origin = {words[0], words[1]};
    for (char **word = words + 3; *word != NULL && used < MOST; word += 2) {
        bool again = count > 0 && strcmp(options[count - 1].name, word[0]) == 0;
        values[used] = word[1];
        if (again)
            options[count - 1].count++;
        else
            options[count++] = (struct plan_option){word[0], values + used, 1};
        used++;
    }
    if (plan_name(made, &origin, options, count, words[2]) != 0)
        return 1;
    puts(made);
    return 0;
}

/* plan DIRECTORY NAME WORKSPACE: all of it, or "no" */
static int plan(char **words) {
    struct plan *found = plan_find(words[0], words[1], words[2]);
    if (found == NULL)
        puts("no");
    else
        dump(found);
    plan_free(found);
    return 0;
}

/* look SCANS WORKSPACE [MADE]…: the covers or "no"; then for each line on stdin whether it is the same still */
static int look(char **words) {
    struct plan_source sources[MOST] = {0};
    struct plan watched = {.scans = words[0], .workspace = words[1], .sources = sources};
    char line[MOST];
    for (char **word = words + 2; *word != NULL && watched.source_count < MOST; word++)
        sources[watched.source_count++] = (struct plan_source){.path = *word, .target = *word};
    struct look *known = look_known(&watched);
    if (known == NULL || !look_share(known)) {
        puts("no");
        return 0;
    }
    for (size_t i = 0; i < known->cover_count; i++)
        printf("%d %s ", known->covered[i].kind, known->covered[i].path);
    putchar('\n');
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        puts(look_same(known) ? "same" : "differs");
        fflush(stdout);
    }
    look_free(known);
    return 0;
}

/* record LOG KEY LIMIT PART TIMES ARGV…: append that many records; what each append gave. With "wait" for TIMES one, and
 * between opening and appending it waits for a line on stdin. */
static int record(char **words) {
    const struct plan made = {.kind = "run", .record = words[3], .audit_path = words[0], .audit_key = words[1],
                              .audit_export = "", .audit_limit = strtoull(words[2], NULL, 10)};
    const struct record_result result = {3, 15, 1500000, 12, 990000, 4096, 7, 8};
    const char *const *argv = (const char *const *)words + 5;
    char user[32];
    const struct record_who who = {"0123456789ab", user, "cli"};
    snprintf(user, sizeof user, "uid:%lu", (unsigned long)geteuid());
    bool waits = strcmp(words[4], "wait") == 0;
    for (int i = waits ? 1 : atoi(words[4]); i > 0; i--) {
        struct log log;
        struct text line = {0};
        if (log_open(&log, &made) != 0) {
            puts("closed");
            continue;
        }
        if (waits) {
            puts("open");
            fflush(stdout);
            getchar();
        }
        record_build(&line, &made, &who, INT64_C(1764474946123450), argv, &result);
        puts(!record_fits(argv) ? "long" : log_append(&log, &line) == 0 ? "written" : "not written");
        text_free(&line);
        log_close(&log);
    }
    return 0;
}

/* seconds MICROSECONDS… */
static int seconds(char **words) {
    for (; *words != NULL; words++) {
        struct text told = {0};
        text_seconds(&told, strtoll(*words, NULL, 10));
        puts(told.data);
        text_free(&told);
    }
    return 0;
}

/* group DIRECTORY NAME COMMAND…: run a command in the groups of a plan, and tell what they saw */
static int group(char **words) {
    struct group made;
    struct plan *found = plan_find(words[0], words[1], "");
    if (found == NULL || group_make(&made, found) != 0) {
        puts("no");
        plan_free(found);
        return 0;
    }
    int gate[2] = {-1, -1};
    if (pipe2(gate, O_CLOEXEC) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        char byte;
        if (group_enter(&made) == 0 && read(gate[0], &byte, 1) == 1)
            execvp(words[2], words + 2);
        _exit(126);
    }
    int limited = group_limit(&made), added = group_add(&made, child), status = 0;
    printf("%d %d %s\n", limited, added, made.name);
    fflush(stdout);
    if (write(gate[1], "x", 1) != 1)
        return 1;
    waitpid(child, &status, 0);
    int quiet = group_quiet(&made);
    group_remove(&made);
    printf("%d %s\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), quiet ? "quiet" : "met");
    plan_free(found);
    return 0;
}

/* fuzz plan|look FILE TIMES ARGS…: read the file cut and with bits turned over, as often; nothing may go wrong */
static int fuzz(char **words) {
    char content[1 << 20];
    int file = open(words[1], O_RDWR | O_CLOEXEC);
    ssize_t size = read(file, content, sizeof content);
    uint32_t chance = 1;
    int held = 0;
    for (int i = atoi(words[2]); i > 0 && size > 0; i--) {
        size_t place[4];
        for (int j = 0; j < 4; j++) {
            chance = chance * 1664525 + 1013904223;
            place[j] = (size_t)(chance >> 8) % (size_t)size;
        }
        char before = content[place[0]];
        content[place[0]] ^= (char)(1 << place[1] % 8);
        ssize_t kept = place[2] % 4 == 0 ? (ssize_t)place[3] : size;
        if (pwrite(file, content, (size_t)size, 0) != size || ftruncate(file, kept) != 0)
            return 1;
        content[place[0]] = before;
        struct plan watched = {.scans = words[1], .workspace = words[4]};
        struct plan *plan = words[0][0] == 'p' ? plan_find(words[3], words[4], "") : NULL;
        struct look *known = words[0][0] == 'l' ? look_known(&watched) : NULL;
        held += plan != NULL || known != NULL;
        plan_free(plan);
        look_free(known);
    }
    close(file);
    printf("%d\n", held);
    return 0;
}

int main(int count, char **words) {
    static const struct {
        const char *name;
        int (*run)(char **words);
        int least;
    } what[] = {{"name", name, 3},     {"plan", plan, 3},   {"look", look, 2}, {"record", record, 6},
                {"seconds", seconds, 1}, {"group", group, 3}, {"fuzz", fuzz, 5}};
    for (size_t i = 0; i < sizeof what / sizeof *what; i++)
        if (count > 1 && strcmp(words[1], what[i].name) == 0 && count - 2 >= what[i].least)
            return what[i].run(words + 2);
    return 2;
}
