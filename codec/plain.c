#include "codec/plain.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"

/* The first varint of an event's head. */
enum head_bit {
        HEAD_FLAGS = 1 << 0,    /* event flags follow */
        HEAD_OFF_GRID = 1 << 1, /* the escape: values in single units, not in ticks and lots */
        HEAD_ID_JUMP = 1 << 2,  /* first id is not the last one's successor */
        HEAD_TIME_SHIFT = 3,    /* two bits: unit of the event time */
        HEAD_DELAY_SHIFT = 5,   /* two bits: unit of the delay */
        HEAD_TYPE_SHIFT = 7,    /* two bits: the event's type */
};

static const int64_t time_units[] = {NS_PER_MS, NS_PER_US, 1};

static unsigned unit_of(int64_t time_ns)
{
        unsigned unit = 0;
        while (time_ns % time_units[unit])
                unit++;
        return unit;
}

static void state_begin(struct plain_state *state, const struct scale *scale)
{
        *state = (struct plain_state){.scale = *scale};
        if (state->scale.tick < 1)
                state->scale.tick = 1;
        if (state->scale.lot < 1)
                state->scale.lot = 1;
}

/* Both directions call it after each event, so that they cannot drift apart. */
static void state_advance(struct plain_state *state, const struct event *event)
{
        state->event_time_ns = event->event_time_ns;
        state->delay_ns = difference(event->receive_time_ns, event->event_time_ns);
        state->last_id = event->last_id;
        for (enum side s = 0; s < SIDES; s++) {
                if (event->count[s])
                        state->price[s] = event->levels[s][0].price;
        }
}

void plain_encoder_init(struct plain_encoder *encoder)
{
        *encoder = (struct plain_encoder){0};
        buffer_init(&encoder->heads, LIMIT_BLOCK_SIZE);
        buffer_init(&encoder->prices, LIMIT_BLOCK_SIZE);
        buffer_init(&encoder->quantities, LIMIT_BLOCK_SIZE);
}

void plain_encoder_deinit(struct plain_encoder *encoder)
{
        buffer_deinit(&encoder->heads);
        buffer_deinit(&encoder->prices);
        buffer_deinit(&encoder->quantities);
}

void plain_begin(struct plain_encoder *encoder, const struct scale *scale)
{
        state_begin(&encoder->state, scale);
        buffer_clear(&encoder->heads);
        buffer_clear(&encoder->prices);
        buffer_clear(&encoder->quantities);
}

static bool event_on_grid(const struct event *event, const struct scale *scale)
{
        if (scale->tick == 1 && scale->lot == 1)
                return true;
        for (enum side s = 0; s < SIDES; s++) {
                const struct level *levels = event->levels[s];
                for (uint32_t i = 0; i < event->count[s]; i++) {
                        if (levels[i].price % scale->tick || levels[i].quantity % scale->lot)
                                return false;
                }
        }
        return true;
}

static void add_head(struct plain_encoder *encoder, const struct event *event, bool on_grid)
{
        struct plain_state *state = &encoder->state;
        struct buffer *heads = &encoder->heads;
        int64_t delay = difference(event->receive_time_ns, event->event_time_ns);
        unsigned time_unit = unit_of(event->event_time_ns), delay_unit = unit_of(delay);
        int64_t jump = difference(event->first_id, sum(state->last_id, 1));
        write_varint(heads,
            (event->flags ? HEAD_FLAGS : 0u) | (on_grid ? 0u : HEAD_OFF_GRID) |
                (jump ? HEAD_ID_JUMP : 0u) | time_unit << HEAD_TIME_SHIFT |
                delay_unit << HEAD_DELAY_SHIFT | (unsigned)event->type << HEAD_TYPE_SHIFT);
        if (event->flags)
                write_varint(heads, event->flags);
        if (jump)
                write_signed(heads, jump);
        write_signed(heads, difference(event->last_id, event->first_id));
        write_signed(heads,
            difference(event->event_time_ns / time_units[time_unit],
                state->event_time_ns / time_units[time_unit]));
        write_signed(heads,
            difference(delay / time_units[delay_unit], state->delay_ns / time_units[delay_unit]));
        write_varint(heads, event->count[SIDE_BID]);
        write_varint(heads, event->count[SIDE_ASK]);
        message_write(heads, event);
}

