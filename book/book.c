#include "book/book.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "book/walk.h"

#define BOOK_MERGED 48 /* levels that chunks are merged up to: what comes next finds room */

void book_init(struct book *book)
{
        *book = (struct book){.id = -1};
}

/* An empty chunk; the keys of its dead slots lie behind all others. */
static struct book_chunk *chunk_new(struct book *book)
{
        struct book_chunk *chunk = book->spare;
        if (chunk)
                book->spare = chunk->next_spare;
        else
                chunk = memory_new(sizeof(*chunk));
        chunk->live = 0;
        for (size_t i = 0; i < BOOK_SLOTS; i++)
                chunk->keys[i] = INT64_MAX;
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
        if (book->by_order)
                orders_clear(book->orders);
        book->by_order = false;
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
                free(book->sides[s].counts);
                free(book->sides[s].group_counts);
        }
        orders_free(book->orders);
        *book = (struct book){0};
}

/* ---- chunks of a side ---- */

static void side_reserve(struct book_side *side, size_t count)
{
        if (count <= side->chunk_capacity)
                return;
        size_t capacity = side->chunk_capacity ? side->chunk_capacity * 2 : BOOK_GROUP;
        while (capacity < count)
                capacity *= 2;
        side->chunks = memory_resize(side->chunks, capacity * sizeof(*side->chunks));
        side->first_keys = memory_resize(side->first_keys, capacity * sizeof(*side->first_keys));
        side->counts = memory_resize(side->counts, capacity * sizeof(*side->counts));
        side->group_counts =
            memory_resize(side->group_counts, capacity / BOOK_GROUP * sizeof(*side->group_counts));
        side->chunk_capacity = capacity;
}

/* Count the groups again, from that of chunk @at on. */
static void side_count_groups(struct book_side *side, size_t at)
{
        for (at -= at % BOOK_GROUP; at < side->chunk_count; at += BOOK_GROUP) {
                uint32_t sum = 0;
                for (size_t i = at; i < side->chunk_count && i < at + BOOK_GROUP; i++)
                        sum += side->counts[i];
                side->group_counts[at / BOOK_GROUP] = sum;
        }
}

static void side_insert_chunk(
    struct book_side *side, size_t at, struct book_chunk *chunk, int64_t first_key, uint8_t count)
{
        side_reserve(side, side->chunk_count + 1);
        size_t after = side->chunk_count - at;
        memmove(side->chunks + at + 1, side->chunks + at, after * sizeof(*side->chunks));
        memmove(
            side->first_keys + at + 1, side->first_keys + at, after * sizeof(*side->first_keys));
        memmove(side->counts + at + 1, side->counts + at, after * sizeof(*side->counts));
        side->chunks[at] = chunk;
        side->first_keys[at] = first_key;
        side->counts[at] = count;
        side->chunk_count++;
        side_count_groups(side, at);
}

static void side_remove_chunk(struct book_side *side, size_t at)
{
        size_t after = --side->chunk_count - at;
        memmove(side->chunks + at, side->chunks + at + 1, after * sizeof(*side->chunks));
        memmove(
            side->first_keys + at, side->first_keys + at + 1, after * sizeof(*side->first_keys));
        memmove(side->counts + at, side->counts + at + 1, after * sizeof(*side->counts));
        side_count_groups(side, at);
}

void book_side_begin(struct book *book, enum side s)
{
        side_insert_chunk(&book->sides[s], 0, chunk_new(book), INT64_MAX, 0);
}

/* ---- slots of a chunk ---- */

/* Put @count levels (their keys, ascending) into the chunk, dead slots between them. */
static void chunk_spread(struct book_chunk *chunk, const struct level *levels, unsigned count)
{
        unsigned slot = 0;
        chunk->live = 0;
        for (unsigned i = 0; i < count; i++) {
                unsigned last = (i + 1) * BOOK_SLOTS / count - 1;
                while (slot <= last)
                        chunk->keys[slot++] = levels[i].price;
                chunk->quantities[last] = levels[i].quantity;
                chunk->live |= UINT64_C(1) << last;
        }
}

/* Append the chunk's levels to @ret_levels, with their keys; returns how many there are. */
static unsigned chunk_gather(const struct book_chunk *chunk, struct level *ret_levels)
{
        unsigned count = 0;
        for (uint64_t live = chunk->live; live; live &= live - 1) {
                unsigned slot = (unsigned)__builtin_ctzll(live);
                ret_levels[count++] = (struct level){chunk->keys[slot], chunk->quantities[slot]};
        }
        return count;
}

