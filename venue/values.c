#include "venue/values.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

void values_begin(struct values *values, const struct scale *scale, bool as_written)
{
        *values = (struct values){.scale = scale, .as_written = as_written, .reason = ""};
        if (!as_written) {
                values->digits[0] = scale->price_digits;
                values->digits[1] = scale->quantity_digits;
        }
}

void values_refuse(struct values *values, int code, const char *reason)
{
        if (values->code)
                return;
        values->code = code;
        values->reason = reason;
}

int values_end(struct values *values, unsigned ret_digits[2], const char **ret_reason)
{
        const struct scale *scale = values->scale;
        if (!values->any) {
                values->digits[0] = scale->price_digits;
                values->digits[1] = scale->quantity_digits;
        }
        if (values->digits[0] > scale->price_digits || values->digits[1] > scale->quantity_digits)
                values_refuse(values, ERR_FULL, "written with more decimals than the scale has");
        *ret_reason = values->reason;
        if (!values->code || values->code == ERR_FULL)
                memcpy(ret_digits, values->digits, sizeof(values->digits));
        return values->code;
}

/* Has @text as many decimals as the scale? The usual case, of those that write them all. */
static bool has_usual_digits(struct json_text text, unsigned usual)
{
        return usual && text.size > usual && text.data[text.size - usual - 1] == '.';
}

static unsigned written_digits(struct json_text text)
{
        const char *point = memchr(text.data, '.', text.size);
        return point ? (unsigned)(text.data + text.size - point - 1) : 0;
}

static void note_digits(struct values *values, struct json_text text, int code, unsigned *digits)
{
        unsigned found = values->as_written ? written_digits(text) : 0;
        int needed = code == ERR_FULL ? decimal_digits(text.data, text.size) : 0;
        if (needed > 0 && (unsigned)needed > found)
                found = (unsigned)needed;
        if (found > *digits)
                *digits = found;
}

static int64_t take_number(
    struct values *values, struct json_text text, unsigned usual, unsigned *digits)
{
        int64_t value = 0;
        int code = decimal_parse(text.data, text.size, usual, &value);
        values->any = true;
        if (code || *digits < usual || (values->as_written && !has_usual_digits(text, usual)))
                note_digits(values, text, code, digits);
        if (code == ERR_PARSE)
                values_refuse(values, code, "a price or quantity is no decimal number");
        else if (code == ERR_RANGE || value < 0)
                values_refuse(values, ERR_RANGE, "a price or quantity is negative or too large");
        return value;
}

int64_t values_price(struct values *values, struct json_text text)
{
        return take_number(values, text, values->scale->price_digits, &values->digits[0]);
}

int64_t values_quantity(struct values *values, struct json_text text)
{
        return take_number(values, text, values->scale->quantity_digits, &values->digits[1]);
}

struct json_text values_text(
    struct values *values, struct json_value body, const char *key, const char *reason)
{
        struct json_text text = {"", 0};
        if (!json_member_string(body, key, &text))
                values_refuse(values, ERR_PARSE, reason);
        return text;
}

int64_t values_id(
    struct values *values, struct json_value body, const char *key, const char *reason)
{
        int64_t id = 0;
        if (!json_member_int(body, key, &id) || id < 0 || id == INT64_MAX)
                values_refuse(values, ERR_PARSE, reason);
        return id;
}

/* Until they settle asks are marked by their price's complement, which is negative. */
void values_add(struct values *values, struct level_list *list, enum side side,
    struct json_text price, struct json_text quantity)
{
        struct level level = {values_price(values, price), values_quantity(values, quantity)};
        if (level.price < 0 || level.quantity < 0)
                return;
        if (list->count == 2 * LIMIT_EVENT_LEVELS) {
                values_refuse(values, ERR_RANGE, "more levels than an event may have");
                return;
        }
        level.price = side == SIDE_BID ? level.price : ~level.price;
        level_list_add(list, level);
}

void values_settle(struct values *values, struct level_list *list, uint32_t ret_count[SIDES],
    const struct level *ret_levels[SIDES])
{
        size_t count = list->count, bids = 0;
        for (size_t i = 0; i < count; i++) {
                struct level level = list->levels[i];
                if (level.price >= 0)
                        list->levels[bids++] = level;
                else
                        level_list_add(list, (struct level){~level.price, level.quantity});
        }
        size_t asks = list->count - count;
        if (asks)
                memmove(list->levels + bids, list->levels + count, asks * sizeof(*list->levels));
        list->count = count;
        if (bids > LIMIT_EVENT_LEVELS || asks > LIMIT_EVENT_LEVELS)
                values_refuse(values, ERR_RANGE, "more levels than an event may have");
        ret_count[SIDE_BID] = (uint32_t)bids;
        ret_count[SIDE_ASK] = (uint32_t)asks;
        values_set_levels(list, ret_count, ret_levels);
}

/* An empty list has no array yet, and nothing may be added to NULL. */
void values_set_levels(const struct level_list *list, const uint32_t count[SIDES],
    const struct level *ret_levels[SIDES])
{
        ret_levels[SIDE_BID] = list->levels;
        ret_levels[SIDE_ASK] = list->count ? list->levels + count[SIDE_BID] : NULL;
}

