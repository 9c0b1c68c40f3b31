/* Writes dense records for fuzz_decode to begin with: blocks of a lively market, alone and in
 * segments of frames; of orders and of trades. A folder of them is merged into the corpus by
 * libFuzzer. */
#include <limits.h>

#include "codec/encoder.h"
#include "tests/fuzz/fuzz.h"

#define EVENTS 12
#define LEVELS 10

struct seed {
        uint64_t chance;
        struct token_encoder encoder;
        struct book book;
        struct buffer out;
        struct level levels[SIDES][LEVELS];
};

static uint64_t below(struct seed *seed, uint64_t limit)
{
        seed->chance = seed->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (seed->chance >> 33) % limit;
}

/* As source_i64 reads it. */
static void put_i64(struct seed *seed, int64_t value)
{
        buffer_append_byte(&seed->out, 2);
        for (int shift = 56; shift >= 0; shift -= 8)
                buffer_append_byte(&seed->out, (uint8_t)((uint64_t)value >> shift));
}

static int64_t any_quantity(struct seed *seed)
{
        return below(seed, 4) ? (int64_t)below(seed, 30) * 1000 : 0;
}

/* Best first mostly; worst first, or in no order, now and then. */
static struct event make_event(struct seed *seed, int64_t i)
{
        struct event event = {.event_time_ns = i * 100000000 + (int64_t)below(seed, 3),
            .receive_time_ns = i * 100000000 + (int64_t)below(seed, 90000000),
            .first_id = 10 * i + 1,
            .last_id = 10 * i + 1 + (int64_t)below(seed, 9),
            .flags = below(seed, 6) == 0};
        for (enum side s = 0; s < SIDES; s++) {
                int64_t way = s == SIDE_BID ? -1 : 1, price = 1000 + way;
                event.count[s] = (uint32_t)below(seed, LEVELS);
                event.levels[s] = seed->levels[s];
                bool reversed = below(seed, 5) == 0;
                for (uint32_t k = 0; k < event.count[s]; k++) {
                        price += way * (1 + (int64_t)(below(seed, 3) ? 0 : below(seed, 400)));
                        seed->levels[s][reversed ? event.count[s] - 1 - k : k] =
                            (struct level){price, any_quantity(seed)};
                }
                if (event.count[s] > 2 && !below(seed, 9))
                        seed->levels[s][0].price = seed->levels[s][2].price;
        }
        return event;
}

static void save(struct seed *seed, const char *folder, const char *name)
{
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        FILE *file = fopen(path, "wb");
        LAW(file);
        LAW(fwrite(seed->out.data, 1, seed->out.size, file) == seed->out.size);
        fclose(file);
        buffer_clear(&seed->out);
}

/* For decode_dense: the book first, then the block. */
static void save_block(struct seed *seed, const char *folder, const char *name, unsigned levels)
{
        struct scale scale = {2, 8, true, 1, 1};
        buffer_append_byte(&seed->out, 128);
        put_i64(seed, scale.tick);
        for (unsigned i = 0; i < 3; i++)
                put_i64(seed, i == 0); /* first id, times */
        book_clear(&seed->book);
        buffer_append_byte(&seed->out, (uint8_t)levels);
        for (unsigned left = levels; left; left--) {
                int64_t price = (left & 1) ? 1001 + left : 999 - (int64_t)left;
                put_i64(seed, price);
                put_i64(seed, left * 1000);
                book_set(&seed->book, left & 1, price, left * 1000);
        }
        token_encoder_reset(&seed->encoder);
        token_begin(&seed->encoder, &scale, &(struct event){.first_id = 1});
        for (unsigned i = 0; i < EVENTS; i++) {
                struct event event = make_event(seed, i);
                token_add(&seed->encoder, &seed->book, &event);
        }
        token_finish(&seed->encoder, &seed->out);
        save(seed, folder, name);
}

/* One frame of decode_segment. */
static void put_frame(struct seed *seed, unsigned kind, unsigned events, int64_t at)
{
        struct scale scale = {2, 8, true, 1, 1};
        struct buffer block;
        buffer_init(&block, 1 << 16);
        token_begin(&seed->encoder, &scale, &(struct event){.first_id = 1});
        for (unsigned i = 0; i < events; i++) {
                struct event event = make_event(seed, at + i);
                token_add(&seed->encoder, &seed->book, &event);
        }
        token_finish(&seed->encoder, &block);
        buffer_append_byte(&seed->out, (uint8_t)(kind - 1));
        buffer_append_byte(&seed->out, 1); /* the method */
        buffer_append_byte(&seed->out, 0);
        buffer_append_byte(&seed->out, (uint8_t)(block.size >> 8));
        buffer_append_byte(&seed->out, (uint8_t)block.size);
        buffer_append(&seed->out, block.data, block.size);
        buffer_deinit(&block);
}

/* Image, changes, repair, changes, and once more from an image on. */
static void save_segment(struct seed *seed, const char *folder, const char *name)
{
        enum {
                IMAGE = 1,
                CHANGES = 2,
                REPAIR = 4
        };
        static const unsigned kinds[] = {IMAGE, CHANGES, REPAIR, CHANGES, IMAGE, CHANGES};
        buffer_append_byte(&seed->out, 129);
        put_i64(seed, 1);
        for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                if (kinds[i] == IMAGE) {
                        token_encoder_reset(&seed->encoder);
                        book_clear(&seed->book);
                }
                put_frame(seed, kinds[i], kinds[i] == CHANGES ? 5 : 1, 5 * i);
                if (kinds[i] == IMAGE)
                        token_encoder_reset(&seed->encoder);
        }
        save(seed, folder, name);
}

