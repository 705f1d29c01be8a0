/* Show the sources in a mount namespace of the tool's own: `aisbx_linux/stage.py` and `compose.py`, which say why.
 *
 * All of this runs in the child that becomes the tool, so the front itself never leaves the host's namespaces. */
#define _GNU_SOURCE
#include "stage.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front.h"
#include "kernel.h"

static bool wanted(const struct run *run, size_t at)
{
    return run->layout.shown[at] || run->plan->sources[at].within >= 0;
}

/* Give a detached copy of the mount tree at a descriptor that was opened in an older mount namespace. */
static int copy_tree(int descriptor)
{
    char link[32], path[4096];
    struct stat found, known;
    ssize_t size;
    int opened, tree = -1;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    size = readlink(link, path, sizeof path - 1);
    if (size <= 0 || (size_t)size >= sizeof path - 1) {
        return -1;
    }
    path[size] = '\0';
    opened = open_unlinked(AT_FDCWD, path);
    if (opened < 0) {
        return -1;
    }
    if (fstat(opened, &found) == 0 && fstat(descriptor, &known) == 0 && found.st_dev == known.st_dev &&
        found.st_ino == known.st_ino) {
        tree = clone_tree(opened);
    }
    (void)close(opened);
    return tree;
}

/* Make a private file system at its place beside the sources. */
static int mount_private(const struct run *run, size_t index)
{
    char place[64], options[512];
    int size;

    (void)snprintf(place, sizeof place, STAGE "/private-%zu", index);
    size = run->outside != 0 ? snprintf(options, sizeof options, "%s,uid=%u,gid=%u", run->plan->private.items[index],
                                        run->outside, run->outside)
                             : snprintf(options, sizeof options, "%s", run->plan->private.items[index]);
    if (size < 0 || (size_t)size >= sizeof options || mkdir(place, 0700) != 0) {
        return -1;
    }
    return mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, options);
}

/* Put a tree at its own place on the stage. */
static int show(int tree, size_t index)
{
    char place[64];
    struct stat status;
    int file;

    (void)snprintf(place, sizeof place, STAGE "/%zu", index);
    if (fstat(tree, &status) != 0) {
        return -1;
    }
    if (S_ISDIR(status.st_mode)) {
        return mkdir(place, 0700) == 0 ? attach_tree(tree, place) : -1;
    }
    file = open(place, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0) {
        return -1;
    }
    (void)close(file);
    return attach_tree(tree, place);
}

/* Put a tree in another, at a place that no link leads to. */
static int nest(const struct run *run, const int *trees, size_t index)
{
    const struct plan_source *source = &run->plan->sources[index];
    const struct plan_source *outer = &run->plan->sources[source->within];
    size_t length = strlen(outer->target);
    int place, done;

    if (strncmp(source->target, outer->target, length) != 0 || source->target[length] != '/') {
        return -1;
    }
    if (!source->writable && protect_tree(trees[index]) != 0) {
        return -1;
    }
    place = open_unlinked(trees[source->within], source->target + length + 1);
    if (place < 0) {
        return -1;
    }
    done = attach_tree_on(trees[index], place);
    (void)close(place);
    return done;
}

static int compose(const struct run *run, const int *trees)
{
    const struct plan *plan = run->plan;

    if (mount("aisbx", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0711,size=1m") != 0) {
        return -1;
    }
    for (size_t at = 0; at < plan->private.count; at++) {
        if (mount_private(run, at) != 0) {
            return -1;
        }
    }
    for (size_t at = 0; at < plan->source_count; at++) {
        if (run->layout.shown[at] && show(trees[at], at) != 0) {
            return -1;
        }
    }
    for (size_t at = 0; at < plan->source_count; at++) {
        if (plan->sources[at].within >= 0 && nest(run, trees, at) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Cover one place of the workspace where it is laid out; -1 where it is gone, or has become a link. */
static int cover_place(const struct run *run, const struct cover *cover)
{
    const char *below = cover->path + strlen(run->plan->workspace);
    char path[8192];
    struct stat status;
    int place, shown, tree;

    if (strncmp(cover->path, run->plan->workspace, strlen(run->plan->workspace)) != 0 ||
        (size_t)snprintf(path, sizeof path, "%s%s", run->layout.workspace, below) >= sizeof path) {
        return -1;
    }
    place = open_unlinked(AT_FDCWD, path);
    if (place < 0 || fstat(place, &status) != 0 || S_ISLNK(status.st_mode)) {
        return -1;
    }
    shown = cover->kind == COVER_HIDDEN ? open("/dev/null", O_PATH | O_CLOEXEC) : place;
    tree = shown < 0 ? -1 : clone_tree(shown);
    if (tree < 0 || (cover->kind != COVER_PINNED && protect_tree(tree) != 0) || attach_tree_on(tree, place) != 0) {
        return -1;
    }
    (void)close(tree);
    (void)close(place);
    if (shown != place) {
        (void)close(shown);
    }
    return 0;
}

int stage(struct run *run)
{
    const struct plan *plan = run->plan;
    int trees[MOST_SOURCES];

    for (size_t at = 0; at < plan->source_count; at++) {
        trees[at] = -1;
        if (plan->outsider || wanted(run, at)) {
            /* Root copies while the descriptors' mounts are those of its namespace; an ordinary user opens again. */
            trees[at] = plan->outsider ? clone_tree(run->sources[at]) : copy_tree(run->sources[at]);
            if (trees[at] < 0) {
                return -1;
            }
        }
    }
    if (plan->outsider && (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "", MS_REC | MS_SLAVE, "") != 0)) {
        return -1;
    }
    for (size_t at = 0; plan->outsider && at < plan->source_count; at++) {
        const struct plan_source *source = &plan->sources[at];
        /* A writable one (the workspace) is useless unmapped; the rest is shown as it is. */
        if (source->owned && idmap_tree(trees[at], run->identity) != 0 && source->writable) {
            return -1;
        }
    }
    if (compose(run, trees) != 0) {
        return -1;
    }
    for (size_t at = 0; at < plan->source_count; at++) {
        if (trees[at] >= 0) {
            (void)close(trees[at]);
        }
    }
    for (size_t at = 0; run->look != NULL && at < run->look->cover_count; at++) {
        if (cover_place(run, &run->look->covered[at]) != 0) {
            return -1;
        }
    }
    return 0;
}
