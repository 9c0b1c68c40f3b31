/* What a value of a store means, decoded by codec/, as the line of JSON that tests/spec/obdecode.py
 * prints for it. */
#ifndef TESTS_UNIT_GOLDEN_TEXT_H
#define TESTS_UNIT_GOLDEN_TEXT_H

#include "codec/decoder.h"
#include "tests/unit/golden_help.h"

/* Frames of one stream, in order: dense ones continue what those before them left. */
struct text_reader {
        struct decoder decoder;
        struct book book;
        uint32_t stream;
};

static inline void text_reader_init(struct text_reader *reader)
{
        *reader = (struct text_reader){0};
        decoder_init(&reader->decoder);
        book_init(&reader->book);
}

static inline void text_reader_deinit(struct text_reader *reader)
{
        decoder_deinit(&reader->decoder);
        book_deinit(&reader->book);
}

static inline const char *text_bool(bool value)
{
        return value ? "true" : "false";
}

static inline const char *text_place(uint32_t place, char day[DAY_TEXT_SIZE])
{
        return place == STORE_META ? "meta" : day_format(place, day);
}

static inline void text_key(struct buffer *out, const struct golden_row *row)
{
        char day[DAY_TEXT_SIZE];
        buffer_printf(out,
            "{\"place\":\"%s\",\"table\":\"%s\",\"stream\":%" PRIu32 ",\"major\":%" PRId64
            ",\"minor\":%" PRIu64 ",\"value\":",
            text_place(row->place, day), golden_tables[row->table], row->key.stream, row->key.major,
            row->key.minor);
}

/* The line of obdump. */
static inline void text_dump(struct buffer *out, const struct golden_row *row)
{
        text_key(out, row);
        buffer_append_byte(out, '"');
        for (size_t i = 0; i < row->value.size; i++)
                buffer_printf(out, "%02x", row->value.data[i]);
        buffer_append_text(out, "\"}\n");
}

/* Append the bytes that stand at @hex. */
static inline void text_bytes(struct buffer *out, const char *hex)
{
        static const char digits[] = "0123456789abcdef";
        const char *high, *low;
        for (; *hex && hex[1]; hex += 2) {
                high = strchr(digits, hex[0]);
                low = strchr(digits, hex[1]);
                if (!high || !low)
                        return;
                buffer_append_byte(out, (uint8_t)((high - digits) << 4 | (low - digits)));
        }
}

/* The row of a line of a dump, its bytes put into @value. ERR_PARSE. */
static inline int text_row(const char *line, struct buffer *value, struct golden_row *ret_row)
{
        char place[16], table[16];
        struct golden_row row = {.place = STORE_META};
        int at = 0;
        int found = sscanf(line,
            "{\"place\":\"%15[^\"]\",\"table\":\"%15[^\"]\",\"stream\":%" SCNu32
            ",\"major\":%" SCNd64 ",\"minor\":%" SCNu64 ",\"value\":\"%n",
            place, table, &row.key.stream, &row.key.major, &row.key.minor, &at);
        if (found != 5 || !at || (strcmp(place, "meta") && day_parse(place, &row.place)))
                return ERR_PARSE;
        while (row.table < STORE_TABLES && strcmp(table, golden_tables[row.table]))
                row.table++;
        if (row.table == STORE_TABLES)
                return ERR_PARSE;
        buffer_clear(value);
        text_bytes(value, line + at);
        row.value = buffer_bytes(value);
        *ret_row = row;
        return 0;
}

static inline void text_scale(struct buffer *out, const struct scale *scale)
{
        buffer_printf(out, "\"scale\":[%u,%u,%s,%" PRId64 ",%" PRId64 "]", scale->price_digits,
            scale->quantity_digits, text_bool(scale->fixed), scale->tick, scale->lot);
}

