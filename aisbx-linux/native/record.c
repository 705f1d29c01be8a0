/* See record.h; the layout of records, head and chain is that of aisbx/audit/{write,chain}.py. */
#define _GNU_SOURCE
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sha256.h"

enum {
    HEX = 2 * SHA256_SIZE,
    HEAD_TEXT = 20 + 1 + 20 + 1 + 10 + 1 + 10 + 1 + HEX + 1 + HEX,
    HEAD_SIZE = HEAD_TEXT + 1 + HEX + 1, /* chain.HEAD_SIZE */
};
#define OPEN_FLAGS (O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
/* Beyond it a size or a number is not one that anybody has. */
static const uint64_t MOST = UINT64_C(1) << 60;

struct head {
    uint64_t records, size;
    char text[HEAD_TEXT + 1];
    char *base, *mac; /* in `text`; from `base` on it is kept as it is */
    uint64_t number, first;
};

/* Open a file that is there and ours alone (write.own_file); -1 otherwise. */
static int own_file(const char *path, int flags) {
    struct stat status;
    int file = open(path, flags | OPEN_FLAGS);
    if (file >= 0 && (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
                      (status.st_mode & 077) != 0)) {
        close(file);
        return -1;
    }
    return file;
}

static int read_key(const char *path, unsigned char key[SHA256_BLOCK]) {
    unsigned char data[SHA256_BLOCK + 1];
    int file = own_file(path, O_RDONLY);
    if (file < 0)
        return -1;
    ssize_t size = read(file, data, sizeof data);
    close(file);
    if (size == SHA256_BLOCK)
        memcpy(key, data, SHA256_BLOCK);
    explicit_bzero(data, sizeof data);
    return size == SHA256_BLOCK ? 0 : -1;
}

int log_open(struct log *log, const struct plan *plan) {
    char name[PATH_MAX];
    struct stat status;
    log->file = log->head = -1;
    log->path = plan->audit_path;
    log->limit = plan->audit_limit;
    int length = snprintf(name, sizeof name, "%s.head", plan->audit_path);
    if (plan->audit_export[0] != '\0' || length < 0 || (size_t)length >= sizeof name)
        return -1;
    log->file = own_file(plan->audit_path, O_RDWR | O_APPEND);
    log->head = own_file(name, O_RDWR);
    if (log->file < 0 || log->head < 0 || fstat(log->head, &status) != 0 || status.st_size != HEAD_SIZE ||
        read_key(plan->audit_key, log->key) != 0) {
        log_close(log);
        return -1;
    }
    return 0;
}

void log_close(struct log *log) {
    if (log->file >= 0)
        close(log->file);
    if (log->head >= 0)
        close(log->head);
    log->file = log->head = -1;
    explicit_bzero(log->key, sizeof log->key);
}

static void tag_of(const struct log *log, const char *text, char tag[HEX + 1]) {
    unsigned char digest[SHA256_SIZE];
    struct sha256 hash;
    hmac_begin(&hash, log->key);
    sha256_add(&hash, "head ", 5);
    sha256_add(&hash, text, HEAD_TEXT);
    hmac_end(&hash, log->key, digest);
    hexadecimal(tag, digest, sizeof digest);
}

/* Read a number of just so many digits and what stands behind it; false where it is none. */
static bool number_at(const char **place, int digits, uint64_t *number) {
    *number = 0;
    for (int i = 0; i < digits; i++, (*place)++) {
        if (**place < '0' || **place > '9' || *number > MOST)
            return false;
        *number = *number * 10 + (uint64_t)(**place - '0');
    }
    return *(*place)++ == ' ';
}

