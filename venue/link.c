#include "venue/link.h"

#include <stdio.h>
#include <string.h>

#include "base/backoff.h"

#define RETRY_MAX_NS INT64_C(30000000000)
#define REFUSED_MAX_NS INT64_C(120000000000) /* what was refused will be refused again */
#define NAME_WAIT_NS INT64_C(10000000000)    /* a name that was refused alone: 10 s to 11 min */
#define NAME_DOUBLINGS 6
#define STRAY_WAIT_NS INT64_C(2000000000) /* for the other answers to a refused command */
#define COMMAND_WAIT_MAX_NS INT64_C(60000000000)
#define LATE_NS INT64_C(5000000000)
#define LASTING_NS INT64_C(60000000000) /* a connection that held this long resets the back-off */

void link_init(
    struct link *link, uint64_t seed, int64_t silence_ns, int64_t life_ns, int64_t now_ns)
{
        memset(link, 0, sizeof(*link));
        link->random = backoff_seed(seed);
        link->silence_ns = silence_ns;
        link->life_ns = life_ns;
        snprintf(link->silent, sizeof(link->silent), "no frame for %d s",
            (int)(silence_ns / 1000000000));
        link->connect_ns = now_ns;
        link->next_command = 1;
        link->batch = LINK_BATCH_MAX;
        link->lines = 1;
}

void link_set_lines(struct link *link, unsigned lines)
{
        link->lines = lines;
}

/* ---- members ---- */

/* Is its stream subscribed on an open connection, or will it be? */
static bool is_sent(const struct link *link, size_t member)
{
        for (int i = 0; i < 2; i++) {
                const struct link_connection *connection = &link->connections[i];
                uint8_t state = connection->members[member];
                if (connection->state == CONNECTION_OPEN && state != MEMBER_UNSENT)
                        return true;
        }
        return false;
}

int link_add(struct link *link, const char *name, void *user)
{
        size_t place = 0;
        while (place < link->member_count && (link->members[place].user || is_sent(link, place)))
                place++;
        if (place == LINK_MEMBERS_MAX || strlen(name) >= LINK_NAME_SIZE)
                return -1;
        if (place == link->member_count)
                link->member_count++;
        struct link_member *member = &link->members[place];
        *member = (struct link_member){.user = user};
        snprintf(member->name, sizeof(member->name), "%s", name);
        link->live_count++;
        for (int i = 0; i < 2; i++) {
                link->connections[i].members[place] = MEMBER_UNSENT;
                link->connections[i].complete_ns = 0;
        }
        return (int)place;
}

static bool same_name(const struct link *link, size_t a, size_t b)
{
        return strcmp(link->members[a].name, link->members[b].name) == 0;
}

static bool is_shared(const struct link *link, size_t member)
{
        for (size_t i = 0; i < link->member_count; i++) {
                if (i != member && link->members[i].user && same_name(link, i, member))
                        return true;
        }
        return false;
}

/* Its user is gone: what its stream's state becomes. What waits for an answer waits on. */
static uint8_t state_without_user(const struct link *link, size_t member, uint8_t state)
{
        if (is_shared(link, member))
                return MEMBER_UNSENT;
        return state == MEMBER_SUBSCRIBED ? MEMBER_LEAVING : state;
}

void link_remove(struct link *link, int member)
{
        struct link_member *place = &link->members[member];
        if (!place->user)
                return;
        place->user = NULL;
        link->live_count--;
        for (int i = 0; i < 2; i++) {
                uint8_t *state = &link->connections[i].members[member];
                *state = link->connections[i].state == CONNECTION_OPEN
                    ? state_without_user(link, (size_t)member, *state)
                    : MEMBER_UNSENT;
        }
}

/* ---- connections ---- */

