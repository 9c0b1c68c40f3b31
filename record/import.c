/* One symbol's legacy documents, in order, into a stream of levels and one of trades. */
#include "record/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/limits.h"
#include "record/import_survey.h"

#define FEED "legacy"

struct import {
        struct recorder *recorder;
        struct stream_name name;
        struct record_stream *levels, *trades; /* NULL: not begun */
        struct scale scale, trade_scale;       /* to begin with */
        int64_t usual_ns, hole_ns;
        char from[sizeof(((struct import_survey *)0)->recorder)];
        struct buffer scratch; /* levels of the document in hand */
        struct import_result result;
        int64_t last_time_ns; /* of the last document */
        int64_t chain;        /* last_id of the last document, where it has ids; else -1 */
        int64_t count;        /* id of the last event */
        bool broken;          /* a document since then could not be used */
        int64_t trade_id;
        uint64_t gaps; /* of streams that were closed */
};

int import_open(struct import **ret_import, struct recorder *recorder, const char *exchange,
    const char *symbol, const struct import_survey *survey, struct error *error)
{
        if (!*exchange || strlen(exchange) >= META_EXCHANGE_SIZE || !*symbol ||
            strlen(symbol) >= META_SYMBOL_SIZE)
                return error_set(
                    error, ERR_USAGE, "%.32s:%.80s: no name of a symbol", exchange, symbol);
        struct import *import = memory_new(sizeof(*import));
        import->recorder = recorder;
        snprintf(import->name.exchange, sizeof(import->name.exchange), "%s", exchange);
        snprintf(import->name.symbol, sizeof(import->name.symbol), "%s", symbol);
        snprintf(import->from, sizeof(import->from), "%s", survey->recorder);
        import->scale = survey_scale(survey->levels);
        import->trade_scale = survey_scale(survey->trades);
        import->usual_ns = survey_usual_ns(survey);
        import->hole_ns = survey_hole_ns(import->usual_ns);
        import->chain = -1;
        buffer_init(&import->scratch, 4 * (LIMIT_EVENT_LEVELS + 1) * sizeof(struct level));
        *ret_import = import;
        return 0;
}

const struct import_result *import_result(const struct import *import)
{
        return &import->result;
}

static void end_levels(struct import *import)
{
        if (!import->levels)
                return;
        import->gaps += record_gap_count(import->levels);
        record_stream_close(import->levels, import->result.now_ns, false);
        import->levels = NULL;
}

void import_close(struct import *import, struct import_result *ret_result)
{
        end_levels(import);
        if (import->trades)
                record_stream_close(import->trades, import->result.now_ns, false);
        import->result.gaps = import->gaps;
        if (ret_result)
                *ret_result = import->result;
        buffer_deinit(&import->scratch);
        free(import);
}

/* ---- streams ---- */

static int begin_stream(struct import *import, uint8_t kind, bool sequenced,
    const struct scale *scale, struct record_stream **ret_stream, struct error *error)
{
        struct stream_name name = import->name;
        name.kind = kind;
        name.sequenced = sequenced;
        int code = record_stream_open(
            import->recorder, &name, scale, import->result.now_ns, ret_stream, error);
        if (!code)
                record_set_source(*ret_stream, FEED, "");
        return code;
}

/* Numbers of the exchange prove the record, until a document has none. */
static int begin_levels(
    struct import *import, const struct legacy_document *document, struct error *error)
{
        if (import->levels && import->name.sequenced && !document->sequenced) {
                import->scale = *record_scale(import->levels);
                end_levels(import);
                import->chain = -1;
        }
        if (import->levels)
                return 0;
        import->name.sequenced = document->sequenced;
        int code = begin_stream(
            import, KIND_L2, import->name.sequenced, &import->scale, &import->levels, error);
        if (!code && record_last_id(import->levels) > import->count)
                import->count = record_last_id(import->levels);
        return code;
}

