/* WebSocket connections on libwebsockets; no other file sees it.
 *
 * A connection is a struct of ours beside the library's wsi, and outlives it: callbacks only note
 * that and why it ended, and feed_run reports the end afterwards, when nothing of the library is
 * on the stack. Said goodbye to, it is reported at once and lingers in silence until the peer has
 * answered the close frame or GOODBYE_MS are over.
 *
 * A message that fits the library's receive buffer is handed on where it lies; a bigger or
 * fragmented one is put together in a buffer that is given back when it is done. */
#include "venue/feed.h"

#include <arpa/inet.h>
#include <libwebsockets.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "venue/net.h"
#include "venue/rest.h"

#define TICK_US (50 * 1000)
#define CONNECT_MS 10000      /* for TCP, TLS and the upgrade together */
#define LIBRARY_CONNECT_S 15  /* the library's own, for each of them: never the first to act */
#define QUIET_MS 20000        /* silence before a ping of our own */
#define GOODBYE_MS 5000       /* for the peer to answer a close frame */
#define USER_TIMEOUT_MS 30000 /* unacknowledged bytes break the connection after that */
#define SEND_QUEUE_SIZE (1u << 20)
#define MESSAGE_SIZE (64u << 10)
#define MESSAGE_SIZE_MIN (16u << 10) /* a TLS record */
#define CONNECTIONS_MAX 1024
#define HOST_SIZE 110 /* the library cuts a Host header at 119 bytes, port included */
#define PATH_SIZE 1200
#define PROTOCOL "feed"

enum connection_state {
        STATE_CONNECTING,
        STATE_OPEN,
        STATE_ENDED,
        STATE_REPORTED,
};

struct outgoing {
        struct outgoing *next;
        size_t size;
        unsigned char data[]; /* LWS_PRE bytes of room, then the text */
};

struct connection {
        struct feed *feed;
        struct lws *wsi; /* NULL when the library is done with it */
        uint32_t id;
        enum connection_state state;
        bool tls;
        bool proxied;
        bool host_checked; /* the certificate is checked against host */
        bool goodbye;
        bool asked; /* the next writable callback is one that we asked for */
        bool ping_due;
        char host[HOST_SIZE]; /* without [] */
        char reason[256];
        int64_t begun_ns; /* these four: monotonic */
        int64_t heard_ns;
        int64_t pinged_ns;
        int64_t goodbye_ns;

        struct buffer message; /* the pieces so far */
        size_t message_size;
        int64_t receive_time_ns;
        const char *refusal; /* why this message is thrown away, or NULL */

        struct outgoing *queue;
        struct outgoing *queue_last;
        size_t queue_size;
};

struct feed {
        struct feed_callbacks callbacks;
        size_t message_size;
        int64_t connect_ns;
        int64_t quiet_ns;
        struct lws_context *context;
        struct lws_vhost *direct;
        struct lws_vhost *proxied;
        struct lws_protocols protocols[2];
        lws_sorted_usec_list_t tick;
        SSL_CTX *tls;
        bool tick_due;
        bool closing;
        uint32_t last_id;
        struct connection **connections;
        size_t connection_count;
        size_t connection_capacity;
};

/* Connections */

static struct connection *connection_find(const struct feed *feed, uint32_t id)
{
        for (size_t i = 0; i < feed->connection_count; i++)
                if (feed->connections[i]->id == id)
                        return feed->connections[i];
        return NULL;
}

static struct connection *connection_new(struct feed *feed)
{
        struct connection *connection = memory_new(sizeof(*connection));
        connection->feed = feed;
        connection->id = ++feed->last_id;
        connection->begun_ns = clock_mono_ns();
        buffer_init(&connection->message, LIMIT_MESSAGE_SIZE + JSON_PADDING);
        if (feed->connection_count == feed->connection_capacity) {
                feed->connection_capacity = 2 * feed->connection_capacity + 8;
                feed->connections = memory_resize(
                    feed->connections, feed->connection_capacity * sizeof(*feed->connections));
        }
        feed->connections[feed->connection_count++] = connection;
        return connection;
}

static void queue_pop(struct connection *connection)
{
        struct outgoing *first = connection->queue;
        connection->queue = first->next;
        connection->queue_size -= first->size;
        free(first);
}

static void connection_free(struct connection *connection)
{
        while (connection->queue)
                queue_pop(connection);
        buffer_deinit(&connection->message);
        free(connection);
}

