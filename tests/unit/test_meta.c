/* Records beside the frames: each comes back equal; a newer, cut or longer one is refused. */
#include "codec/meta.h"
#include "tests/unit/help.h"

static void text_make(char *text, size_t capacity, struct chance *chance)
{
        size_t size = chance_below(chance, capacity);
        for (size_t i = 0; i < size; i++)
                text[i] = (char)(1 + chance_below(chance, 255));
        text[size] = '\0';
}

/* Each kind of record: made by chance, written, read into @out. Records are made in zeroed memory
 * and read into zeroed memory, so that they can be compared as bytes. */
struct kind {
        const char *name;
        size_t size;
        void (*make)(void *record, struct chance *chance);
        void (*write)(struct buffer *out, const void *record);
        int (*read)(struct bytes in, void *record);
};

static void name_make(void *record, struct chance *chance)
{
        struct stream_name *name = record;
        text_make(name->exchange, sizeof(name->exchange), chance);
        text_make(name->symbol, sizeof(name->symbol), chance);
        name->kind = (uint8_t)chance_below(chance, KINDS);
        name->sequenced = chance_one_in(chance, 2);
}

static void name_write(struct buffer *out, const void *record)
{
        stream_name_write(out, record);
}

static int name_read(struct bytes in, void *record)
{
        return stream_name_read(in, record);
}

static void gap_make(void *record, struct chance *chance)
{
        struct gap_record *gap = record;
        gap->cause = (uint8_t)chance_below(chance, GAP_CAUSES);
        gap->open = chance_one_in(chance, 2);
        gap->epoch = (uint32_t)chance_next(chance);
        gap->from_id = chance_int64(chance);
        gap->from_time_ns = chance_int64(chance);
        gap->from_receive_ns = chance_int64(chance);
        gap->from_position = chance_next(chance);
        gap->to_id = chance_int64(chance);
        gap->to_time_ns = chance_int64(chance);
        gap->to_receive_ns = chance_int64(chance);
        gap->to_position = chance_next(chance);
        text_make(gap->detail, sizeof(gap->detail), chance);
}

static void gap_record_write(struct buffer *out, const void *record)
{
        gap_write(out, record);
}

static int gap_record_read(struct bytes in, void *record)
{
        return gap_read(in, record);
}

static void audit_make(void *record, struct chance *chance)
{
        struct audit_record *audit = record;
        audit->time_ns = chance_int64(chance);
        audit->from_ns = chance_int64(chance);
        audit->to_ns = chance_int64(chance);
        audit->score = (uint8_t)chance_below(chance, 101);
        audit->network = chance_one_in(chance, 2);
        for (size_t i = 0; i < AUDIT_CHECKS; i++) {
                struct audit_result *result = &audit->results[i];
                result->outcome = (uint8_t)chance_below(chance, AUDIT_OUTCOMES);
                result->penalty = (uint8_t)chance_below(chance, 101);
                result->examined = chance_next(chance);
                result->wrong = chance_next(chance);
                text_make(result->note, sizeof(result->note), chance);
        }
        audit->finding_count = (uint32_t)chance_below(chance, 8);
        audit->finding_total = audit->finding_count + chance_below(chance, 1000);
        for (size_t i = 0; i < audit->finding_count; i++) {
                struct audit_finding *finding = &audit->findings[i];
                finding->check = (uint8_t)chance_below(chance, AUDIT_CHECKS);
                finding->from_ns = chance_int64(chance);
                finding->to_ns = chance_int64(chance);
                finding->id = chance_int64(chance);
                finding->count = chance_next(chance);
                text_make(finding->text, sizeof(finding->text), chance);
        }
}

static void audit_record_write(struct buffer *out, const void *record)
{
        audit_write(out, record);
}

static int audit_record_read(struct bytes in, void *record)
{
        return audit_read(in, record);
}

static void alert_make(void *record, struct chance *chance)
{
        struct alert_record *alert = record;
        alert->sent_ns = chance_int64(chance);
        alert->held_back = chance_next(chance);
}

static void alert_record_write(struct buffer *out, const void *record)
{
        alert_write(out, record);
}