/* The book, and the trades beside it, are no more known from the last document on. */
static void lose(struct import *import, enum gap_cause cause, const char *detail)
{
        if (record_has_book(import->levels))
                record_gap(import->levels, cause, import->result.now_ns, detail);
        if (import->trades && record_has_book(import->trades))
                record_gap(import->trades, cause, import->result.now_ns, detail);
}

static void skip(struct import *import, const char *fault)
{
        struct import_result *result = &import->result;
        if (!result->skipped++)
                snprintf(result->fault, sizeof(result->fault), "%s", fault);
}

/* A document that cannot be used: what it held is missing. */
static void refuse(struct import *import, const struct legacy_document *document,
    enum gap_cause cause, const char *fault)
{
        skip(import, fault);
        if (import->levels)
                lose(import, cause, fault);
        import->chain = document->has_ids ? document->last_id : -1;
        import->broken = true;
}

/* ---- numbers ---- */

/* ERR_FULL: more decimals than the scale has; ERR_PARSE, ERR_RANGE. */
static int parse_pair(
    const struct legacy_pair *pair, const struct scale *scale, struct level *ret_level)
{
        struct level level = {0};
        int price =
            decimal_parse(pair->price, strlen(pair->price), scale->price_digits, &level.price);
        int quantity = decimal_parse(
            pair->quantity, strlen(pair->quantity), scale->quantity_digits, &level.quantity);
        if (price && price != ERR_FULL)
                return price;
        if (price || quantity)
                return quantity ? quantity : price;
        if (level.price < 0 || level.quantity < 0)
                return ERR_PARSE;
        *ret_level = level;
        return 0;
}

static int parse_pairs(const struct legacy_pairs pairs[LEGACY_SIDES], const struct scale *scale,
    struct buffer *scratch, const struct level *ret_levels[SIDES], uint32_t ret_counts[SIDES])
{
        struct level level;
        buffer_clear(scratch);
        for (enum side s = 0; s < SIDES; s++) {
                for (size_t i = 0; i < pairs[s].count; i++) {
                        int code = parse_pair(&pairs[s].pairs[i], scale, &level);
                        if (code)
                                return code;
                        buffer_append(scratch, &level, sizeof(level));
                }
                if (scratch->failed || pairs[s].count > LIMIT_EVENT_LEVELS)
                        return ERR_RANGE;
                ret_counts[s] = (uint32_t)pairs[s].count;
        }
        ret_levels[SIDE_BID] = (const struct level *)(const void *)scratch->data;
        ret_levels[SIDE_ASK] =
            ret_counts[SIDE_ASK] ? ret_levels[SIDE_BID] + ret_counts[SIDE_BID] : NULL;
        return 0;
}

/* Make room for decimals that nothing before had. */
static int widen(
    struct record_stream *stream, const struct legacy_pairs pairs[LEGACY_SIDES], int64_t now_ns)
{
        struct survey_digits digits[2] = {0};
        const struct scale *scale = record_scale(stream);
        for (size_t s = 0; s < LEGACY_SIDES; s++) {
                for (size_t i = 0; i < pairs[s].count; i++) {
                        digits_add(&digits[0], pairs[s].pairs[i].price);
                        digits_add(&digits[1], pairs[s].pairs[i].quantity);
                }
        }
        unsigned price = digits[0].needed, quantity = digits[1].needed;
        price = price > scale->price_digits ? price : scale->price_digits;
        quantity = quantity > scale->quantity_digits ? quantity : scale->quantity_digits;
        if (record_learn_digits(stream, price, quantity))
                return 0;
        return record_rescale(stream, price, quantity, 0, 0, now_ns);
}

static int take_pairs(struct import *import, struct record_stream *stream,
    const struct legacy_pairs pairs[LEGACY_SIDES], const struct level *ret_levels[SIDES],
    uint32_t ret_counts[SIDES])
{
        int code =
            parse_pairs(pairs, record_scale(stream), &import->scratch, ret_levels, ret_counts);
        if (code != ERR_FULL || widen(stream, pairs, import->result.now_ns))
                return code;
        return parse_pairs(pairs, record_scale(stream), &import->scratch, ret_levels, ret_counts);
}

