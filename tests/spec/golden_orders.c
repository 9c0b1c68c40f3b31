/* Feeds a recorder with the orders of one symbol and the trades of two, over a midnight: every type
 * of message, orders that wait from block to block, images, headless runs, a gap behind which
 * orders have numbers, owners' ids in every form, fills, another scale, and open frames at the end.
 */
#include "tests/spec/golden_orders.h"

#include "record/record.h"
#include "tests/spec/rows.h"

#define STORY_ORDERS 2048 /* of a side of an image */
#define STORY_WAITERS 8
#define STORY_START (day_start_ns(GOLDEN_DAY + 1) - 40 * NS_PER_S)

enum story_stream {
        STORY_BOOK,
        STORY_TAPE,      /* trades as the book's exchange tells them */
        STORY_AGGREGATE, /* trades of several fills */
        STORY_STREAMS,
};

/* An order that was received, and is not open yet. */
struct waiter {
        struct order_id id;
        enum side side;
        int64_t price, size;
};

struct story {
        struct store *store;
        struct recorder *recorder;
        struct record_stream *streams[STORY_STREAMS];
        uint64_t random;
        int64_t now_ns, trade_id, fill;
        int64_t ids[STORY_STREAMS];    /* of the newest event */
        uint64_t number;               /* of the newest order, where ids are numbers; else 0 */
        int64_t price_unit, size_unit; /* what 1 of the first scale is now */
        uint64_t counter;              /* in an owner's ids */
        struct waiter waiters[STORY_WAITERS];
        unsigned waiter_count;
        int64_t pace; /* 0: all at the same time */
        bool begins;  /* the next message is the first one of a run without a book */
        struct level levels[SIDES][STORY_ORDERS];
        struct order_id orders[SIDES][STORY_ORDERS];
        int code; /* the first error */
};

static const struct stream_name story_names[STORY_STREAMS] = {
    {"coinbase", "GOLD-USD", KIND_L3, true}, {"coinbase", "GOLD-USD", KIND_TRADES, true},
    {"binance", "GOLDUSDT", KIND_TRADES, true}};
static const struct scale story_scale = {2, 3, false, 5, 10};

static void story_check(struct story *story, int code)
{
        story->code = story->code ? story->code : code;
}

static int64_t story_random(struct story *story, uint32_t below)
{
        story->random = story->random * UINT64_C(6364136223846793005) + 1442695040888963407;
        return (int64_t)((story->random >> 33) % below);
}

/* ---- values ---- */

static int64_t story_price(struct story *story, enum side side)
{
        int64_t away = 5 * (1 + story_random(story, 1 + (uint32_t)story_random(story, 40)));
        int64_t off = !story_random(story, 40);
        if (!story_random(story, 20))
                away = INT64_C(5) << story_random(story, 11);
        return ((side == SIDE_BID ? 10000 - away : 10000 + away) + off) * story->price_unit;
}

static int64_t story_size(struct story *story)
{
        static const int64_t sizes[] = {10, 10, 10, 50, 100, 100, 120, 1000, 2500, 7};
        int64_t size = story_random(story, 3) ? sizes[story_random(story, 10)]
                                              : 10 * (1 + story_random(story, 90000));
        return size * story->size_unit;
}

static void story_bytes(struct story *story, uint8_t bytes[16])
{
        for (unsigned i = 0; i < 16; i++)
                bytes[i] = (uint8_t)story_random(story, 256);
        if (!story_random(story, 16))
                return;
        bytes[6] = (uint8_t)(bytes[6] % 16 + 0x40);
        bytes[8] = (uint8_t)(bytes[8] % 64 + 0x80);
}

static void story_put_number(uint8_t bytes[8], uint64_t number)
{
        for (unsigned i = 0; i < 8; i++)
                bytes[i] = (uint8_t)(number >> (56 - 8 * i));
}

static struct order_id story_new_id(struct story *story)
{
        struct order_id id = {0};
        if (story->number)
                story_put_number(id.bytes + 8, ++story->number);
        else
                story_bytes(story, id.bytes);
        return id;
}