static inline void text_flags(struct buffer *out, uint32_t flags)
{
        static const char *const names[] = {
            "open", "sync", "correction", "bounded_bid", "bounded_ask", "timed", "thinned"};
        const char *comma = "";
        buffer_append_text(out, ",\"flags\":[");
        for (unsigned i = 0; i < 7; i++) {
                if (!(flags >> i & 1))
                        continue;
                buffer_printf(out, "%s\"%s\"", comma, names[i]);
                comma = ",";
        }
        buffer_append_text(out, "],");
}

static inline void text_horizon(struct buffer *out, const struct frame_info *info)
{
        buffer_printf(out, ",\"corrections\":%u,\"horizon\":[", info->corrections);
        for (enum side s = 0; s < SIDES; s++) {
                buffer_append_text(out, s ? "," : "");
                if (info->flags & (FRAME_BOUNDED_BID << s))
                        buffer_printf(out, "%" PRId64, info->horizon[s]);
                else
                        buffer_append_text(out, "null");
        }
        buffer_append_byte(out, ']');
}

static inline void text_numbers(
    struct buffer *out, const char *const *names, const int64_t *values, size_t count)
{
        for (size_t i = 0; i < count; i++)
                buffer_printf(out, ",\"%s\":%" PRId64, names[i], values[i]);
}

static inline void text_info(struct buffer *out, const struct frame_info *info, uint8_t packing)
{
        static const char *const names[] = {"first_id", "last_id", "first_event_time_ns",
            "last_event_time_ns", "min_event_time_ns", "max_event_time_ns"};
        const int64_t values[] = {info->first_id, info->last_id, info->first_event_time_ns,
            info->last_event_time_ns, info->min_event_time_ns, info->max_event_time_ns};
        buffer_printf(out, "{\"kind\":\"%s\",\"method\":%u,\"packing\":%u",
            frame_kind_name(info->kind), info->method, packing);
        text_flags(out, info->flags);
        text_scale(out, &info->scale);
        buffer_printf(out,
            ",\"epoch\":%u,\"segment\":%" PRIu64 ",\"events\":%u,\"level_updates\":%u", info->epoch,
            info->segment, info->events, info->level_updates);
        text_numbers(out, names, values, 6);
        if (info->flags & FRAME_TIMED)
                buffer_printf(out, ",\"running_max_ns\":%" PRId64, info->running_max_ns);
        else
                buffer_append_text(out, ",\"running_max_ns\":null");
        buffer_printf(out,
            ",\"first_receive_time_ns\":%" PRId64 ",\"last_receive_time_ns\":%" PRId64,
            info->first_receive_time_ns, info->last_receive_time_ns);
        if (frame_is_image(info))
                text_horizon(out, info);
        buffer_append_byte(out, '}');
}

static inline void text_hex(struct buffer *out, const char *name, const struct order_id *id)
{
        buffer_printf(out, ",\"%s\":\"", name);
        for (unsigned i = 0; i < sizeof(id->bytes); i++)
                buffer_printf(out, "%02x", id->bytes[i]);
        buffer_append_byte(out, '"');
}

/* Any bytes but 0, each as the character of that number. */
static inline void text_funds(struct buffer *out, const char *text)
{
        static const char plain[] = "\b\t\n\f\r\"\\", short_forms[] = "btnfr\"\\";
        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;
                const char *at = strchr(plain, c);
                if (at)
                        buffer_printf(out, "\\%c", short_forms[at - plain]);
                else if (c < 0x20 || c > 0x7e)
                        buffer_printf(out, c == 0x7f ? "%c" : "\\u%04x", c);
                else
                        buffer_append_byte(out, c);
        }
}

static inline void text_order(struct buffer *out, const struct order_message *order)
{
        static const char *const types[ORDER_TYPES] = {
            "received", "open", "match", "done", "change", "activate", "other"};
        static const char *const names[] = {"price", "size", "old_price", "old_size"};
        const int64_t values[] = {order->price, order->size, order->old_price, order->old_size};
        buffer_printf(out, ",\"order\":{\"type\":\"%s\",\"side\":%u,\"reason\":%u,\"has\":%u",
            types[order->type], order->side, order->reason, order->has);
        text_hex(out, "id", &order->id);
        text_hex(out, "other", &order->other);
        text_numbers(out, names, values, 4);
        buffer_append_text(out, ",\"funds\":\"");
        text_funds(out, order->funds);
        buffer_printf(out, "\",\"trade\":%" PRId64 "}", order->trade_id);
}

