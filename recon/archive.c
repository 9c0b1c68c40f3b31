#include "recon/archive.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "codec/nibbles.h"
#include "recon/internal.h"
#include "store/layout.h"

#define RUN_NS (600 * NS_PER_S) /* images that lie closer are dropped: else it cannot pay */
#define RUN_SIZE ((size_t)64 << 20)

/* A frame of the run as it is stored, and as it shall be. */
struct run_frame {
        uint64_t position;
        struct frame_info info;
        size_t offset, size;         /* in run->old */
        size_t new_offset, new_size; /* in run->new */
        bool dropped;                /* an image that is not needed any more */
};

struct run {
        struct run_frame *frames;
        size_t count, capacity;
        struct buffer old, new;
};

/* Frames of a run, decoded in order. */
struct source {
        struct decoder decoder;
        struct book book;
        struct book image;
};

struct archive {
        struct reader *reader;
        const struct recon_stream *stream;
        const struct archive_options *options;
        struct archive_result *result;
        struct run run;
        struct source original, copy;
        struct nibble_encoder encoder;
        struct frame_packer packer;
        struct book book;     /* the encoder's */
        struct buffer levels; /* of an image */
        struct buffer block;
};

/* ---- collecting a run ---- */

static void run_clear(struct run *run)
{
        run->count = 0;
        buffer_clear(&run->old);
        buffer_clear(&run->new);
}

static void run_add(struct run *run, const struct frame_cursor *cursor)
{
        if (run->count == run->capacity) {
                run->capacity = run->capacity ? run->capacity * 2 : 64;
                run->frames = memory_resize(run->frames, run->capacity * sizeof(*run->frames));
        }
        run->frames[run->count++] = (struct run_frame){.position = cursor->position,
            .info = cursor->info,
            .offset = run->old.size,
            .size = cursor->frame.size};
        buffer_append(&run->old, cursor->frame.data, cursor->frame.size);
}

static bool image_is_needed(const struct run *run, const struct frame_info *info)
{
        const struct frame_info *first = &run->frames[0].info;
        return info->flags & (FRAME_SYNC | FRAME_CORRECTION) || info->epoch != first->epoch ||
            info->first_receive_time_ns - first->first_receive_time_ns >= RUN_NS;
}

/* Orders and trades stay as they were written. */
static bool method_is_wanted(uint8_t method)
{
        return method == METHOD_PLAIN || method == METHOD_TOKENS;
}

/* Is the frame under the cursor the next one of the run? */
static bool run_continues(const struct run *run, const struct frame_cursor *cursor)
{
        const struct run_frame *last = &run->frames[run->count - 1];
        const struct frame_info *info = &cursor->info;
        uint64_t expected = last->position + frame_positions(&last->info);
        if (cursor->code || cursor->skip || !method_is_wanted(info->method) ||
            !cursor_follows(cursor, expected) || run->old.size + cursor->frame.size > RUN_SIZE)
                return false;
        if (info->kind == FRAME_IMAGE)
                return !image_is_needed(run, info);
        return info->kind != FRAME_HEADLESS;
}

/* Does the last segment of the run end with the run? Its frames can only be replaced together. */
static bool run_is_whole(
    const struct run *run, const struct frame_cursor *cursor, int code, size_t day)
{
        const struct recon_stream *stream = cursor->stream;
        const struct run_frame *last = &run->frames[run->count - 1];
        if (code || cursor->day != day) /* no more frames in that day: can a logger go on there? */
                return day + 1 < stream->day_count || stream->mark.clean;
        if (cursor->code || cursor->skip)
                return false;
        return cursor->info.kind == FRAME_HEADLESS || cursor->info.segment != last->info.segment;
}

/* End the run at the last image that can not be dropped; one that can stands before changes, whose
 * frame can tell so. */
static void run_trim(struct run *run, bool whole)
{
        size_t end = run->count;
        for (size_t i = run->count; i-- > 1 && !whole;) {
                if (run->frames[i].info.kind == FRAME_IMAGE) {
                        end = i;
                        whole = true;
                }
        }
        run->count = whole ? end : 0;
        for (size_t i = 1; i < run->count; i++) {
                if (run->frames[i].info.kind != FRAME_IMAGE)
                        continue;
                if (i + 1 == run->count || run->frames[i + 1].info.kind != FRAME_CHANGES)
                        run->count = i; /* the next run begins with it */
                else
                        run->frames[i].dropped = true;
        }
}

/* From the image under the cursor on; the cursor is left at what follows. 0, ERR_NOT_FOUND at the
 * end, ERR_IO. */
