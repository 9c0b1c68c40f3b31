#include "venue/link.h"

#include <string.h>

#define BACKOFF_MIN_NS INT64_C(500000000)
#define BACKOFF_MAX_NS INT64_C(30000000000)
#define LASTING_NS INT64_C(60000000000) /* a connection that held this long resets the back-off */

static uint64_t link_random(struct link *link)
{
        uint64_t x = link->random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        link->random = x;
        return x * UINT64_C(0x2545f4914f6cdd1d);
}

void link_init(struct link *link, uint64_t seed, int64_t now_ns)
{
        memset(link, 0, sizeof(*link));
        link->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
        link->connect_ns = now_ns;
        link->next_command = 1;
}

int link_add(struct link *link, const char *name, void *user)
{
        size_t place = 0;
        while (place < link->member_count && link->members[place].user)
                place++;
        if (place == LINK_MEMBERS_MAX)
                return -1;
        if (place == link->member_count)
                link->member_count++;
        link->members[place] = (struct link_member){.user = user, .name = name};
        link->live_count++;
        for (int i = 0; i < 2; i++) {
                link->connections[i].members[place] = MEMBER_UNSENT;
                link->connections[i].complete_ns = 0;
        }
        return (int)place;
}

void link_remove(struct link *link, int member)
{
        struct link_member *place = &link->members[member];
        if (!place->user)
                return;
        place->user = NULL;
        link->live_count--;
        for (int i = 0; i < 2; i++)
                link->connections[i].members[member] = MEMBER_GONE;
}

static struct link_connection *link_find(struct link *link, uint32_t number)
{
        for (int i = 0; i < 2; i++) {
                if (number && link->connections[i].state != CONNECTION_NONE &&
                    link->connections[i].number == number)
                        return &link->connections[i];
        }
        return NULL;
}

static int64_t link_backoff(struct link *link)
{
        int64_t wait = BACKOFF_MIN_NS;
        for (unsigned i = 0; i < link->failures && wait < BACKOFF_MAX_NS; i++)
                wait *= 2;
        if (wait > BACKOFF_MAX_NS)
                wait = BACKOFF_MAX_NS;
        link->failures++;
        return wait / 2 + (int64_t)(link_random(link) % (uint64_t)(wait / 2));
}

/* Where a new connection goes: the place in use if it is free, else the successor's. */
static struct link_connection *link_free_place(struct link *link)
{
        if (link->connections[0].state == CONNECTION_NONE)
                return &link->connections[0];
        return link->connections[1].state == CONNECTION_NONE ? &link->connections[1] : NULL;
}

void link_connecting(struct link *link, uint32_t connection, int64_t now_ns)
{
        struct link_connection *place = link_free_place(link);
        if (!place)
                return;
        *place = (struct link_connection){
            .state = CONNECTION_CONNECTING, .number = connection, .since_ns = now_ns};
        for (size_t i = 0; i < link->member_count; i++)
                link->members[i].bridged = false;
}

static void link_report(struct link *link, const struct link_connection *connection, int report)
{
        link->report = report;
        link->report_connection = (unsigned)(connection - link->connections);
        link->report_number = connection->number;
        link->report_member = 0;
}

void link_opened(struct link *link, uint32_t number, int64_t now_ns)
{
        struct link_connection *connection = link_find(link, number);
        if (!connection)
                return;
        connection->state = CONNECTION_OPEN;
        connection->since_ns = connection->alive_ns = now_ns;
        connection->command_ns = now_ns - LINK_COMMAND_NS;
        connection->life_ns =
            LINK_LIFE_NS - (int64_t)(link_random(link) % (uint64_t)(LINK_LIFE_NS / 46));
        link_report(link, connection, REPORT_OPENED);
}

