#include "codec/orders.h"

#include <assert.h>

#include "base/error.h"
#include "base/limits.h"
#include "book/walk.h"
#include "codec/messages.h"
#include "codec/values.h"

enum {
        WHERE_UNKNOWN, /* its id follows */
        WHERE_WAITING,
        WHERE_BOOK,
        WHERES
};

enum {
        SAME_PRICE = 1 << 0,
        SAME_SIZE = 1 << 1,
        SAME_OLD_PRICE = 1 << 2,
        SAME_OLD_SIZE = 1 << 3,
        SAME_TAKER = 1 << 4, /* match: the size is what the taker had left */
};

enum {
        NAME_RAW,
        NAME_NEXT,   /* the number after the last one */
        NAME_NUMBER, /* any number */
        NAMES
};

enum {
        REASON_SHIFT = 3,
        OFF_GRID = 1, /* image: instead of a distance, which is 2 or more */
};

/* What is common has a class of its own, which the heads tell. */
static const uint8_t type_classes[ORDER_TYPES] = {[ORDER_RECEIVED] = CLASS_RECEIVED,
    [ORDER_OPEN] = CLASS_OPEN,
    [ORDER_DONE] = CLASS_DONE,
    [ORDER_MATCH] = CLASS_OTHER,
    [ORDER_CHANGE] = CLASS_OTHER,
    [ORDER_ACTIVATE] = CLASS_OTHER,
    [ORDER_OTHER] = CLASS_OTHER};

/* The order that a message is about, as it stood before. */
struct known {
        unsigned where;
        uint32_t rank; /* among those that wait */
        uint32_t taker;
        int64_t price, size;
};

/* ---- ids ---- */

/* 16 bytes, in three columns from @first on. */
CODEC_INLINE void code_bytes(
    struct order_coder *coder, unsigned first, struct order_id *id, const bool decoding)
{
        for (unsigned i = 0; i < sizeof(id->bytes); i++) {
                unsigned column = first + (i == 6 ? 1 : i == 8 ? 2 : 0);
                id->bytes[i] = (uint8_t)column_code(
                    &coder->columns[column], id->bytes[i], &coder->failed, decoding);
        }
}

CODEC_INLINE void code_id(struct order_coder *coder, struct order_id *id, const bool decoding)
{
        unsigned name = NAME_RAW;
        uint64_t number = decoding ? 0 : order_id_half(id, 1);
        if (!decoding && !order_id_half(id, 0))
                name = number == coder->last_number + 1 ? NAME_NEXT : NAME_NUMBER;
        name = column_code(&coder->columns[OC_NAMING], name, &coder->failed, decoding);
        coder->failed |= name >= NAMES;
        if (name == NAME_RAW) {
                code_bytes(coder, OC_ID_BYTES, id, decoding);
                return;
        }
        if (name == NAME_NUMBER)
                number = number_code(
                    &coder->columns[OC_NUMBERS], &coder->bits, number, &coder->failed, decoding);
        else
                number = coder->last_number + 1;
        if (number > coder->last_number)
                coder->last_number = number;
        if (decoding) {
                order_id_set_half(id, 0, 0);
                order_id_set_half(id, 1, number);
        }
}

/* What the owner calls an order; those without dashes are mostly counters. */
CODEC_INLINE void code_own_id(
    struct order_coder *coder, struct order_message *message, const bool decoding)
{
        struct order_id *id = &message->other, *last = &coder->last_plain;
        if (!(message->has & ORDER_OTHER_PLAIN)) {
                code_bytes(coder, OC_OTHER_BYTES, id, decoding);
                return;
        }
        struct column *column = &coder->columns[OC_COUNTER];
        unsigned counted = !decoding && order_id_half(id, 0) == order_id_half(last, 0);
        counted = column_code(column, counted, &coder->failed, decoding);
        if (counted) {
                int64_t step = (int64_t)(order_id_half(id, 1) - order_id_half(last, 1));
                step = signed_code(column, &coder->bits, step, &coder->failed, decoding);
                if (decoding) {
                        order_id_set_half(id, 0, order_id_half(last, 0));
                        order_id_set_half(id, 1, order_id_half(last, 1) + (uint64_t)step);
                }
        } else {
                code_bytes(coder, OC_OTHER_BYTES, id, decoding);
        }
        *last = *id;
}

