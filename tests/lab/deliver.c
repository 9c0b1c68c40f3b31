/* Delivers messages, whole or as the faults have them. */
#include "deliver.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "fault.h"
#include "products.h"

#define GARBAGE_SIZE 200

/* A message that comes late: at @due_ns, or after the next one of its stream. */
struct held {
        struct held *next;
        int64_t due_ns;
        struct emission emission;
        struct plan plan;
        struct turn *turns; /* of Advanced Trade: the connections' numbers for it */
        size_t turn_count;
        char *made; /* of a made message: what it is called */
};

struct turn {
        unsigned conn;
        uint64_t number;
};

#define AFTER_NEXT INT64_MAX

static struct span span_of(const struct buffer *text)
{
        return (struct span){(char *)text->data, text->size};
}

/* Of Advanced Trade: the text with the connection's own sequence_num. */
static void print_turn(
    const struct conn *conn, const struct emission *emission, struct span data, struct buffer *text)
{
        size_t after = emission->turn_offset + emission->turn_size;
        buffer_append(text, data.data, emission->turn_offset);
        buffer_printf(text, "%" PRIu64, conn->turn);
        buffer_append(text, data.data + after, data.size - after);
}

static void print_envelope(
    const struct conn *conn, const char *stream, struct span data, struct buffer *text)
{
        if (conn->combined) {
                buffer_append_text(text, "{\"stream\":\"");
                buffer_append_text(text, stream);
                buffer_append_text(text, "\",\"data\":");
        }
        buffer_append(text, data.data, data.size);
        if (conn->combined)
                buffer_append_text(text, "}");
}

static void print_payload(const struct conn *conn, const char *name,
    const struct emission *emission, struct span data, struct buffer *text)
{
        if (emission->turn_size)
                print_turn(conn, emission, data, text);
        else
                print_envelope(conn, name, data, text);
}

/* Where a level goes into a depth message, and how it is written there. */
static const struct crossing {
        enum venue venue;
        enum channel channel;
        const char *place;
        const char *before;
        const char *after;
} crossings[] = {
    {VENUE_BINANCE, CHANNEL_NONE, "\"b\":[", "[\"", "\",\"1.00000000\"]"},
    {VENUE_EXCHANGE, CHANNEL_LEVEL2, "\"changes\":[", "[\"buy\",\"", "\",\"1.00000000\"]"},
    {VENUE_ADVANCED, CHANNEL_LEVEL2, "\"updates\":[",
        "{\"side\":\"bid\",\"event_time\":\"1970-01-01T00:00:00Z\",\"price_level\":\"",
        "\",\"new_quantity\":\"1.00000000\"}"},
    {VENUE_EXCHANGE, CHANNEL_FULL, "\"price\":\"", "", ""},
};

static const struct crossing *crossing_of(const struct stream *stream)
{
        for (size_t i = 0; i < sizeof(crossings) / sizeof(crossings[0]); i++)
                if (crossings[i].venue == stream->venue && crossings[i].channel == stream->channel)
                        return &crossings[i];
        return NULL;
}

/* A bid above the best ask goes in front of the event's own levels; an order to buy that opens
 * (full) has its price raised. */
static void print_crossed(struct lab *lab, const struct emission *emission, struct buffer *text)
{
        const struct stream *stream = &lab->tape.streams[emission->stream];
        struct replica *replica = &lab->player.replicas[emission->symbol];
        const struct symbol *symbol = replica->symbol;
        const struct crossing *crossing = crossing_of(stream);
        struct span text_left = emission->text;
        replica_advance(replica);
        size_t slot = replica_best_ask(replica) + 1;
        struct span head = span_cut(&text_left, crossing->place);
        if (slot >= symbol->price_count || !text_left.size) {
                buffer_append(text, emission->text.data, emission->text.size);
                return;
        }
        if (stream->channel == CHANNEL_FULL)
                span_cut(&text_left, "\"");
        buffer_append(text, head.data, head.size);
        buffer_printf(text, "%s%s%.*s%s%s", crossing->place, crossing->before,
            (int)symbol->prices[slot].size, symbol->prices[slot].data, crossing->after,
            stream->channel == CHANNEL_FULL ? "\""
                : text_left.data[0] == ']'  ? ""
                                            : ",");
        buffer_append(text, text_left.data, text_left.size);
}

static void print_padded(struct span data, int64_t bytes, struct buffer *text)
{
        buffer_append(text, data.data, data.size - 1);
        buffer_append_text(text, ",\"pad\":\"");
        uint8_t *pad = buffer_reserve(text, (size_t)bytes);
        if (pad) {
                memset(pad, 'x', (size_t)bytes);
                text->size += (size_t)bytes;
        }
        buffer_append_text(text, "\"}");
}

