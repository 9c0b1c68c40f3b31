#include "record/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/layout.h"

#define RETRY_NS NS_PER_S
#define SPARE_BATCHES 2

/* Bytes that a stream's frames take in its present day: known only once they are packed. */
struct counters {
        uint32_t day;
        bool known;
        uint64_t image_bytes, change_bytes;
};

struct writer {
        struct store *store;
        struct frame_packer packer;
        struct buffer scratch;
        struct counters *counters, *counters_undo; /* by stream; undone when a day's commit fails */
        size_t counter_count;
        bool without_thread;
        bool failing; /* the last commit was refused, and that was logged */

        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        struct batch *first, *last; /* waiting */
        struct batch *spare;
        unsigned spare_count;
        bool stop;
        struct writer_stats stats;
};

static struct counters *writer_counters(
    struct writer *writer, struct store_txn *txn, uint32_t stream)
{
        if (stream >= writer->counter_count) {
                size_t count = stream + 64;
                size_t size = count * sizeof(struct counters);
                writer->counters = memory_resize(writer->counters, size);
                writer->counters_undo = memory_resize(writer->counters_undo, size);
                for (size_t i = writer->counter_count; i < count; i++)
                        writer->counters[i] = writer->counters_undo[i] = (struct counters){0};
                writer->counter_count = count;
        }
        struct counters *counters = &writer->counters[stream];
        if (!counters->known || counters->day != txn->place) {
                struct bytes value;
                struct mark_record mark;
                *counters = (struct counters){.day = txn->place, .known = true};
                if (!txn->store->ops->get(txn, STORE_MARKS, key_mark(stream), &value) &&
                    !mark_read(value, &mark)) {
                        counters->image_bytes = mark.image_bytes;
                        counters->change_bytes = mark.change_bytes;
                }
        }
        return counters;
}

static void apply_frame(
    struct writer *writer, struct store_txn *txn, const struct op *op, struct bytes block)
{
        const struct store_ops *ops = txn->store->ops;
        buffer_clear(&writer->scratch);
        int code = frame_write(&writer->packer, &op->info, block, &writer->scratch);
        if (code) {
                txn->code = code;
                return;
        }
        ops->put(txn, STORE_FRAMES, op->key, buffer_bytes(&writer->scratch));
        ops->put(txn, STORE_TIMES, op->time_key, (struct bytes){(const uint8_t *)"", 0});
        struct counters *counters = writer_counters(writer, txn, op->key.stream);
        if (op->info.kind == FRAME_IMAGE)
                counters->image_bytes += writer->scratch.size;
        else
                counters->change_bytes += writer->scratch.size;
}

static void apply_erase(struct writer *writer, struct store_txn *txn, const struct op *op)
{
        const struct store_ops *ops = txn->store->ops;
        uint64_t erased = 0;
        ops->erase(txn, STORE_FRAMES, op->key, op->to, &erased);
        ops->erase(txn, STORE_TIMES, op->time_key, op->time_to, NULL);
        writer_counters(writer, txn, op->key.stream)->change_bytes -= erased;
}

static void apply_mark(struct writer *writer, struct store_txn *txn, const struct op *op)
{
        struct counters *counters = writer_counters(writer, txn, op->key.stream);
        struct mark_record mark = op->mark;
        mark.image_bytes = counters->image_bytes;
        mark.change_bytes = counters->change_bytes;
        buffer_clear(&writer->scratch);
        mark_write(&writer->scratch, &mark);
        txn->store->ops->put(txn, STORE_MARKS, op->key, buffer_bytes(&writer->scratch));
}

static void apply_op(
    struct writer *writer, struct store_txn *txn, const struct batch *batch, const struct op *op)
{
        struct bytes bytes = {batch->arena.data + op->offset, op->size};
        switch (op->kind) {
        case OP_PUT:
                txn->store->ops->put(txn, op->table, op->key, bytes);
                break;
        case OP_FRAME:
                apply_frame(writer, txn, op, bytes);
                break;
        case OP_ERASE:
                apply_erase(writer, txn, op);
                break;
        case OP_MARK:
                apply_mark(writer, txn, op);
                break;
        }
}

