/* Any sequence of events: encoded, framed and decoded it is the same, in every field; by the dense
 * methods too, with the book that it builds: levels, or orders, or trades. */
#include "base/error.h"
#include "codec/decoder.h"
#include "codec/encoder.h"
#include "tests/fuzz/fuzz.h"

#define EVENTS_MAX 64
#define LEVELS_MAX 24
#define BLOCKS_MAX 3 /* packing takes most of the time */

struct made {
        struct event event;
        bool seals; /* the block ends behind it ... */
        bool image; /* ... and an image of the book follows */
        struct level levels[SIDES][LEVELS_MAX];
        struct order_message order;
};

static struct made made[EVENTS_MAX];

/* @ret_stream: what the events are. */
static struct scale source_scale(struct source *source, enum stream_kind *ret_stream)
{
        uint8_t kind = source_byte(source);
        *ret_stream = kind >> 5 == 5 ? KIND_L3 : kind >> 5 == 6 ? KIND_TRADES : KIND_L2;
        struct scale scale = {source_byte(source) % 19, source_byte(source) % 19, kind & 1, 1, 1};
        if (kind & 2)
                scale.tick = source_i64(source);
        if (kind & 4)
                scale.lot = source_i64(source);
        scale.tick = scale.tick < 1 ? 1 : scale.tick;
        scale.lot = scale.lot < 1 ? 1 : scale.lot;
        return scale;
}

/* On the grid mostly, so that the long way and the escape are both taken. */
static int64_t source_value(struct source *source, int64_t step)
{
        int64_t value = source_i64(source), product;
        if (value % 7 == 3 || __builtin_mul_overflow(value, step, &product))
                return value;
        return product;
}

static int compare_levels(const void *a, const void *b)
{
        const struct level *left = a, *right = b;
        return (left->price > right->price) - (left->price < right->price);
}

/* As exchanges send them: in order, one level a price. */
static void order_levels(struct made *to, bool falling)
{
        for (enum side s = 0; s < SIDES; s++) {
                struct level *levels = to->levels[s];
                uint32_t count = to->event.count[s], kept = 0;
                qsort(levels, count, sizeof(*levels), compare_levels);
                for (uint32_t i = 0; i < count; i++) {
                        if (!kept || levels[kept - 1].price != levels[i].price)
                                levels[kept++] = levels[i];
                }
                for (uint32_t i = 0; falling && i < kept / 2; i++) {
                        struct level swap = levels[i];
                        levels[i] = levels[kept - 1 - i];
                        levels[kept - 1 - i] = swap;
                }
                to->event.count[s] = kept;
        }
}

/* Its times and ids, and what happens behind it. */
static uint8_t make_head(struct source *source, struct made *to)
{
        uint8_t kind = source_byte(source);
        to->event = (struct event){.event_time_ns = source_i64(source),
            .receive_time_ns = source_i64(source),
            .first_id = source_i64(source),
            .last_id = source_i64(source),
            .flags = kind & 1 ? (uint32_t)source_u64(source, 4) : 0};
        if (kind & 2) /* a live feed: ids follow, times are near */
                to->event.receive_time_ns = (int64_t)((uint64_t)to->event.event_time_ns + kind);
        to->seals = (kind & 68) == 68;
        to->image = (kind & 76) == 76;
        return kind;
}

static void make_levels(struct source *source, const struct scale *scale, struct made *to)
{
        uint8_t kind = make_head(source, to);
        for (enum side s = 0; s < SIDES; s++) {
                to->event.count[s] = source_byte(source) % (LEVELS_MAX + 1);
                to->event.levels[s] = to->levels[s];
                for (uint32_t i = 0; i < to->event.count[s]; i++)
                        to->levels[s][i] = (struct level){
                            source_value(source, scale->tick), source_value(source, scale->lot)};
        }
        if (kind & 48)
                order_levels(to, kind & 32);
}

