/* Between the thread and the owner: requests one way, the lines of their answers the other.
 *
 * A chunk's room is fixed when it is made, and bytes are added behind those that the thread is just
 * sending: so a chunk is sent without the lock, and nothing is copied twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/internal.h"

#define CHUNK_SIZE (16u << 10)

/* What waits to be sent; under the lock */

static void chunk_add(struct connection *connection, size_t size)
{
        size_t capacity = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        struct chunk *chunk = memory_new(sizeof(*chunk) + capacity);
        chunk->capacity = capacity;
        if (connection->last)
                connection->last->next = chunk;
        else
                connection->first = chunk;
        connection->last = chunk;
}

static void bytes_put(struct connection *connection, const void *data, size_t size)
{
        const uint8_t *at = data;
        connection->waiting += size;
        while (size) {
                if (!connection->last || connection->last->end == connection->last->capacity)
                        chunk_add(connection, size);
                struct chunk *chunk = connection->last;
                size_t room = chunk->capacity - chunk->end;
                size_t part = size < room ? size : room;
                memcpy(chunk->data + chunk->end, at, part);
                chunk->end += part;
                at += part;
                size -= part;
        }
}

static bool line_put(struct connection *connection, const char *text, size_t size)
{
        if (connection->overrun || size >= CONTROL_ANSWER_SIZE - connection->waiting) {
                connection->overrun = true;
                return false;
        }
        bytes_put(connection, text, size);
        bytes_put(connection, "\n", 1);
        return true;
}

static void chunk_drop_first(struct connection *connection)
{
        struct chunk *chunk = connection->first;
        connection->first = chunk->next;
        if (!connection->first)
                connection->last = NULL;
        free(chunk);
}

static void bytes_drop(struct connection *connection)
{
        while (connection->first)
                chunk_drop_first(connection);
        connection->waiting = 0;
}

/* Requests; under the lock */

static struct connection *find(struct control_server *server, uint64_t id)
{
        struct connection *connection = id ? server->connections : NULL;
        while (connection && connection->id != id)
                connection = connection->next;
        return connection;
}

static void asked_add(struct control_server *server, uint64_t id, enum control_kind kind,
    const void *text, size_t size)
{
        struct asked *asked = memory_new(sizeof(*asked));
        asked->request.id = id;
        asked->request.kind = kind;
        buffer_init(&asked->request.text, size + JSON_PADDING);
        memset(buffer_reserve(&asked->request.text, size + JSON_PADDING), 0, size + JSON_PADDING);
        buffer_append(&asked->request.text, text, size);
        if (server->asked_last)
                server->asked_last->next = asked;
        else
                server->asked_first = asked;
        server->asked_last = asked;
}

/* Take what waits for the owner about @id back: he has no use for it any more. */
static bool asked_take_back(struct control_server *server, uint64_t id)
{
        struct asked *before = NULL;
        for (struct asked *asked = server->asked_first; asked; asked = asked->next) {
                if (asked->request.id != id) {
                        before = asked;
                        continue;
                }
                *(before ? &before->next : &server->asked_first) = asked->next;
                if (server->asked_last == asked)
                        server->asked_last = before;
                buffer_deinit(&asked->request.text);
                free(asked);
                return true;
        }
        return false;
}

/* The thread's side */

void queue_add(struct connection *connection)
{
        struct control_server *server = connection->server;
        pthread_mutex_lock(&server->lock);
        connection->next = server->connections;
        server->connections = connection;
        pthread_mutex_unlock(&server->lock);
}

static void wake_owner(struct control_server *server)
{
        if (server->wake_cb && !atomic_load(&server->stopping))
                server->wake_cb(server->user);
}

void queue_remove(struct connection *connection)
{
        struct control_server *server = connection->server;
        pthread_mutex_lock(&server->lock);
        struct connection **at = &server->connections;
        while (*at != connection)
                at = &(*at)->next;
        *at = connection->next;
        bool gone = connection->id && !asked_take_back(server, connection->id);
        if (gone)
                asked_add(server, connection->id, CONTROL_GONE, NULL, 0);
        bytes_drop(connection);
        pthread_mutex_unlock(&server->lock);
        if (gone)
                wake_owner(server);
}

