/* WebSocket sessions. */
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "feed.h"
#include "play.h"

#define NAMES_LIMIT (64u << 10)

bool session_is_path(struct span path)
{
        return span_is(path, "/ws") || span_starts(path, "/ws/") || span_is(path, "/stream") ||
            span_is(path, "/");
}

static size_t find_name(const struct conn *conn, struct span name)
{
        size_t index = 0;
        while (index < conn->name_count && !span_is(name, conn->names[index]))
                index++;
        return index;
}

static void set_wanted(struct conn *conn, struct span name, bool on)
{
        const struct tape *tape = &conn->lab->tape;
        uint32_t stream = tape_find_stream(tape, conn->venue, name);
        if (stream == TAPE_NONE)
                return;
        uint8_t bit = span_is(name, tape->streams[stream].name) ? WANTED_NAME : WANTED_ALIAS;
        conn->wanted[stream] =
            (uint8_t)(on ? conn->wanted[stream] | bit : conn->wanted[stream] & ~bit);
}

int session_subscribe(struct conn *conn, struct span name)
{
        if (find_name(conn, name) < conn->name_count)
                return 0;
        if (conn->name_count == CONN_STREAMS)
                return ERR_FULL;
        conn->names = memory_resize(conn->names, (conn->name_count + 1) * sizeof(char *));
        conn->names[conn->name_count++] = strndup(name.data, name.size);
        set_wanted(conn, name, true);
        play_wake(conn->lab);
        return 0;
}

void session_unsubscribe(struct conn *conn, struct span name)
{
        size_t index = find_name(conn, name);
        if (index == conn->name_count)
                return;
        set_wanted(conn, name, false); /* before the name goes, which may be conn's own */
        free(conn->names[index]);
        memmove(conn->names + index, conn->names + index + 1,
            (--conn->name_count - index) * sizeof(char *));
}

bool session_has_stream(const struct lab *lab, uint32_t stream)
{
        for (const struct conn *conn = lab->conns; conn; conn = conn->next)
                if (conn_is_live(conn) && conn->wanted[stream])
                        return true;
        return false;
}

/* A symbol with two depth streams (full and level2) counts once. */
static bool counts_as_depth(const struct tape *tape, uint32_t index)
{
        const struct stream *stream = &tape->streams[index];
        if (!stream->is_depth || stream->venue == VENUE_BINANCE)
                return stream->is_depth;
        return tape->symbols[stream->symbol].depth_stream == index;
}

static bool has_depth(const struct lab *lab, uint32_t index)
{
        const struct stream *stream = &lab->tape.streams[index];
        if (session_has_stream(lab, index) || stream->venue == VENUE_BINANCE)
                return session_has_stream(lab, index);
        uint32_t other = tape_find_channel(&lab->tape, stream->symbol, CHANNEL_LEVEL2);
        return other != TAPE_NONE && session_has_stream(lab, other);
}

int session_count_all_depth(const struct lab *lab)
{
        int count = 0;
        for (uint32_t i = 0; i < lab->tape.stream_count; i++)
                count += counts_as_depth(&lab->tape, i);
        return count;
}

int session_count_depth(const struct lab *lab)
{
        int count = 0;
        for (uint32_t i = 0; i < lab->tape.stream_count; i++)
                count += counts_as_depth(&lab->tape, i) && has_depth(lab, i);
        return count;
}

static void subscribe_all(struct conn *conn, struct span names)
{
        while (names.size) {
                struct span name = span_cut(&names, "/");
                if (name.size && session_subscribe(conn, name))
                        conn_close(conn, 1008, "Too many streams");
        }
}

static void journal_session(struct conn *conn)
{
        struct journal *journal = &conn->lab->journal;
        if (journal->fd < 0)
                return;
        journal_begin(journal, "websocket");
        journal_number(journal, "conn", conn->number);
        buffer_printf(
            &journal->text, ",\"combined\":%s,\"streams\":[", conn->combined ? "true" : "false");
        for (size_t i = 0; i < conn->name_count; i++) {
                struct span name = {conn->names[i], strlen(conn->names[i])};
                buffer_append_text(&journal->text, i ? "," : "");
                journal_quote(&journal->text, name, false);
        }
        buffer_append_text(&journal->text, "]");
        journal_end(journal);
}

void session_begin(struct conn *conn, const struct request *request)
{
        struct buffer names;
        buffer_init(&names, NAMES_LIMIT);
        conn->is_ws = true;
        conn->websocket = ++conn->lab->websocket_count;
        conn->undecided = span_is(request->path, "/");
        conn->venue = conn->undecided ? VENUE_EXCHANGE : VENUE_BINANCE;
        conn->upgraded_ns = clock_mono_ns();
        conn->combined = span_is(request->path, "/stream");
        conn->ping_at_ns = clock_mono_ns() + conn->lab->options.ping_interval_ns;
        if (conn->combined)
                http_query(request->query, "streams", &names);
        else if (span_starts(request->path, "/ws/"))
                http_decode((struct span){request->path.data + 4, request->path.size - 4}, &names);
        subscribe_all(conn, (struct span){(char *)names.data, names.size});
        buffer_deinit(&names);
        journal_session(conn);
}

