#include "manager/cells.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/error.h"

/* ---- texts ---- */

void text_make_harmless(char *text)
{
        text_make_printable(text);
        for (char *at = text; (at = strchr(at, '\xc2')); at++) {
                if ((unsigned char)at[1] >= 0x80 && (unsigned char)at[1] < 0xa0)
                        at[0] = at[1] = '?';
        }
}

/* Bytes of the character that begins with @byte. */
static size_t character_size(unsigned char byte)
{
        return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/* Names beyond Latin, Greek and Cyrillic are mostly Chinese: two columns a character. */
size_t text_columns(const char *text)
{
        size_t columns = 0;
        for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
                if ((*at & 0xc0) != 0x80)
                        columns += character_size(*at) > 2 ? 2 : 1;
        }
        return columns;
}

/* At most @size - 1 bytes of @text, whole characters. */
static void copy_cut(char *ret_text, size_t size, const char *text, size_t text_size)
{
        size_t kept = 0;
        while (kept < text_size) {
                size_t next = character_size((unsigned char)text[kept]);
                if (kept + next > text_size || kept + next >= size)
                        break;
                kept += next;
        }
        memcpy(ret_text, text, kept);
        ret_text[kept] = '\0';
        text_make_harmless(ret_text);
}

const char *row_text(const struct row *row, const char *key, char *ret_text, size_t size)
{
        struct json_text text;
        *ret_text = '\0';
        if (json_member_string(row->value, key, &text))
                copy_cut(ret_text, size, text.data, text.size);
        return ret_text;
}

/* ---- cells of values ---- */

void cell_of_text(const char *text, struct cell *ret_cell)
{
        copy_cut(ret_cell->text, sizeof(ret_cell->text), text, strlen(text));
}

static void cell_of_nothing(struct cell *ret_cell)
{
        cell_of_text("-", ret_cell);
}

void cell_of_number(int64_t number, struct cell *ret_cell)
{
        char digits[32];
        int size = snprintf(digits, sizeof(digits), "%" PRId64, number);
        char *at = ret_cell->text;
        for (int i = 0; i < size; i++) {
                bool begins_group = (size - i) % 3 == 0 && i > 0 && digits[i - 1] != '-';
                if (begins_group)
                        *at++ = ',';
                *at++ = digits[i];
        }
        *at = '\0';
}

void cell_of_length(int64_t length_ns, struct cell *ret_cell)
{
        static const struct {
                int64_t below, unit;
                const char *name;
        } steps[] = {
            {NS_PER_MS, NS_PER_US, "us"},
            {NS_PER_S, NS_PER_MS, "ms"},
            {120 * NS_PER_S, NS_PER_S, "s"},
            {7200 * NS_PER_S, 60 * NS_PER_S, "min"},
            {2 * NS_PER_DAY, 3600 * NS_PER_S, "h"},
            {INT64_MAX, NS_PER_DAY, "d"},
        };
        size_t i = 0;
        if (length_ns < 0) /* a clock was set back */
                length_ns = 0;
        while (i + 1 < COUNT(steps) && length_ns >= steps[i].below)
                i++;
        int64_t whole = length_ns / steps[i].unit;
        int64_t tenth = length_ns % steps[i].unit / (steps[i].unit / 10);
        if (whole < 10 && i > 1)
                snprintf(ret_cell->text, sizeof(ret_cell->text), "%" PRId64 ".%" PRId64 " %s",
                    whole, tenth, steps[i].name);
        else
                snprintf(
                    ret_cell->text, sizeof(ret_cell->text), "%" PRId64 " %s", whole, steps[i].name);
}

void cell_of_uptime(int64_t length_s, struct cell *ret_cell)
{
        char days[32] = "";
        if (length_s < 0)
                length_s = 0;
        if (length_s >= 86400)
                snprintf(days, sizeof(days), "%" PRId64 " d ", length_s / 86400);
        snprintf(ret_cell->text, sizeof(ret_cell->text), "%s%02d:%02d:%02d", days,
            (int)(length_s / 3600 % 24), (int)(length_s / 60 % 60), (int)(length_s % 60));
}

/* ---- cells of members ---- */

void cell_name(const struct row *row, const char *key, struct cell *ret_cell)
{
        struct json_text exchange = {"", 0}, symbol = {"", 0};
        char text[2 * CELL_SIZE];
        (void)key;
        json_member_string(row->value, "exchange", &exchange);
        if (!json_member_string(row->value, "symbol", &symbol))
                json_member_string(row->value, "pattern", &symbol);
        int size = snprintf(
            text, sizeof(text), "%.90s%s%.90s", exchange.data, symbol.size ? ":" : "", symbol.data);
        copy_cut(ret_cell->text, sizeof(ret_cell->text), text, (size_t)size);
}

void cell_text(const struct row *row, const char *key, struct cell *ret_cell)
{
        row_text(row, key, ret_cell->text, sizeof(ret_cell->text));
        if (!*ret_cell->text)
                cell_of_nothing(ret_cell);
}

