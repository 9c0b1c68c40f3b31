/* Plays the tape: at the recorded pace, faster, or as fast as the peers take it. */
#include "play.h"

#include <inttypes.h>
#include <string.h>

#include "conn.h"
#include "deliver.h"
#include "orders.h"
#include "session.h"
#include "shift.h"

#define BATCH 256
#define SEAM_BEFORE_NS (50 * NS_PER_MS) /* a seam's place before the next pass */

static struct symbol *symbol_of(struct lab *lab, uint32_t index)
{
        return &lab->tape.symbols[index];
}

static bool reel_is_done(const struct lab *lab, const struct reel *reel, uint32_t index)
{
        const struct capture *capture = &lab->tape.captures[index];
        bool is_last = reel->repetition + 1 >= lab->options.loop || !capture->message_count;
        return is_last && reel->next >= capture->seam_start;
}

/* When the reel's next message is due, after the start: in recorded time at full speed. */
static int64_t due_of(const struct lab *lab, const struct reel *reel, uint32_t index)
{
        const struct capture *capture = &lab->tape.captures[index];
        int64_t due = (int64_t)reel->repetition * capture->span_ns;
        if (reel->next < capture->message_count)
                due += capture->messages[reel->next].time_ns;
        else
                due += capture->span_ns - SEAM_BEFORE_NS;
        if (lab->options.speed <= 0)
                return due;
        return (int64_t)((double)due / lab->options.speed) + reel->shift_ns;
}

static void release(struct lab *lab, struct reel *reel, const char *how)
{
        reel->shift_ns += clock_mono_ns() - reel->held_since_ns;
        reel->held_since_ns = 0;
        reel->next++;
        journal_line(
            &lab->journal, how, ",\"symbol\":\"%s\"", symbol_of(lab, reel->held_symbol)->name);
}

static bool reel_is_held(struct lab *lab, struct reel *reel)
{
        if (!reel->held_since_ns)
                return false;
        if (lab->player.answered[reel->held_symbol])
                release(lab, reel, "hold-end");
        else if (clock_mono_ns() - reel->held_since_ns > PLAY_HOLD_NS)
                release(lab, reel, "hold-timeout");
        return reel->held_since_ns != 0;
}

/* The image's place on the tape: wait there until it has been asked for. */
static void pass_image(struct lab *lab, struct reel *reel, const struct message *message)
{
        const struct symbol *symbol = symbol_of(lab, message->symbol);
        bool hold = lab->options.hold && !reel->repetition && symbol->depth_stream != TAPE_NONE &&
            session_has_stream(lab, symbol->depth_stream) && !lab->player.answered[message->symbol];
        if (!hold) {
                reel->next++;
                return;
        }
        reel->held_since_ns = clock_mono_ns();
        reel->held_symbol = message->symbol;
        journal_line(&lab->journal, "hold", ",\"symbol\":\"%s\"", symbol->name);
}

static void journal_ids(
    struct journal *journal, const struct stream *stream, const struct emission *emission)
{
        bool is_binance = stream->venue == VENUE_BINANCE;
        if (stream->is_depth && is_binance)
                journal_number(journal, "U", emission->first_id);
        if (emission->last_id)
                journal_number(journal, is_binance ? "u" : "sequence", emission->last_id);
}

static void emit(struct lab *lab, struct emission *emission)
{
        struct journal *journal = &lab->journal;
        struct stream *stream = &lab->tape.streams[emission->stream];
        emission->sequence = ++stream->count;
        lab->player.emitted++;
        if (journal->fd >= 0) {
                journal_begin(journal, "emit");
                buffer_printf(&journal->text, ",\"stream\":\"%s\",\"seq\":%" PRIu64, stream->name,
                    emission->sequence);
                journal_ids(journal, stream, emission);
                journal_text(journal, "raw", emission->text);
                journal_end(journal);
        }
        deliver_message(lab, emission);
}

static void note_time(struct said *said, const struct stream *stream, struct span text)
{
        struct span time;
        if (!scan_find(text, stream->venue == VENUE_ADVANCED ? "timestamp" : "time", &time) ||
            span_unquote(time).size >= sizeof(said->time))
                return;
        time = span_unquote(time);
        memcpy(said->time, time.data, time.size);
        said->time[time.size] = '\0';
}

/* What REST, snapshots and heartbeats say from now on. */
static void note_place(struct lab *lab, const struct message *message,
    const struct emission *emission, unsigned repetition)
{
        struct stream *stream = &lab->tape.streams[message->stream];
        struct symbol *symbol = symbol_of(lab, message->symbol);
        if (stream->channel == CHANNEL_FULL)
                symbol->orders->steps_done = message->steps_done;
        else if (stream->is_depth)
                symbol->events_done = message->event + 1;
        if (stream->venue == VENUE_BINANCE)
                return;
        struct said *said = &symbol->said;
        struct buffer *kept[2] = {
            &stream->last, stream->channel == CHANNEL_MATCHES ? &said->match : NULL};
        int64_t trade_id = message->trade_id;
        if (trade_id)
                trade_id += repetition * shift_width(symbol, NULL, NUMBER_TRADE);
        for (size_t i = 0; i < 2 && kept[i]; i++) {
                buffer_clear(kept[i]);
                buffer_append(kept[i], emission->text.data, emission->text.size);
        }
        if (emission->last_id > said->sequence)
                said->sequence = emission->last_id;
        if (trade_id > said->trade_id)
                said->trade_id = trade_id;
        note_time(said, stream, emission->text);
}

