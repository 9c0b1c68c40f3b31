#include "codec/meta.h"

#include "base/clock.h"
#include "codec/varint.h"

/* Check the version byte that every record begins with. */
static int meta_begin(struct bytes in, struct byte_reader *ret_reader)
{
        *ret_reader = reader_of(in);
        uint8_t version = read_byte(ret_reader);
        if (ret_reader->failed || !version)
                return ERR_CORRUPT;
        return version > META_VERSION ? ERR_VERSION : 0;
}

static int meta_end(const struct byte_reader *reader)
{
        return reader->failed || reader_left(reader) ? ERR_CORRUPT : 0;
}

static uint8_t read_enum(struct byte_reader *in, unsigned count)
{
        uint8_t value = read_byte(in);
        in->failed |= value >= count;
        return value;
}

static bool read_flag(struct byte_reader *in)
{
        return read_enum(in, 2);
}

static uint32_t read_number(struct byte_reader *in)
{
        uint64_t value = read_varint(in);
        in->failed |= value > UINT32_MAX;
        return (uint32_t)value;
}

void stream_name_write(struct buffer *out, const struct stream_name *name)
{
        buffer_append_byte(out, META_VERSION);
        write_text(out, name->exchange);
        write_text(out, name->symbol);
        buffer_append_byte(out, name->kind);
        buffer_append_byte(out, name->sequenced);
}

int stream_name_read(struct bytes in, struct stream_name *ret_name)
{
        struct byte_reader reader;
        struct stream_name name;
        int code = meta_begin(in, &reader);
        if (code)
                return code;
        read_text(&reader, name.exchange, sizeof(name.exchange));
        read_text(&reader, name.symbol, sizeof(name.symbol));
        name.kind = read_enum(&reader, KINDS);
        name.sequenced = read_flag(&reader);
        if (meta_end(&reader))
                return ERR_CORRUPT;
        *ret_name = name;
        return 0;
}

void gap_write(struct buffer *out, const struct gap_record *gap)
{
        buffer_append_byte(out, META_VERSION);
        buffer_append_byte(out, gap->cause);
        buffer_append_byte(out, gap->open);
        write_varint(out, gap->epoch);
        write_signed(out, gap->from_id);
        write_signed(out, gap->from_time_ns);
        write_signed(out, gap->from_receive_ns);
        write_varint(out, gap->from_position);
        write_signed(out, gap->to_id);
        write_signed(out, gap->to_time_ns);
        write_signed(out, gap->to_receive_ns);
        write_varint(out, gap->to_position);
        write_text(out, gap->detail);
}

int gap_read(struct bytes in, struct gap_record *ret_gap)
{
        struct byte_reader reader;
        struct gap_record gap;
        int code = meta_begin(in, &reader);
        if (code)
                return code;
        gap.cause = read_enum(&reader, GAP_CAUSES);
        gap.open = read_flag(&reader);
        gap.epoch = read_number(&reader);
        gap.from_id = read_signed(&reader);
        gap.from_time_ns = read_signed(&reader);
        gap.from_receive_ns = read_signed(&reader);
        gap.from_position = read_varint(&reader);
        gap.to_id = read_signed(&reader);
        gap.to_time_ns = read_signed(&reader);
        gap.to_receive_ns = read_signed(&reader);
        gap.to_position = read_varint(&reader);
        read_text(&reader, gap.detail, sizeof(gap.detail));
        if (meta_end(&reader))
                return ERR_CORRUPT;
        *ret_gap = gap;
        return 0;
}

void epoch_write(struct buffer *out, const struct epoch_record *epoch)
{
        bool told = *epoch->feed || *epoch->note;
        buffer_append_byte(out, told ? EPOCH_VERSION : META_VERSION);
        buffer_append_byte(out, epoch->cause);
        write_varint(out, epoch->position);
        write_signed(out, epoch->image_id);
        write_signed(out, epoch->receive_time_ns);
        buffer_append_byte(out, epoch->scale.price_digits);
        buffer_append_byte(out, epoch->scale.quantity_digits);
        buffer_append_byte(out, epoch->scale.fixed);
        write_varint(out, (uint64_t)epoch->scale.tick);
        write_varint(out, (uint64_t)epoch->scale.lot);
        if (!told)
                return;
        write_text(out, epoch->feed);
        write_text(out, epoch->note);
}