/* A full chunk becomes two half full ones; the walk keeps its place. */
static void walk_split(struct book_walk *walk)
{
        struct level levels[BOOK_SLOTS];
        struct book_chunk *upper = chunk_new(walk->book);
        unsigned half = BOOK_SLOTS / 2, rank = BOOK_SLOTS - walk->left;
        chunk_gather(walk->chunk, levels);
        chunk_spread(walk->chunk, levels, half);
        chunk_spread(upper, levels + half, half);
        walk->side->counts[walk->at] = (uint8_t)half;
        walk->side->group_counts[walk->at / BOOK_GROUP] -= BOOK_SLOTS - half;
        side_insert_chunk(
            walk->side, walk->at + 1, upper, levels[half].price, (uint8_t)(BOOK_SLOTS - half));
        if (rank >= half) {
                book_walk_enter(walk, walk->at + 1);
                rank -= half;
        }
        walk->left = half - rank;
        walk->slot = (rank + 1) * BOOK_SLOTS / half - 1;
}

/* Move the levels between the walk's place and the nearest dead slot by one. */
static unsigned walk_shift(struct book_walk *walk)
{
        struct book_chunk *chunk = walk->chunk;
        unsigned slot = walk->slot;
        uint64_t below = ~chunk->live & book_bits_below(slot);
        uint64_t above = ~chunk->live & ~book_bits_below(slot);
        unsigned left = below ? 63 - (unsigned)__builtin_clzll(below) : 0;
        unsigned right = above ? (unsigned)__builtin_ctzll(above) : 0;
        if (above && (!below || right - slot < slot - left)) {
                size_t count = right - slot;
                memmove(chunk->keys + slot + 1, chunk->keys + slot, count * sizeof(int64_t));
                memmove(chunk->quantities + slot + 1, chunk->quantities + slot,
                    count * sizeof(int64_t));
                chunk->live |= UINT64_C(1) << right;
                chunk->live &= ~(UINT64_C(1) << slot);
                walk->slot++;
                return slot;
        }
        size_t count = slot - 1 - left;
        memmove(chunk->keys + left, chunk->keys + left + 1, count * sizeof(int64_t));
        memmove(chunk->quantities + left, chunk->quantities + left + 1, count * sizeof(int64_t));
        chunk->live |= UINT64_C(1) << left;
        chunk->live &= ~(UINT64_C(1) << (slot - 1));
        return slot - 1;
}

unsigned book_walk_make_room(struct book_walk *walk)
{
        if (~walk->chunk->live)
                return walk_shift(walk);
        if (book_walk_at_end(walk)) {
                side_insert_chunk(
                    walk->side, walk->side->chunk_count, chunk_new(walk->book), INT64_MAX, 0);
                book_walk_enter(walk, walk->side->chunk_count);
                return 0;
        }
        walk_split(walk);
        return walk->slot - 1;
}

void book_walk_drop_chunk(struct book_walk *walk)
{
        struct book_side *side = walk->side;
        walk->left = 0;
        walk->slot = BOOK_SLOTS;
        if (side->chunk_count == 1)
                return;
        chunk_release(walk->book, walk->chunk);
        side_remove_chunk(side, walk->at);
        book_walk_enter(walk, walk->at);
}

void book_side_tidy(struct book *book, struct book_side *side)
{
        struct level levels[BOOK_SLOTS];
        size_t kept = 0;
        for (size_t at = 1; at < side->chunk_count; at++) {
                struct book_chunk *chunk = side->chunks[at], *last = side->chunks[kept];
                unsigned count = (unsigned)side->counts[kept] + side->counts[at];
                if (count <= BOOK_MERGED) {
                        chunk_gather(chunk, levels + chunk_gather(last, levels));
                        chunk_spread(last, levels, count);
                        side->counts[kept] = (uint8_t)count;
                        chunk_release(book, chunk);
                } else {
                        side->chunks[++kept] = chunk;
                        side->first_keys[kept] = side->first_keys[at];
                        side->counts[kept] = side->counts[at];
                }
        }
        side->chunk_count = kept + 1;
        side_count_groups(side, 0);
}

/* ---- levels ---- */

/* Stand where @key is or belongs; depth and previous level are not known. */
static bool walk_find(struct book_walk *walk, struct book *book, enum side s, int64_t key)
{
        book_walk_begin(walk, book, s);
        size_t at = book_side_find(walk->side, 0, key);
        book_walk_enter(walk, at);
        uint64_t behind = walk->chunk->live & ~book_bits_below(book_chunk_find(walk->chunk, key));
        walk->left = book_bits_count(behind);
        if (behind)
                walk->slot = (unsigned)__builtin_ctzll(behind);
        else
                book_walk_enter(walk, at + 1);
        return !book_walk_at_end(walk) && book_walk_key(walk) == key;
}

