#include "audit/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define PARTS 100000 /* of a whole: thousandths of a percent */

void page_text(const char *text)
{
        for (; *text; text++) {
                if (*text == '&')
                        fputs("&amp;", stdout);
                else if (*text == '<')
                        fputs("&lt;", stdout);
                else if (*text == '>')
                        fputs("&gt;", stdout);
                else if (*text == '"')
                        fputs("&quot;", stdout);
                else if ((unsigned char)*text < 0x20)
                        putchar('?');
                else
                        putchar(*text);
        }
}

void page_time(int64_t time_ns)
{
        char text[TIME_TEXT_SIZE];
        time_format(time_ns / NS_PER_S * NS_PER_S, text);
        printf("%.10s %.8s", text, text + 11);
}

void page_name(const struct stream_name *name)
{
        page_text(name->exchange);
        putchar(':');
        page_text(name->symbol);
        printf(" %s", stream_kind_name(name->kind));
}

const struct audit_record *page_newest(const struct page_stream *stream)
{
        return stream->results.count ? &stream->results.records[stream->results.count - 1] : NULL;
}

/* ---- what is known ---- */

/* When the first thing of the record was received. */
static int64_t first_received(struct audit *audit, const struct recon_stream *stream)
{
        struct frame_cursor cursor;
        int64_t first_ns = stream->mark.recorded_until_receive_ns;
        if (!frame_seek(&cursor, &audit->reader, stream, 0, 0, false) && !cursor.code &&
            cursor.info.first_receive_time_ns)
                first_ns = cursor.info.first_receive_time_ns;
        frame_done(&cursor);
        return first_ns;
}

static void add_stream(struct audit *audit, const struct recon_stream *stream, void *user)
{
        struct page *page = user;
        struct page_stream found = {.stream = stream,
            .first_ns = first_received(audit, stream),
            .until_ns = stream->mark.recorded_until_receive_ns};
        bool read =
            !results_read(audit, stream->number, audit->from_ns, audit->to_ns, &found.results) &&
            !recon_gaps(&audit->reader, stream, &found.gaps);
        if (!read)
                audit_fail(audit, EXIT_FAILED, "%s:%s: its audits or gaps cannot be read",
                    stream->name.exchange, stream->name.symbol);
        page->streams =
            memory_resize(page->streams, (page->count + 1) * sizeof(struct page_stream));
        page->streams[page->count++] = found;
}

/* Where nothing is older, there is no need to show a week. */
static void choose_range(struct page *page)
{
        int64_t first_ns = INT64_MAX;
        page->from_ns = page->audit->from_ns;
        page->to_ns = page->audit->to_ns;
        if (options_value(page->audit->options, "--from"))
                return;
        for (size_t i = 0; i < page->count; i++) {
                const struct page_stream *stream = &page->streams[i];
                if (stream->first_ns < first_ns)
                        first_ns = stream->first_ns;
        }
        if (first_ns > page->from_ns && first_ns < page->to_ns)
                page->from_ns = first_ns;
}

/* ---- the summary ---- */

struct share {
        int64_t recorded_ns, lost_ns;
        size_t gaps;
};

static struct share share_of(const struct page *page, const struct page_stream *stream)
{
        int64_t from = stream->first_ns > page->from_ns ? stream->first_ns : page->from_ns;
        int64_t to = stream->until_ns < page->to_ns ? stream->until_ns : page->to_ns;
        for (size_t i = 0; i < stream->gaps.count; i++)
                to = stream->gaps.gaps[i].open ? page->to_ns : to; /* it is lost up to now */
        struct share share = {.recorded_ns = to > from ? to - from : 0};
        for (size_t i = 0; i < stream->gaps.count; i++) {
                const struct gap_record *gap = &stream->gaps.gaps[i];
                int64_t begin = gap->from_receive_ns > from ? gap->from_receive_ns : from;
                int64_t end = gap->open || gap->to_receive_ns > to ? to : gap->to_receive_ns;
                if (gap->from_receive_ns >= page->to_ns || (!gap->open && end < from))
                        continue;
                share.gaps++;
                share.lost_ns += end > begin ? end - begin : 0;
        }
        if (share.lost_ns > share.recorded_ns)
                share.lost_ns = share.recorded_ns;
        return share;
}

