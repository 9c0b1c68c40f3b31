/* One pass through the events of the range: can they be read, do their ids follow each other, does
 * the book cross, and do the trades agree with the book? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/score.h"

/* Of one kind, those next to each other are told as one. */
struct run_of_events {
        uint64_t count;
        int64_t from_ns, to_ns, id;
};

struct pass {
        struct audit *audit;
        struct audit_item *item;
        bool has_last, trades;
        uint32_t epoch;
        int64_t last_id;
        uint64_t events, broken_ids, crossed;
        uint64_t judged, outside;
        struct run_of_events crossing, straying;
};

static void finding_close(
    struct pass *pass, struct run_of_events *events, enum audit_check check, const char *text)
{
        struct audit_finding finding = {.check = (uint8_t)check,
            .from_ns = events->from_ns,
            .to_ns = events->to_ns,
            .id = events->id,
            .count = events->count};
        if (!events->count)
                return;
        snprintf(finding.text, sizeof(finding.text), "%s", text);
        result_add_finding(&pass->item->record, &finding);
        *events = (struct run_of_events){0};
}

static void run_add(struct run_of_events *events, const struct event *event)
{
        if (!events->count++) {
                events->from_ns = event->event_time_ns;
                events->id = event->last_id;
        }
        events->to_ns = event->event_time_ns;
}

/* ---- ids ---- */

static bool follows(const struct pass *pass, const struct event *event)
{
        return event->first_id <= pass->last_id + 1 && event->last_id > pass->last_id;
}

static void tell_ids(struct pass *pass, const struct event *event)
{
        struct audit_finding finding = {.check = AUDIT_IDS,
            .from_ns = event->event_time_ns,
            .to_ns = event->event_time_ns,
            .id = pass->last_id,
            .count = 1};
        if (event->first_id > pass->last_id)
                finding.count = (uint64_t)(event->first_id - pass->last_id - 1);
        snprintf(finding.text, sizeof(finding.text),
            "%s %" PRId64 " is followed by %" PRId64 ", and no gap is recorded",
            pass->trades ? "trade" : "id", pass->last_id, event->first_id);
        pass->broken_ids++;
        result_add_finding(&pass->item->record, &finding);
}

/* ---- crossed books ---- */

/* In an auction bids and asks may cross. */
static bool is_in_auction(const struct pass *pass, int64_t received_ns)
{
        const struct symbol_list *symbols = &pass->item->symbols;
        for (size_t i = 0; i < symbols->count; i++) {
                if (symbol_version_holds(&symbols->versions[i], received_ns))
                        return symbols->versions[i].record.auction;
        }
        return false;
}

/* A book that crossed is recorded as a gap; what is in one is told there. */
static bool is_in_gap(const struct pass *pass, int64_t time_ns)
{
        const struct gap_list *gaps = &pass->item->gaps;
        for (size_t i = 0; i < gaps->count; i++) {
                const struct gap_record *gap = &gaps->gaps[i];
                if (time_ns > gap->from_time_ns && (gap->open || time_ns < gap->to_time_ns))
                        return true;
        }
        return false;
}

static void look_at_book(struct pass *pass, const struct event *event, const struct scale *scale,
    const struct book *book)
{
        quotes_take(&pass->audit->quotes, event->event_time_ns, book, scale->price_digits);
        if (book_is_crossed(book) && !is_in_gap(pass, event->event_time_ns) &&
            !is_in_auction(pass, event->receive_time_ns)) {
                pass->crossed++;
                run_add(&pass->crossing, event);
        } else {
                finding_close(
                    pass, &pass->crossing, AUDIT_CROSSED, "the best bid is not below the best ask");
        }
}

/* ---- trades ---- */

static void look_at_trade(struct pass *pass, const struct event *event, const struct scale *scale)
{
        enum side side = event->count[SIDE_BID] ? SIDE_BID : SIDE_ASK;
        if (!event->count[side])
                return;
        enum quotes_verdict verdict = quotes_judge(&pass->audit->quotes, event->event_time_ns,
            event->levels[side][0].price, scale->price_digits);
        pass->judged += verdict != QUOTES_UNKNOWN;
        if (verdict != QUOTES_OUTSIDE)
                return;
        pass->outside++;
        run_add(&pass->straying, event);
}

/* ---- the pass ---- */

