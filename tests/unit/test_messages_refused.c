/* Orders and trades from damaged or hostile frames: refused where a reader must refuse, and never
 * read beyond; whatever is not refused leaves a book that holds together. */
#include "base/error.h"
#include "tests/unit/message_help.h"

#define ORDERS_FIRST (HEAD_COLUMNS + 1) /* the first column behind the heads */

/* ---- a segment to be damaged: an image, and a block with a bit of everything ---- */

struct victim {
        struct tape tape;
        struct columns columns; /* of the block of changes */
        struct buffer block, frame;
        struct decoder decoder;
        struct book book;
        int64_t id;
};

static struct order_message about(enum order_type type, uint8_t id, int64_t price, int64_t size)
{
        struct order_message order = {.type = (uint8_t)type,
            .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
            .id = {{0x77, [15] = id}},
            .price = price,
            .size = size};
        return order;
}

static void say(struct victim *victim, struct order_message order)
{
        victim->id++;
        struct event event = {.event_time_ns = T0 + victim->id * NS_PER_S,
            .receive_time_ns = T0 + victim->id * NS_PER_S + 777,
            .first_id = victim->id,
            .last_id = victim->id,
            .type = TYPE_ORDER,
            .order = &order};
        tape_add(&victim->tape, &event);
}

static void say_everything(struct victim *victim)
{
        struct order_message order = about(ORDER_RECEIVED, 10, 510, 5);
        order.has |= ORDER_HAS_OTHER;
        memset(order.other.bytes, 9, sizeof(order.other.bytes));
        say(victim, order);
        say(victim, about(ORDER_OPEN, 10, 510, 5));
        order = about(ORDER_RECEIVED, 11, 500, 20);
        order.side = SIDE_ASK;
        order.has |= ORDER_HAS_OTHER | ORDER_OTHER_PLAIN | ORDER_HAS_FUNDS;
        memcpy(order.funds, "12.5", 4);
        say(victim, order);
        order = about(ORDER_MATCH, 1, 500, 6);
        order.has |= ORDER_HAS_OTHER;
        order.other.bytes[0] = 0x77;
        order.other.bytes[15] = 11;
        order.trade_id = 70000;
        say(victim, order);
        say(victim, about(ORDER_DONE, 2, 500, 60));
        order = about(ORDER_CHANGE, 3, 401, 7);
        order.has |= ORDER_HAS_OLD_PRICE | ORDER_HAS_OLD_SIZE;
        order.reason = REASON_MODIFY;
        order.old_price = 400;
        order.old_size = 12345;
        say(victim, order);
        say(victim, (struct order_message){.type = ORDER_OTHER});
        say(victim, about(ORDER_ACTIVATE, 12, 480, 1));
        say(victim, about(ORDER_DONE, 13, 0, 0));
        order = about(ORDER_OPEN, 0, 90000, 1);
        order.id = (struct order_id){{[14] = 3}}; /* a number */
        order.side = SIDE_ASK;
        say(victim, order);
}

static struct victim *victim_new(void)
{
        struct victim *victim = memory_new(sizeof(*victim));
        struct scale scale = {2, 8, true, 10, 1};
        tape_begin(&victim->tape, METHOD_ORDERS, &scale);
        for (uint8_t i = 1; i <= 3; i++) {
                struct order_message order = about(ORDER_OPEN, i, i < 3 ? 500 : 400, 40 + 10 * i);
                book_apply_order(&victim->tape.book, &order);
        }
        tape_image(&victim->tape, &victim->tape.book);
        say_everything(victim);
        tape_seal(&victim->tape);
        columns_take(&victim->columns, buffer_bytes(&victim->tape.frames[1].block));
        buffer_init(&victim->block, LIMIT_BLOCK_SIZE);
        buffer_init(&victim->frame, LIMIT_BLOCK_SIZE);
        decoder_init(&victim->decoder);
        book_init(&victim->book);
        return victim;
}

static void victim_free(struct victim *victim)
{
        columns_free(&victim->columns);
        buffer_deinit(&victim->block);
        buffer_deinit(&victim->frame);
        decoder_deinit(&victim->decoder);
        book_deinit(&victim->book);
        tape_end(&victim->tape);
        free(victim);
}