static int run_collect(struct run *run, struct frame_cursor *cursor)
{
        size_t day = cursor->day;
        int code;
        run_clear(run);
        run_add(run, cursor);
        while (!(code = frame_next(cursor)) && cursor->day == day && run_continues(run, cursor))
                run_add(run, cursor);
        run_trim(run, run_is_whole(run, cursor, code, day));
        return code;
}

static size_t run_size(const struct run *run)
{
        size_t size = 0;
        for (size_t i = 0; i < run->count; i++)
                size += run->frames[i].size;
        return size;
}

static bool run_is_wanted(const struct run *run, const struct archive_options *options)
{
        if (!run->count || !method_is_wanted(run->frames[0].info.method))
                return false;
        return run->frames[run->count - 1].info.last_receive_time_ns < options->before_ns;
}

/* ---- decoding ---- */

static void source_init(struct source *source)
{
        decoder_init(&source->decoder);
        book_init(&source->book);
        book_init(&source->image);
}

static void source_deinit(struct source *source)
{
        decoder_deinit(&source->decoder);
        book_deinit(&source->book);
        book_deinit(&source->image);
}

static bool books_differ(const struct book *a, const struct book *b)
{
        for (enum side s = 0; s < SIDES; s++) {
                if (a->bounded[s] != b->bounded[s] || a->horizon[s] != b->horizon[s])
                        return true;
        }
        return !book_equal(a, b);
}

/* Open the frame. An image is taken whole; one within the run must be the book that stands. */
static int source_open(struct source *source, struct bytes frame, bool first)
{
        struct frame_info info;
        int code = decoder_open(&source->decoder, frame, &info);
        if (code || !frame_is_image(&info))
                return code;
        if (info.kind == FRAME_REPAIR)
                return decoder_repair(&source->decoder, &source->book);
        code = decoder_image(&source->decoder, first ? &source->book : &source->image);
        if (!code && !first && books_differ(&source->book, &source->image))
                code = ERR_CORRUPT;
        return code;
}

/* ---- coding anew ---- */

static int encode_event(
    struct archive *archive, const struct scale *scale, const struct event *event, bool first)
{
        if (first)
                nibble_begin(&archive->encoder, scale, event);
        if (nibble_size(&archive->encoder) + nibble_event_size(event) > LIMIT_BLOCK_SIZE ||
            book_room(&archive->book, event))
                return ERR_FULL;
        nibble_add(&archive->encoder, &archive->book, event);
        return 0;
}

static int encode_image(struct archive *archive, const struct run_frame *frame)
{
        nibble_encoder_reset(&archive->encoder);
        book_clear(&archive->book);
        const struct frame_info *info = &frame->info;
        struct event event = {.event_time_ns = info->first_event_time_ns,
            .receive_time_ns = info->first_receive_time_ns,
            .first_id = info->first_id,
            .last_id = info->last_id};
        book_to_event(&archive->original.book, &archive->levels, &event);
        return encode_event(archive, &info->scale, &event, true);
}

static int encode_changes(struct archive *archive, const struct run_frame *frame)
{
        struct source *original = &archive->original;
        struct event event;
        int more, code = 0;
        for (bool first = true;
             !code && (more = decoder_next(&original->decoder, &original->book, &event)) > 0;
             first = false)
                code = encode_event(archive, &frame->info.scale, &event, first);
        return code ? code : more;
}

/* A repair is one event, decoded like a change; the head tells the rest of it. */
static int encode_repair(struct archive *archive, const struct run_frame *frame, struct bytes old)
{
        struct frame_info info;
        int code = decoder_open(&archive->original.decoder, old, &info);
        code = code ? code : encode_changes(archive, frame);
        decoder_take_horizon(&archive->original.decoder, &archive->original.book);
        return code;
}

static int encode_frame(struct archive *archive, size_t i)
{
        struct run *run = &archive->run;
        struct run_frame *frame = &run->frames[i];
        struct bytes old = {run->old.data + frame->offset, frame->size};
        int code = 0;
        if (frame->info.kind == FRAME_REPAIR)
                code = encode_repair(archive, frame, old);
        else
                code = source_open(&archive->original, old, i == 0);
        if (code || frame->dropped)
                return code;
        if (i == 0)
                code = encode_image(archive, frame);
        else if (frame->info.kind == FRAME_CHANGES)
                code = encode_changes(archive, frame);
        if (code)
                return code;
        struct frame_info info = frame->info;
        info.method = METHOD_NIBBLES;
        info.segment = run->frames[0].position;
        info.flags &= ~(uint32_t)FRAME_OPEN;
        if (i && run->frames[i - 1].dropped)
                info.flags |= FRAME_THINNED;
        buffer_clear(&archive->block);
        nibble_finish(&archive->encoder, &archive->block);
        frame->new_offset = run->new.size;
        code = frame_write(&archive->packer, &info, buffer_bytes(&archive->block), &run->new);
        frame->new_size = run->new.size - frame->new_offset;
        if (i == 0)
                nibble_encoder_reset(&archive->encoder);
        return code;
}

