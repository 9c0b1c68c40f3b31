#include "store/legacy_parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bson/bson.h>

#include "base/bytes.h"
#include "base/clock.h"

#define FULL_STOP                                                                                  \
        "\xef\xbc\x8e" /* U+FF0E: stands for the point in older databases' field names             \
                        */
#define NUMBER_TEXT_SIZE 64
#define GROWTH 4 /* a number's text takes no more than so many times its element's bytes */

struct legacy_parser {
        struct buffer texts; /* never moves while a document is parsed */
        struct buffer pairs[2 * LEGACY_SIDES];
};

struct legacy_parser *legacy_parser_new(void)
{
        struct legacy_parser *parser = memory_new(sizeof(*parser));
        buffer_init(&parser->texts, SIZE_MAX / 4);
        for (size_t i = 0; i < 2 * LEGACY_SIDES; i++)
                buffer_init(&parser->pairs[i], SIZE_MAX / 4);
        return parser;
}

void legacy_parser_free(struct legacy_parser *parser)
{
        if (!parser)
                return;
        buffer_deinit(&parser->texts);
        for (size_t i = 0; i < 2 * LEGACY_SIDES; i++)
                buffer_deinit(&parser->pairs[i]);
        free(parser);
}

/* ---- numbers as texts ---- */

/* The shortest decimal that is read back as the same number: what was written into it, if that had
 * no more than 15 digits. */
static void double_text(double value, char ret_text[NUMBER_TEXT_SIZE])
{
        for (int digits = 15; digits <= 17; digits++) {
                double back = 0;
                snprintf(ret_text, NUMBER_TEXT_SIZE, "%.*g", digits, value);
                if (sscanf(ret_text, "%lf", &back) == 1 && back == value)
                        return;
        }
}

static char *keep_text(struct legacy_parser *parser, const char *text, size_t size)
{
        char *at = (char *)buffer_reserve(&parser->texts, size + 1);
        if (!at)
                return NULL;
        memcpy(at, text, size);
        at[size] = '\0';
        parser->texts.size += size + 1;
        return at;
}

/* NULL: it is no number. */
static const char *number_text(
    struct legacy_parser *parser, const bson_iter_t *iter, bool *floating)
{
        char text[NUMBER_TEXT_SIZE];
        bson_decimal128_t decimal;
        uint32_t size;
        switch (bson_iter_type(iter)) {
        case BSON_TYPE_UTF8: {
                const char *written = bson_iter_utf8(iter, &size);
                return strlen(written) == size ? written : NULL;
        }
        case BSON_TYPE_INT32:
        case BSON_TYPE_INT64:
                snprintf(text, sizeof(text), "%" PRId64, bson_iter_as_int64(iter));
                break;
        case BSON_TYPE_DOUBLE:
                double_text(bson_iter_double(iter), text);
                *floating = true;
                break;
        case BSON_TYPE_DECIMAL128:
                bson_iter_decimal128(iter, &decimal);
                bson_decimal128_to_string(&decimal, text);
                break;
        default:
                return NULL;
        }
        return keep_text(parser, text, strlen(text));
}

/* A price that is a field's name, with what stands for its point replaced. */
static const char *price_text(struct legacy_parser *parser, const char *key)
{
        size_t step = strlen(FULL_STOP), plain = strcspn(key, "_" FULL_STOP);
        if (!key[plain])
                return key;
        char *kept = keep_text(parser, key, strlen(key)), *to = kept;
        if (!kept)
                return NULL;
        for (const char *from = kept; *from; to++) {
                bool stop = !strncmp(from, FULL_STOP, step);
                *to = stop || *from == '_' ? '.' : *from;
                from += stop ? step : 1;
        }
        *to = '\0';
        return kept;
}

/* ---- lists of pairs ---- */

static bool is_one_of(const char *word, const char *const *words)
{
        for (; *words; words++) {
                if (!strcmp(word, *words))
                        return true;
        }
        return false;
}