/* Numbers before it may have become longer or shorter. */
static void find_turn(struct emission *emission)
{
        struct span value;
        if (!emission->turn_size || !scan_find(emission->text, "sequence_num", &value))
                return;
        emission->turn_offset = (uint32_t)(value.data - emission->text.data);
        emission->turn_size = (uint8_t)value.size;
}

static void emit_message(struct lab *lab, struct reel *reel, uint32_t index)
{
        const struct capture *capture = &lab->tape.captures[index];
        const struct message *message = &capture->messages[reel->next++];
        struct symbol *symbol = symbol_of(lab, message->symbol);
        struct emission emission = {.stream = message->stream,
            .symbol = message->symbol,
            .text = message->text,
            .first_id = message->first_id,
            .last_id = message->last_id,
            .turn_offset = message->turn_offset,
            .turn_size = message->turn_size};
        struct buffer text;
        if (reel->repetition && message->last_id && message->last_id <= symbol->image_id)
                return; /* the pass begins with the image: this lies before it */
        buffer_init(&text, SHIFT_TEXT_LIMIT);
        if (reel->repetition) {
                shift_message(symbol, capture, message, reel->repetition, &text);
                int64_t ids = reel->repetition * shift_width(symbol, capture, NUMBER_UPDATE);
                emission.text = (struct span){(char *)text.data, text.size};
                emission.first_id += emission.first_id ? ids : 0;
                emission.last_id += emission.last_id ? ids : 0;
                find_turn(&emission);
        }
        note_place(lab, message, &emission, reel->repetition);
        emit(lab, &emission);
        buffer_deinit(&text);
}

/* Its seam was on the tape. */
static void rewind_symbol(struct symbol *symbol)
{
        symbol->repetition++;
        symbol->events_done = 0;
        if (symbol->orders)
                symbol->orders->steps_done = 0;
}

static void emit_seam(struct lab *lab, struct reel *reel, uint32_t index, uint32_t symbol_index)
{
        const struct capture *capture = &lab->tape.captures[index];
        struct symbol *symbol = symbol_of(lab, symbol_index);
        struct replica replica;
        struct buffer text;
        if (symbol->venue != VENUE_BINANCE) {
                rewind_symbol(symbol);
                return;
        }
        if (symbol->depth_stream == TAPE_NONE)
                return;
        buffer_init(&text, SHIFT_TEXT_LIMIT);
        replica_init(&replica, symbol, 0);
        int64_t event_ms = capture->last_event_ms +
            (reel->repetition * capture->span_ns + SEAM_BEFORE_NS) / NS_PER_MS;
        replica_print_seam(&replica, reel->repetition, event_ms, &text);
        struct emission emission = {.stream = symbol->depth_stream,
            .symbol = symbol_index,
            .text = {(char *)text.data, text.size},
            .first_id = replica.last_id + 1,
            .last_id = replica_seam_id(symbol, reel->repetition)};
        replica_deinit(&replica);
        symbol->repetition++;
        symbol->events_done = symbol->first_event;
        emit(lab, &emission);
        buffer_deinit(&text);
}

static void pass_seam(struct lab *lab, struct reel *reel, uint32_t index)
{
        for (uint32_t i = 0; i < lab->tape.symbol_count; i++)
                if (symbol_of(lab, i)->capture == index)
                        emit_seam(lab, reel, index, i);
        reel->repetition++;
        reel->next = 0;
        journal_line(&lab->journal, "pass", ",\"capture\":%u,\"pass\":%u", index, reel->repetition);
}

/* The reel that is due first; -1: all wait, -2: all are done. */
static int next_reel(struct lab *lab, int64_t *ret_due)
{
        int found = -2;
        for (uint32_t i = 0; i < lab->tape.capture_count; i++) {
                struct reel *reel = &lab->player.reels[i];
                if (reel_is_done(lab, reel, i))
                        continue;
                if (reel_is_held(lab, reel)) {
                        found = found == -2 ? -1 : found;
                        continue;
                }
                if (reel_is_done(lab, reel, i))
                        continue;
                int64_t due = due_of(lab, reel, i);
                if (found < 0 || due < *ret_due) {
                        *ret_due = due;
                        found = (int)i;
                }
        }
        return found;
}