/* ---- which order ---- */

static struct known find_known(
    struct order_coder *coder, const struct book *book, const struct order_message *message)
{
        struct known known = {.rank = waiting_find(&coder->waiting, &message->id)};
        if (known.rank != WAITING_NONE) {
                bool same = waiting_at(&coder->waiting, known.rank)->side == message->side;
                known.where = same ? WHERE_WAITING : WHERE_UNKNOWN;
                return known;
        }
        uint32_t place = orders_find(book->orders, &message->id);
        if (place != ORDER_NONE && book->orders->orders[place].side == message->side)
                known.where = WHERE_BOOK;
        return known;
}

/* Trades meet the front of a queue; what is canceled is rather new. */
static bool counts_from_front(const struct order_message *message)
{
        return message->type == ORDER_MATCH;
}

static uint32_t queue_step(const struct order *order, bool forward)
{
        return forward ? order->next : order->previous;
}

static uint32_t queue_place(const struct orders *orders, uint32_t at, bool from_front)
{
        uint32_t place = 0;
        while ((at = queue_step(&orders->orders[at], !from_front)) != ORDER_NONE)
                place++;
        return place;
}

static const struct order *queue_at(
    const struct orders *orders, const struct order_queue *queue, uint64_t place, bool from_front)
{
        if (!queue || place >= queue->count)
                return NULL;
        uint32_t at = from_front ? queue->first : queue->last;
        while (place--)
                at = queue_step(&orders->orders[at], from_front);
        return &orders->orders[at];
}

/* The rank of the price where an order of the book rests. Reading: false if there is none. */
CODEC_INLINE bool code_level_rank(struct order_coder *coder, struct book *book,
    const struct order_message *message, int64_t *price, const bool decoding)
{
        struct book_walk walk;
        enum side side = message->side;
        uint64_t rank = 0;
        book_walk_begin(&walk, book, side);
        if (!decoding)
                rank = book_walk_to(&walk, book_key(side, *price));
        rank = number_code(&coder->columns[OC_LEVEL + message->type], &coder->bits, rank,
            &coder->failed, decoding);
        if (!decoding)
                return true;
        if (coder->failed || !book_walk_skip(&walk, rank) || book_walk_at_end(&walk))
                return false;
        *price = book_key(side, book_walk_key(&walk));
        return true;
}

/* An order of the book, by its price's rank and its place in the queue. */
CODEC_INLINE void code_resting(struct order_coder *coder, struct book *book,
    struct order_message *message, struct known *known, const bool decoding)
{
        const struct orders *orders = book->orders;
        const struct order *order = NULL;
        bool from_front = counts_from_front(message);
        uint64_t place = 0;
        if (!decoding) {
                uint32_t at = orders_find(orders, &message->id);
                order = &orders->orders[at];
                known->price = order->price;
                place = queue_place(orders, at, from_front);
        }
        if (!code_level_rank(coder, book, message, &known->price, decoding)) {
                coder->failed = true;
                return;
        }
        place = number_code(&coder->columns[OC_PLACE + message->type], &coder->bits, place,
            &coder->failed, decoding);
        if (decoding)
                order = queue_at(
                    orders, orders_queue(orders, message->side, known->price), place, from_front);
        if (!order) {
                coder->failed = true;
                return;
        }
        known->size = order->size;
        message->id = order->id;
}

CODEC_INLINE void code_side(
    struct order_coder *coder, struct order_message *message, const bool decoding)
{
        unsigned side = column_code(
            &coder->columns[OC_SIDE + message->type], message->side, &coder->failed, decoding);
        coder->failed |= side >= SIDES;
        message->side = side & 1;
}

