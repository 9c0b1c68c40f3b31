#include "ship/follow.h"

#include <stdlib.h>

#include "base/clock.h"
#include "ship/internal.h"

#define STEP_BYTES ((size_t)2 << 20) /* so that a slow network takes a step in time */
#define COUNT_EVERY_NS NS_PER_S

void follow_open(struct follow **ret_follow, const struct follow_options *options)
{
        struct follow *follow = memory_new(sizeof(*follow));
        follow->options = *options;
        if (!follow->options.to_day)
                follow->options.to_day = UINT32_MAX;
        follow->note_next = INT64_MIN;
        *ret_follow = follow;
}

void follow_close(struct follow *follow)
{
        if (!follow)
                return;
        free(follow->streams);
        free(follow->symbols);
        free(follow);
}

void follow_reload(struct follow *follow)
{
        for (size_t i = 0; i < follow->stream_count; i++) {
                struct follow_stream *stream = &follow->streams[i];
                if (stream->state.loaded)
                        stream->known = stream->state;
                stream->state = (struct follow_state){.day = UINT32_MAX};
                stream->renamed = true;
                stream->pruned = stream->passed = stream->over = false;
        }
        follow->symbol_count = 0;
        follow->note_day = 0;
        follow->note_next = INT64_MIN;
}

const struct follow_stats *follow_stats(const struct follow *follow)
{
        return &follow->stats;
}

bool follow_position(const struct follow *follow, size_t index, uint32_t *ret_stream,
    struct sink_record *ret_position)
{
        if (index >= follow->stream_count)
                return false;
        const struct follow_stream *stream = &follow->streams[index];
        const struct follow_state *state = &stream->state;
        bool known = state->day != UINT32_MAX;
        *ret_stream = stream->number;
        *ret_position = (struct sink_record){.day = known ? state->day : 0,
            .position = known ? state->next : 0,
            .until_ns = state->mark.recorded_until_receive_ns};
        return true;
}

static int load_streams(struct follow *follow, struct error *error)
{
        int code = 0;
        for (size_t i = 0; i < follow->stream_count && !code; i++) {
                struct follow_stream *stream = &follow->streams[i];
                if (stream->state.day != UINT32_MAX && !stream->state.loaded)
                        code = follow_load_day(follow, stream, error);
        }
        return code;
}

/* Does the step work on this stream in @day? */
static bool is_at(const struct follow *follow, const struct follow_stream *stream, uint32_t day)
{
        return stream->state.day == day && stream->state.loaded && day_is_wanted(follow, day);
}

/* The earliest day from @from on that a stream stands in. */
static uint32_t earliest_day(const struct follow *follow, uint32_t from)
{
        uint32_t day = UINT32_MAX;
        for (size_t i = 0; i < follow->stream_count; i++) {
                const struct follow_stream *stream = &follow->streams[i];
                uint32_t own = stream->state.day;
                if (own >= from && own < day && is_at(follow, stream, own))
                        day = own;
        }
        return day;
}

static int copy_streams(struct follow *follow, struct store_txn *source, struct store_txn *target)
{
        int code = follow_copy_notes(follow, source, target);
        for (size_t i = 0; i < follow->stream_count && !code; i++) {
                struct follow_stream *stream = &follow->streams[i];
                if (!is_at(follow, stream, source->place))
                        continue;
                if (!follow->budget) {
                        follow->more = true;
                        break;
                }
                stream->staged = stream->state;
                code = follow_copy_day(follow, stream, source, target);
        }
        return code;
}

/* The step has succeeded, or not: then nothing of it counts. */
static void settle(struct follow *follow, uint32_t day, bool done)
{
        for (size_t i = 0; i < follow->stream_count; i++) {
                struct follow_stream *stream = &follow->streams[i];
                if (done && stream->stepped)
                        stream->state = stream->staged;
                stream->state.swept &= done;
                stream->over &= done;
                stream->stepped = false;
        }
        if (!done)
                return;
        follow->stats = follow->stats_staged;
        follow->note_day = day;
        follow->note_next = follow->note_staged;
}

/* A day that is named but is not there holds nothing. */
static void pass_day(struct follow *follow, uint32_t day)
{
        for (size_t i = 0; i < follow->stream_count; i++) {
                struct follow_stream *stream = &follow->streams[i];
                if (!is_at(follow, stream, day))
                        continue;
                stream->over = stream->passed;
                stream->pruned &= !stream->passed; /* that may be why it is gone */
        }
}

/* Before the day is read: else it could be taken for ended with what it held before its end. */
static int look_ahead(struct follow *follow, uint32_t day, struct error *error)
{
        int code = 0;
        for (size_t i = 0; i < follow->stream_count && !code; i++) {
                if (is_at(follow, &follow->streams[i], day))
                        code = follow_look_ahead(follow, &follow->streams[i], error);
        }
        return code;
}

/* All streams that stand in @day. */
static int step_day(struct follow *follow, uint32_t day, struct error *error)
{
        struct store *source = follow->options.source, *target = follow->options.target;
        struct store_txn from, to;
        int code = look_ahead(follow, day, error);
        if (code)
                return code;
        code = source->ops->begin(source, day, false, &from, error);
        if (code == ERR_NOT_FOUND)
                pass_day(follow, day);
        if (code)
                return code == ERR_NOT_FOUND ? 0 : code;
        code = target->ops->begin(target, day, true, &to, error);
        if (code) {
                source->ops->abort(&from);
                return code;
        }
        follow->stats_staged = follow->stats;
        code = copy_streams(follow, &from, &to);
        source->ops->abort(&from);
        if (code) {
                char name[DAY_TEXT_SIZE];
                target->ops->abort(&to);
                error_set(error, code,
                    "%s: a record of that day cannot be read (%s): run obrebuild "
                    "verify",
                    day_format(day, name), error_name(code));
        } else {
                code = target->ops->commit(&to, error);
        }
        settle(follow, day, !code);
        return code;
}

/* Streams that have nothing more in their day go on to the next one. */
static int advance(struct follow *follow, struct error *error)
{
        for (size_t i = 0; i < follow->stream_count; i++) {
                struct follow_stream *stream = &follow->streams[i];
                struct follow_state *state = &stream->state;
                uint32_t day;
                if (state->day == UINT32_MAX || !stream->over)
                        continue;
                int code = follow_next_day(follow, stream->number, state->day + 1, &day, error);
                if (code && code != ERR_NOT_FOUND)
                        return code;
                if (code || !day_is_wanted(follow, day))
                        continue;
                *state = (struct follow_state){.day = day};
                stream->over = stream->passed = false;
                follow->more = true;
        }
        return 0;
}

int follow_step(struct follow *follow, struct error *error)
{
        follow->budget = STEP_BYTES;
        follow->more = false;
        int code = follow_learn(follow, error);
        code = code ? code : load_streams(follow, error);
        code = code ? code : follow_tell(follow, error);
        uint32_t day = 0;
        while (!code && follow->budget && (day = earliest_day(follow, day)) != UINT32_MAX)
                code = step_day(follow, day++, error);
        code = code ? code : advance(follow, error);
        if (code)
                return error->text[0]
                    ? code
                    : error_set(error, code, "the record cannot be read: %s", error_name(code));
        follow->more |= !follow->budget; /* days behind the last one were not looked at */
        if (clock_mono_ns() - follow->counted_ns >= COUNT_EVERY_NS || !follow->more)
                follow_count(follow);
        return follow->more;
}
