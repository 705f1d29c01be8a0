/* The entries of a directory that has changed: whether anything among them means something (protect/look.py, `read`).
 *
 * Work goes on between two runs, and in them: files are written where files were written before. Python reads such a
 * directory again and mostly finds in it what it had found. Here only that much is told: that it would. What was
 * found there still is (files and directories are compared one by one by look.c, and there is no finding of another
 * kind: ODD), nothing else has a name of the table, no directory is new, and no name leads elsewhere (PLAIN). Where in
 * doubt it is Python's.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "look_data.h"

/* As in protect/look.py; a directory of another context, or with a finding that is ODD, is Python's. */
enum context { TREE, PACKAGES, CLOSED, GITDIR, INNER };

enum { LONGEST = 8192 }; /* bytes of a path */

static size_t hash_of(const char *text) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32);
}

/* Give the slot of a directory, or the free one where it would be. */
static const char **slot_of(const struct look_data *data, const char *name) {
    size_t at = hash_of(name);
    while (data->known[at & (data->slots - 1)] != NULL && strcmp(data->known[at & (data->slots - 1)], name) != 0)
        at++;
    return &data->known[at & (data->slots - 1)];
}

bool index_names(struct look_data *data) {
    const char *place = data->names, *end = place + data->words[NAMES_SIZE], *text;
    if (data->meant != NULL)
        return true;
    free(data->known); /* there was no memory for the other */
    data->slots = 64;
    while (data->slots < 2 * data->words[DIRECTORIES])
        data->slots *= 2;
    data->known = calloc(data->slots, sizeof *data->known);
    data->meant = calloc(data->words[TABLE_SIZE] + 1, sizeof *data->meant);
    if (data->known == NULL || data->meant == NULL)
        return false;
    for (uint64_t i = 0; i < data->words[DIRECTORIES] && (text = next_text(&place, end)) != NULL; i++)
        *slot_of(data, text) = text;
    place = data->table;
    end = place + data->words[TABLE_SIZE];
    while ((text = next_text(&place, end)) != NULL)
        data->meant[data->meant_count++] = text;
    return true;
}

static int compare_texts(const void *one, const void *other) {
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* Tell whether a name in lower case means something in some directory. */
static bool in_table(const struct look_data *data, const char *low) {
    size_t size = strlen(low);
    if (bsearch(&low, data->meant, data->meant_count, sizeof *data->meant, compare_texts) != NULL)
        return true;
    for (size_t i = 0; i < data->meant_count && data->meant[i][0] <= '*'; i++) {
        size_t ending = strlen(data->meant[i]) - 1;
        if (data->meant[i][0] == '*' && ending <= size && strcmp(low + size - ending, data->meant[i] + 1) == 0)
            return true;
    }
    return false;
}

/* Tell whether a path below the workspace is one of the files that are compared by themselves. */
static bool is_file_known(const struct look_data *data, const char *beneath) {
    const char *place = data->paths, *end = place + data->words[PATHS_SIZE], *path;
    size_t size = data->words[PLACE_SIZE];
    for (uint64_t i = 0; i < data->words[FILES] && (path = next_text(&place, end)) != NULL; i++)
        if (data->files[i * FILE_NUMBERS + THERE] != 0 && strncmp(path, data->place, size) == 0 && path[size] == '/' &&
            strcmp(path + size + 1, beneath) == 0)
            return true;
    return false;
}

/* Tell whether an entry is nothing that Python would note, or has noted and compares. */
static bool is_expected(const struct look_data *data, uint64_t context, unsigned kind, const char *beneath,
                        const char *low) {
    bool means = in_table(data, low);
    bool head = strcmp(low, "head") == 0;
    if (kind == DT_DIR) {
        if (*slot_of(data, beneath) != NULL)
            return true;
        /* The data of a repository is not read (`_DATA` of look.py). */
        return context == GITDIR &&
               (strcmp(low, "objects") == 0 || strcmp(low, "lfs") == 0 || strcmp(low, "annex") == 0);
    }
    if (kind != DT_REG && kind != DT_FIFO && (kind != DT_LNK || context >= GITDIR))
        return false; /* a socket is covered, and so on */
    if (!means)
        return true;
    if (kind == DT_REG && is_file_known(data, beneath))
        return true;
    return kind == DT_REG && head && context >= GITDIR;
}

static unsigned kind_of(int directory, const struct dirent *entry) {
    struct stat status;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type;
    return fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? IFTODT(status.st_mode) : DT_UNKNOWN;
}

/* Give a name in lower case; false where it has another character than ASCII's, which may fold to one. */
static bool lower(const char *name, char low[static 256]) {
    size_t i = 0;
    for (; name[i] != '\0' && i < 255; i++) {
        if ((unsigned char)name[i] >= 0x80)
            return false;
        low[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + ('a' - 'A')) : name[i];
    }
    low[i] = '\0';
    return name[i] == '\0';
}

static bool are_expected(const struct look_data *data, DIR *opened, const char *name, uint64_t context,
                         unsigned *budget) {
    char beneath[LONGEST], low[256];
    size_t size = strcmp(name, ".") == 0 ? 0 : strlen(name) + 1;
    if (size + sizeof low >= sizeof beneath)
        return false;
    if (size > 0) {
        memcpy(beneath, name, size - 1);
        beneath[size - 1] = '/';
    }
    for (const struct dirent *entry; (entry = readdir(opened)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (*budget == 0 || !lower(entry->d_name, low))
            return false;
        --*budget;
        strcpy(beneath + size, entry->d_name); /* as long as `low`, for which there is room */
        if (!is_expected(data, context, kind_of(dirfd(opened), entry), beneath, low))
            return false;
    }
    return true;
}

bool same_findings(struct look_data *data, int root, const char *name, uint64_t context, const struct stat *now,
                   unsigned *budget) {
    if (data->words[PLAIN] != 1 || (context != TREE && context != PACKAGES && context != GITDIR && context != INNER) ||
        (now->st_mode & (S_IRUSR | S_IXUSR)) != (S_IRUSR | S_IXUSR))
        return false;
    if (!index_names(data))
        return false;
    int directory = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    DIR *opened = NULL;
    if (directory >= 0 && fstat(directory, &status) == 0 && status.st_ino == now->st_ino &&
        status.st_dev == now->st_dev)
        opened = fdopendir(directory);
    if (opened == NULL) {
        if (directory >= 0)
            close(directory);
        return false;
    }
    bool same = are_expected(data, opened, name, context, budget);
    closedir(opened);
    return same;
}