CODEC_INLINE void code_known(struct order_coder *coder, struct book *book,
    struct order_message *message, struct known *known, const bool decoding)
{
        unsigned type = message->type;
        known->where =
            column_code(&coder->columns[OC_WHERE + type], known->where, &coder->failed, decoding);
        if (known->where != WHERE_WAITING)
                code_side(coder, message, decoding);
        if (known->where == WHERE_UNKNOWN) {
                code_id(coder, &message->id, decoding);
        } else if (known->where == WHERE_BOOK) {
                code_resting(coder, book, message, known, decoding);
        } else {
                uint64_t rank = number_code(&coder->columns[OC_WAITING + type], &coder->bits,
                    known->rank, &coder->failed, decoding);
                if (known->where >= WHERES || rank >= coder->waiting.count) {
                        coder->failed = true;
                        return;
                }
                known->rank = (uint32_t)rank;
                const struct waiting_order *order = waiting_at(&coder->waiting, known->rank);
                known->price = order->price;
                known->size = order->size;
                message->id = order->id;
                message->side = order->side;
        }
}

/* ---- prices and sizes ---- */

/* Where a price lies between the levels around it. */
struct gap {
        int64_t base;   /* key that it is counted from */
        bool outward;   /* away from the best level */
        unsigned class; /* how wide it is */
};

static struct gap gap_of(const struct order_coder *coder, const struct book_walk *walk)
{
        bool has_next = !book_walk_at_end(walk);
        int64_t next = has_next ? book_walk_key(walk) : 0;
        if (!walk->has_previous)
                return (struct gap){next, !has_next, ORDER_GAP_CLASSES};
        uint64_t between = has_next ? (uint64_t)difference(next, walk->previous_key) : 0;
        unsigned class = bit_length(between / (uint64_t)coder->tick);
        return (struct gap){
            walk->previous_key, true, class < ORDER_GAP_CLASSES ? class : ORDER_GAP_CLASSES - 1};
}

/* A key in a gap: ticks from its neighbour, or, off the grid, as it is. */
CODEC_INLINE int64_t code_gap(
    struct order_coder *coder, const struct gap *gap, int64_t key, const bool decoding)
{
        struct column *column = &coder->columns[OC_GAP + gap->class];
        uint64_t ticks = 0; /* 0: off the grid */
        if (!decoding) {
                uint64_t distance = (uint64_t)(gap->outward ? difference(key, gap->base)
                                                            : difference(gap->base, key));
                if (distance % (uint64_t)coder->tick == 0)
                        ticks = distance / (uint64_t)coder->tick;
        }
        ticks = number_code(column, &coder->bits, ticks, &coder->failed, decoding);
        if (!ticks)
                return (int64_t)bits_code_long(
                    &coder->bits, (uint64_t)key, 64, &coder->failed, decoding);
        int64_t distance = (int64_t)(ticks * (uint64_t)coder->tick);
        return gap->outward ? sum(gap->base, distance) : difference(gap->base, distance);
}

/* A price by its rank: that of a level, or between two. */
CODEC_INLINE int64_t code_price(struct order_coder *coder, struct book *book, enum side side,
    int64_t price, const bool decoding)
{
        struct book_walk walk;
        int64_t key = book_key(side, price);
        uint64_t rank = 0;
        unsigned stands = 0;
        book_walk_begin(&walk, book, side);
        if (!decoding) {
                rank = book_walk_to(&walk, key);
                stands = !book_walk_at_end(&walk) && book_walk_key(&walk) == key;
        }
        stands = column_code(&coder->columns[OC_STANDS], stands, &coder->failed, decoding);
        rank = number_code(&coder->columns[stands ? OC_RANK_OLD : OC_RANK_NEW], &coder->bits, rank,
            &coder->failed, decoding);
        if (decoding) {
                if (coder->failed || !book_walk_skip(&walk, rank) ||
                    (stands && book_walk_at_end(&walk))) {
                        coder->failed = true;
                        return 0;
                }
                if (stands)
                        return book_key(side, book_walk_key(&walk));
        }
        if (stands)
                return price;
        struct gap gap = gap_of(coder, &walk);
        return book_key(side, code_gap(coder, &gap, key, decoding));
}

CODEC_INLINE int64_t code_size(
    struct order_coder *coder, unsigned type, int64_t size, const bool decoding)
{
        struct value_coder values = {&coder->ranks, &coder->columns[OC_ZEROS],
            &coder->columns[OC_VALUES], &coder->bits, &coder->failed};
        unsigned mode = 0;
        uint32_t rank = decoding ? 0 : ranks_find(&coder->ranks, size);
        return value_code(values, &coder->columns[OC_SIZES + type], size, rank, &mode, 1, decoding);
}

