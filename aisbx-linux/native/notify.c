/* See notify.h. */
#define _GNU_SOURCE
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    LONGEST = 1024,      /* bytes of an argument, and of a program's path */
    LOWEST = 1 << 16,    /* nothing is mapped below: vm.mmap_min_addr, and what is there is no pointer */
    ADDRESS_BITS = 47,   /* of the least of the machines that are known here */
    STATUS_ROOM = 4096,
};

int notify_errno(const struct sock_filter *program, size_t count, const struct seccomp_data *data) {
    uint32_t accumulator = 0, value = SECCOMP_RET_ALLOW;
    for (size_t at = 0; at < count; at++) { /* jumps go forward only */
        const struct sock_filter *one = &program[at];
        bool holds = false;
        if (one->code == (BPF_RET | BPF_K)) {
            value = one->k;
            break;
        }
        switch (one->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (one->k > sizeof *data - sizeof accumulator)
                return EPERM;
            memcpy(&accumulator, (const char *)data + one->k, sizeof accumulator);
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            accumulator &= one->k;
            continue;
        case BPF_JMP | BPF_JA:
            if (one->k >= count)
                return EPERM;
            at += one->k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            holds = accumulator == one->k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            holds = accumulator > one->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            holds = accumulator >= one->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            holds = (accumulator & one->k) != 0;
            break;
        default:
            return EPERM;
        }
        at += holds ? one->jt : one->jf;
    }
    int error = (int)(value & SECCOMP_RET_DATA);
    return (value & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO && error != 0 ? error : EPERM;
}

/* Where the next goes; what does not fit is left out, and nothing behind it comes. */
struct writer {
    char *next;
    size_t left;
};

static void put_number(struct writer *writer, uint64_t number) {
    if (writer->left < sizeof number) {
        writer->left = 0;
        return;
    }
    memcpy(writer->next, &number, sizeof number); /* little-endian: no other machine is known here */
    writer->next += sizeof number;
    writer->left -= sizeof number;
}

static void put_bytes(struct writer *writer, const char *data, size_t size) {
    if (writer->left < sizeof(uint64_t) + size + 1) {
        writer->left = 0;
        return;
    }
    put_number(writer, size);
    memcpy(writer->next, data, size);
    writer->next[size] = '\0';
    writer->next += size + 1;
    writer->left -= size + 1;
}

/* Read what lies at a place of a process's memory, as far as it has something there. */
static size_t memory(pid_t process, uint64_t place, char room[LONGEST]) {
    size_t first = PAGE - place % PAGE;
    if (place < LOWEST || place >> ADDRESS_BITS != 0)
        return 0;
    first = first < LONGEST ? first : LONGEST;
    struct iovec ours = {room, LONGEST};
    struct iovec theirs[] = {
        {(void *)(uintptr_t)place, first}, /* a second page that is not there must not spoil the first */
        {(void *)(uintptr_t)(place + first), LONGEST - first},
    };
    ssize_t size = process_vm_readv(process, &ours, 1, theirs, first < LONGEST ? 2 : 1, 0);
    return size > 0 ? (size_t)size : 0;
}

/* Give a thread's process on the host, inside (0: it is in no other namespace), and the path of its program; zeros
 * where it has gone. */
static size_t process_of(pid_t thread, uint64_t pids[2], char program[LONGEST]) {
    char path[64], text[STATUS_ROOM];
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        (void)close(file);
    text[size < 0 ? 0 : size] = '\0';
    char *line = strstr(text, "\nNStgid:");
    if (line == NULL)
        return 0;
    line += sizeof "\nNStgid:" - 1;
    for (size_t i = 0;; i = 1) { /* the outermost first, the innermost last */
        char *end;
        uint64_t number = strtoull(line, &end, 10);
        if (end == line || *line == '\n')
            break;
        pids[i] = number;
        line = end;
        if (*line == '\n')
            break;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/exe", (int)thread);
    size = readlink(path, program, LONGEST);
    return size > 0 ? (size_t)size : 0;
}

size_t notify_told(char room[NOTIFY_ROOM], const struct seccomp_data *data, uint64_t times, int error, const char *run,
                   const struct seccomp_notif *call, int listener) {
    static char pointed[NOTIFY_ARGUMENTS][LONGEST];
    static char program[LONGEST];
    size_t sizes[NOTIFY_ARGUMENTS] = {0}, path = 0;
    uint64_t pids[2] = {0};
    bool waits = false;
    if (call != NULL) {
        path = process_of((pid_t)call->pid, pids, program);
        for (int i = 0; i < NOTIFY_ARGUMENTS; i++)
            sizes[i] = memory((pid_t)call->pid, data->args[i], pointed[i]);
        uint64_t id = call->id;
        waits = ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0; /* else all that may be another's */
    }
    struct writer writer = {room, NOTIFY_ROOM};
    put_number(&writer, times);
    put_number(&writer, (uint32_t)data->nr);
    for (int i = 0; i < NOTIFY_ARGUMENTS; i++)
        put_number(&writer, data->args[i]);
    put_number(&writer, (uint64_t)error);
    put_number(&writer, waits);
    put_number(&writer, waits ? pids[0] : 0);
    put_number(&writer, waits ? pids[1] : 0);
    put_bytes(&writer, run, strlen(run));
    put_bytes(&writer, program, waits ? path : 0);
    for (int i = 0; i < NOTIFY_ARGUMENTS; i++)
        put_bytes(&writer, pointed[i], waits ? sizes[i] : 0);
    return (size_t)(writer.next - room);
}