/* {price: ..., quantity: ...} */
static bool named_pair(
    struct legacy_parser *parser, bson_iter_t fields, struct legacy_pair *ret_pair, bool *floating)
{
        static const char *const prices[] = {"price", "p", NULL};
        static const char *const quantities[] = {
            "quantity", "qty", "q", "size", "amount", "volume", NULL};
        struct legacy_pair pair = {0};
        while (bson_iter_next(&fields)) {
                const char *key = bson_iter_key(&fields);
                if (is_one_of(key, prices))
                        pair.price = number_text(parser, &fields, floating);
                else if (is_one_of(key, quantities))
                        pair.quantity = number_text(parser, &fields, floating);
        }
        *ret_pair = pair;
        return pair.price && pair.quantity;
}

/* [price, quantity, ...] or a document. */
static bool listed_pair(struct legacy_parser *parser, const bson_iter_t *element,
    struct legacy_pair *ret_pair, bool *floating)
{
        bson_iter_t fields;
        if (BSON_ITER_HOLDS_DOCUMENT(element) && bson_iter_recurse(element, &fields))
                return named_pair(parser, fields, ret_pair, floating);
        if (!BSON_ITER_HOLDS_ARRAY(element) || !bson_iter_recurse(element, &fields) ||
            !bson_iter_next(&fields))
                return false;
        ret_pair->price = number_text(parser, &fields, floating);
        if (!bson_iter_next(&fields))
                return false;
        ret_pair->quantity = number_text(parser, &fields, floating);
        return ret_pair->price && ret_pair->quantity;
}

/* A map from price to quantity, or a list. Returns how many of its elements were none. */
static uint32_t read_pairs(
    struct legacy_parser *parser, const bson_iter_t *value, struct buffer *pairs, bool *floating)
{
        bool list = BSON_ITER_HOLDS_ARRAY(value);
        struct legacy_pair pair;
        bson_iter_t at;
        uint32_t lost = 0;
        if (!bson_iter_recurse(value, &at))
                return 1;
        while (bson_iter_next(&at)) {
                bool good = list;
                if (list) {
                        good = listed_pair(parser, &at, &pair, floating);
                } else {
                        pair.price = price_text(parser, bson_iter_key(&at));
                        pair.quantity = number_text(parser, &at, floating);
                        good = pair.price && pair.quantity;
                }
                if (good)
                        buffer_append(pairs, &pair, sizeof(pair));
                else
                        lost++;
        }
        return lost;
}

static struct legacy_pairs pairs_of(const struct buffer *buffer)
{
        return (struct legacy_pairs){(const struct legacy_pair *)(const void *)buffer->data,
            buffer->size / sizeof(struct legacy_pair)};
}

/* ---- the fields ---- */

static int64_t number_or(const bson_iter_t *iter, int64_t otherwise)
{
        bool number = BSON_ITER_HOLDS_INT64(iter) || BSON_ITER_HOLDS_INT32(iter);
        return number ? bson_iter_as_int64(iter) : otherwise;
}

static const char *text_or_none(const bson_iter_t *iter)
{
        return BSON_ITER_HOLDS_UTF8(iter) ? bson_iter_utf8(iter, NULL) : "";
}

/* ISO 8601 without a zone means UTC. */
static int64_t parse_time_text(const char *text)
{
        char zoned[TIME_TEXT_SIZE + 8];
        int64_t time_ns;
        if (!time_parse(text, &time_ns))
                return time_ns;
        snprintf(zoned, sizeof(zoned), "%.*sZ", TIME_TEXT_SIZE, text);
        return time_parse(zoned, &time_ns) ? 0 : time_ns;
}

/* A Date, a text, or a number of s, ms, us or ns; 0: none of them. */
static int64_t read_time(const bson_iter_t *iter)
{
        char text[NUMBER_TEXT_SIZE];
        int64_t time_ns = 0;
        if (BSON_ITER_HOLDS_DATE_TIME(iter)) {
                if (__builtin_mul_overflow(bson_iter_date_time(iter), NS_PER_MS, &time_ns))
                        return 0;
        } else if (BSON_ITER_HOLDS_UTF8(iter)) {
                time_ns = parse_time_text(bson_iter_utf8(iter, NULL));
        } else if (BSON_ITER_HOLDS_DOUBLE(iter)) {
                double_text(bson_iter_double(iter), text);
                time_ns = time_parse(text, &time_ns) ? 0 : time_ns;
        } else if (BSON_ITER_HOLDS_INT64(iter) || BSON_ITER_HOLDS_INT32(iter)) {
                snprintf(text, sizeof(text), "%" PRId64, bson_iter_as_int64(iter));
                time_ns = time_parse(text, &time_ns) ? 0 : time_ns;
        }
        return time_is_plausible(time_ns) ? time_ns : 0;
}