/* One of a few, one of a few numbers, or any. */
static struct order_id source_id(struct source *source)
{
        struct order_id id = {0};
        uint8_t kind = source_byte(source);
        if (kind < 128) {
                id.bytes[0] = 0xab;
                id.bytes[15] = kind & 15;
        } else if (kind < 224) {
                store_u64(id.bytes + 8, (uint64_t)(kind & 31) << 56);
        } else {
                for (unsigned i = 0; i < sizeof(id.bytes); i++)
                        id.bytes[i] = source_byte(source);
        }
        return id;
}

static void make_order(struct source *source, const struct scale *scale, struct made *to)
{
        struct order_message *order = &to->order;
        uint8_t kind = source_byte(source);
        make_head(source, to);
        *order = (struct order_message){
            .type = kind % ORDER_TYPES, .reason = source_byte(source) % REASONS};
        to->event.type = TYPE_ORDER;
        to->event.order = order;
        if (order->type == ORDER_OTHER)
                return;
        order->side = kind >> 7;
        order->has = source_byte(source) & ORDER_FIELDS;
        if (!(order->has & ORDER_HAS_OTHER))
                order->has &= (uint8_t)~ORDER_OTHER_PLAIN;
        order->id = source_id(source);
        if (order->has & ORDER_HAS_OTHER)
                order->other = source_id(source);
        if (order->has & ORDER_HAS_PRICE)
                order->price = source_value(source, scale->tick);
        if (order->has & ORDER_HAS_SIZE)
                order->size = source_value(source, scale->lot);
        if (order->has & ORDER_HAS_OLD_PRICE)
                order->old_price = source_value(source, scale->tick);
        if (order->has & ORDER_HAS_OLD_SIZE)
                order->old_size = source_value(source, scale->lot);
        for (uint8_t i = 0; order->has & ORDER_HAS_FUNDS && i < ORDER_FUNDS_SIZE - 1; i++)
                order->funds[i] = (char)source_byte(source);
        if (order->type == ORDER_MATCH)
                order->trade_id = source_i64(source);
}

static void make_trade(struct source *source, const struct scale *scale, struct made *to)
{
        uint8_t kind = make_head(source, to);
        enum side side = kind & 16 ? SIDE_ASK : SIDE_BID;
        to->event.type = kind & 32 ? TYPE_AGGREGATE : TYPE_TRADE;
        to->event.count[side] = 1;
        to->event.levels[SIDE_BID] = to->event.levels[SIDE_ASK] = to->levels[side];
        to->levels[side][0] =
            (struct level){source_value(source, scale->tick), source_value(source, scale->lot)};
        if (to->event.type == TYPE_AGGREGATE) {
                to->event.first_trade = source_i64(source);
                to->event.last_trade = source_i64(source);
        }
}

static void check_decoded(
    const struct scale *scale, struct bytes block, unsigned count, struct plain_decoder *decoder)
{
        struct event event;
        LAW(!plain_open(decoder, scale, block));
        for (unsigned i = 0; i < count; i++) {
                LAW(plain_next(decoder, &event) == 1);
                LAW(event_equal(&event, &made[i].event));
        }
        LAW(plain_next(decoder, &event) == 0);
}

static void frame_and_check(const struct scale *scale, struct bytes block, unsigned count)
{
        static struct frame_packer packer, unpacker;
        static struct plain_decoder decoder;
        static struct buffer frame;
        struct frame_info again, info = {.kind = FRAME_CHANGES, .scale = *scale, .events = count};
        struct bytes unpacked;
        if (!frame.limit) {
                frame_packer_init(&packer);
                frame_packer_init(&unpacker);
                plain_decoder_init(&decoder);
                buffer_init(&frame, 1 << 24);
        }
        buffer_clear(&frame);
        LAW(!frame_write(&packer, &info, block, &frame));
        LAW(!frame_unpack(&unpacker, buffer_bytes(&frame), &again, &unpacked));
        LAW(again.events == count && scale_equal(&again.scale, scale));
        check_decoded(&again.scale, unpacked, count, &decoder);
}

