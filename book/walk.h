/* A walk along one side of a book, from the best level outward, that changes it on its way.
 *
 * The walk stands before a level, or at the end. It counts the levels that it passes: a coder names
 * a level by how many are skipped to it, so reader and writer of a record walk alike.
 *
 *   book_walk_begin -> { book_walk_skip | book_walk_to -> book_walk_set | _remove | _insert |
 *   _note }* -> book_walk_end
 *
 * Everything is inline: these few lines are where the time of encoding and rebuilding goes. */
#ifndef BOOK_WALK_H
#define BOOK_WALK_H

#include "book/book.h"

struct book_walk {
        struct book *book;
        struct book_side *side;
        struct book_chunk *chunk; /* where it stands */
        size_t at;                /* index of that chunk */
        unsigned slot;            /* of the level it stands before; BOOK_SLOTS: at the end */
        unsigned left;            /* levels of this chunk from that one on */
        size_t depth;             /* levels of the book that lie before */
        bool has_previous;
        int64_t previous_key; /* of the last level or update that was passed */
};

/* The first @count bits. */
static inline uint64_t book_bits_below(unsigned count)
{
        return count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
}

/* Bits set; spelled out, since not every machine that this runs on counts them by itself. */
static inline unsigned book_bits_count(uint64_t bits)
{
        bits -= bits >> 1 & UINT64_C(0x5555555555555555);
        bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
        bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
        return (unsigned)(bits * UINT64_C(0x0101010101010101) >> 56);
}

static inline unsigned book_slot_first(uint64_t live)
{
        return live ? (unsigned)__builtin_ctzll(live) : BOOK_SLOTS;
}

/* Stand before the first level of chunk @at, or at the end of the side. */
static inline void book_walk_enter(struct book_walk *walk, size_t at)
{
        struct book_side *side = walk->side;
        if (at < side->chunk_count) {
                walk->at = at;
                walk->chunk = side->chunks[at];
                walk->left = side->counts[at];
                walk->slot = book_slot_first(walk->chunk->live);
        } else {
                walk->at = side->chunk_count - 1;
                walk->chunk = side->chunks[walk->at];
                walk->left = 0;
                walk->slot = BOOK_SLOTS;
        }
}

/* A chunk for an empty side. */
void book_side_begin(struct book *book, enum side side);

static inline void book_walk_begin(struct book_walk *walk, struct book *book, enum side s)
{
        walk->book = book;
        walk->side = &book->sides[s];
        walk->depth = 0;
        walk->has_previous = false;
        walk->previous_key = 0;
        if (!walk->side->chunk_count)
                book_side_begin(book, s);
        book_walk_enter(walk, 0);
}

/* Gives dead slots back when there are far more of them than levels. */
void book_side_tidy(struct book *book, struct book_side *side);

static inline void book_walk_end(struct book_walk *walk)
{
        if (walk->side->chunk_count > 4 + walk->side->count / 16)
                book_side_tidy(walk->book, walk->side);
}

static inline bool book_walk_at_end(const struct book_walk *walk)
{
        return !walk->left;
}

static inline int64_t book_walk_key(const struct book_walk *walk)
{
        return walk->chunk->keys[walk->slot];
}

static inline int64_t book_walk_quantity(const struct book_walk *walk)
{
        return walk->chunk->quantities[walk->slot];
}

/* The chunk that holds the level @count behind the first one of chunk @at, and how many remain. */
static inline size_t book_side_pass(const struct book_side *side, size_t at, size_t *count)
{
        while (at < side->chunk_count) {
                if (at % BOOK_GROUP == 0 && side->group_counts[at / BOOK_GROUP] <= *count) {
                        *count -= side->group_counts[at / BOOK_GROUP];
                        at += BOOK_GROUP;
                } else if (side->counts[at] <= *count) {
                        *count -= side->counts[at++];
                } else {
                        break;
                }
        }
        return at;
}

/* The key of the last level before the one the walk stands before; there is one. */
static inline int64_t book_walk_key_before(const struct book_walk *walk)
{
        const struct book_chunk *chunk = walk->chunk;
        uint64_t before = chunk->live & book_bits_below(walk->slot);
        if (!before) {
                chunk = walk->side->chunks[walk->at - 1];
                before = chunk->live;
        }
        return chunk->keys[63 - __builtin_clzll(before)];
}

/* Pass @count levels. false: there are fewer. */
static inline bool book_walk_skip(struct book_walk *walk, size_t count)
{
        if (!count)
                return true;
        walk->depth += count;
        if (count < walk->left) {
                uint64_t ahead = walk->chunk->live & ~book_bits_below(walk->slot);
                walk->left -= (unsigned)count;
                while (--count)
                        ahead &= ahead - 1;
                unsigned before = (unsigned)__builtin_ctzll(ahead);
                walk->previous_key = walk->chunk->keys[before];
                walk->slot = (unsigned)__builtin_ctzll(ahead & (ahead - 1));
        } else {
                count -= walk->left;
                size_t at = book_side_pass(walk->side, walk->at + 1, &count);
                if (at >= walk->side->chunk_count && count)
                        return false;
                book_walk_enter(walk, at);
                if (count) {
                        uint64_t ahead = walk->chunk->live;
                        walk->left -= (unsigned)count;
                        while (count--)
                                ahead &= ahead - 1;
                        walk->slot = (unsigned)__builtin_ctzll(ahead);
                }
                walk->previous_key = book_walk_key_before(walk);
        }
        walk->has_previous = true;
        return true;
}

