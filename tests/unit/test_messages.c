/* Orders and trades: whatever messages come, they come back equal in every field, with the book
 * that they build; through blocks, segments and images. */
#include "base/error.h"
#include "tests/unit/message_help.h"

#define POOL 600 /* ids that a market names again */

/* ---- an exchange of chance: hard messages for a book ---- */

struct market {
        struct chance chance;
        struct scale scale;
        struct book book; /* kept by book_apply alone */
        int64_t time_ns, id, trade;
        uint64_t number; /* of the newest order, where ids are numbers */
        bool wild;       /* any number is possible; else those of a market */
        bool numbered;
        struct order_id pool[POOL];
        size_t pooled;
        struct event event; /* the newest */
        struct order_message order;
};

static void market_begin(struct market *market, uint64_t seed)
{
        static const int64_t ticks[] = {1, 1, 10, 1000, 25, INT64_MAX / 100};
        *market = (struct market){.chance = {seed},
            .scale = {2, 8, true, ticks[seed % 6], 1},
            .time_ns = T0,
            .id = 1000,
            .trade = 500,
            .wild = seed % 3 == 2,
            .numbered = seed % 4 == 1};
        book_init(&market->book);
        book_begin_orders(&market->book);
}

static void market_end(struct market *market)
{
        book_deinit(&market->book);
}

static void set_number(struct order_id *id, uint64_t number)
{
        *id = (struct order_id){0};
        for (unsigned i = 0; i < 8; i++)
                id->bytes[15 - i] = (uint8_t)(number >> 8 * i);
}

/* A UUID of version 4, a number, anything; or one that was named before. */
static struct order_id any_id(struct market *market, bool again)
{
        struct chance *chance = &market->chance;
        struct order_id id;
        if (again && market->pooled)
                return market->pool[chance_below(chance, market->pooled)];
        for (unsigned i = 0; i < sizeof(id.bytes); i++)
                id.bytes[i] = (uint8_t)chance_next(chance);
        id.bytes[6] = (uint8_t)(0x40 | (id.bytes[6] & 15));
        id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 63));
        if (market->numbered && !chance_one_in(chance, 20)) {
                market->number += chance_one_in(chance, 5) ? chance_below(chance, 300) : 1;
                set_number(&id, market->number);
        } else if (market->wild && chance_one_in(chance, 4)) {
                set_number(&id, (uint64_t)chance_int64(chance));
        }
        market->pool[market->pooled < POOL ? market->pooled++ : chance_below(chance, POOL)] = id;
        return id;
}

static int64_t any_price(struct market *market, enum side side)
{
        struct chance *chance = &market->chance;
        int64_t price = (int64_t)chance_below(chance, 60), tick = market->scale.tick;
        price = side == SIDE_BID ? 3000 - price : 3001 + price;
        if (market->wild && chance_one_in(chance, 3))
                return chance_int64(chance);
        if (chance_one_in(chance, 20))
                price *= 1 + (int64_t)chance_below(chance, 2000);
        if (__builtin_mul_overflow(price, tick, &price))
                return chance_int64(chance);
        return chance_one_in(chance, 20) && price < INT64_MAX ? price + 1 : price;
}

static int64_t any_size(struct market *market)
{
        struct chance *chance = &market->chance;
        if (market->wild && chance_one_in(chance, 6))
                return chance_int64(chance);
        if (chance_one_in(chance, 6))
                return (int64_t)chance_below(chance, 1000000);
        return (int64_t)(1 + chance_below(chance, 12)) * 100000;
}

