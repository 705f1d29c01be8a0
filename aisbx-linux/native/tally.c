/* See tally.h. */
#define _GNU_SOURCE
#include "tally.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "notify.h"

enum { KINDS = 128, UNKNOWN = 512 };
#define SECOND INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)
#define PRICE (SECOND / 100) /* nanoseconds that must pass for each call that is described */
#define BURST (200 * PRICE)

static struct {
    char run[TALLY_RUN];
    struct seccomp_data data; /* of the first */
    uint64_t times;
    int error;
} counted[KINDS];
static int kinds;
static int64_t credit = BURST, since, due;

static int64_t present(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

bool tally_describes(void) {
    int64_t now = present();
    credit += since == 0 ? 0 : now - since;
    credit = credit < BURST ? credit : BURST;
    since = now;
    if (credit < PRICE)
        return false;
    credit -= PRICE;
    return true;
}

/* Numbers beyond every call there is are of one kind: a program that makes them up takes no room from the others. */
static int kind(int number) {
    return number < 0 || number >= UNKNOWN ? UNKNOWN : number;
}

void tally_add(const char *run, const struct seccomp_data *data, int error) {
    int at = 0;
    while (at < kinds && (kind(counted[at].data.nr) != kind(data->nr) || strcmp(counted[at].run, run) != 0))
        at++;
    if (at == KINDS)
        at = 0; /* of too many kinds the first stands for the rest */
    else if (at == kinds) {
        (void)snprintf(counted[at].run, TALLY_RUN, "%s", run);
        counted[at].data = *data;
        counted[at].error = error;
        counted[at].times = 0;
        due = kinds++ == 0 ? since + SECOND : due; /* every call has asked for the time */
    }
    counted[at].times++;
}

void tally_tell(const struct recorder *recorder, bool now) {
    static char room[NOTIFY_ROOM];
    if (kinds == 0 || (!now && since < due && present() < due))
        return;
    while (kinds > 0) {
        const int at = kinds - 1;
        size_t size = notify_told(room, &counted[at].data, counted[at].times, counted[at].error, counted[at].run, NULL, -1);
        if (!recorder_tell(recorder, room, size))
            break;
        kinds--;
    }
    due = present() + SECOND;
}

int tally_patience(void) {
    int64_t left = due - present();
    return kinds == 0 ? -1 : left > 0 ? (int)(left / MILLISECOND) + 1 : 0;
}
