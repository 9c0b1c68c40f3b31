/* Hostile bytes as frames, blocks and records: refused, or read as something that can be written.
 */
#include "base/limits.h"
#include "codec/decoder.h"
#include "codec/encoder.h"
#include "codec/meta.h"
#include "tests/fuzz/fuzz.h"

#include <xxhash.h>

#define HEAD_SIZE 24
#define EVENTS_MAX 4096
#define FRAMES_MAX 16
#define UNPACKED_MAX (1u << 20) /* what is larger, but allowed, only takes time */

enum mode {
        MODE_RAW,      /* a frame as it is */
        MODE_SEALED,   /* summary and packed block behind a head that is right */
        MODE_BLOCK,    /* a block in a frame that is right */
        MODE_META,     /* a record of each kind */
        MODE_DENSE,    /* a dense block and the book that it begins with */
        MODE_SEGMENT,  /* blocks of all kinds in frames that are right, one after the other */
        MODE_MESSAGES, /* an image and a block of orders or trades */
};

static struct frame_packer packer, other_packer;
static struct plain_encoder encoder;
static struct plain_decoder decoder, other_decoder;
static struct token_encoder token_encoder;
static struct decoder segment_decoder, again_decoder;
static struct encoder encoders[KINDS]; /* of orders and of trades */
static struct book segment_book, again_book, start_book, empty_book;
static struct buffer frame, block;

/* Beginning a book, and reading along. */
struct dense {
        struct token_decoder decoder;
        struct book book;
        struct event event;
        struct level *levels; /* exactly those of the newest event */
        int64_t *befores;
};

static struct dense dense, other_dense;
static struct book dense_start;

static void begin_once(void)
{
        static bool begun;
        if (begun)
                return;
        begun = true;
        frame_packer_init(&packer);
        frame_packer_init(&other_packer);
        plain_encoder_init(&encoder);
        plain_decoder_init(&decoder);
        plain_decoder_init(&other_decoder);
        token_encoder_init(&token_encoder);
        token_decoder_init(&dense.decoder);
        token_decoder_init(&other_dense.decoder);
        decoder_init(&segment_decoder);
        decoder_init(&again_decoder);
        encoder_init(&encoders[KIND_L3], METHOD_ORDERS);
        encoder_init(&encoders[KIND_TRADES], METHOD_TRADES);
        book_init(&again_book);
        book_init(&start_book);
        book_init(&empty_book);
        book_init(&segment_book);
        book_init(&dense_start);
        book_init(&dense.book);
        book_init(&other_dense.book);
        buffer_init(&frame, 1 << 26);
        buffer_init(&block, 1 << 26);
}

/* What could be read comes back from an encoder of its own, event by event. */
static void check_again(const struct scale *scale, struct bytes first)
{
        struct event event, again;
        LAW(!plain_open(&decoder, scale, first));
        plain_begin(&encoder, scale);
        while (plain_next(&decoder, &event) > 0)
                LAW(!plain_add(&encoder, &event));
        buffer_clear(&block);
        plain_finish(&encoder, &block);
        LAW(!plain_open(&decoder, scale, first));
        LAW(!plain_open(&other_decoder, scale, buffer_bytes(&block)));
        while (plain_next(&decoder, &event) > 0) {
                LAW(plain_next(&other_decoder, &again) == 1);
                LAW(event_equal(&event, &again));
        }
        LAW(plain_next(&other_decoder, &again) == 0);
}

static void decode_block(const struct scale *scale, struct bytes bytes)
{
        struct event event;
        uint64_t levels = 0;
        int more;
        if (plain_open(&decoder, scale, bytes))
                return;
        while ((more = plain_next(&decoder, &event)) > 0)
                levels += event_level_count(&event);
        LAW(levels <= bytes.size);
        if (!more)
                check_again(scale, bytes);
}

/* Best first, one level a price, none empty. */
static void check_book(const struct book *book)
{
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0};
                struct level level;
                int64_t before = 0;
                size_t count = 0;
                for (; book_next(book, s, &cursor, &level); count++) {
                        LAW(level.quantity);
                        LAW(!count || book_key(s, level.price) > before);
                        before = book_key(s, level.price);
                }
                LAW(count == book_count(book, s));
        }
        LAW(!book->by_order || book_orders_agree(book));
}