static struct link_connection *link_find(struct link *link, uint32_t number)
{
        for (int i = 0; i < 2; i++) {
                if (number && link->connections[i].state != CONNECTION_NONE &&
                    link->connections[i].number == number)
                        return &link->connections[i];
        }
        return NULL;
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

static struct link_connection *beside(struct link *link, const struct link_connection *connection)
{
        return &link->connections[connection == &link->connections[0]];
}

/* Two lines must not reach their ends together: the older one goes half a life before the newer. */
static void stagger_lives(struct link *link, const struct link_connection *newer, int64_t now_ns)
{
        struct link_connection *older = beside(link, newer);
        if (link->lines < 2 || !link->life_ns || older->state != CONNECTION_OPEN)
                return;
        int64_t most = now_ns - older->since_ns + link->life_ns / 2;
        if (older->life_ns > most)
                older->life_ns = most;
}

void link_opened(struct link *link, uint32_t number, int64_t now_ns)
{
        struct link_connection *connection = link_find(link, number);
        if (!connection)
                return;
        connection->state = CONNECTION_OPEN;
        connection->since_ns = connection->alive_ns = now_ns;
        connection->command_ns = now_ns - LINK_COMMAND_NS;
        connection->life_ns = link->life_ns ? link->life_ns -
                (int64_t)(backoff_random(&link->random) % (uint64_t)(link->life_ns / 46 + 1))
                                            : INT64_MAX;
        stagger_lives(link, connection, now_ns);
        link_report(link, connection, REPORT_OPENED);
}

static void plan_connect(struct link *link, int64_t most_ns, int64_t now_ns)
{
        link->connect_ns = now_ns + backoff_next(&link->failures, most_ns, &link->random);
}

/* It did what it was for: the next one may come soon. */
static bool has_served(
    const struct link *link, const struct link_connection *connection, int64_t now_ns)
{
        if (connection->refused)
                return false;
        if (connection->leaving)
                return link->connections[1].state == CONNECTION_OPEN;
        return connection->state == CONNECTION_OPEN && now_ns - connection->since_ns >= LASTING_NS;
}

void link_closed(struct link *link, uint32_t number, int64_t now_ns)
{
        struct link_connection *connection = link_find(link, number);
        if (!number)
                plan_connect(link, RETRY_MAX_NS, now_ns);
        if (!connection)
                return;
        if (has_served(link, connection, now_ns))
                link->failures = 0;
        link_report(link, connection, REPORT_CLOSED);
        plan_connect(link, connection->refused ? REFUSED_MAX_NS : RETRY_MAX_NS, now_ns);
        connection->state = CONNECTION_NONE;
        if (connection == &link->connections[0]) {
                link->connections[0] = link->connections[1];
                link->connections[1].state = CONNECTION_NONE;
                link->rotate = false;
        }
}

void link_alive(struct link *link, uint32_t number, int64_t now_ns)
{
        struct link_connection *connection = link_find(link, number);
        if (connection)
                connection->alive_ns = now_ns;
}

void link_sent(struct link *link, uint32_t number, unsigned frames)
{
        struct link_connection *connection = link_find(link, number);
        if (connection && frames)
                connection->pending_frames = frames;
}

static uint8_t state_when_answered(
    struct link *link, const struct link_connection *connection, size_t member)
{
        uint8_t state = connection->members[member];
        bool used = link->members[member].user;
        if (state == MEMBER_LEFT)
                return MEMBER_UNSENT;
        if (state != MEMBER_SENT)
                return state;
        link->members[member].refusals = 0;
        return used ? MEMBER_SUBSCRIBED : state_without_user(link, member, MEMBER_SUBSCRIBED);
}

/* What was refused is asked for again in smaller commands; a name that was alone in it waits. */
static void command_refused(struct link *link, struct link_connection *connection, int64_t now_ns)
{
        connection->ack_until_ns = 0;
        connection->refused = true;
        connection->stray_frames = connection->pending_frames - 1;
        if (connection->pending_unsubscribe) {
                connection->leaving = "the exchange refused to unsubscribe";
                return;
        }
        link->refusals++;
        link->batch = connection->pending_names > 1 ? connection->pending_names / 2 : 1;
        for (size_t i = 0; i < link->member_count; i++) {
                struct link_member *member = &link->members[i];
                if (connection->members[i] != MEMBER_SENT)
                        continue;
                connection->members[i] = MEMBER_UNSENT;
                if (connection->pending_names > 1)
                        continue;
                member->retry_ns = now_ns +
                    (NAME_WAIT_NS << (member->refusals < NAME_DOUBLINGS ? member->refusals
                                                                        : NAME_DOUBLINGS));
                member->refusals++;
        }
}

void link_answered(
    struct link *link, uint32_t number, uint32_t command_id, bool refused, int64_t now_ns)
{
        struct link_connection *connection = link_find(link, number);
        if (connection && command_id == LINK_ANY && connection->stray_frames) {
                connection->stray_frames--;
                return;
        }
        if (!connection || !connection->ack_until_ns ||
            (command_id != connection->pending_id && command_id != LINK_ANY))
                return;
        connection->alive_ns = now_ns;
        if (refused) {
                command_refused(link, connection, now_ns);
                return;
        }
        if (--connection->pending_frames)
                return;
        connection->ack_until_ns = 0;
        connection->refused = false;
        link->refusals = 0;
        link->batch = link->batch * 2 < LINK_BATCH_MAX ? link->batch * 2 : LINK_BATCH_MAX;
        for (size_t i = 0; i < link->member_count; i++)
                connection->members[i] = state_when_answered(link, connection, i);
        link_report(link, connection, REPORT_SUBSCRIBED);
}

void link_shutdown(struct link *link, uint32_t number)
{
        struct link_connection *connection = link_find(link, number);
        if (connection)
                connection->life_ns = 0;
}

static void resubscribe_on(struct link_connection *connection, int member)
{
        if (connection->state == CONNECTION_OPEN &&
            connection->members[member] == MEMBER_SUBSCRIBED)
                connection->members[member] = MEMBER_LEAVING;
}

void link_resubscribe(struct link *link, int member)
{
        bool successor =
            link->members[member].bridged && link->connections[1].state == CONNECTION_OPEN;
        resubscribe_on(&link->connections[successor], member);
        if (link->lines > 1)
                resubscribe_on(&link->connections[!successor], member);
}

void link_resubscribe_on(struct link *link, int member, uint32_t number)
{
        struct link_connection *connection = link_find(link, number);
        if (connection)
                resubscribe_on(connection, member);
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
        if (now_ns - connection->alive_ns >= link->silence_ns)
                return disconnect(connection, link->silent, action);
        if (connection->ack_until_ns && now_ns >= connection->ack_until_ns)
                return disconnect(connection, "a command was not answered within 10 s", action);
        if (connection == &link->connections[0] && link->lines == 1 &&
            now_ns - connection->since_ns >= connection->life_ns)
                link->rotate = true;
        return false;
}

/* A member's name goes out: whoever shares it has the same coming. */
static void send_name(
    struct link *link, struct link_connection *connection, size_t member, uint8_t to)
{
        for (size_t i = 0; i < link->member_count; i++) {
                uint8_t state = connection->members[i];
                bool goes = to == MEMBER_SENT
                    ? state == MEMBER_UNSENT && link->members[i].user
                    : state == MEMBER_SUBSCRIBED || state == MEMBER_LEAVING;
                if (goes && same_name(link, i, member))
                        connection->members[i] = to;
        }
}

/* As many names of members in state @from as fit into one command; they go to state @to. */
static bool fill_command(struct link *link, struct link_connection *connection, uint8_t from,
    uint8_t to, int64_t now_ns, struct link_action *action)
{
        size_t size = 0, most = from == MEMBER_UNSENT ? link->batch : LINK_BATCH_MAX;
        action->name_count = 0;
        for (size_t i = 0; i < link->member_count && action->name_count < most; i++) {
                const struct link_member *member = &link->members[i];
                if (connection->members[i] != from ||
                    (from == MEMBER_UNSENT && (!member->user || now_ns < member->retry_ns)))
                        continue;
                size += strlen(link->members[i].name) + 3;
                if (size > LINK_BATCH_SIZE)
                        break;
                action->names[action->name_count++] = link->members[i].name;
                send_name(link, connection, i, to);
        }
        return action->name_count > 0;
}

/* Between two commands; an exchange that refuses everything is asked less and less often. */
static int64_t command_wait(const struct link *link)
{
        int64_t wait = LINK_COMMAND_NS;
        for (unsigned i = LINK_REFUSALS; i < link->refusals && wait < COMMAND_WAIT_MAX_NS; i++)
                wait *= 2;
        return wait < COMMAND_WAIT_MAX_NS ? wait : COMMAND_WAIT_MAX_NS;
}

static bool next_command(struct link *link, struct link_connection *connection, int64_t now_ns,
    struct link_action *action)
{
        if (connection->state != CONNECTION_OPEN || connection->ack_until_ns ||
            now_ns - connection->command_ns < command_wait(link) ||
            (connection->stray_frames && now_ns - connection->command_ns < STRAY_WAIT_NS))
                return false;
        if (fill_command(link, connection, MEMBER_LEAVING, MEMBER_LEFT, now_ns, action)) {
                action->kind = LINK_UNSUBSCRIBE;
        } else if (fill_command(link, connection, MEMBER_UNSENT, MEMBER_SENT, now_ns, action)) {
                action->kind = LINK_SUBSCRIBE;
        } else {
                if (!connection->complete_ns)
                        connection->complete_ns = now_ns;
                return false;
        }
        action->connection = connection->number;
        action->command_id = connection->pending_id = link->next_command++;
        connection->pending_frames = 1;
        connection->stray_frames = 0;
        connection->pending_names = action->name_count;
        connection->pending_unsubscribe = action->kind == LINK_UNSUBSCRIBE;
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

/* Of two lines: it has reached its end, and the other one is not too young for those that go over
 * to it late. One that the exchange will end does not wait for that. */
static bool line_ends(
    const struct link_connection *line, const struct link_connection *other, int64_t now_ns)
{
        return !line->life_ns ||
            (now_ns - line->since_ns >= line->life_ns &&
                now_ns - other->since_ns >= LINK_SETTLE_NS);
}

/* Does it carry all? What is quiet is believed after a while. */
static bool carries_all(
    const struct link *link, const struct link_connection *connection, int64_t now_ns)
{
        if (connection->state != CONNECTION_OPEN || !connection->complete_ns)
                return false;
        return now_ns - connection->complete_ns >= LINK_OVERLAP_NS ||
            (connection == &link->connections[1] && all_bridged(link));
}

/* Let the old connection go once the new one carries all. Of two lines: whichever is at its end. */
static bool next_handover(struct link *link, int64_t now_ns, struct link_action *action)
{
        for (int i = 0; i < 2; i++) {
                struct link_connection *old = &link->connections[i], *other = beside(link, old);
                bool ends = link->lines == 1 ? i == 0 : line_ends(old, other, now_ns);
                if (ends && old->state == CONNECTION_OPEN && carries_all(link, other, now_ns))
                        return disconnect(old, "replaced", action);
        }
        return false;
}

/* Every name was refused lately: a connection would have nothing to say. */
static bool all_wait(const struct link *link, int64_t now_ns)
{
        for (size_t i = 0; i < link->member_count; i++) {
                if (link->members[i].user && now_ns >= link->members[i].retry_ns)
                        return false;
        }
        return true;
}

/* The first one carries all, or is a long time in coming. */
static bool wants_second_line(const struct link *link, int64_t now_ns)
{
        const struct link_connection *first = &link->connections[0];
        if (link->lines < 2)
                return false;
        return first->state == CONNECTION_OPEN ? first->complete_ns != 0
                                               : now_ns - first->since_ns >= LATE_NS;
}

static bool wants_connection(const struct link *link, int64_t now_ns)
{
        if (!link->live_count || now_ns < link->connect_ns || all_wait(link, now_ns))
                return false;
        if (link->connections[0].state == CONNECTION_NONE)
                return true;
        return (link->rotate || wants_second_line(link, now_ns)) &&
            link->connections[1].state == CONNECTION_NONE;
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

bool link_awaits_answer(const struct link *link, uint32_t number)
{
        for (int i = 0; i < 2; i++) {
                const struct link_connection *connection = &link->connections[i];
                if (connection->state == CONNECTION_OPEN && connection->number == number)
                        return connection->ack_until_ns;
        }
        return false;
}