/* An id of the owner's own: none, with dashes, or without, one counted up from the one before. */
static void story_owner(struct story *story, struct order_message *message)
{
        static const char own[] = "counted:";
        int64_t form = story->number ? 0 : story_random(story, 5);
        if (!form)
                return;
        message->has |= ORDER_HAS_OTHER | (form > 1 ? ORDER_OTHER_PLAIN : 0);
        if (form < 3) {
                story_bytes(story, message->other.bytes);
                return;
        }
        memcpy(message->other.bytes, own, 8);
        story->counter += (uint64_t)story_random(story, 5) - 1;
        story_put_number(message->other.bytes + 8, story->counter);
}

/* ---- messages ---- */

static void story_step(struct story *story)
{
        story->now_ns += story->pace * story_random(story, 4) * story_random(story, 60000) * 1000;
        story->now_ns += story_random(story, 30) ? 0 : story->pace * story_random(story, 1000);
}

static void story_send(struct story *story, const struct order_message *message)
{
        struct record_stream *stream = story->streams[STORY_BOOK];
        story_step(story);
        struct event event = {.event_time_ns = story->now_ns / 1000 * 1000 - 1500000,
            .receive_time_ns = story->now_ns,
            .first_id = ++story->ids[STORY_BOOK],
            .last_id = story->ids[STORY_BOOK],
            .type = TYPE_ORDER,
            .order = message};
        if (!story_random(story, 50))
                event.event_time_ns -= NS_PER_S + 17;
        if (!story_random(story, 60))
                event.flags = EVENT_TIME_REPLACED;
        if (record_has_book(stream))
                story_check(story, record_event(stream, &event));
        else
                record_headless(stream, &event, story->begins);
        story->begins = false;
        if (story->ids[STORY_BOOK] % 8 == 0)
                recorder_tick(story->recorder, story->now_ns);
}

static struct order_message story_message(
    enum order_type type, const struct waiter *order, uint8_t has)
{
        return (struct order_message){.type = (uint8_t)type,
            .side = (uint8_t)order->side,
            .id = order->id,
            .has = has,
            .price = has & ORDER_HAS_PRICE ? order->price : 0,
            .size = has & ORDER_HAS_SIZE ? order->size : 0};
}

/* Some order of the side near the best price; false: there is none. */
static bool story_pick(struct story *story, enum side side, struct waiter *ret_order)
{
        struct order_cursor cursor = {0};
        const struct order *order = NULL, *next;
        for (int64_t i = story_random(story, 12); i >= 0; i--) {
                next = book_next_order(record_book(story->streams[STORY_BOOK]), side, &cursor);
                order = next ? next : order;
        }
        if (order)
                *ret_order = (struct waiter){order->id, side, order->price, order->size};
        return order;
}

static void story_forget(struct story *story, unsigned i)
{
        story->waiters[i] = story->waiters[--story->waiter_count];
}

static void story_receive(struct story *story)
{
        enum side side = (enum side)story_random(story, SIDES);
        struct waiter order = {
            story_new_id(story), side, story_price(story, side), story_size(story)};
        bool market = !story_random(story, 6);
        uint8_t has = market ? 0 : ORDER_HAS_PRICE | ORDER_HAS_SIZE;
        if (market && story_random(story, 2))
                has = ORDER_HAS_SIZE;
        struct order_message message = story_message(ORDER_RECEIVED, &order, has);
        message.reason = market ? REASON_MARKET : REASON_LIMIT;
        if (market && story_random(story, 2)) {
                message.has |= ORDER_HAS_FUNDS;
                snprintf(message.funds, sizeof(message.funds), "%d.%02d",
                    (int)story_random(story, 100000), (int)story_random(story, 100));
        }
        story_owner(story, &message);
        story_send(story, &message);
        if (story->waiter_count == STORY_WAITERS)
                story_forget(story, (unsigned)story_random(story, STORY_WAITERS));
        story->waiters[story->waiter_count++] = order;
}

