/* Hostile bytes as frames, blocks and records: refused, or read as something that can be written.
 */
#include "codec/frame.h"
#include "codec/meta.h"
#include "codec/plain.h"
#include "tests/fuzz/fuzz.h"

#include <xxhash.h>

#define HEAD_SIZE 24

enum mode {
        MODE_RAW,    /* a frame as it is */
        MODE_SEALED, /* summary and packed block behind a head that is right */
        MODE_BLOCK,  /* a block in a frame that is right */
        MODE_META,   /* a record of each kind */
        MODES,
};

static struct frame_packer packer, other_packer;
static struct plain_encoder encoder;
static struct plain_decoder decoder, other_decoder;
static struct buffer frame, block;

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
                LAW(events_equal(&event, &again));
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
                LAW(peeked.kind == FRAME_IMAGE ? frame_positions(&peeked) == 1
                                               : frame_positions(&peeked) == peeked.events);
        }
        if (frame_unpack(&packer, bytes, &info, &packed))
                return;
        LAW(!read);
        decode_block(&info.scale, packed);
}

/* Kind, method, packing, unpacked size, then summary and block. */
static void decode_sealed(struct source source)
{
        uint8_t head[HEAD_SIZE] = {'O', 'B', 'F', 'R', 1};
        head[5] = source_byte(&source);
        head[6] = source_byte(&source);
        head[7] = source_byte(&source);
        uint32_t unpacked = (uint32_t)source_u64(&source, 4);
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
        struct frame_info info = {.kind = (uint8_t)(1 + kind % 3),
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct source source = {data, size};
        begin_once();
        switch (source_byte(&source) % MODES) {
        case MODE_RAW:
                decode_frame((struct bytes){source.at, source.left});
                break;
        case MODE_SEALED:
                decode_sealed(source);
                break;
        case MODE_BLOCK:
                decode_written(source);
                break;
        default:
                if (source.left)
                        decode_meta((struct bytes){source.at, source.left});
                break;
        }
        return 0;
}
