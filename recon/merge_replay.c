/* The events of several records, each once. A piece of the plan is a plain replay of its record,
 * begun early enough to meet the joint; what comes before the joint passes by, and what comes
 * behind the piece's span ends it. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "recon/merge.h"

#define JOINT_SLACK_NS (10 * NS_PER_S) /* times fall back more between records than within one */

struct joint {
        struct merge *merge;
        const struct replay_options *options;
        const struct merge_callbacks *callbacks;
        bool begun;         /* what was reached is known ... */
        bool given;         /* ... because events came, rather than were not wanted */
        int64_t reached;    /* the key up to which all was given */
        int64_t reached_ns; /* exchange time of the event there */

        /* the piece in hand: */
        const struct merge_piece *piece;
        struct merge_span span;
        int64_t cut;     /* events up to this key were given before */
        bool strict;     /* the next event must go on from there */
        bool ended;      /* nothing more of it is wanted */
        bool torn;       /* an event did not follow: frames are missing without a word */
        int caller_code; /* of the caller's callback */
};

static int64_t wanted_time(const struct joint *joint, const struct event *event)
{
        return joint->options->clock == CLOCK_RECEIVE ? event->receive_time_ns
                                                      : event->event_time_ns;
}

static int give(struct joint *joint, replay_event_cb event_cb, const struct event *event,
    const int64_t *befores, const struct scale *scale, const struct book *book, uint32_t epoch)
{
        void *user = joint->callbacks->replay.user;
        joint->caller_code = event_cb ? event_cb(event, befores, scale, book, epoch, user) : 0;
        return joint->caller_code;
}

/* Is the event one of this piece that was not given before? */
static bool is_new(const struct joint *joint, const struct event *event)
{
        int64_t key = joint->merge->by_id ? event->last_id : event->event_time_ns;
        return event->last_id >= joint->span.first_id && key > joint->cut;
}

static void advance(struct joint *joint, const struct event *event)
{
        int64_t key = joint->merge->by_id ? event->last_id : event->event_time_ns;
        joint->strict = joint->merge->by_id;
        if (!joint->begun || key > joint->reached)
                joint->reached = key;
        joint->begun = joint->given = true;
        joint->reached_ns = event->event_time_ns;
}

static int take_event(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct joint *joint = user;
        const struct replay_callbacks *replay = &joint->callbacks->replay;
        int64_t time_ns = wanted_time(joint, event);
        joint->ended = event->last_id > joint->span.last_id;
        if (joint->ended)
                return ERR_STOPPED;
        if (!is_new(joint, event))
                return give(joint, replay->pass_cb, event, befores, scale, book, epoch);
        joint->torn = joint->strict && merge_shift(event->first_id, -1) > joint->reached;
        joint->ended = joint->options->clock == CLOCK_RECEIVE && time_ns >= joint->options->to_ns;
        if (joint->torn || joint->ended)
                return ERR_STOPPED;
        advance(joint, event);
        bool wanted = time_ns >= joint->options->from_ns && time_ns < joint->options->to_ns;
        return give(
            joint, wanted ? replay->event_cb : replay->pass_cb, event, befores, scale, book, epoch);
}

static void take_image(const struct book *book, const struct scale *scale, void *user)
{
        struct joint *joint = user;
        const struct replay_callbacks *replay = &joint->callbacks->replay;
        if (replay->image_cb)
                replay->image_cb(book, scale, replay->user);
}

/* ---- pieces ---- */

/* Times of events that follow each other may lie so far apart the wrong way. */
static int64_t slack(const struct joint *joint, enum recon_clock clock)
{
        int64_t back = clock == CLOCK_RECEIVE ? 0 : joint->merge->fall_back_ns;
        return merge_shift(back, JOINT_SLACK_NS);
}

static bool piece_is_before(const struct joint *joint, const struct merge_piece *piece)
{
        enum recon_clock clock = joint->options->clock;
        return piece->to_ns[clock] < merge_shift(joint->options->from_ns, -slack(joint, clock));
}

static bool piece_is_beyond(const struct joint *joint, const struct merge_piece *piece)
{
        enum recon_clock clock = joint->options->clock;
        return merge_shift(piece->from_ns[clock], -slack(joint, clock)) >= joint->options->to_ns;
}

/* From where the piece's record is to be replayed: so that the event behind what was reached is
 * met, or, where the range begins within the piece, the first one of the range. */
static struct replay_options piece_options(const struct joint *joint, bool *ret_within)
{
        const struct merge_piece *piece = joint->piece;
        const struct replay_options *wanted = joint->options;
        int64_t from = joint->span.from_ns[CLOCK_EXCHANGE];
        int64_t joint_ns = joint->begun && joint->reached_ns > piece->from_ns[CLOCK_EXCHANGE]
            ? joint->reached_ns
            : piece->from_ns[CLOCK_EXCHANGE];
        int64_t back = merge_shift(joint_ns, -slack(joint, CLOCK_EXCHANGE));
        if (!piece->after_gap && back > from)
                from = back;
        *ret_within = !joint->given && wanted->from_ns > piece->from_ns[wanted->clock] &&
            (wanted->clock == CLOCK_RECEIVE || wanted->from_ns > from);
        if (wanted->clock == CLOCK_RECEIVE)
                return *ret_within
                    ? (struct replay_options){wanted->from_ns, INT64_MAX, CLOCK_RECEIVE}
                    : (struct replay_options){from, INT64_MAX, CLOCK_EXCHANGE};
        return (struct replay_options){
            *ret_within ? wanted->from_ns : from, wanted->to_ns, CLOCK_EXCHANGE};
}

