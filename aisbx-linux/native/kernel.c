/* See kernel.h. */
#define _GNU_SOURCE
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_OPEN_TREE 428
#define NR_MOVE_MOUNT 429
#define NR_CLOSE_RANGE 436
#define NR_OPENAT2 437
#define NR_MOUNT_SETATTR 442

#define TREE_CLONE 1U /* OPEN_TREE_CLONE */
#define TREE_RECURSIVE 0x8000U /* AT_RECURSIVE */
#define FROM_EMPTY_PATH 4U /* MOVE_MOUNT_F_EMPTY_PATH */
#define TO_EMPTY_PATH 0x40U /* MOVE_MOUNT_T_EMPTY_PATH */
#define ATTR_READ_ONLY 1U /* MOUNT_ATTR_RDONLY */
#define ATTR_IDMAP 0x00100000U /* MOUNT_ATTR_IDMAP */
#define NO_SYMLINKS 4U /* RESOLVE_NO_SYMLINKS */
#define LATER 4U /* CLOSE_RANGE_CLOEXEC */

/* struct mount_attr and struct open_how, as the kernel has them. */
struct attributes {
    uint64_t set, clear, propagation, namespace;
};
struct how {
    uint64_t flags, mode, resolve;
};

int clone_tree(int descriptor)
{
    return (int)syscall(NR_OPEN_TREE, descriptor, "", TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | TREE_RECURSIVE);
}

static int set_attributes(int tree, unsigned int flags, uint64_t set, int namespace)
{
    struct attributes given = {.set = set, .namespace = (uint64_t)namespace};

    return (int)syscall(NR_MOUNT_SETATTR, tree, "", AT_EMPTY_PATH | flags, &given, sizeof given);
}

int idmap_tree(int tree, int namespace)
{
    return set_attributes(tree, 0, ATTR_IDMAP, namespace);
}

int protect_tree(int tree)
{
    return set_attributes(tree, TREE_RECURSIVE, ATTR_READ_ONLY, 0);
}

int attach_tree(int tree, const char *target)
{
    return (int)syscall(NR_MOVE_MOUNT, tree, "", AT_FDCWD, target, FROM_EMPTY_PATH);
}

int attach_tree_on(int tree, int target)
{
    return (int)syscall(NR_MOVE_MOUNT, tree, "", target, "", FROM_EMPTY_PATH | TO_EMPTY_PATH);
}

int open_unlinked(int directory, const char *path)
{
    struct how how = {.flags = O_PATH | O_CLOEXEC, .resolve = NO_SYMLINKS};

    return (int)syscall(NR_OPENAT2, directory, path, &how, sizeof how);
}

int close_later(unsigned int first)
{
    return (int)syscall(NR_CLOSE_RANGE, first, ~0U, LATER);
}

int close_from(unsigned int first)
{
    return (int)syscall(NR_CLOSE_RANGE, first, ~0U, 0);
}

pid_t clone_process(unsigned long flags)
{
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

int put_file(const char *path, const char *value)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t written;
    int error;

    if (file < 0) {
        return -1;
    }
    written = write(file, value, strlen(value));
    error = errno;
    (void)close(file);
    errno = error;
    return written == (ssize_t)strlen(value) ? 0 : -1;
}

static int end_at_once(void *unused)
{
    (void)unused;
    return 0; /* clone(3) ends the process with it, and runs nothing else */
}

/* A process that has ended when clone(2) returns: until it is waited for, its files in /proc can be written and opened,
 * so a user namespace is set up and had without a process to hold it. It copies nothing, and sends no signal. */
int make_identity(unsigned int uid, unsigned int gid, unsigned int outside)
{
    _Alignas(16) static char stack[1 << 14];
    char path[64], map[64];
    pid_t nobody = clone(end_at_once, stack + sizeof stack, CLONE_NEWUSER | CLONE_VM | CLONE_VFORK, NULL);
    int namespace = -1;

    if (nobody < 0) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/uid_map", (int)nobody);
    (void)snprintf(map, sizeof map, "%u %u 1", uid, outside);
    if (put_file(path, map) == 0) {
        (void)snprintf(path, sizeof path, "/proc/%d/gid_map", (int)nobody);
        (void)snprintf(map, sizeof map, "%u %u 1", gid, outside);
        if (put_file(path, map) == 0) {
            (void)snprintf(path, sizeof path, "/proc/%d/ns/user", (int)nobody);
            namespace = open(path, O_RDONLY | O_CLOEXEC);
        }
    }
    (void)waitpid(nobody, NULL, __WALL);
    return namespace;
}

bool own_proc(void)
{
    char text[32];
    ssize_t size = readlink("/proc/self", text, sizeof text - 1);

    if (size <= 0) {
        return false;
    }
    text[size] = '\0';
    return strtol(text, NULL, 10) == (long)getpid();
}

pid_t first_child(pid_t process)
{
    char path[64], text[32];
    ssize_t size;
    int file;

    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)process, (int)process);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    size = read(file, text, sizeof text - 1);
    (void)close(file);
    if (size <= 0) {
        return 0;
    }
    text[size] = '\0';
    return (pid_t)strtol(text, NULL, 10);
}
