/* The findings of the newest audit of each stream, and what could not be checked. */
#include <inttypes.h>
#include <stdio.h>

#include "audit/page.h"
#include "base/clock.h"

static void print_finding(const struct page_stream *stream, const struct audit_finding *finding)
{
        printf("<tr><th scope=\"row\">");
        page_name(&stream->stream->name);
        printf("</th><td>%s</td><td>", audit_check_name(finding->check));
        page_time(finding->from_ns);
        printf("</td><td class=\"n\">%" PRId64 "</td><td class=\"n\">%" PRIu64
               "</td><td class=\"say\">",
            finding->id, finding->count);
        page_text(finding->text);
        printf("</td></tr>\n");
}

static size_t print_findings(const struct page *page)
{
        size_t count = 0;
        for (size_t i = 0; i < page->count; i++) {
                const struct audit_record *newest = page_newest(&page->streams[i]);
                for (uint32_t j = 0; newest && j < newest->finding_count; j++, count++) {
                        if (!count)
                                printf("<div class=\"wide\"><table><thead><tr>"
                                       "<th scope=\"col\">Stream</th><th scope=\"col\">Check</th>"
                                       "<th scope=\"col\">From, by the exchange&#8217;s clock</th>"
                                       "<th scope=\"col\" class=\"n\">Id</th>"
                                       "<th scope=\"col\" class=\"n\">Count</th>"
                                       "<th scope=\"col\">What</th></tr></thead>\n<tbody>\n");
                        print_finding(&page->streams[i], &newest->findings[j]);
                }
        }
        if (count)
                printf("</tbody></table></div>\n");
        return count;
}

static void print_check(const struct audit_result *result)
{
        static const char *const classes[AUDIT_OUTCOMES] = {"none", "good", "bad"};
        printf("<td title=\"");
        page_text(result->note);
        printf("\"><span class=\"score %s\">%s</span></td>", classes[result->outcome],
            result->outcome == AUDIT_NOT_DONE ? "&#8211;" : audit_outcome_name(result->outcome));
}

static void print_checks(const struct page *page)
{
        printf("<section><h2>Checks of the newest audit</h2><div class=\"wide\"><table><thead><tr>"
               "<th scope=\"col\">Stream</th>");
        for (unsigned check = 0; check < AUDIT_CHECKS; check++)
                printf("<th scope=\"col\">%s</th>", audit_check_name(check));
        printf("</tr></thead>\n<tbody>\n");
        for (size_t i = 0; i < page->count; i++) {
                const struct audit_record *newest = page_newest(&page->streams[i]);
                if (!newest)
                        continue;
                printf("<tr><th scope=\"row\">");
                page_name(&page->streams[i].stream->name);
                printf("</th>");
                for (unsigned check = 0; check < AUDIT_CHECKS; check++)
                        print_check(&newest->results[check]);
                printf("</tr>\n");
        }
        printf("</tbody></table></div><p class=\"note\">&#8211; was not done; the pointer on a "
               "word tells what was looked at, or why not.</p></section>\n");
}

void page_findings(const struct page *page)
{
        printf("<section><h2>Findings of the newest audit</h2>\n");
        if (!print_findings(page))
                printf("<p>None.</p>\n");
        printf("</section>\n");
        print_checks(page);
}