static void print_garbage(struct lab *lab, bool is_binary, struct buffer *text)
{
        for (int i = 0; i < GARBAGE_SIZE; i++) {
                uint64_t random = fault_random(lab) >> 32;
                buffer_append_byte(
                    text, is_binary ? (uint8_t)random : (uint8_t)(' ' + random % ('~' - ' ')));
        }
}

/* The payload as the fault has it. */
static void print_altered(struct lab *lab, const struct conn *conn, const char *name,
    const struct emission *emission, const struct fault *fault, struct buffer *text)
{
        struct buffer data;
        buffer_init(&data, CONN_QUEUE_PACED);
        if (fault->action == FAULT_GARBAGE && !fault->extra) {
                print_garbage(lab, fault->binary, text);
        } else if (fault->action == FAULT_CROSSED) {
                print_crossed(lab, emission, &data);
                print_payload(conn, name, emission, span_of(&data), text);
        } else if (fault->action == FAULT_OVERSIZED && fault->pad) {
                print_padded(emission->text, fault->bytes, &data);
                print_payload(conn, name, emission, span_of(&data), text);
        } else {
                print_payload(conn, name, emission, emission->text, text);
        }
        if (fault->action == FAULT_TRUNCATE)
                text->size /= 2;
        buffer_deinit(&data);
}

/* A frame of its own that no recorder knows, in front of the message. */
static void send_oversized(struct conn *conn, const struct fault *fault)
{
        struct buffer data, text;
        buffer_init(&data, CONN_QUEUE_PACED);
        buffer_init(&text, CONN_QUEUE_PACED);
        print_padded((struct span){"{\"e\":\"labUnknown\"}", 18}, fault->bytes, &data);
        print_envelope(conn, "!lab", (struct span){(char *)data.data, data.size}, &text);
        conn_frame(conn, FRAME_TEXT, (struct span){(char *)text.data, text.size});
        buffer_deinit(&data);
        buffer_deinit(&text);
}

static void send_garbage(struct conn *conn, const struct fault *fault)
{
        struct buffer text;
        buffer_init(&text, CONN_QUEUE_PACED);
        print_garbage(conn->lab, fault->binary, &text);
        conn_frame(conn, fault->binary ? FRAME_BINARY : FRAME_TEXT,
            (struct span){(char *)text.data, text.size});
        buffer_deinit(&text);
}

static void send_altered(struct conn *conn, struct mark *mark, const struct emission *emission,
    const char *name, const struct plan *plan)
{
        struct buffer text;
        const struct fault *fault = plan->alter;
        bool more_garbage = fault->action == FAULT_GARBAGE && fault->extra;
        bool is_binary = fault->action == FAULT_GARBAGE && fault->binary && !more_garbage;
        bool extra = more_garbage || (fault->action == FAULT_OVERSIZED && !fault->pad);
        buffer_init(&text, CONN_QUEUE_PACED);
        if (more_garbage)
                send_garbage(conn, fault);
        else if (extra)
                send_oversized(conn, fault);
        print_altered(conn->lab, conn, name, emission, fault, &text);
        conn_frame(conn, is_binary ? FRAME_BINARY : FRAME_TEXT,
            (struct span){(char *)text.data, text.size});
        mark->is_binary = is_binary;
        if ((extra && !mark->made) || conn->lab->journal.fd < 0)
                buffer_deinit(&text);
        else
                mark->altered = (struct span){(char *)text.data, text.size};
        conn_mark(conn, mark);
}

static void send_one(
    struct conn *conn, const struct emission *emission, bool by_alias, const struct plan *plan)
{
        const struct stream *stream = &conn->lab->tape.streams[emission->stream];
        const char *name = by_alias ? stream->alias : stream->name;
        struct mark mark = {.sequence = emission->sequence,
            .stream = emission->stream,
            .by_alias = by_alias,
            .venue_sequence = stream->venue == VENUE_BINANCE ? 0 : emission->last_id,
            .turn = emission->turn_size ? (int64_t)conn->turn : -1};
        if (plan->fault)
                mark.fault = fault_name(plan->fault);
        if (plan->alter) {
                send_altered(conn, &mark, emission, name, plan);
                return;
        }
        struct buffer *text = &conn->lab->scratch;
        buffer_clear(text);
        print_payload(conn, name, emission, emission->text, text);
        conn_frame(conn, FRAME_TEXT, (struct span){(char *)text->data, text->size});
        conn_mark(conn, &mark);
}