/* More frames within a second than the venue takes end the connection. */
static bool too_many_frames(struct conn *conn)
{
        static const size_t most[] = {CONN_FRAMES_PER_S, CONN_FRAMES_MOST, 8};
        const size_t room = most[conn->venue] + 1;
        int64_t now_ns = clock_mono_ns();
        conn->frame_times[conn->frame_count++ % room] = now_ns;
        return conn->frame_count >= room &&
            now_ns - conn->frame_times[conn->frame_count % room] < NS_PER_S;
}

static void take_pong(struct conn *conn, struct span payload)
{
        bool match = conn->ping_open && span_is(payload, conn->ping);
        if (match)
                conn->ping_open = false;
        journal_line(&conn->lab->journal, "pong", ",\"conn\":%u,\"match\":%s", conn->number,
            match ? "true" : "false");
}

static size_t frame_max(const struct conn *conn)
{
        return conn->venue == VENUE_BINANCE ? CONN_FRAME_MAX + JSON_PADDING : FEED_FRAME_MAX;
}

static void take_text(struct conn *conn, const struct frame *frame)
{
        if (!conn->half_message)
                buffer_clear(&conn->message);
        buffer_append(&conn->message, frame->payload.data, frame->payload.size);
        conn->half_message = !frame->is_final;
        if (conn->message.failed || conn->message.size > frame_max(conn))
                conn->frozen = true;
        if (conn->frozen || !frame->is_final)
                return;
        if (conn->venue == VENUE_BINANCE)
                command_take(conn);
        else
                feed_take(conn);
}

static void take_frame(struct conn *conn, const struct frame *frame)
{
        if (frame->code == FRAME_CLOSE) {
                if (!conn->closing_ns)
                        conn_frame(conn, FRAME_CLOSE,
                            (struct span){frame->payload.data, frame->payload.size < 2 ? 0 : 2});
                conn_finish(conn, "peer");
                return;
        }
        if (too_many_frames(conn)) {
                conn_close(conn, 1008, conn->venue ? "ErrSlowRead" : "Too many requests");
                return;
        }
        if (frame->code == FRAME_PING)
                conn_frame(conn, FRAME_PONG, frame->payload);
        else if (frame->code == FRAME_PONG)
                take_pong(conn, frame->payload);
        else
                take_text(conn, frame);
}

static void freeze(struct conn *conn, size_t size)
{
        conn->frozen = true;
        journal_line(
            &conn->lab->journal, "freeze", ",\"conn\":%u,\"bytes\":%zu", conn->number, size);
}

static void consume(struct conn *conn, size_t size)
{
        memmove(conn->in.data, conn->in.data + size, conn->in.size - size);
        conn->in.size -= size;
}

/* Pass over what is left of an oversized frame; false while more of it has to come. */
static bool skip_done(struct conn *conn)
{
        size_t size = conn->skip < conn->in.size ? conn->skip : conn->in.size;
        consume(conn, size);
        conn->skip -= size;
        return !conn->skip;
}

void session_received(struct conn *conn)
{
        struct frame frame;
        while (conn->in.size && skip_done(conn) && !conn->dropping) {
                int result = frame_parse(conn->in.data, conn->in.size, &frame);
                if (result < 0) {
                        conn_close(conn, 1002, "Protocol error");
                        buffer_clear(&conn->in);
                        return;
                }
                if (conn->venue != VENUE_BINANCE && frame.size > FEED_FRAME_MAX) {
                        conn_close(conn, 1009, "Message too big");
                        buffer_clear(&conn->in);
                        return;
                }
                if (conn->venue == VENUE_BINANCE && frame.size > CONN_FRAME_MAX) {
                        freeze(conn, frame.size);
                        conn->skip = frame.size;
                        continue;
                }
                if (!result)
                        return;
                take_frame(conn, &frame);
                consume(conn, frame.size);
        }
}

static void ping(struct conn *conn, int64_t now_ns)
{
        struct lab *lab = conn->lab;
        snprintf(conn->ping, sizeof(conn->ping), "%013" PRId64, clock_wall_ns() / NS_PER_MS);
        conn->ping_open = true;
        conn->ping_sent_ns = now_ns;
        conn->ping_at_ns = now_ns + lab->options.ping_interval_ns;
        journal_line(&lab->journal, "ping", ",\"conn\":%u", conn->number);
        conn_frame(conn, FRAME_PING, (struct span){conn->ping, strlen(conn->ping)});
}

void session_tick(struct conn *conn, int64_t now_ns)
{
        if (conn->ping_open && now_ns - conn->ping_sent_ns > conn->lab->options.pong_timeout_ns)
                conn_close(conn, 1008, "Pong timeout");
        else if (now_ns >= conn->ping_at_ns && !conn->ping_open)
                ping(conn, now_ns);
        if (conn->venue != VENUE_BINANCE && conn_is_live(conn))
                feed_tick(conn, now_ns);
}