/* What only some types of events have. */
static inline void text_more(struct buffer *out, const struct event *event)
{
        if (event->type)
                buffer_printf(out, ",\"type\":%u", event->type);
        if (event->order)
                text_order(out, event->order);
        if (event->type == TYPE_AGGREGATE)
                buffer_printf(out, ",\"fills\":[%" PRId64 ",%" PRId64 "]", event->first_trade,
                    event->last_trade);
}

static inline void text_event_head(struct buffer *out, const struct event *event)
{
        buffer_printf(out,
            "{\"event_time_ns\":%" PRId64 ",\"receive_time_ns\":%" PRId64 ",\"first_id\":%" PRId64
            ",\"last_id\":%" PRId64 ",\"flags\":%u",
            event->event_time_ns, event->receive_time_ns, event->first_id, event->last_id,
            event->flags);
}

static inline void text_event(struct buffer *out, const struct event *event)
{
        static const char *const names[SIDES] = {"bids", "asks"};
        text_event_head(out, event);
        for (enum side s = 0; s < SIDES; s++) {
                buffer_printf(out, ",\"%s\":[", names[s]);
                for (uint32_t i = 0; i < event->count[s]; i++)
                        buffer_printf(out, "%s[%" PRId64 ",%" PRId64 "]", i ? "," : "",
                            event->levels[s][i].price, event->levels[s][i].quantity);
                buffer_append_byte(out, ']');
        }
        text_more(out, event);
        buffer_append_byte(out, '}');
}

/* The open frame's image of orders, as the book has them then. */
static inline int text_orders(
    struct buffer *out, struct text_reader *reader, const struct frame_info *info)
{
        static const char *const names[SIDES] = {"bids", "asks"};
        struct event event = {.event_time_ns = info->first_event_time_ns,
            .receive_time_ns = info->first_receive_time_ns,
            .first_id = info->first_id,
            .last_id = info->last_id};
        int code = decoder_image(&reader->decoder, &reader->book);
        text_event_head(out, &event);
        for (enum side s = 0; s < SIDES && !code; s++) {
                struct order_cursor cursor = {0};
                const struct order *order;
                const char *comma = "";
                buffer_printf(out, ",\"%s\":[", names[s]);
                while ((order = book_next_order(&reader->book, s, &cursor))) {
                        buffer_printf(
                            out, "%s[%" PRId64 ",%" PRId64, comma, order->price, order->size);
                        buffer_append_text(out, ",\"");
                        for (unsigned i = 0; i < sizeof(order->id.bytes); i++)
                                buffer_printf(out, "%02x", order->id.bytes[i]);
                        buffer_append_text(out, "\"]");
                        comma = ",";
                }
                buffer_append_byte(out, ']');
        }
        buffer_append_byte(out, '}');
        return code;
}

/* The events of the open frame; its head counts them. */
static inline int text_events(
    struct buffer *out, struct text_reader *reader, const struct frame_info *info)
{
        struct book *book = info->kind == FRAME_HEADLESS ? NULL : &reader->book;
        struct event event;
        uint32_t count = 0;
        int more;
        for (; (more = decoder_next(&reader->decoder, book, &event)) > 0; count++) {
                if (count == info->events)
                        return ERR_CORRUPT;
                buffer_append_text(out, count ? "," : "");
                text_event(out, &event);
        }
        return !more && (!count || count != info->events) ? ERR_CORRUPT : more;
}

