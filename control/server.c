/* The thread: one loop under all doors, who comes in and who is too late.
 *
 * The loop is libwebsockets'. The doors themselves and the connections of the line protocol are in
 * it as plain descriptors, which are read and written here; pages it speaks itself. */
#include "control/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include <libwebsockets.h>

#include "base/log.h"
#include "control/internal.h"

#define LINES "lines"
#define PAGES "pages"
#define TICK_US (250 * LWS_US_PER_MS)
#define ACCEPTS 16       /* at a door before the others have their turn */
#define CLOSE_MS 1000    /* for what is answered already */
#define HEADERS_S 5      /* for the headers of a request to be there */
#define KEEP_S 10        /* a connection for pages without a request */
#define HEADERS_MAX 4096 /* bytes of a request for a page */

/* What the roles ask of the loop */

void loop_wake(struct control_server *server)
{
        lws_cancel_service(server->context);
}

void loop_want_write(struct connection *connection)
{
        connection->wants_write = true;
}

void loop_want_read(struct connection *connection, bool wanted)
{
        lws_rx_flow_control(connection->wsi, wanted);
}

void loop_kill(struct connection *connection)
{
        lws_set_timeout(connection->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

/* Connections */

static void socket_prepare(int fd)
{
        int on = 1, idle = 30, interval = 10, probes = 3;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static void connection_end(struct connection *connection)
{
        struct door *door = connection->door;
        if (door->kind != DOOR_PAGES)
                lines_end(connection);
        queue_remove(connection);
        door->connections--;
        door->strangers -= connection->stranger;
        free(connection);
}

static struct lws *adopt(struct control_server *server, int fd, bool is_page)
{
        lws_sock_file_fd_type descriptor = {0};
        if (is_page)
                descriptor.sockfd = fd;
        else
                descriptor.filefd = fd;
        return lws_adopt_descriptor_vhost(server->vhost,
            is_page ? LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP : LWS_ADOPT_RAW_FILE_DESC, descriptor,
            is_page ? PAGES : LINES, NULL);
}

static void connection_begin(struct door *door, int fd)
{
        bool is_page = door->kind == DOOR_PAGES;
        struct lws *wsi = adopt(door->server, fd, is_page);
        if (!wsi)
                return;
        if (door->kind != DOOR_SOCKET)
                socket_prepare(fd);
        struct connection *connection = memory_new(sizeof(*connection));
        connection->server = door->server;
        connection->door = door;
        connection->wsi = wsi;
        connection->fd = fd;
        connection->since_ns = clock_mono_ns();
        connection->stranger = door->kind == DOOR_PORT;
        door->connections++;
        door->strangers += connection->stranger;
        queue_add(connection);
        lws_set_opaque_user_data(wsi, connection);
        if (!is_page)
                lines_begin(connection);
}

/* Doors */

static void count(struct control_server *server, uint64_t connections, uint64_t refused)
{
        pthread_mutex_lock(&server->lock);
        server->stats.connections += connections;
        server->stats.refused += refused;
        pthread_mutex_unlock(&server->lock);
}

static bool is_full(const struct door *door)
{
        return door->connections >= CONTROL_CONNECTIONS || door->strangers >= CONTROL_STRANGERS;
}

/* Without descriptors the door stays readable: it is left alone until the next tick. */
static void door_pause(struct door *door, bool paused)
{
        door->paused = paused;
        lws_rx_flow_control(door->wsi, !paused);
}

static void on_knock(struct door *door)
{
        for (int i = 0; i < ACCEPTS; i++) {
                int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0) {
                        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
                            errno == ENOBUFS)
                                door_pause(door, true);
                        return;
                }
                bool full = is_full(door);
                count(door->server, 1, full);
                if (full) {
                        close(fd);
                        notice_say(&door->full, door, "full, connections were closed", 1);
                } else {
                        connection_begin(door, fd);
                }
        }
}

static bool doors_adopt(struct control_server *server)
{
        for (int i = 0; i < DOOR_COUNT; i++) {
                struct door *door = &server->doors[i];
                if (door->fd < 0)
                        continue;
                door->wsi = adopt(server, door->fd, false);
                if (!door->wsi)
                        return false;
                lws_set_opaque_user_data(door->wsi, door);
        }
        return true;
}

static struct door *door_of(struct control_server *server, const struct lws *wsi)
{
        for (int i = 0; i < DOOR_COUNT; i++)
                if (server->doors[i].wsi == wsi)
                        return &server->doors[i];
        return NULL;
}

/* Ticks and wakes */

static void check_connections(struct control_server *server, int64_t now_ns)
{
        for (struct connection *at = server->connections; at; at = at->next)
                if (at->door->kind == DOOR_PAGES ? pages_is_late(at, now_ns)
                                                 : lines_is_late(at, now_ns))
                        loop_kill(at);
}

struct ticker {
        lws_sorted_usec_list_t timer;
        struct control_server *server;
};

static void on_tick(lws_sorted_usec_list_t *timer)
{
        struct ticker *ticker = lws_container_of(timer, struct ticker, timer);
        struct control_server *server = ticker->server;
        check_connections(server, clock_mono_ns());
        for (int i = 0; i < DOOR_COUNT; i++) {
                struct door *door = &server->doors[i];
                notice_say(&door->full, door, "full, connections were closed", 0);
                notice_say(&door->wrong_key, door, "wrong keys", 0);
                if (door->wsi && door->paused)
                        door_pause(door, false);
        }
        lws_sul_schedule(server->context, 0, &ticker->timer, on_tick, TICK_US);
}

/* The list is changed by this thread only: the lock is for what the owner does meanwhile. */
static void on_wake(struct control_server *server)
{
        pthread_mutex_lock(&server->lock);
        server->woken = false;
        for (struct connection *at = server->connections; at; at = at->next) {
                if (at->overrun)
                        loop_kill(at);
                else if (at->first || at->status)
                        loop_want_write(at);
                if (at->status)
                        loop_want_read(at, true);
        }
        pthread_mutex_unlock(&server->lock);
}

/* The library's callbacks */

static int on_door(struct door *door, struct lws *wsi, enum lws_callback_reasons reason)
{
        if (reason == LWS_CALLBACK_RAW_RX_FILE)
                on_knock(door);
        if (reason == LWS_CALLBACK_RAW_CLOSE_FILE) {
                lws_set_opaque_user_data(wsi, NULL);
                door->wsi = NULL;
        }
        return 0;
}

/* The end of any connection is told to the first protocol as well: who has ended has no user data.
 */
static int on_lines(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
        struct control_server *server = lws_context_user(lws_get_context(wsi));
        (void)user, (void)in, (void)size;
        if (reason == LWS_CALLBACK_EVENT_WAIT_CANCELLED) {
                on_wake(server);
                return 0;
        }
        if (!lws_get_opaque_user_data(wsi))
                return 0;
        struct door *door = door_of(server, wsi);
        if (door)
                return on_door(door, wsi, reason);
        struct connection *connection = lws_get_opaque_user_data(wsi);
        if (reason == LWS_CALLBACK_RAW_RX_FILE || reason == LWS_CALLBACK_RAW_WRITEABLE_FILE)
                return lines_go_on(connection) ? 0 : -1;
        if (reason == LWS_CALLBACK_RAW_CLOSE_FILE) {
                lws_set_opaque_user_data(wsi, NULL);
                connection_end(connection);
        }
        return 0;
}

static int on_pages(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
        struct connection *connection = lws_get_opaque_user_data(wsi);
        (void)user;
        if (!connection)
                return reason == LWS_CALLBACK_HTTP ? -1 : 0;
        if (reason != LWS_CALLBACK_WSI_DESTROY)
                return pages_on_event(wsi, connection, (int)reason, in, size);
        lws_set_opaque_user_data(wsi, NULL);
        connection_end(connection);
        return 0;
}

static void on_log(int level, const char *line)
{
        (void)level;
        log_debug("libwebsockets: %.*s", (int)strcspn(line, "\n"), line);
}

/* The thread */

static bool is_all_sent(struct control_server *server)
{
        bool sent = true;
        pthread_mutex_lock(&server->lock);
        for (struct connection *at = server->connections; at; at = at->next)
                sent = sent && !at->first;
        pthread_mutex_unlock(&server->lock);
        return sent;
}

static void doors_close(struct control_server *server)
{
        for (int i = 0; i < DOOR_COUNT; i++)
                if (server->doors[i].wsi)
                        lws_set_timeout(
                            server->doors[i].wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

/* One round. The library forgets what a plain descriptor asks for while it is being written: so it
 * is asked here, between the rounds. */
static void serve(struct control_server *server)
{
        lws_service(server->context, 0);
        for (struct connection *at = server->connections; at; at = at->next) {
                if (at->wants_write)
                        lws_callback_on_writable(at->wsi);
                at->wants_write = false;
        }
}

static void *run(void *user)
{
        struct control_server *server = user;
        while (!atomic_load(&server->stopping))
                serve(server);
        doors_remove_file(server);
        doors_close(server);
        int64_t end_ns = clock_mono_ns() + CLOSE_MS * NS_PER_MS;
        while (!is_all_sent(server) && clock_mono_ns() < end_ns)
                serve(server);
        return NULL;
}

/* Open and close */

static bool loop_open(struct control_server *server)
{
        static const struct lws_protocols protocols[] = {
            {.name = PAGES, .callback = on_pages},
            {.name = LINES, .callback = on_lines},
            {0},
        };
        struct lws_context_creation_info info = {
            .port = CONTEXT_PORT_NO_LISTEN_SERVER,
            .protocols = protocols,
            .vhost_name = "control",
            .timeout_secs = HEADERS_S,
            .keepalive_timeout = KEEP_S,
            .max_http_header_data = HEADERS_MAX,
            .max_http_header_pool = CONTROL_CONNECTIONS,
            .http_proxy_address = "",
            .server_string = "oblogger",
            .user = server,
            .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        };
        lws_set_log_level(LLL_ERR | LLL_WARN | LLL_NOTICE, on_log);
        server->context = lws_create_context(&info);
        if (!server->context)
                return false;
        server->vhost = lws_create_vhost(server->context, &info);
        if (!server->vhost || !doors_adopt(server))
                return false;
        struct ticker *ticker = memory_new(sizeof(*ticker));
        ticker->server = server;
        server->tick = ticker;
        lws_sul_schedule(server->context, 0, &ticker->timer, on_tick, TICK_US);
        return true;
}

static int doors_open(
    struct control_server *server, const struct control_options *options, struct error *error)
{
        bool tls = options->tls_cert || options->tls_key;
        int code = 0;
        if (options->port && (!options->key || !*options->key))
                return error_set(error, ERR_USAGE, "control port %u: it has no key", options->port);
        if (options->port && tls)
                code = doors_load_tls(server, options, error);
        if (!code && options->socket_path)
                code = door_open_socket(server, options->socket_path, error);
        if (!code && options->port)
                code = door_open_tcp(
                    &server->doors[DOOR_PORT], options->address, options->port, !tls, error);
        if (!code && options->pages_port)
                code = door_open_tcp(&server->doors[DOOR_PAGES], options->pages_address,
                    options->pages_port, false, error);
        return code;
}

static struct control_server *server_new(const struct control_options *options)
{
        struct control_server *server = memory_new(sizeof(*server));
        for (int i = 0; i < DOOR_COUNT; i++) {
                server->doors[i].server = server;
                server->doors[i].kind = (enum door_kind)i;
                server->doors[i].fd = -1;
        }
        server->wake_cb = options->wake_cb;
        server->user = options->user;
        server->json = json_new();
        if (options->key)
                server->key = memory_text(options->key);
        pthread_mutex_init(&server->lock, NULL);
        return server;
}

/* Signals are the owner's: they must not end in a thread that does not look. */
static int thread_start(struct control_server *server)
{
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int failed = pthread_create(&server->thread, NULL, run, server);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return failed;
}

int control_open(
    struct control_server **ret_server, const struct control_options *options, struct error *error)
{
        struct control_server *server = server_new(options);
        int code = doors_open(server, options, error);
        if (!code && !loop_open(server))
                code = error_set(error, ERR_IO, "control: the loop does not start");
        if (!code && thread_start(server))
                code = error_set(error, ERR_IO, "control: no thread");
        if (code) {
                control_close(server);
                return code;
        }
        server->running = true;
        *ret_server = server;
        return 0;
}

/* Descriptors that the loop has are closed by it. */
static void loop_close(struct control_server *server)
{
        bool adopted[DOOR_COUNT] = {false};
        for (int i = 0; i < DOOR_COUNT; i++)
                adopted[i] = server->running || server->doors[i].wsi;
        if (server->context) {
                if (server->tick)
                        lws_sul_cancel(&((struct ticker *)server->tick)->timer);
                lws_context_destroy(server->context);
        }
        for (int i = 0; i < DOOR_COUNT; i++)
                if (!adopted[i] && server->doors[i].fd >= 0)
                        close(server->doors[i].fd);
        free(server->tick);
}

void control_close(struct control_server *server)
{
        struct control_request request;
        if (!server)
                return;
        atomic_store(&server->stopping, true);
        if (server->running) {
                lws_cancel_service(server->context);
                pthread_join(server->thread, NULL);
        } else {
                doors_remove_file(server);
        }
        loop_close(server);
        while (control_take(server, &request))
                buffer_deinit(&request.text);
        if (server->key)
                explicit_bzero(server->key, strlen(server->key));
        free(server->key);
        free(server->socket_path);
        json_free(server->json);
        SSL_CTX_free(server->tls);
        pthread_mutex_destroy(&server->lock);
        free(server);
}