/* All events of @frame, to @book: 0 or the code. What could be read holds together. */
static int read_frame(struct decoder *decoder, struct bytes frame, struct book *book)
{
        struct frame_info info;
        struct event event;
        uint8_t *exact = memory_new(frame.size);
        memcpy(exact, frame.data, frame.size);
        int more = decoder_open(decoder, (struct bytes){exact, frame.size}, &info);
        free(exact);
        if (more)
                return more;
        if (info.kind == FRAME_IMAGE)
                more = decoder_image(decoder, book);
        else if (info.kind == FRAME_REPAIR)
                more = decoder_repair(decoder, book);
        else
                while ((more = decoder_next(decoder, book, &event)) == 1)
                        assert_true(event.type != TYPE_ORDER || event.order);
        assert_true(!book->by_order || book_orders_agree(book));
        return more;
}

/* The image, then @block in a frame of @info: what a reader says of it. */
static int try_block(struct victim *victim, const struct frame_info *info, struct bytes block)
{
        struct frame_info copy = *info;
        buffer_clear(&victim->frame);
        assert_int_equal(frame_write(&victim->tape.packer, &copy, block, &victim->frame), 0);
        assert_int_equal(read_frame(&victim->decoder, buffer_bytes(&victim->tape.frames[0].bytes),
                             &victim->book),
            0);
        return read_frame(&victim->decoder, buffer_bytes(&victim->frame), &victim->book);
}

static int try_columns(struct victim *victim)
{
        columns_put(&victim->columns, &victim->block);
        return try_block(victim, &victim->tape.frames[1].info, buffer_bytes(&victim->block));
}

/* ---- one byte that no writer writes ---- */

struct wrong {
        unsigned column, at;
        uint8_t value;
};

static void every_field_out_of_its_range_is_refused(void **state)
{
        (void)state;
        static const struct wrong wrongs[] = {
            {HEAD_BIDS, 0, 1}, /* levels */
            {HEAD_ASKS, 0, 1},
            {ORDERS_FIRST + OC_WHAT + CLASS_RECEIVED, 0, ORDER_TYPES},
            {ORDERS_FIRST + OC_WHAT + CLASS_RECEIVED, 0, ORDER_OPEN}, /* of another class */
            {ORDERS_FIRST + OC_WHAT + CLASS_OTHER, 0, ORDER_DONE},
            {ORDERS_FIRST + OC_WHAT + CLASS_RECEIVED, 0, REASONS << 3},
            {ORDERS_FIRST + OC_HAS + ORDER_RECEIVED, 0, 128},
            {ORDERS_FIRST + OC_HAS + ORDER_OPEN, 0, ORDER_OTHER_PLAIN}, /* of none */
            {ORDERS_FIRST + OC_HAS + ORDER_OTHER, 0, ORDER_HAS_PRICE},
            {ORDERS_FIRST + OC_SIDE + ORDER_RECEIVED, 0, 2},
            {ORDERS_FIRST + OC_WHERE + ORDER_OPEN, 0, 3},
            {ORDERS_FIRST + OC_WAITING + ORDER_OPEN, 0, 1}, /* one waits */
            {ORDERS_FIRST + OC_LEVEL + ORDER_MATCH, 0, 3},  /* of three */
            {ORDERS_FIRST + OC_LEVEL + ORDER_MATCH, 0, 242},
            {ORDERS_FIRST + OC_PLACE + ORDER_MATCH, 0, 2}, /* of two */
            {ORDERS_FIRST + OC_SAME + ORDER_RECEIVED, 0, 16},
            {ORDERS_FIRST + OC_TAKER, 0, 2}, /* one waits */
            {ORDERS_FIRST + OC_TRADE, 0, 242},
            {ORDERS_FIRST + OC_RANK_NEW, 0, 3}, /* of two */
            {ORDERS_FIRST + OC_STANDS, 0, 1},
            {ORDERS_FIRST + OC_SIZES + ORDER_RECEIVED, 0, 1}, /* the list is empty */
            {ORDERS_FIRST + OC_SIZES + ORDER_RECEIVED, 0, 128},
            {ORDERS_FIRST + OC_ZEROS, 0, 20},
            {ORDERS_FIRST + OC_VALUES, 0, 128},
            {ORDERS_FIRST + OC_NAMING, 0, 3},
            {ORDERS_FIRST + OC_FUNDS, 0, ORDER_FUNDS_SIZE},
            {ORDERS_FIRST + OC_FUNDS, 1, 0},
        };
        struct victim *victim = victim_new();
        assert_int_equal(try_columns(victim), 0);
        for (size_t i = 0; i < COUNT(wrongs); i++) {
                struct buffer *column = &victim->columns.data[wrongs[i].column];
                if (wrongs[i].at >= column->size)
                        fail_msg("wrong %zu: the column is too short", i);
                uint8_t before = column->data[wrongs[i].at];
                column->data[wrongs[i].at] = wrongs[i].value;
                if (try_columns(victim) != ERR_CORRUPT)
                        fail_msg("wrong %zu was taken", i);
                column->data[wrongs[i].at] = before;
        }
        assert_int_equal(try_columns(victim), 0);
        victim_free(victim);
}

