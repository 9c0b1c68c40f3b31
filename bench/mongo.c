/* The record in a MongoDB database: what shipping it costs, and the book at random times out of it.
 *
 *   bench_mongo ship STORE URI              a local store of one stream into an empty database
 *   bench_mongo rebuild STORE URI EXCHANGE SYMBOL COUNT
 *                                           books at times uniform over the record, out of both,
 *                                           which must be the same
 *   bench_mongo queries URI EXCHANGE SYMBOL TIME
 *                                           a line for each query that one such book takes
 *
 * "cpu" is all of this process, the client library included; "waited" what goes by in calls of that
 * library without this process running: the server, and the way there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "bench/latency.h"
#include "bench/wire.h"
#include "recon/recon.h"
#include "ship/describe.h"
#include "ship/follow.h"

static void fail(const char *what)
{
        fprintf(stderr, "bench_mongo: %s\n", what);
        exit(1);
}

static void print(const char *name, int64_t value)
{
        printf("%s,%" PRId64 "\n", name, value);
}

static int64_t cpu_ns(void)
{
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
            (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * NS_PER_US;
}

static void open_reader(const struct store_ops *ops, const char *path, struct store **ret_store,
    struct reader *ret_reader)
{
        struct error error;
        if (ops->open(ret_store, &(struct store_options){.path = path}, &error) ||
            reader_open(ret_reader, *ret_store, &error))
                fail(error.text);
}

static void close_reader(struct store *store, struct reader *reader)
{
        reader_close(reader);
        store->ops->close(store);
}

static const struct recon_stream *find_stream(
    const struct reader *reader, const char *exchange, const char *symbol)
{
        const struct recon_stream *stream = reader_find(reader, exchange, symbol, KIND_L2);
        if (!stream || !stream->mark.last_position)
                fail("nothing is recorded under that name");
        return stream;
}

/* ---- shipping ---- */

static const struct stream_name *name_cb(uint32_t stream, void *user)
{
        return follow_name(*(struct follow **)user, stream);
}

struct run {
        struct wire wire;
        int64_t wall_ns, cpu_ns;
};

static void run_begin(struct run *run)
{
        *run = (struct run){wire, clock_mono_ns(), cpu_ns()};
}

static void run_end(struct run *run)
{
        struct wire before = run->wire;
        run->wall_ns = clock_mono_ns() - run->wall_ns;
        run->cpu_ns = cpu_ns() - run->cpu_ns;
        run->wire = wire_since(&before);
}

static void ship_print(const struct run *run, const struct mark_record *mark)
{
        const struct wire *sent = &run->wire;
        int64_t events = (int64_t)mark->events, levels = (int64_t)mark->level_updates;
        int64_t took_ns = run->wall_ns;
        print("record_ms", (mark->recorded_until_ns - mark->first_event_time_ns) / NS_PER_MS);
        print("events", events);
        print("level_updates", levels);
        print("documents", (int64_t)sent->written);
        print("document_bytes", (int64_t)sent->written_bytes);
        print("calls", (int64_t)(sent->queries + sent->writes + sent->commands));
        print("ms", took_ns / NS_PER_MS);
        print("events_per_s", (int64_t)((__int128)events * NS_PER_S / took_ns));
        print("level_updates_per_s", (int64_t)((__int128)levels * NS_PER_S / took_ns));
        print("documents_per_s", (int64_t)((__int128)sent->written * NS_PER_S / took_ns));
        print("bytes_per_s", (int64_t)((__int128)sent->written_bytes * NS_PER_S / took_ns));
        print("cpu_ns_per_event", run->cpu_ns / events);
        print("library_cpu_ns_per_event", sent->library_ns / events);
        print("waited_ns_per_event", sent->waited_ns / events);
}

static void open_target(
    struct store *source, const char *uri, struct describer *describer, struct store **ret_target)
{
        struct error error;
        struct store_options options = {.path = uri,
            .mode = STORE_WRITE,
            .recorder = source->ops->recorder(source),
            .uuid = source->ops->uuid(source),
            .describe_cb = describe,
            .user = describer};
        if (store_mongo.open(ret_target, &options, &error))
                fail(error.text);
}

static void ship(const char *path, const char *uri)
{
        struct store *source, *target;
        struct reader reader;
        struct follow *follow = NULL;
        struct describer describer;
        struct error error;
        struct run run;
        int more;
        describer_init(&describer);
        describer.name_cb = name_cb;
        describer.user = &follow;
        open_reader(&store_lmdb, path, &source, &reader);
        if (reader.stream_count != 1 || !reader.streams[0].mark.events)
                fail("the store should hold one stream");
        run_begin(&run);
        open_target(source, uri, &describer, &target);
        run_end(&run);
        print("open_ms", run.wall_ns / NS_PER_MS);
        follow_open(&follow, &(struct follow_options){.source = source, .target = target});
        run_begin(&run);
        while ((more = follow_step(follow, &error)) > 0)
                ;
        if (more < 0)
                fail(error.text);
        run_end(&run);
        ship_print(&run, &reader.streams[0].mark);
        follow_close(follow);
        target->ops->close(target);
        describer_deinit(&describer);
        close_reader(source, &reader);
}