/* Mostly what an exchange sends with a type, else any fields; those that are absent are 0. */
static uint8_t any_fields(struct chance *chance, enum order_type type)
{
        static const uint8_t usual[ORDER_TYPES] = {
            [ORDER_RECEIVED] = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
            [ORDER_OPEN] = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
            [ORDER_MATCH] = ORDER_HAS_PRICE | ORDER_HAS_SIZE | ORDER_HAS_OTHER,
            [ORDER_DONE] = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
            [ORDER_CHANGE] =
                ORDER_HAS_PRICE | ORDER_HAS_SIZE | ORDER_HAS_OLD_PRICE | ORDER_HAS_OLD_SIZE,
            [ORDER_ACTIVATE] = ORDER_HAS_PRICE | ORDER_HAS_SIZE | ORDER_HAS_FUNDS};
        uint8_t has = chance_one_in(chance, 4) ? (uint8_t)chance_below(chance, ORDER_FIELDS + 1)
                                               : usual[type];
        if (type == ORDER_RECEIVED && chance_one_in(chance, 2))
                has |= ORDER_HAS_OTHER;
        if (has & ORDER_HAS_OTHER && chance_one_in(chance, 2))
                has |= ORDER_OTHER_PLAIN;
        if (!(has & ORDER_HAS_OTHER))
                has &= (uint8_t)~ORDER_OTHER_PLAIN;
        return type == ORDER_OTHER ? 0 : has;
}

/* An owner's id: of any kind, or counted from the one before. */
static void make_other(struct market *market, struct order_message *order)
{
        struct chance *chance = &market->chance;
        bool again = order->type == ORDER_MATCH && !chance_one_in(chance, 4);
        order->other = any_id(market, again || chance_one_in(chance, 4));
        if (order->has & ORDER_OTHER_PLAIN && chance_one_in(chance, 2)) {
                memset(order->other.bytes, 0x11, 12);
                order->other.bytes[15] = (uint8_t)chance_next(chance);
        }
}

/* What is said of an order that rests is mostly true. */
static void make_values(struct market *market, struct order_message *order)
{
        struct chance *chance = &market->chance;
        uint32_t place = orders_find(market->book.orders, &order->id);
        const struct order *rests =
            place == ORDER_NONE ? NULL : &market->book.orders->orders[place];
        if (rests && !chance_one_in(chance, 20))
                order->side = rests->side;
        bool true_price = rests && !chance_one_in(chance, 5);
        bool true_size = rests && !chance_one_in(chance, 3);
        if (order->has & ORDER_HAS_PRICE)
                order->price = true_price ? rests->price : any_price(market, order->side);
        if (order->has & ORDER_HAS_SIZE)
                order->size = true_size ? rests->size : any_size(market);
        if (order->has & ORDER_HAS_OLD_PRICE)
                order->old_price = rests ? rests->price : any_price(market, order->side);
        if (order->has & ORDER_HAS_OLD_SIZE)
                order->old_size = rests ? rests->size : any_size(market);
        if (order->has & ORDER_HAS_FUNDS)
                memcpy(order->funds, "12345678901234567890.123456789012345678",
                    chance_below(chance, sizeof(order->funds)));
}

static void make_order(struct market *market)
{
        static const uint8_t types[] = {ORDER_RECEIVED, ORDER_RECEIVED, ORDER_RECEIVED, ORDER_OPEN,
            ORDER_OPEN, ORDER_OPEN, ORDER_MATCH, ORDER_DONE, ORDER_DONE, ORDER_CHANGE,
            ORDER_ACTIVATE, ORDER_OTHER};
        struct chance *chance = &market->chance;
        struct order_message *order = &market->order;
        *order = (struct order_message){.type = types[chance_below(chance, COUNT(types))],
            .side = (uint8_t)chance_below(chance, SIDES),
            .reason = (uint8_t)chance_below(chance, REASONS)};
        order->has = any_fields(chance, order->type);
        if (order->type == ORDER_OTHER) {
                order->side = 0;
                return;
        }
        order->id = any_id(market,
            order->type != ORDER_RECEIVED ? !chance_one_in(chance, 8) : chance_one_in(chance, 9));
        if (order->has & ORDER_HAS_OTHER)
                make_other(market, order);
        make_values(market, order);
        if (order->type == ORDER_MATCH)
                order->trade_id = market->trade =
                    chance_one_in(chance, 5) ? chance_int64(chance) : sum(market->trade, 1);
}

