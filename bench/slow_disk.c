/* Makes keeping data on disk slower: every fsync and fdatasync waits for BENCH_SYNC_DELAY_US first, then does its work.
   Loaded into a process by LD_PRELOAD. The system calls are made directly, so that the real functions need not be found. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void wait_for_the_disk(void)
{
    const char *text = getenv("BENCH_SYNC_DELAY_US");
    long us = text ? strtol(text, NULL, 10) : 0;
    struct timespec left = {us / 1000000, (us % 1000000) * 1000};
    while (us > 0 && nanosleep(&left, &left) != 0) {
    }
}

int fsync(int fd)
{
    wait_for_the_disk();
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    wait_for_the_disk();
    return (int)syscall(SYS_fdatasync, fd);
}