/* ---- the dense method ---- */

struct dense {
        struct token_encoder encoder;
        struct frame_packer packer;
        struct decoder decoder;
        struct book live, rebuilt, mirror; /* the encoder's, the decoder's, and what must be */
        struct buffer block, frame;
        uint64_t segment;
};

static struct dense dense;

static void trial_begin(void)
{
        static bool begun;
        if (!begun) {
                token_encoder_init(&dense.encoder);
                frame_packer_init(&dense.packer);
                decoder_init(&dense.decoder);
                buffer_init(&dense.block, 1 << 24);
                buffer_init(&dense.frame, 1 << 24);
        }
        begun = true;
        book_clear(&dense.live);
        book_clear(&dense.rebuilt);
        book_clear(&dense.mirror);
}

static void check_books(const struct book *a, const struct book *b)
{
        LAW(a->id == b->id);
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor at_a = {0}, at_b = {0};
                struct level level_a, level_b;
                LAW(book_count(a, s) == book_count(b, s));
                while (book_next(a, s, &at_a, &level_a))
                        LAW(book_next(b, s, &at_b, &level_b) && level_a.price == level_b.price &&
                            level_a.quantity == level_b.quantity);
                LAW(!book_next(b, s, &at_b, &level_b));
        }
}

/* The block of the encoder in a frame, opened by the decoder. */
static void trial_open(const struct scale *scale, enum frame_kind kind, const struct event *first)
{
        struct frame_info again,
            info = {.kind = (uint8_t)kind,
                .method = METHOD_TOKENS,
                .scale = *scale,
                .segment = dense.segment,
                .events = 1,
                .first_id = first->first_id,
                .last_id = first->last_id,
                .first_event_time_ns = first->event_time_ns,
                .first_receive_time_ns = first->receive_time_ns};
        size_t bound = token_size(&dense.encoder);
        buffer_clear(&dense.block);
        buffer_clear(&dense.frame);
        token_finish(&dense.encoder, &dense.block);
        LAW(dense.block.size <= bound);
        LAW(!frame_write(&dense.packer, &info, buffer_bytes(&dense.block), &dense.frame));
        LAW(!decoder_open(&dense.decoder, buffer_bytes(&dense.frame), &again));
        LAW(again.kind == info.kind && again.method == info.method);
}

static void trial_image(const struct scale *scale)
{
        static struct level levels[SIDES][EVENTS_MAX * LEVELS_MAX];
        struct event event = {.first_id = dense.mirror.id, .last_id = dense.mirror.id};
        for (enum side s = 0; s < SIDES; s++) {
                book_levels(&dense.mirror, s, levels[s]);
                event.levels[s] = levels[s];
                event.count[s] = (uint32_t)book_count(&dense.mirror, s);
        }
        dense.segment++;
        book_clear(&dense.live);
        token_encoder_reset(&dense.encoder);
        token_begin(&dense.encoder, scale, &event);
        token_add(&dense.encoder, &dense.live, &event);
        trial_open(scale, FRAME_IMAGE, &event);
        LAW(!decoder_image(&dense.decoder, &dense.rebuilt));
        check_books(&dense.rebuilt, &dense.mirror);
        token_encoder_reset(&dense.encoder);
}

static void check_befores(const struct event *event, const int64_t *befores)
{
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < event->count[s]; i++, befores++)
                        LAW(*befores ==
                            book_set(&dense.mirror, s, event->levels[s][i].price,
                                event->levels[s][i].quantity));
        }
        dense.mirror.id = event->last_id;
}