static int run_encode(struct archive *archive)
{
        int code = 0;
        for (size_t i = 0; i < archive->run.count && !code; i++)
                code = encode_frame(archive, i);
        return code ? code : archive->run.new.failed ? ERR_FULL : 0;
}

/* ---- the proof: every event of the old frames comes out of the new ones ---- */

static int compare_changes(struct source *original, struct source *copy)
{
        struct event a, b;
        for (;;) {
                int more_a = decoder_next(&original->decoder, &original->book, &a);
                int more_b = decoder_next(&copy->decoder, &copy->book, &b);
                if (more_a < 0 || more_a != more_b)
                        return ERR_CORRUPT;
                if (!more_a)
                        return 0;
                if (!event_equal(&a, &b))
                        return ERR_CORRUPT;
        }
}

static int run_compare(struct archive *archive)
{
        struct run *run = &archive->run;
        struct source *original = &archive->original, *copy = &archive->copy;
        int code = 0;
        for (size_t i = 0; i < run->count && !code; i++) {
                const struct run_frame *frame = &run->frames[i];
                struct bytes old = {run->old.data + frame->offset, frame->size};
                code = source_open(original, old, i == 0);
                if (!code && !frame->dropped)
                        code = source_open(copy,
                            (struct bytes){run->new.data + frame->new_offset, frame->new_size},
                            i == 0);
                if (!code && frame->info.kind == FRAME_CHANGES)
                        code = compare_changes(original, copy);
        }
        return code ? code : books_differ(&original->book, &copy->book) ? ERR_CORRUPT : 0;
}

/* ---- replacing ---- */

/* Is the run still stored as it was read? */
static bool run_stands(struct archive *archive, struct store_txn *txn)
{
        const struct run *run = &archive->run;
        const struct store_ops *ops = txn->store->ops;
        for (size_t i = 0; i < run->count; i++) {
                const struct run_frame *frame = &run->frames[i];
                struct bytes value;
                if (ops->get(txn, STORE_FRAMES,
                        key_position(archive->stream->number, frame->position), &value) ||
                    value.size != frame->size ||
                    memcmp(value.data, run->old.data + frame->offset, frame->size))
                        return false;
        }
        return true;
}

static void replace_frame(struct archive *archive, struct store_txn *txn,
    const struct run_frame *frame, struct archive_record *record)
{
        const struct store_ops *ops = txn->store->ops;
        uint32_t number = archive->stream->number;
        struct store_key key = key_position(number, frame->position);
        int64_t grown = (int64_t)frame->new_size - (int64_t)frame->size;
        if (frame->dropped) {
                struct store_key time_key =
                    key_time(number, frame_time_key(&frame->info), frame->position);
                ops->erase(txn, STORE_FRAMES, key, key, NULL);
                ops->erase(txn, STORE_TIMES, time_key, time_key, NULL);
                record->images--;
        } else {
                ops->put(txn, STORE_FRAMES, key,
                    (struct bytes){archive->run.new.data + frame->new_offset, frame->new_size});
        }
        if (frame->info.kind == FRAME_IMAGE)
                record->image_bytes += grown;
        else
                record->change_bytes += grown;
}

static int add_record(
    struct archive *archive, struct store_txn *txn, const struct archive_record *added)
{
        const struct store_ops *ops = txn->store->ops;
        struct store_key key = key_archive(archive->stream->number);
        struct archive_record record = {0};
        struct bytes value;
        struct buffer out;
        int code = ops->get(txn, STORE_MARKS, key, &value);
        if (code != ERR_NOT_FOUND)
                code = code ? code : archive_read(value, &record);
        else
                code = 0;
        if (code)
                return code;
        record.images += added->images;
        record.image_bytes += added->image_bytes;
        record.change_bytes += added->change_bytes;
        buffer_init(&out, 256);
        archive_write(&out, &record);
        ops->put(txn, STORE_MARKS, key, buffer_bytes(&out));
        buffer_deinit(&out);
        return 0;
}