/* A frame of any kind, to a decoder that has seen those before it. false: it was refused. */
static bool follow_frame(struct bytes bytes)
{
        struct frame_info info;
        struct event event;
        uint32_t counted, count = 0;
        int more = 0;
        if (decoder_open(&segment_decoder, bytes, &info) ||
            decoder_count(&segment_decoder, INT64_MAX, false, &counted))
                return false;
        if (info.kind == FRAME_IMAGE)
                more = decoder_image(&segment_decoder, &segment_book);
        else if (info.kind == FRAME_REPAIR)
                more = decoder_repair(&segment_decoder, &segment_book);
        else
                while (count < EVENTS_MAX &&
                    (more = decoder_next(&segment_decoder, &segment_book, &event)) == 1)
                        count++;
        if (more < 0)
                return false;
        LAW(frame_is_image(&info) || more == 1 || counted == count);
        check_book(&segment_book);
        return true;
}

static void decode_frame(struct bytes bytes)
{
        struct frame_info peeked, info;
        struct bytes packed;
        int peek = frame_peek(bytes, &peeked);
        int read = frame_read(bytes, &info);
        LAW(read || !peek);
        if (!peek) {
                frame_kind_name(peeked.kind);
                LAW(peeked.scale.tick >= 1 && peeked.scale.lot >= 1);
                LAW(frame_positions(&peeked) == (frame_is_image(&peeked) ? 1 : peeked.events));
        }
        if (frame_unpack(&packer, bytes, &info, &packed))
                return;
        LAW(!read);
        if (info.method == METHOD_PLAIN)
                decode_block(&info.scale, packed);
        book_clear(&segment_book);
        follow_frame(bytes);
}

/* Kind, method, packing, unpacked size, then summary and block. */
static void decode_sealed(struct source source)
{
        uint8_t head[HEAD_SIZE] = {'O', 'B', 'F', 'R', 1};
        head[5] = source_byte(&source);
        head[6] = source_byte(&source);
        head[7] = source_byte(&source);
        uint32_t unpacked = (uint32_t)source_u64(&source, 4);
        if (unpacked <= LIMIT_BLOCK_SIZE)
                unpacked %= UNPACKED_MAX;
        uint32_t size = (uint32_t)(sizeof(head) + source.left);
        store_u32(head + 8, size);
        store_u32(head + 12, unpacked);
        uint8_t *copy = malloc(size);
        LAW(copy);
        memcpy(copy, head, sizeof(head));
        if (source.left)
                memcpy(copy + sizeof(head), source.at, source.left);
        store_u64(copy + 16,
            XXH3_64bits_withSeed(copy + HEAD_SIZE, size - HEAD_SIZE, XXH3_64bits(copy, 16)));
        decode_frame((struct bytes){copy, size});
        free(copy);
}

static struct frame_info source_info(struct source *source)
{
        uint8_t kind = source_byte(source);
        struct frame_info info = {.kind = (uint8_t)(1 + kind % (FRAME_KINDS - 1)),
            .method = (uint8_t)(kind >> 4) % METHODS,
            .flags = source_byte(source) & FRAME_FLAGS,
            .scale = {source_byte(source) % 19, source_byte(source) % 19, kind & 4,
                source_i64(source), source_i64(source)},
            .events = 1,
            .first_id = source_i64(source),
            .last_id = source_i64(source),
            .first_event_time_ns = source_i64(source),
            .max_event_time_ns = source_i64(source),
            .running_max_ns = source_i64(source)};
        if (info.scale.tick < 1)
                info.scale.tick = 1;
        if (info.scale.lot < 1)
                info.scale.lot = 1;
        return info;
}