/* Did the piece end without its last events, though nothing told so? */
static bool piece_is_short(const struct joint *joint)
{
        return joint->merge->by_id && joint->begun && !joint->span.goes_on &&
            joint->reached < joint->span.end &&
            joint->span.to_ns[CLOCK_EXCHANGE] < joint->options->to_ns &&
            joint->options->clock == CLOCK_EXCHANGE;
}

static int torn_error(const struct joint *joint, struct error *error)
{
        const struct merge *merge = joint->merge;
        return error_set(error, ERR_CORRUPT,
            "%s:%s of %s: frames behind id %" PRId64 " are missing", merge->name.exchange,
            merge->name.symbol, merge->sources[joint->piece->source].recorder, joint->reached);
}

static void begin_piece(struct joint *joint, const struct merge_piece *piece)
{
        const struct merge *merge = joint->merge;
        joint->piece = piece;
        joint->span = merge->sources[piece->source].spans[piece->span];
        if (joint->span.goes_on)
                joint->span.last_id = INT64_MAX; /* what was recorded meanwhile comes too */
        joint->ended = joint->torn = false;
        bool own = piece->after_gap && !merge->by_id;
        joint->cut = own || !joint->begun ? INT64_MIN : joint->reached;
        if (joint->callbacks->source_cb)
                joint->callbacks->source_cb(piece->source, joint->callbacks->replay.user);
}

/* 0, what the caller's callback returned (caller_code), or what is wrong with the record. */
static int run_piece(struct joint *joint, const struct merge_piece *piece, struct error *error)
{
        const struct merge_source *source = &joint->merge->sources[piece->source];
        struct replay_callbacks callbacks = {take_event, take_event, take_image, joint};
        bool within;
        begin_piece(joint, piece);
        struct replay_options options = piece_options(joint, &within);
        joint->strict =
            joint->merge->by_id && joint->begun && !within && joint->span.start <= joint->reached;
        int code = recon_replay(source->reader, source->stream, &options, &callbacks, error);
        if (joint->caller_code)
                return code;
        if (joint->torn || (!code && !joint->ended && piece_is_short(joint)))
                return torn_error(joint, error);
        return joint->ended ? 0 : code;
}

/* The piece is done with, or was not wanted. */
static void end_piece(struct joint *joint, const struct merge_piece *piece)
{
        const struct merge_span *span = &joint->merge->sources[piece->source].spans[piece->span];
        if (!joint->begun || span->end > joint->reached) {
                joint->reached = span->end;
                joint->reached_ns = span->to_ns[CLOCK_EXCHANGE];
        }
        joint->begun = true;
}

/* The first piece, from @index on, that lies beyond what was reached. */
static size_t find_piece(const struct joint *joint, size_t index)
{
        const struct merge *merge = joint->merge;
        for (; index < merge->piece_count; index++) {
                const struct merge_piece *piece = &merge->pieces[index];
                const struct merge_span *span = &merge->sources[piece->source].spans[piece->span];
                if (!joint->begun || index + 1 == merge->piece_count || span->end > joint->reached)
                        break;
        }
        return index;
}

/* Does the gap before that piece, or behind the last one, lack what nobody has undamaged? */
static bool is_lost(const struct merge *merge, size_t index)
{
        const struct gap_list *gaps = &merge->gaps;
        if (index < merge->piece_count)
                return merge->pieces[index].after_gap && merge->pieces[index].cause == GAP_MISSING;
        return gaps->count && gaps->gaps[gaps->count - 1].open &&
            gaps->gaps[gaps->count - 1].cause == GAP_MISSING;
}

static int fail_lost(const struct joint *joint, struct error *error)
{
        const struct stream_name *name = &joint->merge->name;
        return error_set(error, ERR_CORRUPT,
            "%s:%s: behind id %" PRId64 " frames are missing or damaged, and no other recorder has "
            "them: run obrebuild verify",
            name->exchange, name->symbol, joint->reached);
}

/* The record of that piece is damaged: read all of it, and go on with the others. */
static int change_plan(struct joint *joint, size_t source, size_t *ret_index, struct error *error)
{
        int code = merge_walk(joint->merge, source, error);
        *ret_index = code ? 0 : find_piece(joint, 0);
        return code;
}

static int replay_pieces(struct joint *joint, struct error *error)
{
        struct merge *merge = joint->merge;
        size_t index = 0;
        int code = 0;
        while (
            !code && index < merge->piece_count && !piece_is_beyond(joint, &merge->pieces[index])) {
                const struct merge_piece *piece = &merge->pieces[index];
                size_t source = piece->source;
                struct error damage = {0};
                if (joint->given && is_lost(merge, index))
                        return fail_lost(joint, error);
                if (!piece_is_before(joint, piece))
                        code = run_piece(joint, piece, &damage);
                if (!code) {
                        end_piece(joint, piece);
                        index++;
                } else if (joint->caller_code) {
                        return code;
                } else if (code == ERR_CORRUPT && !merge->sources[source].walked) {
                        code = change_plan(joint, source, &index, error);
                } else if (error) {
                        *error = damage;
                }
        }
        if (!code && joint->given && index == merge->piece_count && is_lost(merge, index))
                code = fail_lost(joint, error);
        return code;
}

int merge_replay(struct merge *merge, const struct replay_options *options,
    const struct merge_callbacks *callbacks, struct error *error)
{
        struct joint joint = {.merge = merge, .options = options, .callbacks = callbacks};
        if (merge->count == 1) {
                if (callbacks->source_cb)
                        callbacks->source_cb(0, callbacks->replay.user);
                return recon_replay(merge->sources[0].reader, merge->sources[0].stream, options,
                    &callbacks->replay, error);
        }
        int code = merge_prepare(merge, false, error);
        return code ? code : replay_pieces(&joint, error);
}
