/* Moves times and ids of a message on to a later pass. */
#include "shift.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "replica.h"

static int64_t range_width(const struct id_range *range)
{
        return range->high < range->low ? 0 : range->high - range->low + 1;
}

int64_t shift_width(
    const struct symbol *symbol, const struct capture *capture, enum number_kind kind)
{
        switch (kind) {
        case NUMBER_TIME:
        case NUMBER_STAMP:
                return capture->span_ns / NS_PER_MS;
        case NUMBER_UPDATE:
                return symbol->venue == VENUE_BINANCE ? replica_id_shift(symbol)
                                                      : range_width(&symbol->update_ids);
        case NUMBER_TRADE:
                return range_width(&symbol->trade_ids);
        case NUMBER_AGGREGATE:
                return range_width(&symbol->aggregate_ids);
        }
        return 0;
}

/* A time as text, so much later; what is no time stays as it is. */
static void print_stamp(struct span old, int64_t by_ns, struct buffer *text)
{
        char stamp[TIME_TEXT_SIZE] = {0};
        int64_t time_ns;
        if (old.size < sizeof(stamp))
                memcpy(stamp, old.data, old.size);
        if (time_parse(stamp, &time_ns))
                buffer_append(text, old.data, old.size);
        else
                buffer_append_text(text, time_format(time_ns + by_ns, stamp));
}

void shift_message(const struct symbol *symbol, const struct capture *capture,
    const struct message *message, unsigned repetition, struct buffer *text)
{
        size_t at = 0;
        for (uint32_t i = 0; i < message->number_count; i++) {
                const struct number *number = &capture->numbers[message->number_start + i];
                struct span old = {message->text.data + number->offset, number->size};
                int64_t by = repetition * shift_width(symbol, capture, number->kind), value = 0;
                buffer_append(text, message->text.data + at, number->offset - at);
                if (!by)
                        buffer_append(text, old.data, old.size);
                else if (number->kind == NUMBER_STAMP)
                        print_stamp(old, by * NS_PER_MS, text);
                else if (span_int(old, &value))
                        buffer_printf(text, "%" PRId64, value + by);
                at = number->offset + number->size;
        }
        buffer_append(text, message->text.data + at, message->text.size - at);
}