static void decode_written(struct source source)
{
        struct frame_info info = source_info(&source), again;
        struct bytes content = {source.at, source.left}, unpacked;
        buffer_clear(&frame);
        LAW(!frame_write(&packer, &info, content, &frame));
        LAW(!frame_unpack(&other_packer, buffer_bytes(&frame), &again, &unpacked));
        LAW(unpacked.size == content.size);
        LAW(!content.size || !memcmp(unpacked.data, content.data, content.size));
        LAW(scale_equal(&info.scale, &again.scale) && info.first_id == again.first_id &&
            info.last_id == again.last_id && info.max_event_time_ns == again.max_event_time_ns);
        decode_frame(buffer_bytes(&frame));
}

/* ---- dense blocks ---- */

static int trial_begin(
    struct dense *to, const struct scale *scale, const struct event *first, struct bytes bytes)
{
        book_copy(&to->book, &dense_start);
        token_decoder_reset(&to->decoder);
        return token_open(&to->decoder, scale, first, bytes);
}

static int trial_next(struct dense *it, size_t limit)
{
        unsigned bits;
        int more = token_next(&it->decoder, &it->event, &bits);
        if (more != 1)
                return more;
        size_t count = event_level_count(&it->event);
        if (count > limit || book_room(&it->book, &it->event))
                return -1; /* each level takes a byte */
        free(it->levels);
        free(it->befores);
        it->levels = malloc(count * sizeof(*it->levels));
        it->befores = malloc(count * sizeof(*it->befores));
        it->event.levels[SIDE_BID] = it->levels;
        it->event.levels[SIDE_ASK] = it->levels + it->event.count[SIDE_BID];
        return token_levels(&it->decoder, &it->book, &it->event, bits, it->levels, it->befores) ? -1
                                                                                                : 1;
}

/* Read to the end, each head read ahead as well; into the encoder, if @encode. */
static int trial_read(struct dense *it, size_t limit, struct book *encode)
{
        unsigned count = 0;
        int more;
        while ((more = trial_next(it, limit)) == 1) {
                struct event head;
                LAW(token_scan(&it->decoder, &head) == 1);
                LAW(head.last_id == it->event.last_id &&
                    head.event_time_ns == it->event.event_time_ns &&
                    event_level_count(&head) == event_level_count(&it->event));
                if (encode)
                        token_add(&token_encoder, encode, &it->event);
                if (++count == EVENTS_MAX)
                        return -1;
        }
        return more;
}

static void check_lockstep(size_t limit)
{
        int more;
        while ((more = trial_next(&dense, limit)) == 1) {
                size_t count = event_level_count(&dense.event);
                LAW(trial_next(&other_dense, SIZE_MAX) == 1);
                LAW(event_equal(&dense.event, &other_dense.event));
                LAW(!count || !memcmp(dense.befores, other_dense.befores, count * sizeof(int64_t)));
        }
        LAW(!more);
        LAW(trial_next(&other_dense, SIZE_MAX) == 0);
        check_book(&dense.book);
}

/* What could be read comes back from an encoder of its own, with what stood before each level. */
static void check_dense(const struct scale *scale, const struct event *first, struct bytes bytes)
{
        static const uint8_t padding[COLUMN_PADDING];
        static struct book book;
        book_copy(&book, &dense_start);
        token_encoder_reset(&token_encoder);
        token_begin(&token_encoder, scale, first);
        LAW(!trial_begin(&dense, scale, first, bytes));
        LAW(!trial_read(&dense, bytes.size, &book));
        buffer_clear(&block);
        token_finish(&token_encoder, &block);
        struct bytes again = buffer_bytes(&block);
        buffer_append(&block, padding, sizeof(padding));
        again.data = block.data;
        LAW(!trial_begin(&dense, scale, first, bytes));
        LAW(!trial_begin(&other_dense, scale, first, again));
        check_lockstep(bytes.size);
}

static struct scale source_scale(struct source *source)
{
        struct scale scale = {2, 8, true, source_i64(source), 1};
        scale.tick = scale.tick < 1 ? 1 : scale.tick;
        return scale;
}

