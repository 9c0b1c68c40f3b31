#include "book/book.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

/* Levels hold a key in place of the price: key = price for asks, -price for bids, so that both
 * sides ascend from the best and share all code. */
struct book_chunk {
        size_t count;
        struct book_chunk *next_spare;
        struct level levels[BOOK_CHUNK];
};

static int64_t key_of(enum side side, int64_t price)
{
        return side == SIDE_BID ? (int64_t)(0 - (uint64_t)price) : price;
}

void book_init(struct book *book)
{
        *book = (struct book){.id = -1};
}

static struct book_chunk *chunk_new(struct book *book)
{
        struct book_chunk *chunk = book->spare;
        if (chunk)
                book->spare = chunk->next_spare;
        else
                chunk = memory_new(sizeof(*chunk));
        chunk->count = 0;
        return chunk;
}

static void chunk_release(struct book *book, struct book_chunk *chunk)
{
        chunk->next_spare = book->spare;
        book->spare = chunk;
}

void book_clear(struct book *book)
{
        for (enum side s = 0; s < SIDES; s++) {
                struct book_side *side = &book->sides[s];
                for (size_t i = 0; i < side->chunk_count; i++)
                        chunk_release(book, side->chunks[i]);
                side->chunk_count = 0;
                side->count = 0;
                book->bounded[s] = false;
        }
        book->id = -1;
}

void book_deinit(struct book *book)
{
        book_clear(book);
        while (book->spare) {
                struct book_chunk *chunk = book->spare;
                book->spare = chunk->next_spare;
                free(chunk);
        }
        for (enum side s = 0; s < SIDES; s++) {
                free(book->sides[s].chunks);
                free(book->sides[s].first_keys);
        }
        *book = (struct book){0};
}

static void side_insert_chunk(
    struct book_side *side, size_t at, struct book_chunk *chunk, int64_t key)
{
        if (side->chunk_count == side->chunk_capacity) {
                side->chunk_capacity = side->chunk_capacity ? side->chunk_capacity * 2 : 16;
                side->chunks =
                    memory_resize(side->chunks, side->chunk_capacity * sizeof(*side->chunks));
                side->first_keys = memory_resize(
                    side->first_keys, side->chunk_capacity * sizeof(*side->first_keys));
        }
        size_t after = side->chunk_count - at;
        memmove(side->chunks + at + 1, side->chunks + at, after * sizeof(*side->chunks));
        memmove(
            side->first_keys + at + 1, side->first_keys + at, after * sizeof(*side->first_keys));
        side->chunks[at] = chunk;
        side->first_keys[at] = key;
        side->chunk_count++;
}

static void side_remove_chunk(struct book_side *side, size_t at)
{
        size_t after = --side->chunk_count - at;
        memmove(side->chunks + at, side->chunks + at + 1, after * sizeof(*side->chunks));
        memmove(
            side->first_keys + at, side->first_keys + at + 1, after * sizeof(*side->first_keys));
}

/* The chunk that holds or would take @key: the last one that begins at or before it. */
static size_t side_find_chunk(const struct book_side *side, int64_t key)
{
        size_t low = 0, count = side->chunk_count;
        while (count > 1) {
                size_t half = count / 2;
                low = side->first_keys[low + half] <= key ? low + half : low;
                count -= half;
        }
        return low;
}

/* The index of the first level at or behind @key. */
static size_t chunk_find(const struct book_chunk *chunk, int64_t key)
{
        const struct level *base = chunk->levels;
        size_t count = chunk->count;
        if (!count)
                return 0;
        while (count > 1) {
                size_t half = count / 2;
                base = base[half - 1].price < key ? base + half : base;
                count -= half;
        }
        return (size_t)(base - chunk->levels) + (base->price < key);
}

static bool side_locate(
    const struct book_side *side, int64_t key, size_t *ret_chunk, size_t *ret_index)
{
        *ret_chunk = *ret_index = 0;
        if (!side->chunk_count)
                return false;
        *ret_chunk = side_find_chunk(side, key);
        const struct book_chunk *chunk = side->chunks[*ret_chunk];
        *ret_index = chunk_find(chunk, key);
        return *ret_index < chunk->count && chunk->levels[*ret_index].price == key;
}

static void side_split(struct book *book, struct book_side *side, size_t at)
{
        struct book_chunk *chunk = side->chunks[at], *upper = chunk_new(book);
        upper->count = chunk->count / 2;
        chunk->count -= upper->count;
        memcpy(
            upper->levels, chunk->levels + chunk->count, upper->count * sizeof(upper->levels[0]));
        side_insert_chunk(side, at + 1, upper, upper->levels[0].price);
}

static void side_insert(
    struct book *book, struct book_side *side, struct level level, size_t at, size_t index)
{
        if (!side->chunk_count)
                side_insert_chunk(side, 0, chunk_new(book), level.price);
        if (side->chunks[at]->count == BOOK_CHUNK) {
                side_split(book, side, at);
                if (index > side->chunks[at]->count)
                        index -= side->chunks[at++]->count;
        }
        struct book_chunk *chunk = side->chunks[at];
        memmove(chunk->levels + index + 1, chunk->levels + index,
            (chunk->count - index) * sizeof(chunk->levels[0]));
        chunk->levels[index] = level;
        chunk->count++;
        side->count++;
        side->first_keys[at] = chunk->levels[0].price;
}

static void side_remove(struct book *book, struct book_side *side, size_t at, size_t index)
{
        struct book_chunk *chunk = side->chunks[at];
        chunk->count--;
        side->count--;
        memmove(chunk->levels + index, chunk->levels + index + 1,
            (chunk->count - index) * sizeof(chunk->levels[0]));
        if (chunk->count) {
                side->first_keys[at] = chunk->levels[0].price;
                return;
        }
        side_remove_chunk(side, at);
        chunk_release(book, chunk);
}

