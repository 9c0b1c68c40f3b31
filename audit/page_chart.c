/* The charts of the page: what is covered, what is not and why; and the scores over time. */
#include <inttypes.h>
#include <stdio.h>

#include "audit/page.h"
#include "base/clock.h"

#define WIDTH 1000
#define LABEL 200 /* for the names of the streams */
#define ROW 26
#define BAR 14
#define TICKS 6
#define CARD_WIDTH 260
#define CARD_HEIGHT 96

/* A time as tenths of a pixel within @width. */
static int64_t place_of(const struct page *page, int64_t time_ns, int64_t width)
{
        int64_t length = page->to_ns > page->from_ns ? page->to_ns - page->from_ns : 1;
        int64_t time = time_ns < page->from_ns ? page->from_ns
            : time_ns > page->to_ns            ? page->to_ns
                                               : time_ns;
        return (int64_t)((__int128)(time - page->from_ns) * width * 10 / length);
}

static void print_tenths(const char *name, int64_t tenths)
{
        printf(" %s=\"%" PRId64 ".%" PRId64 "\"", name, tenths / 10, tenths % 10);
}

/* ---- coverage ---- */

static void print_bar(
    const struct page *page, const char *class, int64_t from_ns, int64_t to_ns, size_t row)
{
        int64_t from = place_of(page, from_ns, WIDTH - LABEL);
        int64_t to = place_of(page, to_ns, WIDTH - LABEL);
        printf("<rect class=\"%s\"", class);
        print_tenths("x", from + LABEL * 10);
        print_tenths("width", to - from > 20 ? to - from : 20); /* to be seen at all */
        printf(" y=\"%zu\" height=\"%d\"/>", row * ROW + (ROW - BAR) / 2, BAR);
}

static void print_gap(const struct page *page, const struct page_stream *stream,
    const struct gap_record *gap, size_t row)
{
        char class[8], length[LENGTH_TEXT_SIZE];
        int64_t to_ns = gap->open ? page->to_ns : gap->to_receive_ns;
        if (gap->from_receive_ns >= page->to_ns || to_ns < page->from_ns || !to_ns)
                return;
        snprintf(class, sizeof(class), "c%u", gap->cause);
        printf("<g class=\"gap\" tabindex=\"0\"><title>");
        page_name(&stream->stream->name);
        printf(": %s, ", gap_cause_name(gap->cause));
        page_time(gap->from_receive_ns);
        printf(" to ");
        if (gap->open)
                printf("now");
        else
                page_time(to_ns);
        printf(", %s", format_length(to_ns - gap->from_receive_ns, length));
        if (*gap->detail) {
                printf(": ");
                page_text(gap->detail);
        }
        printf("</title>");
        print_bar(page, class, gap->from_receive_ns, to_ns, row);
        printf("</g>\n");
}

static void print_stream(const struct page *page, const struct page_stream *stream, size_t row)
{
        printf("<text x=\"0\" y=\"%zu\">", row * ROW + ROW / 2 + 4);
        page_name(&stream->stream->name);
        printf("</text>");
        print_bar(page, "void", page->from_ns, page->to_ns, row);
        if (stream->until_ns > page->from_ns && stream->first_ns < page->to_ns) {
                printf("<g><title>recorded from ");
                page_time(stream->first_ns);
                printf(" to ");
                page_time(stream->until_ns);
                printf("</title>");
                print_bar(page, "rec", stream->first_ns, stream->until_ns, row);
                printf("</g>\n");
        }
        for (size_t i = 0; i < stream->gaps.count; i++)
                print_gap(page, stream, &stream->gaps.gaps[i], row);
}

/* Times of a day, where the range is short, else days. */
static void print_tick(const struct page *page, unsigned tick, size_t height)
{
        char text[TIME_TEXT_SIZE];
        int64_t length = page->to_ns - page->from_ns;
        int64_t time_ns = page->from_ns + length / TICKS * tick;
        int64_t x = LABEL + (int64_t)tick * (WIDTH - LABEL) / TICKS;
        time_format(time_ns / NS_PER_S * NS_PER_S, text);
        printf("<line class=\"line\" x1=\"%" PRId64 "\" x2=\"%" PRId64
               "\" y1=\"0\" y2=\"%zu\"/><text class=\"soft\" x=\"%" PRId64
               "\" y=\"%zu\" text-anchor=\"%s\">",
            x, x, height, x, height + 16,
            tick == 0           ? "start"
                : tick == TICKS ? "end"
                                : "middle");
        if (length < 3600 * NS_PER_S)
                printf("%.8s", text + 11);
        else if (length < 2 * NS_PER_DAY)
                printf("%.5s %.5s", text + 5, text + 11);
        else
                printf("%.10s", text);
        printf("</text>\n");
}