void cell_number(const struct row *row, const char *key, struct cell *ret_cell)
{
        int64_t number;
        if (json_member_int(row->value, key, &number))
                cell_of_number(number, ret_cell);
        else
                cell_of_nothing(ret_cell);
}

void cell_plain(const struct row *row, const char *key, struct cell *ret_cell)
{
        int64_t number;
        if (json_member_int(row->value, key, &number))
                snprintf(ret_cell->text, sizeof(ret_cell->text), "%" PRId64, number);
        else
                cell_of_nothing(ret_cell);
}

/* Both texts of a member like ["61837.63","1.5"]. */
static bool row_pair(
    const struct row *row, const char *key, struct json_text *ret_price, struct json_text *ret_size)
{
        struct json_value value;
        struct json_cursor cursor;
        struct json_value item;
        return json_member(row->value, key, &value) && json_array_begin(value, &cursor) &&
            json_array_next(&cursor, &item) && json_string(item, ret_price) &&
            json_array_next(&cursor, &item) && json_string(item, ret_size);
}

void cell_price(const struct row *row, const char *key, struct cell *ret_cell)
{
        struct json_text price, size;
        if (row_pair(row, key, &price, &size))
                copy_cut(ret_cell->text, sizeof(ret_cell->text), price.data, price.size);
        else
                cell_of_nothing(ret_cell);
}

void cell_pair(const struct row *row, const char *key, struct cell *ret_cell)
{
        struct json_text price, size;
        char text[CELL_SIZE];
        if (!row_pair(row, key, &price, &size)) {
                cell_of_nothing(ret_cell);
                return;
        }
        snprintf(text, sizeof(text), "%.40s, quantity %.40s", price.data, size.data);
        cell_of_text(text, ret_cell);
}

void cell_levels(const struct row *row, const char *key, struct cell *ret_cell)
{
        struct json_value value, item;
        struct json_cursor cursor;
        int64_t bids, asks;
        struct cell bid_cell, ask_cell;
        if (!json_member(row->value, key, &value) || !json_array_begin(value, &cursor) ||
            !json_array_next(&cursor, &item) || !json_int(item, &bids) ||
            !json_array_next(&cursor, &item) || !json_int(item, &asks)) {
                cell_of_nothing(ret_cell);
                return;
        }
        cell_of_number(bids, &bid_cell);
        cell_of_number(asks, &ask_cell);
        snprintf(
            ret_cell->text, sizeof(ret_cell->text), "%.32s / %.32s", bid_cell.text, ask_cell.text);
}

void cell_length(const struct row *row, const char *key, struct cell *ret_cell)
{
        int64_t length_ns;
        if (json_member_int(row->value, key, &length_ns))
                cell_of_length(length_ns, ret_cell);
        else
                cell_of_nothing(ret_cell);
}

void cell_time(const struct row *row, const char *key, struct cell *ret_cell)
{
        char text[TIME_TEXT_SIZE];
        int64_t time_ns;
        if (json_member_int(row->value, key, &time_ns))
                cell_of_text(time_format(time_ns, text), ret_cell);
        else
                cell_of_nothing(ret_cell);
}

/* A number with decimals, as it was written. The row is checked JSON, where a quote inside a text
 * has a backslash before it: "key": can only be the key. */
void cell_seconds(const struct row *row, const char *key, struct cell *ret_cell)
{
        char name[40];
        size_t size = (size_t)snprintf(name, sizeof(name), "\"%s\":", key);
        const char *at = memmem(row->text, row->size, name, size);
        size_t digits = 0;
        if (at && at > row->text && at[-1] != '\\') {
                at += size + strspn(at + size, " ");
                digits = strspn(at, "0123456789.eE+-");
        }
        if (digits && digits < CELL_SIZE - 4)
                snprintf(ret_cell->text, sizeof(ret_cell->text), "%.*s s", (int)digits, at);
        else
                cell_of_nothing(ret_cell);
}

/* ---- tables ---- */

static void print_padded(const char *text, int width, bool last)
{
        int wanted = width < 0 ? -width : width, taken = (int)text_columns(text);
        int blanks = taken < wanted ? wanted - taken : 0;
        if (width < 0)
                printf("%s%*s", text, last ? 0 : blanks, "");
        else
                printf("%*s%s", blanks, "", text);
        fputs(last ? "\n" : "  ", stdout);
}

void table_begin(const struct column *columns, size_t count)
{
        for (size_t i = 0; i < count; i++)
                print_padded(columns[i].title, columns[i].width, i + 1 == count);
}

void table_row(const struct column *columns, size_t count, const struct row *row)
{
        struct cell cell;
        for (size_t i = 0; i < count; i++) {
                columns[i].cell(row, columns[i].key, &cell);
                print_padded(cell.text, columns[i].width, i + 1 == count);
        }
}

void table_details(const struct column *columns, size_t count, const struct row *row)
{
        struct cell cell;
        for (size_t i = 0; i < count; i++) {
                columns[i].cell(row, columns[i].key, &cell);
                print_padded(columns[i].title, -18, false);
                print_padded(cell.text, -1, true);
        }
}
