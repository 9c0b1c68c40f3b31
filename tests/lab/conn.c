/* Connections: libwebsockets' raw sockets below, HTTP and WebSocket sessions above. */
#include "conn.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/ssl.h>

#include "feed.h"
#include "http.h"
#include "play.h"
#include "session.h"

#define CHUNK (64u << 10)
#define IN_LIMIT (1u << 20)
#define OUT_LIMIT (192u << 20)
#define CLOSE_WAIT_NS NS_PER_S

size_t conn_queued(const struct conn *conn)
{
        return conn->out.size - conn->out_at;
}

bool conn_is_stalled(const struct conn *conn)
{
        return conn->stalled_until_ns > 0;
}

bool conn_is_live(const struct conn *conn)
{
        return conn->is_ws && !conn->gone && !conn->dropping && !conn->closing_ns;
}

static void compact(struct conn *conn)
{
        size_t left = conn_queued(conn);
        if (left && (conn->out_at < CHUNK || conn->out_at < left))
                return;
        memmove(conn->out.data, conn->out.data + conn->out_at, left);
        conn->out.size = left;
        conn->out_at = 0;
}

void conn_write(struct conn *conn, struct span bytes)
{
        if (conn->gone)
                return;
        if (conn->out_at)
                compact(conn);
        buffer_append(&conn->out, bytes.data, bytes.size);
        conn->out_total += bytes.size;
        if (conn->out.failed)
                conn_cut(conn, "queue");
        else if (!conn_is_stalled(conn))
                lws_callback_on_writable(conn->wsi);
}

void conn_frame(struct conn *conn, enum frame_code code, struct span payload)
{
        uint8_t room[16];
        struct buffer head = {.data = room, .capacity = sizeof(room), .limit = sizeof(room)};
        frame_append_head(&head, code, payload.size);
        conn_write(conn, (struct span){(char *)room, head.size});
        conn_write(conn, payload);
}

void conn_mark(struct conn *conn, const struct mark *mark)
{
        if (conn->mark_at == conn->mark_count)
                conn->mark_at = conn->mark_count = 0;
        if (!(conn->mark_count & (conn->mark_count - 1)) || !conn->marks)
                conn->marks = memory_resize(
                    conn->marks, (conn->mark_count ? conn->mark_count * 2 : 1) * sizeof(*mark));
        conn->marks[conn->mark_count] = *mark;
        conn->marks[conn->mark_count++].end = conn->out_total;
}

static void journal_sent(struct conn *conn, const struct mark *mark)
{
        struct journal *journal = &conn->lab->journal;
        const struct stream *stream = mark->made ? NULL : &conn->lab->tape.streams[mark->stream];
        if (journal->fd < 0)
                return;
        journal_begin(journal, "sent");
        journal_number(journal, "conn", conn->number);
        buffer_printf(&journal->text, ",\"stream\":\"%s\",\"seq\":%" PRIu64,
            mark->made ? mark->made : stream->name, mark->sequence);
        if (mark->venue_sequence)
                journal_number(journal, "sequence", mark->venue_sequence);
        if (mark->turn >= 0)
                journal_number(journal, "sequence_num", mark->turn);
        if (mark->by_alias)
                buffer_printf(&journal->text, ",\"as\":\"%s\"", stream->alias);
        if (mark->fault)
                buffer_printf(&journal->text, ",\"fault\":\"%s\"", mark->fault);
        if (mark->altered.data) {
                buffer_append_text(&journal->text, ",\"raw\":");
                journal_quote(&journal->text, mark->altered, mark->is_binary);
        }
        journal_end(journal);
}

/* Everything whose last byte is among the first @total bytes is about to be sent. */
static void pass_marks(struct conn *conn, uint64_t total, bool sent)
{
        while (conn->mark_at < conn->mark_count && conn->marks[conn->mark_at].end <= total) {
                struct mark *mark = &conn->marks[conn->mark_at++];
                if (sent)
                        journal_sent(conn, mark);
                free((void *)(uintptr_t)mark->altered.data);
                free(mark->made);
        }
}

/* TLS says goodbye here: libwebsockets closes a raw socket without it. */
static int end(struct conn *conn)
{
        if (!conn->lab->options.plain)
                SSL_shutdown(lws_get_ssl(conn->wsi));
        return -1;
}

static int write_some(struct conn *conn)
{
        size_t size = conn_queued(conn);
        if (conn->gone)
                return -1;
        if (!size && conn->dropping)
                return end(conn);
        if (!size || conn_is_stalled(conn))
                return 0;
        size = size < CHUNK ? size : CHUNK;
        pass_marks(conn, conn->out_total - conn_queued(conn) + size, true);
        journal_flush(&conn->lab->journal);
        int count = lws_write(conn->wsi, conn->out.data + conn->out_at, size, LWS_WRITE_RAW);
        if (count < 0)
                return -1;
        conn->out_at += (size_t)count;
        if (conn_queued(conn) || conn->dropping)
                lws_callback_on_writable(conn->wsi);
        if (conn_queued(conn) < CONN_QUEUE_FAST / 2)
                play_wake(conn->lab);
        return 0;
}

void conn_close(struct conn *conn, unsigned code, const char *reason)
{
        char payload[125] = {(char)(code >> 8), (char)code};
        size_t size = strlen(reason) < 120 ? strlen(reason) : 120;
        if (conn->closing_ns || conn->gone || conn->dropping)
                return;
        memcpy(payload + 2, reason, size);
        conn_frame(conn, FRAME_CLOSE, (struct span){payload, size + 2});
        conn->closing_ns = clock_mono_ns();
        conn->closed_by = reason;
}