static int alert_record_read(struct bytes in, void *record)
{
        return alert_read(in, record);
}

static void epoch_make(void *record, struct chance *chance)
{
        struct epoch_record *epoch = record;
        epoch->cause = (uint8_t)chance_below(chance, EPOCH_SCALE + 1);
        epoch->position = chance_next(chance);
        epoch->image_id = chance_int64(chance);
        epoch->receive_time_ns = chance_int64(chance);
        epoch->scale =
            (struct scale){(uint8_t)chance_below(chance, 19), (uint8_t)chance_below(chance, 19),
                chance_one_in(chance, 2), 1 + (int64_t)(chance_next(chance) >> 2), INT64_MAX};
        if (chance_one_in(chance, 2))
                memset(epoch->feed, 'f', chance_below(chance, sizeof(epoch->feed)));
        if (chance_one_in(chance, 2))
                memset(epoch->note, 'n', chance_below(chance, sizeof(epoch->note)));
}

static void epoch_record_write(struct buffer *out, const void *record)
{
        epoch_write(out, record);
}

static int epoch_record_read(struct bytes in, void *record)
{
        return epoch_read(in, record);
}

static void mark_make(void *record, struct chance *chance)
{
        struct mark_record *mark = record;
        mark->clean = chance_one_in(chance, 2);
        mark->removed = chance_one_in(chance, 2);
        mark->gap_open = chance_one_in(chance, 2);
        mark->timed = chance_one_in(chance, 2);
        mark->epoch = (uint32_t)chance_next(chance);
        uint64_t *counters[] = {&mark->first_position, &mark->next_position, &mark->gap_position,
            &mark->last_position, &mark->events, &mark->level_updates, &mark->images, &mark->gaps,
            &mark->image_bytes, &mark->change_bytes};
        for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
                *counters[i] = (uint64_t)chance_int64(chance);
        int64_t *numbers[] = {&mark->last_id, &mark->first_event_time_ns, &mark->last_event_time_ns,
            &mark->last_receive_ns, &mark->running_max_ns, &mark->fall_back_ns,
            &mark->recorded_until_ns, &mark->recorded_until_receive_ns};
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                *numbers[i] = chance_int64(chance);
}

static void mark_record_write(struct buffer *out, const void *record)
{
        mark_write(out, record);
}

static int mark_record_read(struct bytes in, void *record)
{
        return mark_read(in, record);
}

static void symbol_make(void *record, struct chance *chance)
{
        struct symbol_record *symbol = record;
        symbol->valid_from_ns = chance_int64(chance);
        text_make(symbol->exchange, sizeof(symbol->exchange), chance);
        text_make(symbol->symbol, sizeof(symbol->symbol), chance);
        text_make(symbol->base, sizeof(symbol->base), chance);
        text_make(symbol->quote, sizeof(symbol->quote), chance);
        text_make(symbol->tick, sizeof(symbol->tick), chance);
        text_make(symbol->lot, sizeof(symbol->lot), chance);
        text_make(symbol->min_quantity, sizeof(symbol->min_quantity), chance);
        text_make(symbol->min_notional, sizeof(symbol->min_notional), chance);
        text_make(symbol->status, sizeof(symbol->status), chance);
        symbol->trading = chance_one_in(chance, 2);
        symbol->auction = chance_one_in(chance, 2);
}

static void symbol_write(struct buffer *out, const void *record)
{
        symbol_record_write(out, record);
}

static int symbol_read(struct bytes in, void *record)
{
        return symbol_record_read(in, record);
}