static void counters_save(struct writer *writer)
{
        for (size_t i = 0; i < writer->counter_count; i++)
                writer->counters_undo[i] = writer->counters[i];
}

static void counters_restore(struct writer *writer)
{
        for (size_t i = 0; i < writer->counter_count; i++)
                writer->counters[i] = writer->counters_undo[i];
}

/* One transaction: the operations of @batch that belong to @place. */
static int commit_place(
    struct writer *writer, struct batch *batch, uint32_t place, struct error *error)
{
        const struct store_ops *ops = writer->store->ops;
        struct store_txn txn;
        int code = ops->begin(writer->store, place, true, &txn, error);
        if (code)
                return code;
        counters_save(writer);
        for (size_t i = 0; i < batch->op_count; i++) {
                if (batch->ops[i].place == place)
                        apply_op(writer, &txn, batch, &batch->ops[i]);
        }
        code = ops->commit(&txn, error);
        if (code)
                counters_restore(writer);
        return code;
}

/* The lowest place above the ones that were done: STORE_META counts as the first of all, since it
 * tells of days that must be known before they have content. */
static bool next_place(const struct batch *batch, int64_t done, int64_t *ret_place)
{
        int64_t best = INT64_MAX;
        for (size_t i = 0; i < batch->op_count; i++) {
                int64_t place =
                    batch->ops[i].place == STORE_META ? 0 : (int64_t)batch->ops[i].place + 1;
                if (place > done && place < best)
                        best = place;
        }
        *ret_place = best;
        return best != INT64_MAX;
}

/* Commit what of @batch is not committed yet; its progress is kept between attempts. */
static int commit_batch(struct writer *writer, struct batch *batch, struct error *error)
{
        int64_t place;
        while (next_place(batch, batch->done, &place)) {
                uint32_t real = place ? (uint32_t)(place - 1) : STORE_META;
                int code = commit_place(writer, batch, real, error);
                if (code)
                        return code;
                batch->done = place;
        }
        return 0;
}

static void report_failure(struct writer *writer, const struct error *error)
{
        if (!writer->failing)
                log_error("store: %s; nothing is lost yet, trying again every second", error->text);
        writer->failing = true;
}

static void report_success(struct writer *writer)
{
        if (writer->failing)
                log_info("store: writing again");
        writer->failing = false;
}

static bool write_once(struct writer *writer, struct batch *batch)
{
        struct error error = {0};
        int code = commit_batch(writer, batch, &error);
        pthread_mutex_lock(&writer->lock);
        writer->stats.failing = code;
        if (code)
                writer->stats.failed_commits++;
        else
                writer->stats.commits++;
        pthread_mutex_unlock(&writer->lock);
        if (code)
                report_failure(writer, &error);
        else
                report_success(writer);
        return code == 0;
}

static void writer_wait(struct writer *writer, int64_t ns)
{
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t end = until.tv_sec * NS_PER_S + until.tv_nsec + ns;
        until = (struct timespec){.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};
        pthread_cond_timedwait(&writer->wake, &writer->lock, &until);
}

/* How old its events were, by the clock that they were received by, gone on without steps. */
static void batch_measure(struct writer *writer, const struct batch *batch, int64_t mono_ns)
{
        latency_take(&writer->stats.latency, &batch->latency,
            batch->handed_ns + (mono_ns - batch->handed_mono_ns));
}

static void batch_done(struct writer *writer, struct batch *batch)
{
        int64_t mono_ns = clock_mono_ns();
        batch_measure(writer, batch, mono_ns);
        writer->stats.waiting_since_ns = writer->first ? mono_ns : 0;
        writer->stats.queue_bytes -= batch_bytes(batch);
        writer->stats.bytes_written += batch_bytes(batch);
        if (writer->spare_count == SPARE_BATCHES) {
                batch_free(batch);
                return;
        }
        batch_clear(batch);
        batch->next = writer->spare;
        writer->spare = batch;
        writer->spare_count++;
}

