/* Quantities by how lately they were used: both sides of a record keep the same list of values, and
 * a value that comes again is named by its rank in it.
 *
 * A used value moves towards the front: to half its rank, near the front by one. New ones enter at
 * the end, until the list is full. The list lives as long as a segment. */
#ifndef CODEC_RANKS_H
#define CODEC_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANKS_MAX (1u << 16) /* 26,000 values come in ten minutes of the busiest book */
#define RANK_NONE UINT32_MAX

struct ranks {
        int64_t *values;
        uint32_t count, capacity;
        /* to find the rank of a value; only a writer needs it */
        uint32_t *table; /* hash -> rank + 1 */
        uint32_t *slots; /* rank -> its place in the table */
        uint32_t table_size;
};

void ranks_init(struct ranks *ranks);
void ranks_deinit(struct ranks *ranks);
void ranks_clear(struct ranks *ranks);

/* The rank of @value, or RANK_NONE. */
uint32_t ranks_find(const struct ranks *ranks, int64_t value);

/* Room for one more value. */
void ranks_grow(struct ranks *ranks);
void ranks_index(struct ranks *ranks, uint32_t rank);

static inline uint32_t rank_promoted(uint32_t rank)
{
        return rank < 9 ? rank - (rank > 0) : rank / 2;
}

/* The value at @rank was used. @indexed: the list belongs to a writer. */
static inline void ranks_use(struct ranks *ranks, uint32_t rank, const bool indexed)
{
        uint32_t to = rank_promoted(rank);
        int64_t value = ranks->values[rank];
        ranks->values[rank] = ranks->values[to];
        ranks->values[to] = value;
        if (indexed) {
                uint32_t slot = ranks->slots[rank];
                ranks->slots[rank] = ranks->slots[to];
                ranks->slots[to] = slot;
                ranks->table[ranks->slots[rank]] = rank + 1;
                ranks->table[slot] = to + 1;
        }
}

/* A value that the list lacks. */
static inline void ranks_add(struct ranks *ranks, int64_t value, const bool indexed)
{
        if (ranks->count == RANKS_MAX)
                return;
        if (ranks->count == ranks->capacity)
                ranks_grow(ranks);
        ranks->values[ranks->count] = value;
        if (indexed)
                ranks_index(ranks, ranks->count);
        ranks->count++;
        ranks_use(ranks, ranks->count - 1, indexed);
}

#endif