/* ---- rebuilding ---- */

struct copy {
        struct store *store;
        struct reader reader;
        const struct recon_stream *stream;
        struct recon_book book;
        int64_t *times;
};

static void copy_open(struct copy *copy, const struct store_ops *ops, const char *path,
    const char *exchange, const char *symbol)
{
        open_reader(ops, path, &copy->store, &copy->reader);
        copy->stream = find_stream(&copy->reader, exchange, symbol);
        recon_book_init(&copy->book);
}

static void copy_close(struct copy *copy)
{
        recon_book_deinit(&copy->book);
        close_reader(copy->store, &copy->reader);
        free(copy->times);
}

static int64_t copy_rebuild(struct copy *copy, int64_t at)
{
        struct error error;
        int64_t begin = clock_mono_ns();
        if (recon_book_at(&copy->reader, copy->stream, at, CLOCK_EXCHANGE, &copy->book, &error))
                fail(error.text);
        return clock_mono_ns() - begin;
}

static bool same_books(const struct recon_book *a, const struct recon_book *b)
{
        return a->status == b->status && a->last_id == b->last_id &&
            digest_book(&a->book, &a->scale) == digest_book(&b->book, &b->scale);
}

static void rebuild_print(
    const struct run *run, struct copy *local, struct copy *remote, int64_t *waited, size_t count)
{
        const struct wire *got = &run->wire;
        int64_t number = (int64_t)count;
        print("p50_us", latency_us(remote->times, count, 50));
        print("p99_us", latency_us(remote->times, count, 99));
        print("waited_p50_us", latency_us(waited, count, 50));
        print("waited_p99_us", latency_us(waited, count, 99));
        print("local_p50_us", latency_us(local->times, count, 50));
        print("local_p99_us", latency_us(local->times, count, 99));
        print("cpu_us", run->cpu_ns / NS_PER_US / number);
        print("library_cpu_us", got->library_ns / NS_PER_US / number);
        print("queries_per_1000", (int64_t)got->queries * 1000 / number);
        print("empty_queries_per_1000", (int64_t)got->empty * 1000 / number);
        print("documents_per_1000", (int64_t)got->documents * 1000 / number);
        print("document_bytes", (int64_t)got->bytes / number);
}

static void add_run(struct run *sum, const struct run *run)
{
        sum->cpu_ns += run->cpu_ns;
        sum->wire.library_ns += run->wire.library_ns;
        sum->wire.queries += run->wire.queries;
        sum->wire.empty += run->wire.empty;
        sum->wire.documents += run->wire.documents;
        sum->wire.bytes += run->wire.bytes;
}

static void rebuild_many(struct copy *local, struct copy *remote, size_t count)
{
        const struct mark_record *mark = &local->stream->mark;
        int64_t from = mark->first_event_time_ns;
        uint64_t span = (uint64_t)(mark->recorded_until_ns - from);
        int64_t *waited = memory_new(count * sizeof(*waited));
        struct run sum = {0}, run;
        local->times = memory_new(count * sizeof(*local->times));
        remote->times = memory_new(count * sizeof(*remote->times));
        for (size_t i = 0; i < count; i++) {
                int64_t at = from + (int64_t)(latency_random() % span);
                run_begin(&run);
                remote->times[i] = copy_rebuild(remote, at);
                run_end(&run);
                add_run(&sum, &run);
                waited[i] = run.wire.waited_ns;
                local->times[i] = copy_rebuild(local, at);
                if (!same_books(&local->book, &remote->book))
                        fail("the books differ");
        }
        rebuild_print(&sum, local, remote, waited, count);
        free(waited);
}

static void rebuild(char **words)
{
        struct copy local = {0}, remote = {0};
        size_t count = strtoul(words[4], NULL, 10);
        if (!count)
                fail("COUNT should be a number above 0");
        copy_open(&local, &store_lmdb, words[0], words[2], words[3]);
        copy_open(&remote, &store_mongo, words[1], words[2], words[3]);
        rebuild_many(&local, &remote, count);
        copy_close(&remote);
        copy_close(&local);
}

static void queries(char **words)
{
        struct copy copy = {0};
        int64_t at;
        if (time_parse(words[3], &at))
                fail("TIME is none");
        copy_open(&copy, &store_mongo, words[0], words[1], words[2]);
        wire_trace(stdout);
        int64_t took = copy_rebuild(&copy, at);
        wire_trace(NULL);
        printf("%" PRId64 " us, %u level updates\n", took / NS_PER_US, copy.book.updates);
        copy_close(&copy);
}

int main(int argc, char **argv)
{
        if (argc == 4 && !strcmp(argv[1], "ship"))
                ship(argv[2], argv[3]);
        else if (argc == 7 && !strcmp(argv[1], "rebuild"))
                rebuild(argv + 2);
        else if (argc == 6 && !strcmp(argv[1], "queries"))
                queries(argv + 2);
        else
                fail("usage: bench_mongo ship STORE URI | rebuild STORE URI EXCHANGE SYMBOL COUNT "
                     "| queries URI EXCHANGE SYMBOL TIME");
        return 0;
}
