/* What the system knows of this process, by the names that all programs use. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "logger/metrics_parts.h"

static int64_t cpu_ns(void)
{
        struct timespec now;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* In bytes; false: the system does not tell. */
static bool read_memory(uint64_t *ret_virtual, uint64_t *ret_resident)
{
        unsigned long pages, resident;
        uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
        FILE *file = fopen("/proc/self/statm", "re");
        if (!file)
                return false;
        bool known = fscanf(file, "%lu %lu", &pages, &resident) == 2;
        fclose(file);
        if (!known)
                return false;
        *ret_virtual = pages * page_size;
        *ret_resident = resident * page_size;
        return true;
}

/* Without "." and "..", and the one that looks. */
static uint64_t count_fds(void)
{
        uint64_t count = 0;
        DIR *folder = opendir("/proc/self/fd");
        if (!folder)
                return 0;
        while (readdir(folder))
                count++;
        closedir(folder);
        return count < 3 ? 0 : count - 3;
}

void metrics_process(struct exposition *out, int64_t started_wall_ns)
{
        uint64_t all, resident;
        struct rlimit limit;
        exposition_one_time(out, "process_cpu_seconds_total", COUNTER,
            "Processor time of all threads, user and system.", cpu_ns());
        exposition_one_time(out, "process_start_time_seconds", GAUGE,
            "When it was started, in seconds since 1970.", started_wall_ns);
        if (read_memory(&all, &resident)) {
                exposition_one(out, "process_resident_memory_bytes", GAUGE,
                    "Memory that is resident; pages of the store that are mapped count.", resident);
                exposition_one(out, "process_virtual_memory_bytes", GAUGE,
                    "Address space, most of it reserved for the store and never used.", all);
        }
        exposition_one(
            out, "process_open_fds", GAUGE, "File descriptors that are open.", count_fds());
        if (!getrlimit(RLIMIT_NOFILE, &limit))
                exposition_one(out, "process_max_fds", GAUGE, "File descriptors that may be open.",
                    limit.rlim_cur);
}
