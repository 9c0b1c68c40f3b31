/* The parts of the page that report --output html writes: one file without anything from outside.
 *
 * All times on it are those of the recorder's clock, but for findings, which tell the exchange's.
 */
#ifndef AUDIT_PAGE_H
#define AUDIT_PAGE_H

#include "audit/audit.h"

struct page_stream {
        const struct recon_stream *stream;
        struct result_list results; /* of the range, oldest first */
        struct gap_list gaps;
        int64_t first_ns, until_ns; /* of the record */
};

struct page {
        struct audit *audit;
        struct page_stream *streams;
        size_t count;
        int64_t from_ns, to_ns;
};

/* Text as HTML, also within an attribute. */
void page_text(const char *text);
/* "2026-11-22 01:33:10", seconds since; and the day alone. */
void page_time(int64_t time_ns);
void page_name(const struct stream_name *name);
/* The newest result, or NULL. */
const struct audit_record *page_newest(const struct page_stream *stream);

void page_style(void);
void page_timeline(const struct page *page);
void page_scores(const struct page *page);
void page_findings(const struct page *page);

#endif
