#include "ship/describe.h"

#include <string.h>

#include "codec/note.h"

void describer_init(struct describer *describer)
{
        *describer = (struct describer){0};
        decoder_init(&describer->decoder);
        book_init(&describer->book);
}

void describer_deinit(struct describer *describer)
{
        decoder_deinit(&describer->decoder);
        book_deinit(&describer->book);
}

static struct store_field *field_new(
    struct store_description *description, const char *name, enum store_field_kind kind)
{
        static struct store_field spare;
        if (description->count == STORE_FIELDS_MAX)
                return &spare;
        struct store_field *field = &description->fields[description->count++];
        *field = (struct store_field){.name = name, .kind = kind};
        return field;
}

static void put_text(struct store_description *description, const char *name, const char *text)
{
        field_new(description, name, FIELD_TEXT)->text = text;
}

static void put_number(struct store_description *description, const char *name, uint64_t number)
{
        field_new(description, name, FIELD_NUMBER)->number = (int64_t)number;
}

static void put_time(struct store_description *description, const char *name, int64_t time_ns)
{
        field_new(description, name, FIELD_TIME)->number = time_ns;
}

static void put_flag(struct store_description *description, const char *name, bool flag)
{
        field_new(description, name, FIELD_FLAG)->number = flag;
}

static void put_name(struct store_description *description, const struct stream_name *name)
{
        put_text(description, "exchange", name->exchange);
        put_text(description, "symbol", name->symbol);
        put_text(description, "kind", stream_kind_name(name->kind));
}

/* ---- frames ---- */

static const char *method_name(uint8_t method)
{
        static const char *const names[METHODS] = {
            "plain", "tokens", "nibbles", "orders", "trades"};
        return method < METHODS ? names[method] : "unknown";
}

/* Best prices and sizes of the book that an image holds; nothing where it cannot be read. */
static void describe_book(
    struct describer *describer, struct bytes frame, struct store_description *description)
{
        static const char *const names[SIDES][2] = {{"best_bid", "bids"}, {"best_ask", "asks"}};
        struct frame_info info;
        if (decoder_open(&describer->decoder, frame, &info) ||
            decoder_image(&describer->decoder, &describer->book))
                return;
        for (enum side side = 0; side < SIDES; side++) {
                struct level best;
                put_number(description, names[side][1], book_count(&describer->book, side));
                if (!book_best(&describer->book, side, &best))
                        continue;
                decimal_format(
                    best.price, info.scale.price_digits, info.scale.fixed, describer->best[side]);
                put_text(description, names[side][0], describer->best[side]);
        }
        book_clear(&describer->book);
}

static void describe_frame(struct describer *describer, struct store_key key, struct bytes value,
    struct store_description *description)
{
        struct frame_info info;
        bool trades = *describer->name.symbol && describer->name.kind == KIND_TRADES;
        if (frame_peek(value, &info)) {
                description->part = trades ? "trades" : NULL;
                return;
        }
        description->part = trades ? "trades" : info.kind == FRAME_IMAGE ? "images" : "changes";
        put_text(description, "what", frame_kind_name(info.kind));
        put_text(description, "method", method_name(info.method));
        put_number(description, "position", (uint64_t)key.major);
        put_number(description, "epoch", info.epoch);
        put_number(description, "segment", info.segment);
        put_time(description, "time", info.first_event_time_ns);
        put_time(description, "to_time", info.last_event_time_ns);
        put_time(description, "receive_time", info.first_receive_time_ns);
        put_number(description, "first_id", (uint64_t)info.first_id);
        put_number(description, "last_id", (uint64_t)info.last_id);
        put_number(description, "events", frame_is_image(&info) ? 0 : info.events);
        put_number(description, "level_updates", info.level_updates);
        put_number(description, "bytes", value.size);
        if (info.kind == FRAME_IMAGE && !trades)
                describe_book(describer, value, description);
}

/* ---- what tells of frames ---- */

static void describe_gap(struct describer *describer, bool pruned, struct store_key key,
    struct bytes value, struct store_description *description)
{
        struct gap_record *gap = &describer->gap;
        if (gap_read(value, gap))
                return;
        put_number(description, "position", pruned ? gap->from_position : (uint64_t)key.major);
        put_text(description, "cause", gap_cause_name(gap->cause));
        put_flag(description, "open", gap->open);
        put_number(description, "epoch", gap->epoch);
        put_number(description, "from_id", (uint64_t)gap->from_id);
        put_time(description, "from_time", gap->from_time_ns);
        if (!gap->open) {
                put_number(description, "to_id", (uint64_t)gap->to_id);
                put_time(description, "to_time", gap->to_time_ns);
        }
        put_text(description, "detail", gap->detail);
}

static void describe_epoch(struct describer *describer, struct store_key key, struct bytes value,
    struct store_description *description)
{
        static const char *const causes[] = {"first", "gap", "scale"};
        struct epoch_record *epoch = &describer->epoch;
        if (epoch_read(value, epoch))
                return;
        put_number(description, "epoch", (uint64_t)key.major);
        put_text(description, "cause", causes[epoch->cause]);
        put_number(description, "position", epoch->position);
        put_time(description, "receive_time", epoch->receive_time_ns);
        put_number(description, "price_digits", epoch->scale.price_digits);
        put_number(description, "quantity_digits", epoch->scale.quantity_digits);
        put_text(description, "feed", epoch->feed);
        put_text(description, "note", epoch->note);
}