/* Units get finer now and then, times go back, ids jump, and all may be anything. */
static void make_head(struct market *market)
{
        static const int64_t units[] = {NS_PER_MS, NS_PER_MS, NS_PER_US, 1};
        struct chance *chance = &market->chance;
        struct event *event = &market->event;
        int64_t step =
            (int64_t)chance_below(chance, 300) * units[chance_below(chance, 2 + market->id % 3)];
        if (chance_one_in(chance, 3))
                step = 0;
        market->time_ns += chance_one_in(chance, 6) ? -step : step;
        market->id += chance_one_in(chance, 9) ? (int64_t)chance_below(chance, 1000) - 300 : 1;
        *event = (struct event){.event_time_ns = market->time_ns,
            .receive_time_ns = market->time_ns + (int64_t)chance_below(chance, 90000) * 1000,
            .first_id = market->id,
            .last_id = market->id,
            .flags = chance_one_in(chance, 10) ? (uint32_t)chance_next(chance) : 0};
        if (chance_one_in(chance, 12))
                event->last_id += (int64_t)chance_below(chance, 9) - 3;
        if (market->wild && chance_one_in(chance, 5))
                event->event_time_ns = chance_int64(chance);
        if (market->wild && chance_one_in(chance, 5))
                event->receive_time_ns = chance_int64(chance);
        if (market->wild && chance_one_in(chance, 8))
                event->first_id = chance_int64(chance);
        if (market->wild && chance_one_in(chance, 8))
                event->last_id = chance_int64(chance);
}

/* The next message for which the book has room, applied to it. */
static void market_step(struct market *market)
{
        do {
                make_head(market);
                make_order(market);
                market->event.type = TYPE_ORDER;
                market->event.order = &market->order;
        } while (book_apply(&market->book, &market->event));
}

/* ---- the law ---- */

static void any_messages_come_back_equal_with_their_book(void **state)
{
        (void)state;
        struct market *market = memory_new(sizeof(*market));
        struct tape *tape = memory_new(sizeof(*tape));
        for (uint64_t seed = 0; seed < 90; seed++) {
                market_begin(market, seed);
                tape_begin(tape, METHOD_ORDERS, &market->scale);
                for (unsigned i = 0; i < seed % 7 * 20; i++)
                        market_step(market);
                tape_image(tape, &market->book); /* of an empty one, now and then */
                for (unsigned i = 0; i < 400; i++) {
                        market_step(market);
                        tape_add(tape, &market->event);
                        if (chance_one_in(&market->chance, 60))
                                tape_seal(tape);
                        if (chance_one_in(&market->chance, 200))
                                tape_image(tape, &market->book);
                        if (i % 50 == 0)
                                assert_books_equal(&tape->book, &market->book);
                }
                tape_seal(tape);
                assert_books_equal(&tape->book, &market->book);
                check_tape(tape);
                tape_end(tape);
                market_end(market);
        }
        free(market);
        free(tape);
}

/* ---- each type, with each combination of fields, of an order that is known or not ---- */

enum known {
        KNOWN_NOT,
        KNOWN_WAITING,
        KNOWN_RESTING,
        KNOWN_BOTH,
        KNOWN_OTHERWISE, /* waits, on the other side */
        KNOWNS
};

struct script {
        struct tape *tape;
        int64_t id;
        uint64_t number;
};

static void say(struct script *script, struct order_message order)
{
        script->id++;
        struct event event = {.event_time_ns = T0 + script->id * NS_PER_MS,
            .receive_time_ns = T0 + script->id * NS_PER_MS + 12345,
            .first_id = script->id,
            .last_id = script->id,
            .type = TYPE_ORDER,
            .order = &order};
        tape_add(script->tape, &event);
}

