/* Books of orders: rows as table, json and csv. */
#include <inttypes.h>

#include "base/clock.h"
#include "book/text.h"
#include "recon/cli/cli.h"
#include "recon/cli/out.h"

/* A walk through the orders of one side, over so many prices. */
struct rows {
        const struct recon_book *book;
        enum side side;
        size_t depth, level; /* prices: at most, seen */
        int64_t price;
        struct order_cursor cursor;
        bool ended;
};

static struct rows rows_of(const struct recon_book *book, enum side side, size_t depth)
{
        return (struct rows){.book = book, .side = side, .depth = depth};
}

static const struct order *rows_next(struct rows *rows)
{
        const struct order *order =
            rows->ended ? NULL : book_next_order(&rows->book->book, rows->side, &rows->cursor);
        bool begins = order && (!rows->level || order->price != rows->price);
        rows->ended = !order || (begins && rows->level == rows->depth);
        if (rows->ended)
                return NULL;
        rows->level += begins;
        rows->price = order->price;
        return order;
}

static struct level level_of(const struct order *order)
{
        return (struct level){order->price, order->size};
}

void print_orders(const struct recon_book *book, enum side side, size_t depth)
{
        struct out out = {0};
        struct rows rows = rows_of(book, side, depth);
        const struct order *order;
        const char *before = "[[\"";
        while ((order = rows_next(&rows))) {
                out_text(&out, before);
                out_level(&out, level_of(order), &book->scale, "\",\"");
                out_text(&out, "\",\"");
                out_order_id(&out, &order->id);
                before = "\"],[\"";
        }
        out_text(&out, rows.level ? "\"]]" : "[]");
        out_flush(&out);
}

void print_orders_csv(const struct recon_book *book, enum side side, size_t depth, const char *head)
{
        struct out out = {0};
        struct rows rows = rows_of(book, side, depth);
        const struct order *order;
        while ((order = rows_next(&rows))) {
                out_text(&out, head);
                out_int(&out, (int64_t)rows.level);
                out_text(&out, ",");
                out_level(&out, level_of(order), &book->scale, ",");
                out_text(&out, ",");
                out_order_id(&out, &order->id);
                out_text(&out, "\n");
        }
        out_flush(&out);
}

/* The texts of an order, empty where there is none. */
struct cells {
        char price[DECIMAL_TEXT_SIZE];
        char size[DECIMAL_TEXT_SIZE];
        char id[ORDER_ID_TEXT_SIZE];
};

static struct cells cells_of(const struct order *order, const struct scale *scale)
{
        struct cells cells = {0};
        if (!order)
                return cells;
        decimal_format(order->price, scale->price_digits, scale->fixed, cells.price);
        decimal_format(order->size, scale->quantity_digits, scale->fixed, cells.size);
        order_id_format(&order->id, cells.id);
        return cells;
}

static void print_row(const struct cells *bid, const struct cells *ask)
{
        printf("%36s %18s %18s  | %-18s %-18s %s\n", bid->id, bid->size, bid->price, ask->price,
            ask->size, ask->id);
}

void print_orders_table(const struct recon_book *book, size_t depth)
{
        static const struct cells bid_names = {"bid price", "bid size", "bid order"},
                                  ask_names = {"ask price", "ask size", "ask order"};
        struct rows bids = rows_of(book, SIDE_BID, depth), asks = rows_of(book, SIDE_ASK, depth);
        print_row(&bid_names, &ask_names);
        for (;;) {
                const struct order *bid = rows_next(&bids), *ask = rows_next(&asks);
                if (!bid && !ask)
                        break;
                struct cells bid_cells = cells_of(bid, &book->scale),
                             ask_cells = cells_of(ask, &book->scale);
                print_row(&bid_cells, &ask_cells);
        }
}