static void add_side(
    struct plain_encoder *encoder, const struct event *event, enum side s, bool on_grid)
{
        int64_t tick = on_grid ? encoder->state.scale.tick : 1;
        int64_t lot = on_grid ? encoder->state.scale.lot : 1;
        int64_t before = encoder->state.price[s] / tick;
        for (uint32_t i = 0; i < event->count[s]; i++) {
                int64_t price = event->levels[s][i].price / tick;
                write_signed(&encoder->prices, difference(price, before));
                write_signed(&encoder->quantities, event->levels[s][i].quantity / lot);
                before = price;
        }
}

int plain_add(struct plain_encoder *encoder, const struct event *event)
{
        size_t room = ((size_t)event_level_count(event) * 2 + 8) * VARINT_SIZE_MAX +
            (event->type == TYPE_LEVELS ? 0 : MESSAGE_SIZE_MAX);
        if (room + plain_size(encoder) > LIMIT_BLOCK_SIZE)
                return ERR_FULL;
        bool on_grid = event_on_grid(event, &encoder->state.scale);
        add_head(encoder, event, on_grid);
        for (enum side s = 0; s < SIDES; s++)
                add_side(encoder, event, s, on_grid);
        state_advance(&encoder->state, event);
        return 0;
}

size_t plain_size(const struct plain_encoder *encoder)
{
        return encoder->heads.size + encoder->prices.size + encoder->quantities.size +
            2 * VARINT_SIZE_MAX;
}

void plain_finish(struct plain_encoder *encoder, struct buffer *block)
{
        write_varint(block, encoder->heads.size);
        write_varint(block, encoder->prices.size);
        buffer_append(block, encoder->heads.data, encoder->heads.size);
        buffer_append(block, encoder->prices.data, encoder->prices.size);
        buffer_append(block, encoder->quantities.data, encoder->quantities.size);
}

void plain_decoder_init(struct plain_decoder *decoder)
{
        *decoder = (struct plain_decoder){0};
}

void plain_decoder_deinit(struct plain_decoder *decoder)
{
        free(decoder->levels);
        *decoder = (struct plain_decoder){0};
}

int plain_open(struct plain_decoder *decoder, const struct scale *scale, struct bytes block)
{
        struct byte_reader reader = reader_of(block);
        state_begin(&decoder->state, scale);
        decoder->scan_state = decoder->state;
        uint64_t heads = read_varint(&reader), prices = read_varint(&reader);
        decoder->heads = decoder->scan = reader_of(read_bytes(&reader, heads));
        decoder->prices = reader_of(read_bytes(&reader, prices));
        decoder->quantities = reader_of(read_bytes(&reader, reader_left(&reader)));
        return reader.failed ? ERR_CORRUPT : 0;
}

static int read_time(struct byte_reader *heads, unsigned unit, int64_t before, int64_t *ret_time)
{
        if (unit >= sizeof(time_units) / sizeof(time_units[0]))
                return ERR_CORRUPT;
        int64_t value = sum(read_signed(heads), before / time_units[unit]);
        return __builtin_mul_overflow(value, time_units[unit], ret_time) ? ERR_CORRUPT : 0;
}