/* ---- orders and trades ---- */

static struct order_message make_order(struct seed *seed)
{
        struct order_message order = {.type = (uint8_t)below(seed, ORDER_TYPES),
            .side = (uint8_t)below(seed, SIDES),
            .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
            .id = {{(uint8_t)(below(seed, 4) ? 0xab : 0), [15] = (uint8_t)below(seed, 16)}},
            .size = 1 + (int64_t)below(seed, 5)};
        order.price = 1000 + (order.side ? 1 : -1) * (int64_t)(1 + below(seed, 8));
        if (order.type == ORDER_OTHER)
                return (struct order_message){.type = ORDER_OTHER};
        if (order.type == ORDER_MATCH || !below(seed, 3))
                order.has |= ORDER_HAS_OTHER;
        if (order.has & ORDER_HAS_OTHER)
                order.other = (struct order_id){{0xab, [15] = (uint8_t)below(seed, 16)}};
        if (order.type == ORDER_CHANGE)
                order.reason = REASON_MODIFY;
        if (order.type == ORDER_ACTIVATE) {
                order.has |= ORDER_HAS_FUNDS;
                memcpy(order.funds, "7.5", 3);
        }
        return order;
}

static void make_message(struct seed *seed, enum stream_kind kind, int64_t i,
    struct order_message *order, struct event *ret_event)
{
        *ret_event = (struct event){.event_time_ns = i * 1000000 + (int64_t)below(seed, 2),
            .receive_time_ns = i * 1000000 + (int64_t)below(seed, 90000),
            .first_id = i + 1,
            .last_id = i + 1};
        if (kind == KIND_L3) {
                *order = make_order(seed);
                ret_event->type = TYPE_ORDER;
                ret_event->order = order;
                return;
        }
        ret_event->type = i % 2 ? TYPE_TRADE : TYPE_AGGREGATE;
        ret_event->count[below(seed, 2)] = 1;
        ret_event->levels[SIDE_BID] = ret_event->levels[SIDE_ASK] = seed->levels[0];
        seed->levels[0][0] =
            (struct level){1000 + (int64_t)below(seed, 9), 1 + (int64_t)below(seed, 9)};
        if (ret_event->type == TYPE_AGGREGATE) {
                ret_event->first_trade = 2 * i;
                ret_event->last_trade = 2 * i + (int64_t)below(seed, 2);
        }
}

static void put_messages(struct seed *seed, struct encoder *encoder, enum stream_kind kind,
    int64_t count, struct buffer *ret_block)
{
        struct order_message order;
        struct event event;
        struct scale scale = {2, 8, true, 1, 1};
        encoder_begin(encoder, &scale, &(struct event){.first_id = 1});
        for (int64_t i = 0; i < count; i++) {
                make_message(seed, kind, i, &order, &event);
                if (!book_room(&seed->book, &event))
                        LAW(!encoder_add(encoder, &seed->book, &event));
        }
        encoder_finish(encoder, ret_block);
}

/* For decode_messages: a book of some orders, then a block. */
static void save_messages(
    struct seed *seed, enum stream_kind kind, const char *folder, const char *name)
{
        struct encoder encoder;
        struct buffer image, blocks;
        struct book empty;
        struct frame_info info = {.scale = {2, 8, true, 1, 1}, .first_id = 1, .last_id = 1};
        encoder_init(&encoder, encoder_method((uint8_t)kind));
        buffer_init(&image, 1 << 16);
        buffer_init(&blocks, 1 << 16);
        book_init(&empty);
        book_clear(&seed->book);
        if (kind == KIND_L3)
                book_begin_orders(&seed->book);
        put_messages(seed, &encoder, kind, 60, &blocks); /* only the book is used */
        buffer_clear(&blocks);
        encoder_image(&encoder, &seed->book, &info, &blocks, &empty, &image);
        buffer_clear(&blocks);
        put_messages(seed, &encoder, kind, 80, &blocks);
        buffer_append_byte(&seed->out, 224);
        buffer_append_byte(&seed->out, kind == KIND_TRADES);
        put_i64(seed, 1);
        for (unsigned i = 0; i < 3; i++)
                put_i64(seed, i == 0); /* first id, times */
        buffer_append_byte(&seed->out, (uint8_t)(image.size >> 8));
        buffer_append_byte(&seed->out, (uint8_t)image.size);
        buffer_append(&seed->out, image.data, image.size);
        buffer_append(&seed->out, blocks.data, blocks.size);
        save(seed, folder, name);
        encoder_deinit(&encoder);
        buffer_deinit(&image);
        buffer_deinit(&blocks);
        book_deinit(&empty);
}

int main(int argc, char **argv)
{
        static struct seed seed = {.chance = 7};
        if (argc != 2) {
                fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
                return 2;
        }
        token_encoder_init(&seed.encoder);
        book_init(&seed.book);
        buffer_init(&seed.out, 1 << 20);
        save_block(&seed, argv[1], "dense_empty_book", 0);
        save_block(&seed, argv[1], "dense_book", 40);
        save_segment(&seed, argv[1], "dense_segment");
        save_messages(&seed, KIND_L3, argv[1], "dense_orders");
        save_messages(&seed, KIND_TRADES, argv[1], "dense_trades");
        token_encoder_deinit(&seed.encoder);
        book_deinit(&seed.book);
        buffer_deinit(&seed.out);
        return 0;
}