int epoch_read(struct bytes in, struct epoch_record *ret_epoch)
{
        struct byte_reader reader;
        struct epoch_record epoch = {0};
        reader = reader_of(in);
        uint8_t version = read_byte(&reader);
        if (reader.failed || !version)
                return ERR_CORRUPT;
        if (version > EPOCH_VERSION)
                return ERR_VERSION;
        epoch.cause = read_enum(&reader, EPOCH_SCALE + 1);
        epoch.position = read_varint(&reader);
        epoch.image_id = read_signed(&reader);
        epoch.receive_time_ns = read_signed(&reader);
        epoch.scale.price_digits = read_enum(&reader, LIMIT_DIGITS + 1);
        epoch.scale.quantity_digits = read_enum(&reader, LIMIT_DIGITS + 1);
        epoch.scale.fixed = read_flag(&reader);
        epoch.scale.tick = (int64_t)read_varint(&reader);
        epoch.scale.lot = (int64_t)read_varint(&reader);
        if (version == EPOCH_VERSION) {
                read_text(&reader, epoch.feed, sizeof(epoch.feed));
                read_text(&reader, epoch.note, sizeof(epoch.note));
        }
        if (meta_end(&reader) || epoch.scale.tick < 1 || epoch.scale.lot < 1)
                return ERR_CORRUPT;
        *ret_epoch = epoch;
        return 0;
}

void mark_write(struct buffer *out, const struct mark_record *mark)
{
        buffer_append_byte(out, META_VERSION);
        buffer_append_byte(out, mark->clean);
        buffer_append_byte(out, mark->removed);
        buffer_append_byte(out, mark->gap_open);
        buffer_append_byte(out, mark->timed);
        write_varint(out, mark->first_position);
        write_varint(out, mark->next_position);
        write_varint(out, mark->gap_position);
        write_varint(out, mark->last_position);
        write_varint(out, mark->epoch);
        write_signed(out, mark->last_id);
        write_signed(out, mark->first_event_time_ns);
        write_signed(out, mark->last_event_time_ns);
        write_signed(out, mark->last_receive_ns);
        write_signed(out, mark->running_max_ns);
        write_signed(out, mark->fall_back_ns);
        write_signed(out, mark->recorded_until_ns);
        write_signed(out, mark->recorded_until_receive_ns);
        write_varint(out, mark->events);
        write_varint(out, mark->level_updates);
        write_varint(out, mark->images);
        write_varint(out, mark->gaps);
        write_varint(out, mark->image_bytes);
        write_varint(out, mark->change_bytes);
}

int mark_read(struct bytes in, struct mark_record *ret_mark)
{
        struct byte_reader reader;
        struct mark_record mark;
        int code = meta_begin(in, &reader);
        if (code)
                return code;
        mark.clean = read_flag(&reader);
        mark.removed = read_flag(&reader);
        mark.gap_open = read_flag(&reader);
        mark.timed = read_flag(&reader);
        mark.first_position = read_varint(&reader);
        mark.next_position = read_varint(&reader);
        mark.gap_position = read_varint(&reader);
        mark.last_position = read_varint(&reader);
        mark.epoch = read_number(&reader);
        mark.last_id = read_signed(&reader);
        mark.first_event_time_ns = read_signed(&reader);
        mark.last_event_time_ns = read_signed(&reader);
        mark.last_receive_ns = read_signed(&reader);
        mark.running_max_ns = read_signed(&reader);
        mark.fall_back_ns = read_signed(&reader);
        mark.recorded_until_ns = read_signed(&reader);
        mark.recorded_until_receive_ns = read_signed(&reader);
        mark.events = read_varint(&reader);
        mark.level_updates = read_varint(&reader);
        mark.images = read_varint(&reader);
        mark.gaps = read_varint(&reader);
        mark.image_bytes = read_varint(&reader);
        mark.change_bytes = read_varint(&reader);
        if (meta_end(&reader))
                return ERR_CORRUPT;
        *ret_mark = mark;
        return 0;
}

void archive_write(struct buffer *out, const struct archive_record *archive)
{
        buffer_append_byte(out, META_VERSION);
        write_signed(out, archive->images);
        write_signed(out, archive->image_bytes);
        write_signed(out, archive->change_bytes);
}

