/* The decoder's thread fills chunks with copies of what recon_replay gives; the caller's thread
 * takes them in turn. Both count chunks: those given but not yet returned are the taker's, all
 * others the decoder's. An event that no chunk can hold is not copied but lent: its arrays stay the
 * decoder's, which waits until all that it gave is returned. */
#include "recon/ahead.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"

enum item_kind {
        ITEM_EVENT,
        ITEM_PASS,
        ITEM_IMAGE,
};

/* One call of a callback. In a chunk its arrays lie behind it, unless it is lent. */
struct item {
        enum item_kind kind;
        uint32_t epoch;
        size_t size; /* in the chunk */
        struct scale scale;
        struct event event;
        const int64_t *befores;
        uint64_t sum;
};

struct chunk {
        uint8_t *data; /* LIMIT_AHEAD_CHUNK bytes */
        size_t size;
};

struct ahead {
        struct reader *reader;
        const struct recon_stream *stream;
        const struct replay_options *options;
        const struct ahead_callbacks *callbacks;
        bool apart;
        int code; /* of the decoder */
        struct error error;

        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        struct chunk chunks[LIMIT_AHEAD_CHUNKS];
        uint64_t given, returned; /* chunks, ever; the decoder fills the one after the last given */
        bool ended;               /* the decoder gives no more */
        atomic_bool stop;         /* the taker takes no more */
};

/* ---- the taker ---- */

static int play_item(const struct ahead_callbacks *callbacks, const struct item *item)
{
        if (item->kind == ITEM_IMAGE) {
                callbacks->image_cb(item->sum, &item->scale, callbacks->user);
                return 0;
        }
        replay_event_cb event_cb =
            item->kind == ITEM_EVENT ? callbacks->event_cb : callbacks->pass_cb;
        return event_cb(
            &item->event, item->befores, &item->scale, NULL, item->epoch, callbacks->user);
}

static int play_chunk(const struct ahead_callbacks *callbacks, const struct chunk *chunk)
{
        const struct item *item;
        int code = 0;
        for (size_t at = 0; at < chunk->size && !code; at += item->size) {
                item = (const void *)(chunk->data + at);
                code = play_item(callbacks, item);
        }
        return code;
}

/* The oldest chunk that is not returned, or NULL at the end. */
static const struct chunk *take_chunk(struct ahead *ahead)
{
        pthread_mutex_lock(&ahead->lock);
        while (ahead->returned == ahead->given && !ahead->ended)
                pthread_cond_wait(&ahead->wake, &ahead->lock);
        bool more = ahead->returned != ahead->given;
        pthread_mutex_unlock(&ahead->lock);
        return more ? &ahead->chunks[ahead->returned % LIMIT_AHEAD_CHUNKS] : NULL;
}

static void return_chunk(struct ahead *ahead, bool stop)
{
        pthread_mutex_lock(&ahead->lock);
        ahead->returned++;
        ahead->stop = stop;
        pthread_cond_broadcast(&ahead->wake);
        pthread_mutex_unlock(&ahead->lock);
}

static int take_all(struct ahead *ahead)
{
        const struct chunk *chunk;
        int code = 0;
        while (!code && (chunk = take_chunk(ahead))) {
                code = play_chunk(ahead->callbacks, chunk);
                return_chunk(ahead, code != 0);
        }
        return code;
}

/* ---- the decoder's thread ---- */

static struct chunk *chunk_to_fill(struct ahead *ahead)
{
        return &ahead->chunks[ahead->given % LIMIT_AHEAD_CHUNKS];
}

/* Give what is filled, and wait until at most @out chunks are not returned. */
static int give_chunk(struct ahead *ahead, unsigned out)
{
        pthread_mutex_lock(&ahead->lock);
        ahead->given++;
        pthread_cond_broadcast(&ahead->wake);
        while (ahead->given - ahead->returned > out && !ahead->stop)
                pthread_cond_wait(&ahead->wake, &ahead->lock);
        bool stop = ahead->stop;
        pthread_mutex_unlock(&ahead->lock);
        if (stop)
                return ERR_STOPPED;
        chunk_to_fill(ahead)->size = 0;
        return 0;
}

static const void *copy_array(struct chunk *chunk, const void *array, size_t size)
{
        void *copy = chunk->data + chunk->size;
        if (size)
                memcpy(copy, array, size);
        chunk->size += size;
        return copy;
}

static void fill_item(struct chunk *chunk, const struct item *item)
{
        struct item *copy = (void *)(chunk->data + chunk->size);
        *copy = *item;
        chunk->size += sizeof(*item);
        if (item->size == sizeof(*item)) /* nothing to copy, or it is lent */
                return;
        for (enum side s = 0; s < SIDES; s++)
                copy->event.levels[s] = copy_array(
                    chunk, item->event.levels[s], item->event.count[s] * sizeof(struct level));
        copy->befores =
            copy_array(chunk, item->befores, event_level_count(&item->event) * sizeof(int64_t));
        if (item->event.order)
                copy->event.order =
                    copy_array(chunk, item->event.order, sizeof(struct order_message));
}