/* @left: a bound of the levels that can still come. */
static int read_head(const struct plain_state *state, struct byte_reader *heads, size_t left,
    struct event *event, struct order_message *order, bool *ret_on_grid)
{
        uint64_t bits = read_varint(heads);
        *ret_on_grid = !(bits & HEAD_OFF_GRID);
        event->type = bits >> HEAD_TYPE_SHIFT & 3;
        uint64_t flags = bits & HEAD_FLAGS ? read_varint(heads) : 0;
        event->flags = (uint32_t)flags;
        int64_t jump = bits & HEAD_ID_JUMP ? read_signed(heads) : 0;
        event->first_id = sum(sum(state->last_id, 1), jump);
        event->last_id = sum(event->first_id, read_signed(heads));
        int64_t delay;
        if (read_time(
                heads, bits >> HEAD_TIME_SHIFT & 3, state->event_time_ns, &event->event_time_ns) ||
            read_time(heads, bits >> HEAD_DELAY_SHIFT & 3, state->delay_ns, &delay))
                return ERR_CORRUPT;
        event->receive_time_ns = sum(event->event_time_ns, delay);
        uint64_t bids = read_varint(heads), asks = read_varint(heads);
        message_read(heads, event, order);
        if (heads->failed || flags > UINT32_MAX || bits >> (HEAD_TYPE_SHIFT + 2) || bids > left ||
            asks > left - bids || !event_is_sound(event->type, bids, asks))
                return ERR_CORRUPT;
        event->count[SIDE_BID] = (uint32_t)bids;
        event->count[SIDE_ASK] = (uint32_t)asks;
        return 0;
}

static void decoder_reserve(struct plain_decoder *decoder, size_t count)
{
        if (decoder->levels && count <= decoder->capacity)
                return;
        decoder->capacity = count < 64 ? 64 : count + count / 2;
        decoder->levels = memory_resize(decoder->levels, decoder->capacity * sizeof(struct level));
}

static int read_side(
    struct plain_decoder *decoder, struct level *levels, uint32_t count, enum side s, bool on_grid)
{
        int64_t tick = on_grid ? decoder->state.scale.tick : 1;
        int64_t lot = on_grid ? decoder->state.scale.lot : 1;
        int64_t price = decoder->state.price[s] / tick;
        int overflow = 0;
        for (uint32_t i = 0; i < count; i++) {
                price = sum(price, read_signed(&decoder->prices));
                overflow |= __builtin_mul_overflow(price, tick, &levels[i].price);
                overflow |= __builtin_mul_overflow(
                    read_signed(&decoder->quantities), lot, &levels[i].quantity);
        }
        return overflow || decoder->prices.failed || decoder->quantities.failed ? ERR_CORRUPT : 0;
}

int plain_scan(struct plain_decoder *decoder, struct event *ret_event)
{
        struct event event = {0};
        struct plain_state *state = &decoder->scan_state;
        bool on_grid;
        if (!reader_left(&decoder->scan))
                return 0;
        if (read_head(state, &decoder->scan, reader_left(&decoder->prices), &event,
                &decoder->scan_order, &on_grid))
                return ERR_CORRUPT;
        state->event_time_ns = event.event_time_ns;
        state->delay_ns = difference(event.receive_time_ns, event.event_time_ns);
        state->last_id = event.last_id;
        *ret_event = event;
        return 1;
}

int plain_next(struct plain_decoder *decoder, struct event *ret_event)
{
        struct event event = {0};
        bool on_grid;
        if (!reader_left(&decoder->heads))
                return reader_left(&decoder->prices) || reader_left(&decoder->quantities)
                    ? ERR_CORRUPT
                    : 0;
        if (read_head(&decoder->state, &decoder->heads, reader_left(&decoder->prices), &event,
                &decoder->order, &on_grid))
                return ERR_CORRUPT;
        event.order = event.type == TYPE_ORDER ? &decoder->order : NULL;
        decoder_reserve(decoder, event_level_count(&event));
        event.levels[SIDE_BID] = decoder->levels;
        event.levels[SIDE_ASK] = decoder->levels + event.count[SIDE_BID];
        if (read_side(decoder, decoder->levels, event.count[SIDE_BID], SIDE_BID, on_grid) ||
            read_side(decoder, decoder->levels + event.count[SIDE_BID], event.count[SIDE_ASK],
                SIDE_ASK, on_grid))
                return ERR_CORRUPT;
        state_advance(&decoder->state, &event);
        *ret_event = event;
        return 1;
}