void link_closed(struct link *link, uint32_t number, int64_t now_ns)
{
        struct link_connection *connection = link_find(link, number);
        if (!number) {
                link->connect_ns = now_ns + link_backoff(link);
                return;
        }
        if (!connection)
                return;
        bool lasted =
            connection->state == CONNECTION_OPEN && now_ns - connection->since_ns >= LASTING_NS;
        bool planned = connection->leaving && link->connections[1].state == CONNECTION_OPEN;
        if (lasted || planned)
                link->failures = 0;
        link_report(link, connection, REPORT_CLOSED);
        connection->state = CONNECTION_NONE;
        if (connection == &link->connections[0]) {
                link->connections[0] = link->connections[1];
                link->connections[1].state = CONNECTION_NONE;
                link->rotate = false;
        }
        link->connect_ns = now_ns + link_backoff(link);
}

void link_alive(struct link *link, uint32_t number, int64_t now_ns)
{
        struct link_connection *connection = link_find(link, number);
        if (connection)
                connection->alive_ns = now_ns;
}

void link_answered(
    struct link *link, uint32_t number, uint32_t command_id, bool refused, int64_t now_ns)
{
        struct link_connection *connection = link_find(link, number);
        if (!connection || !connection->ack_until_ns || connection->pending_id != command_id)
                return;
        connection->ack_until_ns = 0;
        if (refused) {
                connection->leaving = "the exchange refused a command";
                return;
        }
        for (size_t i = 0; i < link->member_count; i++) {
                if (connection->pending_unsubscribe && connection->members[i] == MEMBER_LEFT)
                        connection->members[i] = MEMBER_UNSENT;
                else if (!connection->pending_unsubscribe && connection->members[i] == MEMBER_SENT)
                        connection->members[i] = MEMBER_SUBSCRIBED;
        }
        connection->alive_ns = now_ns;
        link_report(link, connection, REPORT_SUBSCRIBED);
}

void link_shutdown(struct link *link, uint32_t number)
{
        struct link_connection *connection = link_find(link, number);
        if (connection)
                connection->life_ns = 0;
}

void link_resubscribe(struct link *link, int member)
{
        struct link_connection *connection = &link->connections[0];
        if (connection->state == CONNECTION_OPEN &&
            connection->members[member] == MEMBER_SUBSCRIBED)
                connection->members[member] = MEMBER_LEAVING;
}

void link_bridged(struct link *link, int member, uint32_t number)
{
        if (link_find(link, number) == &link->connections[1])
                link->members[member].bridged = true;
}

static bool next_report(struct link *link, struct link_action *action)
{
        static const enum link_action_kind kinds[] = {[REPORT_OPENED] = LINK_OPENED,
            [REPORT_SUBSCRIBED] = LINK_SUBSCRIBED,
            [REPORT_CLOSED] = LINK_CLOSED};
        while (link->report != REPORT_NONE && link->report_member < link->member_count) {
                size_t i = link->report_member++;
                uint8_t state = link->connections[link->report_connection].members[i];
                if (!link->members[i].user ||
                    (link->report == REPORT_SUBSCRIBED && state != MEMBER_SUBSCRIBED))
                        continue;
                action->kind = kinds[link->report];
                action->connection = link->report_number;
                action->user = link->members[i].user;
                return true;
        }
        link->report = REPORT_NONE;
        return false;
}

static bool disconnect(
    struct link_connection *connection, const char *why, struct link_action *action)
{
        connection->leaving = why;
        connection->state = CONNECTION_CONNECTING; /* until its end is reported */
        connection->since_ns = INT64_MAX / 2;
        action->kind = LINK_DISCONNECT;
        action->connection = connection->number;
        action->why = why;
        return true;
}

static bool check_health(struct link *link, struct link_connection *connection, int64_t now_ns,
    struct link_action *action)
{
        if (connection->state == CONNECTION_CONNECTING &&
            now_ns - connection->since_ns >= LINK_OPEN_NS)
                return disconnect(connection, "not open after 20 s", action);
        if (connection->state != CONNECTION_OPEN)
                return false;
        if (connection->leaving)
                return disconnect(connection, connection->leaving, action);
        if (now_ns - connection->alive_ns >= LINK_SILENCE_NS)
                return disconnect(connection, "no frame for 60 s", action);
        if (connection->ack_until_ns && now_ns >= connection->ack_until_ns)
                return disconnect(connection, "a command was not answered within 10 s", action);
        if (connection == &link->connections[0] &&
            now_ns - connection->since_ns >= connection->life_ns)
                link->rotate = true;
        return false;
}

