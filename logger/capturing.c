/* The real world outside, and every input from it kept (capture/).
 *
 * What is kept must give the same run again (rederive.c): so each input has one moment, at which
 * the clock is read for all that comes of it, and its line is added before it is acted upon. That a
 * frame came is told together with the message that it brought: one line says both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "logger/answer_text.h"
#include "logger/app.h"
#include "logger/notes.h"

#define CONNECTIONS_MAX 256 /* more than all sites have */

/* A request under way, by its number. */
struct asked {
        const char *exchange;
        char *url;
};

struct capturing {
        struct network base;
        struct network *inner;
        struct capture *capture;
        const struct feed_callbacks *callbacks;
        void *user;
        int64_t mono_ns, wall_ns; /* of the input in hand */
        bool in_input;
        uint32_t alive; /* a frame came on it, and what it brings is still to be seen; 0: none */
        int64_t alive_mono_ns, alive_wall_ns;
        struct {
                uint32_t number;
                const char *exchange;
        } connections[CONNECTIONS_MAX];
        struct asked *asked;
        size_t asked_count;
        struct buffer text;
        int64_t second_ns; /* the next turn at which the owner commits what it recorded */
        bool flush_due;    /* ... was that turn */
};

static struct capturing *capturing_of(struct network *network)
{
        return (struct capturing *)network;
}

static const char *exchange_of(const struct capturing *capturing, uint32_t number)
{
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
                if (number && capturing->connections[i].number == number)
                        return capturing->connections[i].exchange;
        }
        return CAPTURE_LOOP;
}

static void connection_note(struct capturing *capturing, uint32_t number, const char *exchange)
{
        size_t at = 0;
        while (at + 1 < CONNECTIONS_MAX && capturing->connections[at].number)
                at++;
        capturing->connections[at].number = number;
        capturing->connections[at].exchange = exchange;
}

static void connection_forget(struct capturing *capturing, uint32_t number)
{
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
                if (capturing->connections[i].number == number)
                        capturing->connections[i].number = 0;
        }
}

static void add(struct capturing *capturing, const char *exchange, enum capture_kind kind,
    uint32_t connection, int64_t number, struct bytes text)
{
        capture_add(capturing->capture, exchange,
            (struct capture_line){.kind = kind,
                .mono_ns = capturing->mono_ns,
                .wall_ns = capturing->wall_ns,
                .connection = connection,
                .number = number,
                .text = text});
}

/* ---- inputs ---- */

static void input_begin(struct capturing *capturing)
{
        capturing->mono_ns = clock_mono_ns();
        capturing->wall_ns = clock_wall_ns();
        capturing->in_input = true;
}

static void input_end(struct capturing *capturing)
{
        capturing->in_input = false;
}

/* The frame brought no message: it is told by itself. */
static void settle_alive(struct capturing *capturing)
{
        uint32_t number = capturing->alive;
        if (!number)
                return;
        capturing->alive = 0;
        capturing->mono_ns = capturing->alive_mono_ns;
        capturing->wall_ns = capturing->alive_wall_ns;
        capturing->in_input = true;
        add(capturing, exchange_of(capturing, number), CAPTURE_ALIVE, number, 0,
            (struct bytes){NULL, 0});
        capturing->callbacks->alive_cb(number, capturing->user);
        input_end(capturing);
}

static void open_cb(uint32_t number, void *user)
{
        struct capturing *capturing = user;
        settle_alive(capturing);
        input_begin(capturing);
        add(capturing, exchange_of(capturing, number), CAPTURE_OPEN, number, 0,
            (struct bytes){NULL, 0});
        capturing->callbacks->open_cb(number, capturing->user);
        input_end(capturing);
}

static void alive_cb(uint32_t number, void *user)
{
        struct capturing *capturing = user;
        settle_alive(capturing);
        capturing->alive = number;
        capturing->alive_mono_ns = clock_mono_ns();
        capturing->alive_wall_ns = clock_wall_ns();
}

/* It came with the frame that was just told of. */
static void message_cb(
    uint32_t number, char *text, size_t size, int64_t receive_time_ns, void *user)
{
        struct capturing *capturing = user;
        capturing->alive = 0;
        capturing->mono_ns = capturing->alive_mono_ns;
        capturing->wall_ns = capturing->alive_wall_ns;
        capturing->in_input = true;
        add(capturing, exchange_of(capturing, number), CAPTURE_MESSAGE, number, receive_time_ns,
            (struct bytes){(const uint8_t *)text, size});
        capturing->callbacks->alive_cb(number, capturing->user);
        capturing->callbacks->message_cb(number, text, size, receive_time_ns, capturing->user);
        input_end(capturing);
}

