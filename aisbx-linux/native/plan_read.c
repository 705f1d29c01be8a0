/* See plan_read.h; written by aisbx/plan/native.py, in just this order. */
#define _GNU_SOURCE
#include "plan_read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST = 8 << 20 }; /* bytes */
enum { WORD = 8, KNOWN = 1, WRITABLE = 2, OWNED = 4 };
static const char MAGIC[] = "aisbx plan for the front";

struct plan_block {
    struct plan_block *next;
    max_align_t data[];
};

uint64_t read_number(struct reader *reader) {
    uint64_t number = 0;
    if (reader->failed || reader->left < WORD) {
        reader->failed = true;
        return 0;
    }
    for (int i = 0; i < WORD; i++)
        number |= (uint64_t)(unsigned char)reader->next[i] << 8 * i;
    reader->next += WORD;
    reader->left -= WORD;
    return number;
}

size_t read_count(struct reader *reader, size_t each) {
    uint64_t count = read_number(reader);
    if (count > reader->left / (WORD * each))
        reader->failed = true;
    return reader->failed ? 0 : (size_t)count;
}

struct plan_bytes read_bytes(struct reader *reader) {
    static const unsigned char nothing[1];
    uint64_t size = read_number(reader);
    if (reader->failed || size >= reader->left || reader->next[size] != '\0') {
        reader->failed = true;
        return (struct plan_bytes){nothing, 0};
    }
    struct plan_bytes bytes = {(const unsigned char *)reader->next, (size_t)size};
    reader->next += size + 1;
    reader->left -= (size_t)size + 1;
    return bytes;
}

char *read_string(struct reader *reader) {
    static char empty[1];
    struct plan_bytes bytes = read_bytes(reader);
    if (!reader->failed && strlen((const char *)bytes.data) != bytes.size)
        reader->failed = true;
    return reader->failed ? empty : (char *)(uintptr_t)bytes.data; /* in our own memory */
}

/* Give zeroed room for so many things, which lives as long as the plan. */
static void *room(struct reader *reader, size_t count, size_t size) {
    struct plan_block *block = reader->failed ? NULL : calloc(1, sizeof *block + (count + 1) * size);
    if (block == NULL) {
        reader->failed = true;
        return NULL;
    }
    block->next = reader->memory.blocks;
    reader->memory.blocks = block;
    return block->data;
}

void plan_memory_free(struct plan_memory *memory) {
    while (memory->blocks != NULL) {
        struct plan_block *next = memory->blocks->next;
        free(memory->blocks);
        memory->blocks = next;
    }
    free(memory->data);
    memory->data = NULL;
}

struct plan_strings read_strings(struct reader *reader) {
    size_t count = read_count(reader, 1);
    struct plan_strings strings = {room(reader, count, sizeof(char *)), count};
    for (size_t i = 0; i < count && !reader->failed; i++)
        strings.items[i] = read_string(reader);
    return strings;
}

bool read_whole(int file, struct reader *reader) {
    struct stat status;
    if (fstat(file, &status) != 0 || status.st_size <= 0 || status.st_size > LARGEST)
        return false;
    char *data = malloc((size_t)status.st_size);
    if (data == NULL || pread(file, data, (size_t)status.st_size, 0) != status.st_size) {
        free(data);
        return false;
    }
    *reader = (struct reader){.memory.data = data, .next = data, .left = (size_t)status.st_size};
    return true;
}

bool read_header(struct reader *reader, const char *name) {
    bool ours = strcmp(read_string(reader), MAGIC) == 0;
    ours = read_number(reader) == PLAN_FORMAT && ours;
    ours = read_number(reader) == PLAN_ENTRY_FORMAT && ours;
    ours = strcmp(read_string(reader), name) == 0 && ours;
    uint64_t rest = read_number(reader);
    return rest == reader->left && ours && !reader->failed;
}

static void read_entry(struct reader *reader, struct plan *plan) {
    plan->kind = read_string(reader);
    plan->record = read_string(reader);
    plan->program_only = read_number(reader) != 0;
    plan->audit_path = read_string(reader);
    plan->audit_key = read_string(reader);
    plan->audit_export = read_string(reader);
    plan->audit_limit = read_number(reader);
    plan->audit_keep = read_number(reader);
    plan->state = read_string(reader);
    plan->keep_output = read_number(reader);
    plan->keep_runs = read_number(reader);
    plan->launcher = read_string(reader);
}

static void read_sources(struct reader *reader, struct plan *plan) {
    plan->source_count = read_count(reader, 6);
    plan->sources = room(reader, plan->source_count, sizeof *plan->sources);
    for (size_t i = 0; i < plan->source_count && !reader->failed; i++) {
        struct plan_source *source = &plan->sources[i];
        source->path = read_string(reader);
        source->target = read_string(reader);
        uint64_t flags = read_number(reader);
        source->known = (flags & KNOWN) != 0;
        source->writable = (flags & WRITABLE) != 0;
        source->owned = (flags & OWNED) != 0;
        source->within = (int64_t)read_number(reader) - 1; /* 0: none */
        source->device = read_number(reader);
        source->inode = read_number(reader);
        if (source->within < -1 || source->within >= (int64_t)i)
            reader->failed = true; /* what holds it comes earlier */
    }
}