static void bytes_too_few_or_too_many_are_refused(void **state)
{
        (void)state;
        struct victim *victim = victim_new();
        struct columns *columns = &victim->columns;
        unsigned used = 0;
        assert_int_equal(columns->count, DENSE_COLUMNS(OC_COLUMNS));
        for (size_t i = 0; i < columns->count; i++) {
                struct buffer *column = &columns->data[i];
                buffer_append_byte(column, 0);
                if (i != HEAD_BITS) /* there it is an event more */
                        assert_int_equal(try_columns(victim), ERR_CORRUPT);
                column->size--;
                if (!column->size)
                        continue;
                used++;
                column->size--;
                assert_int_equal(try_columns(victim), ERR_CORRUPT);
                column->size++;
        }
        assert_true(used > 60);
        columns->count--;
        assert_int_equal(try_columns(victim), ERR_CORRUPT);
        columns->count += 2;
        buffer_init(&columns->data[columns->count - 1], 16);
        assert_int_equal(try_columns(victim), ERR_CORRUPT);
        columns->count--;
        assert_int_equal(try_columns(victim), 0);
        victim_free(victim);
}

static void a_level_that_would_overflow_is_refused(void **state)
{
        (void)state;
        struct victim *victim = victim_new();
        struct bytes before = buffer_bytes(&victim->tape.frames[1].bytes);
        int64_t much = INT64_C(1) << 62;
        columns_free(&victim->columns);
        say(victim, about(ORDER_OPEN, 20, 300, much));
        say(victim, about(ORDER_OPEN, 21, 290, 4));
        say(victim, about(ORDER_OPEN, 22, 290, much)); /* bids: 510, 500, 401, 300, 290 */
        tape_seal(&victim->tape);
        columns_take(&victim->columns, buffer_bytes(&victim->tape.frames[2].block));
        struct buffer *ranks = &victim->columns.data[ORDERS_FIRST + OC_RANK_OLD];
        assert_int_equal(ranks->size, 1);
        assert_int_equal(ranks->data[0], 4);
        for (uint8_t rank = 0; rank < 6; rank++) {
                ranks->data[0] = rank;
                columns_put(&victim->columns, &victim->block);
                buffer_clear(&victim->frame);
                assert_int_equal(frame_write(&victim->tape.packer, &victim->tape.frames[2].info,
                                     buffer_bytes(&victim->block), &victim->frame),
                    0);
                struct bytes image = buffer_bytes(&victim->tape.frames[0].bytes);
                assert_int_equal(read_frame(&victim->decoder, image, &victim->book), 0);
                assert_int_equal(read_frame(&victim->decoder, before, &victim->book), 0);
                assert_int_equal(
                    read_frame(&victim->decoder, buffer_bytes(&victim->frame), &victim->book),
                    rank == 3 || rank == 5 ? ERR_CORRUPT : 0);
        }
        victim_free(victim);
}

/* ---- frames out of place ---- */