static struct order_message about(enum order_type type, uint64_t id, int64_t price, int64_t size)
{
        struct order_message order = {.type = (uint8_t)type,
            .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
            .price = price,
            .size = size};
        set_number(&order.id, id);
        order.id.bytes[0] = 0xab; /* not a number */
        return order;
}

/* Make @number known, so that the next message about it is told by what is known. */
static void introduce(struct script *script, enum known known, uint64_t number)
{
        struct order_message order = about(ORDER_OPEN, number, 700, 50);
        if (known == KNOWN_RESTING || known == KNOWN_BOTH)
                say(script, order);
        order.type = ORDER_RECEIVED;
        order.side = known == KNOWN_OTHERWISE;
        if (known == KNOWN_WAITING || known == KNOWN_BOTH || known == KNOWN_OTHERWISE)
                say(script, order);
}

static void fill_fields(struct order_message *order, uint64_t taker, unsigned way)
{
        if (order->has & ORDER_HAS_PRICE)
                order->price = way & 1 ? 700 : 703;
        if (order->has & ORDER_HAS_SIZE)
                order->size = way & 2 ? 50 : 31;
        if (order->has & ORDER_HAS_OLD_PRICE)
                order->old_price = way & 1 ? 699 : 700;
        if (order->has & ORDER_HAS_OLD_SIZE)
                order->old_size = way & 2 ? -4 : 50;
        if (order->has & ORDER_HAS_OTHER) {
                set_number(&order->other, taker);
                order->other.bytes[0] = 0xab;
        }
        if (order->has & ORDER_HAS_FUNDS)
                memcpy(order->funds, "0.25", 4);
        if (order->type == ORDER_MATCH)
                order->trade_id = (int64_t)taker * 3;
}

static void every_message_with_any_fields_comes_back_equal(void **state)
{
        (void)state;
        struct tape *tape = memory_new(sizeof(*tape));
        struct scale scale = {2, 8, true, 1, 1};
        struct script script = {.tape = tape};
        tape_begin(tape, METHOD_ORDERS, &scale);
        tape_image(tape, &tape->book);
        unsigned way = 0;
        for (unsigned type = 0; type < ORDER_OTHER; type++) {
                for (unsigned has = 0; has <= ORDER_FIELDS; has++) {
                        if (has & ORDER_OTHER_PLAIN && !(has & ORDER_HAS_OTHER))
                                continue;
                        for (unsigned known = 0; known < KNOWNS; known++) {
                                uint64_t number = ++script.number;
                                introduce(&script, known, number);
                                struct order_message order = about(type, number, 0, 0);
                                order.has = (uint8_t)has;
                                order.reason = (uint8_t)(way % REASONS);
                                fill_fields(&order, number - has % 3, way++);
                                say(&script, order);
                        }
                }
                tape_seal(tape);
        }
        for (uint8_t reason = 0; reason < REASONS; reason++)
                say(&script, (struct order_message){.type = ORDER_OTHER, .reason = reason});
        tape_seal(tape);
        check_tape(tape);
        tape_end(tape);
        free(tape);
}

/* ---- orders that wait ---- */

static void more_orders_than_can_wait_come_back_equal(void **state)
{
        (void)state;
        enum {
                ORDERS = 3 * WAITING_MAX
        };
        struct tape *tape = memory_new(sizeof(*tape));
        struct scale scale = {2, 8, true, 1, 1};
        struct script script = {.tape = tape};
        struct chance chance = {5};
        tape_begin(tape, METHOD_ORDERS, &scale);
        tape_image(tape, &tape->book);
        for (uint64_t i = 1; i <= ORDERS; i++)
                say(&script, about(ORDER_RECEIVED, i, 500 + (int64_t)i % 9, 10));
        assert_int_equal(tape->encoder.orders->waiting.count, WAITING_MAX);
        tape_seal(tape);
        for (uint64_t i = 1; i <= ORDERS; i++) {
                uint64_t number = 1 + (i * 1009 + chance_below(&chance, 3)) % ORDERS;
                say(&script, about(i % 3 ? ORDER_OPEN : ORDER_DONE, number, 500, 10));
        }
        assert_true(tape->encoder.orders->waiting.count < WAITING_MAX);
        tape_seal(tape);
        check_tape(tape);
        tape_end(tape);
        free(tape);
}

