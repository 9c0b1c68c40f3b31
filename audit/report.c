/* obaudit report: what audits found, from the store. */
#include <stdio.h>
#include <stdlib.h>

#include "audit/audit.h"
#include "base/clock.h"

#define WEEK_NS (7 * NS_PER_DAY)

/* A table shows the newest result of each stream, JSON all of the range. */
static void report_stream(struct audit *audit, const struct recon_stream *stream, void *user)
{
        struct result_list list;
        size_t *count = user;
        if (results_read(audit, stream->number, audit->from_ns, audit->to_ns, &list))
                audit_fail(audit, EXIT_FAILED, "%s:%s: its audits cannot be read",
                    stream->name.exchange, stream->name.symbol);
        size_t first = audit->form == OUTPUT_TABLE && list.count ? list.count - 1 : 0;
        for (size_t i = first; i < list.count; i++)
                print_result(audit, stream, &list.records[i]);
        if (list.count && list.records[list.count - 1].finding_total)
                audit_worsen(audit, EXIT_FINDINGS);
        *count += list.count;
        free(list.records);
}

int command_report(struct audit *audit)
{
        size_t count = 0;
        if (audit->to_ns == INT64_MAX)
                audit->to_ns = audit->now_ns + 1;
        if (audit->from_ns == INT64_MIN)
                audit->from_ns = audit->to_ns - WEEK_NS;
        if (audit->form == OUTPUT_HTML) {
                print_page(audit);
                return audit->worst;
        }
        audit_each_stream(audit, report_stream, &count);
        if (!count && !audit->worst)
                audit_fail(
                    audit, EXIT_FAILED, "no audit is stored of that time: obaudit run makes one");
        return audit->worst;
}