static inline int text_frame(struct buffer *out, struct text_reader *reader, struct bytes value)
{
        struct frame_info info;
        int code = decoder_open(&reader->decoder, value, &info);
        if (code)
                return code;
        if (info.kind == FRAME_IMAGE)
                book_clear(&reader->book);
        buffer_append_text(out, "{\"frame\":");
        text_info(out, &info, value.data[7]);
        buffer_append_text(out, ",\"list\":[");
        bool orders = info.kind == FRAME_IMAGE && info.method == METHOD_ORDERS;
        code = (orders ? text_orders : text_events)(out, reader, &info);
        buffer_append_text(out, "]}");
        if (code || orders || info.kind != FRAME_IMAGE)
                return code;
        code = decoder_open(&reader->decoder, value, &info);
        return code ? code : decoder_image(&reader->decoder, &reader->book);
}

static inline int text_stream(struct buffer *out, struct bytes value)
{
        struct stream_name name;
        int code = stream_name_read(value, &name);
        if (!code)
                buffer_printf(out,
                    "{\"exchange\":\"%s\",\"symbol\":\"%s\",\"kind\":\"%s\",\"sequenced\":%s}",
                    name.exchange, name.symbol, stream_kind_name(name.kind),
                    text_bool(name.sequenced));
        return code;
}

static inline int text_epoch(struct buffer *out, struct bytes value)
{
        static const char *const causes[] = {"first", "gap", "scale"};
        struct epoch_record epoch;
        int code = epoch_read(value, &epoch);
        if (code)
                return code;
        buffer_printf(out,
            "{\"cause\":\"%s\",\"position\":%" PRIu64 ",\"image_id\":%" PRId64
            ",\"receive_time_ns\":%" PRId64 ",",
            epoch.cause < 3 ? causes[epoch.cause] : "unknown", epoch.position, epoch.image_id,
            epoch.receive_time_ns);
        text_scale(out, &epoch.scale);
        if (*epoch.feed || *epoch.note)
                buffer_printf(out, ",\"feed\":\"%s\",\"note\":\"%s\"", epoch.feed, epoch.note);
        buffer_append_byte(out, '}');
        return 0;
}

/* Characters beyond ASCII as \u: of two bytes each, in golden values. */
static inline void text_ascii(struct buffer *out, const char *text)
{
        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;
                if (c == '"' || c == '\\')
                        buffer_printf(out, "\\%c", c);
                else if (c < 0x80)
                        buffer_append_byte(out, c);
                else
                        buffer_printf(
                            out, "\\u%04x", (c & 0x1fu) << 6 | ((unsigned char)*++text & 0x3fu));
        }
}

static inline int text_gap(struct buffer *out, struct bytes value)
{
        static const char *const from[] = {"from_id", "from_time_ns", "from_receive_ns"};
        static const char *const to[] = {"to_id", "to_time_ns", "to_receive_ns"};
        struct gap_record gap;
        int code = gap_read(value, &gap);
        if (code)
                return code;
        buffer_printf(out, "{\"cause\":\"%s\",\"open\":%s,\"epoch\":%u", gap_cause_name(gap.cause),
            text_bool(gap.open), gap.epoch);
        text_numbers(out, from, (int64_t[]){gap.from_id, gap.from_time_ns, gap.from_receive_ns}, 3);
        buffer_printf(out, ",\"from_position\":%" PRIu64, gap.from_position);
        text_numbers(out, to, (int64_t[]){gap.to_id, gap.to_time_ns, gap.to_receive_ns}, 3);
        buffer_printf(out, ",\"to_position\":%" PRIu64 ",\"detail\":\"", gap.to_position);
        text_ascii(out, gap.detail);
        buffer_append_text(out, "\"}");
        return 0;
}

