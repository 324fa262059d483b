/* A full disk, for a process that loads this: writing to a file below a folder that FULL_DISK_FILE names fails.
 *
 * FULL_DISK_FILE is a file; while it is there, its one line is the folder. What is opened already is full too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_full(int file) {
    char folder[4096] = {0}, name[64], path[4096] = {0};
    const char *place = getenv("FULL_DISK_FILE");
    int given = place ? (int)syscall(SYS_openat, AT_FDCWD, place, O_RDONLY | O_CLOEXEC) : -1;
    if (given < 0) return 0;
    long length = syscall(SYS_read, given, folder, sizeof folder - 1);
    syscall(SYS_close, given);
    if (length <= 0) return 0;
    folder[strcspn(folder, "\n")] = 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    if (syscall(SYS_readlinkat, AT_FDCWD, name, path, sizeof path - 1) <= 0) return 0;
    if (strncmp(path, folder, strlen(folder)) != 0) return 0;
    errno = ENOSPC;
    return 1;
}

ssize_t write(int file, const void *data, size_t size) { return is_full(file) ? -1 : syscall(SYS_write, file, data, size); }

ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    return is_full(file) ? -1 : syscall(SYS_pwrite64, file, data, size, at);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    return is_full(file) ? -1 : syscall(SYS_pwrite64, file, data, size, at);
}

ssize_t writev(int file, const struct iovec *data, int count) {
    return is_full(file) ? -1 : syscall(SYS_writev, file, data, count);
}

ssize_t pwritev(int file, const struct iovec *data, int count, off_t at) {
    return is_full(file) ? -1 : syscall(SYS_pwritev, file, data, count, at, 0);
}

int posix_fallocate(int file, off_t at, off_t size) {
    if (is_full(file)) return ENOSPC;
    return syscall(SYS_fallocate, file, 0, at, size) == 0 ? 0 : errno;
}