static enum legacy_type read_type(const bson_iter_t *iter)
{
        const char *word = text_or_none(iter);
        if (!bson_strcasecmp(word, "snapshot"))
                return LEGACY_SNAPSHOT;
        return bson_strcasecmp(word, "update") ? LEGACY_OTHER : LEGACY_UPDATE;
}

static bool is_book(const char *key)
{
        return !strcmp(key, "orberbook") || !strcmp(key, "orderbook");
}

/* A document as it is parsed. */
struct parse {
        struct legacy_parser *parser;
        struct legacy_document *document;
        int64_t date_ns, event_time_ns;
        bool has_book, has_first, has_last, sequenced;
        uint32_t bad_levels;
};

static void take_book(struct parse *parse, const bson_iter_t *iter)
{
        bson_iter_t at;
        if (!BSON_ITER_HOLDS_DOCUMENT(iter) || !bson_iter_recurse(iter, &at))
                return;
        while (bson_iter_next(&at)) {
                const char *key = bson_iter_key(&at);
                bool bids = !strcmp(key, "bids"), asks = !strcmp(key, "asks");
                bool list = BSON_ITER_HOLDS_DOCUMENT(&at) || BSON_ITER_HOLDS_ARRAY(&at);
                if (!bids && !asks)
                        continue;
                parse->has_book = true;
                if (list)
                        parse->bad_levels += read_pairs(parse->parser, &at,
                            &parse->parser->pairs[bids ? LEGACY_BIDS : LEGACY_ASKS],
                            &parse->document->floating);
                else if (!BSON_ITER_HOLDS_NULL(&at))
                        parse->bad_levels++;
        }
}

/* A volume is lost only if there was one. */
static bool is_nothing(struct legacy_parser *parser, const bson_iter_t *iter)
{
        bool floating;
        const char *text = number_text(parser, iter, &floating);
        return BSON_ITER_HOLDS_NULL(iter) || (text && !text[strspn(text, "0.")]);
}

static void take_trades(struct parse *parse, const bson_iter_t *iter)
{
        bson_iter_t at, fields;
        struct legacy_pair pair;
        bool *floating = &parse->document->floating;
        if (!BSON_ITER_HOLDS_DOCUMENT(iter) || !bson_iter_recurse(iter, &at))
                return;
        while (bson_iter_next(&at)) {
                const char *key = bson_iter_key(&at);
                bool bought = !strcmp(key, "bought");
                struct buffer *pairs =
                    &parse->parser->pairs[LEGACY_SIDES + (bought ? LEGACY_BOUGHT : LEGACY_SOLD)];
                if (!bought && strcmp(key, "sold"))
                        continue;
                if (BSON_ITER_HOLDS_DOCUMENT(&at) && bson_iter_recurse(&at, &fields) &&
                    named_pair(parse->parser, fields, &pair, floating))
                        buffer_append(pairs, &pair, sizeof(pair));
                else if (BSON_ITER_HOLDS_DOCUMENT(&at) || BSON_ITER_HOLDS_ARRAY(&at))
                        parse->document->trades_lost +=
                            read_pairs(parse->parser, &at, pairs, floating);
                else
                        parse->document->trades_lost += !is_nothing(parse->parser, &at);
        }
}

static void take_horizon(struct parse *parse, const bson_iter_t *iter)
{
        bson_iter_t at;
        if (!BSON_ITER_HOLDS_DOCUMENT(iter) || !bson_iter_recurse(iter, &at))
                return;
        parse->document->has_horizon = true;
        while (bson_iter_next(&at)) {
                const char *key = bson_iter_key(&at);
                if (!strcmp(key, "bid") || !strcmp(key, "ask"))
                        parse->document->bounded[*key == 'b' ? LEGACY_BIDS : LEGACY_ASKS] =
                            !BSON_ITER_HOLDS_NULL(&at);
        }
}