static void send_made(
    struct conn *conn, const char *name, struct span text, const struct plan *plan)
{
        struct emission emission = {.stream = TAPE_NONE, .text = text};
        if (!conn_is_live(conn) || (conn_is_stalled(conn) && conn->stall_loses))
                return;
        for (int i = 0; i < plan->copies && conn_is_live(conn); i++) {
                struct mark mark = {.stream = TAPE_NONE, .made = memory_text(name), .turn = -1};
                if (plan->fault)
                        mark.fault = fault_name(plan->fault);
                if (plan->alter) {
                        send_altered(conn, &mark, &emission, name, plan);
                        continue;
                }
                conn_frame(conn, FRAME_TEXT, text);
                if (conn->lab->journal.fd >= 0)
                        mark.altered = (struct span){strndup(text.data, text.size), text.size};
                conn_mark(conn, &mark);
        }
}

static bool plan_is_for(const struct plan *plan, const struct conn *conn)
{
        return (!plan->conn || plan->conn == conn->number) &&
            (!plan->websocket || plan->websocket == conn->websocket);
}

static void send_to(struct conn *conn, const struct emission *emission, const struct plan *plan)
{
        static const struct plan untouched = {.copies = 1};
        uint8_t wanted = conn->wanted[emission->stream];
        if (!conn_is_live(conn) || !wanted || (conn_is_stalled(conn) && conn->stall_loses))
                return;
        if (!plan_is_for(plan, conn))
                plan = &untouched;
        for (int i = 0; i < plan->copies && conn_is_live(conn); i++) {
                if (wanted & WANTED_NAME)
                        send_one(conn, emission, false, plan);
                if (wanted & WANTED_ALIAS)
                        send_one(conn, emission, true, plan);
        }
}

static void send_shutdown(struct conn *conn, const struct fault *fault)
{
        struct buffer data, text;
        conn->shutdown_ns = clock_mono_ns() + fault->ms * NS_PER_MS;
        if (conn->venue != VENUE_BINANCE)
                return;
        buffer_init(&data, CONN_FRAME_MAX);
        buffer_init(&text, CONN_FRAME_MAX);
        buffer_printf(&data, "{\"e\":\"serverShutdown\",\"E\":%lld}",
            (long long)(clock_wall_ns() / NS_PER_MS));
        print_envelope(conn, "!serverShutdown", (struct span){(char *)data.data, data.size}, &text);
        conn_frame(conn, FRAME_TEXT, (struct span){(char *)text.data, text.size});
        buffer_deinit(&data);
        buffer_deinit(&text);
}

static void act_on(struct conn *conn, const struct fault *fault)
{
        switch (fault->action) {
        case FAULT_CLOSE:
                conn_close(conn, (unsigned)fault->code, "fault");
                break;
        case FAULT_CUT:
                conn_cut(conn, "cut");
                break;
        case FAULT_STALL:
                conn_stall(conn, fault->ms * NS_PER_MS, !fault->lossless);
                break;
        case FAULT_SHUTDOWN:
                send_shutdown(conn, fault);
                break;
        case FAULT_LIFE:
                conn_finish(conn, "life");
                break;
        default:
                break;
        }
}

static void change_product(struct lab *lab, const struct fault *fault)
{
        struct scan scan;
        struct span key, value, set = {fault->set, strlen(fault->set)};
        struct span symbol = {fault->symbol, strlen(fault->symbol)};
        if (!scan_begin(&scan, set, '{'))
                return;
        while (scan_member(&scan, &key, &value))
                products_change(&lab->tape, symbol, key, value);
        journal_line(
            &lab->journal, "product", ",\"symbol\":\"%s\",\"set\":%s", fault->symbol, fault->set);
}

void deliver_act(struct lab *lab, const struct fault *fault, uint32_t stream)
{
        if (fault->action == FAULT_PRODUCT) {
                change_product(lab, fault);
                return;
        }
        for (struct conn *conn = lab->conns; conn; conn = conn->next) {
                bool meant = (!fault->conn || fault->conn == conn->number) &&
                    (!fault->websocket || fault->websocket == conn->websocket);
                if (meant && conn_is_live(conn) && (stream == TAPE_NONE || conn->wanted[stream]))
                        act_on(conn, fault);
        }
}

static void send_all(struct lab *lab, const struct emission *emission, const struct plan *plan)
{
        for (struct conn *conn = lab->conns; conn; conn = conn->next)
                send_to(conn, emission, plan);
}

static struct held *hold_one(
    struct lab *lab, const struct emission *emission, const struct plan *plan)
{
        struct held **link = &lab->held, *held = memory_new(sizeof(*held));
        held->emission = *emission;
        held->emission.text.data = strndup(emission->text.data, emission->text.size);
        held->plan = *plan;
        held->plan.swap = false;
        held->due_ns = plan->swap ? AFTER_NEXT : clock_mono_ns() + plan->delay_ms * NS_PER_MS;
        while (*link)
                link = &(*link)->next;
        *link = held;
        return held;
}

