/* The line protocol, on the control socket and on the port: TLS, the proof, one request at a time.
 *
 * No line is looked at while the last one's answer is under way, and nothing is read beyond it: who
 * sends faster than he is answered waits in his own kernel. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "control/internal.h"

#define READ_SIZE (16u << 10)
#define WRITES 16      /* chunks sent before others have their turn */
#define ENDING_MS 2000 /* for last words */
#define LINGER_MS 1000 /* for the other side to read them and go */

/* Bytes, plain or by TLS: how many; 0: none now; -1: the other side is gone */

static ssize_t tls_result(struct connection *connection, int done)
{
        int cause = SSL_get_error(connection->tls, done);
        ERR_clear_error();
        return cause == SSL_ERROR_WANT_READ || cause == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t plain_result(ssize_t done)
{
        if (done > 0)
                return done;
        return done < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static ssize_t wire_read(struct connection *connection, void *ret_data, size_t size)
{
        if (!connection->tls)
                return plain_result(recv(connection->fd, ret_data, size, 0));
        ERR_clear_error();
        int done = SSL_read(connection->tls, ret_data, (int)size);
        return done > 0 ? done : tls_result(connection, done);
}

static ssize_t wire_write(struct connection *connection, const void *data, size_t size)
{
        if (!connection->tls)
                return plain_result(send(connection->fd, data, size, MSG_NOSIGNAL));
        ERR_clear_error();
        int done = SSL_write(connection->tls, data, size < READ_SIZE ? (int)size : (int)READ_SIZE);
        return done > 0 ? done : tls_result(connection, done);
}

/* States */

static void enter(struct connection *connection, enum connection_state state)
{
        connection->state = state;
        connection->since_ns = clock_mono_ns();
}

static void refuse(struct connection *connection, int end, const char *why)
{
        char text[256];
        snprintf(text, sizeof(text), "{\"end\":%d,\"error\":\"%s\"}", end, why);
        queue_put(connection, text);
        enter(connection, STATE_ENDING);
}

static bool turn_away(struct connection *connection)
{
        if (!attempts_are_too_many(&connection->server->attempts, clock_mono_ns()))
                return false;
        refuse(connection, 1, "too many wrong keys, the port is shut for a minute");
        return true;
}

/* The time for the proof runs from the connection's begin, TLS included. */
static void greet(struct connection *connection)
{
        char text[128];
        if (turn_away(connection))
                return;
        connection->state = STATE_PROOF;
        if (proof_nonce(connection->nonce)) {
                refuse(connection, 1, "no random numbers");
                return;
        }
        snprintf(text, sizeof(text), "{\"oblogger\":%d,\"nonce\":\"%s\"}", CONTROL_PROTOCOL,
            connection->nonce);
        queue_put(connection, text);
}

static bool shake_hands(struct connection *connection)
{
        ERR_clear_error();
        int done = SSL_accept(connection->tls);
        if (done != 1) {
                if (SSL_want_write(connection->tls))
                        loop_want_write(connection);
                return !tls_result(connection, done);
        }
        greet(connection);
        return true;
}

static void wrong_key(struct connection *connection)
{
        struct control_server *server = connection->server;
        attempts_note(&server->attempts, clock_mono_ns());
        pthread_mutex_lock(&server->lock);
        server->stats.wrong_keys++;
        pthread_mutex_unlock(&server->lock);
        notice_say(&connection->door->wrong_key, connection->door, "wrong keys", 1);
        refuse(connection, 1, "the key is wrong");
}

static void check_proof(struct connection *connection, struct json_value root)
{
        struct json_text proof;
        if (turn_away(connection))
                return;
        if (!json_member_string(root, "proof", &proof)) {
                refuse(connection, 2, "the proof is missing");
                return;
        }
        bool right =
            proof_is_right(connection->server->key, connection->nonce, proof.data, proof.size);
        explicit_bzero(connection->nonce, sizeof(connection->nonce));
        if (!right) {
                wrong_key(connection);
                return;
        }
        connection->stranger = false;
        connection->door->strangers--;
        enter(connection, STATE_OPEN);
        queue_put(connection, "{\"end\":0}");
}

/* Lines */

static int next_line(const struct connection *connection, size_t *ret_size, size_t *ret_used)
{
        const struct buffer *input = &connection->input;
        return line_split(
            input->data + connection->begin, input->size - connection->begin, ret_size, ret_used);
}

static bool has_line(const struct connection *connection)
{
        size_t size, used;
        return next_line(connection, &size, &used) != 0;
}

static void compact(struct connection *connection)
{
        struct buffer *input = &connection->input;
        if (!connection->begin)
                return;
        memmove(input->data, input->data + connection->begin, input->size - connection->begin);
        input->size -= connection->begin;
        connection->begin = 0;
}

/* The padding that the parser wants lies behind what is read. */
static bool receive(struct connection *connection)
{
        compact(connection);
        uint8_t *room = buffer_reserve(&connection->input, READ_SIZE + JSON_PADDING);
        ssize_t size = room ? wire_read(connection, room, READ_SIZE) : -1;
        if (size > 0)
                connection->input.size += (size_t)size;
        return size >= 0;
}

static void take_line(struct connection *connection)
{
        struct json_value root;
        size_t size, used;
        if (next_line(connection, &size, &used) < 0) {
                refuse(connection, 2, "a request has at most 65,536 bytes");
                return;
        }
        const char *line = (const char *)connection->input.data + connection->begin;
        const char *wrong = line_check(connection->server->json, line, size, &root);
        connection->begin += used;
        if (wrong) {
                refuse(connection, 2, wrong);
        } else if (connection->state == STATE_PROOF) {
                check_proof(connection, root);
        } else {
                connection->since_ns = clock_mono_ns();
                queue_ask(connection, CONTROL_LINE, line, size);
        }
}

/* Going on */

static bool send_waiting(struct connection *connection)
{
        size_t size;
        const uint8_t *front = queue_front(connection, &size);
        for (int i = 0; front && i < WRITES; i++) {
                ssize_t sent = wire_write(connection, front, size);
                if (sent < 0)
                        return false;
                if (!sent)
                        break;
                queue_shift(connection, (size_t)sent);
                if (connection->state == STATE_OPEN)
                        connection->since_ns = clock_mono_ns();
                front = queue_front(connection, &size);
        }
        if (front)
                loop_want_write(connection);
        return true;
}

static bool linger(struct connection *connection)
{
        uint8_t scrap[READ_SIZE];
        return plain_result(recv(connection->fd, scrap, sizeof(scrap), 0)) >= 0;
}

static void end_well(struct connection *connection)
{
        if (connection->tls)
                SSL_shutdown(connection->tls);
        ERR_clear_error();
        shutdown(connection->fd, SHUT_WR);
        enter(connection, STATE_LINGER);
}

static bool talk(struct connection *connection)
{
        if (!send_waiting(connection) || (!has_line(connection) && !receive(connection)))
                return false;
        while (
            connection->state <= STATE_OPEN && has_line(connection) && queue_is_idle(connection)) {
                take_line(connection);
                if (!send_waiting(connection))
                        return false;
        }
        return true;
}

/* What is left in TLS itself makes no socket readable: read on until nothing comes. */
static bool has_more(struct connection *connection)
{
        return connection->tls && SSL_pending(connection->tls) > 0;
}

bool lines_go_on(struct connection *connection)
{
        if (connection->state == STATE_LINGER)
                return linger(connection);
        if (connection->state == STATE_HANDSHAKE && !shake_hands(connection))
                return false;
        if (connection->state == STATE_ENDING && !send_waiting(connection))
                return false;
        if (connection->state == STATE_PROOF || connection->state == STATE_OPEN)
                if (!talk(connection))
                        return false;
        if (connection->state == STATE_ENDING && queue_is_idle(connection))
                end_well(connection);
        bool waits = connection->state == STATE_ENDING ||
            (connection->state != STATE_LINGER && has_line(connection));
        loop_want_read(connection, !waits);
        if (!waits && connection->state != STATE_LINGER && has_more(connection))
                loop_want_write(connection);
        return true;
}

/* Begin and end */

void lines_begin(struct connection *connection)
{
        struct control_server *server = connection->server;
        buffer_init(
            &connection->input, CONTROL_LINE_SIZE + 2 + READ_SIZE + READ_SIZE + JSON_PADDING);
        if (connection->door->kind == DOOR_SOCKET) {
                enter(connection, STATE_OPEN);
        } else if (!server->tls) {
                enter(connection, STATE_PROOF);
                greet(connection);
        } else {
                enter(connection, STATE_HANDSHAKE);
                connection->tls = SSL_new(server->tls);
                if (!connection->tls || SSL_set_fd(connection->tls, connection->fd) != 1)
                        loop_kill(connection);
        }
        loop_want_write(connection);
}

static bool is_asked(struct connection *connection)
{
        pthread_mutex_lock(&connection->server->lock);
        bool asked = connection->id;
        pthread_mutex_unlock(&connection->server->lock);
        return asked;
}

bool lines_is_late(struct connection *connection, int64_t now_ns)
{
        static const int64_t limits_ms[] = {
            [STATE_HANDSHAKE] = CONTROL_PROOF_MS,
            [STATE_PROOF] = CONTROL_PROOF_MS,
            [STATE_OPEN] = CONTROL_IDLE_MS,
            [STATE_ENDING] = ENDING_MS,
            [STATE_LINGER] = LINGER_MS,
        };
        return now_ns - connection->since_ns > limits_ms[connection->state] * NS_PER_MS &&
            !(connection->state == STATE_OPEN && is_asked(connection));
}

void lines_end(struct connection *connection)
{
        if (connection->tls && SSL_is_init_finished(connection->tls))
                SSL_shutdown(connection->tls);
        SSL_free(connection->tls);
        ERR_clear_error();
        buffer_deinit(&connection->input);
}