/* As many members in state @from as fit into one command; they go to state @to. */
static bool fill_command(struct link *link, struct link_connection *connection, uint8_t from,
    uint8_t to, struct link_action *action)
{
        size_t size = 0;
        action->name_count = 0;
        for (size_t i = 0; i < link->member_count && action->name_count < LINK_BATCH_MAX; i++) {
                if (!link->members[i].user || connection->members[i] != from)
                        continue;
                size += strlen(link->members[i].name) + 3;
                if (size > LINK_BATCH_SIZE)
                        break;
                action->names[action->name_count++] = link->members[i].name;
                connection->members[i] = to;
        }
        return action->name_count > 0;
}

static bool next_command(struct link *link, struct link_connection *connection, int64_t now_ns,
    struct link_action *action)
{
        if (connection->state != CONNECTION_OPEN || connection->ack_until_ns ||
            now_ns - connection->command_ns < LINK_COMMAND_NS)
                return false;
        if (fill_command(link, connection, MEMBER_LEAVING, MEMBER_LEFT, action)) {
                action->kind = LINK_UNSUBSCRIBE;
        } else if (fill_command(link, connection, MEMBER_UNSENT, MEMBER_SENT, action)) {
                action->kind = LINK_SUBSCRIBE;
        } else {
                if (!connection->complete_ns)
                        connection->complete_ns = now_ns;
                return false;
        }
        connection->pending_unsubscribe = action->kind == LINK_UNSUBSCRIBE;
        action->connection = connection->number;
        action->command_id = connection->pending_id = link->next_command++;
        connection->command_ns = now_ns;
        connection->ack_until_ns = now_ns + LINK_ACK_NS;
        return true;
}

static bool all_bridged(const struct link *link)
{
        for (size_t i = 0; i < link->member_count; i++) {
                if (link->members[i].user && !link->members[i].bridged)
                        return false;
        }
        return true;
}

/* Let the old connection go once the new one carries all. */
static bool next_handover(struct link *link, int64_t now_ns, struct link_action *action)
{
        struct link_connection *old = &link->connections[0], *new = &link->connections[1];
        if (old->state != CONNECTION_OPEN || new->state != CONNECTION_OPEN || !new->complete_ns)
                return false;
        if (!all_bridged(link) && now_ns - new->complete_ns < LINK_OVERLAP_NS)
                return false;
        return disconnect(old, "replaced", action);
}

static bool wants_connection(const struct link *link, int64_t now_ns)
{
        if (!link->live_count || now_ns < link->connect_ns)
                return false;
        if (link->connections[0].state == CONNECTION_NONE)
                return true;
        return link->rotate && link->connections[1].state == CONNECTION_NONE;
}

bool link_next(struct link *link, int64_t now_ns, struct link_action *action)
{
        if (next_report(link, action))
                return true;
        for (int i = 0; i < 2; i++) {
                struct link_connection *connection = &link->connections[i];
                if (check_health(link, connection, now_ns, action) ||
                    next_command(link, connection, now_ns, action))
                        return true;
        }
        if (next_handover(link, now_ns, action))
                return true;
        if (!wants_connection(link, now_ns))
                return false;
        link->connect_ns = now_ns + BACKOFF_MIN_NS;
        action->kind = LINK_CONNECT;
        return true;
}

bool link_is_complete(const struct link *link)
{
        return link->connections[0].state == CONNECTION_OPEN && link->connections[0].complete_ns;
}

uint32_t link_open_number(const struct link *link, int which)
{
        const struct link_connection *connection = &link->connections[which];
        return connection->state == CONNECTION_OPEN ? connection->number : 0;
}