static void refuse_numbers(struct import *import, const struct legacy_document *document, int code)
{
        if (code == ERR_PARSE)
                refuse(import, document, GAP_SEQUENCE, "a price or quantity is no number");
        else
                refuse(import, document, GAP_SCALE, "a number is beyond what can be kept");
}

/* ---- trades ---- */

static int begin_trades(struct import *import, struct error *error)
{
        int code = 0;
        if (!import->trades) {
                code = begin_stream(
                    import, KIND_TRADES, false, &import->trade_scale, &import->trades, error);
                if (!code && record_last_id(import->trades) > import->trade_id)
                        import->trade_id = record_last_id(import->trades);
        }
        if (!code && !record_has_book(import->trades)) {
                struct image empty = {
                    .id = import->trade_id, .receive_time_ns = import->result.now_ns};
                record_image(import->trades, &empty);
        }
        return code;
}

/* What was bought took from the asks. */
static void record_trades(struct import *import, const struct legacy_document *document,
    enum side maker, const struct level *levels, uint32_t count)
{
        struct event event = {.event_time_ns = document->time_ns,
            .receive_time_ns = import->result.now_ns,
            .type = TYPE_TRADE};
        for (uint32_t i = 0; i < count; i++) {
                if (!levels[i].quantity)
                        continue;
                event.first_id = event.last_id = ++import->trade_id;
                event.count[maker] = 1;
                event.levels[maker] = &levels[i];
                record_event(import->trades, &event);
                import->result.trades++;
        }
}

static int import_trades(
    struct import *import, const struct legacy_document *document, struct error *error)
{
        const struct level *levels[SIDES];
        uint32_t counts[SIDES];
        import->result.trades_lost += document->trades_lost;
        if (!document->trades[LEGACY_BOUGHT].count && !document->trades[LEGACY_SOLD].count)
                return 0;
        int code = begin_trades(import, error);
        if (code)
                return code;
        if (take_pairs(import, import->trades, document->trades, levels, counts)) {
                import->result.trades_lost += document->trades[LEGACY_BOUGHT].count;
                import->result.trades_lost += document->trades[LEGACY_SOLD].count;
                return 0;
        }
        record_trades(import, document, SIDE_ASK, levels[LEGACY_BOUGHT], counts[LEGACY_BOUGHT]);
        record_trades(import, document, SIDE_BID, levels[LEGACY_SOLD], counts[LEGACY_SOLD]);
        return 0;
}

/* ---- updates ---- */

static void keep_headless(struct import *import, const struct event *event, bool new_run)
{
        import->result.headless++;
        record_headless(import->levels, event, new_run);
}

/* Do the ids leave something out? Told as a gap. */
static bool ids_follow(struct import *import, int64_t first_id)
{
        char detail[96];
        if (import->chain < 0 || first_id <= import->chain + 1)
                return true;
        snprintf(detail, sizeof(detail), "ids %" PRId64 "..%" PRId64 " are missing",
            import->chain + 1, first_id - 1);
        lose(import, GAP_SEQUENCE, detail);
        return false;
}

static void record_update(struct import *import, const struct event *event, bool follows)
{
        if (!record_has_book(import->levels)) {
                keep_headless(import, event, !follows);
                return;
        }
        int code = record_event(import->levels, event);
        if (!code)
                return;
        lose(import, code == ERR_GAP ? GAP_CROSSED : GAP_OVERFLOW,
            code == ERR_GAP ? "the update crossed the book" : "more levels than a book can have");
        keep_headless(import, event, true);
}