/* Tick, first id and times, a count of levels and the levels, then the block. */
static void decode_dense(struct source source)
{
        struct scale scale = source_scale(&source);
        struct event first = {.first_id = source_i64(&source)};
        first.event_time_ns = source_i64(&source);
        first.receive_time_ns = source_i64(&source);
        book_clear(&dense_start);
        for (unsigned left = source_byte(&source); left; left--) {
                int64_t price = source_i64(&source);
                book_set(&dense_start, left & 1, price, source_i64(&source));
        }
        uint8_t *copy = malloc(source.left + COLUMN_PADDING);
        LAW(copy);
        if (source.left)
                memcpy(copy, source.at, source.left);
        memset(copy + source.left, 0, COLUMN_PADDING);
        struct bytes bytes = {copy, source.left};
        if (!trial_begin(&dense, &scale, &first, bytes) && !trial_read(&dense, bytes.size, NULL))
                check_dense(&scale, &first, bytes);
        free(copy);
}

/* Tick, then frames: kind, method, flags, size of the block and the block. */
static void decode_segment(struct source source)
{
        struct frame_info info = {
            .scale = source_scale(&source), .segment = 1, .events = 1, .first_id = 1};
        book_clear(&segment_book);
        for (unsigned i = 0; i < FRAMES_MAX && source.left; i++) {
                info.kind = (uint8_t)(1 + source_byte(&source) % (FRAME_KINDS - 1));
                info.method = source_byte(&source) % METHODS;
                info.flags = source_byte(&source) & FRAME_FLAGS;
                size_t size = source_u64(&source, 2);
                size = size < source.left ? size : source.left;
                buffer_clear(&frame);
                LAW(!frame_write(&packer, &info, (struct bytes){source.at, size}, &frame));
                if (!follow_frame(buffer_bytes(&frame)))
                        break;
                source.at += size;
                source.left -= size;
        }
}

/* ---- orders and trades ---- */

/* What could be read of a block: kept, to be encoded anew. */
struct read_event {
        struct event event;
        struct order_message order;
        struct level level;
};

static struct read_event read_events[EVENTS_MAX];

/* @block in a frame of @info, opened by @to. */
static bool messages_open(struct decoder *to, const struct frame_info *info, struct bytes bytes)
{
        struct frame_info again;
        buffer_clear(&frame);
        LAW(!frame_write(&packer, info, bytes, &frame));
        return !decoder_open(to, buffer_bytes(&frame), &again);
}

/* The events of an open block, to its end; -1: it was refused. */
static int messages_read(void)
{
        struct event event;
        int more, count = 0;
        uint32_t counted;
        if (decoder_count(&segment_decoder, INT64_MAX, true, &counted))
                return -1;
        while ((more = decoder_next(&segment_decoder, &segment_book, &event)) == 1) {
                if (count == EVENTS_MAX)
                        return -1;
                struct read_event *to = &read_events[count++];
                to->event = event;
                LAW(!event.order == (event.type != TYPE_ORDER));
                if (event.order) {
                        to->order = *event.order;
                        to->event.count[SIDE_BID] = to->event.count[SIDE_ASK] = 0; /* touched */
                }
                if (event_is_trade(&event))
                        to->level = event.levels[event.count[SIDE_ASK] != 0][0];
                to->event.order = event.order ? &to->order : NULL;
                to->event.levels[SIDE_BID] = to->event.levels[SIDE_ASK] = &to->level;
        }
        check_book(&segment_book);
        return more < 0 ? -1 : count;
}

/* The image of @start_book, written by an encoder of its own, leads back to it. */
static void check_start(struct encoder *to, struct frame_info info)
{
        struct buffer scratch;
        buffer_init(&scratch, 1 << 26);
        buffer_clear(&block);
        encoder_image(to, &start_book, &info, &scratch, &empty_book, &block);
        LAW(messages_open(&again_decoder, &info, buffer_bytes(&block)));
        LAW(!decoder_image(&again_decoder, &again_book));
        LAW(book_equal(&again_book, &start_book));
        buffer_deinit(&scratch);
}