static void connection_remove(struct feed *feed, size_t index)
{
        struct connection *connection = feed->connections[index];
        feed->connections[index] = feed->connections[--feed->connection_count];
        connection_free(connection);
}

static bool is_silent(const struct connection *connection)
{
        return connection->goodbye || connection->feed->closing;
}

/* The first reason is the cause; what follows from it is not told. One line of ASCII. */
static void reason_set(struct connection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void reason_set(struct connection *connection, const char *format, ...)
{
        va_list args;
        if (connection->reason[0])
                return;
        va_start(args, format);
        vsnprintf(connection->reason, sizeof(connection->reason), format, args);
        va_end(args);
        for (char *c = connection->reason; *c; c++)
                if (*c < ' ' || *c > '~')
                        *c = '?';
}

static void connection_end(struct connection *connection)
{
        if (connection->state < STATE_ENDED)
                connection->state = STATE_ENDED;
}

static void ask_to_write(struct connection *connection)
{
        connection->asked = true;
        lws_callback_on_writable(connection->wsi);
}

/* Receiving */

static void tell_alive(struct connection *connection)
{
        connection->heard_ns = clock_mono_ns();
        if (!is_silent(connection))
                connection->feed->callbacks.alive_cb(
                    connection->id, connection->feed->callbacks.user);
}

static void message_begin(struct connection *connection)
{
        connection->receive_time_ns = clock_wall_ns();
        connection->message_size = 0;
        connection->refusal = lws_frame_is_binary(connection->wsi) ? "a binary message" : NULL;
        buffer_clear(&connection->message);
}

static void message_deliver(struct connection *connection, char *text)
{
        const struct feed_callbacks *callbacks = &connection->feed->callbacks;
        callbacks->message_cb(connection->id, text, connection->message_size,
            connection->receive_time_ns, callbacks->user);
}

static void message_refuse(struct connection *connection)
{
        const struct feed_callbacks *callbacks = &connection->feed->callbacks;
        callbacks->refused_cb(
            connection->id, connection->message_size, connection->refusal, callbacks->user);
}

static void message_finish(struct connection *connection)
{
        if (connection->refusal)
                message_refuse(connection);
        else if (buffer_reserve(&connection->message, JSON_PADDING))
                message_deliver(connection, (char *)connection->message.data);
        buffer_deinit(&connection->message);
}

static void message_piece(struct connection *connection, char *data, size_t size)
{
        bool first = lws_is_first_fragment(connection->wsi);
        bool final = lws_is_final_fragment(connection->wsi);
        if (first)
                message_begin(connection);
        connection->message_size += size;
        if (!connection->refusal && connection->message_size > LIMIT_MESSAGE_SIZE) {
                connection->refusal = "a message beyond 16 MiB";
                buffer_deinit(&connection->message);
        }
        if (first && final && !connection->refusal && size <= connection->feed->message_size) {
                message_deliver(connection, data);
                return;
        }
        if (!connection->refusal)
                buffer_append(&connection->message, data, size);
        if (final)
                message_finish(connection);
}

static int on_receive(struct connection *connection, char *data, size_t size)
{
        tell_alive(connection);
        if (!is_silent(connection))
                message_piece(connection, data, size);
        return 0;
}

/* Sending */

/* The library reads a close frame's code and, before anybody sees it, puts 1002 for some. */
static void on_peer_close(struct connection *connection, const unsigned char *data, size_t size)
{
        if (size < 2) {
                reason_set(connection, "closed by the exchange");
                return;
        }
        unsigned code = (unsigned)data[0] << 8 | data[1];
        reason_set(connection, "closed by the exchange: %u%s%s%.*s", code,
            code == 1002 ? " (or 1012 to 1014)" : "", size > 2 ? " " : "", (int)size - 2, data + 2);
}

static int write_ping(struct connection *connection)
{
        unsigned char room[LWS_PRE + 1];
        connection->ping_due = false;
        return lws_write(connection->wsi, room + LWS_PRE, 0, LWS_WRITE_PING) < 0 ? -1 : 0;
}

static int write_message(struct connection *connection)
{
        struct outgoing *first = connection->queue;
        int written =
            lws_write(connection->wsi, first->data + LWS_PRE, first->size, LWS_WRITE_TEXT);
        queue_pop(connection);
        return written < 0 ? -1 : 0;
}

/* After a pong of the library comes a writable callback that nobody asked for: the only sign of a
 * ping that it gives. */
static int on_writable(struct connection *connection)
{
        int rc = 0;
        if (connection->goodbye) {
                lws_close_reason(connection->wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
                return -1;
        }
        if (!connection->asked)
                tell_alive(connection);
        connection->asked = false;
        if (connection->ping_due)
                rc = write_ping(connection);
        else if (connection->queue)
                rc = write_message(connection);
        if (!rc && connection->queue)
                ask_to_write(connection);
        return rc;
}

/* Beginning and end, as the library tells them */

static void on_created(struct connection *connection, struct lws *wsi)
{
        unsigned timeout_ms = USER_TIMEOUT_MS;
        connection->wsi = wsi;
        setsockopt(
            lws_get_socket_fd(wsi), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

static int on_open(struct connection *connection, struct lws *wsi)
{
        connection->wsi = wsi;
        if (connection->tls && !connection->host_checked) {
                reason_set(connection, "TLS: the host name was not checked");
                return -1;
        }
        if (is_silent(connection))
                return -1;
        connection->state = STATE_OPEN;
        connection->heard_ns = clock_mono_ns();
        connection->feed->callbacks.open_cb(connection->id, connection->feed->callbacks.user);
        return 0;
}

static void on_failed(struct connection *connection, struct lws *wsi, const char *why, size_t size)
{
        unsigned status = lws_http_client_http_response(wsi);
        unsigned long tls_error = connection->tls ? ERR_peek_last_error() : 0;
        const char *tls_reason = tls_error ? ERR_reason_error_string(tls_error) : NULL;
        char text[128];
        snprintf(text, sizeof(text), "%.*s", why ? (int)size : 0, why ? why : "");
        if (status >= 100 && status != 101)
                reason_set(connection, "refused: HTTP %u", status);
        else if (tls_reason)
                reason_set(connection, "TLS: %s", tls_reason);
        else if (strstr(text, "nable to connect"))
                reason_set(connection, "cannot connect: refused or unreachable");
        else if (connection->proxied && strstr(text, "proxy"))
                reason_set(connection, "the proxy refused the tunnel");
        else if (connection->tls && strstr(text, "SYSCALL"))
                reason_set(connection, "TLS: connection reset");
        else
                reason_set(connection, "no WebSocket there: %s", *text ? text : "no answer");
        connection_end(connection);
}

/* The library keeps errno to itself; what TCP thinks of the socket tells the ends apart. */
static void on_closed(struct connection *connection, struct lws *wsi)
{
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);
        getsockopt(lws_get_socket_fd(wsi), IPPROTO_TCP, TCP_INFO, &info, &size);
        bool shut = connection->tls && lws_get_ssl(wsi) &&
            SSL_get_shutdown(lws_get_ssl(wsi)) & SSL_RECEIVED_SHUTDOWN;
        if (connection->state == STATE_CONNECTING)
                reason_set(connection, "ended before the WebSocket was open");
        else if (shut || info.tcpi_state == TCP_CLOSE_WAIT || info.tcpi_state == TCP_LAST_ACK)
                reason_set(connection, "ended by the exchange without a close frame");
        else if (info.tcpi_state == TCP_CLOSE)
                reason_set(connection, "connection reset");
        else
                reason_set(connection, "broken off: what came was not WebSocket");
        connection_end(connection);
}

static void on_destroyed(struct connection *connection)
{
        connection->wsi = NULL;
        reason_set(connection, "connection lost");
        connection_end(connection);
}

/* TLS */

static struct connection *connection_of_tls(const struct feed *feed, const SSL *ssl)
{
        for (size_t i = 0; i < feed->connection_count; i++) {
                struct connection *connection = feed->connections[i];
                if (connection->wsi && lws_get_ssl(connection->wsi) == ssl)
                        return connection;
        }
        return NULL;
}

/* The library takes the name from the Host header up to the first colon, which leaves nothing of
 * an IPv6 address; so name and check are set here again, before the first byte goes out. */
static void tls_begin(const SSL *begun, int where, int value)
{
        const struct feed *feed = SSL_CTX_get_app_data(SSL_get_SSL_CTX(begun));
        struct connection *connection = connection_of_tls(feed, begun);
        (void)value;
        if (!(where & SSL_CB_HANDSHAKE_START) || !connection || connection->host_checked)
                return;
        connection->host_checked = net_tls_expect(lws_get_ssl(connection->wsi), connection->host);
}

static int on_certificate(struct connection *connection, X509_STORE_CTX *check, bool good)
{
        int cause = X509_STORE_CTX_get_error(check);
        if (good)
                return 0;
        reason_set(
            connection, "TLS: %s (%s)", X509_verify_cert_error_string(cause), connection->host);
        return 1;
}

/* The library's callback */

static int on_connection(struct connection *connection, struct lws *wsi,
    enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
        switch (reason) {
        case LWS_CALLBACK_WSI_CREATE:
                on_created(connection, wsi);
                return 0;
        case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION:
                return on_certificate(connection, user, size == 1);
        case LWS_CALLBACK_CLIENT_HTTP_REDIRECT:
                reason_set(connection, "refused: HTTP %d, and no redirect is followed", (int)size);
                return 1;
        case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
                on_failed(connection, wsi, in, size);
                return 0;
        case LWS_CALLBACK_CLIENT_ESTABLISHED:
                return on_open(connection, wsi);
        case LWS_CALLBACK_CLIENT_RECEIVE:
                return on_receive(connection, in, size);
        case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
                tell_alive(connection);
                return 0;
        case LWS_CALLBACK_CLIENT_WRITEABLE:
                return on_writable(connection);
        case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
                on_peer_close(connection, in, size);
                return 0;
        case LWS_CALLBACK_CLIENT_CLOSED:
                on_closed(connection, wsi);
                return 0;
        case LWS_CALLBACK_WSI_DESTROY:
                on_destroyed(connection);
                return 0;
        default:
                return 0;
        }
}

static int on_event(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
        if (reason == LWS_CALLBACK_EVENT_WAIT_CANCELLED) {
                struct feed *feed = lws_context_user(lws_get_context(wsi));
                feed->tick_due = true;
                return 0;
        }
        struct connection *connection = lws_get_opaque_user_data(wsi);
        return connection ? on_connection(connection, wsi, reason, user, in, size) : 0;
}

static void on_tick(lws_sorted_usec_list_t *tick)
{
        struct feed *feed = lws_container_of(tick, struct feed, tick);
        feed->tick_due = true;
        lws_sul_schedule(feed->context, 0, tick, on_tick, TICK_US);
}

static void on_log(int level, const char *line)
{
        (void)level;
        log_debug("libwebsockets: %.*s", (int)strcspn(line, "\n"), line);
}

/* Open and close */

/* An empty proxy address keeps the library from reading http_proxy of the environment. */
static struct lws_vhost *vhost_new(struct feed *feed, const char *name)
{
        struct lws_context_creation_info info = {
            .port = CONTEXT_PORT_NO_LISTEN,
            .protocols = feed->protocols,
            .vhost_name = name,
            .http_proxy_address = "",
            .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
            .provided_client_ssl_ctx = feed->tls,
            .connect_timeout_secs = LIBRARY_CONNECT_S,
            .ka_time = 30,
            .ka_interval = 10,
            .ka_probes = 3,
        };
        return lws_create_vhost(feed->context, &info);
}

static bool context_open(struct feed *feed)
{
        struct lws_context_creation_info info = {
            .port = CONTEXT_PORT_NO_LISTEN,
            .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
            .pt_serv_buf_size = (unsigned)feed->message_size,
            .timeout_secs = LIBRARY_CONNECT_S,
            .http_proxy_address = "",
            .user = feed,
        };
        feed->protocols[0] = (struct lws_protocols){
            .name = PROTOCOL,
            .callback = on_event,
            .rx_buffer_size = feed->message_size + JSON_PADDING,
        };
        lws_set_log_level(LLL_ERR | LLL_WARN | LLL_NOTICE, on_log);
        feed->context = lws_create_context(&info);
        if (!feed->context)
                return false;
        feed->direct = vhost_new(feed, "direct");
        feed->proxied = vhost_new(feed, "proxied");
        return feed->direct && feed->proxied;
}

int feed_open(struct feed **ret_feed, const struct feed_options *options,
    const struct feed_callbacks *callbacks, struct error *error)
{
        struct feed *feed = memory_new(sizeof(*feed));
        feed->callbacks = *callbacks;
        feed->message_size = options->message_size ? options->message_size : MESSAGE_SIZE;
        if (feed->message_size < MESSAGE_SIZE_MIN)
                feed->message_size = MESSAGE_SIZE_MIN;
        if (feed->message_size > LIMIT_MESSAGE_SIZE)
                feed->message_size = LIMIT_MESSAGE_SIZE;
        feed->connect_ns = (options->connect_ms ? options->connect_ms : CONNECT_MS) * NS_PER_MS;
        feed->quiet_ns = (options->quiet_ms ? options->quiet_ms : QUIET_MS) * NS_PER_MS;
        feed->tls = net_tls_new(options->ca_file, error);
        if (!feed->tls) {
                free(feed);
                return ERR_IO;
        }
        SSL_CTX_set_app_data(feed->tls, feed);
        SSL_CTX_set_info_callback(feed->tls, tls_begin);
        if (!context_open(feed)) {
                feed_close(feed);
                return error_set(error, ERR_IO, "the WebSocket library does not start");
        }
        lws_sul_schedule(feed->context, 0, &feed->tick, on_tick, TICK_US);
        *ret_feed = feed;
        return 0;
}

void feed_close(struct feed *feed)
{
        if (!feed)
                return;
        feed->closing = true;
        if (feed->context) {
                lws_sul_cancel(&feed->tick);
                lws_context_destroy(feed->context);
        }
        SSL_CTX_free(feed->tls);
        while (feed->connection_count)
                connection_remove(feed, feed->connection_count - 1);
        free(feed->connections);
        free(feed);
}

/* Connecting */

static bool is_plain_text(const char *text)
{
        for (; *text; text++)
                if (*text <= ' ' || *text > '~')
                        return false;
        return true;
}

static bool is_numeric(const char *address)
{
        struct in6_addr room;
        return inet_pton(AF_INET, address, &room) == 1 || inet_pton(AF_INET6, address, &room) == 1;
}

static int host_copy(const char *host, char ret_host[HOST_SIZE])
{
        size_t size = strlen(host);
        if (size > 2 && host[0] == '[' && host[size - 1] == ']') {
                host++;
                size -= 2;
        }
        if (!size || size >= HOST_SIZE || !is_plain_text(host) || strpbrk(host, "/@[%?#"))
                return ERR_USAGE;
        memcpy(ret_host, host, size);
        ret_host[size] = '\0';
        return 0;
}

static int target_check(const struct feed_target *target, struct error *error)
{
        char host[HOST_SIZE];
        if (host_copy(target->host, host))
                return error_set(
                    error, ERR_USAGE, "%s: not a host name that can be used", target->host);
        if (!is_plain_text(target->path) || strlen(target->path) >= PATH_SIZE)
                return error_set(error, ERR_USAGE, "%s: not a path that can be used", target->path);
        if (!is_numeric(target->address))
                return error_set(error, ERR_USAGE, "%s: not a numeric address", target->address);
        if (target->proxy && !strchr(target->proxy, ':'))
                return error_set(error, ERR_USAGE, "%s: a proxy is host:port", target->proxy);
        if (!target->tls &&
            (target->proxy || !rest_is_loopback(host) || !rest_is_loopback(target->address)))
                return error_set(error, ERR_DENIED,
                    "%s: plain ws:// only to this machine; use wss://", target->host);
        return 0;
}

/* The address that was looked up stands in for the proxy's name. A login stays out of the target,
 * which may be logged: it is taken from the environment again. */
static void proxy_use(struct feed *feed, const struct feed_target *target)
{
        char text[512];
        struct net_proxy named;
        bool same = net_proxy_find(target->host, target->tls, &named) &&
            !strcmp(named.address, target->proxy) && named.login[0];
        snprintf(text, sizeof(text), strchr(target->address, ':') ? "%s%s[%s]%s" : "%s%s%s%s",
            same ? named.login : "", same ? "@" : "", target->address, strrchr(target->proxy, ':'));
        lws_set_proxy(feed->proxied, text);
        OPENSSL_cleanse(text, sizeof(text));
        OPENSSL_cleanse(&named, sizeof(named));
}

static void connection_begin(struct connection *connection, const struct feed_target *target)
{
        struct feed *feed = connection->feed;
        char name[HOST_SIZE + 2], host[HOST_SIZE + 16];
        bool usual = target->port == (target->tls ? 443 : 80);
        snprintf(
            name, sizeof(name), strchr(connection->host, ':') ? "[%s]" : "%s", connection->host);
        snprintf(host, sizeof(host), usual ? "%s" : "%s:%u", name, target->port);
        if (target->proxy)
                proxy_use(feed, target);
        struct lws_client_connect_info info = {
            .context = feed->context,
            .vhost = target->proxy ? feed->proxied : feed->direct,
            .address = target->proxy ? name : target->address,
            .port = target->port,
            .host = host,
            .path = *target->path ? target->path : "/",
            .local_protocol_name = PROTOCOL,
            .alpn = "http/1.1",
            .ssl_connection = target->tls ? LCCSCF_USE_SSL : 0,
            .userdata = connection,
            .opaque_user_data = connection,
        };
        struct lws *wsi = lws_client_connect_via_info(&info);
        if (wsi && connection->state == STATE_CONNECTING) {
                connection->wsi = wsi;
                return;
        }
        connection->wsi = NULL;
        reason_set(connection, "cannot connect: refused or unreachable");
        connection_end(connection);
}

uint32_t feed_connect(struct feed *feed, const struct feed_target *target, struct error *error)
{
        if (target_check(target, error))
                return 0;
        if (feed->connection_count >= CONNECTIONS_MAX || feed->last_id == UINT32_MAX) {
                error_set(error, ERR_FULL, "%zu connections are open", feed->connection_count);
                return 0;
        }
        struct connection *connection = connection_new(feed);
        host_copy(target->host, connection->host);
        connection->tls = target->tls;
        connection->proxied = target->proxy;
        connection_begin(connection, target);
        return connection->id;
}

int feed_send(struct feed *feed, uint32_t id, const char *text, size_t size)
{
        struct connection *connection = connection_find(feed, id);
        if (!connection || connection->state != STATE_OPEN || connection->goodbye)
                return ERR_NOT_FOUND;
        if (size > SEND_QUEUE_SIZE - connection->queue_size)
                return ERR_FULL;
        struct outgoing *message = memory_new(sizeof(*message) + LWS_PRE + size);
        message->size = size;
        memcpy(message->data + LWS_PRE, text, size);
        if (connection->queue)
                connection->queue_last->next = message;
        else
                connection->queue = message;
        connection->queue_last = message;
        connection->queue_size += size;
        ask_to_write(connection);
        return 0;
}

static void connection_kill(struct connection *connection)
{
        lws_set_timeout(connection->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

void feed_disconnect(struct feed *feed, uint32_t id, const char *reason)
{
        struct connection *connection = connection_find(feed, id);
        if (!connection || connection->state >= STATE_ENDED)
                return;
        reason_set(connection, "%s", reason);
        connection->goodbye = true;
        connection->goodbye_ns = clock_mono_ns();
        if (connection->state == STATE_OPEN)
                ask_to_write(connection);
        else
                connection_kill(connection);
        connection_end(connection);
}

/* Running */

static void check_open(struct connection *connection, int64_t now)
{
        int64_t quiet_ns = connection->feed->quiet_ns;
        if (now - connection->heard_ns < quiet_ns || now - connection->pinged_ns < quiet_ns)
                return;
        connection->pinged_ns = now;
        connection->ping_due = true;
        ask_to_write(connection);
}

static void check_times(struct feed *feed)
{
        int64_t now = clock_mono_ns();
        for (size_t i = 0; i < feed->connection_count; i++) {
                struct connection *connection = feed->connections[i];
                if (connection->state == STATE_OPEN)
                        check_open(connection, now);
                if (connection->state == STATE_CONNECTING &&
                    now - connection->begun_ns > feed->connect_ns) {
                        reason_set(connection, "no WebSocket within %lld s",
                            (long long)(feed->connect_ns / NS_PER_S));
                        connection_kill(connection);
                }
                if (connection->goodbye && connection->wsi &&
                    now - connection->goodbye_ns > GOODBYE_MS * NS_PER_MS)
                        connection_kill(connection);
        }
}

/* A callback may connect, which adds at the end; nobody but this removes. */
static void report_ends(struct feed *feed)
{
        for (size_t i = 0; i < feed->connection_count;) {
                struct connection *connection = feed->connections[i];
                if (connection->state == STATE_ENDED) {
                        connection->state = STATE_REPORTED;
                        feed->callbacks.closed_cb(
                            connection->id, connection->reason, feed->callbacks.user);
                }
                if (connection->state == STATE_REPORTED && !connection->wsi)
                        connection_remove(feed, i);
                else
                        i++;
        }
}

int feed_run(struct feed *feed)
{
        if (lws_service(feed->context, 0) < 0)
                return ERR_IO;
        if (feed->tick_due) {
                feed->tick_due = false;
                check_times(feed);
                feed->callbacks.tick_cb(feed->callbacks.user);
        }
        report_ends(feed);
        return 0;
}

void feed_wake(struct feed *feed)
{
        lws_cancel_service(feed->context);
}
