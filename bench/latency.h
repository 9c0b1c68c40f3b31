/* What the benches of rebuilding share: random moments, and how long things took. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stddef.h>
#include <stdint.h>

/* The same sequence in every run. */
uint64_t latency_random(void);

/* Sorts @times; the one that @percent of them do not exceed, in us. */
int64_t latency_us(int64_t *times_ns, size_t count, unsigned percent);

#endif
