#include "ship/legacy.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bson/bson.h>

#include "base/backoff.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "recon/recon.h"
#include "ship/legacy_follow.h"
#include "store/layout.h"
#include "store/mongo_client.h"

#define STATE_VERSION 1
#define STATE_SIZE 49
#define ROUND_NS NS_PER_S
#define BUSY_SHARE 10 /* a round in which nothing came is followed by so much more rest */
#define BACKOFF_MAX_NS (60 * NS_PER_S)

/* Where a stream's documents stand. */
struct followed {
        uint32_t stream;
        struct legacy_state state;
        bool dirty;    /* not kept in the store yet */
        uint64_t seen; /* position of the last event when nothing more was to be written */
};

struct legacy {
        char *path, *recorder;
        struct mongo *mongo;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        bool stop;
        int64_t deadline_ns; /* monotonic; of the end */
        /* of the thread alone */
        struct followed *followed;
        size_t count;
        unsigned failures; /* in a row */
        uint64_t random;
};

/* ---- positions in the store ---- */

static void put_number(struct buffer *out, uint64_t value, unsigned size)
{
        for (; size--; value >>= 8)
                buffer_append_byte(out, (uint8_t)value);
}

static uint64_t get_number(const uint8_t **at, unsigned size)
{
        uint64_t value = 0;
        for (unsigned i = size; i-- > 0;)
                value = value << 8 | (*at)[i];
        *at += size;
        return value;
}

static void state_write(struct buffer *out, const struct legacy_state *state)
{
        buffer_append_byte(out, STATE_VERSION);
        put_number(out, state->epoch, 4);
        put_number(out, (uint64_t)state->last_id, 8);
        put_number(out, (uint64_t)state->event_time_ns, 8);
        put_number(out, (uint64_t)state->snapshot_ns, 8);
        put_number(out, state->trade_epoch, 4);
        put_number(out, (uint64_t)state->trade_id, 8);
        put_number(out, (uint64_t)state->trade_time_ns, 8);
}

static int state_read(struct bytes in, struct legacy_state *ret_state)
{
        const uint8_t *at = in.data + 1;
        if (in.size && in.data[0] > STATE_VERSION)
                return ERR_VERSION;
        if (in.size != STATE_SIZE)
                return ERR_CORRUPT;
        ret_state->epoch = (uint32_t)get_number(&at, 4);
        ret_state->last_id = (int64_t)get_number(&at, 8);
        ret_state->event_time_ns = (int64_t)get_number(&at, 8);
        ret_state->snapshot_ns = (int64_t)get_number(&at, 8);
        ret_state->trade_epoch = (uint32_t)get_number(&at, 4);
        ret_state->trade_id = (int64_t)get_number(&at, 8);
        ret_state->trade_time_ns = (int64_t)get_number(&at, 8);
        return 0;
}

static int load_state(struct store *store, struct followed *followed, struct error *error)
{
        struct store_txn txn;
        struct bytes value;
        int code = store->ops->begin(store, STORE_META, false, &txn, error);
        if (code)
                return code;
        code = store->ops->get(&txn, STORE_SINKS, key_sink(followed->stream, SINK_LEGACY), &value);
        if (code != ERR_NOT_FOUND)
                code = code ? code : state_read(value, &followed->state);
        else
                code = 0;
        store->ops->abort(&txn);
        return code ? error_set(error, code, "its position in the store cannot be read: %s",
                          error_name(code))
                    : 0;
}

/* All streams' in one transaction: what was written twice since is the same again. */
static int keep_states(struct legacy *self, struct store *store, struct error *error)
{
        struct store_txn txn;
        struct buffer value;
        bool any = false;
        for (size_t i = 0; i < self->count; i++)
                any |= self->followed[i].dirty;
        if (!any)
                return 0;
        int code = store->ops->begin(store, STORE_META, true, &txn, error);
        if (code)
                return code;
        buffer_init(&value, STATE_SIZE);
        for (size_t i = 0; i < self->count; i++) {
                struct followed *followed = &self->followed[i];
                if (!followed->dirty)
                        continue;
                buffer_clear(&value);
                state_write(&value, &followed->state);
                store->ops->put(&txn, STORE_SINKS, key_sink(followed->stream, SINK_LEGACY),
                    buffer_bytes(&value));
        }
        buffer_deinit(&value);
        code = store->ops->commit(&txn, error);
        for (size_t i = 0; i < self->count && !code; i++)
                self->followed[i].dirty = false;
        return code;
}

/* ---- writing ---- */