static void a_block_without_its_segment_is_refused(void **state)
{
        (void)state;
        struct victim *victim = victim_new();
        struct frame_info info = victim->tape.frames[1].info;
        struct bytes block = buffer_bytes(&victim->tape.frames[1].block);
        struct decoder fresh;
        decoder_init(&fresh);
        book_begin_orders(&victim->book);
        assert_int_equal(
            read_frame(&fresh, buffer_bytes(&victim->tape.frames[1].bytes), &victim->book),
            ERR_CORRUPT);
        decoder_deinit(&fresh);
        assert_int_equal(try_block(victim, &info, block), 0);
        info.segment++;
        assert_int_equal(try_block(victim, &info, block), ERR_CORRUPT);
        info.segment--;
        for (uint8_t method = METHOD_TOKENS; method < METHODS; method++) {
                info.method = method;
                assert_int_equal(try_block(victim, &info, block) == 0, method == METHOD_ORDERS);
        }
        victim_free(victim);
}

static void a_message_needs_a_book_of_orders(void **state)
{
        (void)state;
        struct victim *victim = victim_new();
        struct bytes image = buffer_bytes(&victim->tape.frames[0].bytes);
        struct bytes changes = buffer_bytes(&victim->tape.frames[1].bytes);
        struct decoder *decoder = &victim->decoder;
        struct frame_info info;
        struct event event;
        assert_int_equal(read_frame(decoder, image, &victim->book), 0);
        assert_int_equal(decoder_open(decoder, changes, &info), 0);
        assert_int_equal(decoder_next(decoder, NULL, &event), ERR_CORRUPT);
        assert_int_equal(decoder_open(decoder, changes, &info), 0);
        book_clear(&victim->book);
        assert_int_equal(decoder_next(decoder, &victim->book, &event), ERR_CORRUPT);
        victim_free(victim);
}

/* A frame of method 0 with @event, behind the image. */
static int try_plain(struct victim *victim, enum frame_kind kind, const struct event *event)
{
        struct plain_encoder encoder;
        struct frame_info info = {.kind = (uint8_t)kind,
            .scale = victim->tape.scale,
            .segment = victim->tape.segment,
            .events = 1};
        plain_encoder_init(&encoder);
        plain_begin(&encoder, &info.scale);
        assert_int_equal(plain_add(&encoder, event), 0);
        buffer_clear(&victim->block);
        plain_finish(&encoder, &victim->block);
        plain_encoder_deinit(&encoder);
        return try_block(victim, &info, buffer_bytes(&victim->block));
}

static void levels_are_not_set_in_a_book_of_orders(void **state)
{
        (void)state;
        struct victim *victim = victim_new();
        struct level level = {450, 3};
        struct event event = {.count = {1, 0}, .levels = {&level, &level}};
        assert_int_equal(try_plain(victim, FRAME_CHANGES, &event), ERR_CORRUPT);
        assert_int_equal(try_plain(victim, FRAME_REPAIR, &event), ERR_CORRUPT);
        level = (struct level){500, 0};
        assert_int_equal(try_plain(victim, FRAME_CHANGES, &event), ERR_CORRUPT);
        victim_free(victim);
}

static void an_image_or_repair_is_no_message(void **state)
{
        (void)state;
        struct victim *victim = victim_new();
        struct order_message order = about(ORDER_OPEN, 99, 500, 1);
        struct event event = {.type = TYPE_ORDER, .order = &order};
        assert_int_equal(try_plain(victim, FRAME_CHANGES, &event), 0);
        assert_int_equal(try_plain(victim, FRAME_IMAGE, &event), ERR_CORRUPT);
        assert_int_equal(try_plain(victim, FRAME_REPAIR, &event), ERR_CORRUPT);
        struct frame_info info = victim->tape.frames[1].info;
        info.kind = FRAME_REPAIR;
        assert_int_equal(
            try_block(victim, &info, buffer_bytes(&victim->tape.frames[1].block)), ERR_CORRUPT);
        victim_free(victim);
}

/* ---- images ---- */

static void add(struct book *book, enum side side, uint8_t id, int64_t price, int64_t size)
{
        struct order_id name = {{0x77, [15] = id}};
        book_add_order(book, side, &name, price, size);
}