static void story_open_order(struct story *story)
{
        if (!story->waiter_count)
                return;
        unsigned i = (unsigned)story_random(story, story->waiter_count);
        struct order_message message =
            story_message(ORDER_OPEN, &story->waiters[i], ORDER_HAS_PRICE | ORDER_HAS_SIZE);
        if (message.size > 0)
                story_send(story, &message);
        story_forget(story, i);
}

static void story_done(
    struct story *story, struct waiter order, enum order_reason reason, int64_t left)
{
        uint8_t has = ORDER_HAS_PRICE | ORDER_HAS_SIZE;
        order.size = left;
        struct order_message message =
            story_message(ORDER_DONE, &order, story_random(story, 8) ? has : 0);
        message.reason = (uint8_t)reason;
        story_send(story, &message);
}

/* One that waits takes from the other side, or nobody known does. */
static void story_match(struct story *story)
{
        unsigned i = story->waiter_count ? (unsigned)story_random(story, story->waiter_count) : 0;
        struct waiter unknown = {story_new_id(story), SIDE_ASK, 0, story_size(story)}, maker;
        bool known = story->waiter_count && story_random(story, 8);
        struct waiter *taker = known ? &story->waiters[i] : &unknown;
        if (!story_pick(story, taker->side == SIDE_BID ? SIDE_ASK : SIDE_BID, &maker))
                return;
        struct order_message message =
            story_message(ORDER_MATCH, &maker, ORDER_HAS_PRICE | ORDER_HAS_SIZE);
        message.size = maker.size < taker->size ? maker.size : taker->size;
        if (story_random(story, 10)) {
                message.has |= ORDER_HAS_OTHER;
                message.other = taker->id;
        }
        story->trade_id += 1 + 5 * !story_random(story, 9);
        message.trade_id = story->trade_id;
        story_send(story, &message);
        taker->size -= message.size;
        if (maker.size == message.size)
                story_done(story, maker, REASON_FILLED, 0);
        if (known && !taker->size) {
                story_done(story, *taker, REASON_FILLED, 0);
                story_forget(story, i);
        }
}

static void story_cancel(struct story *story)
{
        struct waiter order;
        bool waits = story->waiter_count && !story_random(story, 6);
        unsigned i = waits ? (unsigned)story_random(story, story->waiter_count) : 0;
        if (waits)
                order = story->waiters[i];
        else if (!story_pick(story, (enum side)story_random(story, SIDES), &order))
                return;
        story_done(story, order, REASON_CANCELED, order.size);
        if (waits)
                story_forget(story, i);
}

/* Smaller or larger, at another price or not, by the owner or not, resting or waiting. */
static void story_change(struct story *story)
{
        static const uint8_t reasons[] = {
            REASON_NONE, REASON_STP, REASON_MODIFY, REASON_MODIFY, REASON_OTHER};
        struct waiter order;
        if (story->waiter_count && !story_random(story, 4))
                order = story->waiters[0];
        else if (!story_pick(story, (enum side)story_random(story, SIDES), &order))
                return;
        struct order_message message =
            story_message(ORDER_CHANGE, &order, (uint8_t)story_random(story, 16));
        message.reason = reasons[story_random(story, 5)];
        if (message.has & ORDER_HAS_OLD_PRICE)
                message.old_price = order.price - !story_random(story, 9);
        if (message.has & ORDER_HAS_OLD_SIZE)
                message.old_size = order.size + !story_random(story, 9);
        if (message.has & ORDER_HAS_PRICE && story_random(story, 3))
                message.price = story_price(story, order.side);
        if (message.has & ORDER_HAS_SIZE && story_random(story, 5))
                message.size = story_random(story, 12) ? story_size(story) : 0;
        if (!story_random(story, 6)) {
                message.has |= ORDER_HAS_FUNDS;
                snprintf(message.funds, sizeof(message.funds), "0.%037d", 1);
        }
        story_send(story, &message);
}

