/* The thread of ship.h: opens both ends, steps, waits, tells, and keeps what it knows. */
#include "ship/ship.h"

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "ship/describe.h"
#include "ship/follow.h"
#include "store/layout.h"

#define LOOK_EVERY_NS NS_PER_S
#define KEEP_EVERY_NS (5 * NS_PER_S)
#define FINISH_PAUSE_US 200000
#define BACKOFF_MAX_NS (30 * NS_PER_S)
#define REMIND_NS (600 * NS_PER_S)
#define BEHIND_TELL_NS (60 * NS_PER_S)

struct shipper {
        char *path;
        const struct store_ops *ops;
        struct store_options sink; /* texts are its own */
        char identity[STORE_IDENTITY_SIZE];
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        bool stop;
        int64_t stop_ns; /* monotonic; not beyond that */
        struct shipper_stats stats;
        /* of the thread */
        struct store *source, *target;
        struct follow *follow;
        struct describer describer;
        unsigned failures;
        uint64_t random;
        int failing;         /* the code of the last failure; 0: all is well */
        unsigned told_codes; /* which of them were told since all was well, a bit each */
        int64_t told_ns, kept_ns, behind_told_ns;
};

static const struct stream_name *name_cb(uint32_t stream, void *user)
{
        const struct shipper *shipper = user;
        return shipper->follow ? follow_name(shipper->follow, stream) : NULL;
}

/* ---- opening ---- */

/* Who holds the writer's lock of that folder is one program at a time: what it says of itself lets
 * it take over from the one before. */
static void make_identity(struct shipper *shipper)
{
        char host[256] = "", machine[64] = "", path[PATH_MAX];
        FILE *file = fopen("/etc/machine-id", "re");
        gethostname(host, sizeof(host) - 1);
        if (file) {
                if (!fgets(machine, sizeof(machine), file))
                        machine[0] = '\0';
                machine[strcspn(machine, "\n")] = '\0';
                fclose(file);
        }
        if (!realpath(shipper->path, path))
                snprintf(path, sizeof(path), "%s", shipper->path);
        snprintf(
            shipper->identity, sizeof(shipper->identity), "%.64s %.40s %s", host, machine, path);
        shipper->sink.identity = shipper->identity;
}

/* Streams that the sink has nothing of yet: all of them waits for it. */
static int claim_streams(struct shipper *shipper, struct error *error)
{
        struct store *source = shipper->source;
        struct store_txn meta;
        struct store_cursor cursor;
        struct buffer value;
        int code = source->ops->begin(source, STORE_META, true, &meta, error);
        if (code)
                return code;
        buffer_init(&value, 4096);
        sink_write(&value, &(struct sink_record){0});
        code = source->ops->seek(&meta, STORE_STREAMS, key_stream(0), &cursor);
        while (!code) {
                struct bytes known;
                struct store_key key = key_sink(cursor.key.stream, SINK_MONGODB);
                if (source->ops->get(&meta, STORE_SINKS, key, &known))
                        source->ops->put(&meta, STORE_SINKS, key, buffer_bytes(&value));
                code = source->ops->next(&cursor);
        }
        source->ops->done(&cursor);
        buffer_deinit(&value);
        return source->ops->commit(&meta, error);
}

static int open_source(struct shipper *shipper, struct error *error)
{
        struct store_options options = {.path = shipper->path, .mode = STORE_MANAGE};
        if (shipper->source)
                return 0;
        int code = store_lmdb.open(&shipper->source, &options, error);
        if (code)
                return code;
        code = claim_streams(shipper, error);
        if (code) { /* not without its claims */
                store_lmdb.close(shipper->source);
                shipper->source = NULL;
        }
        return code;
}