/* The image of @book, changed in @count places; one behind the end of its column is new. */
static int try_image(
    struct victim *victim, const struct book *book, const struct wrong *wrongs, size_t count)
{
        struct columns columns;
        struct tape *tape = &victim->tape;
        tape_image(tape, book);
        const struct kept_frame *frame = &tape->frames[tape->frame_count - 1];
        columns_take(&columns, buffer_bytes(&frame->block));
        for (size_t i = 0; i < count; i++) {
                struct buffer *column = &columns.data[wrongs[i].column];
                assert_true(wrongs[i].at <= column->size);
                if (wrongs[i].at == column->size)
                        buffer_append_byte(column, 0);
                column->data[wrongs[i].at] = wrongs[i].value;
        }
        columns_put(&columns, &victim->block);
        columns_free(&columns);
        return try_block(victim, &frame->info, buffer_bytes(&victim->block));
}

static void images_that_no_book_makes_are_refused(void **state)
{
        (void)state;
        static const struct wrong same_price = {ORDERS_FIRST + OC_QUEUES, 1, 0};
        static const struct wrong flags[] = {{HEAD_BITS, 0, 0x2b}, {HEAD_UNUSUAL, 0, 1}};
        static const struct wrong more = {HEAD_BIDS, 0, 3}, fewer = {HEAD_BIDS, 0, 1};
        static const struct wrong no_size = {ORDERS_FIRST + OC_VALUES, 0, 0};
        struct victim *victim = victim_new();
        struct book book;
        book_init(&book);
        book_begin_orders(&book);
        add(&book, SIDE_BID, 1, 500, INT64_MAX);
        add(&book, SIDE_BID, 2, 490, INT64_MAX);
        assert_int_equal(try_image(victim, &book, NULL, 0), 0);
        assert_int_equal(try_image(victim, &book, &same_price, 1), ERR_CORRUPT);
        assert_int_equal(try_image(victim, &book, flags, 2), ERR_CORRUPT);
        assert_int_equal(try_image(victim, &book, &more, 1), ERR_CORRUPT);
        assert_int_equal(try_image(victim, &book, &fewer, 1), ERR_CORRUPT);
        book_begin_orders(&book);
        add(&book, SIDE_BID, 1, 500, 4);
        add(&book, SIDE_BID, 2, 500, 4);
        assert_int_equal(try_image(victim, &book, NULL, 0), 0);
        assert_int_equal(try_image(victim, &book, &no_size, 1), ERR_CORRUPT);
        add(&book, SIDE_ASK, 1, 600, 1); /* an id twice */
        assert_int_equal(try_image(victim, &book, NULL, 0), ERR_CORRUPT);
        book_begin_orders(&book);
        add(&book, SIDE_BID, 1, 500, -4);
        assert_int_equal(try_image(victim, &book, NULL, 0), ERR_CORRUPT);
        book_deinit(&book);
        victim_free(victim);
}

/* ---- chance ---- */

static void damaged_blocks_are_refused_or_hold_together(void **state)
{
        (void)state;
        struct victim *victim = victim_new();
        struct chance chance = {4};
        unsigned refused = 0;
        for (unsigned round = 0; round < 1500; round++) {
                struct buffer *columns[3];
                uint8_t befores[3];
                size_t places[3], count = 1 + chance_below(&chance, 3);
                for (size_t i = 0; i < count; i++) {
                        do
                                columns[i] =
                                    &victim->columns
                                         .data[chance_below(&chance, victim->columns.count)];
                        while (!columns[i]->size);
                        places[i] = chance_below(&chance, columns[i]->size);
                        befores[i] = columns[i]->data[places[i]];
                        columns[i]->data[places[i]] = chance_one_in(&chance, 2)
                            ? (uint8_t)chance_below(&chance, 5)
                            : (uint8_t)chance_next(&chance);
                }
                int code = try_columns(victim);
                assert_true(code == 0 || code == ERR_CORRUPT);
                refused += code != 0;
                while (count--)
                        columns[count]->data[places[count]] = befores[count];
        }
        assert_int_equal(try_columns(victim), 0);
        assert_true(refused > 400 && refused < 1500);
        victim_free(victim);
}

