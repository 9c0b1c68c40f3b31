/* The updates of one side of an event, coded along a walk through the book: the one text that both
 * directions of every dense method are made of, so that a model and its decoder cannot drift apart.
 *
 * A method defines its CODER and five functions that code in both directions, sticky in
 * coder->failed; then it includes codec/side.h, which makes code_side of them:
 *
 *   code_begin     a side begins
 *   code_step      which level comes next, and what happens there; when reading the walk goes
 *                  there. false: there is no such level
 *   code_distance  how far a new price lies from its neighbour
 *   code_insert, code_change   a quantity, beside the one that stood there */
#ifndef CODEC_LEVELS_H
#define CODEC_LEVELS_H

#include "book/walk.h"
#include "codec/heads.h"

enum step_kind {
        STEP_REMOVE,
        STEP_CHANGE,
        STEP_REPEAT, /* the quantity that stands there already */
        STEP_INSERT,
        STEP_MISSING, /* removes what is not there */
        STEP_KINDS,
};

/* How the price of a level that the book lacks is told. */
enum price_class {
        PRICE_NEXT_TICK, /* one tick behind the level or update before it */
        PRICE_LAST_TICK, /* one tick before the level that comes next */
        PRICE_THOUSAND,  /* a multiple of so many ticks: which one, counted from the neighbour */
        PRICE_HUNDRED,
        PRICE_TEN,
        PRICE_ANY,
        PRICE_CLASSES,
};

struct step {
        size_t skip; /* levels passed on the way to it */
        enum step_kind kind;
        enum price_class price_class; /* of STEP_INSERT, STEP_MISSING */
};

/* Kind and price class as one number. */
#define WHAT_COUNT (STEP_INSERT + 2 * PRICE_CLASSES)

static inline unsigned what_of(const struct step *step)
{
        if (step->kind < STEP_INSERT)
                return step->kind;
        return STEP_INSERT + (step->kind == STEP_MISSING) * (unsigned)PRICE_CLASSES +
            step->price_class;
}

/* @what is below WHAT_COUNT. */
static inline void step_be(struct step *step, unsigned what)
{
        bool missing = what >= STEP_INSERT + PRICE_CLASSES;
        step->kind = what < STEP_INSERT ? what : missing ? STEP_MISSING : STEP_INSERT;
        step->price_class = what - STEP_INSERT - missing * (unsigned)PRICE_CLASSES;
}

/* What a model may guess a step from. */
struct place {
        uint32_t left; /* updates of this side from this one on */
        size_t depth;  /* levels that lie before, ahead of the skip */
};

/* Sizes of the price classes, in units of the scale. */
struct price_units {
        int64_t units[PRICE_CLASSES];
};

static inline struct price_units price_units_of(const struct scale *scale)
{
        static const int64_t ticks[PRICE_CLASSES] = {1, 1, 1000, 100, 10, 1};
        struct price_units units;
        for (unsigned i = 0; i < PRICE_CLASSES; i++) {
                if (__builtin_mul_overflow(scale->tick, ticks[i], &units.units[i]))
                        units.units[i] = scale->tick;
        }
        return units;
}

/* Where the prices between two neighbours are counted from, and which way. */
struct price_base {
        int64_t price;    /* of the neighbour */
        bool up;          /* counted towards higher prices */
        bool first;       /* nothing before: counted from the level behind it */
        uint64_t between; /* how far apart levels lie there: what a model may guess from */
};

/* The place of a price that is a multiple of @unit, counted from @base; wraps, so that any price
 * has one, also one of a hostile record. */
static inline uint64_t price_to_distance(const struct price_base *base, int64_t unit, int64_t price)
{
        int64_t from = base->price / unit, rest = base->price % unit, to = price / unit;
        if (base->up)
                return (uint64_t)difference(to, from - (rest < 0)) - 1;
        return (uint64_t)difference(from + (rest > 0), to) - 1;
}

static inline int64_t price_from_distance(
    const struct price_base *base, int64_t unit, uint64_t distance)
{
        int64_t from = base->price / unit, rest = base->price % unit;
        uint64_t to = base->up ? (uint64_t)(from - (rest < 0)) + distance + 1
                               : (uint64_t)(from + (rest > 0)) - distance - 1;
        return (int64_t)(to * (uint64_t)unit);
}

/* The bit of an event's head that says so. */
static const unsigned head_reversed[SIDES] = {HEAD_BIDS_REVERSED, HEAD_ASKS_REVERSED};

/* Levels ascend along the walk, all of them behind each other? @reversed: read from the end. */
static inline bool levels_ascend(
    const struct level *levels, uint32_t count, enum side side, bool reversed)
{
        bool ascend = true;
        bool rising = (side == SIDE_ASK) != reversed;
        for (uint32_t i = 1; i < count; i++)
                ascend &= rising ? levels[i - 1].price < levels[i].price
                                 : levels[i - 1].price > levels[i].price;
        return ascend;
}

/* In which order the levels came, as bits of the head: best first, worst first, or none. */
static inline unsigned order_of(const struct event *event)
{
        unsigned bits = 0;
        for (enum side s = 0; s < SIDES; s++) {
                if (levels_ascend(event->levels[s], event->count[s], s, false))
                        continue;
                if (!levels_ascend(event->levels[s], event->count[s], s, true))
                        return HEAD_PLAIN;
                bits |= head_reversed[s];
        }
        return bits;
}

#endif
