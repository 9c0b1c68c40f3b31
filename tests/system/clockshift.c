/* For LD_PRELOAD: a wall clock that is off by as many ns as the file CLOCKSHIFT_FILE says.
 *
 * The file is read again whenever it is asked for the time 5 ms after the last reading; missing or
 * unreadable it means 0. Other clocks are left alone. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define READ_EVERY_NS INT64_C(5000000)

static _Atomic int64_t offset_ns;
static _Atomic int64_t read_at_ns; /* monotonic */

static int64_t kernel_clock(clockid_t id)
{
        struct timespec now = {0};
        syscall(SYS_clock_gettime, id, &now);
        return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t file_offset(void)
{
        char text[32];
        const char *path = getenv("CLOCKSHIFT_FILE");
        int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (file < 0)
                return 0;
        ssize_t size = read(file, text, sizeof(text) - 1);
        close(file);
        text[size > 0 ? size : 0] = '\0';
        return strtoll(text, NULL, 10);
}

static int64_t current_offset(void)
{
        int64_t now = kernel_clock(CLOCK_MONOTONIC), last = atomic_load(&read_at_ns);
        if (now - last >= READ_EVERY_NS && atomic_compare_exchange_strong(&read_at_ns, &last, now))
                atomic_store(&offset_ns, file_offset());
        return atomic_load(&offset_ns);
}

int clock_gettime(clockid_t id, struct timespec *ret_time)
{
        int code = (int)syscall(SYS_clock_gettime, id, ret_time);
        if (code || id != CLOCK_REALTIME)
                return code;
        int64_t time_ns = ret_time->tv_sec * NS_PER_S + ret_time->tv_nsec + current_offset();
        ret_time->tv_sec = time_ns / NS_PER_S;
        ret_time->tv_nsec = time_ns % NS_PER_S;
        return 0;
}