static void check_messages(struct encoder *to, const struct frame_info *info, int count)
{
        struct event event = {.first_id = info->first_id,
            .event_time_ns = info->first_event_time_ns,
            .receive_time_ns = info->first_receive_time_ns};
        encoder_begin(to, &info->scale, &event);
        for (int i = 0; i < count; i++)
                LAW(!encoder_add(to, &start_book, &read_events[i].event));
        buffer_clear(&block);
        encoder_finish(to, &block);
        LAW(book_equal(&start_book, &segment_book));
        LAW(messages_open(&again_decoder, info, buffer_bytes(&block)));
        for (int i = 0; i < count; i++) {
                LAW(decoder_next(&again_decoder, &again_book, &event) == 1);
                LAW(event_equal(&event, &read_events[i].event));
        }
        LAW(decoder_next(&again_decoder, &again_book, &event) == 0);
        LAW(book_equal(&again_book, &segment_book));
}

/* Method, tick, first id and times, size of the image's block, it, and the other block. */
static void decode_messages(struct source source)
{
        enum stream_kind kind = source_byte(&source) & 1 ? KIND_TRADES : KIND_L3;
        struct frame_info info = {.kind = FRAME_IMAGE,
            .method = encoder_method((uint8_t)kind),
            .scale = source_scale(&source),
            .segment = 1,
            .events = 1,
            .first_id = source_i64(&source),
            .first_event_time_ns = source_i64(&source),
            .first_receive_time_ns = source_i64(&source)};
        info.last_id = info.first_id;
        size_t size = source_u64(&source, 2);
        size = size < source.left ? size : source.left;
        if (!messages_open(&segment_decoder, &info, (struct bytes){source.at, size}) ||
            decoder_image(&segment_decoder, &segment_book))
                return;
        check_book(&segment_book);
        book_copy(&start_book, &segment_book);
        check_start(&encoders[kind], info);
        info.kind = FRAME_CHANGES;
        struct bytes rest = {source.at + size, source.left - size};
        int count = messages_open(&segment_decoder, &info, rest) ? messages_read() : -1;
        if (count > 0)
                check_messages(&encoders[kind], &info, count);
}

/* What a record was read as is written to bytes that read alike, to the last bit. */
#define CHECK_RECORD(type, read, write)                                                            \
        do {                                                                                       \
                struct type value;                                                                 \
                struct buffer *first = &frame, *second = &block;                                   \
                if (read(bytes, &value))                                                           \
                        break;                                                                     \
                buffer_clear(first);                                                               \
                buffer_clear(second);                                                              \
                write(first, &value);                                                              \
                LAW(first->size <= bytes.size);                                                    \
                LAW(!read(buffer_bytes(first), &value));                                           \
                write(second, &value);                                                             \
                LAW(first->size == second->size);                                                  \
                LAW(!memcmp(first->data, second->data, first->size));                              \
        } while (0)

static void decode_meta(struct bytes bytes)
{
        CHECK_RECORD(stream_name, stream_name_read, stream_name_write);
        CHECK_RECORD(gap_record, gap_read, gap_write);
        CHECK_RECORD(epoch_record, epoch_read, epoch_write);
        CHECK_RECORD(mark_record, mark_read, mark_write);
        char text[16] = {0};
        uint8_t kind = KINDS;
        memcpy(text, bytes.data, bytes.size < 15 ? bytes.size : 15);
        if (!stream_kind_parse(text, &kind))
                LAW(!strcmp(stream_kind_name(kind), text));
        LAW(gap_cause_name(bytes.data[0]) && stream_kind_name(bytes.data[0]));
}

static enum mode source_mode(struct source *source)
{
        uint8_t byte = source_byte(source);
        if (byte >= 224)
                return MODE_MESSAGES;
        return byte < 128 ? byte % MODE_DENSE : MODE_DENSE + byte % 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct source source = {data, size};
        begin_once();
        switch (source_mode(&source)) {
        case MODE_RAW:
                decode_frame((struct bytes){source.at, source.left});
                break;
        case MODE_SEALED:
                decode_sealed(source);
                break;
        case MODE_BLOCK:
                decode_written(source);
                break;
        case MODE_META:
                if (source.left)
                        decode_meta((struct bytes){source.at, source.left});
                break;
        case MODE_DENSE:
                decode_dense(source);
                break;
        case MODE_SEGMENT:
                decode_segment(source);
                break;
        case MODE_MESSAGES:
                decode_messages(source);
                break;
        }
        return 0;
}