/* The bytes that the ids of a frame take. */
static size_t id_bytes(const struct kept_frame *frame)
{
        struct columns columns;
        columns_take(&columns, buffer_bytes(&frame->block));
        size_t size = 0;
        for (unsigned i = OC_ID_BYTES; i <= OC_ID_VARIANT; i++)
                size += columns.data[HEAD_COLUMNS + 1 + i].size;
        columns_free(&columns);
        return size;
}

/* An id is told once in a segment; behind an image an order that waited must be named again. */
static void orders_wait_from_block_to_block_but_not_beyond_a_segment(void **state)
{
        (void)state;
        struct tape *tape = memory_new(sizeof(*tape));
        struct scale scale = {2, 8, true, 1, 1};
        struct script script = {.tape = tape};
        tape_begin(tape, METHOD_ORDERS, &scale);
        tape_image(tape, &tape->book);
        for (uint64_t i = 1; i <= 20; i++)
                say(&script, about(ORDER_RECEIVED, i, 500, 10));
        tape_seal(tape);
        for (uint64_t i = 1; i <= 10; i++)
                say(&script, about(ORDER_OPEN, i, 500, 10));
        tape_seal(tape);
        tape_image(tape, &tape->book);
        for (uint64_t i = 1; i <= 20; i++)
                say(&script, about(ORDER_DONE, i, 500, 10));
        tape_seal(tape);
        assert_int_equal(id_bytes(&tape->frames[1]), 20 * 16);
        assert_int_equal(id_bytes(&tape->frames[2]), 0);
        assert_int_equal(id_bytes(&tape->frames[3]), 10 * 16);
        assert_int_equal(id_bytes(&tape->frames[4]), 10 * 16); /* ten of them rest */
        check_tape(tape);
        tape_end(tape);
        free(tape);
}

static void a_taker_waits_until_it_is_done(void **state)
{
        (void)state;
        struct tape *tape = memory_new(sizeof(*tape));
        struct scale scale = {2, 8, true, 1, 1};
        struct script script = {.tape = tape};
        tape_begin(tape, METHOD_ORDERS, &scale);
        tape_image(tape, &tape->book);
        say(&script, about(ORDER_OPEN, 1, 500, 10));
        say(&script, about(ORDER_OPEN, 2, 500, 30));
        struct order_message taker = about(ORDER_RECEIVED, 3, 500, 25);
        taker.side = SIDE_ASK;
        say(&script, taker);
        for (uint64_t maker = 1; maker <= 2; maker++) {
                struct order_message match = about(ORDER_MATCH, maker, 500, maker == 1 ? 10 : 15);
                match.has |= ORDER_HAS_OTHER;
                match.other = taker.id;
                match.trade_id = (int64_t)maker;
                say(&script, match);
        }
        assert_int_equal(
            tape->encoder.orders->waiting.count, 2); /* the taker, and what is used up */
        assert_int_equal(tape->encoder.orders->waiting.orders[0].size, 0);
        taker.type = ORDER_DONE;
        taker.size = 0;
        say(&script, taker);
        say(&script, about(ORDER_DONE, 1, 500, 0));
        assert_int_equal(tape->encoder.orders->waiting.count, 0);
        tape_seal(tape);
        assert_int_equal(id_bytes(&tape->frames[1]), 3 * 16);
        check_tape(tape);
        tape_end(tape);
        free(tape);
}