static void *writer_main(void *user)
{
        struct writer *writer = user;
        pthread_mutex_lock(&writer->lock);
        for (;;) {
                struct batch *batch = writer->first;
                if (writer->stop)
                        break;
                if (!batch) {
                        pthread_cond_wait(&writer->wake, &writer->lock);
                        continue;
                }
                pthread_mutex_unlock(&writer->lock);
                bool written = write_once(writer, batch);
                pthread_mutex_lock(&writer->lock);
                if (!written) {
                        writer_wait(writer, RETRY_NS);
                        continue;
                }
                writer->first = batch->next;
                if (!writer->first) {
                        writer->last = NULL;
                        pthread_cond_broadcast(&writer->wake); /* writer_close may wait for this */
                }
                batch_done(writer, batch);
        }
        pthread_mutex_unlock(&writer->lock);
        return NULL;
}

int writer_open(
    struct writer **ret_writer, struct store *store, bool without_thread, struct error *error)
{
        struct writer *writer = memory_new(sizeof(*writer));
        pthread_condattr_t attributes;
        writer->store = store;
        writer->without_thread = without_thread;
        frame_packer_init(&writer->packer);
        buffer_init(&writer->scratch, 2 * (size_t)LIMIT_BLOCK_SIZE);
        pthread_mutex_init(&writer->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&writer->wake, &attributes);
        pthread_condattr_destroy(&attributes);
        if (!without_thread && pthread_create(&writer->thread, NULL, writer_main, writer)) {
                free(writer);
                return error_set(error, ERR_IO, "cannot start the writer's thread");
        }
        *ret_writer = writer;
        return 0;
}

static void writer_free(struct writer *writer)
{
        for (struct batch *batch = writer->first, *next; batch; batch = next) {
                next = batch->next;
                batch_free(batch);
        }
        for (struct batch *batch = writer->spare, *next; batch; batch = next) {
                next = batch->next;
                batch_free(batch);
        }
        frame_packer_deinit(&writer->packer);
        buffer_deinit(&writer->scratch);
        pthread_cond_destroy(&writer->wake);
        pthread_mutex_destroy(&writer->lock);
        free(writer->counters);
        free(writer->counters_undo);
        free(writer);
}

int writer_close(struct writer *writer, int64_t wait_ns, struct error *error)
{
        int64_t until = clock_mono_ns() + wait_ns, left;
        if (!writer->without_thread) {
                pthread_mutex_lock(&writer->lock);
                while (writer->first && (left = until - clock_mono_ns()) > 0)
                        writer_wait(writer, left);
                writer->stop = true;
                pthread_cond_broadcast(&writer->wake);
                pthread_mutex_unlock(&writer->lock);
                pthread_join(writer->thread, NULL);
        }
        size_t lost = writer->stats.queue_bytes;
        writer_free(writer);
        if (!lost)
                return 0;
        return error_set(error, ERR_FULL,
            "%zu bytes could not be written to the store in time; the next start records the gap",
            lost);
}

void writer_retry(struct writer *writer)
{
        if (!writer->without_thread)
                return;
        while (writer->first && write_once(writer, writer->first)) {
                struct batch *batch = writer->first;
                writer->first = batch->next;
                if (!writer->first)
                        writer->last = NULL;
                batch_done(writer, batch);
        }
}

void writer_submit(struct writer *writer, struct batch *batch)
{
        pthread_mutex_lock(&writer->lock);
        batch->handed_mono_ns = clock_mono_ns();
        writer->stats.queue_bytes += batch_bytes(batch);
        if (!writer->first)
                writer->stats.waiting_since_ns = batch->handed_mono_ns;
        if (writer->last)
                writer->last->next = batch;
        else
                writer->first = batch;
        writer->last = batch;
        pthread_cond_broadcast(&writer->wake);
        pthread_mutex_unlock(&writer->lock);
        writer_retry(writer);
}

struct batch *writer_batch(struct writer *writer)
{
        pthread_mutex_lock(&writer->lock);
        struct batch *batch = writer->spare;
        if (batch) {
                writer->spare = batch->next;
                writer->spare_count--;
                batch->next = NULL;
        }
        pthread_mutex_unlock(&writer->lock);
        return batch ? batch : batch_new();
}

struct writer_stats writer_stats(struct writer *writer)
{
        pthread_mutex_lock(&writer->lock);
        struct writer_stats stats = writer->stats;
        pthread_mutex_unlock(&writer->lock);
        return stats;
}
