/* Results as a table and as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "audit/audit.h"
#include "base/clock.h"

static void print_text(const char *text)
{
        struct buffer buffer;
        buffer_init(&buffer, 1 << 12);
        buffer_append_json(&buffer, text);
        printf("\"%.*s\"", (int)buffer.size, (char *)buffer.data);
        buffer_deinit(&buffer);
}

/* ---- json ---- */

static void print_check_json(unsigned check, const struct audit_result *result)
{
        printf("%s\"%s\":{\"outcome\":\"%s\",\"examined\":%" PRIu64 ",\"wrong\":%" PRIu64
               ",\"penalty\":%u,\"note\":",
            check ? "," : "", audit_check_name(check), audit_outcome_name(result->outcome),
            result->examined, result->wrong, result->penalty);
        print_text(result->note);
        putchar('}');
}

static void print_finding_json(bool first, const struct audit_finding *finding)
{
        printf("%s{\"check\":\"%s\",\"from_ns\":%" PRId64 ",\"to_ns\":%" PRId64 ",\"id\":%" PRId64
               ",\"count\":%" PRIu64 ",\"text\":",
            first ? "" : ",", audit_check_name(finding->check), finding->from_ns, finding->to_ns,
            finding->id, finding->count);
        print_text(finding->text);
        putchar('}');
}

static void print_json(const struct stream_name *name, const struct audit_record *record)
{
        printf("{\"exchange\":");
        print_text(name->exchange);
        printf(",\"symbol\":");
        print_text(name->symbol);
        printf(",\"kind\":\"%s\",\"time_ns\":%" PRId64 ",\"from_ns\":%" PRId64 ",\"to_ns\":%" PRId64
               ",\"score\":%u,\"network\":%s,\"checks\":{",
            stream_kind_name(name->kind), record->time_ns, record->from_ns, record->to_ns,
            record->score, record->network ? "true" : "false");
        for (unsigned i = 0; i < AUDIT_CHECKS; i++)
                print_check_json(i, &record->results[i]);
        printf("},\"finding_count\":%" PRIu64 ",\"findings\":[", record->finding_total);
        for (uint32_t i = 0; i < record->finding_count; i++)
                print_finding_json(i == 0, &record->findings[i]);
        printf("]}\n");
}

/* ---- table ---- */

static void print_check(unsigned check, const struct audit_result *result)
{
        if (result->outcome == AUDIT_NOT_DONE && !*result->note)
                return;
        printf("    %-9s %-9s", audit_check_name(check), audit_outcome_name(result->outcome));
        if (result->penalty)
                printf(" -%-3u", result->penalty);
        else
                printf("     ");
        if (check == AUDIT_COVERAGE || check == AUDIT_FRESH || result->outcome == AUDIT_NOT_DONE)
                printf(" %s\n", result->note);
        else
                printf(" %" PRIu64 " of %" PRIu64 " %s\n", result->wrong, result->examined,
                    result->note);
}

static void print_finding(const struct audit_finding *finding)
{
        char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
        printf(
            "    ! %-9s %s", audit_check_name(finding->check), time_format(finding->from_ns, from));
        if (finding->to_ns != finding->from_ns)
                printf(" to %s", time_format(finding->to_ns, to));
        printf("  id %" PRId64 "  %s", finding->id, finding->text);
        if (finding->count > 1)
                printf("  (%" PRIu64 " of them)", finding->count);
        putchar('\n');
}

static void print_table(const struct stream_name *name, const struct audit_record *record)
{
        char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE], at[TIME_TEXT_SIZE];
        printf("%s:%s %s  score %u  audited %s, from %s to %s\n", name->exchange, name->symbol,
            stream_kind_name(name->kind), record->score, time_format(record->time_ns, at),
            time_format(record->from_ns, from), time_format(record->to_ns, to));
        for (unsigned i = 0; i < AUDIT_CHECKS; i++)
                print_check(i, &record->results[i]);
        for (uint32_t i = 0; i < record->finding_count; i++)
                print_finding(&record->findings[i]);
        if (record->finding_total > record->finding_count)
                printf(
                    "    ! and %" PRIu64 " more\n", record->finding_total - record->finding_count);
}

void print_result(
    const struct audit *audit, const struct recon_stream *stream, const struct audit_record *record)
{
        if (audit->form == OUTPUT_JSON)
                print_json(&stream->name, record);
        else
                print_table(&stream->name, record);
}
