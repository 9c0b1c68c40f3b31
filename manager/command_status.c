/* obmanage status, gaps, snapshot, reconnect: how the recording is. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "manager/cells.h"

static const struct column columns[] = {
    {"symbol", NULL, cell_name, -24},
    {"kind", "kind", cell_text, -4},
    {"state", "state", cell_text, -11},
    {"bid", "bid", cell_price, 16},
    {"ask", "ask", cell_price, 16},
    {"spread", "spread", cell_text, 12},
    {"levels", "levels", cell_levels, 17},
    {"events", "events", cell_number, 13},
    {"trades", "trades", cell_number, 11},
    {"gaps", "gaps", cell_number, 5},
    {"lag", "lag_ns", cell_length, 7},
};

static const struct column details[] = {
    {"symbol", NULL, cell_name, 0},
    {"kind", "kind", cell_text, 0},
    {"state", "state", cell_text, 0},
    {"live since", "live_since_ns", cell_time, 0},
    {"feed", "feed", cell_text, 0},
    {"status", "status", cell_text, 0},
    {"bid", "bid", cell_pair, 0},
    {"ask", "ask", cell_pair, 0},
    {"spread", "spread", cell_text, 0},
    {"levels", "levels", cell_levels, 0},
    {"events", "events", cell_number, 0},
    {"trades", "trades", cell_number, 0},
    {"gaps", "gaps", cell_number, 0},
    {"resyncs", "resyncs", cell_number, 0},
    {"corrections", "corrections", cell_number, 0},
    {"last id", "last_id", cell_plain, 0},
    {"last event", "last_event_time_ns", cell_time, 0},
    {"received", "last_receive_time_ns", cell_time, 0},
    {"lag", "lag_ns", cell_length, 0},
};

static void print_row(struct manager *manager, const struct row *row, void *user)
{
        bool *begun = user;
        (void)manager;
        if (!*begun)
                table_begin(columns, COUNT(columns));
        *begun = true;
        table_row(columns, COUNT(columns), row);
}

static void print_details(struct manager *manager, const struct row *row, void *user)
{
        char note[512];
        bool *begun = user;
        (void)manager;
        if (*begun)
                putchar('\n');
        *begun = true;
        table_details(details, COUNT(details), row);
        if (*row_text(row, "note", note, sizeof(note)))
                printf("%-18s  %s\n", "note", note);
}

int command_status(struct manager *manager)
{
        bool begun = false;
        request_begin(manager, "status");
        if (manager->word_count)
                request_text(manager, "symbol", manager->words[0]);
        return manager_ask(
            manager, WAIT_SOON_MS, manager->word_count ? print_details : print_row, &begun);
}

/* ---- gaps ---- */

static void cell_gap_length(const struct row *row, const char *key, struct cell *ret_cell)
{
        int64_t from_ns, to_ns;
        (void)key;
        if (!json_member_int(row->value, "from_time_ns", &from_ns))
                cell_of_text("-", ret_cell);
        else if (!json_member_int(row->value, "to_time_ns", &to_ns))
                cell_of_text("open", ret_cell);
        else if (__builtin_sub_overflow(to_ns, from_ns, &to_ns))
                cell_of_text("-", ret_cell);
        else
                cell_of_length(to_ns, ret_cell);
}

static const struct column gap_columns[] = {
    {"symbol", NULL, cell_name, -24},
    {"kind", "kind", cell_text, -6},
    {"cause", "cause", cell_text, -12},
    {"from", "from_time_ns", cell_time, -28},
    {"length", NULL, cell_gap_length, 7},
    {"from id", "from_id", cell_plain, 14},
    {"to id", "to_id", cell_plain, 14},
    {"detail", "detail", cell_text, -6},
};

static void print_gap(struct manager *manager, const struct row *row, void *user)
{
        bool *begun = user;
        (void)manager;
        if (!*begun)
                table_begin(gap_columns, COUNT(gap_columns));
        *begun = true;
        table_row(gap_columns, COUNT(gap_columns), row);
}

int command_gaps(struct manager *manager)
{
        bool begun = false;
        request_begin(manager, "gaps");
        if (manager->word_count)
                request_text(manager, "symbol", manager->words[0]);
        int code = manager_ask(manager, WAIT_SOON_MS, print_gap, &begun);
        if (!code && !begun && !manager->json)
                fprintf(stderr, "no gaps since the logger's start\n");
        return code;
}

/* ---- at the exchange ---- */

static void print_compared(struct manager *manager, const struct row *row, void *user)
{
        struct cell name, state, corrections, seconds;
        char error[512];
        (void)manager;
        (void)user;
        cell_name(row, NULL, &name);
        cell_text(row, "state", &state);
        cell_number(row, "corrections", &corrections);
        cell_seconds(row, "seconds", &seconds);
        if (*row_text(row, "error", error, sizeof(error)))
                printf("%-24s  %-8s  %s\n", name.text, state.text, error);
        else
                printf("%-24s  %-8s  compared after %s, %s corrections since the start\n",
                    name.text, state.text, seconds.text, corrections.text);
}

int command_snapshot(struct manager *manager)
{
        request_begin(manager, "snapshot");
        request_text(manager, "symbol", manager->words[0]);
        return manager_ask(manager, WAIT_LONG_MS, print_compared, NULL);
}

static void print_reconnected(struct manager *manager, const struct row *row, void *user)
{
        struct cell name, connections;
        (void)manager;
        (void)user;
        cell_name(row, NULL, &name);
        cell_number(row, "connections", &connections);
        printf("%-24s  connections being replaced: %s\n", name.text, connections.text);
}

int command_reconnect(struct manager *manager)
{
        request_begin(manager, "reconnect");
        if (manager->word_count)
                request_text(manager, "exchange", manager->words[0]);
        return manager_ask(manager, WAIT_LONG_MS, print_reconnected, NULL);
}
