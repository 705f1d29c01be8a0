/* See look.h; the file's layout is that of aisbx_linux/protect/remember.py, and the comparison that of scan.py. */
#define _GNU_SOURCE
#include "look.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "look_data.h"

static const char MAGIC[8] = "aisbxsee";
static const uint64_t LARGEST = 256 << 20; /* bytes of the file */
/* Nanoseconds in which a directory may change twice and have the same time: as RACY of scan.py. */
static const uint64_t RACY = UINT64_C(2000000000);

/* How many entries of changed directories are read in one look: where more have changed, Python looks and remembers. */
enum { MOST_ENTRIES = 8192 };

static uint64_t nanoseconds(struct timespec time) {
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

const char *next_text(const char **place, const char *end) {
    const char *text = *place;
    if (text > end)
        return NULL;
    *place += strlen(text) + 1; /* there is a NUL at `end`, if not before */
    return text;
}

/* Find the parts of what was read, all within it: false where the numbers say otherwise. */
static bool find_parts(struct look_data *data, uint64_t size) {
    const uint64_t *head = data->words;
    uint64_t parts[] = {head[PLACE_SIZE], head[NAMES_SIZE], head[PATHS_SIZE], head[COVERED_SIZE], head[TABLE_SIZE]};
    const char **texts[] = {&data->place, &data->names, &data->paths, &data->covered, &data->table};
    uint64_t most = size / sizeof *head;
    if (head[DIRECTORIES] > most || head[FILES] > most || head[OTHERS] > most)
        return false;
    uint64_t words = HEAD + DIRECTORY_NUMBERS * head[DIRECTORIES] + FILE_NUMBERS * (head[FILES] + head[OTHERS]);
    uint64_t at = words * sizeof *head;
    if (at > size)
        return false;
    data->directories = head + HEAD;
    data->files = data->directories + DIRECTORY_NUMBERS * head[DIRECTORIES];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i] >= size - at)
            return false;
        *texts[i] = (const char *)head + at;
        at += parts[i] + 1;
        if ((*texts[i])[parts[i]] != '\0')
            return false;
    }
    return at == size;
}

/* Read all of the file but its last part, which is Python's. */
static bool load(int file, struct look_data *data) {
    uint64_t head[HEAD];
    struct stat status;
    if (fstat(file, &status) != 0 || status.st_mode != (S_IFREG | 0600) || status.st_uid != geteuid() ||
        status.st_size < (off_t)sizeof head || (uint64_t)status.st_size >= LARGEST)
        return false;
    if (pread(file, head, sizeof head, 0) != sizeof head || memcmp(&head[WHAT], MAGIC, sizeof MAGIC) != 0 ||
        head[FORMAT] != LOOK_FORMAT || head[TOTAL] != (uint64_t)status.st_size || head[LAST] > head[TOTAL] ||
        head[LAST] < sizeof head)
        return false;
    data->words = malloc(head[LAST]);
    if (data->words == NULL || pread(file, data->words, head[LAST], 0) != (ssize_t)head[LAST])
        return false;
    /* Compared again: it is what was read last that is relied on. */
    return memcmp(data->words, head, sizeof head) == 0 && find_parts(data, head[LAST]);
}

static bool same_directories(struct look_data *data, int root) {
    unsigned budget = MOST_ENTRIES;
    struct timespec clock = {0}; /* from before anything is looked at */
    if (data->seen != NULL)
        (void)clock_gettime(CLOCK_REALTIME, &clock);
    const uint64_t *known = data->directories;
    const char *place = data->names, *end = place + data->words[NAMES_SIZE], *name;
    for (uint64_t i = 0; i < data->words[DIRECTORIES]; i++, known += DIRECTORY_NUMBERS) {
        struct stat now;
        if ((name = next_text(&place, end)) == NULL || fstatat(root, name, &now, AT_SYMLINK_NOFOLLOW) != 0 ||
            now.st_ino != known[INODE] || now.st_dev != known[DEVICE])
            return false;
        uint64_t changed = nanoseconds(now.st_ctim);
        if (changed == known[CTIME] || (data->seen != NULL && data->seen[i] == changed))
            continue;
        if (!same_findings(data, root, name, known[CONTEXT], &now, &budget))
            return false;
        if (data->seen != NULL && changed + RACY < nanoseconds(clock))
            data->seen[i] = changed;
    }
    return place > end;
}