static int run_bulk(struct legacy *self, const struct legacy_batch *batch, const char *collection,
    bool replace, struct error *error)
{
        struct mongo_bulk *bulk = mongo_bulk_begin(self->mongo, collection, replace);
        bson_t reply;
        for (size_t i = 0; i < batch->count; i++) {
                bson_iter_t id;
                bson_t filter = BSON_INITIALIZER;
                if (!replace) {
                        mongo_bulk_insert(bulk, batch->documents[i]);
                } else if (bson_iter_init_find(&id, batch->documents[i], "_id")) {
                        bson_append_iter(&filter, "_id", 3, &id);
                        mongo_bulk_replace(bulk, &filter, batch->documents[i]);
                }
                bson_destroy(&filter);
        }
        int code = mongo_bulk_run(bulk, &reply, error);
        bson_destroy(&reply);
        return code;
}

/* What was written before, by a try whose answer was lost or whose position was not kept, is
 * replaced: it may be the same with fewer trades. */
static int write_batch(struct legacy *self, const struct legacy_batch *batch,
    const char *collection, struct error *error)
{
        int code = run_bulk(self, batch, collection, false, error);
        return code == MONGO_DUPLICATE ? run_bulk(self, batch, collection, true, error) : code;
}

/* ---- rounds ---- */

/* A store that was restored from a copy ends before what is written: it is followed from its end.
 */
static void state_clamp(struct legacy_state *state, const struct mark_record *mark)
{
        if (state->epoch < mark->epoch ||
            (state->epoch == mark->epoch && state->last_id <= mark->last_id))
                return;
        state->epoch = mark->epoch;
        state->last_id = mark->last_id;
        state->event_time_ns = mark->last_event_time_ns;
}

static struct followed *find_followed(struct legacy *self, struct store *store,
    const struct recon_stream *stream, struct error *error)
{
        for (size_t i = 0; i < self->count; i++) {
                if (self->followed[i].stream == stream->number)
                        return &self->followed[i];
        }
        struct followed followed = {.stream = stream->number};
        if (load_state(store, &followed, error))
                return NULL;
        state_clamp(&followed.state, &stream->mark);
        self->followed = memory_resize(self->followed, (self->count + 1) * sizeof(*self->followed));
        self->followed[self->count] = followed;
        return &self->followed[self->count++];
}

/* One batch of one stream. */
static int follow_stream(struct legacy *self, struct reader *reader,
    const struct recon_stream *stream, bool *more, struct error *error)
{
        struct legacy_batch batch;
        char collection[META_SYMBOL_SIZE];
        struct followed *followed = find_followed(self, reader->store, stream, error);
        if (!followed)
                return error->code;
        if (followed->seen == stream->mark.last_position)
                return 0;
        legacy_batch_init(&batch);
        int code = legacy_follow(reader, stream, self->recorder, &followed->state, &batch, error);
        if (!code && batch.count) {
                legacy_collection(&stream->name, collection);
                code = write_batch(self, &batch, collection, error);
        }
        if (!code) {
                followed->state = batch.state;
                followed->dirty |= batch.count > 0;
                followed->seen = batch.more ? followed->seen : stream->mark.last_position;
                *more |= batch.more;
        }
        legacy_batch_deinit(&batch);
        return code;
}

static bool is_over(struct legacy *self)
{
        pthread_mutex_lock(&self->lock);
        bool over = self->stop && clock_mono_ns() >= self->deadline_ns;
        pthread_mutex_unlock(&self->lock);
        return over;
}

/* A batch of each stream in turn. One that fails does not hold up the others, unless the database
 * does not answer. The first error is told. */
static int follow_all(struct legacy *self, struct reader *reader, bool *more, struct error *error)
{
        int worst = 0;
        for (size_t i = 0; i < reader->stream_count && worst != ERR_IO && !is_over(self); i++) {
                const struct recon_stream *stream = &reader->streams[i];
                struct error failed = {0};
                if (stream->name.kind != KIND_L2 || !stream->recorded || !stream->mark.epoch)
                        continue;
                int code = follow_stream(self, reader, stream, more, &failed);
                if (code && (!worst || code == ERR_IO)) {
                        worst = code;
                        error_set(error, code, "%s:%s: %s", stream->name.exchange,
                            stream->name.symbol, failed.text);
                }
        }
        return worst;
}

static int round_once(struct legacy *self, bool *more, struct error *error)
{
        struct store *store;
        struct reader reader;
        struct error keeping = {0};
        struct store_options options = {.path = self->path, .mode = STORE_MANAGE};
        int code = store_lmdb.open(&store, &options, error);
        if (code)
                return code;
        code = reader_open(&reader, store, error);
        if (!code) {
                code = follow_all(self, &reader, more, error);
                reader_close(&reader);
                int kept = keep_states(self, store, &keeping);
                if (kept && !code) {
                        code = kept;
                        *error = keeping;
                }
        }
        store_lmdb.close(store);
        return code;
}

