/* System calls that a C library may lack: numbers of the generic table, the same on x86_64 and aarch64
 * (include/uapi/asm-generic/unistd.h). All give -1 with errno where the kernel refuses. */
#ifndef AISBX_KERNEL_H
#define AISBX_KERNEL_H

#include <stdbool.h>
#include <sys/types.h>

/* open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount tree under a directory or file. */
int clone_tree(int descriptor);
/* mount_setattr(2) with MOUNT_ATTR_IDMAP: show a detached mount's files by the map of a user namespace. */
int idmap_tree(int tree, int namespace);
/* The same with MOUNT_ATTR_RDONLY, for all of a tree. */
int protect_tree(int tree);
/* move_mount(2): put a detached tree on a path, or on what a descriptor names: no path is looked up again then. */
int attach_tree(int tree, const char *target);
int attach_tree_on(int tree, int target);
/* openat2(2) with RESOLVE_NO_SYMLINKS: an O_PATH descriptor of what no link leads to. */
int open_unlinked(int directory, const char *path);
/* close_range(2) with CLOSE_RANGE_CLOEXEC: close in what is executed all descriptors from the first one on. */
int close_later(unsigned int first);
/* The same at once, in this process. */
int close_from(unsigned int first);
/* clone(2) like fork, with flags for namespaces; the child sends SIGCHLD. */
pid_t clone_process(unsigned long flags);

/* A user namespace that maps the owner (uid, gid) on disk to `outside` in both; -1 where the kernel refuses. */
int make_identity(unsigned int uid, unsigned int gid, unsigned int outside);
/* Write a control file of /proc whole. 0 or -1. */
int put_file(const char *path, const char *value);
/* Whether /proc shows this process's PID namespace, and numbers processes as this one does (proc(5), /proc/self). */
bool own_proc(void);
/* The only child of a process that has just made it, as this process's /proc numbers it; 0 where there is none. */
pid_t first_child(pid_t process);

#endif