/* State.stamp: what tells whether a file is still the same one with the same content. */
static bool same_file(const struct look_data *data, const char *path, const uint64_t *known) {
    struct stat now;
    uint64_t size = data->words[PLACE_SIZE];
    bool there = lstat(path, &now) == 0;
    bool inside = strncmp(path, data->place, size) == 0 && path[size] == '/';
    if (there && S_ISLNK(now.st_mode) && !inside)
        there = stat(path, &now) == 0; /* the user's own file may be a link into their dotfiles */
    if (!there || known[THERE] == 0)
        return !there && known[THERE] == 0;
    return now.st_dev == known[FILE_DEVICE] && now.st_ino == known[FILE_INODE] && now.st_mode == known[MODE] &&
           nanoseconds(now.st_ctim) == known[FILE_CTIME] && (uint64_t)now.st_size == known[SIZE];
}

static bool same_files(const struct look_data *data) {
    const uint64_t *known = data->files;
    uint64_t count = data->words[FILES] + data->words[OTHERS];
    const char *place = data->paths, *end = place + data->words[PATHS_SIZE], *path;
    for (uint64_t i = 0; i < count; i++, known += FILE_NUMBERS)
        if ((path = next_text(&place, end)) == NULL || !same_file(data, path, known))
            return false;
    return count == 0 ? data->words[PATHS_SIZE] == 0 : place > end;
}

/* scan.compare, without what differs, but for directories with the same findings. */
static bool compare(struct look_data *data) {
    int root = open(data->place, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return false;
    bool same = same_directories(data, root) && same_files(data);
    close(root);
    return same;
}

/* Tell whether the plan itself has pinned a place: done again, that would hide the plan's mounts in it. */
static bool made(const struct plan *plan, const char *path) {
    for (size_t i = 0; i < plan->source_count; i++)
        if (strcmp(plan->sources[i].target, path) == 0 && strcmp(plan->sources[i].path, path) == 0)
            return true;
    return false;
}

/* Guard._covers */
static bool find_covered(struct look *look, const struct plan *plan) {
    const uint64_t *head = look->data->words;
    const char *place = look->data->covered, *end = place + head[COVERED_SIZE], *path;
    if (head[PINS] > head[LAST] || head[MOUNTS] > head[LAST] || head[SOCKETS] > head[LAST])
        return false;
    uint64_t held = head[PINS] + head[MOUNTS], count = held + head[SOCKETS];
    if (count > head[COVERED_SIZE])
        return false;
    look->covered = calloc(count + 1, sizeof *look->covered);
    for (uint64_t i = 0; look->covered != NULL && i < count; i++) {
        enum cover_kind kind = i < head[PINS] ? COVER_PINNED : i < held ? COVER_HELD : COVER_HIDDEN;
        if ((path = next_text(&place, end)) == NULL)
            return false;
        if (kind != COVER_PINNED || !made(plan, path))
            look->covered[look->cover_count++] = (struct cover){kind, path};
    }
    return look->covered != NULL && (count == 0 ? head[COVERED_SIZE] == 0 : place > end);
}

struct look *look_read(const struct plan *plan) {
    struct look *look = calloc(1, sizeof *look);
    if (look == NULL)
        return NULL;
    look->data = calloc(1, sizeof *look->data);
    look->file = open(plan->scans, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (look->file >= 0 && look->data != NULL && load(look->file, look->data) &&
        strcmp(look->data->place, plan->workspace) == 0 && find_covered(look, plan))
        return look;
    look_free(look);
    return NULL;
}

struct look *look_known(const struct plan *plan) {
    struct look *look = look_read(plan);
    if (look == NULL || compare(look->data))
        return look;
    look_free(look);
    return NULL;
}

bool look_share(struct look *look) {
    look->data->seen = calloc(look->data->words[DIRECTORIES] + 1, sizeof *look->data->seen);
    return look->data->seen != NULL && index_names(look->data);
}

bool look_same(struct look *look) { return compare(look->data); }

void look_free(struct look *look) {
    if (look == NULL)
        return;
    if (look->file >= 0)
        close(look->file);
    if (look->data != NULL) {
        free(look->data->words);
        free(look->data->known);
        free(look->data->meant);
        free(look->data->seen);
    }
    free(look->data);
    free(look->covered);
    free(look);
}
