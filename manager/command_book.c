/* obmanage book, watch: a book as it is, and its best prices as they change. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "manager/cells.h"

/* One side of a book: price, quantity, and of a book of orders the order's id. */
struct side {
        struct json_cursor cursor;
        bool there;
        size_t count;
};

struct rung {
        struct cell price, quantity, order;
};

static void side_begin(const struct row *row, const char *key, struct side *ret_side)
{
        struct json_value value, item;
        *ret_side = (struct side){0};
        struct json_cursor cursor;
        if (!json_member(row->value, key, &value) || !json_array_begin(value, &cursor))
                return;
        ret_side->cursor = cursor;
        ret_side->there = true;
        while (json_array_next(&cursor, &item))
                ret_side->count++;
}

static void take_text(struct json_cursor *cursor, struct cell *ret_cell)
{
        struct json_value item;
        struct json_text text;
        cell_of_text(
            json_array_next(cursor, &item) && json_string(item, &text) ? text.data : "", ret_cell);
}

static bool side_next(struct side *side, struct rung *ret_rung)
{
        struct json_value item;
        struct json_cursor cursor;
        *ret_rung = (struct rung){0};
        if (!side->there || !json_array_next(&side->cursor, &item))
                return false;
        if (!json_array_begin(item, &cursor))
                return true;
        take_text(&cursor, &ret_rung->price);
        take_text(&cursor, &ret_rung->quantity);
        take_text(&cursor, &ret_rung->order);
        return true;
}

static void print_rung(bool orders, const struct rung *bid, const struct rung *ask)
{
        char line[8 * CELL_SIZE];
        int size;
        if (orders)
                size = snprintf(line, sizeof(line), "%36s %18s %18s  | %-18s %-18s %s",
                    bid->order.text, bid->quantity.text, bid->price.text, ask->price.text,
                    ask->quantity.text, ask->order.text);
        else
                size = snprintf(line, sizeof(line), "%22s %22s  | %-22s %s", bid->quantity.text,
                    bid->price.text, ask->price.text, ask->quantity.text);
        while (size > 0 && line[size - 1] == ' ')
                size--;
        printf("%.*s\n", size, line);
}

static void print_ladder(struct side *bids, struct side *asks, bool orders)
{
        static const struct rung levels[] = {
            {{"bid price"}, {"bid quantity"}, {""}}, {{"ask price"}, {"ask quantity"}, {""}}};
        static const struct rung of_orders[] = {{{"bid price"}, {"bid size"}, {"bid order"}},
            {{"ask price"}, {"ask size"}, {"ask order"}}};
        const struct rung *titles = orders ? of_orders : levels;
        struct rung bid, ask;
        print_rung(orders, &titles[0], &titles[1]);
        for (;;) {
                bool has_bid = side_next(bids, &bid), has_ask = side_next(asks, &ask);
                if (!has_bid && !has_ask)
                        break;
                print_rung(orders, &bid, &ask);
        }
}

static void print_book(struct manager *manager, const struct row *row, void *user)
{
        struct cell name, at, status, event, id, epoch, kind;
        struct side bids, asks;
        (void)manager;
        (void)user;
        cell_name(row, NULL, &name);
        cell_time(row, "at", &at);
        cell_text(row, "status", &status);
        cell_time(row, "event_time_ns", &event);
        cell_plain(row, "last_id", &id);
        cell_plain(row, "epoch", &epoch);
        bool orders = !strcmp(row_text(row, "kind", kind.text, sizeof(kind.text)), "l3");
        side_begin(row, "bids", &bids);
        side_begin(row, "asks", &asks);
        printf("%s at %s  status %s  last event %s  id %s  epoch %s  %zu bids, %zu asks\n",
            name.text, at.text, status.text, event.text, id.text, epoch.text, bids.count,
            asks.count);
        print_ladder(&bids, &asks, orders);
}

int command_book(struct manager *manager)
{
        request_begin(manager, "book");
        request_text(manager, "symbol", manager->words[0]);
        if (manager->depth)
                request_number(manager, "depth", manager->depth);
        return manager_ask(manager, WAIT_SOON_MS, print_book, NULL);
}

/* ---- watch ---- */

static volatile bool stop;

static bool watch_is_over(void *user)
{
        (void)user;
        return stop || stdout_is_closed();
}

/* A line a change, in either form: it is for programs. */
int command_watch(struct manager *manager)
{
        catch_signals(&stop);
        manager->json = true;
        manager->idle_cb = watch_is_over;
        request_begin(manager, "watch");
        request_text(manager, "symbol", manager->words[0]);
        return manager_ask(manager, WAIT_LONG_MS, NULL, NULL);
}
