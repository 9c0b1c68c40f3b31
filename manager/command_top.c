/* obmanage top: all books in a table that is renewed each second.
 *
 * On a terminal it fits its size and obeys keys; elsewhere it is a table a second, or with --json
 * the rows of status. It ends when it is told to, or when nobody reads on. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "manager/ranking.h"
#include "manager/terminal.h"

#define PICTURE_LIMIT (16u << 20)

struct top {
        struct manager *manager;
        struct ranking ranking;
        enum ranking_order order;
        struct cell recorder, version;
        int64_t started_ns; /* of the logger, by our monotonic clock */
        struct buffer picture;
        bool on_screen, over;
        bool changed; /* a key or a new size: draw at once */
};

static volatile bool stop;

static void take_key(struct top *top, int key)
{
        enum ranking_order order = top->order;
        if (key == 'q' || key == 'Q' || key < 0)
                top->over = true;
        else if (key == 's')
                top->order = BY_SYMBOL;
        else if (key == 'r')
                top->order = BY_RATE;
        else if (key == 'g')
                top->order = BY_GAPS;
        top->changed = top->changed || order != top->order;
}

/* Keys, signals, and who reads: is it over? */
static bool look_around(void *user)
{
        struct top *top = user;
        int key;
        while (top->on_screen && !top->over && (key = terminal_key()))
                take_key(top, key);
        if (top->on_screen && terminal_is_resized())
                top->changed = true;
        top->over = top->over || stop || stdout_is_closed();
        return top->over;
}

static void take_name(struct manager *manager, const struct row *row, void *user)
{
        struct top *top = user;
        (void)manager;
        cell_text(row, "recorder", &top->recorder);
        cell_text(row, "version", &top->version);
}

static void take_uptime(struct manager *manager, const struct row *row, void *user)
{
        struct top *top = user;
        int64_t uptime_s = 0;
        (void)manager;
        if (json_member_int(row->value, "uptime_s", &uptime_s) && uptime_s >= 0 &&
            uptime_s < INT32_MAX)
                top->started_ns = clock_mono_ns() - uptime_s * NS_PER_S;
}

static int ask_names(struct top *top)
{
        top->started_ns = clock_mono_ns();
        request_begin(top->manager, "ping");
        int code = manager_ask(top->manager, WAIT_SOON_MS, take_name, top);
        if (code || top->over)
                return code;
        request_begin(top->manager, "uptime");
        return manager_ask(top->manager, WAIT_SOON_MS, take_uptime, top);
}

static int ask_status(struct top *top)
{
        ranking_begin(&top->ranking);
        request_begin(top->manager, "status");
        int code = manager_ask(top->manager, WAIT_SOON_MS, ranking_add, &top->ranking);
        ranking_end(&top->ranking, clock_mono_ns());
        return code;
}

/* ---- the picture ---- */

static void print_head(struct top *top, size_t columns)
{
        struct cell up, events, trades;
        char line[512];
        cell_of_uptime((clock_mono_ns() - top->started_ns) / NS_PER_S, &up);
        cell_of_rate(top->ranking.event_tenths, &events);
        cell_of_rate(top->ranking.trade_tenths, &trades);
        int size = snprintf(line, sizeof(line),
            "%s  %zu of %zu live  %s events/s  %s trades/s  up %s  oblogger %s", top->recorder.text,
            top->ranking.live, top->ranking.count, events.text, trades.text, up.text,
            top->version.text);
        while (columns && size > 0 && text_columns(line) > columns)
                line[--size] = '\0';
        buffer_append_text(&top->picture, line);
        buffer_append_byte(&top->picture, '\n');
}

static void draw(struct top *top)
{
        struct terminal_size size = top->on_screen ? terminal_size() : (struct terminal_size){0};
        ranking_sort(&top->ranking, top->order);
        buffer_clear(&top->picture);
        print_head(top, size.columns);
        if (!top->on_screen || size.rows > 1)
                ranking_print(&top->ranking, size.columns, top->on_screen ? size.rows - 1 : 0,
                    top->on_screen, &top->picture);
        if (top->on_screen) {
                terminal_draw(&top->picture);
                return;
        }
        fwrite(top->picture.data, 1, top->picture.size, stdout);
        putchar('\n');
        fflush(stdout);
}

/* Until the next answer is due. */
static void pass_time(struct top *top, int64_t until_ns)
{
        int64_t left_ns;
        while (!look_around(top) && (left_ns = until_ns - clock_mono_ns()) > 0) {
                if (top->changed)
                        draw(top);
                top->changed = false;
                terminal_wait(left_ns > NS_PER_S / 5 ? 200 : (int)(left_ns / NS_PER_MS) + 1);
        }
}

static void show(struct top *top)
{
        int64_t next_ns = clock_mono_ns();
        while (!top->over && !ask_status(top) && !top->over) {
                if (!top->manager->json)
                        draw(top);
                next_ns += NS_PER_S;
                if (next_ns < clock_mono_ns()) /* slower than a second: no hurry after */
                        next_ns = clock_mono_ns() + NS_PER_S;
                pass_time(top, next_ns);
        }
}

int command_top(struct manager *manager)
{
        struct top top = {.manager = manager};
        buffer_init(&top.picture, PICTURE_LIMIT);
        catch_signals(&stop);
        manager->idle_cb = look_around;
        manager->wait_user = &top;
        if (!manager->json && ask_names(&top)) {
                buffer_deinit(&top.picture);
                return EXIT_FAILED;
        }
        top.on_screen = !manager->json && isatty(STDOUT_FILENO);
        if (top.on_screen)
                terminal_enter();
        show(&top);
        terminal_leave();
        manager->stopped = top.over;
        buffer_deinit(&top.picture);
        ranking_deinit(&top.ranking);
        return manager->worst;
}
