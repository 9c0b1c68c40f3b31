/* Time: int64 nanoseconds since the Unix epoch; text forms; days. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)
#define NS_PER_DAY (86400 * NS_PER_S)

#define TIME_TEXT_SIZE 40
#define DAY_TEXT_SIZE 16

int64_t clock_wall_ns(void);
int64_t clock_mono_ns(void);

/* What the kernel knows of the wall clock's truth, from whoever disciplines it (NTP, PTP). */
struct clock_state {
        bool synchronized;     /* somebody does, and lately */
        int64_t offset_ns;     /* still to be corrected */
        int64_t error_ns;      /* estimated */
        int64_t error_most_ns; /* at most; grows while nobody speaks to the clock */
};

/* ERR_IO, with @ret_state unchanged, where the kernel does not tell. */
int clock_sync(struct clock_state *ret_state);

struct timex;

/* The same of an answer of adjtimex(2), which returned @code. */
void clock_state_read(int code, const struct timex *kernel, struct clock_state *ret_state);

/* An event time outside 2009..2100 is no time (zero dates, garbage). */
bool time_is_plausible(int64_t time_ns);

/* RFC 3339 in UTC ("2024-08-09T00:00:00.5Z", offset and blank for T allowed), or Unix time by
 * magnitude: below 1e11 s, below 1e14 ms, below 1e17 us, else ns; a fraction is taken.
 * ERR_PARSE leaves @ret_time_ns unchanged. */
int time_parse(const char *text, int64_t *ret_time_ns);

/* "2024-08-09T00:00:00.500Z": as many decimals as needed, in groups of three. */
const char *time_format(int64_t time_ns, char ret_text[TIME_TEXT_SIZE]);

/* A length of time: a number with ns, us, ms, s, m, min, h or d. ERR_PARSE, ERR_RANGE. */
int duration_parse(const char *text, int64_t *ret_ns);

/* Days count from 1970-01-01; their text is "2026-11-21". */
uint32_t day_of_time(int64_t time_ns);
int64_t day_start_ns(uint32_t day);
const char *day_format(uint32_t day, char ret_text[DAY_TEXT_SIZE]);
int day_parse(const char *text, uint32_t *ret_day);

#endif