static int take_event(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct pass *pass = user;
        (void)befores;
        if (pass->has_last && epoch != pass->epoch && !pass->trades)
                quotes_break(&pass->audit->quotes);
        if (pass->has_last && epoch == pass->epoch && pass->item->stream->name.sequenced &&
            !follows(pass, event))
                tell_ids(pass, event);
        pass->events++;
        if (pass->trades)
                look_at_trade(pass, event, scale);
        else
                look_at_book(pass, event, scale, book);
        pass->has_last = true;
        pass->epoch = epoch;
        pass->last_id = event->last_id;
        return 0;
}

/* Before the range: where the ids stand. */
static int pass_event(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct pass *pass = user;
        (void)befores;
        if (!pass->trades)
                quotes_take(&pass->audit->quotes, event->event_time_ns, book, scale->price_digits);
        pass->has_last = true;
        pass->epoch = epoch;
        pass->last_id = event->last_id;
        return 0;
}

static void judge_book(struct pass *pass)
{
        struct audit_record *record = &pass->item->record;
        finding_close(
            pass, &pass->crossing, AUDIT_CROSSED, "the best bid is not below the best ask");
        score_judge(record, AUDIT_CROSSED, pass->events, pass->crossed);
        result_note(record, AUDIT_CROSSED, "events after which bids were at or above asks");
}

static void judge_tape(struct pass *pass)
{
        struct audit_record *record = &pass->item->record;
        char text[META_DETAIL_SIZE];
        if (!pass->judged) {
                result_note(record, AUDIT_TAPE, "no book is recorded of the time of its trades");
                return;
        }
        score_judge(record, AUDIT_TAPE, pass->judged, pass->outside);
        result_note(record, AUDIT_TAPE,
            "trades more than 0.1 %% outside the best prices around their second");
        snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64 " trades lie outside the book",
            pass->outside, pass->judged);
        if (record->results[AUDIT_TAPE].outcome == AUDIT_FOUND)
                finding_close(pass, &pass->straying, AUDIT_TAPE, text);
}

static void judge_frames(struct pass *pass, int code, const struct error *error)
{
        struct audit_record *record = &pass->item->record;
        struct audit_finding finding = {.check = AUDIT_FRAMES,
            .from_ns = record->from_ns,
            .to_ns = record->to_ns,
            .id = pass->last_id,
            .count = 1};
        score_judge(record, AUDIT_FRAMES, pass->events, code ? 1 : 0);
        if (!code)
                return;
        snprintf(finding.text, sizeof(finding.text), "%.128s", error->text);
        text_make_printable(finding.text);
        result_add_finding(record, &finding);
}

/* The quotes of a book are for the trades of the same symbol, which come after it. */
static void begin_quotes(const struct pass *pass)
{
        struct audit *audit = pass->audit;
        const struct recon_stream *stream = pass->item->stream, *quoted = audit->quoted;
        bool same = quoted && !strcmp(quoted->name.exchange, stream->name.exchange) &&
            !strcmp(quoted->name.symbol, stream->name.symbol);
        if (pass->trades && same)
                return;
        audit->quoted = stream;
        if (pass->trades)
                quotes_deinit(&audit->quotes);
        else
                quotes_begin(&audit->quotes, pass->item->record.from_ns, pass->item->record.to_ns);
}

void check_events(struct audit *audit, struct audit_item *item)
{
        struct audit_record *record = &item->record;
        struct pass pass = {
            .audit = audit, .item = item, .trades = item->stream->name.kind == KIND_TRADES};
        struct replay_options options = {.from_ns = record->from_ns, .to_ns = record->to_ns};
        struct replay_callbacks callbacks = {
            .event_cb = take_event, .pass_cb = pass_event, .user = &pass};
        struct error error = {0};
        begin_quotes(&pass);
        int code = recon_replay(&audit->reader, &item->window, &options, &callbacks, &error);
        if (code && code != ERR_CORRUPT) {
                audit_fail(audit, EXIT_FAILED, "%s", error.text);
                item->failed = true;
                return;
        }
        judge_frames(&pass, code, &error);
        if (item->stream->name.sequenced)
                score_judge(record, AUDIT_IDS, pass.events, pass.broken_ids);
        else
                result_note(record, AUDIT_IDS, "the exchange does not number its events");
        if (pass.trades)
                judge_tape(&pass);
        else
                judge_book(&pass);
        result_note(record, AUDIT_FRAMES, "events that were read");
}