static void import_update(
    struct import *import, const struct legacy_document *document, bool follows)
{
        struct event event = {
            .event_time_ns = document->time_ns, .receive_time_ns = import->result.now_ns};
        int code = take_pairs(import, import->levels, document->levels, event.levels, event.count);
        if (code) {
                refuse_numbers(import, document, code);
                return;
        }
        if (document->has_ids)
                follows &= ids_follow(import, document->first_id);
        bool own =
            document->has_ids && (import->name.sequenced || document->last_id > import->count);
        event.first_id = own ? document->first_id : import->count + 1;
        event.last_id = own ? document->last_id : import->count + 1;
        import->count = event.last_id;
        import->chain = document->has_ids ? document->last_id : -1;
        record_update(import, &event, follows && !import->broken);
        import->broken = false;
}

/* ---- snapshots ---- */

static bool image_is_crossed(const struct image *image)
{
        int64_t bid = INT64_MIN, ask = INT64_MAX;
        for (uint32_t i = 0; i < image->count[SIDE_BID]; i++) {
                struct level level = image->levels[SIDE_BID][i];
                bid = level.quantity && level.price > bid ? level.price : bid;
        }
        for (uint32_t i = 0; i < image->count[SIDE_ASK]; i++) {
                struct level level = image->levels[SIDE_ASK][i];
                ask = level.quantity && level.price < ask ? level.price : ask;
        }
        return bid >= ask;
}

static const char *image_fault(const struct image *image)
{
        if (!image->count[SIDE_BID] && !image->count[SIDE_ASK])
                return "the snapshot is empty";
        return image_is_crossed(image) ? "the snapshot is crossed" : NULL;
}

/* Does it tell what is known already? */
static bool image_is_known(const struct import *import, const struct image *image)
{
        struct book book;
        book_init(&book);
        bool same = !book_set_image(&book, image) && book_equal(&book, record_book(import->levels));
        book_deinit(&book);
        return same;
}

/* false: it cannot be used. */
static bool begin_book(
    struct import *import, const struct legacy_document *document, const struct image *image)
{
        int64_t first, last;
        if (record_run_ids(import->levels, &first, &last) && first > image->id + 1) {
                skip(import, "the snapshot is older than the updates before it");
                return false;
        }
        if (record_image(import->levels, image) != ERR_FULL)
                return true;
        refuse(import, document, GAP_OVERFLOW, "more levels than a book can have");
        return false;
}

static bool correct_book(
    struct import *import, const struct legacy_document *document, const struct image *image)
{
        uint32_t differences;
        if (document->has_ids && image_is_known(import, image))
                return true;
        record_tail_begin(import->levels);
        if (!record_correct(import->levels, image, &differences))
                return true;
        refuse(import, document, GAP_OVERFLOW, "more levels than a book can have");
        return false;
}

/* The id at which it holds, as the stream counts. One beyond the book's lies behind a hole. */
static int64_t place_image(struct import *import, const struct legacy_document *document)
{
        bool chained = document->has_ids && import->chain >= 0;
        if (record_has_book(import->levels) && chained)
                ids_follow(import, document->last_id + (document->last_id > import->chain));
        if (!document->has_ids || record_has_book(import->levels))
                return import->count;
        bool bridges = chained || import->name.sequenced || document->last_id > import->count;
        return bridges ? document->last_id : import->count;
}

/* Where the documents' ids and ours stand behind it. */
static void follow_image(
    struct import *import, const struct legacy_document *document, int64_t image_id)
{
        bool has_book = record_has_book(import->levels);
        int64_t book_id = has_book ? record_book(import->levels)->id : -1;
        if (!document->has_ids)
                import->chain = -1;
        else if (has_book && image_id == document->last_id)
                import->chain = book_id;
        else if (has_book || document->last_id > import->chain)
                import->chain = document->last_id;
        if (has_book)
                import->count = book_id;
        import->broken = false;
}