/* Events @from up to, not including, @to as one block. */
static void trial_changes(const struct scale *scale, unsigned from, unsigned to)
{
        struct event event;
        token_begin(&dense.encoder, scale, &made[from].event);
        for (unsigned i = from; i < to; i++) {
                size_t before = token_size(&dense.encoder);
                token_add(&dense.encoder, &dense.live, &made[i].event);
                LAW(token_size(&dense.encoder) <= before + token_event_size(&made[i].event));
        }
        trial_open(scale, FRAME_CHANGES, &made[from].event);
        for (unsigned i = from; i < to; i++) {
                LAW(decoder_next(&dense.decoder, &dense.rebuilt, &event) == 1);
                LAW(event_equal(&event, &made[i].event));
                check_befores(&event, decoder_befores(&dense.decoder));
        }
        LAW(decoder_next(&dense.decoder, &dense.rebuilt, &event) == 0);
        check_books(&dense.rebuilt, &dense.mirror);
        check_books(&dense.live, &dense.mirror);
}

static void check_dense(const struct scale *scale, unsigned count)
{
        unsigned from = 0, blocks = 0;
        trial_begin();
        trial_image(scale);
        for (unsigned i = 0; i < count; i++) {
                bool seals = made[i].seals && blocks < BLOCKS_MAX;
                if (!seals && i + 1 < count)
                        continue;
                trial_changes(scale, from, i + 1);
                from = i + 1;
                blocks++;
                if (seals && made[i].image)
                        trial_image(scale);
        }
}

/* ---- orders and trades ---- */

struct messages {
        struct encoder encoders[KINDS]; /* of changes; none for levels */
        struct encoder images[KINDS];
        struct book empty;
        struct buffer scratch;
};

static struct messages messages;

static void messages_begin(enum stream_kind stream)
{
        static bool begun;
        trial_begin();
        for (uint8_t kind = KIND_L3; kind < KINDS && !begun; kind++) {
                encoder_init(&messages.encoders[kind], encoder_method(kind));
                encoder_init(&messages.images[kind], encoder_method(kind));
        }
        if (!begun) {
                book_init(&messages.empty);
                buffer_init(&messages.scratch, 1 << 24);
        }
        begun = true;
        if (stream == KIND_L3) {
                book_begin_orders(&dense.live);
                book_begin_orders(&dense.mirror);
        }
}

static void check_orders(const struct book *a, const struct book *b)
{
        LAW(a->id == b->id && a->by_order == b->by_order && book_equal(a, b));
        LAW(!a->by_order || (book_orders_agree(a) && book_orders_agree(b)));
}

/* dense.block in a frame, opened by the decoder. */
static void messages_open(const struct frame_info *info)
{
        struct frame_info again;
        buffer_clear(&dense.frame);
        LAW(!frame_write(&dense.packer, info, buffer_bytes(&dense.block), &dense.frame));
        LAW(!decoder_open(&dense.decoder, buffer_bytes(&dense.frame), &again));
        LAW(again.kind == info->kind && again.method == info->method);
}

static struct frame_info messages_info(
    const struct scale *scale, enum stream_kind stream, enum frame_kind kind)
{
        return (struct frame_info){.kind = (uint8_t)kind,
            .method = encoder_method((uint8_t)stream),
            .scale = *scale,
            .segment = dense.segment,
            .events = 1};
}

static void messages_image(const struct scale *scale, enum stream_kind stream)
{
        dense.segment++;
        struct frame_info info = messages_info(scale, stream, FRAME_IMAGE);
        info.first_id = info.last_id = dense.mirror.id;
        buffer_clear(&dense.block);
        encoder_image(&messages.images[stream], &dense.mirror, &info, &messages.scratch,
            &messages.empty, &dense.block);
        encoder_reset(&messages.encoders[stream]);
        messages_open(&info);
        LAW(!decoder_image(&dense.decoder, &dense.rebuilt));
        check_orders(&dense.rebuilt, &dense.mirror);
}

/* The levels that an order message touched, before it and after. */
static void check_touched(const struct event *event, const struct event *message)
{
        const int64_t *befores = decoder_befores(&dense.decoder);
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < event->count[s]; i++)
                        LAW(*befores++ ==
                            book_quantity(&dense.mirror, s, event->levels[s][i].price));
        }
        LAW(!book_apply(&dense.mirror, message));
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < event->count[s]; i++)
                        LAW(event->levels[s][i].quantity ==
                            book_quantity(&dense.mirror, s, event->levels[s][i].price));
        }
}

