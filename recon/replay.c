/* Events of a range in stream order, with the book beside them. */
#include "recon/internal.h"

struct replay {
        struct reader *reader;
        const struct replay_options *options;
        const struct replay_callbacks *callbacks;
        struct book book;
        bool has_book;
        struct scale scale;
        uint32_t epoch;
        int64_t fall_back_ns;
        uint64_t expected; /* position of the next frame; 0: any */
};

/* Stand at the image of the segment that holds the first event of the range, or at the first frame
 * of all. Event times may fall back, so it can lie before the book at @from_ns. */
static int replay_seek(
    struct replay *replay, const struct recon_stream *stream, struct frame_cursor *cursor)
{
        const struct replay_options *options = replay->options;
        bool found = false;
        int code = stream->day_count ? 0 : ERR_NOT_FOUND;
        for (int attempt = 0; attempt < 2 && !code && !found; attempt++) {
                int start = options->clock == CLOCK_RECEIVE
                    ? locate_frame(replay->reader, stream, options->from_ns, options->clock, cursor)
                    : locate_start(replay->reader, stream, options->from_ns, cursor);
                size_t day = start ? 0 : cursor->day;
                uint64_t position = start ? 0 : cursor->info.segment;
                frame_done(cursor);
                code = frame_seek(cursor, replay->reader, stream, day, position, false);
                found = start || cursor->position == position;
                if (!code && !found && !attempt)
                        frame_done(cursor); /* archived since it was found: look again */
        }
        return code;
}

static bool frame_is_beyond(const struct replay *replay, const struct frame_info *info)
{
        int64_t to = replay->options->to_ns;
        if (replay->options->clock == CLOCK_RECEIVE)
                return info->first_receive_time_ns >= to;
        return (info->flags & FRAME_TIMED) && info->running_max_ns >= to &&
            info->running_max_ns - to >= replay->fall_back_ns;
}

static bool event_is_wanted(const struct replay *replay, const struct event *event)
{
        int64_t time =
            replay->options->clock == CLOCK_RECEIVE ? event->receive_time_ns : event->event_time_ns;
        return time >= replay->options->from_ns && time < replay->options->to_ns;
}

static int replay_changes(struct replay *replay, struct frame_cursor *cursor, struct error *error)
{
        const struct replay_callbacks *callbacks = replay->callbacks;
        struct decoder *decoder = &replay->reader->decoder;
        struct event event;
        uint64_t index = 0;
        int more;
        if (!replay->has_book || replay->epoch != cursor->info.epoch)
                return place_error(error, ERR_CORRUPT, cursor, "the image of its epoch is missing");
        int code = join_frame(cursor, &replay->book, error);
        if (code)
                return code;
        while ((more = decoder_next(decoder, &replay->book, &event)) > 0) {
                if (index++ < cursor->skip)
                        continue;
                replay_event_cb event_cb =
                    event_is_wanted(replay, &event) ? callbacks->event_cb : callbacks->pass_cb;
                code = event_cb ? event_cb(&event, decoder_befores(decoder), &replay->scale,
                                      &replay->book, replay->epoch, callbacks->user)
                                : 0;
                if (code)
                        return code;
        }
        return more ? place_error(error, ERR_CORRUPT, cursor, "it is damaged (an event)") : 0;
}

static int replay_book(struct replay *replay, struct frame_cursor *cursor, struct error *error)
{
        bool repair = !cursor->code && cursor->info.kind == FRAME_REPAIR;
        if (repair && !replay->has_book)
                return place_error(error, ERR_CORRUPT, cursor, "the image of its epoch is missing");
        int code = repair ? apply_repair(cursor, &replay->book, error)
                          : load_image(cursor, &replay->book, error);
        if (code)
                return code;
        replay->has_book = true;
        replay->scale = cursor->info.scale;
        replay->epoch = cursor->info.epoch;
        if (replay->callbacks->image_cb)
                replay->callbacks->image_cb(&replay->book, &replay->scale, replay->callbacks->user);
        return 0;
}

static int replay_frame(struct replay *replay, struct frame_cursor *cursor, struct error *error)
{
        if (replay->expected && !cursor_follows(cursor, replay->expected))
                return place_error(error, ERR_CORRUPT, cursor, "frames before it are missing");
        if (!cursor->code)
                replay->expected = cursor->position + frame_positions(&cursor->info);
        if (!cursor->code && cursor->info.kind == FRAME_HEADLESS)
                return 0;
        if (!cursor->code && cursor->info.kind == FRAME_CHANGES)
                return replay_changes(replay, cursor, error);
        return replay_book(replay, cursor, error);
}

int recon_replay(struct reader *reader, const struct recon_stream *stream,
    const struct replay_options *options, const struct replay_callbacks *callbacks,
    struct error *error)
{
        struct replay replay = {.reader = reader,
            .options = options,
            .callbacks = callbacks,
            .fall_back_ns = stream->mark.fall_back_ns};
        struct frame_cursor cursor;
        book_init(&replay.book);
        int code = replay_seek(&replay, stream, &cursor);
        int end = code;
        while (!end && !code && !frame_is_beyond(&replay, &cursor.info)) {
                code = replay_frame(&replay, &cursor, error);
                if (!code)
                        end = frame_next(&cursor);
        }
        frame_done(&cursor);
        book_deinit(&replay.book);
        if (!code && end && end != ERR_NOT_FOUND)
                code = error_set(error, end, "%s:%s: %s", stream->name.exchange,
                    stream->name.symbol, error_name(end));
        return code == ERR_NOT_FOUND ? 0 : code;
}
