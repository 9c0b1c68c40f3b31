#include "bench/latency.h"

#include <stdlib.h>

#include "base/clock.h"

static uint64_t random_state = 88172645463325252u;

uint64_t latency_random(void)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state;
}

static int compare_times(const void *a, const void *b)
{
        int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
        return left < right ? -1 : left > right;
}

int64_t latency_us(int64_t *times_ns, size_t count, unsigned percent)
{
        size_t index = count * percent / 100;
        qsort(times_ns, count, sizeof(*times_ns), compare_times);
        return times_ns[index < count ? index : count - 1] / NS_PER_US;
}
