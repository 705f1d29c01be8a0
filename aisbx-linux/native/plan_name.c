/* What is hashed of a plan: its name, and the variables that it depends on. See plan.h and aisbx/plan/native.py. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "plan_read.h"
#include "sha256.h"

extern char **environ;

enum { NAME_BYTES = 16 };
static const char *const USUALLY_DIFFER[] = {"PATH", "VIRTUAL_ENV", "CONDA_PREFIX", "JAVA_HOME", "GOROOT"};

static void add_field(struct sha256 *hash, const char *data, size_t size) {
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)size >> 8 * i);
    sha256_add(hash, length, sizeof length);
    sha256_add(hash, data, size);
}

static void add_text(struct sha256 *hash, const char *text) { add_field(hash, text, strlen(text)); }

static void add_number(struct sha256 *hash, uint64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    add_text(hash, text);
}

static void add_variable(struct sha256 *hash, const char *name) {
    const char *value = getenv(name);
    add_text(hash, value != NULL ? "1" : "0");
    if (value != NULL)
        add_text(hash, value);
}

static int by_name(const void *one, const void *other) {
    return strcmp((*(const struct plan_option *const *)one)->name, (*(const struct plan_option *const *)other)->name);
}

int plan_name(char name[PLAN_NAME], const struct plan_origin *origin, const struct plan_option *options, size_t count,
              const char *cwd) {
    const struct plan_option *chosen[PLAN_OPTIONS];
    unsigned char digest[SHA256_SIZE];
    struct utsname kernel;
    struct sha256 hash;
    size_t used = 0;
    if (count > PLAN_OPTIONS || uname(&kernel) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (options[i].count > 0 && strcmp(options[i].name, "env") != 0)
            chosen[used++] = &options[i];
    if (used > 0)
        qsort(chosen, used, sizeof *chosen, by_name);
    sha256_begin(&hash);
    add_number(&hash, PLAN_FORMAT);
    add_number(&hash, PLAN_ENTRY_FORMAT);
    add_text(&hash, origin->python);
    add_text(&hash, origin->script);
    add_number(&hash, geteuid());
    add_number(&hash, getuid());
    add_number(&hash, getegid());
    add_text(&hash, kernel.release);
    add_text(&hash, kernel.machine);
    add_text(&hash, cwd);
    for (size_t i = 0; i < used; i++) {
        add_text(&hash, chosen[i]->name);
        add_number(&hash, chosen[i]->count);
        for (size_t j = 0; j < chosen[i]->count; j++)
            add_text(&hash, chosen[i]->values[j]);
    }
    for (size_t i = 0; i < sizeof USUALLY_DIFFER / sizeof *USUALLY_DIFFER; i++)
        add_variable(&hash, USUALLY_DIFFER[i]);
    sha256_end(&hash, digest);
    memcpy(name, "native-", 7);
    hexadecimal(name + 7, digest, NAME_BYTES);
    return 0;
}

/* One variable, by its place in the environment: the first of a name counts, as for getenv(3) and Python. */
struct variable {
    const char *text;
    size_t name, place;
};

static int by_variable(const void *one, const void *other) {
    const struct variable *a = one, *b = other;
    int order = memcmp(a->text, b->text, a->name < b->name ? a->name : b->name);
    if (order != 0 || a->name != b->name)
        return order != 0 ? order : a->name < b->name ? -1 : 1;
    return a->place < b->place ? -1 : 1;
}

/* Add all variables that begin with one of the prefixes, in the order of their names as bytes. */
static int add_prefixed(struct sha256 *hash, const struct plan_strings *prefixes) {
    size_t count = 0, found = 0;
    while (environ[count] != NULL)
        count++;
    struct variable *rows = calloc(count + 1, sizeof *rows);
    if (rows == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(environ[i], '=');
        size_t name = equals == NULL ? 0 : (size_t)(equals - environ[i]);
        bool wanted = false;
        for (size_t j = 0; equals != NULL && j < prefixes->count && !wanted; j++) {
            size_t size = strlen(prefixes->items[j]);
            wanted = size <= name && memcmp(environ[i], prefixes->items[j], size) == 0;
        }
        if (wanted)
            rows[found++] = (struct variable){environ[i], name, i};
    }
    if (found > 0)
        qsort(rows, found, sizeof *rows, by_variable);
    for (size_t i = 0; i < found; i++) {
        bool again = i > 0 && rows[i].name == rows[i - 1].name && !memcmp(rows[i].text, rows[i - 1].text, rows[i].name);
        if (again)
            continue;
        add_field(hash, rows[i].text, rows[i].name);
        add_text(hash, rows[i].text + rows[i].name + 1);
    }
    free(rows);
    return 0;
}

bool same_environment(struct reader *reader) {
    unsigned char digest[SHA256_SIZE];
    struct sha256 hash;
    struct plan_strings names = read_strings(reader), prefixes = read_strings(reader);
    struct plan_bytes known = read_bytes(reader);
    if (reader->failed || known.size != sizeof digest)
        return false;
    sha256_begin(&hash);
    for (size_t i = 0; i < names.count; i++) {
        add_text(&hash, names.items[i]);
        add_variable(&hash, names.items[i]);
    }
    if (add_prefixed(&hash, &prefixes) != 0)
        return false;
    sha256_end(&hash, digest);
    return memcmp(digest, known.data, sizeof digest) == 0;
}
