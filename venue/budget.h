/* What may be asked of one REST host, and in which order.
 *
 * Exchanges count weights in fixed clock minutes per address; at most half of what they allow is
 * used, so that a person or another program on the same address can still work. Pure: time comes
 * in with each call. Rules: Binance, "LIMITS" (weights, 429, 418, Retry-After). */
#ifndef VENUE_BUDGET_H
#define VENUE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most urgent first. */
enum budget_priority {
        BUDGET_NAMES,  /* which symbols exist */
        BUDGET_RESYNC, /* a lost book */
        BUDGET_FIRST,  /* a new book */
        BUDGET_PROBE,
        BUDGET_REFRESH,
        BUDGET_PRIORITIES,
};

struct budget_request {
        uint64_t id;
        uint32_t weight;
};

struct budget_queue {
        struct budget_request *requests; /* ring */
        size_t head, count, capacity;
};

struct budget {
        struct budget_queue queues[BUDGET_PRIORITIES];
        uint32_t weight_per_minute; /* what we allow ourselves */
        int64_t minute;             /* of the window, by the wall clock */
        uint32_t used;              /* in that minute */
        int64_t blocked_until_ns;   /* Retry-After */
};

void budget_init(struct budget *budget, uint32_t exchange_weight_per_minute);
void budget_deinit(struct budget *budget);
void budget_set_limit(struct budget *budget, uint32_t exchange_weight_per_minute);

void budget_add(struct budget *budget, enum budget_priority priority, uint64_t id, uint32_t weight);

/* The next request that may go out now, or false. It counts as used. */
bool budget_next(struct budget *budget, int64_t wall_ns, struct budget_request *ret_request);

/* What the exchange says that this address has used in this minute (-1: it said nothing). */
void budget_used(struct budget *budget, int64_t wall_ns, int64_t used_weight);

/* It answered 429 or 418: nothing at all until then. */
void budget_block(struct budget *budget, int64_t wall_ns, int64_t retry_after_s);

size_t budget_waiting(const struct budget *budget, enum budget_priority priority);

#endif
