/* Included by the file of a dense method, after its code_* functions: see levels.h. CODER is its
 * coder, with members units, spacing, columns, bits and failed; PLAIN_COLUMN the column for levels
 * that came in no order. */

/* A level that the book lacks: how its price is told. Prices off the grid are told raw. */
static inline enum price_class class_of_price(
    const CODER *coder, const struct book_walk *walk, int64_t key, int64_t price)
{
        const int64_t *units = coder->units.units;
        if (walk->has_previous && key == sum(walk->previous_key, units[PRICE_NEXT_TICK]))
                return PRICE_NEXT_TICK;
        if (!book_walk_at_end(walk) && sum(key, units[PRICE_LAST_TICK]) == book_walk_key(walk))
                return PRICE_LAST_TICK;
        if (price % units[PRICE_TEN])
                return PRICE_ANY;
        if (price % units[PRICE_HUNDRED])
                return PRICE_TEN;
        return price % units[PRICE_THOUSAND] ? PRICE_HUNDRED : PRICE_THOUSAND;
}

/* Between two levels it is known how far they lie apart; behind the last one it is guessed from the
 * prices that came there before. */
static inline struct price_base base_of_price(
    const CODER *coder, const struct book_walk *walk, enum side side)
{
        bool has_next = !book_walk_at_end(walk);
        int64_t next = has_next ? book_walk_key(walk) : 0;
        if (!walk->has_previous)
                return (struct price_base){
                    has_next ? book_key(side, next) : 0, !has_next || side == SIDE_BID, true, 0};
        uint64_t between =
            has_next ? (uint64_t)difference(next, walk->previous_key) : coder->spacing;
        return (struct price_base){
            book_key(side, walk->previous_key), side == SIDE_ASK, false, between};
}

/* The mean distance of the prices behind the last level, the newest counting a quarter. */
static inline void note_spacing(CODER *coder, const struct book_walk *walk, int64_t key)
{
        if (walk->has_previous && book_walk_at_end(walk))
                coder->spacing =
                    (3 * coder->spacing + (uint64_t)difference(key, walk->previous_key)) / 4;
}

CODEC_INLINE int64_t code_price(CODER *coder, const struct book_walk *walk, enum side side,
    enum price_class class, int64_t price, const bool decoding)
{
        int64_t unit = coder->units.units[class];
        if (class == PRICE_NEXT_TICK)
                return book_key(side, sum(walk->previous_key, unit));
        if (class == PRICE_LAST_TICK)
                return book_key(side, difference(book_walk_key(walk), unit));
        struct price_base base = base_of_price(coder, walk, side);
        bool on_grid = true;
        uint64_t distance = 0;
        if (!decoding) {
                on_grid = price % unit == 0;
                distance = on_grid ? price_to_distance(&base, unit, price) : (uint64_t)price;
        }
        distance = code_distance(coder, &base, class, distance, &on_grid, decoding);
        if (!decoding)
                return price;
        return on_grid ? price_from_distance(&base, unit, distance) : (int64_t)distance;
}

/* Which step leads to @level. The walk goes there. */
static inline struct step find_step(
    CODER *coder, struct book_walk *walk, enum side side, const struct level *level)
{
        int64_t key = book_key(side, level->price);
        struct step step = {.skip = book_walk_to(walk, key)};
        if (!book_walk_at_end(walk) && book_walk_key(walk) == key) {
                step.kind = !level->quantity                      ? STEP_REMOVE
                    : level->quantity == book_walk_quantity(walk) ? STEP_REPEAT
                                                                  : STEP_CHANGE;
        } else {
                step.kind = level->quantity ? STEP_INSERT : STEP_MISSING;
                step.price_class = class_of_price(coder, walk, key, level->price);
        }
        return step;
}

/* A level that stands in the book: true if it was there. */
CODEC_INLINE bool code_standing(CODER *coder, struct book_walk *walk, enum side side,
    enum step_kind kind, struct level *level, int64_t *ret_before, const bool decoding)
{
        if (decoding && book_walk_at_end(walk))
                return false;
        int64_t before = book_walk_quantity(walk), quantity = level->quantity;
        if (decoding) {
                level->price = book_key(side, book_walk_key(walk));
                *ret_before = before;
                quantity = kind == STEP_REPEAT ? before : 0;
        }
        if (kind == STEP_CHANGE)
                quantity = code_change(coder, level->price, before, quantity, decoding);
        level->quantity = quantity;
        if (quantity)
                book_walk_set(walk, quantity);
        else
                book_walk_remove(walk);
        return true;
}

