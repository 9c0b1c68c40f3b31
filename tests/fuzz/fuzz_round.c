/* Any sequence of events: encoded, framed and decoded it is the same, in every field. */
#include "base/error.h"
#include "codec/frame.h"
#include "codec/plain.h"
#include "tests/fuzz/fuzz.h"

#define EVENTS_MAX 64
#define LEVELS_MAX 24

struct made {
        struct event event;
        struct level levels[SIDES][LEVELS_MAX];
};

static struct made made[EVENTS_MAX];

static struct scale source_scale(struct source *source)
{
        uint8_t kind = source_byte(source);
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

static void make_event(struct source *source, const struct scale *scale, struct made *to)
{
        uint8_t kind = source_byte(source);
        to->event = (struct event){.event_time_ns = source_i64(source),
            .receive_time_ns = source_i64(source),
            .first_id = source_i64(source),
            .last_id = source_i64(source),
            .flags = kind & 1 ? (uint32_t)source_u64(source, 4) : 0};
        if (kind & 2) /* a live feed: ids follow, times are near */
                to->event.receive_time_ns = (int64_t)((uint64_t)to->event.event_time_ns + kind);
        for (enum side s = 0; s < SIDES; s++) {
                to->event.count[s] = source_byte(source) % (LEVELS_MAX + 1);
                to->event.levels[s] = to->levels[s];
                for (uint32_t i = 0; i < to->event.count[s]; i++)
                        to->levels[s][i] = (struct level){
                            source_value(source, scale->tick), source_value(source, scale->lot)};
        }
}

static void check_decoded(
    const struct scale *scale, struct bytes block, unsigned count, struct plain_decoder *decoder)
{
        struct event event;
        LAW(!plain_open(decoder, scale, block));
        for (unsigned i = 0; i < count; i++) {
                LAW(plain_next(decoder, &event) == 1);
                LAW(events_equal(&event, &made[i].event));
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct plain_encoder encoder;
        static struct buffer block;
        struct source source = {data, size};
        struct scale scale = source_scale(&source);
        unsigned count = 0;
        if (!block.limit) {
                plain_encoder_init(&encoder);
                buffer_init(&block, 1 << 24);
        }
        plain_begin(&encoder, &scale);
        for (; source.left && count < EVENTS_MAX; count++) {
                make_event(&source, &scale, &made[count]);
                LAW(!plain_add(&encoder, &made[count].event));
        }
        size_t expected = plain_size(&encoder);
        buffer_clear(&block);
        plain_finish(&encoder, &block);
        LAW(block.size <= expected);
        frame_and_check(&scale, buffer_bytes(&block), count);
        return 0;
}
