#include "manager/ranking.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void ranking_deinit(struct ranking *ranking)
{
        free(ranking->rows);
        free(ranking->before);
        *ranking = (struct ranking){0};
}

/* ---- from status ---- */

void ranking_begin(struct ranking *ranking)
{
        struct ranking last = *ranking;
        ranking->rows = last.before;
        ranking->capacity = last.before_capacity;
        ranking->count = 0;
        ranking->before = last.rows;
        ranking->before_capacity = last.capacity;
        ranking->before_count = last.count;
        ranking->before_ns = last.time_ns;
}

static int64_t count_of(const struct row *row, const char *key)
{
        int64_t count;
        return json_member_int(row->value, key, &count) && count > 0 ? count : 0;
}

void ranking_add(struct manager *manager, const struct row *row, void *user)
{
        struct ranking *ranking = user;
        (void)manager;
        if (ranking->count == ranking->capacity) {
                ranking->capacity = ranking->capacity ? 2 * ranking->capacity : 64;
                ranking->rows =
                    memory_resize(ranking->rows, ranking->capacity * sizeof(struct ranked));
        }
        struct ranked *ranked = &ranking->rows[ranking->count++];
        *ranked = (struct ranked){.event_tenths = -1, .trade_tenths = -1};
        ranked->events = count_of(row, "events");
        ranked->trades = count_of(row, "trades");
        ranked->gaps = count_of(row, "gaps");
        row_text(row, "kind", ranked->kind, sizeof(ranked->kind));
        cell_name(row, NULL, &ranked->cells[RANK_SYMBOL]);
        cell_text(row, "state", &ranked->cells[RANK_STATE]);
        cell_price(row, "bid", &ranked->cells[RANK_BID]);
        cell_price(row, "ask", &ranked->cells[RANK_ASK]);
        cell_text(row, "spread", &ranked->cells[RANK_SPREAD]);
        cell_length(row, "lag_ns", &ranked->cells[RANK_LAG]);
        cell_number(row, "gaps", &ranked->cells[RANK_GAPS]);
        cell_levels(row, "levels", &ranked->cells[RANK_LEVELS]);
        ranked->live = !strcmp(ranked->cells[RANK_STATE].text, "live");
}

static int compare_names(const void *a, const void *b)
{
        const struct ranked *left = a, *right = b;
        int order = strcmp(left->cells[RANK_SYMBOL].text, right->cells[RANK_SYMBOL].text);
        return order ? order : strcmp(left->kind, right->kind);
}

/* Counts that fell are those of another recording: no rate. */
static int64_t rate_tenths(int64_t count, int64_t before, int64_t length_ns)
{
        int64_t scaled;
        if (count < before || length_ns < NS_PER_MS ||
            __builtin_mul_overflow(count - before, 10000, &scaled))
                return -1;
        return scaled / (length_ns / NS_PER_MS);
}

static void rank(struct ranking *ranking, struct ranked *ranked, const struct ranked *before)
{
        int64_t length_ns = ranking->time_ns - ranking->before_ns;
        if (before) {
                ranked->event_tenths = rate_tenths(ranked->events, before->events, length_ns);
                ranked->trade_tenths = rate_tenths(ranked->trades, before->trades, length_ns);
        }
        ranking->live += ranked->live;
        if (ranked->event_tenths > 0)
                ranking->event_tenths += ranked->event_tenths;
        if (ranked->trade_tenths > 0)
                ranking->trade_tenths += ranked->trade_tenths;
        cell_of_rate(ranked->event_tenths, &ranked->cells[RANK_EVENTS]);
        cell_of_rate(ranked->trade_tenths, &ranked->cells[RANK_TRADES]);
}

void ranking_end(struct ranking *ranking, int64_t mono_ns)
{
        bool first = !ranking->before_ns;
        ranking->time_ns = mono_ns;
        ranking->live = 0;
        ranking->event_tenths = ranking->trade_tenths = 0;
        if (ranking->before_count)
                qsort(ranking->before, ranking->before_count, sizeof(struct ranked), compare_names);
        for (size_t i = 0; i < ranking->count; i++) {
                const struct ranked *before = NULL;
                if (ranking->before_count)
                        before = bsearch(&ranking->rows[i], ranking->before, ranking->before_count,
                            sizeof(struct ranked), compare_names);
                rank(ranking, &ranking->rows[i], before);
        }
        if (first)
                ranking->event_tenths = ranking->trade_tenths = -1;
}

/* ---- the order ---- */

/* Larger first. */
static int compare_numbers(int64_t left, int64_t right)
{
        return (left < right) - (left > right);
}