static void read_events(struct reader *reader, struct plan_group *group) {
    group->event_count = read_count(reader, 3);
    group->events = room(reader, group->event_count, sizeof *group->events);
    for (size_t i = 0; i < group->event_count && !reader->failed; i++) {
        group->events[i].file = read_string(reader);
        group->events[i].key = read_string(reader);
        group->events[i].name = read_string(reader);
    }
}

static void read_group(struct reader *reader, struct plan_group *group) {
    group->parent = read_string(reader);
    group->inherited = read_number(reader) != 0;
    group->limit_count = read_count(reader, 2);
    group->limits = room(reader, group->limit_count, sizeof *group->limits);
    for (size_t i = 0; i < group->limit_count && !reader->failed; i++) {
        group->limits[i].file = read_string(reader);
        group->limits[i].value = read_string(reader);
    }
    read_events(reader, group);
}

static void read_groups(struct reader *reader, struct plan *plan, struct plan_bytes *own) {
    plan->grouped = read_number(reader) != 0;
    *own = read_bytes(reader);
    plan->group_count = read_count(reader, 4);
    plan->groups = room(reader, plan->group_count, sizeof *plan->groups);
    for (size_t i = 0; i < plan->group_count && !reader->failed; i++)
        read_group(reader, &plan->groups[i]);
}

static void read_limits(struct reader *reader, struct plan *plan) {
    plan->rlimit_count = read_count(reader, 3);
    plan->rlimits = room(reader, plan->rlimit_count, sizeof *plan->rlimits);
    for (size_t i = 0; i < plan->rlimit_count && !reader->failed; i++) {
        plan->rlimits[i].resource = (int64_t)read_number(reader);
        plan->rlimits[i].soft = read_number(reader);
        plan->rlimits[i].hard = read_number(reader);
    }
    plan->watched = read_number(reader) != 0;
    plan->watch_memory = read_number(reader);
    plan->watch_tasks = read_number(reader);
    plan->watch_places = read_strings(reader);
    plan->outsider = read_number(reader) != 0;
    plan->disk_uid = read_number(reader);
    plan->disk_gid = read_number(reader);
    plan->outside_first = read_number(reader);
    plan->contained = read_number(reader) != 0;
    plan->composed = read_number(reader) != 0;
}

static void read_publish(struct reader *reader, struct plan *plan) {
    plan->publish_count = read_count(reader, 1);
    plan->publish = room(reader, plan->publish_count, sizeof *plan->publish);
    for (size_t i = 0; i < plan->publish_count && !reader->failed; i++)
        plan->publish[i] = read_number(reader);
}

static const char *read_optional(struct reader *reader) {
    const char *text = read_string(reader);
    return text[0] == '\0' ? NULL : text;
}

static struct plan_joining *read_joining(struct reader *reader, uint64_t held[WRITTEN]) {
    struct plan_joining *joining = read_number(reader) != 0 ? room(reader, 1, sizeof *joining) : NULL;
    if (joining == NULL)
        return NULL;
    joining->held = -1;
    joining->home = read_string(reader);
    for (size_t i = 0; i < WRITTEN; i++)
        held[i] = read_number(reader);
    joining->boot = read_string(reader);
    joining->first = read_number(reader);
    joining->born = read_number(reader);
    joining->uid = read_number(reader);
    joining->gid = read_number(reader);
    joining->watched = read_number(reader) != 0;
    joining->group_count = read_count(reader, 2);
    joining->groups = room(reader, joining->group_count, sizeof *joining->groups);
    for (size_t i = 0; i < joining->group_count && !reader->failed; i++) {
        joining->groups[i].parent = read_string(reader);
        read_events(reader, &joining->groups[i]);
    }
    return joining;
}

struct plan *read_plan(struct reader *reader, struct plan_bytes *group, uint64_t held[WRITTEN]) {
    struct plan *plan = room(reader, 1, sizeof *plan);
    if (plan == NULL)
        return NULL;
    plan->entry = -1;
    read_entry(reader, plan);
    read_sources(reader, plan);
    read_groups(reader, plan, group);
    plan->program = read_string(reader);
    plan->head = read_strings(reader);
    plan->tail = read_strings(reader);
    plan->file_count = read_count(reader, 1);
    plan->files = room(reader, plan->file_count, sizeof *plan->files);
    for (size_t i = 0; i < plan->file_count && !reader->failed; i++)
        plan->files[i] = read_bytes(reader);
    plan->environment = read_strings(reader);
    plan->filter = read_bytes(reader);
    read_limits(reader, plan);
    plan->private = read_strings(reader);
    read_publish(reader, plan);
    plan->workspace = read_optional(reader);
    plan->mode = read_optional(reader);
    plan->scans = read_optional(reader);
    plan->cwd = read_string(reader);
    plan->wall_time = read_number(reader);
    plan->output = read_number(reader);
    plan->joining = read_joining(reader, held);
    return reader->failed || reader->left != 0 || (plan->workspace == NULL) != (plan->mode == NULL) ? NULL : plan;
}
