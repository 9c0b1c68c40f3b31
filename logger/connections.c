/* The links of a site and the feed: who is connected, what is subscribed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "logger/app.h"

#define ADDRESS_AGE_NS (60 * NS_PER_S) /* look the name up again after this long */

struct live_connection *connection_find(struct app *app, uint32_t number, struct site **ret_site)
{
        for (size_t i = 0; i < app->site_count && number; i++) {
                struct site *site = &app->sites[i];
                for (size_t c = 0; c < SITE_LINKS_MAX * 2; c++) {
                        if (site->connections[c].number != number)
                                continue;
                        *ret_site = site;
                        return &site->connections[c];
                }
        }
        return NULL;
}

int connections_join(struct tracked *tracked, struct error *error)
{
        struct site *site = tracked->site;
        struct app *app = site->app;
        char name[LINK_NAME_SIZE];
        site->venue->stream_name(tracked->kind, tracked->symbol, &site->choice, name, sizeof(name));
        for (size_t i = 0; i <= site->link_count && i < SITE_LINKS_MAX; i++) {
                if (i == site->link_count) {
                        site->links[i] = memory_new(sizeof(struct link));
                        link_init(site->links[i], (uint64_t)app->wall_ns + i,
                            site->venue->silence_ns, site->venue->life_ns, app->mono_ns);
                        link_set_lines(site->links[i],
                            (unsigned)settings_number(app->settings, "CONNECTIONS"));
                        site->link_count++;
                }
                tracked->member = link_add(site->links[i], name, tracked);
                if (tracked->member < 0)
                        continue;
                tracked->link = site->links[i];
                for (int which = 0; which < 2; which++) {
                        uint32_t number = link_open_number(tracked->link, which);
                        if (number)
                                tracked_connection(tracked, INPUT_OPENED, number);
                }
                return 0;
        }
        return error_set(error, ERR_FULL, "all %d connections of %d streams are taken",
            SITE_LINKS_MAX, LINK_MEMBERS_MAX);
}

void connections_leave(struct tracked *tracked)
{
        uint32_t primary = tracked->session.primary, secondary = tracked->session.secondary;
        uint32_t former = tracked->session.former;
        link_remove(tracked->link, tracked->member);
        tracked->link = NULL;
        if (secondary)
                tracked_connection(tracked, INPUT_CLOSED, secondary);
        if (former)
                tracked_connection(tracked, INPUT_CLOSED, former);
        if (primary)
                tracked_connection(tracked, INPUT_CLOSED, primary);
}

void connections_resubscribe(struct tracked *tracked, uint32_t connection)
{
        if (!tracked->link) /* it is leaving */
                return;
        if (connection)
                link_resubscribe_on(tracked->link, tracked->member, connection);
        else
                link_resubscribe(tracked->link, tracked->member);
}

static void app_disconnect(struct app *app, uint32_t connection, const char *why)
{
        app->network->ops->disconnect(app->network, connection, why);
}

static int begin_connection(struct site *site, struct link *link, struct error *error)
{
        struct app *app = site->app;
        char proxy[300], path[1100];
        bool proxied = rest_proxy(site->ws.host, site->ws.tls, proxy, sizeof(proxy));
        snprintf(path, sizeof(path), "%s%s", site->ws.path, site->venue->ws_path);
        struct feed_target target = {.host = site->ws.host,
            .path = path,
            .port = site->ws.port,
            .tls = site->ws.tls,
            .address = site->addresses[site->address_next++ % site->address_count],
            .proxy = proxied ? proxy : NULL};
        size_t place = 0;
        while (place < SITE_LINKS_MAX * 2 && site->connections[place].number)
                place++;
        if (place == SITE_LINKS_MAX * 2)
                return error_set(error, ERR_FULL, "too many connections");
        uint32_t number =
            app->network->ops->connect(app->network, site->venue->name, &target, error);
        if (!number)
                return error->code;
        site->connections[place] = (struct live_connection){number, link, 0, -1};
        link_connecting(link, number, app->mono_ns);
        log_debug("%s: connection %u to %s (%s)", site->venue->name, number, site->ws.host,
            target.address);
        return 0;
}

static void try_connection(struct site *site, struct link *link)
{
        struct error error;
        if (!begin_connection(site, link, &error))
                return;
        log_error("%s: %s: %s", site->venue->name, site->ws.host, error.text);
        link_closed(link, 0, site->app->mono_ns);
}

static void want_connection(struct site *site, struct link *link)
{
        if (site->address_count && site->app->mono_ns - site->resolved_ns < ADDRESS_AGE_NS) {
                try_connection(site, link);
                return;
        }
        for (size_t i = 0; i < SITE_LINKS_MAX; i++) {
                if (site->connect_wanted[i] == link)
                        break;
                if (!site->connect_wanted[i]) {
                        site->connect_wanted[i] = link;
                        break;
                }
        }
        request_resolve(site);
}