static const struct kind kinds[] = {
    {"name", sizeof(struct stream_name), name_make, name_write, name_read},
    {"gap", sizeof(struct gap_record), gap_make, gap_record_write, gap_record_read},
    {"epoch", sizeof(struct epoch_record), epoch_make, epoch_record_write, epoch_record_read},
    {"mark", sizeof(struct mark_record), mark_make, mark_record_write, mark_record_read},
    {"symbol", sizeof(struct symbol_record), symbol_make, symbol_write, symbol_read},
    {"audit", sizeof(struct audit_record), audit_make, audit_record_write, audit_record_read},
    {"alert", sizeof(struct alert_record), alert_make, alert_record_write, alert_record_read},
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

/* Equal in all that is written: texts are compared as such, for what follows their end is free. */
static void assert_comes_back(const struct kind *kind, const void *record)
{
        struct buffer first, second;
        void *read = memory_new(kind->size);
        buffer_init(&first, 4096);
        buffer_init(&second, 4096);
        kind->write(&first, record);
        assert_false(first.failed);
        assert_int_equal(kind->read(buffer_bytes(&first), read), 0);
        kind->write(&second, read);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
        buffer_deinit(&first);
        buffer_deinit(&second);
        free(read);
}

static void every_record_comes_back(void **state)
{
        (void)state;
        struct chance chance = {1};
        for (size_t k = 0; k < KIND_COUNT; k++) {
                for (unsigned round = 0; round < 2000; round++) {
                        void *record = memory_new(kinds[k].size);
                        kinds[k].make(record, &chance);
                        assert_comes_back(&kinds[k], record);
                        free(record);
                }
        }
}

static void a_mark_and_a_gap_keep_each_field(void **state)
{
        (void)state;
        struct chance chance = {2};
        struct buffer value;
        buffer_init(&value, 4096);
        for (unsigned round = 0; round < 500; round++) {
                struct mark_record mark, mark_back;
                struct gap_record gap, gap_back;
                memset(&mark, 0, sizeof(mark));
                memset(&gap, 0, sizeof(gap));
                mark_make(&mark, &chance);
                gap_make(&gap, &chance);
                buffer_clear(&value);
                mark_write(&value, &mark);
                assert_int_equal(mark_read(buffer_bytes(&value), &mark_back), 0);
                assert_int_equal(mark_back.next_position, mark.next_position);
                assert_int_equal(mark_back.fall_back_ns, mark.fall_back_ns);
                assert_int_equal(mark_back.recorded_until_ns, mark.recorded_until_ns);
                assert_int_equal(mark_back.change_bytes, mark.change_bytes);
                assert_int_equal(mark_back.gap_open, mark.gap_open);
                buffer_clear(&value);
                gap_write(&value, &gap);
                assert_int_equal(gap_read(buffer_bytes(&value), &gap_back), 0);
                assert_int_equal(gap_back.from_id, gap.from_id);
                assert_int_equal(gap_back.to_time_ns, gap.to_time_ns);
                assert_int_equal(gap_back.to_position, gap.to_position);
                assert_int_equal(gap_back.cause, gap.cause);
                assert_string_equal(gap_back.detail, gap.detail);
        }
        buffer_deinit(&value);
}

static void a_symbol_keeps_each_field(void **state)
{
        (void)state;
        struct chance chance = {5};
        struct buffer value;
        buffer_init(&value, 4096);
        for (unsigned round = 0; round < 500; round++) {
                struct symbol_record symbol, back;
                symbol_make(&symbol, &chance);
                buffer_clear(&value);
                symbol_record_write(&value, &symbol);
                assert_int_equal(symbol_record_read(buffer_bytes(&value), &back), 0);
                assert_int_equal(back.valid_from_ns, symbol.valid_from_ns);
                assert_string_equal(back.exchange, symbol.exchange);
                assert_string_equal(back.symbol, symbol.symbol);
                assert_string_equal(back.base, symbol.base);
                assert_string_equal(back.quote, symbol.quote);
                assert_string_equal(back.tick, symbol.tick);
                assert_string_equal(back.lot, symbol.lot);
                assert_string_equal(back.min_quantity, symbol.min_quantity);
                assert_string_equal(back.min_notional, symbol.min_notional);
                assert_string_equal(back.status, symbol.status);
                assert_int_equal(back.trading, symbol.trading);
                assert_int_equal(back.auction, symbol.auction);
                assert_true(symbol_record_same(&symbol, &back));
        }
        buffer_deinit(&value);
}

static void an_audit_keeps_each_field(void **state)
{
        (void)state;
        struct chance chance = {6};
        struct audit_record *audit = memory_new(sizeof(*audit));
        struct audit_record *back = memory_new(sizeof(*back));
        struct buffer value;
        buffer_init(&value, 1 << 16);
        for (unsigned round = 0; round < 100; round++) {
                memset(audit, 0, sizeof(*audit));
                audit_make(audit, &chance);
                buffer_clear(&value);
                audit_write(&value, audit);
                assert_int_equal(audit_read(buffer_bytes(&value), back), 0);
                assert_int_equal(back->time_ns, audit->time_ns);
                assert_int_equal(back->from_ns, audit->from_ns);
                assert_int_equal(back->to_ns, audit->to_ns);
                assert_int_equal(back->score, audit->score);
                assert_int_equal(back->network, audit->network);
                assert_int_equal(back->finding_total, audit->finding_total);
                assert_int_equal(back->finding_count, audit->finding_count);
                for (size_t i = 0; i < AUDIT_CHECKS; i++) {
                        const struct audit_result *a = &audit->results[i], *b = &back->results[i];
                        assert_int_equal(b->outcome, a->outcome);
                        assert_int_equal(b->penalty, a->penalty);
                        assert_int_equal(b->examined, a->examined);
                        assert_int_equal(b->wrong, a->wrong);
                        assert_string_equal(b->note, a->note);
                }
                for (size_t i = 0; i < audit->finding_count; i++) {
                        assert_int_equal(back->findings[i].check, audit->findings[i].check);
                        assert_int_equal(back->findings[i].from_ns, audit->findings[i].from_ns);
                        assert_int_equal(back->findings[i].to_ns, audit->findings[i].to_ns);
                        assert_int_equal(back->findings[i].id, audit->findings[i].id);
                        assert_int_equal(back->findings[i].count, audit->findings[i].count);
                        assert_string_equal(back->findings[i].text, audit->findings[i].text);
                }
        }
        buffer_deinit(&value);
        free(audit);
        free(back);
}

/* More findings than were counted, a score above 100, a check that is none: damage. */
static void an_audit_that_cannot_be_is_refused(void **state)
{
        (void)state;
        struct audit_record *audit = memory_new(sizeof(*audit));
        struct buffer value;
        buffer_init(&value, 1 << 16);
        const uint8_t empty[] = {1, 0, 0, 0, 100, 0, 0, 0, 0};
        for (size_t i = 0; i < sizeof(empty); i++)
                buffer_append_byte(&value, empty[i]);
        assert_int_equal(audit_read(buffer_bytes(&value), audit), 0);
        assert_int_equal(audit->score, 100);
        static const struct {
                size_t at;
                uint8_t byte;
        } wrong[] = {{4, 101}, {5, 2}, {6, AUDIT_CHECKS + 1}, {8, 1}, {8, AUDIT_FINDINGS_MAX + 1}};
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                uint8_t before = value.data[wrong[i].at];
                value.data[wrong[i].at] = wrong[i].byte;
                assert_int_equal(audit_read(buffer_bytes(&value), audit), ERR_CORRUPT);
                value.data[wrong[i].at] = before;
        }
        memset(audit, 0, sizeof(*audit));
        audit->finding_count = 2;
        audit->finding_total = 1;
        buffer_clear(&value);
        audit_write(&value, audit);
        assert_int_equal(audit_read(buffer_bytes(&value), audit), ERR_CORRUPT);
        buffer_deinit(&value);
        free(audit);
}