/* Columns of anything, for all that a kind of frame may be. */
static void random_blocks_are_never_read_beyond(void **state)
{
        (void)state;
        struct victim *victim = victim_new();
        struct chance chance = {8};
        struct columns columns = {0};
        for (size_t i = 0; i < BLOCK_COLUMNS; i++)
                buffer_init(&columns.data[i], 4096);
        for (unsigned round = 0; round < 2000; round++) {
                struct frame_info info = victim->tape.frames[1].info;
                info.method = chance_one_in(&chance, 3) ? METHOD_TRADES : METHOD_ORDERS;
                info.kind = chance_one_in(&chance, 3) ? FRAME_IMAGE : FRAME_CHANGES;
                info.scale.tick = chance_one_in(&chance, 2) ? INT64_MAX : 1;
                columns.count =
                    DENSE_COLUMNS(info.method == METHOD_TRADES ? TC_COLUMNS : OC_COLUMNS);
                for (size_t i = 0; i < columns.count; i++) {
                        uint64_t size = chance_below(&chance, i == HEAD_BITS ? 8 : 40);
                        buffer_clear(&columns.data[i]);
                        while (size--)
                                buffer_append_byte(&columns.data[i],
                                    (uint8_t)(chance_one_in(&chance, 8)
                                            ? chance_next(&chance)
                                            : chance_below(&chance, 4)));
                }
                columns_put(&columns, &victim->block);
                int code = try_block(victim, &info, buffer_bytes(&victim->block));
                assert_true(code == 0 || code == ERR_CORRUPT);
        }
        columns.count = BLOCK_COLUMNS;
        columns_free(&columns);
        victim_free(victim);
}

/* ---- trades ---- */

static void trades_out_of_their_range_are_refused(void **state)
{
        (void)state;
        enum {
                FIRST = HEAD_COLUMNS + 1
        };
        static const struct wrong wrongs[] = {
            {FIRST + TC_TYPE, 0, TYPE_ORDER},
            {FIRST + TC_TYPE, 0, TYPE_LEVELS}, /* with a level */
            {FIRST + TC_TYPE, 0, EVENT_TYPES},
            {HEAD_COUNTS, 0, (0 * 8 + 2) * 4}, /* two levels */
            {HEAD_COUNTS, 0, (1 * 8 + 1) * 4}, /* one on each side */
            {FIRST + TC_QUANTITIES, 0, 1},     /* the list is empty */
            {FIRST + TC_QUANTITIES, 0, 128},
            {FIRST + TC_ZEROS, 0, 20},
            {FIRST + TC_VALUES, 0, 128},
            {FIRST + TC_FIRST, 0, 242},
        };
        struct victim *victim = memory_new(sizeof(*victim));
        struct scale scale = {2, 8, true, 10, 1};
        struct level level = {500, 7};
        struct event event = {.event_time_ns = T0,
            .receive_time_ns = T0,
            .first_id = 5,
            .last_id = 5,
            .type = TYPE_AGGREGATE,
            .count = {0, 1},
            .levels = {&level, &level},
            .first_trade = 9,
            .last_trade = 12};
        tape_begin(&victim->tape, METHOD_TRADES, &scale);
        tape_image(&victim->tape, &victim->tape.book);
        tape_add(&victim->tape, &event);
        tape_seal(&victim->tape);
        columns_take(&victim->columns, buffer_bytes(&victim->tape.frames[1].block));
        buffer_init(&victim->block, LIMIT_BLOCK_SIZE);
        buffer_init(&victim->frame, LIMIT_BLOCK_SIZE);
        decoder_init(&victim->decoder);
        book_init(&victim->book);
        assert_int_equal(try_columns(victim), 0);
        for (size_t i = 0; i < COUNT(wrongs); i++) {
                struct buffer *column = &victim->columns.data[wrongs[i].column];
                if (wrongs[i].at >= column->size)
                        fail_msg("wrong %zu: the column is too short", i);
                uint8_t before = column->data[wrongs[i].at];
                column->data[wrongs[i].at] = wrongs[i].value;
                if (try_columns(victim) != ERR_CORRUPT)
                        fail_msg("wrong %zu was taken", i);
                column->data[wrongs[i].at] = before;
        }
        struct frame_info info = victim->tape.frames[1].info;
        info.kind = FRAME_IMAGE; /* of a trade there is none */
        assert_int_equal(
            try_block(victim, &info, buffer_bytes(&victim->tape.frames[1].block)), ERR_CORRUPT);
        victim_free(victim);
}

/* ---- plain messages ---- */