static unsigned find_same(
    const struct order_coder *coder, const struct order_message *message, const struct known *known)
{
        unsigned same = 0;
        if (message->has & ORDER_HAS_PRICE && message->price == known->price)
                same |= SAME_PRICE;
        if (message->has & ORDER_HAS_SIZE && message->size == known->size)
                same |= SAME_SIZE;
        if (message->has & ORDER_HAS_OLD_PRICE && message->old_price == known->price)
                same |= SAME_OLD_PRICE;
        if (message->has & ORDER_HAS_OLD_SIZE && message->old_size == known->size)
                same |= SAME_OLD_SIZE;
        if (message->has & ORDER_HAS_SIZE && !(same & SAME_SIZE) && known->taker != WAITING_NONE &&
            message->size == coder->waiting.orders[coder->waiting.count - 1 - known->taker].size)
                same |= SAME_TAKER;
        return same;
}

CODEC_INLINE int64_t code_number(struct order_coder *coder, int64_t number, const bool decoding)
{
        return signed_code(
            &coder->columns[OC_NUMBERS], &coder->bits, number, &coder->failed, decoding);
}

/* Prices and sizes, those that are as foretold by one bit each. */
CODEC_INLINE void code_values(struct order_coder *coder, struct book *book,
    struct order_message *message, const struct known *known, const bool decoding)
{
        unsigned same = decoding ? 0 : find_same(coder, message, known);
        same =
            column_code(&coder->columns[OC_SAME + message->type], same, &coder->failed, decoding);
        if (same & SAME_TAKER && known->taker == WAITING_NONE) {
                coder->failed = true;
                return;
        }
        if (message->has & ORDER_HAS_PRICE)
                message->price = same & SAME_PRICE
                    ? known->price
                    : code_price(coder, book, message->side, message->price, decoding);
        if (message->has & ORDER_HAS_SIZE)
                message->size = same & SAME_SIZE ? known->size
                    : same & SAME_TAKER          ? waiting_at(&coder->waiting, known->taker)->size
                                        : code_size(coder, message->type, message->size, decoding);
        if (message->has & ORDER_HAS_OLD_PRICE)
                message->old_price = same & SAME_OLD_PRICE
                    ? known->price
                    : code_number(coder, message->old_price, decoding);
        if (message->has & ORDER_HAS_OLD_SIZE)
                message->old_size = same & SAME_OLD_SIZE
                    ? known->size
                    : code_number(coder, message->old_size, decoding);
}

CODEC_INLINE void code_funds(
    struct order_coder *coder, struct order_message *message, const bool decoding)
{
        struct column *column = &coder->columns[OC_FUNDS];
        unsigned size = decoding ? 0 : (unsigned)strlen(message->funds);
        size = column_code(column, size, &coder->failed, decoding);
        coder->failed |= size >= ORDER_FUNDS_SIZE;
        for (unsigned i = 0; i < size && !coder->failed; i++)
                message->funds[i] =
                    (char)column_code(column, (uint8_t)message->funds[i], &coder->failed, decoding);
        coder->failed |= strlen(message->funds) != size;
}

/* ---- messages ---- */

/* A trade: its number, and who took. */
CODEC_INLINE void code_taker(struct order_coder *coder, struct order_message *message,
    struct known *known, const bool decoding)
{
        int64_t next = sum(coder->last_trade, 1);
        int64_t jump = signed_code(&coder->columns[OC_TRADE], &coder->bits,
            difference(message->trade_id, next), &coder->failed, decoding);
        coder->last_trade = message->trade_id = sum(next, jump);
        if (!(message->has & ORDER_HAS_OTHER))
                return;
        if (!decoding)
                known->taker = waiting_find(&coder->waiting, &message->other);
        uint64_t place = number_code(&coder->columns[OC_TAKER], &coder->bits,
            (uint32_t)(known->taker + 1), &coder->failed, decoding);
        known->taker = (uint32_t)place - 1;
        if (!place)
                code_id(coder, &message->other, decoding);
        else if (place > coder->waiting.count)
                coder->failed = true;
        else
                message->other = waiting_at(&coder->waiting, known->taker)->id;
}