static int open_target(struct shipper *shipper, struct error *error)
{
        struct store_options options = shipper->sink;
        if (shipper->target)
                return 0;
        options.mode = STORE_WRITE;
        options.uuid = shipper->source->ops->uuid(shipper->source);
        options.describe_cb = describe;
        options.user = &shipper->describer;
        int code = shipper->ops->open(&shipper->target, &options, error);
        if (code)
                return code;
        struct follow_options follow = {
            .source = shipper->source, .target = shipper->target, .sink = SINK_MONGODB};
        follow_open(&shipper->follow, &follow);
        return 0;
}

static void close_target(struct shipper *shipper)
{
        follow_close(shipper->follow);
        shipper->follow = NULL;
        if (shipper->target)
                shipper->ops->close(shipper->target);
        shipper->target = NULL;
}

/* ---- what is told ---- */

static void set_state(struct shipper *shipper, enum shipper_state state)
{
        pthread_mutex_lock(&shipper->lock);
        shipper->stats.state = state;
        shipper->stats.failures += state == SHIPPER_WAITING;
        if (shipper->follow) {
                const struct follow_stats *stats = follow_stats(shipper->follow);
                shipper->stats.events_behind = stats->events_behind;
                shipper->stats.bytes_behind = stats->bytes_behind;
                shipper->stats.behind_ns = stats->behind_ns;
                shipper->stats.frames = stats->frames;
                shipper->stats.bytes = stats->bytes;
        }
        pthread_mutex_unlock(&shipper->lock);
}

static void tell_failure(struct shipper *shipper, int code, const struct error *error)
{
        int64_t now_ns = clock_mono_ns();
        unsigned bit = 1u << (unsigned)-code;
        bool first = !(shipper->told_codes & bit);
        if (first || now_ns - shipper->told_ns >= REMIND_NS) {
                log_warning("%s; %s; all is kept in the local store, trying again", error->text,
                    first ? "nothing is shipped meanwhile" : "still");
                shipper->told_ns = now_ns;
        }
        if (shipper->follow)
                follow_count(shipper->follow);
        shipper->told_codes |= bit;
        shipper->failing = code;
        set_state(shipper, SHIPPER_WAITING);
}

static void tell_success(struct shipper *shipper)
{
        const struct follow_stats *stats = follow_stats(shipper->follow);
        enum shipper_state before = shipper->stats.state;
        set_state(shipper, SHIPPER_SHIPPING);
        if (before == SHIPPER_STARTING || shipper->failing)
                log_info("MongoDB: shipping%s, %" PRIu64 " events (%" PRIu64 " s) behind",
                    shipper->failing ? " again" : "", stats->events_behind,
                    (uint64_t)(stats->behind_ns / NS_PER_S));
        shipper->failing = 0;
        shipper->told_codes = 0;
        shipper->failures = 0;
        int64_t now_ns = clock_mono_ns();
        if (stats->behind_ns > 3 * BEHIND_TELL_NS &&
            now_ns - shipper->behind_told_ns >= BEHIND_TELL_NS) {
                log_info("MongoDB: %" PRIu64 " events, %" PRIu64 " bytes, %" PRIu64 " s behind",
                    stats->events_behind, stats->bytes_behind,
                    (uint64_t)(stats->behind_ns / NS_PER_S));
                shipper->behind_told_ns = now_ns;
        }
}

/* ---- how far it is, kept in the local store ---- */

static int put_positions(const struct follow *follow, struct store_txn *meta)
{
        const struct store_ops *ops = meta->store->ops;
        struct sink_record sink;
        struct buffer value;
        uint32_t stream;
        buffer_init(&value, 4096);
        for (size_t i = 0; follow_position(follow, i, &stream, &sink); i++) {
                struct bytes known;
                struct store_key key = key_sink(stream, SINK_MONGODB);
                buffer_clear(&value);
                sink_write(&value, &sink);
                if (ops->get(meta, STORE_SINKS, key, &known) || known.size != value.size ||
                    memcmp(known.data, value.data, value.size))
                        ops->put(meta, STORE_SINKS, key, buffer_bytes(&value));
        }
        buffer_deinit(&value);
        return meta->code;
}