static inline int text_mark(struct buffer *out, struct bytes value)
{
        static const char *const names[] = {"last_id", "first_event_time_ns", "last_event_time_ns",
            "last_receive_ns", "running_max_ns", "fall_back_ns", "recorded_until_ns",
            "recorded_until_receive_ns"};
        struct mark_record mark;
        int code = mark_read(value, &mark);
        if (code)
                return code;
        buffer_printf(out, "{\"clean\":%s,\"removed\":%s,\"gap_open\":%s,\"timed\":%s",
            text_bool(mark.clean), text_bool(mark.removed), text_bool(mark.gap_open),
            text_bool(mark.timed));
        buffer_printf(out,
            ",\"first_position\":%" PRIu64 ",\"next_position\":%" PRIu64
            ",\"gap_position\":%" PRIu64 ",\"last_position\":%" PRIu64 ",\"epoch\":%u",
            mark.first_position, mark.next_position, mark.gap_position, mark.last_position,
            mark.epoch);
        const int64_t values[] = {mark.last_id, mark.first_event_time_ns, mark.last_event_time_ns,
            mark.last_receive_ns, mark.running_max_ns, mark.fall_back_ns, mark.recorded_until_ns,
            mark.recorded_until_receive_ns};
        text_numbers(out, names, values, 8);
        buffer_printf(out,
            ",\"events\":%" PRIu64 ",\"level_updates\":%" PRIu64 ",\"images\":%" PRIu64
            ",\"gaps\":%" PRIu64 ",\"image_bytes\":%" PRIu64 ",\"change_bytes\":%" PRIu64 "}",
            mark.events, mark.level_updates, mark.images, mark.gaps, mark.image_bytes,
            mark.change_bytes);
        return 0;
}

static inline int text_archive(struct buffer *out, struct bytes value)
{
        struct archive_record archive;
        int code = archive_read(value, &archive);
        if (!code)
                buffer_printf(out,
                    "{\"images\":%" PRId64 ",\"image_bytes\":%" PRId64 ",\"change_bytes\":%" PRId64
                    "}",
                    archive.images, archive.image_bytes, archive.change_bytes);
        return code;
}

static inline int text_symbol(struct buffer *out, struct bytes value)
{
        struct symbol_record record;
        int code = symbol_record_read(value, &record);
        if (code)
                return code;
        const char *const names[] = {"exchange", "symbol", "base", "quote", "tick", "lot",
            "min_quantity", "min_notional", "status"};
        const char *const texts[] = {record.exchange, record.symbol, record.base, record.quote,
            record.tick, record.lot, record.min_quantity, record.min_notional, record.status};
        buffer_printf(out, "{\"valid_from_ns\":%" PRId64, record.valid_from_ns);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                buffer_printf(out, ",\"%s\":\"%s\"", names[i], texts[i]);
        buffer_printf(out, ",\"trading\":%s,\"auction\":%s}", text_bool(record.trading),
            text_bool(record.auction));
        return 0;
}

static inline int text_value(
    struct buffer *out, struct text_reader *reader, const struct golden_row *row)
{
        switch (row->table) {
        case STORE_FRAMES:
                return text_frame(out, reader, row->value);
        case STORE_STREAMS:
                return text_stream(out, row->value);
        case STORE_EPOCHS:
                return text_epoch(out, row->value);
        case STORE_GAPS:
        case STORE_PRUNED:
                return text_gap(out, row->value);
        case STORE_MARKS:
                return row->key.major ? text_archive(out, row->value) : text_mark(out, row->value);
        case STORE_SYMBOLS:
                return text_symbol(out, row->value);
        case STORE_NOTES:
                buffer_append_text(out, "{\"text\":\"");
                buffer_append(out, row->value.data, row->value.size);
                buffer_append_text(out, "\"}");
                return 0;
        default:
                buffer_append_text(out, "{}");
                return row->value.size ? ERR_CORRUPT : 0;
        }
}

/* The line of `obdecode.py records`; the code of the decoder. */
static inline int text_record(
    struct buffer *out, struct text_reader *reader, const struct golden_row *row)
{
        if (row->key.stream != reader->stream) {
                text_reader_deinit(reader);
                text_reader_init(reader);
                reader->stream = row->key.stream;
        }
        text_key(out, row);
        int code = text_value(out, reader, row);
        buffer_append_text(out, "}\n");
        return code;
}

#endif