/* What the message makes of the orders that wait. The book has not seen it yet. */
static void note_waiting(
    struct waiting *waiting, const struct order_message *message, const struct known *known)
{
        struct waiting_order order = {message->id, message->price, message->size, message->side};
        bool waits = known->where == WHERE_WAITING;
        if (message->type == ORDER_RECEIVED) {
                waiting_add(waiting, &order);
        } else if (message->type == ORDER_OPEN || message->type == ORDER_DONE) {
                if (waits)
                        waiting_remove(waiting, known->rank);
        } else if (message->type == ORDER_CHANGE && waits) {
                *waiting_at(waiting, known->rank) = order;
        } else if (message->type == ORDER_MATCH) {
                if (known->taker != WAITING_NONE) {
                        struct waiting_order *taker = waiting_at(waiting, known->taker);
                        taker->size = difference(taker->size, message->size);
                }
                order.price = known->price;
                order.size = 0;
                if (known->where == WHERE_BOOK && message->size >= known->size)
                        waiting_add(waiting, &order);
        }
}

CODEC_INLINE void code_what(
    struct order_coder *coder, struct order_message *message, const bool decoding)
{
        unsigned class = coder->heads.class;
        unsigned what = (unsigned)message->type | (unsigned)message->reason << REASON_SHIFT;
        what = column_code(&coder->columns[OC_WHAT + class], what, &coder->failed, decoding);
        message->type = what & 7;
        message->reason = (uint8_t)(what >> REASON_SHIFT);
        if (message->type >= ORDER_TYPES || type_classes[message->type] != class) {
                coder->failed = true;
                return;
        }
        message->has = (uint8_t)column_code(
            &coder->columns[OC_HAS + message->type], message->has, &coder->failed, decoding);
        coder->failed |= !message_is_sound(message);
}

CODEC_INLINE void code_message(struct order_coder *coder, struct book *book,
    struct order_message *message, const bool decoding)
{
        struct known known = {.taker = WAITING_NONE};
        code_what(coder, message, decoding);
        if (coder->failed || message->type == ORDER_OTHER)
                return;
        if (message->type == ORDER_RECEIVED || message->type == ORDER_ACTIVATE) {
                code_side(coder, message, decoding);
                code_id(coder, &message->id, decoding);
        } else {
                if (!decoding)
                        known = find_known(coder, book, message);
                known.taker = WAITING_NONE;
                code_known(coder, book, message, &known, decoding);
        }
        if (message->type == ORDER_MATCH)
                code_taker(coder, message, &known, decoding);
        else if (message->has & ORDER_HAS_OTHER)
                code_own_id(coder, message, decoding);
        if (coder->failed)
                return;
        code_values(coder, book, message, &known, decoding);
        if (message->has & ORDER_HAS_FUNDS)
                code_funds(coder, message, decoding);
        if (!coder->failed)
                note_waiting(&coder->waiting, message, &known);
}

/* ---- images ---- */

/* The key of the next order of an image: the same as before, or so many ticks behind it. */
CODEC_INLINE int64_t code_next_key(
    struct order_coder *coder, int64_t before, bool first, int64_t key, const bool decoding)
{
        uint64_t steps = OFF_GRID;
        if (!decoding && !first) {
                uint64_t distance = (uint64_t)difference(key, before);
                uint64_t ticks = distance / (uint64_t)coder->tick;
                if (distance % (uint64_t)coder->tick == 0 && ticks < UINT64_MAX)
                        steps = ticks ? ticks + 1 : 0;
        }
        steps =
            number_code(&coder->columns[OC_QUEUES], &coder->bits, steps, &coder->failed, decoding);
        if (!steps)
                return before;
        if (steps == OFF_GRID)
                return (int64_t)bits_code_long(
                    &coder->bits, (uint64_t)key, 64, &coder->failed, decoding);
        return sum(before, (int64_t)((steps - 1) * (uint64_t)coder->tick));
}

