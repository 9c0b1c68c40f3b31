/* Latency of a rebuild at random times, and the speed of a whole replay.
 *
 *   bench_rebuild STORE EXCHANGE SYMBOL COUNT   times uniform over the record; no state is kept
 *                                               between two rebuilds but the open store */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bench/latency.h"
#include "recon/recon.h"

static void fail(const char *what)
{
        fprintf(stderr, "bench_rebuild: %s\n", what);
        exit(1);
}

static void rebuild_once(
    struct reader *reader, const struct recon_stream *stream, int64_t at, uint64_t *updates)
{
        struct recon_book book;
        struct error error;
        recon_book_init(&book);
        if (recon_book_at(reader, stream, at, CLOCK_EXCHANGE, &book, &error))
                fail(error.text);
        *updates += book.updates;
        recon_book_deinit(&book);
}

static void rebuild_many(struct reader *reader, const struct recon_stream *stream, size_t count)
{
        int64_t *times = memory_new(count * sizeof(*times));
        int64_t from = stream->mark.first_event_time_ns, to = stream->mark.recorded_until_ns,
                sum = 0;
        uint64_t updates = 0;
        for (size_t i = 0; i < count; i++) {
                int64_t at = from + (int64_t)(latency_random() % (uint64_t)(to - from));
                int64_t begin = clock_mono_ns();
                rebuild_once(reader, stream, at, &updates);
                times[i] = clock_mono_ns() - begin;
                sum += times[i];
        }
        printf("rebuild_p50_us,%lld\nrebuild_p99_us,%lld\nrebuild_max_us,%lld\n",
            (long long)latency_us(times, count, 50), (long long)latency_us(times, count, 99),
            (long long)latency_us(times, count, 100));
        printf("rebuild_ns_per_update,%lld\nrebuild_updates,%llu\n",
            (long long)(sum / (int64_t)(updates ? updates : 1)),
            (unsigned long long)(updates / count));
        free(times);
}

static int count_cb(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        (void)befores;
        (void)scale;
        (void)book;
        (void)epoch;
        *(uint64_t *)user += event_level_count(event);
        return 0;
}

static void replay_all(struct reader *reader, const struct recon_stream *stream)
{
        struct replay_options options = {INT64_MIN, INT64_MAX, CLOCK_EXCHANGE};
        struct error error;
        int64_t best = INT64_MAX;
        uint64_t levels = 0;
        for (int round = 0; round < 5; round++) {
                levels = 0;
                struct replay_callbacks callbacks = {.event_cb = count_cb, .user = &levels};
                int64_t begin = clock_mono_ns();
                if (recon_replay(reader, stream, &options, &callbacks, &error))
                        fail(error.text);
                int64_t time = clock_mono_ns() - begin;
                best = time < best ? time : best;
        }
        printf("replay_levels_per_s,%lld\n", (long long)((__int128)levels * NS_PER_S / best));
}

int main(int argc, char **argv)
{
        struct store *store;
        struct reader reader;
        struct error error;
        if (argc != 5)
                fail("usage: bench_rebuild STORE EXCHANGE SYMBOL COUNT");
        if (store_lmdb.open(&store, &(struct store_options){.path = argv[1]}, &error) ||
            reader_open(&reader, store, &error))
                fail(error.text);
        const struct recon_stream *stream = reader_find(&reader, argv[2], argv[3], KIND_L2);
        size_t count = strtoul(argv[4], NULL, 10);
        if (!stream || !stream->mark.last_position || !count)
                fail("nothing is recorded under that name");
        rebuild_many(&reader, stream, count);
        replay_all(&reader, stream);
        reader_close(&reader);
        store_lmdb.close(store);
        return 0;
}
