/* A disk that fills up, or a process that is killed, at a chosen write: LD_PRELOAD this into a process.
 *
 * Counts the calls that change something below the folder FAULTS_FOLDER: opening to write, writing, flushing, renaming,
 * making folders. Call number FAULTS_AT, counted from 1, kills the process if FAULTS_KIND is "kill", before the call
 * or, of a write, halfway through it; else it and all later ones fail with ENOSPC, the first after half of its bytes.
 * A process can also set and ask this by faults_arm and faults_seen. Removing always works, as on a full disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long seen, at = -1;
static int kills;
static const char *folder;

__attribute__((constructor)) static void begin(void) {
    const char *number = getenv("FAULTS_AT"), *kind = getenv("FAULTS_KIND");
    folder = getenv("FAULTS_FOLDER");
    kills = kind && !strcmp(kind, "kill");
    if (number) at = atol(number);
}

/* From now on fail at call number `number`; 0: never. */
void faults_arm(long number) {
    at = -1;
    seen = 0;
    if (number) at = number;
}

long faults_seen(void) { return seen; }

static int below(const char *path) { return folder && path && !strncmp(path, folder, strlen(folder)); }

static int inside(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return below(path);
}

/* 0: go on; 1: fail; 2: the call that the disk fills up in, or that the process is killed in. */
static int fate(int concerned) {
    if (!concerned || at < 0) return 0;
    long number = ++seen;
    return number < at ? 0 : number == at ? 2 : 1;
}

static int full(void) {
    if (kills) raise(SIGKILL);
    errno = ENOSPC;
    return -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define GUARD(type, name, parameters, arguments, concerned) \
    type name parameters { return fate(concerned) ? full() : REAL(name) arguments; }
#define WRITE(name, parameters, arguments, halved, some)                \
    ssize_t name parameters {                                           \
        int what = fate(inside(descriptor));                            \
        if (what == 2 && some) {                                        \
            ssize_t written = REAL(name) halved;                        \
            return kills ? full() : written;                            \
        }                                                               \
        return what ? full() : REAL(name) arguments;                    \
    }
#define OPEN(name)                                                      \
    int name(const char *path, int flags, ...) {                        \
        va_list rest;                                                   \
        va_start(rest, flags);                                          \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                                   \
        return fate(flags & O_CREAT && below(path)) ? full() : REAL(name)(path, flags, mode); \
    }

OPEN(open)
OPEN(open64)
GUARD(int, mkdir, (const char *path, mode_t mode), (path, mode), below(path))
GUARD(int, rename, (const char *from, const char *to), (from, to), below(to))
GUARD(int, fsync, (int descriptor), (descriptor), inside(descriptor))
GUARD(int, fdatasync, (int descriptor), (descriptor), inside(descriptor))
WRITE(write, (int descriptor, const void *data, size_t size), (descriptor, data, size),
      (descriptor, data, size / 2), size > 1)
WRITE(pwrite, (int descriptor, const void *data, size_t size, off_t offset), (descriptor, data, size, offset),
      (descriptor, data, size / 2, offset), size > 1)
WRITE(pwrite64, (int descriptor, const void *data, size_t size, off64_t offset), (descriptor, data, size, offset),
      (descriptor, data, size / 2, offset), size > 1)
WRITE(writev, (int descriptor, const struct iovec *parts, int count), (descriptor, parts, count),
      (descriptor, parts, count / 2), count > 1)
WRITE(pwritev, (int descriptor, const struct iovec *parts, int count, off_t offset), (descriptor, parts, count, offset),
      (descriptor, parts, count / 2, offset), count > 1)
