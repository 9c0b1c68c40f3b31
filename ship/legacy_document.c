#include "ship/legacy_document.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bson/bson.h>

#include "base/clock.h"

#define SIZE_MAX_DOCUMENT (12u << 20) /* a server keeps no more than 16 MiB */
#define LEVEL_SIZE_MAX (2 * DECIMAL_TEXT_SIZE + 8)
#define TRADES_MAX 50000 /* of a document: 6 MB of the longest texts */
#define SIGN_BIT (UINT64_C(1) << 63)

/* ---- what all have ---- */

/* Ascends as the stream does, whatever sorts texts. Two of the same id are the same document. */
static void append_id(bson_t *document, const struct legacy_head *head, const char *what)
{
        struct buffer id;
        buffer_init(&id, 4096);
        for (const char *c = head->recorder; *c; c++) {
                bool plain = strchr("._-", *c) || (*c >= '0' && *c <= '9') ||
                    (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z');
                buffer_printf(&id, plain ? "%c" : "%%%02X", (unsigned char)*c);
        }
        buffer_printf(&id, "/%08" PRIx32 "/%08" PRIx32 "/%016" PRIx64 "/%s", head->stream,
            head->epoch, (uint64_t)head->last_id ^ SIGN_BIT, what);
        bson_append_utf8(document, "_id", 3, (const char *)id.data, (int)id.size);
        buffer_deinit(&id);
}

static bson_t *begin_document(const struct legacy_head *head, const char *type, const char *id_word)
{
        bson_t *document = bson_new();
        append_id(document, head, id_word);
        BSON_APPEND_UTF8(document, "type", type);
        BSON_APPEND_DATE_TIME(document, "DateTime", head->event_time_ns / NS_PER_MS);
        return document;
}

static void append_head(bson_t *document, const struct legacy_head *head)
{
        BSON_APPEND_UTF8(document, "exchange", head->name->exchange);
        BSON_APPEND_UTF8(document, "symbol", head->name->symbol);
        BSON_APPEND_UTF8(document, "recorder", head->recorder);
        BSON_APPEND_INT64(document, "first_id", head->first_id);
        BSON_APPEND_INT64(document, "last_id", head->last_id);
        BSON_APPEND_BOOL(document, "sequenced", head->name->sequenced);
        BSON_APPEND_INT64(document, "event_time_ns", head->event_time_ns);
        BSON_APPEND_INT64(document, "receive_time_ns", head->receive_time_ns);
        if (head->gap)
                BSON_APPEND_UTF8(document, "gap", head->gap);
}

static void append_level(bson_t *side, struct level level, const struct scale *scale)
{
        char price[DECIMAL_TEXT_SIZE], quantity[DECIMAL_TEXT_SIZE];
        size_t size = decimal_format(level.price, scale->price_digits, scale->fixed, price);
        decimal_format(level.quantity, scale->quantity_digits, scale->fixed, quantity);
        bson_append_utf8(side, price, (int)size, quantity, -1);
}

/* ---- updates ---- */

/* Of the changes of one price in one event only the last one counts: a field stands once. */
static int compare_prices(const void *a, const void *b)
{
        const struct level *const *left = a, *const *right = b;
        if ((*left)->price != (*right)->price)
                return (*left)->price < (*right)->price ? -1 : 1;
        return (*left > *right) - (*left < *right);
}

static const struct level **sort_levels(const struct level *levels, uint32_t count)
{
        const struct level **sorted = memory_new(count * sizeof(*sorted));
        for (uint32_t i = 0; i < count; i++)
                sorted[i] = &levels[i];
        qsort(sorted, count, sizeof(*sorted), compare_prices);
        return sorted;
}

static bool *find_stale(const struct level *levels, uint32_t count)
{
        const struct level **sorted = sort_levels(levels, count);
        bool *stale = memory_new(count * sizeof(*stale));
        for (uint32_t i = 0; i + 1 < count; i++)
                stale[sorted[i] - levels] = sorted[i]->price == sorted[i + 1]->price;
        free(sorted);
        return stale;
}

static void append_changes(bson_t *book, const char *name, const struct event *event, enum side s,
    const struct scale *scale)
{
        bson_t side;
        bool *stale = find_stale(event->levels[s], event->count[s]);
        BSON_APPEND_DOCUMENT_BEGIN(book, name, &side);
        for (uint32_t i = 0; i < event->count[s]; i++) {
                if (!stale[i])
                        append_level(&side, event->levels[s][i], scale);
        }
        bson_append_document_end(book, &side);
        free(stale);
}

static void append_trade(bson_t *list, uint32_t index, const struct legacy_trade *trade)
{
        char key[16], price[DECIMAL_TEXT_SIZE], quantity[DECIMAL_TEXT_SIZE];
        const char *name;
        const struct scale *scale = &trade->scale;
        bson_t pair;
        size_t size = bson_uint32_to_string(index, &name, key, sizeof(key));
        decimal_format(trade->level.price, scale->price_digits, scale->fixed, price);
        decimal_format(trade->level.quantity, scale->quantity_digits, scale->fixed, quantity);
        bson_append_array_begin(list, name, (int)size, &pair);
        BSON_APPEND_UTF8(&pair, "0", price);
        BSON_APPEND_UTF8(&pair, "1", quantity);
        bson_append_array_end(list, &pair);
}

static void append_trades(bson_t *document, const struct legacy_trade *trades, size_t count)
{
        static const char *const names[] = {"sold", "bought"};
        bson_t both, list;
        BSON_APPEND_DOCUMENT_BEGIN(document, "trades", &both);
        for (int bought = 1; bought >= 0; bought--) {
                uint32_t index = 0;
                BSON_APPEND_ARRAY_BEGIN(&both, names[bought], &list);
                for (size_t i = 0; i < count; i++) {
                        if (trades[i].bought == bought)
                                append_trade(&list, index++, &trades[i]);
                }
                bson_append_array_end(&both, &list);
        }
        bson_append_document_end(document, &both);
}

bson_t *legacy_update(const struct legacy_head *head, const struct event *event,
    const struct scale *scale, const struct legacy_trade *trades, size_t count, size_t *ret_taken)
{
        size_t room = SIZE_MAX_DOCUMENT - LEVEL_SIZE_MAX * TRADES_MAX;
        if (event_level_count(event) > room / LEVEL_SIZE_MAX)
                return NULL;
        *ret_taken = count < TRADES_MAX ? count : TRADES_MAX;
        bson_t *document = begin_document(head, "update", "event"), book;
        BSON_APPEND_DOCUMENT_BEGIN(document, "orberbook", &book);
        append_changes(&book, "bids", event, SIDE_BID, scale);
        append_changes(&book, "asks", event, SIDE_ASK, scale);
        bson_append_document_end(document, &book);
        append_trades(document, trades, *ret_taken);
        append_head(document, head);
        return document;
}

/* ---- snapshots ---- */

static size_t level_size(struct level level, const struct scale *scale)
{
        char text[DECIMAL_TEXT_SIZE];
        return 8 + decimal_format(level.price, scale->price_digits, scale->fixed, text) +
            decimal_format(level.quantity, scale->quantity_digits, scale->fixed, text);
}

/* How many levels of each side a document can have. */
static size_t depth_of(const struct book *book, const struct scale *scale)
{
        struct book_cursor cursors[SIDES] = {0};
        struct level level;
        size_t depth = 0, size = 4096;
        for (bool found = true; found; depth++) {
                found = false;
                for (enum side s = 0; s < SIDES; s++) {
                        if (!book_next(book, s, &cursors[s], &level))
                                continue;
                        found = true;
                        size += level_size(level, scale);
                }
                if (size > SIZE_MAX_DOCUMENT)
                        return depth;
        }
        return depth;
}

static void append_side(bson_t *levels, const char *name, const struct book *book, enum side s,
    size_t depth, const struct scale *scale)
{
        struct book_cursor cursor = {0};
        struct level level;
        bson_t side;
        BSON_APPEND_DOCUMENT_BEGIN(levels, name, &side);
        for (size_t i = 0; i < depth && book_next(book, s, &cursor, &level); i++)
                append_level(&side, level, scale);
        bson_append_document_end(levels, &side);
}

/* How far the image that the book began with reached; null: the whole book. */
static void append_horizon(bson_t *document, const struct book *book, const struct scale *scale)
{
        static const char *const names[] = {"bid", "ask"};
        bson_t horizon;
        BSON_APPEND_DOCUMENT_BEGIN(document, "horizon", &horizon);
        for (enum side s = 0; s < SIDES; s++) {
                char text[DECIMAL_TEXT_SIZE];
                decimal_format(book->horizon[s], scale->price_digits, scale->fixed, text);
                if (book->bounded[s])
                        BSON_APPEND_UTF8(&horizon, names[s], text);
                else
                        BSON_APPEND_NULL(&horizon, names[s]);
        }
        bson_append_document_end(document, &horizon);
}

bson_t *legacy_snapshot(
    const struct legacy_head *head, const struct book *book, const struct scale *scale)
{
        size_t depth = depth_of(book, scale);
        bson_t *document = begin_document(head, "snapshot", "image"), levels;
        BSON_APPEND_DOCUMENT_BEGIN(document, "orberbook", &levels);
        append_side(&levels, "bids", book, SIDE_BID, depth, scale);
        append_side(&levels, "asks", book, SIDE_ASK, depth, scale);
        bson_append_document_end(document, &levels);
        append_trades(document, NULL, 0);
        append_head(document, head);
        append_horizon(document, book, scale);
        if (depth < book_count(book, SIDE_BID) || depth < book_count(book, SIDE_ASK))
                BSON_APPEND_BOOL(document, "cut", true);
        return document;
}