static void import_snapshot(struct import *import, const struct legacy_document *document)
{
        struct image image = {.kind = KIND_L2, .receive_time_ns = import->result.now_ns};
        int code = take_pairs(import, import->levels, document->levels, image.levels, image.count);
        const char *fault = code ? NULL : image_fault(&image);
        if (code) {
                refuse_numbers(import, document, code);
                return;
        }
        if (fault) {
                refuse(import, document, GAP_CROSSED, fault);
                return;
        }
        for (enum side s = 0; s < SIDES; s++)
                image.bounded[s] = !document->has_horizon || document->bounded[s];
        image.id = place_image(import, document);
        bool live = record_has_book(import->levels);
        if (live ? correct_book(import, document, &image) : begin_book(import, document, &image))
                follow_image(import, document, image.id);
}

/* ---- documents ---- */

/* Documents without ids: only their times tell that some are missing. */
static bool times_follow(struct import *import, const struct legacy_document *document)
{
        char detail[160], distance[DECIMAL_TEXT_SIZE], usual[DECIMAL_TEXT_SIZE];
        int64_t distance_ns = document->time_ns - import->last_time_ns;
        if (!import->last_time_ns || (document->has_ids && import->chain >= 0) ||
            distance_ns <= import->hole_ns)
                return true;
        decimal_format(distance_ns / NS_PER_MS, 3, false, distance);
        decimal_format(import->usual_ns / NS_PER_MS, 3, false, usual);
        snprintf(detail, sizeof(detail), "no document for %s s, the usual distance is %s s",
            distance, usual);
        lose(import, GAP_SILENT, detail);
        return false;
}

static enum gap_cause told_cause(const char *word)
{
        for (unsigned cause = 0; cause < GAP_CAUSES; cause++) {
                if (!strcmp(word, gap_cause_name(cause)))
                        return (enum gap_cause)cause;
        }
        return GAP_SEQUENCE;
}

/* Seen already: of a second recorder, or written twice. */
static bool is_repeated(const struct import *import, const struct legacy_document *document)
{
        if (!document->has_ids || import->chain < 0 || *document->gap)
                return false;
        if (document->type == LEGACY_UPDATE)
                return document->last_id <= import->chain;
        return import->levels && record_has_book(import->levels) &&
            document->last_id < import->chain;
}

static int import_usable(
    struct import *import, const struct legacy_document *document, struct error *error)
{
        int code = begin_levels(import, document, error);
        if (code)
                return code;
        bool follows = times_follow(import, document);
        if (*document->gap)
                lose(import, told_cause(document->gap), "told by the documents");
        code = import_trades(import, document, error);
        if (code)
                return code;
        if (document->type == LEGACY_SNAPSHOT) {
                import->result.snapshots++;
                import_snapshot(import, document);
        } else {
                import->result.updates++;
                import_update(import, document, follows);
        }
        import->last_time_ns = document->time_ns;
        return 0;
}

/* Receive times, where they are not told, are the event's, and never go back. */
static void take_time(struct import *import, const struct legacy_document *document)
{
        int64_t time_ns = document->receive_time_ns ? document->receive_time_ns : document->time_ns;
        if (document->receive_time_ns || time_ns > import->result.now_ns)
                import->result.now_ns = time_ns;
}

static bool is_of_another(const struct import *import, const struct legacy_document *document)
{
        return *document->recorder &&
            strncmp(document->recorder, import->from, sizeof(import->from) - 1);
}

int import_document(
    struct import *import, const struct legacy_document *document, struct error *error)
{
        struct import_result *result = &import->result;
        result->documents++;
        result->floating |= document->floating;
        if (is_of_another(import, document)) {
                result->others++;
        } else if (document->type == LEGACY_OTHER) {
                result->skipped++;
        } else if (document->fault) {
                refuse(import, document, GAP_SEQUENCE, document->fault);
        } else if (is_repeated(import, document)) {
                result->repeated++;
        } else {
                take_time(import, document);
                return import_usable(import, document, error);
        }
        return 0;
}
