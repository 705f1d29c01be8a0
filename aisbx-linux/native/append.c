/* The audit log of a program, for the records of commands that `client_run` has seen end: see client.h. */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "append.h"
#include "record.h"

enum { SIGNAL_BASE = 128, LAST_SIGNAL = 64 };

struct client_log {
    pthread_mutex_t mutex; /* a lock on the file is the descriptor's, which all threads have */
    struct log log;
    struct stat known;
    char path[PATH_MAX];
};

struct client_log *client_log_open(const char *path, const char *key, uint64_t limit) {
    struct client_log *opened = strlen(path) < PATH_MAX ? calloc(1, sizeof *opened) : NULL;
    if (opened == NULL)
        return NULL;
    memcpy(opened->path, path, strlen(path) + 1);
    const struct plan place = {.audit_path = opened->path, .audit_key = key, .audit_export = "", .audit_limit = limit};
    if (pthread_mutex_init(&opened->mutex, NULL) == 0 && log_open(&opened->log, &place) == 0) {
        if (fstat(opened->log.file, &opened->known) == 0)
            return opened;
        log_close(&opened->log);
    }
    free(opened);
    return NULL;
}

void client_log_close(struct client_log *opened) {
    log_close(&opened->log);
    free(opened);
}

bool log_is_ready(const struct client_log *opened) {
    const struct stat *known = &opened->known;
    struct stat status;
    return lstat(opened->path, &status) == 0 && status.st_dev == known->st_dev && status.st_ino == known->st_ino &&
           status.st_mode == known->st_mode && status.st_uid == known->st_uid;
}

static int64_t microseconds(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec * INT64_C(1000000) + time.tv_nsec / 1000;
}

bool record_ended(struct client_log *opened, const char *members, size_t size, const struct client_outcome *outcome) {
    int status = (int)outcome->status;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : SIGNAL_BASE + WTERMSIG(status);
    const struct record_result result = {
        .code = code,
        .signal = code > SIGNAL_BASE && code <= SIGNAL_BASE + LAST_SIGNAL ? code - SIGNAL_BASE : 0,
        .duration = (outcome->ended - outcome->started + 500) / 1000,
        .user = outcome->user,
        .system = outcome->system,
        .max_rss = outcome->peak * 1024,
        .stdout_bytes = (uint64_t)outcome->size[0],
        .stderr_bytes = (uint64_t)outcome->size[1],
    };
    struct text line = {0};
    record_begin(&line, microseconds());
    text_add(&line, members, size);
    record_end(&line, &result);
    (void)pthread_mutex_lock(&opened->mutex);
    bool written = log_append(&opened->log, &line) == 0;
    (void)pthread_mutex_unlock(&opened->mutex);
    text_free(&line);
    return written;
}
