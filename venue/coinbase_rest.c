/* What both feeds of Coinbase share: spelling, signatures, books and products by REST. */
#include "venue/coinbase.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

bool coinbase_symbol_is_valid(const char *symbol)
{
        size_t size = 0, dashes = 0;
        for (; symbol[size]; size++) {
                bool dash = symbol[size] == '-';
                if (!dash && !isupper((unsigned char)symbol[size]) &&
                    !isdigit((unsigned char)symbol[size]))
                        return false;
                if (dash && (!size || symbol[size - 1] == '-'))
                        return false;
                dashes += dash;
        }
        return dashes && symbol[size - 1] != '-';
}

bool coinbase_has_key(const struct venue_choice *choice)
{
        return choice->key && *choice->key && choice->secret && *choice->secret &&
            choice->passphrase && *choice->passphrase;
}

void coinbase_sign(const struct venue_choice *choice, int64_t wall_ns, const char *path,
    char ret_time[24], char ret_signature[SIGNATURE_TEXT_SIZE])
{
        struct buffer text;
        snprintf(ret_time, 24, "%" PRId64, wall_ns / NS_PER_S);
        buffer_init(&text, 4096);
        buffer_printf(&text, "%sGET%s", ret_time, path);
        buffer_append_byte(&text, 0);
        ret_signature[0] = '\0';
        if (!text.failed)
                sign_text(choice->secret, (const char *)text.data, ret_signature);
        buffer_deinit(&text);
}

void coinbase_headers(
    const struct venue_choice *choice, const char *path, int64_t wall_ns, struct buffer *lines)
{
        char time[24], signature[SIGNATURE_TEXT_SIZE];
        if (!coinbase_has_key(choice))
                return;
        coinbase_sign(choice, wall_ns, path, time, signature);
        buffer_printf(lines,
            "CB-ACCESS-KEY: %s\nCB-ACCESS-SIGN: %s\nCB-ACCESS-TIMESTAMP: %s\n"
            "CB-ACCESS-PASSPHRASE: %s\n",
            choice->key, signature, time, choice->passphrase);
}

/* ---- images ---- */

bool coinbase_is_no_size(struct json_text text)
{
        return (text.size && text.data[0] == '-') || !strcasecmp(text.data, "nan");
}

static void add_level(struct values *values, struct json_value entry, struct level_list *list)
{
        struct json_text texts[2];
        struct json_cursor cursor;
        struct json_value element;
        bool whole = json_array_begin(entry, &cursor);
        for (size_t i = 0; i < 2 && whole; i++)
                whole = json_array_next(&cursor, &element) && json_string(element, &texts[i]);
        if (!whole)
                values_refuse(values, ERR_PARSE, "sides are not arrays of [price, size]");
        else if (!coinbase_is_no_size(texts[1]))
                level_list_add(list,
                    (struct level){
                        values_price(values, texts[0]), values_quantity(values, texts[1])});
}

static void add_order(struct values *values, struct json_value entry, struct level_list *list)
{
        struct json_text texts[3];
        struct order_id id;
        if (!values_triple(entry, texts) || !values_uuid(texts[2], &id)) {
                values_refuse(values, ERR_PARSE, "sides are not arrays of [price, size, order]");
                return;
        }
        struct level level = {values_price(values, texts[0]), values_quantity(values, texts[1])};
        level_list_add_order(list, level, &id);
}

static void take_image_side(struct values *values, struct json_value body, const char *name,
    bool orders, struct level_list *list, uint32_t *ret_count)
{
        struct json_value side, entry;
        struct json_cursor cursor;
        size_t begin = list->count;
        if (!json_member(body, name, &side) || !json_array_begin(side, &cursor)) {
                values_refuse(values, ERR_PARSE, "a side is missing");
                return;
        }
        while (!values->code && json_array_next(&cursor, &entry)) {
                if (list->count - begin == LIMIT_EVENT_LEVELS)
                        values_refuse(values, ERR_RANGE, "more levels than are taken");
                else if (orders)
                        add_order(values, entry, list);
                else
                        add_level(values, entry, list);
        }
        *ret_count = (uint32_t)(list->count - begin);
}

static bool is_true(struct json_value body, const char *key)
{
        struct json_value member;
        bool truth;
        return json_member(body, key, &member) && json_bool(member, &truth) && truth;
}

/* A snapshot of the socket has no sequence, a REST answer always. */
static int64_t image_id(struct values *values, struct json_value body, uint8_t kind)
{
        struct json_value sequence;
        if (kind == KIND_L2 && !json_member(body, "sequence", &sequence))
                return 0;
        return values_id(values, body, "sequence", "sequence is missing or no number");
}