/* A field that this project adds. */
static void take_own(struct parse *parse, const char *key, const bson_iter_t *iter)
{
        struct legacy_document *document = parse->document;
        if (!strcmp(key, "first_id")) {
                document->first_id = number_or(iter, -1);
                parse->has_first = document->first_id >= 0;
        } else if (!strcmp(key, "last_id")) {
                document->last_id = number_or(iter, -1);
                parse->has_last = document->last_id >= 0;
        } else if (!strcmp(key, "sequenced")) {
                parse->sequenced = bson_iter_as_bool(iter);
        } else if (!strcmp(key, "event_time_ns")) {
                parse->event_time_ns = number_or(iter, 0);
        } else if (!strcmp(key, "receive_time_ns")) {
                document->receive_time_ns = number_or(iter, 0);
        } else if (!strcmp(key, "exchange")) {
                document->exchange = text_or_none(iter);
        } else if (!strcmp(key, "symbol")) {
                document->symbol = text_or_none(iter);
        } else if (!strcmp(key, "recorder")) {
                document->recorder = text_or_none(iter);
        } else if (!strcmp(key, "gap")) {
                document->gap = text_or_none(iter);
        } else if (!strcmp(key, "horizon")) {
                take_horizon(parse, iter);
        }
}

static void take_field(struct parse *parse, const bson_iter_t *iter)
{
        const char *key = bson_iter_key(iter);
        if (!strcmp(key, "type"))
                parse->document->type = read_type(iter);
        else if (!strcmp(key, "DateTime"))
                parse->date_ns = read_time(iter);
        else if (is_book(key))
                take_book(parse, iter);
        else if (!strcmp(key, "trades"))
                take_trades(parse, iter);
        else
                take_own(parse, key, iter);
}

static void settle_times(struct parse *parse)
{
        struct legacy_document *document = parse->document;
        bool exact = time_is_plausible(parse->event_time_ns);
        document->time_ns = exact ? parse->event_time_ns : parse->date_ns;
        if (!time_is_plausible(document->receive_time_ns))
                document->receive_time_ns = 0;
}

static void settle(struct parse *parse)
{
        struct legacy_document *document = parse->document;
        settle_times(parse);
        document->has_ids = parse->has_first && parse->has_last &&
            document->first_id <= document->last_id && document->last_id < INT64_MAX / 2;
        document->sequenced = document->has_ids && parse->sequenced;
        for (size_t s = 0; s < LEGACY_SIDES; s++) {
                document->levels[s] = pairs_of(&parse->parser->pairs[s]);
                document->trades[s] = pairs_of(&parse->parser->pairs[LEGACY_SIDES + s]);
        }
        if (!document->time_ns)
                document->fault = "it has no time";
        else if (!parse->has_book)
                document->fault = "it has no book";
        else if (parse->bad_levels || parse->parser->texts.failed)
                document->fault = "a quantity is no number";
}

void legacy_parse(
    struct legacy_parser *parser, const bson_t *bson, struct legacy_document *ret_document)
{
        struct parse parse = {.parser = parser, .document = ret_document, .sequenced = true};
        bson_iter_t at;
        *ret_document = (struct legacy_document){
            .size = bson->len, .exchange = "", .symbol = "", .recorder = "", .gap = ""};
        buffer_clear(&parser->texts);
        buffer_reserve(&parser->texts, GROWTH * (size_t)bson->len);
        parser->texts.limit = parser->texts.capacity;
        for (size_t i = 0; i < 2 * LEGACY_SIDES; i++)
                buffer_clear(&parser->pairs[i]);
        if (bson_iter_init(&at, bson)) {
                while (bson_iter_next(&at))
                        take_field(&parse, &at);
        }
        parser->texts.limit = SIZE_MAX / 4;
        settle(&parse);
}

void legacy_order(const bson_t *document, struct legacy_order *ret_order)
{
        bson_iter_t at;
        *ret_order = (struct legacy_order){.recorder = ""};
        if (bson_iter_init_find(&at, document, "recorder"))
                ret_order->recorder = text_or_none(&at);
        if (bson_iter_init_find(&at, document, "DateTime"))
                ret_order->time_ns = read_time(&at);
        ret_order->by_time = ret_order->time_ns && !*ret_order->recorder;
}

bool legacy_looks(const bson_t *document)
{
        bson_iter_t at;
        return bson_iter_init_find(&at, document, "type") && read_type(&at) != LEGACY_OTHER &&
            (bson_iter_init_find(&at, document, "orberbook") ||
                bson_iter_init_find(&at, document, "orderbook"));
}