int64_t book_set(struct book *book, enum side s, int64_t price, int64_t quantity)
{
        struct book_side *side = &book->sides[s];
        int64_t key = key_of(s, price);
        size_t chunk, index;
        if (!side_locate(side, key, &chunk, &index)) {
                if (quantity)
                        side_insert(book, side, (struct level){key, quantity}, chunk, index);
                return 0;
        }
        struct level *level = &side->chunks[chunk]->levels[index];
        int64_t before = level->quantity;
        if (quantity)
                level->quantity = quantity;
        else
                side_remove(book, side, chunk, index);
        return before;
}

int book_apply(struct book *book, const struct event *event)
{
        for (enum side s = 0; s < SIDES; s++) {
                if (book->sides[s].count + event->count[s] > LIMIT_BOOK_LEVELS)
                        return ERR_FULL;
        }
        for (enum side s = 0; s < SIDES; s++) {
                const struct level *levels = event->levels[s];
                for (uint32_t i = 0; i < event->count[s]; i++)
                        book_set(book, s, levels[i].price, levels[i].quantity);
        }
        book->id = event->last_id;
        return 0;
}

int book_set_image(struct book *book, const struct image *image)
{
        if (image->count[SIDE_BID] > LIMIT_BOOK_LEVELS ||
            image->count[SIDE_ASK] > LIMIT_BOOK_LEVELS)
                return ERR_FULL;
        book_clear(book);
        for (enum side s = 0; s < SIDES; s++) {
                const struct level *levels = image->levels[s];
                uint32_t count = image->count[s];
                for (uint32_t i = 0; i < count; i++)
                        book_set(book, s, levels[i].price, levels[i].quantity);
                book->bounded[s] = image->bounded[s] && count;
                book->horizon[s] = count ? levels[count - 1].price : 0;
        }
        book->id = image->id;
        return 0;
}

void book_copy(struct book *to, const struct book *from)
{
        book_clear(to);
        for (enum side s = 0; s < SIDES; s++) {
                const struct book_side *side = &from->sides[s];
                for (size_t i = 0; i < side->chunk_count; i++) {
                        struct book_chunk *chunk = chunk_new(to);
                        chunk->count = side->chunks[i]->count;
                        memcpy(chunk->levels, side->chunks[i]->levels,
                            chunk->count * sizeof(struct level));
                        side_insert_chunk(&to->sides[s], i, chunk, side->first_keys[i]);
                }
                to->sides[s].count = side->count;
                to->bounded[s] = from->bounded[s];
                to->horizon[s] = from->horizon[s];
        }
        to->id = from->id;
}

static int side_rescale(
    struct book_side *side, int64_t price_factor, int64_t quantity_factor, bool store)
{
        for (size_t c = 0; c < side->chunk_count; c++) {
                struct book_chunk *chunk = side->chunks[c];
                for (size_t i = 0; i < chunk->count; i++) {
                        struct level level;
                        if (__builtin_mul_overflow(
                                chunk->levels[i].price, price_factor, &level.price) ||
                            __builtin_mul_overflow(
                                chunk->levels[i].quantity, quantity_factor, &level.quantity))
                                return ERR_RANGE;
                        if (store)
                                chunk->levels[i] = level;
                }
                if (store)
                        side->first_keys[c] = chunk->levels[0].price;
        }
        return 0;
}

int book_rescale(struct book *book, int64_t price_factor, int64_t quantity_factor)
{
        for (enum side s = 0; s < SIDES; s++) {
                int64_t horizon;
                if (side_rescale(&book->sides[s], price_factor, quantity_factor, false) ||
                    __builtin_mul_overflow(book->horizon[s], price_factor, &horizon))
                        return ERR_RANGE;
        }
        for (enum side s = 0; s < SIDES; s++) {
                side_rescale(&book->sides[s], price_factor, quantity_factor, true);
                book->horizon[s] *= price_factor;
        }
        return 0;
}

size_t book_count(const struct book *book, enum side side)
{
        return book->sides[side].count;
}

int64_t book_quantity(const struct book *book, enum side s, int64_t price)
{
        size_t chunk, index;
        const struct book_side *side = &book->sides[s];
        if (!side_locate(side, key_of(s, price), &chunk, &index))
                return 0;
        return side->chunks[chunk]->levels[index].quantity;
}

bool book_best(const struct book *book, enum side side, struct level *ret_level)
{
        return book_next(book, side, &(struct book_cursor){0}, ret_level);
}

bool book_is_crossed(const struct book *book)
{
        struct level bid, ask;
        return book_best(book, SIDE_BID, &bid) && book_best(book, SIDE_ASK, &ask) &&
            bid.price >= ask.price;
}

bool book_next(
    const struct book *book, enum side s, struct book_cursor *cursor, struct level *ret_level)
{
        const struct book_side *side = &book->sides[s];
        if (cursor->chunk == side->chunk_count)
                return false;
        const struct book_chunk *chunk = side->chunks[cursor->chunk];
        *ret_level = chunk->levels[cursor->index];
        ret_level->price = key_of(s, ret_level->price);
        if (++cursor->index == chunk->count) {
                cursor->chunk++;
                cursor->index = 0;
        }
        return true;
}

void book_levels(const struct book *book, enum side side, struct level *ret_levels)
{
        struct book_cursor cursor = {0};
        while (book_next(book, side, &cursor, ret_levels))
                ret_levels++;
}