static void symbols_are_the_same_whenever_but_in_every_field(void **state)
{
        (void)state;
        struct symbol_record one = {.valid_from_ns = 1, .exchange = "binance", .trading = true};
        struct symbol_record other = one;
        char *texts[] = {other.exchange, other.symbol, other.base, other.quote, other.tick,
            other.lot, other.min_quantity, other.min_notional, other.status};
        other.valid_from_ns = 2;
        assert_true(symbol_record_same(&one, &other));
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                char before = texts[i][0];
                texts[i][0] = 'x';
                assert_false(symbol_record_same(&one, &other));
                texts[i][0] = before;
        }
        other.trading = false;
        assert_false(symbol_record_same(&one, &other));
        other.trading = true;
        other.auction = true;
        assert_false(symbol_record_same(&one, &other));
}

static void assert_read(const struct kind *kind, const uint8_t *data, size_t size, int expected)
{
        uint8_t *exact = memory_new(size);
        void *record = memory_new(kind->size), *before = memory_new(kind->size);
        memset(record, 0x5a, kind->size);
        memset(before, 0x5a, kind->size);
        if (size)
                memcpy(exact, data, size);
        int code = kind->read((struct bytes){exact, size}, record);
        if (code != expected)
                fail_msg("%s of %zu bytes: %d, not %d", kind->name, size, code, expected);
        assert_memory_equal(record, before, kind->size);
        free(exact);
        free(record);
        free(before);
}