static void note_turns(struct lab *lab, struct held *held)
{
        held->turns = memory_new((lab->conn_count + 1) * sizeof(struct turn));
        for (struct conn *conn = lab->conns; conn; conn = conn->next)
                if (conn->wanted[held->emission.stream])
                        held->turns[held->turn_count++] = (struct turn){conn->number, conn->turn};
}

/* Set the connection's number for the message; false if it is not meant for it. */
static bool take_turn(const struct held *held, struct conn *conn)
{
        for (size_t i = 0; i < held->turn_count; i++) {
                if (held->turns[i].conn == conn->number) {
                        conn->turn = held->turns[i].number;
                        return true;
                }
        }
        return !held->turns;
}

/* Keep the message for those that the plan is for; the others get it now. */
static void hold(struct lab *lab, const struct emission *emission, const struct plan *plan)
{
        struct held *held = hold_one(lab, emission, plan);
        if (emission->turn_size)
                note_turns(lab, held);
        for (struct conn *conn = lab->conns; conn; conn = conn->next)
                if (!plan_is_for(plan, conn))
                        send_to(conn, emission, plan);
}

static void send_held(struct lab *lab, struct held **link)
{
        struct held *held = *link;
        *link = held->next;
        for (struct conn *conn = lab->conns; conn; conn = conn->next)
                if (plan_is_for(&held->plan, conn) && held->made)
                        send_made(conn, held->made, held->emission.text, &held->plan);
                else if (plan_is_for(&held->plan, conn) && take_turn(held, conn))
                        send_to(conn, &held->emission, &held->plan);
        free((void *)(uintptr_t)held->emission.text.data);
        free(held->turns);
        free(held->made);
        free(held);
}

static void send_swapped(struct lab *lab, const struct emission *after)
{
        struct held **link = &lab->held;
        while (*link) {
                if ((*link)->due_ns == AFTER_NEXT && (*link)->emission.stream == after->stream &&
                    (*link)->emission.sequence < after->sequence)
                        send_held(lab, link);
                else
                        link = &(*link)->next;
        }
}

static void drop(struct lab *lab, const struct emission *emission, const struct plan *plan)
{
        for (struct conn *conn = lab->conns; conn; conn = conn->next)
                if (!plan_is_for(plan, conn))
                        send_to(conn, emission, plan);
}

/* Every subscriber's next number goes to the message, whatever becomes of it. */
static void give_turns(struct lab *lab, const struct emission *emission)
{
        for (struct conn *conn = lab->conns; conn; conn = conn->next)
                if (conn_is_live(conn) && conn->wanted[emission->stream])
                        conn->turn = conn->turns++;
}

void deliver_message(struct lab *lab, const struct emission *emission)
{
        struct plan plan;
        if (emission->turn_size)
                give_turns(lab, emission);
        fault_plan(lab, emission, &plan);
        if (plan.drop)
                drop(lab, emission, &plan);
        else if (plan.swap || plan.delay_ms)
                hold(lab, emission, &plan);
        else
                send_all(lab, emission, &plan);
        if (lab->held)
                send_swapped(lab, emission);
        for (size_t i = 0; i < plan.act_count; i++)
                deliver_act(lab, plan.acts[i], emission->stream);
}

void deliver_made(struct conn *conn, const char *name, struct span text)
{
        struct plan plan;
        fault_plan_made(conn->lab, conn->number, name, &plan);
        plan.conn = conn->number;
        plan.websocket = 0;
        if (!plan.drop && plan.delay_ms) {
                struct emission emission = {.stream = TAPE_NONE, .text = text};
                hold_one(conn->lab, &emission, &plan)->made = memory_text(name);
        } else if (!plan.drop) {
                send_made(conn, name, text, &plan);
        }
        for (size_t i = 0; i < plan.act_count; i++) {
                if (plan.acts[i]->action == FAULT_PRODUCT)
                        change_product(conn->lab, plan.acts[i]);
                else if (conn_is_live(conn))
                        act_on(conn, plan.acts[i]);
        }
}

void deliver_tick(struct lab *lab, int64_t now_ns)
{
        struct held **link = &lab->held;
        while (*link) {
                if ((*link)->due_ns <= now_ns)
                        send_held(lab, link);
                else
                        link = &(*link)->next;
        }
}

void deliver_flush(struct lab *lab)
{
        while (lab->held)
                send_held(lab, &lab->held);
}
