#include "codec/ranks.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define RANKS_FIRST 256

void ranks_init(struct ranks *ranks)
{
        *ranks = (struct ranks){0};
}

void ranks_deinit(struct ranks *ranks)
{
        free(ranks->values);
        free(ranks->table);
        free(ranks->slots);
        *ranks = (struct ranks){0};
}

void ranks_clear(struct ranks *ranks)
{
        ranks->count = 0;
        if (ranks->table)
                memset(ranks->table, 0, ranks->table_size * sizeof(*ranks->table));
}

static uint32_t ranks_hash(const struct ranks *ranks, int64_t value)
{
        uint64_t hash = (uint64_t)value * UINT64_C(0x9e3779b97f4a7c15);
        return (uint32_t)(hash >> 32) & (ranks->table_size - 1);
}

uint32_t ranks_find(const struct ranks *ranks, int64_t value)
{
        if (!ranks->table)
                return RANK_NONE;
        for (uint32_t slot = ranks_hash(ranks, value);;
             slot = (slot + 1) & (ranks->table_size - 1)) {
                uint32_t entry = ranks->table[slot];
                if (!entry)
                        return RANK_NONE;
                if (ranks->values[entry - 1] == value)
                        return entry - 1;
        }
}

static void ranks_enter(struct ranks *ranks, uint32_t rank)
{
        uint32_t slot = ranks_hash(ranks, ranks->values[rank]);
        while (ranks->table[slot])
                slot = (slot + 1) & (ranks->table_size - 1);
        ranks->table[slot] = rank + 1;
        ranks->slots[rank] = slot;
}

void ranks_grow(struct ranks *ranks)
{
        ranks->capacity = ranks->capacity ? ranks->capacity * 2 : RANKS_FIRST;
        ranks->values = memory_resize(ranks->values, ranks->capacity * sizeof(*ranks->values));
}

/* The table has at least two places a value. */
void ranks_index(struct ranks *ranks, uint32_t rank)
{
        if (ranks->table_size < 2 * ranks->capacity) {
                free(ranks->table);
                ranks->table_size = 2 * ranks->capacity;
                ranks->table = memory_new(ranks->table_size * sizeof(*ranks->table));
                ranks->slots = memory_resize(ranks->slots, ranks->capacity * sizeof(*ranks->slots));
                for (uint32_t i = 0; i < rank; i++)
                        ranks_enter(ranks, i);
        }
        ranks_enter(ranks, rank);
}