void values_set_trade(struct values *values, struct level_list *list, enum side maker, int64_t id,
    struct json_text price, struct json_text quantity, struct event *event)
{
        level_list_clear(list);
        level_list_add(
            list, (struct level){values_price(values, price), values_quantity(values, quantity)});
        event->type = TYPE_TRADE;
        event->first_id = event->last_id = id;
        event->count[maker] = 1;
        values_set_levels(list, event->count, event->levels);
}

/* The number that @count digits write, or -1. */
static int digits_value(const char *text, size_t count)
{
        int value = 0;
        for (size_t i = 0; i < count; i++) {
                unsigned digit = (unsigned)(text[i] - '0');
                if (digit > 9)
                        return -1;
                value = value * 10 + (int)digit;
        }
        return value;
}

/* Seconds of "2026-08-25T03:35:57", or 0; in the years from 2009 to 2099 each fourth has a leap. */
static int64_t seconds_of(const char *text)
{
        static const short before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
        int year = digits_value(text, 4), month = digits_value(text + 5, 2),
            day = digits_value(text + 8, 2), hour = digits_value(text + 11, 2),
            minute = digits_value(text + 14, 2), second = digits_value(text + 17, 2);
        if (year < 2009 || year > 2099 || month < 1 || month > 12 || day < 1 || hour < 0 ||
            hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 || text[4] != '-' ||
            text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':')
                return 0;
        bool leap = year % 4 == 0;
        if (day > before[month] - before[month - 1] + (leap && month == 2))
                return 0;
        int days = (year - 1970) * 365 + (year - 1969) / 4 + before[month - 1] + day - 1 +
            (leap && month > 2);
        return ((days * INT64_C(24) + hour) * 60 + minute) * 60 + second;
}

int64_t values_time(struct json_text text)
{
        const size_t whole = 19;
        if (text.size < whole + 1 || text.size > whole + 11 || text.data[text.size - 1] != 'Z')
                return 0;
        int64_t seconds = seconds_of(text.data);
        size_t decimals = text.size - whole - 1;
        int fraction = 0;
        if (decimals) {
                fraction =
                    text.data[whole] == '.' ? digits_value(text.data + whole + 1, --decimals) : -1;
                if (!decimals || fraction < 0)
                        return 0;
        }
        for (; decimals < 9; decimals++)
                fraction *= 10;
        return seconds ? seconds * NS_PER_S + fraction : 0;
}

void values_set_time(struct event *event, int64_t time_ns)
{
        event->event_time_ns = time_ns;
        if (!time_is_plausible(time_ns)) {
                event->event_time_ns = event->receive_time_ns;
                event->flags |= EVENT_TIME_REPLACED;
        }
}

/* One more than the digit's value; 0: none. */
static const uint8_t hex_values[256] = {['0'] = 1,
    ['1'] = 2,
    ['2'] = 3,
    ['3'] = 4,
    ['4'] = 5,
    ['5'] = 6,
    ['6'] = 7,
    ['7'] = 8,
    ['8'] = 9,
    ['9'] = 10,
    ['a'] = 11,
    ['b'] = 12,
    ['c'] = 13,
    ['d'] = 14,
    ['e'] = 15,
    ['f'] = 16,
    ['A'] = 11,
    ['B'] = 12,
    ['C'] = 13,
    ['D'] = 14,
    ['E'] = 15,
    ['F'] = 16};

static bool hex_take(const char *text, size_t bytes, uint8_t *ret_bytes)
{
        bool good = true;
        for (size_t i = 0; i < bytes; i++) {
                unsigned high = hex_values[(uint8_t)text[2 * i]];
                unsigned low = hex_values[(uint8_t)text[2 * i + 1]];
                good &= high && low;
                ret_bytes[i] = (uint8_t)(((high - 1) << 4) | ((low - 1) & 15));
        }
        return good;
}

bool values_uuid(struct json_text text, struct order_id *ret_id)
{
        struct order_id id;
        const char *at = text.data;
        if (text.size != 36 || at[8] != '-' || at[13] != '-' || at[18] != '-' || at[23] != '-' ||
            !hex_take(at, 4, id.bytes) || !hex_take(at + 9, 2, id.bytes + 4) ||
            !hex_take(at + 14, 2, id.bytes + 6) || !hex_take(at + 19, 2, id.bytes + 8) ||
            !hex_take(at + 24, 6, id.bytes + 10))
                return false;
        *ret_id = id;
        return true;
}

bool values_hex(struct json_text text, struct order_id *ret_id)
{
        struct order_id id;
        if (text.size != 32 || !hex_take(text.data, sizeof(id.bytes), id.bytes))
                return false;
        *ret_id = id;
        return true;
}

bool values_triple(struct json_value array, struct json_text ret_texts[3])
{
        struct json_cursor cursor;
        struct json_value element;
        if (!json_array_begin(array, &cursor))
                return false;
        for (size_t i = 0; i < 3; i++) {
                if (!json_array_next(&cursor, &element) || !json_string(element, &ret_texts[i]))
                        return false;
        }
        return true;
}

bool values_tell_denial(const char *text)
{
        static const char *const words[] = {
            "authentication", "api key", "signature", "passphrase", "timestamp"};
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                if (strcasestr(text, words[i]))
                        return !strcasestr(text, "product");
        }
        return false;
}

bool values_copy(struct json_text text, char *ret_text, size_t size)
{
        ret_text[0] = '\0';
        if (text.size >= size || memchr(text.data, '\0', text.size))
                return false;
        memcpy(ret_text, text.data, text.size + 1);
        return true;
}
