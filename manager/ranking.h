/* What top shows: a row a book, with rates from two answers, in an order.
 *
 * Rows are filled from one answer of status; the one before is kept for the differences. */
#ifndef MANAGER_RANKING_H
#define MANAGER_RANKING_H

#include "manager/cells.h"

enum ranking_order {
        BY_RATE, /* busiest first; equal ones by symbol, as in all orders */
        BY_SYMBOL,
        BY_GAPS,
};

enum ranking_column {
        RANK_SYMBOL,
        RANK_STATE,
        RANK_BID,
        RANK_ASK,
        RANK_SPREAD,
        RANK_EVENTS,
        RANK_TRADES,
        RANK_LAG,
        RANK_GAPS,
        RANK_LEVELS,
        RANK_COLUMNS,
};

struct ranked {
        struct cell cells[RANK_COLUMNS];
        char kind[8];
        int64_t events, trades, gaps;
        int64_t event_tenths, trade_tenths; /* a second, in tenths; -1: not known yet */
        bool live;
};

struct ranking {
        struct ranked *rows, *before;
        size_t count, before_count;
        size_t capacity, before_capacity;
        int64_t time_ns, before_ns;         /* of the answers, monotonic; 0: none */
        int64_t event_tenths, trade_tenths; /* of all; -1: not known yet */
        size_t live;
};

void ranking_deinit(struct ranking *ranking);

/* A new answer: begin, a row_cb for each row (user is the ranking), end with the time it came. */
void ranking_begin(struct ranking *ranking);
void ranking_add(struct manager *manager, const struct row *row, void *user);
void ranking_end(struct ranking *ranking, int64_t mono_ns);

void ranking_sort(struct ranking *ranking, enum ranking_order order);

/* A rate in tenths as 0.4, 12.3 or 1,234. */
void cell_of_rate(int64_t tenths, struct cell *ret_cell);

/* As lines, within so many columns (what does not fit is left out: first levels, last the rate) and
 * so many rows; 0: as many as there are. @reverse: the titles stand out. */
void ranking_print(
    const struct ranking *ranking, size_t columns, size_t rows, bool reverse, struct buffer *lines);

#endif