static struct bytes bytes_of(const char *text)
{
        return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void refused_cb(uint32_t number, size_t size, const char *reason, void *user)
{
        struct capturing *capturing = user;
        settle_alive(capturing);
        input_begin(capturing);
        add(capturing, exchange_of(capturing, number), CAPTURE_REFUSED, number, (int64_t)size,
            bytes_of(reason));
        capturing->callbacks->refused_cb(number, size, reason, capturing->user);
        input_end(capturing);
}

static void closed_cb(uint32_t number, const char *reason, void *user)
{
        struct capturing *capturing = user;
        settle_alive(capturing);
        input_begin(capturing);
        add(capturing, exchange_of(capturing, number), CAPTURE_CLOSED, number, 0, bytes_of(reason));
        connection_forget(capturing, number);
        capturing->callbacks->closed_cb(number, reason, capturing->user);
        input_end(capturing);
}

static void tick_cb(void *user)
{
        struct capturing *capturing = user;
        settle_alive(capturing);
        capturing->callbacks->tick_cb(capturing->user);
}

static const struct feed_callbacks feed_side = {.open_cb = open_cb,
    .message_cb = message_cb,
    .refused_cb = refused_cb,
    .alive_cb = alive_cb,
    .closed_cb = closed_cb,
    .tick_cb = tick_cb};

/* ---- what the owner sees ---- */

static void capturing_close(struct network *network)
{
        struct capturing *capturing = capturing_of(network);
        if (capturing->inner)
                capturing->inner->ops->close(capturing->inner);
        capture_close(capturing->capture);
        buffer_deinit(&capturing->text);
        for (size_t i = 0; i < capturing->asked_count; i++)
                free(capturing->asked[i].url);
        free(capturing->asked);
        free(capturing);
}

static int capturing_open(
    struct network **ret_network, const struct network_options *options, struct error *error)
{
        struct capturing *capturing = memory_new(sizeof(*capturing));
        struct network_options inner = *options;
        capturing->base.ops = &network_capturing;
        capturing->callbacks = options->callbacks;
        capturing->user = options->user;
        inner.callbacks = &feed_side;
        inner.user = capturing;
        buffer_init(&capturing->text, LIMIT_REST_BODY); /* what a line can hold */
        input_begin(capturing); /* until the loop runs: the run's start is one moment */
        int code = network_sockets.open(&capturing->inner, &inner, error);
        if (!code)
                code = capture_open(&capturing->capture, options->capture, capturing->mono_ns,
                    capturing->wall_ns, error);
        if (code)
                capturing_close(&capturing->base);
        else
                *ret_network = &capturing->base;
        return code;
}

static void capturing_now(struct network *network, int64_t *ret_mono_ns, int64_t *ret_wall_ns)
{
        struct capturing *capturing = capturing_of(network);
        if (!capturing->in_input) {
                settle_alive(capturing);
                capturing->mono_ns = clock_mono_ns();
                capturing->wall_ns = clock_wall_ns();
        }
        *ret_mono_ns = capturing->mono_ns;
        *ret_wall_ns = capturing->wall_ns;
}

/* As the note that is stored of it. */
static int capturing_clock(struct network *network, struct clock_state *ret_state)
{
        struct capturing *capturing = capturing_of(network);
        int code = capturing->inner->ops->clock(capturing->inner, ret_state);
        if (code)
                return code;
        struct note_record note = note_of_clock(ret_state);
        buffer_clear(&capturing->text);
        note_write(&capturing->text, &note);
        add(capturing, CAPTURE_LOOP, CAPTURE_CLOCK, 0, 0, buffer_bytes(&capturing->text));
        return 0;
}

static uint32_t capturing_connect(struct network *network, const char *exchange,
    const struct feed_target *target, struct error *error)
{
        struct capturing *capturing = capturing_of(network);
        struct error why = {0};
        uint32_t number = capturing->inner->ops->connect(capturing->inner, exchange, target, &why);
        if (number)
                connection_note(capturing, number, exchange);
        else
                error_set(error, why.code, "%s", why.text);
        add(capturing, exchange, CAPTURE_CONNECT, number, 0, bytes_of(number ? "" : why.text));
        return number;
}

static int capturing_send(
    struct network *network, uint32_t connection, const char *text, size_t size)
{
        struct network *inner = capturing_of(network)->inner;
        return inner->ops->send(inner, connection, text, size);
}

static void capturing_disconnect(struct network *network, uint32_t connection, const char *reason)
{
        struct network *inner = capturing_of(network)->inner;
        inner->ops->disconnect(inner, connection, reason);
}

static void asked_note(
    struct capturing *capturing, uint64_t id, const char *exchange, const char *url)
{
        if (id >= capturing->asked_count) {
                size_t count = (size_t)id + 64;
                capturing->asked =
                    memory_resize(capturing->asked, count * sizeof(*capturing->asked));
                memset(capturing->asked + capturing->asked_count, 0,
                    (count - capturing->asked_count) * sizeof(*capturing->asked));
                capturing->asked_count = count;
        }
        free(capturing->asked[id].url);
        capturing->asked[id] = (struct asked){exchange, memory_text(url)};
}

static int capturing_get(struct network *network, const char *exchange, uint64_t id,
    const char *url, const char *headers)
{
        struct capturing *capturing = capturing_of(network);
        asked_note(capturing, id, exchange, url);
        return capturing->inner->ops->get(capturing->inner, exchange, id, url, headers);
}

static int capturing_resolve(struct network *network, uint64_t id, const char *host)
{
        struct capturing *capturing = capturing_of(network);
        asked_note(capturing, id, CAPTURE_LOOP, host);
        return capturing->inner->ops->resolve(capturing->inner, id, host);
}

/* What cannot be kept did not come: so the run that is made again is the same. */
static void refuse_answer(struct rest_answer *answer)
{
        buffer_clear(&answer->body);
        answer->code = ERR_FULL;
        snprintf(answer->text, sizeof(answer->text), "the answer is beyond what a capture keeps");
}

static bool capturing_take(struct network *network, struct rest_answer *ret_answer)
{
        struct capturing *capturing = capturing_of(network);
        if (!capturing->inner->ops->take(capturing->inner, ret_answer))
                return false;
        const struct asked *asked = &capturing->asked[ret_answer->id];
        answer_write(ret_answer, asked->url, &capturing->text);
        if (capturing->text.failed) {
                refuse_answer(ret_answer);
                answer_write(ret_answer, asked->url, &capturing->text);
        }
        add(capturing, asked->exchange, CAPTURE_ANSWER, (uint32_t)ret_answer->status,
            (int64_t)ret_answer->id, buffer_bytes(&capturing->text));
        return true;
}

static int capturing_run(struct network *network)
{
        struct capturing *capturing = capturing_of(network);
        input_end(capturing);
        if (capturing->flush_due)
                capture_flush(capturing->capture);
        capturing->flush_due = false;
        int code = capturing->inner->ops->run(capturing->inner);
        settle_alive(capturing);
        return code;
}

static void capturing_wake(struct network *network)
{
        struct network *inner = capturing_of(network)->inner;
        inner->ops->wake(inner);
}

static bool capturing_woken(struct network *network)
{
        struct network *inner = capturing_of(network)->inner;
        return inner->ops->woken(inner);
}

static void capturing_note(
    struct network *network, enum capture_kind kind, int64_t number, struct bytes text)
{
        struct capturing *capturing = capturing_of(network);
        add(capturing, CAPTURE_LOOP, kind, 0, number, text);
        if (kind != CAPTURE_TURN || capturing->mono_ns < capturing->second_ns)
                return;
        capturing->flush_due = true; /* with the store: what that has, a kill leaves here too */
        capturing->second_ns = capturing->mono_ns + NS_PER_S;
}

const struct network_ops network_capturing = {.live = true,
    .open = capturing_open,
    .close = capturing_close,
    .now = capturing_now,
    .clock = capturing_clock,
    .connect = capturing_connect,
    .send = capturing_send,
    .disconnect = capturing_disconnect,
    .get = capturing_get,
    .resolve = capturing_resolve,
    .take = capturing_take,
    .run = capturing_run,
    .wake = capturing_wake,
    .woken = capturing_woken,
    .note = capturing_note};