void queue_ask(struct connection *connection, enum control_kind kind, const void *text, size_t size)
{
        struct control_server *server = connection->server;
        pthread_mutex_lock(&server->lock);
        connection->id = ++server->last_id;
        server->stats.requests++;
        asked_add(server, connection->id, kind, text, size);
        pthread_mutex_unlock(&server->lock);
        wake_owner(server);
}

void queue_put(struct connection *connection, const char *text)
{
        pthread_mutex_lock(&connection->server->lock);
        line_put(connection, text, strlen(text));
        pthread_mutex_unlock(&connection->server->lock);
}

bool queue_is_idle(struct connection *connection)
{
        pthread_mutex_lock(&connection->server->lock);
        bool idle = !connection->id && !connection->first;
        pthread_mutex_unlock(&connection->server->lock);
        return idle;
}

const uint8_t *queue_front(struct connection *connection, size_t *ret_size)
{
        pthread_mutex_lock(&connection->server->lock);
        const struct chunk *chunk = connection->first;
        const uint8_t *front = chunk ? chunk->data + chunk->begin : NULL;
        *ret_size = chunk ? chunk->end - chunk->begin : 0;
        pthread_mutex_unlock(&connection->server->lock);
        return front;
}

void queue_shift(struct connection *connection, size_t size)
{
        pthread_mutex_lock(&connection->server->lock);
        connection->first->begin += size;
        connection->waiting -= size;
        if (connection->first->begin == connection->first->end)
                chunk_drop_first(connection);
        pthread_mutex_unlock(&connection->server->lock);
}

void queue_drop(struct connection *connection)
{
        pthread_mutex_lock(&connection->server->lock);
        bytes_drop(connection);
        connection->status = 0;
        pthread_mutex_unlock(&connection->server->lock);
}

/* The owner's side */

bool control_take(struct control_server *server, struct control_request *ret_request)
{
        pthread_mutex_lock(&server->lock);
        struct asked *asked = server->asked_first;
        if (asked) {
                *ret_request = asked->request;
                server->asked_first = asked->next;
                if (!server->asked_first)
                        server->asked_last = NULL;
        }
        pthread_mutex_unlock(&server->lock);
        free(asked);
        return asked;
}

/* Unlocks. The thread is woken once for all that is answered until it looks. */
static void wake_thread(struct control_server *server, bool wanted)
{
        bool wake = wanted && !server->woken;
        server->woken |= wanted;
        pthread_mutex_unlock(&server->lock);
        if (wake)
                loop_wake(server);
}

bool control_answer(
    struct control_server *server, uint64_t id, const char *text, size_t size, bool last)
{
        pthread_mutex_lock(&server->lock);
        struct connection *connection = find(server, id);
        bool taken = !connection || line_put(connection, text, size);
        if (connection && last)
                connection->id = 0;
        if (!connection && last)
                asked_take_back(server, id);
        wake_thread(server, connection);
        return taken;
}

static size_t pages_waiting(const struct control_server *server)
{
        size_t waiting = 0;
        for (const struct connection *other = server->connections; other; other = other->next)
                if (other->door->kind == DOOR_PAGES)
                        waiting += other->waiting;
        return waiting;
}

void control_page(struct control_server *server, uint64_t id, int status, const char *type,
    const char *text, size_t size)
{
        static const char busy[] = "too much waits for slow readers\n";
        pthread_mutex_lock(&server->lock);
        struct connection *connection = find(server, id);
        if (!connection) {
                asked_take_back(server, id);
        } else {
                bool fits = size <= CONTROL_ANSWER_SIZE &&
                    pages_waiting(server) <= CONTROL_ANSWER_SIZE - size;
                connection->status = fits ? status : 503;
                snprintf(connection->type, TYPE_SIZE, "%s", fits ? type : "text/plain");
                bytes_put(connection, fits ? text : busy, fits ? size : sizeof(busy) - 1);
                connection->id = 0;
        }
        wake_thread(server, connection);
}

struct control_stats control_stats(struct control_server *server)
{
        pthread_mutex_lock(&server->lock);
        struct control_stats stats = server->stats;
        pthread_mutex_unlock(&server->lock);
        return stats;
}