static void story_activate(struct story *story)
{
        enum side side = (enum side)story_random(story, SIDES);
        struct waiter order = {
            story_new_id(story), side, story_price(story, side), story_size(story)};
        struct order_message message = story_message(
            ORDER_ACTIVATE, &order, ORDER_HAS_PRICE | ORDER_HAS_SIZE | ORDER_HAS_FUNDS);
        message.reason = (uint8_t)(REASON_ENTRY + story_random(story, 3));
        snprintf(message.funds, sizeof(message.funds), "12.5");
        story_owner(story, &message);
        story_send(story, &message);
}

/* About an order that nobody has heard of, far away or on either side; or what nobody expects of
 * one that is known. */
static void story_stranger(struct story *story)
{
        static const uint8_t types[] = {
            ORDER_OPEN, ORDER_MATCH, ORDER_DONE, ORDER_CHANGE, ORDER_OTHER};
        uint8_t type = types[story_random(story, 5)];
        enum side side = (enum side)story_random(story, SIDES);
        struct waiter order = {
            story_new_id(story), side, story_price(story, side), story_size(story)};
        if (story->waiter_count && !story_random(story, 3))
                order = (struct waiter){story->waiters[0].id, story->waiters[0].side,
                    story_price(story, story->waiters[0].side), order.size};
        else if (record_has_book(story->streams[STORY_BOOK]) && !story_random(story, 3))
                story_pick(story, side, &order);
        else if (!story_random(story, 3))
                order.price = side == SIDE_BID ? 17 : INT64_C(1) << 53;
        uint8_t has = (uint8_t)story_random(story, 4);
        struct order_message message = story_message(type, &order, has);
        if (type == ORDER_OTHER)
                message = (struct order_message){.type = type};
        story_send(story, &message);
}

/* Prices that halve the space before the next one; one opened twice; a maker that only waits. */
static void story_oddities(struct story *story)
{
        struct waiter order = {.side = SIDE_ASK, .size = 120 * story->size_unit};
        struct order_message message;
        uint8_t has = ORDER_HAS_PRICE | ORDER_HAS_SIZE;
        for (unsigned octave = 12; octave > 4; octave--) {
                order.id = story_new_id(story);
                order.price = (10000 + (INT64_C(5) << octave)) * story->price_unit;
                message = story_message(ORDER_OPEN, &order, has);
                story_send(story, &message);
        }
        story_send(story, &message);
        story_receive(story);
        message = story_message(ORDER_MATCH, &story->waiters[story->waiter_count - 1], has);
        message.trade_id = story->trade_id += 70;
        story_send(story, &message);
}

static void story_trade(struct story *story, enum story_stream to, bool together);

static void story_run(struct story *story, unsigned count)
{
        static void (*const acts[])(struct story *) = {story_receive, story_receive, story_receive,
            story_receive, story_open_order, story_open_order, story_open_order, story_open_order,
            story_match, story_match, story_cancel, story_cancel, story_change, story_change,
            story_activate, story_stranger};
        for (unsigned i = 0; i < count; i++) {
                acts[story_random(story, 16)](story);
                if (story_random(story, 4))
                        continue;
                enum story_stream to = STORY_TAPE + (enum story_stream)story_random(story, 2);
                for (int64_t left = story_random(story, 3); left >= 0; left--)
                        story_trade(story, to, left > 0);
        }
}

/* ---- trades ---- */

static void story_begin_tape(struct story *story, enum story_stream to)
{
        struct image empty = {.id = story->ids[to], .receive_time_ns = story->now_ns};
        story_check(story, record_image(story->streams[to], &empty));
}

/* @together: at the time of what came before. */
static void story_trade(struct story *story, enum story_stream to, bool together)
{
        enum side side = (enum side)story_random(story, SIDES);
        struct level level = {story_price(story, side), story_size(story)};
        if (!together)
                story_step(story);
        struct event event = {.event_time_ns = story->now_ns / NS_PER_MS * NS_PER_MS,
            .receive_time_ns = story->now_ns + 250000,
            .first_id = ++story->ids[to],
            .last_id = story->ids[to],
            .count = {side == SIDE_BID, side == SIDE_ASK},
            .levels = {&level, &level},
            .type = to == STORY_TAPE ? TYPE_TRADE : TYPE_AGGREGATE};
        if (to == STORY_AGGREGATE) {
                story->fill += 1 + 9 * !story_random(story, 9);
                event.first_trade = story->fill;
                event.last_trade = story->fill += story_random(story, 4) * story_random(story, 4);
        }
        if (!story_random(story, 30))
                event.flags = EVENT_TIME_REPLACED;
        story_check(story, record_event(story->streams[to], &event));
}