/* At full speed play waits for the slowest peer; with nobody there for a while it goes on. */
static bool gate_is_open(struct lab *lab)
{
        bool somebody = false;
        for (const struct conn *conn = lab->conns; conn; conn = conn->next) {
                if (!conn_is_live(conn) || !conn->name_count)
                        continue;
                somebody = true;
                if (conn_queued(conn) >= CONN_QUEUE_FAST &&
                    !(conn_is_stalled(conn) && conn->stall_loses))
                        return false;
        }
        if (somebody) {
                lab->player.idle_since_ns = 0;
                return true;
        }
        if (!lab->player.idle_since_ns)
                lab->player.idle_since_ns = clock_mono_ns();
        return clock_mono_ns() - lab->player.idle_since_ns > lab->options.expect_timeout_ns;
}

static void finish(struct lab *lab)
{
        deliver_flush(lab);
        lab->player.state = PLAY_ENDED;
        lab->player.end_ns = clock_mono_ns();
        journal_line(&lab->journal, "end", ",\"emitted\":%" PRIu64, lab->player.emitted);
        journal_flush(&lab->journal);
}

static void play_one(struct lab *lab, uint32_t index)
{
        struct reel *reel = &lab->player.reels[index];
        const struct capture *capture = &lab->tape.captures[index];
        if (reel->next == capture->message_count)
                pass_seam(lab, reel, index);
        else if (capture->messages[reel->next].stream == TAPE_NONE)
                pass_image(lab, reel, &capture->messages[reel->next]);
        else
                emit_message(lab, reel, index);
}

/* Play what is due; returns in how many us to come again, or -1 to be woken. */
static int64_t run(struct lab *lab)
{
        for (int i = 0; i < BATCH; i++) {
                int64_t due = 0;
                int index = next_reel(lab, &due);
                if (index == -2)
                        finish(lab);
                if (index < 0)
                        return -1;
                int64_t ahead_ns = lab->player.start_ns + due - clock_mono_ns();
                if (lab->options.speed > 0 && ahead_ns > 0)
                        return ahead_ns / NS_PER_US + 1;
                if (lab->options.speed <= 0 && !gate_is_open(lab))
                        return -1;
                play_one(lab, (uint32_t)index);
        }
        return 1;
}

static void start(struct lab *lab)
{
        lab->player.state = PLAY_RUNNING;
        lab->player.start_ns = clock_mono_ns();
        journal_line(&lab->journal, "play", ",\"depth_streams\":%d", session_count_depth(lab));
}

static bool may_start(const struct lab *lab)
{
        return session_count_depth(lab) >= lab->options.expect ||
            clock_mono_ns() - lab->player.ready_ns > lab->options.expect_timeout_ns;
}

static void timer_cb(lws_sorted_usec_list_t *timer)
{
        struct player *player = lws_container_of(timer, struct player, timer);
        struct lab *lab = lws_container_of(player, struct lab, player);
        if (player->state == PLAY_WAITING && may_start(lab))
                start(lab);
        if (player->state != PLAY_RUNNING)
                return;
        int64_t again_us = run(lab);
        if (again_us >= 0)
                lws_sul_schedule(lab->context, 0, &player->timer, timer_cb, again_us);
}

/* Not at once: what woke it is to be finished first, for instance a list of subscriptions. */
void play_wake(struct lab *lab)
{
        if (lab->player.state != PLAY_ENDED && !lab->stopping)
                lws_sul_schedule(lab->context, 0, &lab->player.timer, timer_cb, 1);
}

void play_begin(struct lab *lab)
{
        struct player *player = &lab->player;
        int depth_streams = session_count_all_depth(lab);
        if (lab->options.expect < 0 || lab->options.expect > depth_streams)
                lab->options.expect = depth_streams;
        player->ready_ns = clock_mono_ns();
        for (uint32_t i = 0; i < lab->tape.symbol_count; i++)
                replica_init(&player->replicas[i], symbol_of(lab, i), 0);
}

void play_end(struct lab *lab)
{
        lws_sul_cancel(&lab->player.timer);
        for (uint32_t i = 0; i < lab->tape.symbol_count; i++)
                replica_deinit(&lab->player.replicas[i]);
}

void play_note_answer(struct lab *lab, uint32_t symbol)
{
        uint32_t stream = symbol_of(lab, symbol)->depth_stream;
        if (stream == TAPE_NONE || !session_has_stream(lab, stream))
                return;
        lab->player.answered[symbol] = true;
        play_wake(lab);
}

void play_tick(struct lab *lab, int64_t now_ns)
{
        struct player *player = &lab->player;
        play_wake(lab);
        if (player->state != PLAY_ENDED || lab->options.linger_ns < 0)
                return;
        for (const struct conn *conn = lab->conns; conn; conn = conn->next)
                if (conn_queued(conn))
                        player->drained_ns = 0;
        if (!player->drained_ns)
                player->drained_ns = now_ns;
        if (now_ns - player->drained_ns >= lab->options.linger_ns)
                lab->stopping = true;
}