/* Events @from up to, not including, @to as one block. */
static void messages_changes(
    const struct scale *scale, enum stream_kind stream, unsigned from, unsigned to)
{
        struct encoder *encoder = &messages.encoders[stream];
        struct frame_info info = messages_info(scale, stream, FRAME_CHANGES);
        const struct event *first = &made[from].event;
        struct event event;
        info.first_id = first->first_id;
        info.first_event_time_ns = first->event_time_ns;
        info.first_receive_time_ns = first->receive_time_ns;
        encoder_begin(encoder, scale, first);
        for (unsigned i = from; i < to; i++)
                LAW(!encoder_add(encoder, &dense.live, &made[i].event));
        buffer_clear(&dense.block);
        encoder_finish(encoder, &dense.block);
        messages_open(&info);
        for (unsigned i = from; i < to; i++) {
                LAW(decoder_next(&dense.decoder, &dense.rebuilt, &event) == 1);
                LAW(event_equal(&event, &made[i].event));
                if (event.type == TYPE_ORDER)
                        check_touched(&event, &made[i].event);
                else
                        LAW(!book_apply(&dense.mirror, &made[i].event));
        }
        LAW(decoder_next(&dense.decoder, &dense.rebuilt, &event) == 0);
        check_orders(&dense.rebuilt, &dense.mirror);
        check_orders(&dense.live, &dense.mirror);
}

/* Events that a book of their own has no room for are left out; how many are kept. */
static unsigned messages_keep(struct source *source, const struct scale *scale)
{
        static struct book book;
        unsigned count = 0;
        if (!book.orders)
                book_init(&book);
        book_begin_orders(&book);
        for (unsigned i = 0; source->left && i < EVENTS_MAX; i++) {
                make_order(source, scale, &made[count]);
                made[count].event.order = &made[count].order;
                count += !book_apply(&book, &made[count].event);
        }
        return count;
}

static void check_messages(const struct scale *scale, enum stream_kind stream, unsigned count)
{
        unsigned from = 0, blocks = 0;
        messages_begin(stream);
        messages_image(scale, stream);
        for (unsigned i = 0; i < count; i++) {
                bool seals = made[i].seals && blocks < BLOCKS_MAX;
                if (!seals && i + 1 < count)
                        continue;
                messages_changes(scale, stream, from, i + 1);
                from = i + 1;
                blocks++;
                if (seals && made[i].image)
                        messages_image(scale, stream);
        }
}

static unsigned make_events(
    struct source *source, const struct scale *scale, enum stream_kind stream)
{
        unsigned count = 0;
        if (stream == KIND_L3)
                return messages_keep(source, scale);
        for (; source->left && count < EVENTS_MAX; count++) {
                if (stream == KIND_TRADES)
                        make_trade(source, scale, &made[count]);
                else
                        make_levels(source, scale, &made[count]);
        }
        return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct plain_encoder encoder;
        static struct buffer block;
        struct source source = {data, size};
        enum stream_kind stream;
        struct scale scale = source_scale(&source, &stream);
        if (!block.limit) {
                plain_encoder_init(&encoder);
                buffer_init(&block, 1 << 24);
        }
        unsigned count = make_events(&source, &scale, stream);
        plain_begin(&encoder, &scale);
        for (unsigned i = 0; i < count; i++)
                LAW(!plain_add(&encoder, &made[i].event));
        size_t expected = plain_size(&encoder);
        buffer_clear(&block);
        plain_finish(&encoder, &block);
        LAW(block.size <= expected);
        frame_and_check(&scale, buffer_bytes(&block), count);
        if (stream == KIND_L2)
                check_dense(&scale, count);
        else
                check_messages(&scale, stream, count);
        return 0;
}