static void what_is_newer_cut_or_longer_is_refused_and_nothing_is_touched(void **state)
{
        (void)state;
        struct chance chance = {3};
        struct buffer value;
        buffer_init(&value, 4096);
        for (size_t k = 0; k < KIND_COUNT; k++) {
                void *record = memory_new(kinds[k].size);
                kinds[k].make(record, &chance);
                buffer_clear(&value);
                kinds[k].write(&value, record);
                for (size_t size = 0; size < value.size; size++)
                        assert_read(&kinds[k], value.data, size, ERR_CORRUPT);
                uint8_t version = value.data[0];
                value.data[0] = EPOCH_VERSION + 1;
                assert_read(&kinds[k], value.data, value.size, ERR_VERSION);
                value.data[0] = 0;
                assert_read(&kinds[k], value.data, value.size, ERR_CORRUPT);
                value.data[0] = version;
                buffer_append_byte(&value, 0);
                assert_read(&kinds[k], value.data, value.size, ERR_CORRUPT);
                free(record);
        }
        buffer_deinit(&value);
}

static void garbage_is_never_read_beyond(void **state)
{
        (void)state;
        struct chance chance = {4};
        for (unsigned round = 0; round < 100000; round++) {
                uint8_t garbage[128];
                size_t size = chance_below(&chance, sizeof(garbage));
                const struct kind *kind = &kinds[chance_below(&chance, KIND_COUNT)];
                void *record = memory_new(kind->size);
                uint8_t *exact = memory_new(size);
                for (size_t i = 0; i < size; i++)
                        exact[i] = (uint8_t)(i ? chance_next(&chance) : 1 + round % EPOCH_VERSION);
                if (!kind->read((struct bytes){exact, size}, record))
                        assert_comes_back(kind, record);
                free(exact);
                free(record);
        }
}

static void names_of_kinds_and_causes_are_words(void **state)
{
        (void)state;
        uint8_t kind = 77;
        for (uint8_t k = 0; k < KINDS; k++) {
                assert_int_equal(stream_kind_parse(stream_kind_name(k), &kind), 0);
                assert_int_equal(kind, k);
        }
        assert_int_equal(stream_kind_parse("L2", &kind), ERR_PARSE);
        assert_string_equal(stream_kind_name(KINDS), "unknown");
        for (unsigned cause = 0; cause < GAP_CAUSES; cause++)
                assert_string_not_equal(gap_cause_name(cause), "unknown");
        assert_string_equal(gap_cause_name(GAP_CAUSES), "unknown");
        for (unsigned check = 0; check < AUDIT_CHECKS; check++)
                assert_string_not_equal(audit_check_name(check), "unknown");
        assert_string_equal(audit_check_name(AUDIT_CHECKS), "unknown");
        assert_string_equal(audit_outcome_name(AUDIT_OUTCOMES), "unknown");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_record_comes_back),
            cmocka_unit_test(a_mark_and_a_gap_keep_each_field),
            cmocka_unit_test(a_symbol_keeps_each_field),
            cmocka_unit_test(an_audit_keeps_each_field),
            cmocka_unit_test(an_audit_that_cannot_be_is_refused),
            cmocka_unit_test(symbols_are_the_same_whenever_but_in_every_field),
            cmocka_unit_test(what_is_newer_cut_or_longer_is_refused_and_nothing_is_touched),
            cmocka_unit_test(garbage_is_never_read_beyond),
            cmocka_unit_test(names_of_kinds_and_causes_are_words),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