/* ---- images ---- */

/* Queues of one to four orders each, best first, and how many prices. */
static void story_fill_side(struct story *story, enum side side, uint32_t prices, uint32_t *ret)
{
        uint32_t count = 0;
        for (int64_t i = 1; i <= prices; i++) {
                int64_t away = (5 * i + (i % 13 == 0)) * story->price_unit;
                int64_t price = 10000 * story->price_unit + (side == SIDE_BID ? -away : away);
                for (int64_t left = story_random(story, 4); left >= 0; left--, count++) {
                        story->levels[side][count] = (struct level){price, story_size(story)};
                        story->orders[side][count] = story_new_id(story);
                }
        }
        *ret = count;
}

static struct image story_image(struct story *story, int64_t id)
{
        return (struct image){.kind = KIND_L3,
            .id = id,
            .receive_time_ns = story->now_ns,
            .levels = {story->levels[SIDE_BID], story->levels[SIDE_ASK]},
            .orders = {story->orders[SIDE_BID], story->orders[SIDE_ASK]}};
}

/* Some messages wait; an image comes that contains the first half of them. */
static void story_bridge(struct story *story, uint32_t prices)
{
        int64_t id = story->ids[STORY_BOOK];
        story->begins = true;
        for (unsigned i = 0; i < 8; i++) {
                (i % 3 ? story_receive : story_stranger)(story);
                id = i == 3 ? story->ids[STORY_BOOK] : id;
        }
        recorder_tick(story->recorder, story->now_ns);
        struct image image = story_image(story, id);
        story_fill_side(story, SIDE_BID, prices, &image.count[SIDE_BID]);
        story_fill_side(story, SIDE_ASK, prices, &image.count[SIDE_ASK]);
        story_check(story, record_image(story->streams[STORY_BOOK], &image));
}

/* What the exchange says now: the book, or the book without its last bid. */
static void story_correct(struct story *story, bool differs)
{
        struct record_stream *stream = story->streams[STORY_BOOK];
        struct image image = story_image(story, story->ids[STORY_BOOK]);
        uint32_t differences = 0;
        record_tail_begin(stream);
        for (enum side s = 0; s < SIDES; s++) {
                struct order_cursor cursor = {0};
                const struct order *order;
                while ((order = book_next_order(record_book(stream), s, &cursor))) {
                        story->levels[s][image.count[s]] =
                            (struct level){order->price, order->size};
                        story->orders[s][image.count[s]++] = order->id;
                }
        }
        image.count[SIDE_BID] -= differs;
        story_run(story, 3);
        story_check(story, record_correct(stream, &image, &differences));
        story_check(story, !differences == !differs ? 0 : ERR_CORRUPT);
}

/* ---- the recorder ---- */

static int story_open(struct story *story, const struct store_ops *ops, const char *path,
    uint64_t seed, struct error *error)
{
        struct store_options options = {.path = path, .mode = STORE_WRITE};
        struct record_options record = record_defaults;
        *story = (struct story){.random = seed,
            .now_ns = STORY_START,
            .ids = {5000, 8000, 3000000},
            .trade_id = 700,
            .fill = 90000,
            .counter = 41,
            .price_unit = 1,
            .size_unit = 1,
            .pace = 1};
        record.without_thread = true;
        record.seal_after_ns = 5 * NS_PER_S;
        record.image_factor = 1;
        record.image_min_ns = 20 * NS_PER_S;
        int code = ops->open(&story->store, &options, error);
        if (!code)
                code = recorder_open(&story->recorder, story->store, &record, error);
        for (unsigned i = 0; i < STORY_STREAMS && !code; i++)
                code = record_stream_open(story->recorder, &story_names[i], &story_scale,
                    story->now_ns, &story->streams[i], error);
        return code;
}

