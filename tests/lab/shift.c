/* Moves times and ids of a message on to a later pass. */
#include "shift.h"

#include <inttypes.h>

#include "base/clock.h"
#include "replica.h"

static int64_t range_width(const struct id_range *range)
{
        return range->high < range->low ? 0 : range->high - range->low + 1;
}

static int64_t pass_width(
    const struct symbol *symbol, const struct capture *capture, enum number_kind kind)
{
        switch (kind) {
        case NUMBER_TIME:
                return capture->span_ns / NS_PER_MS;
        case NUMBER_UPDATE:
                return replica_id_shift(symbol);
        case NUMBER_TRADE:
                return range_width(&symbol->trade_ids);
        case NUMBER_AGGREGATE:
                return range_width(&symbol->aggregate_ids);
        }
        return 0;
}

void shift_message(const struct symbol *symbol, const struct capture *capture,
    const struct message *message, unsigned repetition, struct buffer *text)
{
        size_t at = 0;
        for (uint32_t i = 0; i < message->number_count; i++) {
                const struct number *number = &capture->numbers[message->number_start + i];
                int64_t value = 0;
                span_int((struct span){message->text.data + number->offset, number->size}, &value);
                buffer_append(text, message->text.data + at, number->offset - at);
                buffer_printf(text, "%" PRId64,
                    value + repetition * pass_width(symbol, capture, number->kind));
                at = number->offset + number->size;
        }
        buffer_append(text, message->text.data + at, message->text.size - at);
}