static const char *grade_of(const struct audit_record *newest)
{
        if (!newest)
                return "none";
        return newest->score >= 100 ? "good" : newest->score >= 90 ? "fair" : "bad";
}

static void print_row(const struct page *page, const struct page_stream *stream)
{
        const struct audit_record *newest = page_newest(stream);
        struct share share = share_of(page, stream);
        int64_t covered = share.recorded_ns
            ? (int64_t)((__int128)(share.recorded_ns - share.lost_ns) * PARTS / share.recorded_ns)
            : 0;
        printf("<tr><th scope=\"row\">");
        page_name(&stream->stream->name);
        printf("</th><td class=\"n\"><span class=\"score %s\">", grade_of(newest));
        if (newest)
                printf("%u", newest->score);
        else
                printf("none");
        printf("</span></td><td class=\"n\">%" PRId64 ".%03" PRId64
               " %%</td><td class=\"n\">%zu</td><td class=\"n\">%" PRIu64 "</td><td>",
            covered / 1000, covered % 1000, share.gaps, newest ? newest->finding_total : 0);
        if (newest)
                page_time(newest->time_ns);
        printf("</td><td>");
        page_time(stream->until_ns);
        printf("</td></tr>\n");
}

static void print_summary(const struct page *page)
{
        printf("<section><h2>Streams</h2><div class=\"wide\"><table>\n<thead><tr>"
               "<th scope=\"col\">Stream</th><th scope=\"col\" class=\"n\">Score</th>"
               "<th scope=\"col\" class=\"n\">Covered</th><th scope=\"col\" class=\"n\">Gaps</th>"
               "<th scope=\"col\" class=\"n\">Findings</th><th scope=\"col\">Audited</th>"
               "<th scope=\"col\">Recorded until</th></tr></thead>\n<tbody>\n");
        for (size_t i = 0; i < page->count; i++)
                print_row(page, &page->streams[i]);
        printf("</tbody></table></div></section>\n");
}

static void print_head(const struct page *page)
{
        unsigned lowest = 100;
        size_t audited = 0;
        for (size_t i = 0; i < page->count; i++) {
                const struct audit_record *newest = page_newest(&page->streams[i]);
                audited += newest ? 1 : 0;
                if (newest && newest->score < lowest)
                        lowest = newest->score;
        }
        printf("<header><h1>Audit of recorder ");
        page_text(page->audit->store->ops->recorder(page->audit->store));
        printf("</h1><p>");
        if (audited)
                printf("<span class=\"score %s\">%u</span> is the lowest score of %zu audited "
                       "streams. ",
                    lowest >= 100      ? "good"
                        : lowest >= 90 ? "fair"
                                       : "bad",
                    lowest, audited);
        else
                printf("No audit is stored of this time. ");
        printf("<span class=\"when\">");
        page_time(page->from_ns);
        printf(" to ");
        page_time(page->to_ns);
        printf(" UTC, by the recorder&#8217;s clock.</span></p></header>\n");
}

static void page_free(struct page *page)
{
        for (size_t i = 0; i < page->count; i++) {
                free(page->streams[i].results.records);
                gap_list_deinit(&page->streams[i].gaps);
        }
        free(page->streams);
}

void print_page(struct audit *audit)
{
        struct page page = {.audit = audit};
        audit_each_stream(audit, add_stream, &page);
        choose_range(&page);
        printf("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<meta name=\"color-scheme\" content=\"light dark\">\n"
               "<title>obaudit: ");
        page_text(audit->store->ops->recorder(audit->store));
        printf("</title>\n");
        page_style();
        printf("</head>\n<body>\n");
        print_head(&page);
        printf("<main>\n");
        print_summary(&page);
        page_timeline(&page);
        page_scores(&page);
        page_findings(&page);
        printf("</main>\n<footer><p>obaudit " OBLOGGER_VERSION "</p></footer>\n</body>\n</html>\n");
        for (size_t i = 0; i < page.count; i++) {
                const struct audit_record *newest = page_newest(&page.streams[i]);
                if (newest && newest->finding_total)
                        audit_worsen(audit, EXIT_FINDINGS);
        }
        page_free(&page);
}