static int keep_positions(struct shipper *shipper, bool now, struct error *error)
{
        struct store_txn meta;
        if (!now && clock_mono_ns() - shipper->kept_ns < KEEP_EVERY_NS)
                return 0;
        int code = shipper->source->ops->begin(shipper->source, STORE_META, true, &meta, error);
        if (code)
                return code;
        put_positions(shipper->follow, &meta);
        shipper->kept_ns = clock_mono_ns();
        return shipper->source->ops->commit(&meta, error);
}

int shipper_forget(const char *path, unsigned number, struct error *error)
{
        struct store_options options = {.path = path, .mode = STORE_MANAGE};
        struct store *store;
        struct store_txn meta;
        struct store_cursor cursor;
        int code = store_lmdb.open(&store, &options, error);
        if (code)
                return code;
        code = store_lmdb.begin(store, STORE_META, true, &meta, error);
        if (!code) {
                int more = store_lmdb.seek(&meta, STORE_SINKS, key_sink(0, 0), &cursor);
                while (!more) {
                        struct store_key key = cursor.key;
                        store_lmdb.done(&cursor);
                        if (key.major == (int64_t)number)
                                store_lmdb.erase(&meta, STORE_SINKS, key, key, NULL);
                        key.minor++;
                        more = store_lmdb.seek(&meta, STORE_SINKS, key, &cursor);
                }
                store_lmdb.done(&cursor);
                code = store_lmdb.commit(&meta, error);
        }
        store_lmdb.close(store);
        return code;
}

/* ---- the thread ---- */

/* One step; 1: there is more to ship at once. */
static int work(struct shipper *shipper, struct error *error)
{
        int code = open_source(shipper, error);
        code = code ? code : open_target(shipper, error);
        if (code)
                return code;
        int more = follow_step(shipper->follow, error);
        if (more < 0)
                return more;
        code = keep_positions(shipper, false, error);
        return code ? code : more;
}

/* The next attempt finds out anew how far the other side is; and who may write there. */
static void after_failure(struct shipper *shipper, int code)
{
        if (code == ERR_BUSY || code == ERR_USAGE || code == ERR_DENIED)
                close_target(shipper);
        else if (shipper->follow)
                follow_reload(shipper->follow);
}

/* Wait unless the end has come; false: it has. */
static bool wait_for(struct shipper *shipper, int64_t ns)
{
        struct timespec until;
        pthread_mutex_lock(&shipper->lock);
        int64_t end = clock_mono_ns() + ns;
        until = (struct timespec){.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};
        while (!shipper->stop && clock_mono_ns() < end &&
            !pthread_cond_timedwait(&shipper->wake, &shipper->lock, &until))
                ;
        bool go_on = !shipper->stop;
        pthread_mutex_unlock(&shipper->lock);
        return go_on;
}

static bool time_is_up(struct shipper *shipper)
{
        pthread_mutex_lock(&shipper->lock);
        bool up = shipper->stop && clock_mono_ns() >= shipper->stop_ns;
        pthread_mutex_unlock(&shipper->lock);
        return up;
}

/* What was sealed at the end goes too, while there is time; then the thread's handles. */
static void finish(struct shipper *shipper)
{
        struct error error = {0};
        int more = 1;
        while (more && !time_is_up(shipper)) {
                more = work(shipper, &error);
                if (more < 0) {
                        after_failure(shipper, more);
                        usleep(FINISH_PAUSE_US);
                }
        }
        if (more == 0 && !keep_positions(shipper, true, &error))
                log_info("MongoDB: everything is shipped");
        else
                log_info("MongoDB: not everything is shipped yet (%s); the next start goes on",
                    more < 0 ? error.text : "no time left");
        close_target(shipper);
        if (shipper->source)
                store_lmdb.close(shipper->source);
}