int archive_read(struct bytes in, struct archive_record *ret_archive)
{
        struct byte_reader reader;
        struct archive_record archive;
        int code = meta_begin(in, &reader);
        if (code)
                return code;
        archive.images = read_signed(&reader);
        archive.image_bytes = read_signed(&reader);
        archive.change_bytes = read_signed(&reader);
        if (meta_end(&reader))
                return ERR_CORRUPT;
        *ret_archive = archive;
        return 0;
}

void sink_write(struct buffer *out, const struct sink_record *sink)
{
        buffer_append_byte(out, META_VERSION);
        write_varint(out, sink->day);
        write_varint(out, sink->position);
        write_signed(out, sink->until_ns);
}

int sink_read(struct bytes in, struct sink_record *ret_sink)
{
        struct byte_reader reader;
        struct sink_record sink;
        int code = meta_begin(in, &reader);
        if (code)
                return code;
        uint64_t day = read_varint(&reader);
        sink.day = (uint32_t)day;
        sink.position = read_varint(&reader);
        sink.until_ns = read_signed(&reader);
        if (meta_end(&reader) || day > UINT32_MAX)
                return ERR_CORRUPT;
        *ret_sink = sink;
        return 0;
}

struct gap_record gap_of_pruned(const struct mark_record *mark, uint32_t day)
{
        return (struct gap_record){.cause = GAP_PRUNED,
            .epoch = mark->epoch,
            .from_time_ns = mark->events ? mark->first_event_time_ns : day_start_ns(day),
            .from_position = mark->first_position,
            .to_id = mark->last_id,
            .to_time_ns = mark->recorded_until_ns,
            .to_receive_ns = mark->recorded_until_receive_ns,
            .to_position = mark->next_position};
}

void symbol_record_write(struct buffer *out, const struct symbol_record *record)
{
        buffer_append_byte(out, META_VERSION);
        write_signed(out, record->valid_from_ns);
        write_text(out, record->exchange);
        write_text(out, record->symbol);
        write_text(out, record->base);
        write_text(out, record->quote);
        write_text(out, record->tick);
        write_text(out, record->lot);
        write_text(out, record->min_quantity);
        write_text(out, record->min_notional);
        write_text(out, record->status);
        buffer_append_byte(out, record->trading);
        buffer_append_byte(out, record->auction);
}

int symbol_record_read(struct bytes in, struct symbol_record *ret_record)
{
        struct byte_reader reader;
        struct symbol_record record;
        int code = meta_begin(in, &reader);
        if (code)
                return code;
        record.valid_from_ns = read_signed(&reader);
        read_text(&reader, record.exchange, sizeof(record.exchange));
        read_text(&reader, record.symbol, sizeof(record.symbol));
        read_text(&reader, record.base, sizeof(record.base));
        read_text(&reader, record.quote, sizeof(record.quote));
        read_text(&reader, record.tick, sizeof(record.tick));
        read_text(&reader, record.lot, sizeof(record.lot));
        read_text(&reader, record.min_quantity, sizeof(record.min_quantity));
        read_text(&reader, record.min_notional, sizeof(record.min_notional));
        read_text(&reader, record.status, sizeof(record.status));
        record.trading = read_flag(&reader);
        record.auction = read_flag(&reader);
        if (meta_end(&reader))
                return ERR_CORRUPT;
        *ret_record = record;
        return 0;
}

bool symbol_record_same(const struct symbol_record *a, const struct symbol_record *b)
{
        return !strcmp(a->exchange, b->exchange) && !strcmp(a->symbol, b->symbol) &&
            !strcmp(a->base, b->base) && !strcmp(a->quote, b->quote) && !strcmp(a->tick, b->tick) &&
            !strcmp(a->lot, b->lot) && !strcmp(a->min_quantity, b->min_quantity) &&
            !strcmp(a->min_notional, b->min_notional) && !strcmp(a->status, b->status) &&
            a->trading == b->trading && a->auction == b->auction;
}

