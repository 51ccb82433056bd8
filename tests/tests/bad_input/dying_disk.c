/* For LD_PRELOAD: from the DYING_FROM-th write to a file below DYING_FOLDER on, every write, sync and
   rename there fails with EIO, as on a disk that dies. Reads and removals go on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int count;

static int is_below(const char *path) {
    const char *folder = getenv("DYING_FOLDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static int is_file_below(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

static int is_dead(void) {
    const char *from = getenv("DYING_FROM");
    if (!from || ++count < atoi(from)) return 0;
    errno = EIO;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t length) {
    if (is_file_below(fd) && is_dead()) return -1;
    return REAL(write)(fd, bytes, length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    if (is_file_below(fd) && is_dead()) return -1;
    return REAL(pwrite64)(fd, bytes, length, at);
}

int fsync(int fd) {
    if (is_file_below(fd) && is_dead()) return -1;
    return REAL(fsync)(fd);
}

int rename(const char *from, const char *to) {
    if (is_below(to) && is_dead()) return -1;
    return REAL(rename)(from, to);
}