static int give_item(struct ahead *ahead, struct item *item)
{
        size_t levels = event_level_count(&item->event);
        item->size = sizeof(*item) + levels * (sizeof(struct level) + sizeof(int64_t)) +
            (item->event.order ? sizeof(struct order_message) : 0);
        bool lend = item->size > LIMIT_AHEAD_CHUNK;
        if (lend)
                item->size = sizeof(*item);
        int code = 0;
        if (chunk_to_fill(ahead)->size + item->size > LIMIT_AHEAD_CHUNK)
                code = give_chunk(ahead, LIMIT_AHEAD_CHUNKS - 1);
        if (code)
                return code;
        fill_item(chunk_to_fill(ahead), item);
        return lend ? give_chunk(ahead, 0) : 0;
}

/* ---- what recon_replay calls ---- */

static int pass_item(struct ahead *ahead, struct item *item)
{
        if (!ahead->apart)
                return play_item(ahead->callbacks, item);
        return ahead->stop ? ERR_STOPPED : give_item(ahead, item);
}

static int ahead_event(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct item item = {ITEM_EVENT, epoch, 0, *scale, *event, befores, 0};
        (void)book;
        return pass_item(user, &item);
}

static int ahead_pass(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct ahead *ahead = user;
        struct item item = {ITEM_PASS, epoch, 0, *scale, *event, befores, 0};
        (void)book;
        if (!ahead->callbacks->pass_cb)
                return ahead->stop ? ERR_STOPPED : 0;
        return pass_item(ahead, &item);
}

static void ahead_image(const struct book *book, const struct scale *scale, void *user)
{
        struct ahead *ahead = user;
        struct item item = {.kind = ITEM_IMAGE, .scale = *scale};
        if (!ahead->callbacks->image_cb || ahead->stop)
                return;
        item.sum = ahead->callbacks->sum_cb(book, scale);
        pass_item(ahead, &item); /* a stop is told to the next event */
}

static void decode(struct ahead *ahead)
{
        struct replay_callbacks callbacks = {ahead_event, ahead_pass, ahead_image, ahead};
        ahead->code =
            recon_replay(ahead->reader, ahead->stream, ahead->options, &callbacks, &ahead->error);
}

static void *decoder_main(void *user)
{
        struct ahead *ahead = user;
        decode(ahead);
        pthread_mutex_lock(&ahead->lock);
        if (!ahead->stop)
                ahead->given++;
        ahead->ended = true;
        pthread_cond_broadcast(&ahead->wake);
        pthread_mutex_unlock(&ahead->lock);
        return NULL;
}

/* ---- both ---- */

static int replay_apart(struct ahead *ahead)
{
        uint8_t *memory = memory_new((size_t)LIMIT_AHEAD_CHUNKS * LIMIT_AHEAD_CHUNK);
        for (size_t i = 0; i < LIMIT_AHEAD_CHUNKS; i++)
                ahead->chunks[i].data = memory + i * LIMIT_AHEAD_CHUNK;
        pthread_mutex_init(&ahead->lock, NULL);
        pthread_cond_init(&ahead->wake, NULL);
        int code = 0;
        if (pthread_create(&ahead->thread, NULL, decoder_main, ahead)) {
                ahead->apart = false;
                decode(ahead);
        } else {
                code = take_all(ahead);
                pthread_join(ahead->thread, NULL);
        }
        pthread_cond_destroy(&ahead->wake);
        pthread_mutex_destroy(&ahead->lock);
        free(memory);
        return code ? code : ahead->code;
}

int ahead_replay(struct reader *reader, const struct recon_stream *stream,
    const struct replay_options *options, const struct ahead_callbacks *callbacks, bool apart,
    struct error *error)
{
        struct ahead ahead = {.reader = reader,
            .stream = stream,
            .options = options,
            .callbacks = callbacks,
            .apart = apart};
        if (apart)
                ahead.code = replay_apart(&ahead);
        else
                decode(&ahead);
        if (ahead.code && ahead.code == ahead.error.code && error)
                *error = ahead.error;
        return ahead.code;
}

/* The processors that this process may use, which can be fewer than are there. */
static int count_processors(void)
{
        cpu_set_t set;
        if (sched_getaffinity(0, sizeof(set), &set))
                return (int)sysconf(_SC_NPROCESSORS_ONLN);
        return CPU_COUNT(&set);
}

int recon_replay_ahead(struct reader *reader, const struct recon_stream *stream,
    const struct replay_options *options, const struct ahead_callbacks *callbacks,
    struct error *error)
{
        return ahead_replay(reader, stream, options, callbacks, count_processors() > 1, error);
}