/* chain.unpack: false where it was not written with this key. */
static bool read_head(const struct log *log, struct head *head) {
    char data[HEAD_SIZE + 1], tag[HEX + 1];
    if (pread(log->head, data, sizeof data, 0) != HEAD_SIZE)
        return false;
    tag_of(log, data, tag);
    if (data[HEAD_TEXT] != ' ' || memcmp(data + HEAD_TEXT + 1, tag, HEX) != 0 || data[HEAD_SIZE - 1] != '\n')
        return false;
    memcpy(head->text, data, HEAD_TEXT);
    head->text[HEAD_TEXT] = '\0';
    const char *place = head->text;
    if (!number_at(&place, 20, &head->records) || !number_at(&place, 20, &head->size) ||
        !number_at(&place, 10, &head->number) || !number_at(&place, 10, &head->first) || place[HEX] != ' ')
        return false;
    head->base = head->text + (place - head->text);
    head->mac = head->base + HEX + 1;
    return head->records < MOST && head->size < MOST;
}

/* Overwrite the head (chain.pack): shorter than a page, so that a writer that is killed leaves the old or the new. */
static int write_head(const struct log *log, struct head *head, const char mac[HEX + 1]) {
    char data[HEAD_SIZE + 1], tag[HEX + 1];
    int size = snprintf(data, sizeof data, "%020" PRIu64 " %020" PRIu64 " %010" PRIu64 " %010" PRIu64 " %.*s %s",
                        head->records, head->size, head->number, head->first, HEX, head->base, mac);
    if (size != HEAD_TEXT)
        return -1;
    tag_of(log, data, tag);
    data[HEAD_TEXT] = ' ';
    memcpy(data + HEAD_TEXT + 1, tag, HEX);
    data[HEAD_SIZE - 1] = '\n';
    return pwrite(log->head, data, HEAD_SIZE, 0) == HEAD_SIZE ? 0 : -1;
}

/* Add to a record its place in the chain (chain.extend); `mac` becomes its MAC. */
static void extend(const struct log *log, const struct head *head, struct text *line, char mac[HEX + 1]) {
    unsigned char digest[SHA256_SIZE];
    struct sha256 hash;
    line->size--; /* its closing brace comes last */
    text_print(line, ",\"seq\":%" PRIu64, head->records + 1);
    if (line->failed)
        return;
    hmac_begin(&hash, log->key);
    sha256_add(&hash, "record ", 7);
    sha256_add(&hash, head->mac, HEX);
    sha256_add(&hash, line->data, line->size);
    hmac_end(&hash, log->key, digest);
    hexadecimal(mac, digest, sizeof digest);
    text_print(line, ",\"mac\":\"%s\"}\n", mac);
}

static int write_whole(int file, const char *data, size_t size) {
    while (size > 0) {
        ssize_t written = write(file, data, size);
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        } else if (written == 0 || errno != EINTR)
            return -1;
    }
    return 0;
}

static int append_locked(struct log *log, const struct text *line) {
    struct stat status, named;
    struct head head;
    struct text chained = {0};
    char mac[HEX + 1];
    int result = 1;
    if (fstat(log->file, &status) != 0 || stat(log->path, &named) != 0 || named.st_ino != status.st_ino ||
        named.st_dev != status.st_dev || !read_head(log, &head) || head.records == 0 ||
        (uint64_t)status.st_size != head.size)
        return 1;
    text_add(&chained, line->data, line->size);
    extend(log, &head, &chained, mac);
    if (!chained.failed && head.size + chained.size < log->limit) {
        head.records++;
        head.size += chained.size;
        if (write_whole(log->file, chained.data, chained.size) == 0 && write_head(log, &head, mac) == 0)
            result = 0;
        else if (ftruncate(log->file, status.st_size) != 0)
            result = 1; /* Python mends what is torn */
    }
    text_free(&chained);
    return result;
}

int log_append(struct log *log, const struct text *line) {
    int locked;
    if (line->failed || line->size < 2)
        return 1;
    while ((locked = flock(log->head, LOCK_EX)) != 0 && errno == EINTR)
        ;
    if (locked != 0)
        return 1;
    int result = append_locked(log, line);
    flock(log->head, LOCK_UN);
    return result;
}