void order_add_image(struct order_coder *coder, const struct book *book, struct event event)
{
        const struct order *order;
        for (enum side s = 0; s < SIDES; s++) {
                struct order_cursor cursor = {0};
                event.count[s] = 0;
                while (book_next_order(book, s, &cursor))
                        event.count[s]++;
        }
        heads_write(&coder->heads, &event, CLASS_OTHER);
        for (enum side s = 0; s < SIDES; s++) {
                struct order_cursor cursor = {0};
                int64_t key = 0;
                for (uint32_t i = 0; (order = book_next_order(book, s, &cursor)); i++) {
                        struct order_id id = order->id;
                        int64_t next = book_key(s, order->price);
                        code_next_key(coder, key, i == 0, next, false);
                        code_size(coder, ORDER_OPEN, order->size, false);
                        code_id(coder, &id, false);
                        key = next;
                }
        }
}

int order_image(struct order_coder *coder, struct book *book, const struct event *event)
{
        struct order_loader loader;
        order_loader_begin(&loader, book);
        for (enum side s = 0; s < SIDES; s++) {
                int64_t key = 0;
                for (uint32_t i = 0; i < event->count[s]; i++) {
                        struct order_id id = {0};
                        key = code_next_key(coder, key, i == 0, 0, true);
                        int64_t size = code_size(coder, ORDER_OPEN, 0, true);
                        code_id(coder, &id, true);
                        if (coder->failed || size <= 0 ||
                            orders_find(book->orders, &id) != ORDER_NONE ||
                            order_loader_add(&loader, s, &id, book_key(s, key), size))
                                return ERR_CORRUPT;
                }
        }
        order_loader_end(&loader);
        return 0;
}

/* ---- blocks ---- */

static struct dense_block block_of(struct order_coder *coder)
{
        return (struct dense_block){&coder->heads, coder->columns, OC_COLUMNS, &coder->bits};
}

void order_encoder_init(struct order_coder *coder)
{
        *coder = (struct order_coder){.heads = {.messages = true}};
        ranks_init(&coder->ranks);
}

void order_encoder_deinit(struct order_coder *coder)
{
        struct dense_block block = block_of(coder);
        dense_free(&block);
        ranks_deinit(&coder->ranks);
}

void order_coder_reset(struct order_coder *coder)
{
        ranks_clear(&coder->ranks);
        coder->waiting.count = 0;
        coder->last_number = 0;
        coder->last_plain = (struct order_id){0};
        coder->last_trade = 0;
}

void order_begin(struct order_coder *coder, const struct scale *scale, const struct event *first)
{
        struct dense_block block = block_of(coder);
        dense_begin(&block, first);
        coder->tick = scale->tick;
}

void order_add(struct order_coder *coder, struct book *book, const struct event *event)
{
        struct order_message message = *event->order;
        assert(message_is_sound(&message)); /* parsers give no other */
        heads_write(&coder->heads, event, type_classes[message.type]);
        code_message(coder, book, &message, false);
        book_apply(book, event);
}

size_t order_size(struct order_coder *coder)
{
        struct dense_block block = block_of(coder);
        return dense_size(&block);
}

void order_finish(struct order_coder *coder, struct buffer *ret_block)
{
        struct dense_block block = block_of(coder);
        dense_finish(&block, ret_block);
}

void order_decoder_init(struct order_coder *coder)
{
        *coder = (struct order_coder){.heads = {.messages = true}};
        ranks_init(&coder->ranks);
}

void order_decoder_deinit(struct order_coder *coder)
{
        ranks_deinit(&coder->ranks);
}

int order_open(struct order_coder *coder, const struct scale *scale, const struct event *first,
    struct bytes bytes)
{
        struct dense_block block = block_of(coder);
        coder->tick = scale->tick;
        coder->failed = false;
        return dense_open(&block, first, bytes);
}

int order_next(struct order_coder *coder, struct event *ret_event)
{
        struct dense_block block = block_of(coder);
        unsigned bits;
        return dense_next(&block, ret_event, &bits);
}

int order_read(struct order_coder *coder, struct book *book, struct order_message *ret_message)
{
        struct order_message message = {0};
        code_message(coder, book, &message, true);
        if (coder->failed)
                return ERR_CORRUPT;
        *ret_message = message;
        return 0;
}