/* A level that the book lacks: true if its price lies where the walk stands. */
CODEC_INLINE bool code_new(CODER *coder, struct book_walk *walk, enum side side,
    const struct step *step, struct level *level, int64_t *ret_before, const bool decoding)
{
        if (decoding &&
            ((step->price_class == PRICE_NEXT_TICK && !walk->has_previous) ||
                (step->price_class == PRICE_LAST_TICK && book_walk_at_end(walk))))
                return false;
        int64_t price = code_price(coder, walk, side, step->price_class, level->price, decoding);
        int64_t key = book_key(side, price), quantity = level->quantity;
        if (decoding) {
                if ((walk->has_previous && key <= walk->previous_key) ||
                    (!book_walk_at_end(walk) && key >= book_walk_key(walk)))
                        return false;
                quantity = 0;
                *ret_before = 0;
        }
        note_spacing(coder, walk, key);
        if (step->kind == STEP_INSERT) {
                quantity = code_insert(coder, price, quantity, decoding);
                if (decoding && !quantity)
                        return false;
                book_walk_insert(walk, key, quantity);
        } else {
                book_walk_note(walk, key);
        }
        *level = (struct level){price, quantity};
        return true;
}

/* One update. Reading: false if the record is damaged. */
CODEC_INLINE bool code_level(CODER *coder, struct book_walk *walk, enum side side, uint32_t left,
    struct level *level, int64_t *ret_before, const bool decoding)
{
        struct place place = {left, walk->depth};
        struct step step = {0};
        if (!decoding)
                step = find_step(coder, walk, side, level);
        if (!code_step(coder, walk, &place, &step, decoding))
                return false;
        if (step.kind <= STEP_REPEAT)
                return code_standing(coder, walk, side, step.kind, level, ret_before, decoding);
        return code_new(coder, walk, side, &step, level, ret_before, decoding);
}

/* All updates of one side, along the walk, in the order sent: taken from @sent when writing, put
 * into @ret_levels when reading, with what stood there before. */
CODEC_INLINE bool code_side(CODER *coder, struct book *book, enum side side,
    const struct level *sent, struct level *ret_levels, int64_t *ret_befores, uint32_t count,
    bool reversed, const bool decoding)
{
        struct book_walk walk;
        bool good = true;
        if (!count)
                return true;
        book_walk_begin(&walk, book, side);
        coder->spacing = 0;
        code_begin(coder, &walk, side);
        for (uint32_t i = 0; i < count && good; i++) {
                uint32_t at = reversed ? count - 1 - i : i;
                struct level level = {0};
                int64_t before = 0;
                if (!decoding)
                        level = sent[at];
                good = code_level(coder, &walk, side, count - i, &level, &before, decoding);
                if (decoding) {
                        good &= !coder->failed;
                        ret_levels[at] = level;
                        ret_befores[at] = before;
                }
        }
        book_walk_end(&walk);
        return good;
}

/* Levels that came in no order, or twice: as they are, each price from the one before it. */
CODEC_INLINE bool code_plain(CODER *coder, struct book *book, enum side side,
    const struct level *sent, struct level *ret_levels, int64_t *ret_befores, uint32_t count,
    const bool decoding)
{
        struct column *column = &coder->columns[PLAIN_COLUMN];
        int64_t price = 0;
        for (uint32_t i = 0; i < count && !coder->failed; i++) {
                int64_t step = decoding ? 0 : difference(sent[i].price, price);
                int64_t quantity = decoding ? 0 : sent[i].quantity;
                step = signed_code(column, &coder->bits, step, &coder->failed, decoding);
                quantity = signed_code(column, &coder->bits, quantity, &coder->failed, decoding);
                price = sum(price, step);
                int64_t before = book_set(book, side, price, quantity);
                if (decoding) {
                        ret_levels[i] = (struct level){price, quantity};
                        ret_befores[i] = before;
                }
        }
        return !coder->failed;
}

/* Instantiates the walk for each side and direction. */
CODEC_INLINE bool code_levels(CODER *coder, struct book *book, enum side side,
    const struct event *event, unsigned bits, struct level *ret_levels, int64_t *ret_befores,
    const bool decoding)
{
        const struct level *sent = event->levels[side];
        uint32_t count = event->count[side];
        bool reversed = bits & head_reversed[side];
        if (bits & HEAD_PLAIN)
                return code_plain(
                    coder, book, side, sent, ret_levels, ret_befores, count, decoding);
        if (side == SIDE_BID)
                return code_side(coder, book, SIDE_BID, sent, ret_levels, ret_befores, count,
                    reversed, decoding);
        return code_side(
            coder, book, SIDE_ASK, sent, ret_levels, ret_befores, count, reversed, decoding);
}

/* All levels of an event, and @book after it. Writing: @ret_* are not used. Reading: ERR_CORRUPT.
 */
CODEC_INLINE int code_event(CODER *coder, struct book *book, const struct event *event,
    unsigned bits, struct level *ret_levels, int64_t *ret_befores, const bool decoding)
{
        for (enum side s = 0; s < SIDES; s++) {
                if (!code_levels(coder, book, s, event, bits, ret_levels, ret_befores, decoding))
                        return ERR_CORRUPT;
                if (decoding) {
                        ret_levels += event->count[s];
                        ret_befores += event->count[s];
                }
        }
        book->id = event->last_id;
        return 0;
}
