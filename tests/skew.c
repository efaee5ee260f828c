/* Shifts or freezes the wall clock of one process while it runs. Preload it with SKEW_FILE set to a
 * file of two little-endian i64: a mode and a value in microseconds. Mode 0 adds the value to the
 * clock, mode 1 freezes the clock at the value. The monotonic clock is not affected. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t *skew;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void init(void) {
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    const char *file = getenv("SKEW_FILE");
    int fd = file ? open(file, O_RDONLY) : -1;
    if (fd >= 0) {
        void *map = mmap(0, 16, PROT_READ, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) skew = map;
    }
}

int clock_gettime(clockid_t clock, struct timespec *t) {
    if (!real_clock_gettime) init();
    int status = real_clock_gettime(clock, t);
    if (status || !skew || clock != CLOCK_REALTIME) return status;
    int64_t us = skew[1];
    int64_t ns = 0;
    if (skew[0] == 0) {
        us += t->tv_sec * 1000000LL + t->tv_nsec / 1000;
        ns = t->tv_nsec % 1000;
    }
    t->tv_sec = us / 1000000;
    t->tv_nsec = us % 1000000 * 1000 + ns;
    return 0;
}

int gettimeofday(struct timeval *t, void *zone) {
    (void)zone;
    struct timespec now;
    int status = clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return status;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