static void describe_mark(struct bytes value, struct store_description *description)
{
        struct mark_record mark;
        if (mark_read(value, &mark))
                return;
        put_number(description, "next_position", mark.next_position);
        if (mark.events)
                put_time(description, "first_time", mark.first_event_time_ns);
        if (mark.last_position)
                put_time(description, "recorded_until", mark.recorded_until_ns);
        put_number(description, "last_id", (uint64_t)mark.last_id);
        put_number(description, "events", mark.events);
        put_number(description, "level_updates", mark.level_updates);
        put_number(description, "images", mark.images);
        put_number(description, "gaps", mark.gaps);
        put_number(description, "image_bytes", mark.image_bytes);
        put_number(description, "change_bytes", mark.change_bytes);
        put_flag(description, "clean", mark.clean);
}

/* ---- what lives long ---- */

static void describe_symbol(
    struct describer *describer, struct bytes value, struct store_description *description)
{
        struct symbol_record *symbol = &describer->symbol;
        if (symbol_record_read(value, symbol))
                return;
        put_text(description, "exchange", symbol->exchange);
        put_text(description, "symbol", symbol->symbol);
        put_text(description, "base", symbol->base);
        put_text(description, "quote", symbol->quote);
        put_text(description, "tick", symbol->tick);
        put_text(description, "lot", symbol->lot);
        put_text(description, "status", symbol->status);
        put_flag(description, "trading", symbol->trading);
        put_time(description, "valid_from", symbol->valid_from_ns);
}

static void describe_audit(struct bytes value, struct store_description *description)
{
        struct audit_record audit;
        if (audit_read(value, &audit))
                return;
        put_time(description, "time", audit.time_ns);
        put_time(description, "from_time", audit.from_ns);
        put_time(description, "to_time", audit.to_ns);
        put_number(description, "score", audit.score);
        put_number(description, "findings", audit.finding_total);
        put_flag(description, "network", audit.network);
}

static void describe_stream(
    struct describer *describer, struct bytes value, struct store_description *description)
{
        if (stream_name_read(value, &describer->name))
                return;
        put_name(description, &describer->name);
        put_flag(description, "sequenced", describer->name.sequenced);
}

static void describe_text(
    struct describer *describer, struct bytes value, struct store_description *description)
{
        if (value.size >= sizeof(describer->text) || memchr(value.data, 0, value.size))
                return;
        memcpy(describer->text, value.data, value.size);
        describer->text[value.size] = '\0';
        put_text(description, "text", describer->text);
}

/* What a stream's own tables hold begins with its name. */
static void name_stream(
    struct describer *describer, uint32_t number, struct store_description *description)
{
        const struct stream_name *name =
            describer->name_cb ? describer->name_cb(number, describer->user) : NULL;
        describer->name = name ? *name : (struct stream_name){0};
        if (name)
                put_name(description, &describer->name);
}

/* What is not known, or cannot be read, keeps its text alone. */
static void describe_note(
    struct describer *describer, struct bytes value, struct store_description *description)
{
        struct note_record note;
        size_t count;
        note_read(value, &note);
        const struct note_field *fields = note_fields(note.kind, &count);
        if (note.kind == NOTE_LATENCY)
                name_stream(describer, (uint32_t)note.stream, description);
        for (size_t i = 0; i < count; i++) {
                int64_t number = note_value(&note, &fields[i]);
                if (fields[i].most == 1)
                        put_flag(description, fields[i].name, number);
                else if (strcmp(fields[i].name, "stream")) /* the document's own field is 0 */
                        put_number(description, fields[i].name, (uint64_t)number);
        }
        describe_text(describer, value, description);
}

void describe(enum store_table table, struct store_key key, struct bytes value,
    struct store_description *ret_description, void *user)
{
        struct describer *describer = user;
        bool of_stream = table >= STORE_FRAMES && table != STORE_NOTES;
        if (of_stream || table == STORE_DAYS || table == STORE_PRUNED || table == STORE_AUDITS)
                name_stream(describer, key.stream, ret_description);
        if (table == STORE_FRAMES)
                describe_frame(describer, key, value, ret_description);
        else if (table == STORE_GAPS || table == STORE_PRUNED)
                describe_gap(describer, table == STORE_PRUNED, key, value, ret_description);
        else if (table == STORE_EPOCHS)
                describe_epoch(describer, key, value, ret_description);
        else if (table == STORE_MARKS && !key.major)
                describe_mark(value, ret_description);
        else if (table == STORE_SYMBOLS)
                describe_symbol(describer, value, ret_description);
        else if (table == STORE_AUDITS)
                describe_audit(value, ret_description);
        else if (table == STORE_STREAMS)
                describe_stream(describer, value, ret_description);
        else if (table == STORE_NOTES)
                describe_note(describer, value, ret_description);
        else if (table == STORE_INFO)
                describe_text(describer, value, ret_description);
}