int64_t book_set(struct book *book, enum side s, int64_t price, int64_t quantity)
{
        struct book_walk walk;
        int64_t key = book_key(s, price), before = 0;
        if (walk_find(&walk, book, s, key)) {
                before = book_walk_quantity(&walk);
                if (quantity)
                        walk.chunk->quantities[walk.slot] = quantity;
                else
                        book_walk_remove(&walk);
        } else if (quantity) {
                book_walk_insert(&walk, key, quantity);
        }
        book_walk_end(&walk);
        return before;
}

void book_add(struct book *book, enum side s, int64_t price, int64_t more)
{
        struct book_walk walk;
        int64_t key = book_key(s, price);
        if (walk_find(&walk, book, s, key)) {
                int64_t *quantity = &walk.chunk->quantities[walk.slot];
                if (*quantity + more)
                        *quantity += more;
                else
                        book_walk_remove(&walk);
        } else if (more) {
                book_walk_insert(&walk, key, more);
        }
        book_walk_end(&walk);
}

int book_room(const struct book *book, const struct event *event)
{
        if (event->type == TYPE_ORDER)
                return book->by_order ? book_room_order(book, event->order) : ERR_FULL;
        if (event->type == TYPE_LEVELS && book->by_order)
                return ERR_FULL;
        for (enum side s = 0; s < SIDES; s++) {
                if (book->sides[s].count + event->count[s] > LIMIT_BOOK_LEVELS)
                        return ERR_FULL;
        }
        return 0;
}

int book_apply(struct book *book, const struct event *event)
{
        if (book_room(book, event))
                return ERR_FULL;
        if (event->type == TYPE_ORDER)
                book_apply_order(book, event->order);
        for (enum side s = 0; s < SIDES && event->type == TYPE_LEVELS; s++) {
                const struct level *levels = event->levels[s];
                for (uint32_t i = 0; i < event->count[s]; i++)
                        book_set(book, s, levels[i].price, levels[i].quantity);
        }
        book->id = event->last_id;
        return 0;
}

void book_begin_orders(struct book *book)
{
        book_clear(book);
        if (!book->orders)
                book->orders = orders_new();
        book->by_order = true;
}

/* Orders without a size, or told twice, are left out. */
static int set_orders(struct book *book, const struct image *image)
{
        struct order_loader loader;
        int code = 0;
        book_begin_orders(book);
        book->id = image->id;
        order_loader_begin(&loader, book);
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < image->count[s] && !code; i++) {
                        const struct level *level = &image->levels[s][i];
                        const struct order_id *id = &image->orders[s][i];
                        if (level->quantity > 0 && orders_find(book->orders, id) == ORDER_NONE)
                                code =
                                    order_loader_add(&loader, s, id, level->price, level->quantity);
                }
        }
        order_loader_end(&loader);
        if (code)
                book_clear(book);
        return code;
}

int book_set_image(struct book *book, const struct image *image)
{
        if (image->kind == KIND_L3)
                return set_orders(book, image);
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

/* The levels are there already: only the queues behind them are made. */
static void copy_orders(struct book *to, const struct book *from)
{
        if (!to->orders)
                to->orders = orders_new();
        to->by_order = true;
        for (enum side s = 0; s < SIDES; s++) {
                struct order_cursor cursor = {0};
                const struct order *order;
                while ((order = book_next_order(from, s, &cursor)))
                        orders_add(to->orders, s, &order->id, order->price, order->size);
        }
}

void book_copy(struct book *to, const struct book *from)
{
        book_clear(to);
        for (enum side s = 0; s < SIDES; s++) {
                const struct book_side *side = &from->sides[s];
                struct book_side *copy = &to->sides[s];
                side_reserve(copy, side->chunk_count);
                for (size_t i = 0; i < side->chunk_count; i++) {
                        struct book_chunk *chunk = copy->chunks[i] = chunk_new(to);
                        chunk->live = side->chunks[i]->live;
                        memcpy(chunk->keys, side->chunks[i]->keys, sizeof(chunk->keys));
                        memcpy(chunk->quantities, side->chunks[i]->quantities,
                            sizeof(chunk->quantities));
                        copy->first_keys[i] = side->first_keys[i];
                        copy->counts[i] = side->counts[i];
                }
                copy->chunk_count = side->chunk_count;
                copy->count = side->count;
                side_count_groups(copy, 0);
                to->bounded[s] = from->bounded[s];
                to->horizon[s] = from->horizon[s];
        }
        to->id = from->id;
        if (from->by_order)
                copy_orders(to, from);
}

static int level_rescale(struct level *level, int64_t price_factor, int64_t quantity_factor)
{
        return __builtin_mul_overflow(level->price, price_factor, &level->price) ||
                __builtin_mul_overflow(level->quantity, quantity_factor, &level->quantity)
            ? ERR_RANGE
            : 0;
}

int book_rescale(struct book *book, int64_t price_factor, int64_t quantity_factor)
{
        struct book scaled;
        struct level level;
        int code = 0;
        book_init(&scaled);
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0};
                while (!code && book_next(book, s, &cursor, &level)) {
                        code = level_rescale(&level, price_factor, quantity_factor);
                        if (!code)
                                book_set(&scaled, s, level.price, level.quantity);
                }
                struct level horizon = {book->horizon[s], 0};
                code = code ? code : level_rescale(&horizon, price_factor, 1);
                scaled.bounded[s] = book->bounded[s];
                scaled.horizon[s] = horizon.price;
        }
        scaled.id = book->id;
        if (!code && book->by_order) {
                copy_orders(&scaled, book);
                orders_rescale(scaled.orders, price_factor, quantity_factor);
        }
        struct book unused = code ? scaled : *book;
        if (!code)
                *book = scaled;
        book_deinit(&unused);
        return code;
}