static void *shipper_main(void *user)
{
        struct shipper *shipper = user;
        bool go_on = true;
        while (go_on) {
                struct error error = {0};
                int more = work(shipper, &error);
                int64_t pause_ns = LOOK_EVERY_NS;
                if (more < 0) {
                        tell_failure(shipper, more, &error);
                        after_failure(shipper, more);
                        pause_ns =
                            backoff_next(&shipper->failures, BACKOFF_MAX_NS, &shipper->random);
                } else {
                        tell_success(shipper);
                        pause_ns = more ? 0 : pause_ns;
                }
                go_on = wait_for(shipper, pause_ns);
        }
        finish(shipper);
        return NULL;
}

static const char *copy_text(const char *text)
{
        return text ? memory_text(text) : NULL;
}

/* It may hold a password. */
static void free_text(const char *text)
{
        char *own = (char *)(uintptr_t)text;
        if (own)
                explicit_bzero(own, strlen(own));
        free(own);
}

static void shipper_free(struct shipper *shipper)
{
        describer_deinit(&shipper->describer);
        pthread_cond_destroy(&shipper->wake);
        pthread_mutex_destroy(&shipper->lock);
        free_text(shipper->sink.path);
        free_text(shipper->sink.database);
        free_text(shipper->sink.password);
        free_text(shipper->sink.recorder);
        free(shipper->path);
        free(shipper);
}

int shipper_open(
    struct shipper **ret_shipper, const struct shipper_options *options, struct error *error)
{
        struct shipper *shipper = memory_new(sizeof(*shipper));
        pthread_condattr_t attributes;
        shipper->path = memory_text(options->path);
        shipper->ops = options->ops;
        shipper->sink.path = copy_text(options->sink.path);
        shipper->sink.database = copy_text(options->sink.database);
        shipper->sink.password = copy_text(options->sink.password);
        shipper->sink.recorder = copy_text(options->sink.recorder);
        make_identity(shipper);
        describer_init(&shipper->describer);
        shipper->describer.name_cb = name_cb;
        shipper->describer.user = shipper;
        shipper->random = backoff_seed((uint64_t)clock_mono_ns());
        pthread_mutex_init(&shipper->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&shipper->wake, &attributes);
        pthread_condattr_destroy(&attributes);
        int code = open_source(shipper, error); /* for its claims: nothing is dropped from now on */
        if (!code) {
                store_lmdb.close(shipper->source);
                shipper->source = NULL;
        }
        if (!code && pthread_create(&shipper->thread, NULL, shipper_main, shipper))
                code = error_set(error, ERR_IO, "cannot start the thread that ships to MongoDB");
        if (code) {
                shipper_free(shipper);
                return code;
        }
        *ret_shipper = shipper;
        return 0;
}

/* A call to the server may last as long as its time-outs: then the thread is left behind, and ends
 * with the process; what it holds is not touched. */
bool shipper_close(struct shipper *shipper, int64_t wait_ns)
{
        if (!shipper)
                return true;
        pthread_mutex_lock(&shipper->lock);
        shipper->stop = true;
        shipper->stop_ns = clock_mono_ns() + wait_ns;
        int64_t end = shipper->stop_ns + NS_PER_S;
        pthread_cond_signal(&shipper->wake);
        pthread_mutex_unlock(&shipper->lock);
        int64_t wall = clock_wall_ns() + end - clock_mono_ns();
        struct timespec until = {.tv_sec = wall / NS_PER_S, .tv_nsec = wall % NS_PER_S};
        if (pthread_timedjoin_np(shipper->thread, NULL, &until)) {
                log_info("MongoDB: no answer; what is not shipped yet the next start ships");
                pthread_detach(shipper->thread);
                return false;
        }
        shipper_free(shipper);
        return true;
}

struct shipper_stats shipper_stats(struct shipper *shipper)
{
        pthread_mutex_lock(&shipper->lock);
        struct shipper_stats stats = shipper->stats;
        pthread_mutex_unlock(&shipper->lock);
        return stats;
}
