/* Gives every price text of a symbol its slot, and finds the grid of prices and quantities. */
#include "prices.h"

#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

#define GRID_DIGITS 8

static size_t whole_size(const char *text, size_t size)
{
        const char *point = memchr(text, '.', size);
        return point ? (size_t)(point - text) : size;
}

/* Plain decimals without leading zeros: more digits before the point is more. */
int prices_compare(const void *left, const void *right)
{
        const struct span *a = left, *b = right;
        size_t whole_a = whole_size(a->data, a->size), whole_b = whole_size(b->data, b->size);
        if (whole_a != whole_b)
                return whole_a < whole_b ? -1 : 1;
        int order = memcmp(a->data, b->data, a->size < b->size ? a->size : b->size);
        if (order || a->size == b->size)
                return order;
        return a->size < b->size ? -1 : 1;
}

static int64_t grid_of(int64_t grid, const char *text, size_t size)
{
        int64_t value;
        if (decimal_parse(text, size, GRID_DIGITS, &value))
                return grid;
        while (value) {
                int64_t rest = grid % value;
                grid = value;
                value = rest;
        }
        return grid;
}

static void index_levels(struct symbol *symbol)
{
        for (size_t i = 0; i < symbol->level_count; i++) {
                struct level *level = &symbol->levels[i];
                struct span price = {level->price, level->price_size};
                const struct span *found = bsearch(
                    &price, symbol->prices, symbol->price_count, sizeof(price), prices_compare);
                level->slot = (uint32_t)(found - symbol->prices);
                symbol->step = grid_of(symbol->step, level->quantity, level->quantity_size);
                if (strspn(level->quantity, "0.") >= level->quantity_size)
                        level->quantity_size = 0;
        }
}

void prices_index(struct symbol *symbol)
{
        struct span *prices = memory_new((symbol->level_count + 1) * sizeof(struct span));
        for (size_t i = 0; i < symbol->level_count; i++)
                prices[i] = (struct span){symbol->levels[i].price, symbol->levels[i].price_size};
        qsort(prices, symbol->level_count, sizeof(struct span), prices_compare);
        size_t count = 0;
        for (size_t i = 0; i < symbol->level_count; i++)
                if (!count || prices_compare(&prices[count - 1], &prices[i]))
                        prices[count++] = prices[i];
        symbol->prices = prices;
        symbol->price_count = count;
        for (size_t i = 0; i < count; i++)
                symbol->tick = grid_of(symbol->tick, prices[i].data, prices[i].size);
        index_levels(symbol);
}
