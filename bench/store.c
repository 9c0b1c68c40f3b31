/* Records an event file into a store, as a logger would have at the recorded pace, but at once.
 *
 *   bench_store PATH SYMBOL FILE [TIMES]   FILE: what bench/events.py wrote; played TIMES times one
 *                                          behind the other, with times and ids shifted
 *
 * Cuts and images follow the receive times, so the sealed frames are those of a live record. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "bench/events.h"
#include "record/record.h"

struct play {
        struct recorder *recorder;
        struct record_stream *stream;
        const struct event_file *file;
        int64_t ticked_ns, tick_ns;
        struct book first; /* the image's */
        struct buffer levels;
};

static void fail(const char *what)
{
        fprintf(stderr, "bench_store: %s\n", what);
        exit(1);
}

/* What a tick of the record brings is handed over once it is over. */
static void tick(struct play *play, int64_t now_ns)
{
        for (; now_ns - play->ticked_ns >= play->tick_ns; play->ticked_ns += play->tick_ns) {
                record_alive(play->stream, play->ticked_ns);
                recorder_tick(play->recorder, play->ticked_ns + play->tick_ns);
        }
}

static void play_event(struct play *play, struct event event, int64_t time_ns, int64_t ids)
{
        event.event_time_ns += time_ns;
        event.receive_time_ns += time_ns;
        event.first_id += ids;
        event.last_id += ids;
        tick(play, event.receive_time_ns);
        if (record_event(play->stream, &event))
                fail("an event was not taken");
}

/* What @now has and @then has not, or has otherwise: removed, or set as @then has it. */
static uint32_t add_changes(
    struct play *play, enum side side, const struct book *then, const struct book *now)
{
        struct level level;
        struct book_cursor cursor = {0};
        size_t begin = play->levels.size;
        while (book_next(now, side, &cursor, &level)) {
                if (!book_quantity(then, side, level.price)) {
                        level.quantity = 0;
                        buffer_append(&play->levels, &level, sizeof(level));
                }
        }
        cursor = (struct book_cursor){0};
        while (book_next(then, side, &cursor, &level)) {
                if (book_quantity(now, side, level.price) != level.quantity)
                        buffer_append(&play->levels, &level, sizeof(level));
        }
        return (uint32_t)((play->levels.size - begin) / sizeof(level));
}

/* One event between two plays takes the book back to where the first one began. */
static void play_rewind(struct play *play, int64_t time_ns, int64_t id)
{
        struct event event = {
            .event_time_ns = time_ns, .receive_time_ns = time_ns, .first_id = id, .last_id = id};
        buffer_clear(&play->levels);
        for (enum side s = 0; s < SIDES; s++)
                event.count[s] = add_changes(play, s, &play->first, record_book(play->stream));
        event.levels[SIDE_BID] = (const struct level *)(const void *)play->levels.data;
        event.levels[SIDE_ASK] = event.levels[SIDE_BID] + event.count[SIDE_BID];
        play_event(play, event, 0, 0);
}

static void play_all(struct play *play, unsigned long times)
{
        const struct event_file *file = play->file;
        const struct event *first = &file->events[0], *last = &file->events[file->event_count - 1];
        int64_t span_ns = last->receive_time_ns - first->receive_time_ns + NS_PER_S;
        int64_t ids = last->last_id - first->first_id + 2;
        for (unsigned long n = 0; n < times; n++) {
                int64_t shift = (int64_t)n;
                if (n)
                        play_rewind(play, first->event_time_ns + shift * span_ns - NS_PER_S / 2,
                            first->first_id + shift * ids - 1);
                for (size_t i = 0; i < file->event_count; i++)
                        play_event(play, file->events[i], shift * span_ns, shift * ids);
        }
}

/* Futures tell an event's predecessor instead of ids without holes. */
static bool ids_follow(const struct event_file *file)
{
        for (size_t i = 1; i < file->event_count; i++) {
                if (file->events[i].first_id != file->events[i - 1].last_id + 1)
                        return false;
        }
        return true;
}

static void play_begin(struct play *play, struct store *store, const char *symbol)
{
        const struct event_file *file = play->file;
        struct record_options options = record_defaults;
        struct stream_name name = {
            .exchange = "binance", .kind = KIND_L2, .sequenced = ids_follow(file)};
        struct error error = {0};
        int64_t now_ns = file->image.receive_time_ns;
        snprintf(name.symbol, sizeof(name.symbol), "%s", symbol);
        options.without_thread = true;
        if (recorder_open(&play->recorder, store, &options, &error) ||
            record_stream_open(play->recorder, &name, &file->scale, now_ns, &play->stream, &error))
                fail(error.text);
        play->ticked_ns = now_ns;
        buffer_init(&play->levels, (size_t)1 << 28);
        book_init(&play->first);
        if (record_image(play->stream, &file->image) || book_set_image(&play->first, &file->image))
                fail("the image was not taken");
}

int main(int argc, char **argv)
{
        struct event_file file;
        struct store *store;
        struct error error = {0};
        struct play play = {.file = &file};
        if (argc < 4 || argc > 5)
                fail("usage: bench_store PATH SYMBOL FILE [TIMES]");
        struct store_options options = {.path = argv[1], .mode = STORE_WRITE, .recorder = "bench"};
        if (event_file_read(&file, argv[3]))
                fail("the event file cannot be read");
        if (store_lmdb.open(&store, &options, &error))
                fail(error.text);
        unsigned long times = argc == 5 ? strtoul(argv[4], NULL, 10) : 1;
        play.tick_ns = times > 1 ? 10 * NS_PER_S : NS_PER_S; /* open frames are replaced anyway */
        play_begin(&play, store, argv[2]);
        play_all(&play, times);
        if (recorder_close(play.recorder, play.ticked_ns, 60 * NS_PER_S, &error))
                fail(error.text);
        store_lmdb.close(store);
        book_deinit(&play.first);
        buffer_deinit(&play.levels);
        event_file_free(&file);
        return 0;
}
