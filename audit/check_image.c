/* The recorded book and the exchange's own, compared at the same id.
 *
 * The exchange is asked for its book of levels, which has id L. About two seconds later the record
 * has reached L too. Its book at L is found again: after the event that ends with L, or, where L is
 * inside an event, after that one, whose prices are then not judged. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/audit.h"
#include "audit/compare.h"
#include "audit/network.h"
#include "audit/score.h"
#include "base/clock.h"

#define REACH_NS (10 * NS_PER_S) /* the record is to have reached the image by then */
#define POLL_NS (100 * NS_PER_MS)
#define AROUND_NS (15 * NS_PER_S) /* of receive times: where the event is looked for */

struct search {
        const struct venue *venue;
        struct json_value root;
        struct level_list list;
        int64_t id;
        bool done;       /* the record was there at that id ... */
        const char *why; /* ... but could not be compared */
        bool agrees;     /* orders and levels of our own book */
        struct scale scale;
        int64_t time_ns;
        struct comparison comparison;
};

static bool image_id(struct json_value root, int64_t *ret_id)
{
        return json_member_int(root, "lastUpdateId", ret_id) ||
            json_member_int(root, "sequence", ret_id);
}

static int compare_now(struct search *search, const struct book *book, const struct scale *scale,
    const struct event *except)
{
        struct image image = {0};
        unsigned digits[2];
        search->scale = *scale;
        search->done = true;
        search->agrees = !book->by_order || book_orders_agree(book);
        if (search->venue->parse_image(search->root, KIND_L2, scale, NETWORK_DEPTH, &search->list,
                &image, digits, &search->why))
                search->why = search->why ? search->why : "its numbers do not fit the scale";
        else if (compare_books(book, &image, except, &search->comparison))
                search->why = "it is too large";
        else
                search->why = NULL;
        return 1;
}

static int take_event(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct search *search = user;
        (void)befores;
        (void)epoch;
        if (search->done)
                return 1;
        search->time_ns = event->event_time_ns;
        if (event->last_id < search->id)
                return 0;
        if (event->last_id == search->id)
                return compare_now(search, book, scale, NULL);
        if (event->first_id <= search->id && event->type == TYPE_LEVELS)
                return compare_now(search, book, scale, event);
        return 1; /* the record has passed it */
}

static void take_image(const struct book *book, const struct scale *scale, void *user)
{
        struct search *search = user;
        if (!search->done && book->id == search->id)
                compare_now(search, book, scale, NULL);
}

/* ---- the record reaches the image ---- */

static void sleep_ns(int64_t ns)
{
        struct timespec time = {ns / NS_PER_S, ns % NS_PER_S};
        nanosleep(&time, NULL);
}

static int64_t reach_ns(const struct audit *audit)
{
        return audit->stale_ns < REACH_NS ? audit->stale_ns : REACH_NS;
}

static bool record_reaches(
    struct audit *audit, const struct audit_item *item, int64_t id, struct mark_record *ret_mark)
{
        int64_t end_ns = clock_mono_ns() + reach_ns(audit);
        for (;;) {
                if (audit_newest_mark(audit, item->stream, ret_mark))
                        return false;
                if (ret_mark->last_id >= id && !ret_mark->gap_open)
                        return true;
                if (clock_mono_ns() >= end_ns || !audit->has_writer || ret_mark->clean)
                        return false;
                sleep_ns(POLL_NS);
        }
}

/* The last days of the stream as they are now. */
struct tail {
        struct recon_stream stream;
        uint32_t days[2];
        struct mark_record marks[2];
};

static void tail_make(
    const struct audit_item *item, const struct mark_record *mark, struct tail *ret_tail)
{
        const struct recon_stream *stream = item->stream;
        size_t last = stream->day_count - 1;
        uint32_t today = day_of_time(clock_wall_ns());
        *ret_tail = (struct tail){.stream = *stream};
        ret_tail->days[0] = stream->days[last];
        ret_tail->marks[0] = stream->marks[last];
        ret_tail->stream.days = ret_tail->days;
        ret_tail->stream.marks = ret_tail->marks;
        ret_tail->stream.day_count = 1;
        ret_tail->stream.first_position = stream->marks[last].first_position;
        ret_tail->stream.mark = *mark;
        if (mark->first_position != stream->marks[last].first_position) {
                ret_tail->days[1] = today;
                ret_tail->marks[1] = *mark;
                ret_tail->stream.day_count = 2;
        } else {
                ret_tail->marks[0] = *mark;
        }
}

static int search_record(struct audit *audit, const struct audit_item *item,
    const struct mark_record *mark, int64_t received_ns, struct search *search, struct error *error)
{
        struct tail tail;
        int64_t age_ns = search->venue->image_age_ns;
        struct replay_options options = {.from_ns = received_ns - age_ns - AROUND_NS,
            .to_ns = INT64_MAX,
            .clock = CLOCK_RECEIVE};
        struct replay_callbacks callbacks = {
            .event_cb = take_event, .pass_cb = take_event, .image_cb = take_image, .user = search};
        tail_make(item, mark, &tail);
        int code = recon_replay(&audit->reader, &tail.stream, &options, &callbacks, error);
        return code < 0 ? code : 0;
}

/* ---- what came of it ---- */