void audit_write(struct buffer *out, const struct audit_record *audit)
{
        buffer_append_byte(out, META_VERSION);
        write_signed(out, audit->time_ns);
        write_signed(out, audit->from_ns);
        write_signed(out, audit->to_ns);
        buffer_append_byte(out, audit->score);
        buffer_append_byte(out, audit->network);
        buffer_append_byte(out, AUDIT_CHECKS);
        for (size_t i = 0; i < AUDIT_CHECKS; i++) {
                const struct audit_result *result = &audit->results[i];
                buffer_append_byte(out, result->outcome);
                buffer_append_byte(out, result->penalty);
                write_varint(out, result->examined);
                write_varint(out, result->wrong);
                write_text(out, result->note);
        }
        write_varint(out, audit->finding_total);
        buffer_append_byte(out, (uint8_t)audit->finding_count);
        for (size_t i = 0; i < audit->finding_count; i++) {
                const struct audit_finding *finding = &audit->findings[i];
                buffer_append_byte(out, finding->check);
                write_signed(out, finding->from_ns);
                write_signed(out, finding->to_ns);
                write_signed(out, finding->id);
                write_varint(out, finding->count);
                write_text(out, finding->text);
        }
}

static void read_audit_result(struct byte_reader *in, struct audit_result *result)
{
        result->outcome = read_enum(in, AUDIT_OUTCOMES);
        result->penalty = read_enum(in, 101);
        result->examined = read_varint(in);
        result->wrong = read_varint(in);
        read_text(in, result->note, sizeof(result->note));
}

static void read_audit_finding(struct byte_reader *in, struct audit_finding *finding)
{
        finding->check = read_enum(in, AUDIT_CHECKS);
        finding->from_ns = read_signed(in);
        finding->to_ns = read_signed(in);
        finding->id = read_signed(in);
        finding->count = read_varint(in);
        read_text(in, finding->text, sizeof(finding->text));
}

int audit_read(struct bytes in, struct audit_record *ret_audit)
{
        struct byte_reader reader;
        struct audit_record audit = {0};
        int code = meta_begin(in, &reader);
        if (code)
                return code;
        audit.time_ns = read_signed(&reader);
        audit.from_ns = read_signed(&reader);
        audit.to_ns = read_signed(&reader);
        audit.score = read_enum(&reader, 101);
        audit.network = read_flag(&reader);
        unsigned checks = read_enum(&reader, AUDIT_CHECKS + 1);
        for (size_t i = 0; i < checks && !reader.failed; i++)
                read_audit_result(&reader, &audit.results[i]);
        audit.finding_total = read_varint(&reader);
        audit.finding_count = read_enum(&reader, AUDIT_FINDINGS_MAX + 1);
        for (size_t i = 0; i < audit.finding_count && !reader.failed; i++)
                read_audit_finding(&reader, &audit.findings[i]);
        if (meta_end(&reader) || audit.finding_total < audit.finding_count)
                return ERR_CORRUPT;
        *ret_audit = audit;
        return 0;
}

void alert_write(struct buffer *out, const struct alert_record *alert)
{
        buffer_append_byte(out, META_VERSION);
        write_signed(out, alert->sent_ns);
        write_varint(out, alert->held_back);
}

int alert_read(struct bytes in, struct alert_record *ret_alert)
{
        struct byte_reader reader;
        struct alert_record alert;
        int code = meta_begin(in, &reader);
        if (code)
                return code;
        alert.sent_ns = read_signed(&reader);
        alert.held_back = read_varint(&reader);
        if (meta_end(&reader))
                return ERR_CORRUPT;
        *ret_alert = alert;
        return 0;
}

const char *audit_check_name(unsigned check)
{
        static const char *const names[AUDIT_CHECKS] = {
            "coverage", "fresh", "frames", "ids", "crossed", "image", "levels", "tape"};
        return check < AUDIT_CHECKS ? names[check] : "unknown";
}

const char *audit_outcome_name(unsigned outcome)
{
        static const char *const names[AUDIT_OUTCOMES] = {"not done", "good", "found"};
        return outcome < AUDIT_OUTCOMES ? names[outcome] : "unknown";
}

const char *gap_cause_name(unsigned cause)
{
        static const char *const names[GAP_CAUSES] = {"sequence", "disconnect", "crossed", "silent",
            "overflow", "stopped", "removed", "crashed", "scale", "pruned", "missing"};
        return cause < GAP_CAUSES ? names[cause] : "unknown";
}

static const char *const kind_names[KINDS] = {"l2", "l3", "trades"};

const char *stream_kind_name(unsigned kind)
{
        return kind < KINDS ? kind_names[kind] : "unknown";
}

int stream_kind_parse(const char *text, uint8_t *ret_kind)
{
        for (uint8_t i = 0; i < KINDS; i++) {
                if (!strcmp(text, kind_names[i])) {
                        *ret_kind = i;
                        return 0;
                }
        }
        return ERR_PARSE;
}