static void orders_are_found_anywhere_in_a_long_queue(void **state)
{
        (void)state;
        struct tape *tape = memory_new(sizeof(*tape));
        struct scale scale = {2, 8, true, 1, 1};
        struct script script = {.tape = tape};
        struct chance chance = {9};
        tape_begin(tape, METHOD_ORDERS, &scale);
        for (uint64_t i = 1; i <= 1000; i++) {
                struct order_message order = about(ORDER_OPEN, i, 500, 10);
                book_apply_order(&tape->book, &order);
        }
        tape_image(tape, &tape->book);
        for (unsigned i = 0; i < 600; i++) {
                static const uint8_t types[] = {ORDER_MATCH, ORDER_DONE, ORDER_CHANGE};
                say(&script, about(types[i % 3], 1 + chance_below(&chance, 1000), 500, 4));
        }
        tape_seal(tape);
        check_tape(tape);
        tape_end(tape);
        free(tape);
}

/* ---- images ---- */

static void put(struct book *book, enum side side, uint64_t id, int64_t price, int64_t size)
{
        struct order_message order = about(ORDER_OPEN, id, price, size);
        order.side = (uint8_t)side;
        assert_int_equal(book_room_order(book, &order), 0);
        book_apply_order(book, &order);
}

static void check_image(const struct book *book, int64_t tick)
{
        struct tape *tape = memory_new(sizeof(*tape));
        struct scale scale = {2, 8, true, tick, 1};
        tape_begin(tape, METHOD_ORDERS, &scale);
        tape_image(tape, book);
        check_tape(tape);
        tape_end(tape);
        free(tape);
}

static void images_of_any_book_come_back_equal(void **state)
{
        (void)state;
        static const int64_t ticks[] = {1, 7, 1000, INT64_MAX};
        struct book book;
        book_init(&book);
        for (size_t t = 0; t < COUNT(ticks); t++) {
                book_begin_orders(&book);
                check_image(&book, ticks[t]); /* empty */
                put(&book, SIDE_ASK, 1, 5000, 3);
                check_image(&book, ticks[t]); /* one side */
                for (uint64_t i = 2; i < 300; i++)
                        put(&book, SIDE_ASK, i, 5000 + (int64_t)(i / 100) * 1000, (int64_t)i);
                check_image(&book, ticks[t]); /* many at a price */
                for (uint64_t i = 300; i < 400; i++)
                        put(&book, SIDE_BID, i, 1000 - (int64_t)i * 7, 1000000000 + (int64_t)i % 3);
                book.id = INT64_MIN;
                check_image(&book, ticks[t]);
        }
        book_deinit(&book);
}

