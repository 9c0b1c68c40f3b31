/* What the record lacks, and whether it is still written. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/score.h"
#include "base/clock.h"

const char *format_length(int64_t ns, char ret_text[LENGTH_TEXT_SIZE])
{
        int64_t s = ns / NS_PER_S;
        if (s < 60)
                snprintf(ret_text, LENGTH_TEXT_SIZE, "%" PRId64 ".%03" PRId64 " s", s,
                    ns % NS_PER_S / NS_PER_MS);
        else if (s < 3600)
                snprintf(
                    ret_text, LENGTH_TEXT_SIZE, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
        else
                snprintf(ret_text, LENGTH_TEXT_SIZE, "%" PRId64 " h %" PRId64 " min", s / 3600,
                    s / 60 % 60);
        return ret_text;
}

static void tell_gap(struct audit_item *item, const struct gap_record *gap)
{
        char text[LENGTH_TEXT_SIZE] = "open";
        struct audit_finding finding = {.check = AUDIT_COVERAGE,
            .from_ns = gap->from_time_ns,
            .to_ns = gap->open ? item->record.to_ns : gap->to_time_ns,
            .id = gap->from_id,
            .count = 1};
        if (!gap->open)
                format_length(gap->to_time_ns - gap->from_time_ns, text);
        snprintf(finding.text, sizeof(finding.text), "%s, %s%s%.60s", gap_cause_name(gap->cause),
            text, *gap->detail ? ": " : "", gap->detail);
        text_make_printable(finding.text);
        result_add_finding(&item->record, &finding);
        item->new_gaps += gap->from_time_ns >= (item->has_last ? item->last.to_ns : INT64_MIN);
}

/* What the gaps, in order, take of the range; at least a moment if there is any. */
static int64_t lost_in(const struct gap_list *gaps, int64_t from_ns, int64_t to_ns)
{
        int64_t until_ns = from_ns, lost_ns = 0;
        for (size_t i = 0; i < gaps->count; i++) {
                const struct gap_record *gap = &gaps->gaps[i];
                int64_t begin_ns = gap->from_time_ns > until_ns ? gap->from_time_ns : until_ns;
                int64_t end_ns = gap->open || gap->to_time_ns > to_ns ? to_ns : gap->to_time_ns;
                if (end_ns <= begin_ns)
                        continue;
                lost_ns += end_ns - begin_ns;
                until_ns = end_ns;
        }
        return gaps->count && !lost_ns ? 1 : lost_ns;
}

void check_coverage(struct audit *audit, struct audit_item *item)
{
        struct audit_record *record = &item->record;
        struct coverage coverage;
        struct error error = {0};
        if (recon_coverage(
                &audit->reader, &item->window, record->from_ns, record->to_ns, &coverage, &error)) {
                audit_fail(audit, EXIT_FAILED, "%s", error.text);
                item->failed = true;
                gap_list_deinit(&coverage.gaps);
                return;
        }
        item->gaps = coverage.gaps;
        int64_t lost_ns = lost_in(&item->gaps, record->from_ns, record->to_ns);
        int64_t length_ns = coverage.covered_ns > 0 ? coverage.covered_ns + lost_ns : lost_ns;
        score_judge(record, AUDIT_COVERAGE, (uint64_t)length_ns, (uint64_t)lost_ns);
        for (size_t i = 0; i < item->gaps.count; i++)
                tell_gap(item, &item->gaps.gaps[i]);
        result_note(record, AUDIT_COVERAGE, "%zu gap%s, %" PRIu64 " correction%s", item->gaps.count,
            item->gaps.count == 1 ? "" : "s", coverage.corrections,
            coverage.corrections == 1 ? "" : "s");
}

/* ---- is it still written? ---- */

static bool fresh_is_moot(
    struct audit *audit, struct audit_item *item, const struct mark_record *mark)
{
        const struct symbol_list *symbols = &item->symbols;
        const struct symbol_record *symbol =
            symbols->count ? &symbols->versions[symbols->count - 1].record : NULL;
        if (mark->clean && mark->removed)
                result_note(&item->record, AUDIT_FRESH, "the symbol was removed");
        else if (!audit->network && !audit->has_writer)
                result_note(&item->record, AUDIT_FRESH,
                    "no logger writes to this store: it may be a copy, or an old one");
        else if (symbol && !symbol->trading)
                result_note(&item->record, AUDIT_FRESH, "it is not traded: %s", symbol->status);
        else
                return false;
        return true;
}

static void tell_stale(
    struct audit *audit, struct audit_item *item, const struct mark_record *mark, int64_t behind_ns)
{
        char text[LENGTH_TEXT_SIZE];
        struct audit_finding finding = {.check = AUDIT_FRESH,
            .from_ns = mark->recorded_until_ns,
            .to_ns = mark->recorded_until_ns,
            .id = mark->last_id,
            .count = 1};
        snprintf(finding.text, sizeof(finding.text), "recorded until %s ago; %s",
            format_length(behind_ns, text),
            mark->clean              ? "the logger was stopped"
                : !audit->has_writer ? "no logger writes to this store"
                                     : "the logger is there, and does not record it");
        result_add_finding(&item->record, &finding);
}

void check_fresh(struct audit *audit, struct audit_item *item)
{
        struct mark_record mark;
        if (audit_newest_mark(audit, item->stream, &mark)) {
                result_note(&item->record, AUDIT_FRESH, "its mark cannot be read");
                return;
        }
        if (fresh_is_moot(audit, item, &mark))
                return;
        int64_t behind_ns = clock_wall_ns() - mark.recorded_until_receive_ns;
        bool stale = behind_ns > audit->stale_ns;
        score_judge(
            &item->record, AUDIT_FRESH, (uint64_t)audit->stale_ns, stale ? (uint64_t)behind_ns : 0);
        if (stale)
                tell_stale(audit, item, &mark, behind_ns);
}