static void count_run(struct archive *archive, const struct archive_record *record)
{
        struct archive_result *result = archive->result;
        result->frames += archive->run.count;
        result->images_dropped += (uint64_t)-record->images;
        result->bytes_before += run_size(&archive->run);
        result->bytes_after += archive->run.new.size;
        if (archive->options->progress_cb)
                archive->options->progress_cb(result->frames, archive->options->user);
}

static int run_replace(struct archive *archive, uint32_t day, struct error *error)
{
        const struct store_ops *ops = archive->reader->store->ops;
        struct archive_record record = {0};
        struct store_txn txn;
        int code = ops->begin(archive->reader->store, day, true, &txn, error);
        if (code)
                return code;
        if (!run_stands(archive, &txn)) {
                ops->abort(&txn);
                return 0;
        }
        for (size_t i = 0; i < archive->run.count; i++)
                replace_frame(archive, &txn, &archive->run.frames[i], &record);
        code = add_record(archive, &txn, &record);
        if (code) {
                ops->abort(&txn);
                return error_set(
                    error, code, "the record of archiving cannot be read: %s", error_name(code));
        }
        code = ops->commit(&txn, error);
        if (!code)
                count_run(archive, &record);
        return code;
}

/* ---- all runs ---- */

static int archive_run(struct archive *archive, size_t day, struct error *error)
{
        uint32_t number = archive->stream->days[day];
        int code = run_encode(archive);
        code = code ? code : run_compare(archive);
        if (code) {
                archive->result->problems++;
                archive->options->problem_cb(archive->stream, number,
                    archive->run.frames[0].position, archive->options->user);
                return 0;
        }
        return archive->run.new.size < run_size(&archive->run) ? run_replace(archive, number, error)
                                                               : 0;
}

/* The cursor stands at an image: archive its run. It is left at the next frame to look at. */
static int archive_from(struct archive *archive, struct frame_cursor *cursor, struct error *error)
{
        size_t day = cursor->day;
        uint64_t position = cursor->position;
        int code = run_collect(&archive->run, cursor);
        if (code && code != ERR_NOT_FOUND)
                return code;
        frame_done(cursor);
        bool wanted = run_is_wanted(&archive->run, archive->options);
        if (archive->run.count)
                position = archive->run.frames[archive->run.count - 1].position;
        if (wanted) /* a copy that has a part of the run needs the rest as it is */
                wanted = !recon_is_awaited(archive->reader, archive->stream,
                    archive->run.frames[0].position + 1, position + 1);
        code = wanted ? archive_run(archive, day, error) : 0;
        return code
            ? code
            : frame_seek(cursor, archive->reader, archive->stream, day, position + 1, false);
}

static void archive_init(struct archive *archive)
{
        buffer_init(&archive->run.old, RUN_SIZE + 2 * (size_t)LIMIT_BLOCK_SIZE);
        buffer_init(&archive->run.new, RUN_SIZE + 2 * (size_t)LIMIT_BLOCK_SIZE);
        buffer_init(&archive->levels, 2 * (LIMIT_BOOK_LEVELS + 1) * sizeof(struct level));
        buffer_init(&archive->block, LIMIT_BLOCK_SIZE);
        source_init(&archive->original);
        source_init(&archive->copy);
        nibble_encoder_init(&archive->encoder);
        frame_packer_init(&archive->packer);
        book_init(&archive->book);
}

static void archive_deinit(struct archive *archive)
{
        free(archive->run.frames);
        buffer_deinit(&archive->run.old);
        buffer_deinit(&archive->run.new);
        buffer_deinit(&archive->levels);
        buffer_deinit(&archive->block);
        source_deinit(&archive->original);
        source_deinit(&archive->copy);
        nibble_encoder_deinit(&archive->encoder);
        frame_packer_deinit(&archive->packer);
        book_deinit(&archive->book);
}

int recon_archive(struct reader *reader, const struct recon_stream *stream,
    const struct archive_options *options, struct archive_result *ret_result, struct error *error)
{
        struct archive archive = {
            .reader = reader, .stream = stream, .options = options, .result = ret_result};
        struct frame_cursor cursor;
        if (!stream->day_count)
                return 0;
        archive_init(&archive);
        error->code = 0;
        int code = frame_seek(&cursor, reader, stream, 0, 0, false);
        while (!code) {
                if (!cursor.code && cursor.info.kind == FRAME_IMAGE)
                        code = archive_from(&archive, &cursor, error);
                else
                        code = frame_next(&cursor);
        }
        frame_done(&cursor);
        archive_deinit(&archive);
        if (code == ERR_NOT_FOUND)
                return 0;
        return error->code ? code
                           : error_set(error, code, "%s:%s: %s", stream->name.exchange,
                                 stream->name.symbol, error_name(code));
}