static void print_key(const char *class, const char *word)
{
        printf("<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"%s\" "
               "width=\"10\" height=\"10\"/></svg>%s</li>",
            class, word);
}

/* Only causes that occur. */
static void print_keys(const struct page *page)
{
        bool seen[GAP_CAUSES] = {false};
        for (size_t i = 0; i < page->count; i++) {
                for (size_t j = 0; j < page->streams[i].gaps.count; j++)
                        seen[page->streams[i].gaps.gaps[j].cause] = true;
        }
        printf("<ul class=\"keys\">");
        print_key("rec", "recorded");
        print_key("void", "not recorded");
        for (unsigned cause = 0; cause < GAP_CAUSES; cause++) {
                char class[8];
                snprintf(class, sizeof(class), "c%u", cause);
                if (seen[cause])
                        print_key(class, gap_cause_name(cause));
        }
        printf("</ul>\n");
}

void page_timeline(const struct page *page)
{
        size_t height = page->count * ROW;
        if (!page->count)
                return;
        printf("<section><h2 id=\"coverage\">Coverage</h2><div class=\"wide\">\n<svg "
               "viewBox=\"0 0 %d %zu\" role=\"group\" aria-labelledby=\"coverage\">\n",
            WIDTH, height + 24);
        for (unsigned tick = 0; tick <= TICKS; tick++)
                print_tick(page, tick, height);
        for (size_t i = 0; i < page->count; i++)
                print_stream(page, &page->streams[i], i);
        printf("</svg></div>\n");
        print_keys(page);
        printf("<p class=\"note\">Gaps as the record has them; the pointer on one, or its focus, "
               "tells more.</p></section>\n");
}

/* ---- scores ---- */

static int64_t score_place(unsigned score)
{
        return (10 + (CARD_HEIGHT - 30) * (int64_t)(100 - score) / 100) * 10;
}

static void print_curve(const struct page *page, const struct result_list *results)
{
        printf("<polyline class=\"curve\" points=\"");
        for (size_t i = 0; i < results->count; i++) {
                const struct audit_record *record = &results->records[i];
                int64_t x = place_of(page, record->time_ns, CARD_WIDTH - 40) + 300;
                printf("%s%" PRId64 ".%" PRId64 ",%" PRId64, i ? " " : "", x / 10, x % 10,
                    score_place(record->score) / 10);
        }
        printf("\"/>\n");
}

static void print_dots(const struct page *page, const struct result_list *results)
{
        for (size_t i = 0; i < results->count; i++) {
                const struct audit_record *record = &results->records[i];
                printf("<circle class=\"dot%s\" r=\"%s\"", record->score < 90 ? " bad" : "",
                    results->count > 60 ? "2" : "3.5");
                print_tenths("cx", place_of(page, record->time_ns, CARD_WIDTH - 40) + 300);
                print_tenths("cy", score_place(record->score));
                printf("><title>");
                page_time(record->time_ns);
                printf(": %u</title></circle>\n", record->score);
        }
}

static void print_card(const struct page *page, const struct page_stream *stream)
{
        static const unsigned marks[] = {0, 50, 100};
        const struct audit_record *newest = page_newest(stream);
        printf("<div class=\"card\"><h3>");
        page_name(&stream->stream->name);
        printf("</h3><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"scores of %zu audits, "
               "the newest %u\">\n",
            CARD_WIDTH, CARD_HEIGHT - 10, stream->results.count, newest->score);
        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
                int64_t y = score_place(marks[i]) / 10;
                printf("<line class=\"line\" x1=\"30\" x2=\"%d\" y1=\"%" PRId64 "\" y2=\"%" PRId64
                       "\"/><text class=\"soft\" x=\"24\" y=\"%" PRId64
                       "\" text-anchor=\"end\">%u</text>",
                    CARD_WIDTH - 10, y, y, y + 4, marks[i]);
        }
        print_curve(page, &stream->results);
        print_dots(page, &stream->results);
        printf("</svg></div>\n");
}

void page_scores(const struct page *page)
{
        size_t audited = 0;
        for (size_t i = 0; i < page->count; i++)
                audited += page->streams[i].results.count > 0;
        if (!audited)
                return;
        printf("<section><h2>Scores over time</h2><div class=\"many\">\n");
        for (size_t i = 0; i < page->count; i++) {
                if (page->streams[i].results.count)
                        print_card(page, &page->streams[i]);
        }
        printf("</div></section>\n");
}