size_t book_size(const struct book *book)
{
        return book->by_order ? book->orders->count
                              : book->sides[SIDE_BID].count + book->sides[SIDE_ASK].count;
}

size_t book_count(const struct book *book, enum side side)
{
        return book->sides[side].count;
}

int64_t book_quantity(const struct book *book, enum side s, int64_t price)
{
        const struct book_side *side = &book->sides[s];
        int64_t key = book_key(s, price);
        if (!side->count)
                return 0;
        const struct book_chunk *chunk = side->chunks[book_side_find(side, 0, key)];
        uint64_t behind = chunk->live & ~book_bits_below(book_chunk_find(chunk, key));
        unsigned slot = behind ? (unsigned)__builtin_ctzll(behind) : 0;
        return behind && chunk->keys[slot] == key ? chunk->quantities[slot] : 0;
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
        for (; cursor->chunk < side->chunk_count; cursor->chunk++, cursor->slot = 0) {
                const struct book_chunk *chunk = side->chunks[cursor->chunk];
                uint64_t live = chunk->live & ~book_bits_below((unsigned)cursor->slot);
                if (!live)
                        continue;
                unsigned slot = (unsigned)__builtin_ctzll(live);
                *ret_level =
                    (struct level){book_key(s, chunk->keys[slot]), chunk->quantities[slot]};
                cursor->slot = slot + 1;
                return true;
        }
        return false;
}

void book_levels(const struct book *book, enum side side, struct level *ret_levels)
{
        struct book_cursor cursor = {0};
        while (book_next(book, side, &cursor, ret_levels))
                ret_levels++;
}

static bool same_orders(const struct book *a, const struct book *b, enum side s)
{
        struct order_cursor at_a = {0}, at_b = {0};
        const struct order *order_a = NULL, *order_b = NULL;
        do {
                order_a = book_next_order(a, s, &at_a);
                order_b = book_next_order(b, s, &at_b);
                if (order_a && order_b &&
                    (!order_id_equal(&order_a->id, &order_b->id) ||
                        order_a->price != order_b->price || order_a->size != order_b->size))
                        return false;
        } while (order_a && order_b);
        return order_a == order_b;
}

bool book_equal(const struct book *a, const struct book *b)
{
        if (a->by_order != b->by_order)
                return false;
        if (a->by_order && !(same_orders(a, b, SIDE_BID) && same_orders(a, b, SIDE_ASK)))
                return false;
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor at_a = {0}, at_b = {0};
                struct level level_a, level_b;
                if (book_count(a, s) != book_count(b, s))
                        return false;
                while (book_next(a, s, &at_a, &level_a) && book_next(b, s, &at_b, &level_b)) {
                        if (level_a.price != level_b.price || level_a.quantity != level_b.quantity)
                                return false;
                }
        }
        return true;
}

void book_to_event(const struct book *book, struct buffer *scratch, struct event *ret_event)
{
        size_t count = book_count(book, SIDE_BID) + book_count(book, SIDE_ASK);
        buffer_clear(scratch);
        struct level *levels =
            (struct level *)(void *)buffer_reserve(scratch, (count + 1) * sizeof(struct level));
        for (enum side s = 0; s < SIDES; s++) {
                ret_event->count[s] = (uint32_t)book_count(book, s);
                ret_event->levels[s] = levels;
                book_levels(book, s, levels);
                levels += ret_event->count[s];
        }
}