static int read_plain(struct bytes heads, struct bytes rest)
{
        struct buffer block;
        struct plain_decoder decoder;
        struct scale scale = {2, 8, true, 1, 1};
        struct event event;
        buffer_init(&block, 4096);
        write_varint(&block, heads.size);
        write_varint(&block, rest.size / 2);
        buffer_append(&block, heads.data, heads.size);
        buffer_append(&block, rest.data, rest.size);
        uint8_t *exact = memory_new(block.size);
        memcpy(exact, block.data, block.size);
        plain_decoder_init(&decoder);
        int more = plain_open(&decoder, &scale, (struct bytes){exact, block.size});
        while (!more && (more = plain_next(&decoder, &event)) == 1)
                more = 0;
        free(exact);
        plain_decoder_deinit(&decoder);
        buffer_deinit(&block);
        return more;
}

static void plain_messages_out_of_their_range_are_refused(void **state)
{
        (void)state;
        /* bits (two bytes), span, time, delay, bids, asks; message: type, side, reason; fields; id
         */
        static const uint8_t good[] = {0x80, 0x01, 0, 0, 0, 0, 0, ORDER_OPEN | 1 << 3 | 1 << 4,
            ORDER_HAS_PRICE | ORDER_HAS_FUNDS, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
            16,
            /* price, funds */ 20, 3, '1', '.', '5'};
        static const struct wrong wrongs[] = {{0, 1, 3}, {0, 1, 4}, {0, 5, 1}, {0, 6, 1}, {0, 7, 7},
            {0, 7, ORDER_OPEN | REASONS << 4}, {0, 7, ORDER_OTHER}, {0, 8, 128},
            {0, 8, ORDER_HAS_FUNDS | ORDER_HAS_PRICE | ORDER_OTHER_PLAIN}, {0, 26, 4},
            {0, 26, ORDER_FUNDS_SIZE}, {0, 27, 0}};
        uint8_t heads[sizeof(good)];
        struct bytes none = {heads, 0};
        assert_int_equal(read_plain((struct bytes){good, sizeof(good)}, none), 0);
        for (size_t i = 0; i < COUNT(wrongs); i++) {
                memcpy(heads, good, sizeof(good));
                heads[wrongs[i].at] = wrongs[i].value;
                if (read_plain((struct bytes){heads, sizeof(heads)}, none) != ERR_CORRUPT)
                        fail_msg("wrong %zu was taken", i);
        }
        for (size_t size = 1; size < sizeof(good); size++)
                assert_int_equal(read_plain((struct bytes){good, size}, none), ERR_CORRUPT);
}

static void a_plain_trade_has_exactly_one_level(void **state)
{
        (void)state;
        static const uint8_t values[] = {8, 6, 8, 6};
        for (uint8_t type = TYPE_TRADE; type <= TYPE_AGGREGATE; type++) {
                for (uint8_t bids = 0; bids < 3; bids++) {
                        for (uint8_t asks = 0; asks < 3 - bids; asks++) {
                                const uint8_t heads[] = {0x80, type, 0, 0, 0, bids, asks, 2, 6};
                                size_t count = (size_t)bids + asks;
                                struct bytes head = {heads, type == TYPE_TRADE ? 7 : 9};
                                int code = read_plain(head, (struct bytes){values, 2 * count});
                                assert_int_equal(code, count == 1 ? 0 : ERR_CORRUPT);
                        }
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_field_out_of_its_range_is_refused),
            cmocka_unit_test(bytes_too_few_or_too_many_are_refused),
            cmocka_unit_test(a_level_that_would_overflow_is_refused),
            cmocka_unit_test(a_block_without_its_segment_is_refused),
            cmocka_unit_test(a_message_needs_a_book_of_orders),
            cmocka_unit_test(levels_are_not_set_in_a_book_of_orders),
            cmocka_unit_test(an_image_or_repair_is_no_message),
            cmocka_unit_test(images_that_no_book_makes_are_refused),
            cmocka_unit_test(damaged_blocks_are_refused_or_hold_together),
            cmocka_unit_test(random_blocks_are_never_read_beyond),
            cmocka_unit_test(trades_out_of_their_range_are_refused),
            cmocka_unit_test(plain_messages_out_of_their_range_are_refused),
            cmocka_unit_test(a_plain_trade_has_exactly_one_level),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