/* ---- the thread ---- */

static bool is_stopped(struct legacy *self)
{
        pthread_mutex_lock(&self->lock);
        bool stop = self->stop;
        pthread_mutex_unlock(&self->lock);
        return stop;
}

/* One line for each change of state. */
static void tell(struct legacy *self, int code, const struct error *error)
{
        if (code && !self->failures)
                log_warning("MongoDB, older layout: %s; it is tried again by itself, nothing is "
                            "lost meanwhile",
                    error->text);
        else if (!code && self->failures && !is_stopped(self)) /* at the end it may just give up */
                log_info("MongoDB, older layout: writing again");
        if (!code)
                self->failures = 0;
}

/* Until it is time, or the end. */
static void rest(struct legacy *self, int64_t wait_ns)
{
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t end_ns = until.tv_sec * NS_PER_S + until.tv_nsec + wait_ns;
        until.tv_sec = end_ns / NS_PER_S;
        until.tv_nsec = end_ns % NS_PER_S;
        pthread_mutex_lock(&self->lock);
        while (!self->stop && clock_mono_ns() < end_ns)
                pthread_cond_timedwait(&self->wake, &self->lock, &until);
        pthread_mutex_unlock(&self->lock);
}

/* How long to rest after a round that took so long: never more than a small share of a core. */
static int64_t pause_of(struct legacy *self, int code, bool more, int64_t took_ns)
{
        if (code)
                return backoff_next(&self->failures, BACKOFF_MAX_NS, &self->random);
        if (more)
                return 0;
        return took_ns * BUSY_SHARE > ROUND_NS ? took_ns * BUSY_SHARE : ROUND_NS;
}

/* At the end whatever is committed is written too, as long as there is time. */
static void *legacy_main(void *user)
{
        struct legacy *self = user;
        for (;;) {
                struct error error = {0};
                bool more = false, last = is_stopped(self);
                int64_t begin_ns = clock_mono_ns();
                int code = round_once(self, &more, &error);
                tell(self, code, &error);
                if (last && (code || !more || is_over(self)))
                        return NULL;
                rest(self, pause_of(self, code, more, clock_mono_ns() - begin_ns));
        }
}

/* ---- life ---- */

static void legacy_free(struct legacy *self)
{
        mongo_close(self->mongo);
        pthread_cond_destroy(&self->wake);
        pthread_mutex_destroy(&self->lock);
        free(self->followed);
        free(self->recorder);
        free(self->path);
        free(self);
}

static void init_condition(pthread_cond_t *condition)
{
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(condition, &attributes);
        pthread_condattr_destroy(&attributes);
}

int legacy_open(
    struct legacy **ret_legacy, const struct legacy_options *options, struct error *error)
{
        struct legacy *self = memory_new(sizeof(*self));
        struct mongo_options connection = {
            .uri = options->endpoint, .database = options->database, .password = options->password};
        self->path = memory_text(options->store);
        self->recorder = memory_text(options->recorder);
        self->random = backoff_seed((uint64_t)clock_wall_ns());
        pthread_mutex_init(&self->lock, NULL);
        init_condition(&self->wake);
        int code = mongo_open(&self->mongo, &connection, error);
        if (!code && pthread_create(&self->thread, NULL, legacy_main, self))
                code = error_set(error, ERR_IO, "cannot start the thread of MONGODB_LAYOUT");
        if (code) {
                legacy_free(self);
                return code;
        }
        *ret_legacy = self;
        return 0;
}

bool legacy_close(struct legacy *self, int64_t wait_ns)
{
        if (!self)
                return true;
        pthread_mutex_lock(&self->lock);
        self->stop = true;
        self->deadline_ns = clock_mono_ns() + wait_ns;
        pthread_cond_signal(&self->wake);
        pthread_mutex_unlock(&self->lock);
        int64_t end_ns = clock_wall_ns() + wait_ns;
        struct timespec until = {.tv_sec = end_ns / NS_PER_S, .tv_nsec = end_ns % NS_PER_S};
        if (pthread_timedjoin_np(self->thread, NULL, &until)) {
                log_info("MongoDB, older layout: no answer; what is left over the next start "
                         "writes");
                pthread_detach(self->thread); /* it waits for an answer: its memory stays */
                return false;
        }
        legacy_free(self);
        return true;
}