static void tell_differences(
    struct audit_item *item, enum audit_check check, const struct search *search)
{
        const struct comparison *comparison = &search->comparison;
        for (size_t i = 0; i < comparison->shown; i++) {
                const struct difference *one = &comparison->first[i];
                char price[DECIMAL_TEXT_SIZE], ours[DECIMAL_TEXT_SIZE], theirs[DECIMAL_TEXT_SIZE];
                struct audit_finding finding = {.check = (uint8_t)check,
                    .from_ns = search->time_ns,
                    .to_ns = search->time_ns,
                    .id = search->id,
                    .count = 1};
                decimal_format(one->price, search->scale.price_digits, search->scale.fixed, price);
                decimal_format(one->ours, search->scale.quantity_digits, search->scale.fixed, ours);
                decimal_format(
                    one->theirs, search->scale.quantity_digits, search->scale.fixed, theirs);
                if (i + 1 == comparison->shown)
                        finding.count += comparison->wrong - comparison->shown;
                snprintf(finding.text, sizeof(finding.text),
                    "%s %.30s: recorded %.30s, the exchange has %.30s",
                    one->side == SIDE_BID ? "bid" : "ask", price, ours, theirs);
                result_add_finding(&item->record, &finding);
        }
}

static void tell_disagreement(
    struct audit_item *item, enum audit_check check, const struct search *search)
{
        struct audit_finding finding = {.check = (uint8_t)check,
            .from_ns = search->time_ns,
            .to_ns = search->time_ns,
            .id = search->id,
            .count = 1,
            .text = "the recorded orders do not add up to the levels"};
        result_add_finding(&item->record, &finding);
}

static void judge(struct audit_item *item, enum audit_check check, const struct search *search)
{
        uint64_t wrong = search->comparison.wrong + !search->agrees;
        score_judge(&item->record, check, search->comparison.compared, wrong);
        result_note(&item->record, check, "levels, compared with the exchange's at id %" PRId64,
            search->id);
        if (!search->agrees)
                tell_disagreement(item, check, search);
        tell_differences(item, check, search);
}

/* The exchange goes on and the record does not: worse than being late. */
static void tell_behind(
    struct audit *audit, struct audit_item *item, const struct mark_record *mark, int64_t id)
{
        struct audit_result *fresh = &item->record.results[AUDIT_FRESH];
        struct audit_finding finding = {.check = AUDIT_FRESH,
            .from_ns = mark->recorded_until_ns,
            .to_ns = mark->recorded_until_ns,
            .id = mark->last_id,
            .count = 1};
        if (mark->gap_open || fresh->outcome == AUDIT_FOUND)
                return;
        int64_t behind_ns = clock_wall_ns() - mark->recorded_until_receive_ns;
        snprintf(finding.text, sizeof(finding.text),
            "the exchange was at id %" PRId64 " %d s ago, the record is at %" PRId64, id,
            (int)(reach_ns(audit) / NS_PER_S), mark->last_id);
        score_judge(&item->record, AUDIT_FRESH, (uint64_t)audit->stale_ns,
            behind_ns > 1 ? (uint64_t)behind_ns : 1);
        result_add_finding(&item->record, &finding);
}

static void compare(struct audit *audit, struct audit_item *item, enum audit_check check,
    struct search *search, int64_t received_ns)
{
        struct audit_record *record = &item->record;
        struct mark_record mark = {0};
        struct error error = {0};
        if (!image_id(search->root, &search->id)) {
                result_note(record, check, "the exchange's image has no id");
        } else if (!record_reaches(audit, item, search->id, &mark)) {
                if (audit->has_writer && !mark.clean)
                        tell_behind(audit, item, &mark, search->id);
                result_note(record, check, "the record has not reached id %" PRId64 "%s",
                    search->id, mark.gap_open ? ": a gap is open" : "");
        } else if (search_record(audit, item, &mark, received_ns, search, &error)) {
                result_note(record, check, "%.100s", error.text);
        } else if (!search->done) {
                result_note(record, check, "no book is recorded at id %" PRId64, search->id);
        } else if (search->why) {
                result_note(
                    record, check, "the exchange's image cannot be used: %.80s", search->why);
        } else {
                judge(item, check, search);
        }
}

static void ask_and_compare(
    struct audit *audit, struct audit_item *item, enum audit_check check, const struct venue *venue)
{
        struct search search = {.venue = venue};
        struct json_parser *parser = json_new();
        struct rest_answer answer;
        struct error error = {0};
        if (network_image(audit->network, venue, item->stream->name.symbol, &answer, &error)) {
                result_note(&item->record, check, "no image: %.100s", error.text);
        } else {
                if (json_parse(parser, (char *)answer.body.data, answer.body.size, &search.root))
                        result_note(&item->record, check, "no image: the answer is not JSON");
                else
                        compare(audit, item, check, &search, answer.received_ns);
                buffer_deinit(&answer.body);
        }
        level_list_deinit(&search.list);
        json_free(parser);
}

void check_image(struct audit *audit, struct audit_item *item)
{
        const struct stream_name *name = &item->stream->name;
        enum audit_check check = name->kind == KIND_L3 ? AUDIT_LEVELS : AUDIT_IMAGE;
        const struct venue *venue = venue_find(name->exchange);
        if (name->kind == KIND_TRADES)
                return;
        if (!audit->network)
                result_note(&item->record, check, "the exchange was not asked (--no-network)");
        else if (!venue)
                result_note(&item->record, check, "this exchange is not known");
        else if (venue->sync(name->kind) != SYNC_BRIDGE)
                result_note(&item->record, check,
                    "its events have no ids that the exchange's image could be found by");
        else if (!audit->has_writer)
                result_note(&item->record, check, "no logger writes to this store");
        else
                ask_and_compare(audit, item, check, venue);
}