int coinbase_parse_image(struct json_value body, uint8_t kind, const struct scale *scale,
    uint32_t limit, struct level_list *list, struct image *ret_image, unsigned digits[2],
    const char **reason)
{
        static const char *const names[SIDES] = {"bids", "asks"};
        struct image image = {.kind = kind, .receive_time_ns = ret_image->receive_time_ns};
        struct values values;
        (void)limit;
        values_begin(&values, scale, false);
        level_list_clear(list);
        image.id = image_id(&values, body, kind);
        image.auction = is_true(body, "auction_mode");
        for (enum side s = 0; s < SIDES; s++)
                take_image_side(&values, body, names[s], kind == KIND_L3, list, &image.count[s]);
        int code = values_end(&values, digits, reason);
        if (code)
                return code;
        values_set_levels(list, image.count, image.levels);
        if (kind == KIND_L3) {
                image.orders[SIDE_BID] = list->orders;
                image.orders[SIDE_ASK] = list->count ? list->orders + image.count[SIDE_BID] : NULL;
        }
        *ret_image = image;
        return 0;
}

uint32_t coinbase_image_weight(uint8_t kind, uint32_t limit)
{
        (void)limit;
        return kind == KIND_L3 ? 50 : 10;
}

void coinbase_image_url(
    const char *rest_url, uint8_t kind, const char *symbol, uint32_t limit, struct buffer *url)
{
        buffer_printf(url, "%s/products/", rest_url);
        url_append(url, symbol);
        buffer_printf(url, "/book?level=%d", kind == KIND_L3 ? 3 : limit <= 5 ? 1 : 2);
}

/* ---- products ---- */

void coinbase_info_url(
    const char *rest_url, const char *const *symbols, size_t count, struct buffer *url)
{
        buffer_printf(url, "%s/products%s", rest_url, count ? "/" : "");
        url_append(url, count ? symbols[0] : "");
}

/* The answer is all products, or the one itself: then a cursor that ends nowhere stands at it. */
int coinbase_parse_info_begin(
    struct json_value root, struct json_cursor *ret_cursor, uint32_t *ret_limit)
{
        *ret_limit = 0;
        if (json_array_begin(root, ret_cursor))
                return 0;
        if (!json_is_object(root))
                return ERR_PARSE;
        *ret_cursor = (struct json_cursor){.at = root};
        return 0;
}

static bool copy_member(
    struct json_value product, const char *key, bool number, char *ret_text, size_t size)
{
        struct json_text text;
        ret_text[0] = '\0';
        return json_member_string(product, key, &text) &&
            (!number || decimal_digits(text.data, text.size) >= 0) &&
            values_copy(text, ret_text, size);
}

/* The decimals of an increment, and how many units of them it has; of 0: one unit. */
static bool step_of(const char *text, uint8_t *ret_digits, int64_t *ret_step)
{
        int digits = decimal_digits(text, strlen(text));
        if (digits < 0 || digits > LIMIT_DIGITS ||
            decimal_parse(text, strlen(text), (unsigned)digits, ret_step) || *ret_step < 0)
                return false;
        *ret_digits = (uint8_t)digits;
        if (!*ret_step)
                *ret_step = 1;
        return true;
}

static bool next_product(struct json_cursor *cursor, struct json_value *ret_product)
{
        if (cursor->end.document)
                return json_array_next(cursor, ret_product);
        *ret_product = cursor->at;
        *cursor = (struct json_cursor){0};
        return ret_product->document;
}

int coinbase_parse_info(struct json_cursor *cursor, struct symbol_info *ret_info)
{
        struct json_value product;
        struct symbol_info info = {.scale = {.tick = 1, .lot = 1}};
        if (!next_product(cursor, &product))
                return 0;
        if (!copy_member(product, "id", false, info.symbol, sizeof(info.symbol)) ||
            !copy_member(product, "status", false, info.status, sizeof(info.status)) ||
            !copy_member(product, "quote_increment", true, info.tick, sizeof(info.tick)) ||
            !copy_member(product, "base_increment", true, info.lot, sizeof(info.lot)) ||
            !step_of(info.tick, &info.scale.price_digits, &info.scale.tick) ||
            !step_of(info.lot, &info.scale.quantity_digits, &info.scale.lot))
                return ERR_PARSE;
        copy_member(product, "base_currency", false, info.base, sizeof(info.base));
        copy_member(product, "quote_currency", false, info.quote, sizeof(info.quote));
        copy_member(product, "base_min_size", true, info.min_quantity, sizeof(info.min_quantity));
        copy_member(
            product, "min_market_funds", true, info.min_notional, sizeof(info.min_notional));
        info.trading = !strcmp(info.status, "online") && !is_true(product, "trading_disabled") &&
            !is_true(product, "cancel_only");
        info.gone = !strcmp(info.status, "delisted");
        info.auction = is_true(product, "auction_mode");
        *ret_info = info;
        return 1;
}

bool coinbase_is_unknown_symbol(int status, struct json_value root)
{
        (void)root;
        return status == 404;
}