static void images_of_extreme_prices_come_back_equal(void **state)
{
        (void)state;
        static const int64_t prices[] = {
            INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
        struct book book;
        book_init(&book);
        for (size_t i = 0; i < COUNT(prices); i++) {
                for (size_t k = 0; k < COUNT(prices); k++) {
                        book_begin_orders(&book);
                        for (enum side s = 0; s < SIDES; s++) {
                                put(&book, s, 1 + s, prices[i], INT64_MAX / 2);
                                put(&book, s, 3 + s, prices[k], 1);
                        }
                        check_image(&book, 1);
                        check_image(&book, 3);
                        check_image(&book, INT64_MAX);
                }
        }
        book_deinit(&book);
}

/* All on one side, each with an id and a size of its own: nothing is left to foretell. */
static void the_largest_book_fits_into_an_image(void **state)
{
        (void)state;
        struct book book;
        struct chance chance = {3};
        book_init(&book);
        book_begin_orders(&book);
        for (uint64_t i = 0; i < LIMIT_BOOK_ORDERS; i++) {
                struct order_id id;
                for (unsigned k = 0; k < sizeof(id.bytes); k++)
                        id.bytes[k] = (uint8_t)chance_next(&chance);
                book_add_order(&book, SIDE_ASK, &id, (int64_t)(i % 1000),
                    1 + (int64_t)(chance_next(&chance) >> 12));
        }
        check_image(&book, 1);
        book_deinit(&book);
}

/* ---- full blocks, and plain ones ---- */

static void a_full_block_is_within_its_limit(void **state)
{
        (void)state;
        struct tape *tape = memory_new(sizeof(*tape));
        struct market *market = memory_new(sizeof(*market));
        struct order_message order = about(ORDER_RECEIVED, 1, 1, 1);
        struct event event = {.type = TYPE_ORDER, .order = &order};
        struct buffer block;
        market_begin(market, 2);
        tape_begin(tape, METHOD_ORDERS, &market->scale);
        buffer_init(&block, 2 * LIMIT_BLOCK_SIZE);
        order.has = ORDER_HAS_PRICE | ORDER_HAS_SIZE | ORDER_HAS_FUNDS | ORDER_HAS_OTHER |
            ORDER_HAS_OLD_PRICE | ORDER_HAS_OLD_SIZE;
        memset(order.funds, '9', sizeof(order.funds) - 1);
        encoder_begin(&tape->encoder, &market->scale, &event);
        unsigned count = 0;
        do {
                order.id = any_id(market, false);
                order.price = chance_int64(&market->chance);
                order.size = chance_int64(&market->chance);
                count++;
        } while (!encoder_add(&tape->encoder, &tape->book, &event));
        encoder_finish(&tape->encoder, &block);
        assert_true(count > 100000);
        assert_true(block.size <= LIMIT_BLOCK_SIZE);
        assert_true(block.size > LIMIT_BLOCK_SIZE - LIMIT_BLOCK_SIZE / 16);
        buffer_deinit(&block);
        market_end(market);
        tape_end(tape);
        free(market);
        free(tape);
}

/* An aggregate trade, a trade, or an event of levels. */
static void make_other_event(struct market *market, struct level *level)
{
        struct chance *chance = &market->chance;
        struct event *event = &market->event;
        make_head(market);
        *level = (struct level){any_price(market, SIDE_BID), any_size(market)};
        event->type = chance_one_in(chance, 2) ? TYPE_TRADE : TYPE_AGGREGATE;
        event->count[chance_below(chance, SIDES)] = 1;
        event->levels[SIDE_BID] = event->levels[SIDE_ASK] = level;
        event->order = NULL;
        if (event->type == TYPE_AGGREGATE) {
                event->first_trade = chance_int64(chance);
                event->last_trade = chance_int64(chance);
        }
}

static void plain_blocks_hold_orders_and_trades_without_a_book(void **state)
{
        (void)state;
        enum {
                EVENTS = 300
        };
        struct market *market = memory_new(sizeof(*market));
        struct tape *tape = memory_new(sizeof(*tape));
        for (uint64_t seed = 0; seed < 12; seed++) {
                struct plain_encoder encoder;
                struct event event;
                market_begin(market, seed);
                tape_begin(tape, METHOD_ORDERS, &market->scale);
                plain_encoder_init(&encoder);
                plain_begin(&encoder, &market->scale);
                for (unsigned i = 0; i < EVENTS; i++) {
                        struct level level;
                        if (i % 3)
                                market_step(market);
                        else
                                make_other_event(market, &level);
                        assert_int_equal(plain_add(&encoder, &market->event), 0);
                        tape_keep(tape, &market->event);
                }
                struct kept_frame *frame = tape_frame(tape,
                    &(struct frame_info){
                        .kind = FRAME_HEADLESS, .scale = market->scale, .events = EVENTS});
                plain_finish(&encoder, &frame->block);
                frame_pack(tape, frame);
                struct decoder *decoder = memory_new(sizeof(*decoder));
                struct frame_info info;
                decoder_init(decoder);
                assert_int_equal(decoder_open(decoder, buffer_bytes(&frame->bytes), &info), 0);
                frame->count = EVENTS;
                check_count(tape, frame, decoder);
                for (unsigned i = 0; i < EVENTS; i++) {
                        struct event expected = tape_event(tape, i);
                        assert_int_equal(decoder_next(decoder, NULL, &event), 1);
                        assert_events_equal(&event, &expected);
                }
                assert_int_equal(decoder_next(decoder, NULL, &event), 0);
                decoder_deinit(decoder);
                free(decoder);
                plain_encoder_deinit(&encoder);
                tape_end(tape);
                market_end(market);
        }
        free(market);
        free(tape);
}

/* Open frames are plain, and stand behind dense ones: they change the book, and nothing else. */
static void a_plain_frame_may_stand_within_a_segment(void **state)
{
        (void)state;
        struct market *market = memory_new(sizeof(*market));
        struct tape *tape = memory_new(sizeof(*tape));
        struct plain_encoder encoder;
        market_begin(market, 3);
        tape_begin(tape, METHOD_ORDERS, &market->scale);
        plain_encoder_init(&encoder);
        tape_image(tape, &market->book);
        for (unsigned round = 0; round < 8; round++) {
                if (round % 2)
                        plain_begin(&encoder, &market->scale);
                for (unsigned i = 0; i < 60; i++) {
                        market_step(market);
                        if (round % 2 == 0) {
                                tape_add(tape, &market->event);
                                continue;
                        }
                        assert_int_equal(plain_add(&encoder, &market->event), 0);
                        assert_int_equal(book_apply(&tape->book, &market->event), 0);
                        tape_keep(tape, &market->event);
                }
                if (round % 2 == 0) {
                        tape_seal(tape);
                        continue;
                }
                struct kept_frame *frame = tape_frame(tape,
                    &(struct frame_info){.kind = FRAME_CHANGES,
                        .scale = market->scale,
                        .segment = tape->segment,
                        .events = 60});
                plain_finish(&encoder, &frame->block);
                frame_pack(tape, frame);
                frame->first = tape->written;
                frame->count = 60;
                tape->written = tape->count;
        }
        check_tape(tape);
        plain_encoder_deinit(&encoder);
        tape_end(tape);
        market_end(market);
        free(market);
        free(tape);
}

/* ---- trades ---- */

static void any_trades_come_back_equal(void **state)
{
        (void)state;
        struct market *market = memory_new(sizeof(*market));
        struct tape *tape = memory_new(sizeof(*tape));
        for (uint64_t seed = 0; seed < 60; seed++) {
                struct level level;
                market_begin(market, seed);
                tape_begin(tape, METHOD_TRADES, &market->scale);
                tape_image(tape, &tape->book);
                for (unsigned i = 0; i < 300; i++) {
                        struct event *event = &market->event;
                        make_other_event(market, &level);
                        if (event->type == TYPE_AGGREGATE && !chance_one_in(&market->chance, 6)) {
                                event->first_trade = ++market->trade;
                                market->trade += (int64_t)chance_below(&market->chance, 3);
                                event->last_trade = market->trade;
                        }
                        tape_add(tape, event);
                        if (chance_one_in(&market->chance, 50))
                                tape_seal(tape);
                        if (chance_one_in(&market->chance, 150))
                                tape_image(tape, &tape->book);
                }
                tape_seal(tape);
                check_tape(tape);
                tape_end(tape);
                market_end(market);
        }
        free(market);
        free(tape);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(any_messages_come_back_equal_with_their_book),
            cmocka_unit_test(every_message_with_any_fields_comes_back_equal),
            cmocka_unit_test(more_orders_than_can_wait_come_back_equal),
            cmocka_unit_test(orders_wait_from_block_to_block_but_not_beyond_a_segment),
            cmocka_unit_test(a_taker_waits_until_it_is_done),
            cmocka_unit_test(orders_are_found_anywhere_in_a_long_queue),
            cmocka_unit_test(images_of_any_book_come_back_equal),
            cmocka_unit_test(images_of_extreme_prices_come_back_equal),
            cmocka_unit_test(the_largest_book_fits_into_an_image),
            cmocka_unit_test(a_full_block_is_within_its_limit),
            cmocka_unit_test(plain_blocks_hold_orders_and_trades_without_a_book),
            cmocka_unit_test(a_plain_frame_may_stand_within_a_segment),
            cmocka_unit_test(any_trades_come_back_equal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