void connections_resolved(struct site *site)
{
        for (size_t i = 0; i < SITE_LINKS_MAX; i++) {
                struct link *link = site->connect_wanted[i];
                site->connect_wanted[i] = NULL;
                if (link && site->address_count)
                        try_connection(site, link);
        }
}

/* The frames of a command, one a line. */
static int send_frames(struct site *site, uint32_t connection, char *text)
{
        struct network *network = site->app->network;
        char *line;
        int code = 0;
        while (!code && (line = strsep(&text, "\n")))
                code = network->ops->send(network, connection, line, strlen(line));
        return code;
}

static void send_command(struct site *site, struct link *link, const struct link_action *action)
{
        struct buffer text;
        buffer_init(&text, LIMIT_SETTING_SIZE);
        unsigned frames = site->venue->command(action->kind == LINK_SUBSCRIBE, action->names,
            action->name_count, action->command_id, &site->choice, site->app->wall_ns, &text);
        buffer_append_byte(&text, 0);
        link_sent(link, action->connection, frames);
        if (send_frames(site, action->connection, (char *)text.data))
                app_disconnect(site->app, action->connection, "a command cannot be sent");
        buffer_deinit(&text);
}

static void link_act(struct site *site, struct link *link, const struct link_action *action)
{
        switch (action->kind) {
        case LINK_CONNECT:
                want_connection(site, link);
                break;
        case LINK_DISCONNECT:
                app_disconnect(site->app, action->connection, action->why);
                break;
        case LINK_SUBSCRIBE:
        case LINK_UNSUBSCRIBE:
                send_command(site, link, action);
                break;
        case LINK_OPENED:
                tracked_connection(action->user, INPUT_OPENED, action->connection);
                break;
        case LINK_SUBSCRIBED:
                tracked_connection(action->user, INPUT_SUBSCRIBED, action->connection);
                break;
        case LINK_CLOSED:
                tracked_connection(action->user, INPUT_CLOSED, action->connection);
                break;
        }
}

static void link_drain(struct site *site, struct link *link)
{
        struct link_action action;
        while (link_next(link, site->app->mono_ns, &action))
                link_act(site, link, &action);
}

void connections_tick(struct site *site)
{
        for (size_t i = 0; i < site->link_count; i++)
                link_drain(site, site->links[i]);
}

static void open_cb(uint32_t number, void *user)
{
        struct app *app = user;
        struct site *site;
        struct live_connection *connection = connection_find(app, number, &site);
        if (!connection)
                return;
        app_look_at_clock(app);
        connection->alive_wall_ns = app->wall_ns;
        log_info("%s: connected to %s", site->venue->name, site->ws.host);
        site->connects++;
        link_opened(connection->link, number, app->mono_ns);
        link_drain(site, connection->link);
}

static void message_cb(
    uint32_t number, char *text, size_t size, int64_t receive_time_ns, void *user)
{
        struct app *app = user;
        struct site *site;
        struct live_connection *connection = connection_find(app, number, &site);
        if (!connection)
                return;
        app_look_at_clock(app); /* the timers' time: not from the wall clock, which may step */
        app->wall_ns = receive_time_ns;
        message_received(site, connection->link, number, text, size, receive_time_ns);
        link_drain(site, connection->link);
}

static void refused_cb(uint32_t number, size_t size, const char *reason, void *user)
{
        struct app *app = user;
        struct site *site;
        app->bad_messages++;
        if (!connection_find(app, number, &site))
                return;
        log_warning(
            "%s: a message of %zu bytes was thrown away: %s", site->venue->name, size, reason);
        site->bad_messages++;
        connection_lost(site, number);
}

static void alive_cb(uint32_t number, void *user)
{
        struct app *app = user;
        struct site *site;
        struct live_connection *connection = connection_find(app, number, &site);
        if (!connection)
                return;
        app_look_at_clock(app);
        connection->alive_wall_ns = app->wall_ns;
        link_alive(connection->link, number, app->mono_ns);
}

static void closed_cb(uint32_t number, const char *reason, void *user)
{
        struct app *app = user;
        struct site *site;
        struct live_connection *connection = connection_find(app, number, &site);
        if (!connection)
                return;
        struct link *link = connection->link;
        app_look_at_clock(app);
        log_info("%s: connection to %s ended: %s", site->venue->name, site->ws.host, reason);
        if (connection->alive_wall_ns)
                site->disconnects++;
        else
                site->connect_failures++;
        *connection = (struct live_connection){0};
        link_closed(link, number, app->mono_ns);
        link_drain(site, link);
}

static void tick_cb(void *user)
{
        (void)user; /* the loop's own turn does the work */
}

const struct feed_callbacks connections_callbacks = {.open_cb = open_cb,
    .message_cb = message_cb,
    .refused_cb = refused_cb,
    .alive_cb = alive_cb,
    .closed_cb = closed_cb,
    .tick_cb = tick_cb};