/* The last chunk from @at on that begins at or before @key. */
static inline size_t book_side_find(const struct book_side *side, size_t at, int64_t key)
{
        size_t count = side->chunk_count - at;
        while (count > 1) {
                size_t half = count / 2;
                at = side->first_keys[at + half] <= key ? at + half : at;
                count -= half;
        }
        return at;
}

/* The first slot whose key is not below @key. */
static inline unsigned book_chunk_find(const struct book_chunk *chunk, int64_t key)
{
        const int64_t *keys = chunk->keys;
        unsigned slot = 0;
        for (unsigned half = BOOK_SLOTS / 2; half; half /= 2)
                slot = keys[slot + half - 1] < key ? slot + half : slot;
        return slot + (keys[slot] < key);
}

/* The levels of chunks @from up to, not including, @to. */
static inline size_t book_side_sum(const struct book_side *side, size_t from, size_t to)
{
        size_t sum = 0;
        while (from < to) {
                if (from % BOOK_GROUP == 0 && from + BOOK_GROUP <= to) {
                        sum += side->group_counts[from / BOOK_GROUP];
                        from += BOOK_GROUP;
                } else {
                        sum += side->counts[from++];
                }
        }
        return sum;
}

/* Go on to the first level at or behind @key, which is behind all that was passed. Returns how
 * many levels were passed; the walk then stands at @key or where it belongs. */
static inline size_t book_walk_to(struct book_walk *walk, int64_t key)
{
        const struct book_side *side = walk->side;
        size_t passed = 0, at = walk->at;
        uint64_t ahead = walk->chunk->live & ~book_bits_below(walk->slot);
        if (at + 1 < side->chunk_count && side->first_keys[at + 1] <= key) {
                at++;
                if (at + 1 < side->chunk_count && side->first_keys[at + 1] <= key)
                        at = book_side_find(side, at + 1, key);
                passed = walk->left + book_side_sum(side, walk->at + 1, at);
                book_walk_enter(walk, at);
                ahead = walk->chunk->live;
        }
        uint64_t behind = ahead & ~book_bits_below(book_chunk_find(walk->chunk, key));
        unsigned within = book_bits_count(ahead & ~behind);
        walk->left -= within;
        passed += within;
        if (!walk->left)
                book_walk_enter(walk, at + 1);
        else
                walk->slot = (unsigned)__builtin_ctzll(behind);
        if (passed) {
                walk->depth += passed;
                walk->has_previous = true;
                walk->previous_key = book_walk_key_before(walk);
        }
        return passed;
}

/* An update at @key that leaves the book as it is: it lies before the level that comes next. */
static inline void book_walk_note(struct book_walk *walk, int64_t key)
{
        walk->has_previous = true;
        walk->previous_key = key;
}

/* Set the quantity of the level, and pass it. */
static inline void book_walk_set(struct book_walk *walk, int64_t quantity)
{
        struct book_chunk *chunk = walk->chunk;
        chunk->quantities[walk->slot] = quantity;
        book_walk_note(walk, chunk->keys[walk->slot]);
        walk->depth++;
        if (--walk->left)
                walk->slot =
                    (unsigned)__builtin_ctzll(chunk->live & ~book_bits_below(walk->slot + 1));
        else
                book_walk_enter(walk, walk->at + 1);
}

void book_walk_drop_chunk(struct book_walk *walk);

/* Take the level away. */
static inline void book_walk_remove(struct book_walk *walk)
{
        struct book_chunk *chunk = walk->chunk;
        struct book_side *side = walk->side;
        book_walk_note(walk, chunk->keys[walk->slot]);
        chunk->live &= ~(UINT64_C(1) << walk->slot);
        side->count--;
        side->group_counts[walk->at / BOOK_GROUP]--;
        if (!--side->counts[walk->at])
                book_walk_drop_chunk(walk);
        else if (--walk->left)
                walk->slot = (unsigned)__builtin_ctzll(chunk->live & ~book_bits_below(walk->slot));
        else
                book_walk_enter(walk, walk->at + 1);
}

/* Make a dead slot where the new level belongs; returns it. */
unsigned book_walk_make_room(struct book_walk *walk);

/* Put a new level in front of the one the walk stands before. Both keys around it allow @key. */
static inline void book_walk_insert(struct book_walk *walk, int64_t key, int64_t quantity)
{
        uint64_t before = walk->chunk->live & book_bits_below(walk->slot);
        unsigned slot = before ? 64 - (unsigned)__builtin_clzll(before) : 0;
        if (slot == walk->slot)
                slot = book_walk_make_room(walk);
        struct book_chunk *chunk = walk->chunk;
        while (slot + 1 < walk->slot && chunk->keys[slot + 1] <= key)
                slot++;
        chunk->keys[slot] = key;
        chunk->quantities[slot] = quantity;
        chunk->live |= UINT64_C(1) << slot;
        struct book_side *side = walk->side;
        if (key < side->first_keys[walk->at])
                side->first_keys[walk->at] = key;
        side->counts[walk->at]++;
        side->group_counts[walk->at / BOOK_GROUP]++;
        side->count++;
        walk->depth++;
        book_walk_note(walk, key);
}

#endif