static int compare_rates(const void *a, const void *b)
{
        const struct ranked *left = a, *right = b;
        int order = compare_numbers(left->event_tenths, right->event_tenths);
        if (!order)
                order = compare_numbers(left->trade_tenths, right->trade_tenths);
        return order ? order : compare_names(a, b);
}

static int compare_gaps(const void *a, const void *b)
{
        const struct ranked *left = a, *right = b;
        int order = compare_numbers(left->gaps, right->gaps);
        return order ? order : compare_names(a, b);
}

void ranking_sort(struct ranking *ranking, enum ranking_order order)
{
        static int (*const compares[])(const void *, const void *) = {
            [BY_RATE] = compare_rates, [BY_SYMBOL] = compare_names, [BY_GAPS] = compare_gaps};
        if (ranking->count)
                qsort(ranking->rows, ranking->count, sizeof(struct ranked), compares[order]);
}

/* ---- as a table ---- */

static const struct {
        const char *title;
        bool left;
        unsigned char rank; /* the lowest is left out last */
} columns_of[RANK_COLUMNS] = {
    [RANK_SYMBOL] = {"symbol", true, 0},
    [RANK_STATE] = {"state", true, 2},
    [RANK_BID] = {"bid", false, 3},
    [RANK_ASK] = {"ask", false, 4},
    [RANK_SPREAD] = {"spread", false, 8},
    [RANK_EVENTS] = {"events/s", false, 1},
    [RANK_TRADES] = {"trades/s", false, 7},
    [RANK_LAG] = {"lag", false, 5},
    [RANK_GAPS] = {"gaps", false, 6},
    [RANK_LEVELS] = {"levels", false, 9},
};

struct layout {
        size_t widths[RANK_COLUMNS]; /* 0: left out */
};

void cell_of_rate(int64_t tenths, struct cell *ret_cell)
{
        if (tenths < 0)
                cell_of_text("-", ret_cell);
        else if (tenths < 1000)
                snprintf(ret_cell->text, sizeof(ret_cell->text), "%" PRId64 ".%d", tenths / 10,
                    (int)(tenths % 10));
        else
                cell_of_number(tenths / 10, ret_cell);
}

static size_t width_of(const struct ranking *ranking, size_t column)
{
        size_t width = strlen(columns_of[column].title);
        for (size_t i = 0; i < ranking->count; i++) {
                size_t taken = text_columns(ranking->rows[i].cells[column].text);
                width = taken > width ? taken : width;
        }
        return width;
}

/* By their rank, while there is room. */
static struct layout lay_out(const struct ranking *ranking, size_t columns)
{
        struct layout layout = {0};
        size_t taken = 0;
        for (unsigned wanted = 0; wanted < RANK_COLUMNS; wanted++) {
                size_t i = 0;
                while (columns_of[i].rank != wanted)
                        i++;
                size_t width = width_of(ranking, i);
                taken += width + (wanted ? 2 : 0);
                if (columns && taken > columns && wanted)
                        break;
                layout.widths[i] = width;
        }
        return layout;
}

static void print_cell(
    struct buffer *lines, size_t column, size_t width, const char *text, bool first)
{
        size_t taken = text_columns(text);
        int blanks = taken < width ? (int)(width - taken) : 0;
        if (!first)
                buffer_append_text(lines, "  ");
        if (columns_of[column].left)
                buffer_printf(lines, "%s%*s", text, blanks, "");
        else
                buffer_printf(lines, "%*s%s", blanks, "", text);
}

static void print_row(
    const struct layout *layout, const struct ranked *ranked, struct buffer *lines)
{
        for (size_t i = 0; i < RANK_COLUMNS; i++) {
                const char *text = ranked ? ranked->cells[i].text : columns_of[i].title;
                if (layout->widths[i])
                        print_cell(lines, i, layout->widths[i], text, i == 0);
        }
}

void ranking_print(
    const struct ranking *ranking, size_t columns, size_t rows, bool reverse, struct buffer *lines)
{
        struct layout layout = lay_out(ranking, columns);
        size_t shown = ranking->count;
        if (rows && shown + 1 > rows) /* titles, rows, and a line that says what is left out */
                shown = rows > 2 ? rows - 2 : 0;
        buffer_append_text(lines, reverse ? "\033[7m" : "");
        print_row(&layout, NULL, lines);
        buffer_append_text(lines, reverse ? "\033[0m\n" : "\n");
        for (size_t i = 0; i < shown; i++) {
                bool stands_out = reverse && !ranking->rows[i].live;
                buffer_append_text(lines, stands_out ? "\033[1m" : "");
                print_row(&layout, &ranking->rows[i], lines);
                buffer_append_text(lines, stands_out ? "\033[0m\n" : "\n");
        }
        if (shown < ranking->count && (!rows || rows > 1))
                buffer_printf(lines, "%zu more\n", ranking->count - shown);
}