static int story_close(struct story *story, struct error *error)
{
        story_check(story, recorder_close(story->recorder, story->now_ns, NS_PER_S, error));
        story->store->ops->close(story->store);
        return story->code;
}

/* More orders than a decoder lets wait, each of them opened or canceled later. */
static void story_crowd(struct story *story)
{
        static struct waiter crowd[1100];
        story->pace = 0;
        for (unsigned i = 0; i < 1100; i++) {
                story_receive(story);
                crowd[i] = story->waiters[story->waiter_count - 1];
        }
        story->waiter_count = 0;
        for (unsigned i = 0; i < 1100; i++) {
                uint8_t has = ORDER_HAS_PRICE | ORDER_HAS_SIZE;
                struct order_message message =
                    story_message(i % 3 ? ORDER_OPEN : ORDER_DONE, &crowd[i], has);
                if (message.size > 0)
                        story_send(story, &message);
        }
        story->pace = 1;
}

static void story_second_day(struct story *story, unsigned factor)
{
        story->now_ns = day_start_ns(GOLDEN_DAY + 1) + 10 * NS_PER_S;
        story_run(story, 40 * factor);
        for (unsigned i = 0; i < STORY_STREAMS; i++)
                story_check(story, record_rescale(story->streams[i], 4, 4, 0, 0, story->now_ns));
        story->price_unit = 100;
        story->size_unit = 10;
        story->waiter_count = 0;
        story_run(story, 40 * factor);
        recorder_tick(story->recorder, story->now_ns);
}

/* The last blocks are not sealed yet when it ends. */
static void story_tell(struct story *story, unsigned factor)
{
        struct record_stream *book = story->streams[STORY_BOOK];
        record_set_source(book, "full", "");
        record_set_source(story->streams[STORY_TAPE], "matches", "");
        story_bridge(story, 12 * factor);
        story_begin_tape(story, STORY_TAPE);
        story_begin_tape(story, STORY_AGGREGATE);
        story_run(story, 140 * factor);
        story_oddities(story);
        story_correct(story, true);
        story_run(story, 20 * factor);
        story_correct(story, false);
        if (factor > 1)
                story_crowd(story);
        record_gap(book, GAP_SEQUENCE, story->now_ns, "messages are missing");
        record_gap(story->streams[STORY_TAPE], GAP_DISCONNECT, story->now_ns, "");
        record_set_source(book, "full", "orders by number");
        story->ids[STORY_BOOK] += 50;
        story->number = 1;
        story->waiter_count = 0;
        story_bridge(story, 5 * factor);
        story_begin_tape(story, STORY_TAPE);
        story_run(story, 60 * factor);
        story_second_day(story, factor);
}

struct rows {
        golden_row_cb row_cb;
        void *user;
};

static void give_row(uint32_t place, const struct store_cursor *row, void *user)
{
        const struct rows *rows = user;
        struct golden_row golden = {place, row->table, row->key, row->value};
        if (row->table != STORE_INFO)
                rows->row_cb(&golden, rows->user);
}

int golden_orders_rows(golden_row_cb row_cb, void *user)
{
        struct rows rows = {row_cb, user};
        struct story *story = memory_new(sizeof(*story));
        struct error error = {0};
        if (story_open(story, &store_memory, "orders", 1, &error))
                abort();
        story_tell(story, 1);
        story_check(story, rows_each(story->store, give_row, &rows, &error));
        int code = story_close(story, &error);
        free(story);
        return code;
}

int golden_orders_store(const char *path, uint64_t seed, struct error *error)
{
        struct story *story = memory_new(sizeof(*story));
        int code = story_open(story, &store_lmdb, path, seed, error);
        if (!code) {
                story_tell(story, 12);
                code = story_close(story, error);
        }
        free(story);
        return code;
}
