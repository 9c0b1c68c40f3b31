/* How long to wait before the next attempt: doubling, and half of it by chance, so that many who
 * failed together do not come back together. */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_MIN_NS INT64_C(500000000)

static inline uint64_t backoff_seed(uint64_t seed)
{
        uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
        return state ? state : 1;
}

/* xorshift64*: enough to spread retries. */
static inline uint64_t backoff_random(uint64_t *state)
{
        uint64_t x = *state;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        *state = x;
        return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* The wait after one more of @failures in a row, between a half and the whole of @most_ns at last.
 * Who succeeds sets @failures to 0. */
static inline int64_t backoff_next(unsigned *failures, int64_t most_ns, uint64_t *random)
{
        int64_t wait = BACKOFF_MIN_NS;
        for (unsigned i = 0; i < *failures && wait < most_ns; i++)
                wait *= 2;
        if (wait > most_ns)
                wait = most_ns;
        ++*failures;
        return wait / 2 + (int64_t)(backoff_random(random) % (uint64_t)(wait / 2));
}

#endif