void conn_finish(struct conn *conn, const char *reason)
{
        if (!conn->closed_by)
                conn->closed_by = reason;
        conn->dropping = true;
        lws_callback_on_writable(conn->wsi);
}

/* Connecting a TCP socket to nowhere resets it at once, below TLS and its close notice. */
void conn_cut(struct conn *conn, const char *reason)
{
        struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
        if (conn->gone)
                return;
        conn->gone = true;
        conn->closed_by = reason;
        if (connect(lws_get_socket_fd(conn->wsi), &nowhere, sizeof(nowhere)))
                lwsl_notice("a connection could not be reset\n");
        lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

void conn_stall(struct conn *conn, int64_t ns, bool loses)
{
        conn->stalled_until_ns = clock_mono_ns() + ns;
        conn->stall_loses = loses;
        lws_rx_flow_control(conn->wsi, 0);
}

static void stall_end(struct conn *conn, int64_t now_ns)
{
        conn->stalled_until_ns = 0;
        conn->ping_open = false;
        conn->ping_at_ns = now_ns + conn->lab->options.ping_interval_ns;
        lws_rx_flow_control(conn->wsi, 1);
        lws_callback_on_writable(conn->wsi);
        journal_line(&conn->lab->journal, "stall-end", ",\"conn\":%u", conn->number);
}

static void tick_one(struct conn *conn, int64_t now_ns)
{
        if (conn->gone)
                return;
        if (conn->later_ns && now_ns >= conn->later_ns)
                http_send_late(conn);
        if (conn_is_stalled(conn)) {
                if (now_ns >= conn->stalled_until_ns)
                        stall_end(conn, now_ns);
                return;
        }
        if (conn->closing_ns && now_ns - conn->closing_ns > CLOSE_WAIT_NS)
                conn_finish(conn, NULL);
        if (conn->dropping && conn->closing_ns && now_ns - conn->closing_ns > 3 * CLOSE_WAIT_NS)
                conn_cut(conn, conn->closed_by);
        if (now_ns - conn->opened_ns > conn->lab->options.life_ns)
                conn_finish(conn, "life");
        if (conn->shutdown_ns && now_ns >= conn->shutdown_ns)
                conn_close(conn, 1001, "shutdown");
        if (conn_is_live(conn))
                session_tick(conn, now_ns);
        if (conn->lab->options.speed > 0 && conn_queued(conn) > CONN_QUEUE_PACED)
                conn_cut(conn, "queue");
}

void conn_tick(struct lab *lab, int64_t now_ns)
{
        for (struct conn *conn = lab->conns; conn; conn = conn->next)
                tick_one(conn, now_ns);
}

static void conn_open(struct lab *lab, struct lws *wsi, struct conn **session)
{
        struct conn *conn = memory_new(sizeof(*conn));
        conn->lab = lab;
        conn->wsi = wsi;
        conn->number = ++lab->conn_count;
        conn->opened_ns = clock_mono_ns();
        buffer_init(&conn->in, IN_LIMIT);
        buffer_init(&conn->message, FEED_FRAME_MAX + JSON_PADDING);
        buffer_init(&conn->out, OUT_LIMIT);
        buffer_init(&conn->late, OUT_LIMIT);
        conn->next = lab->conns;
        lab->conns = conn;
        *session = conn;
        journal_line(&lab->journal, "open", ",\"conn\":%u", conn->number);
}

static void conn_free(struct conn *conn)
{
        struct conn **link = &conn->lab->conns;
        while (*link != conn)
                link = &(*link)->next;
        *link = conn->next;
        journal_line(&conn->lab->journal, "close", ",\"conn\":%u,\"by\":\"%s\",\"unsent\":%zu",
            conn->number, conn->closed_by ? conn->closed_by : "peer", conn_queued(conn));
        pass_marks(conn, UINT64_MAX, false);
        for (size_t i = 0; i < conn->name_count; i++)
                free(conn->names[i]);
        free(conn->names);
        free(conn->marks);
        buffer_deinit(&conn->in);
        buffer_deinit(&conn->message);
        buffer_deinit(&conn->out);
        buffer_deinit(&conn->late);
        play_wake(conn->lab);
        free(conn);
}

static int received(struct conn *conn, const void *data, size_t size)
{
        if (conn->gone)
                return -1;
        if (conn->dropping)
                return 0;
        buffer_append(&conn->in, data, size);
        if (conn->in.failed)
                return -1;
        lws_set_timeout(conn->wsi, NO_PENDING_TIMEOUT, 0); /* the TLS handshake left one */
        if (!conn->is_ws)
                http_received(conn);
        if (conn->is_ws)
                session_received(conn);
        return conn->gone ? -1 : 0;
}

static int conn_cb(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
        struct conn **session = user;
        switch (reason) {
        case LWS_CALLBACK_RAW_ADOPT:
                conn_open(lws_context_user(lws_get_context(wsi)), wsi, session);
                return 0;
        case LWS_CALLBACK_RAW_RX:
                return session && *session ? received(*session, in, size) : -1;
        case LWS_CALLBACK_RAW_WRITEABLE:
                return session && *session ? write_some(*session) : -1;
        case LWS_CALLBACK_RAW_CLOSE:
                if (session && *session)
                        conn_free(*session);
                if (session)
                        *session = NULL;
                return 0;
        default:
                return 0;
        }
}

const struct lws_protocols conn_protocols[] = {
    {.name = "lab",
        .callback = conn_cb,
        .per_session_data_size = sizeof(struct conn *),
        .rx_buffer_size = CHUNK,
        .tx_packet_size = CHUNK},
    {0},
};
