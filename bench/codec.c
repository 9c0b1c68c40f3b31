/* Size and speed of the dense methods on one capture, every event compared after decoding.
 *
 *   bench_codec METHOD SECONDS FILE...   METHOD: tokens, nibbles; blocks of so many seconds; FILE:
 * what bench/events.py wrote, one a symbol of the capture
 *
 * Sizes count whole frames as they are stored, heads included. Speeds are of one core, best of
 * ROUNDS, unpacking and building the book included. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "bench/events.h"
#include "codec/decoder.h"

#define ROUNDS 5

struct block {
        size_t offset, size; /* of its frame */
        size_t first, count; /* events */
};

/* One symbol: its events and, once encoded, its frames; the first one is the image. */
struct symbol {
        struct event_file file;
        struct event image;
        struct buffer frames;
        struct block *blocks;
        size_t block_count;
};

struct totals {
        uint64_t events, levels, image_levels, image_bytes, change_bytes, blocks;
        int64_t encode_ns, pack_ns, decode_ns, plain_ns;
};

static void fail(const char *what)
{
        fprintf(stderr, "bench_codec: %s\n", what);
        exit(1);
}

static int64_t cpu_ns(void)
{
        struct timespec now;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static struct event image_event(const struct image *image)
{
        struct event event = {.event_time_ns = image->receive_time_ns,
            .receive_time_ns = image->receive_time_ns,
            .first_id = image->id,
            .last_id = image->id};
        for (enum side s = 0; s < SIDES; s++) {
                event.count[s] = image->count[s];
                event.levels[s] = image->levels[s];
        }
        return event;
}

/* ---- encoding ---- */

static size_t block_end(const struct event_file *file, size_t first, int64_t block_ns)
{
        size_t end = first;
        while (end < file->event_count &&
            file->events[end].receive_time_ns - file->events[first].receive_time_ns < block_ns)
                end++;
        return end;
}

/* What a recorder would write into the frame's head. */
static struct frame_info info_of(const struct symbol *symbol, uint8_t kind,
    const struct event *events, size_t count, int64_t running_max_ns)
{
        const struct event *last = &events[count - 1];
        struct frame_info info = {.kind = kind,
            .flags = kind == FRAME_IMAGE ? FRAME_SYNC : FRAME_TIMED,
            .scale = symbol->file.scale,
            .epoch = 1,
            .segment = 1000000,
            .events = (uint32_t)count,
            .first_id = events[0].first_id,
            .last_id = last->last_id,
            .first_event_time_ns = events[0].event_time_ns,
            .last_event_time_ns = last->event_time_ns,
            .min_event_time_ns = events[0].event_time_ns,
            .max_event_time_ns = last->event_time_ns,
            .running_max_ns = running_max_ns,
            .first_receive_time_ns = events[0].receive_time_ns,
            .last_receive_time_ns = last->receive_time_ns};
        for (size_t i = 0; i < count; i++)
                info.level_updates += event_level_count(&events[i]);
        return info;
}

struct bench_encoder {
        uint8_t method;
        struct token_encoder tokens;
        struct nibble_encoder nibbles;
        struct frame_packer packer;
        struct book book;
        struct buffer raw;
        struct totals *totals;
        bool count;
};

static void reset(struct bench_encoder *encoder)
{
        token_encoder_reset(&encoder->tokens);
        nibble_encoder_reset(&encoder->nibbles);
}

static void encode_events(struct bench_encoder *encoder, const struct scale *scale,
    const struct event *events, size_t count)
{
        buffer_clear(&encoder->raw);
        if (encoder->method == METHOD_TOKENS) {
                token_begin(&encoder->tokens, scale, events);
                for (size_t i = 0; i < count; i++)
                        token_add(&encoder->tokens, &encoder->book, &events[i]);
                token_finish(&encoder->tokens, &encoder->raw);
                return;
        }
        nibble_begin(&encoder->nibbles, scale, events);
        for (size_t i = 0; i < count; i++)
                nibble_add(&encoder->nibbles, &encoder->book, &events[i]);
        nibble_finish(&encoder->nibbles, &encoder->raw);
}

static void encode_block(struct bench_encoder *encoder, struct symbol *symbol, uint8_t kind,
    const struct event *events, size_t first, size_t count, int64_t running_max_ns)
{
        struct frame_info info = info_of(symbol, kind, events, count, running_max_ns);
        struct block *block = &symbol->blocks[symbol->block_count++];
        int64_t begin = cpu_ns();
        info.method = encoder->method;
        encode_events(encoder, &symbol->file.scale, events, count);
        int64_t encoded = cpu_ns();
        *block = (struct block){symbol->frames.size, 0, first, count};
        if (frame_write(&encoder->packer, &info, buffer_bytes(&encoder->raw), &symbol->frames))
                fail("a frame cannot be written");
        block->size = symbol->frames.size - block->offset;
        if (kind == FRAME_CHANGES) {
                encoder->totals->encode_ns += encoded - begin;
                encoder->totals->pack_ns += cpu_ns() - encoded;
        }
}

static void encode_symbol(struct bench_encoder *encoder, struct symbol *symbol, int64_t block_ns)
{
        const struct event_file *file = &symbol->file;
        symbol->block_count = 0;
        buffer_clear(&symbol->frames);
        book_clear(&encoder->book);
        reset(encoder);
        symbol->image = image_event(&file->image);
        encode_block(encoder, symbol, FRAME_IMAGE, &symbol->image, 0, 1, 0);
        reset(encoder);
        for (size_t first = 0, end; first < file->event_count; first = end) {
                end = block_end(file, first, block_ns);
                encode_block(encoder, symbol, FRAME_CHANGES, &file->events[first], first,
                    end - first, file->events[first ? first - 1 : 0].event_time_ns);
        }
}

/* ---- decoding ---- */

/* Returns the time that the changes took, unpacking included. */
static int64_t decode_symbol(
    struct decoder *decoder, struct book *book, const struct symbol *symbol, bool compare)
{
        int64_t begin = 0;
        struct frame_info info;
        struct event event;
        for (size_t b = 0; b < symbol->block_count; b++) {
                const struct block *block = &symbol->blocks[b];
                struct bytes frame = {symbol->frames.data + block->offset, block->size};
                size_t at = block->first;
                int more;
                if (decoder_open(decoder, frame, &info))
                        fail("a frame cannot be opened");
                if (!b) {
                        if (decoder_image(decoder, book))
                                fail("the image cannot be decoded");
                        begin = cpu_ns();
                        continue;
                }
                while ((more = decoder_next(decoder, book, &event)) > 0) {
                        if (compare && !event_equal(&event, &symbol->file.events[at]))
                                fail("an event came back otherwise");
                        at++;
                }
                if (more || at != block->first + block->count)
                        fail("events are missing");
        }
        return cpu_ns() - begin;
}

/* ---- beside it: the same rows as plain int columns, unpacked by zstd ---- */

static int64_t plain_columns_ns(const struct symbol *symbol)
{
        const struct event_file *file = &symbol->file;
        size_t rows = file->level_count, size = rows * 7 * sizeof(int64_t), row = 0;
        int64_t *columns = memory_new(size);
        for (size_t i = 0; i < file->event_count; i++) {
                const struct event *event = &file->events[i];
                for (enum side s = 0; s < SIDES; s++) {
                        for (uint32_t k = 0; k < event->count[s]; k++, row++) {
                                int64_t values[] = {event->event_time_ns, event->receive_time_ns,
                                    event->first_id, event->last_id, (int64_t)s,
                                    event->levels[s][k].price, event->levels[s][k].quantity};
                                for (size_t c = 0; c < 7; c++)
                                        columns[c * rows + row] = values[c];
                        }
                }
        }
        size_t bound = ZSTD_compressBound(size);
        void *packed = memory_new(bound);
        size_t packed_size = ZSTD_compress(packed, bound, columns, size, 3);
        int64_t best = INT64_MAX;
        for (int round = 0; round < ROUNDS; round++) {
                int64_t begin = cpu_ns();
                if (ZSTD_decompress(columns, size, packed, packed_size) != size)
                        fail("zstd failed");
                int64_t took = cpu_ns() - begin;
                best = took < best ? took : best;
        }
        free(packed);
        free(columns);
        return best;
}

/* ---- all of it ---- */

static void symbol_read(struct symbol *symbol, const char *path)
{
        if (event_file_read(&symbol->file, path))
                fail(path);
        buffer_init(&symbol->frames, (size_t)1 << 30);
        symbol->blocks = memory_new((symbol->file.event_count + 1) * sizeof(struct block));
}

static void symbol_free(struct symbol *symbol)
{
        event_file_free(&symbol->file);
        buffer_deinit(&symbol->frames);
        free(symbol->blocks);
}

static void count_sizes(const struct symbol *symbol, struct totals *totals)
{
        for (size_t b = 0; b < symbol->block_count; b++) {
                if (b)
                        totals->change_bytes += symbol->blocks[b].size;
                else
                        totals->image_bytes += symbol->blocks[b].size;
        }
        totals->blocks += symbol->block_count - 1;
        totals->events += symbol->file.event_count;
        totals->levels += symbol->file.level_count;
        totals->image_levels += event_level_count(&symbol->image);
}

static void measure(struct symbol *symbol, uint8_t method, int64_t block_ns, struct totals *totals)
{
        struct totals best = {.encode_ns = INT64_MAX, .pack_ns = INT64_MAX, .decode_ns = INT64_MAX};
        for (int round = 0; round < ROUNDS; round++) {
                struct totals now = {0};
                struct bench_encoder encoder = {.totals = &now, .method = method};
                struct decoder decoder;
                struct book book;
                token_encoder_init(&encoder.tokens);
                nibble_encoder_init(&encoder.nibbles);
                frame_packer_init(&encoder.packer);
                book_init(&encoder.book);
                book_init(&book);
                buffer_init(&encoder.raw, LIMIT_BLOCK_SIZE);
                decoder_init(&decoder);
                encode_symbol(&encoder, symbol, block_ns);
                decode_symbol(&decoder, &book, symbol, true);
                now.decode_ns = decode_symbol(&decoder, &book, symbol, false);
                if (!book_equal(&encoder.book, &book))
                        fail("the book came out otherwise");
                best.encode_ns = now.encode_ns < best.encode_ns ? now.encode_ns : best.encode_ns;
                best.pack_ns = now.pack_ns < best.pack_ns ? now.pack_ns : best.pack_ns;
                best.decode_ns = now.decode_ns < best.decode_ns ? now.decode_ns : best.decode_ns;
                decoder_deinit(&decoder);
                buffer_deinit(&encoder.raw);
                book_deinit(&book);
                book_deinit(&encoder.book);
                frame_packer_deinit(&encoder.packer);
                token_encoder_deinit(&encoder.tokens);
                nibble_encoder_deinit(&encoder.nibbles);
        }
        totals->encode_ns += best.encode_ns;
        totals->pack_ns += best.pack_ns;
        totals->decode_ns += best.decode_ns;
        totals->plain_ns += plain_columns_ns(symbol);
        count_sizes(symbol, totals);
}

static void print(const char *name, uint64_t value)
{
        printf("%s,%llu\n", name, (unsigned long long)value);
}

int main(int argc, char **argv)
{
        struct totals totals = {0};
        if (argc < 4 || (strcmp(argv[1], "tokens") && strcmp(argv[1], "nibbles")))
                fail("usage: bench_codec tokens|nibbles SECONDS FILE...");
        uint8_t method = strcmp(argv[1], "tokens") ? METHOD_NIBBLES : METHOD_TOKENS;
        int64_t block_ns = strtoll(argv[2], NULL, 10) * NS_PER_S;
        for (int i = 3; i < argc; i++) {
                struct symbol symbol = {0};
                symbol_read(&symbol, argv[i]);
                measure(&symbol, method, block_ns, &totals);
                symbol_free(&symbol);
        }
        uint64_t decode = (uint64_t)totals.decode_ns, encode = (uint64_t)totals.encode_ns;
        print("level_updates", totals.levels);
        print("blocks", totals.blocks);
        print("change_bytes_per_1000_level_updates", 1000 * totals.change_bytes / totals.levels);
        print("image_bytes_per_1000_levels", 1000 * totals.image_bytes / totals.image_levels);
        print("encode_levels_per_s", totals.levels * 1000000000u / encode);
        print("pack_ps_per_level", 1000 * (uint64_t)totals.pack_ns / totals.levels);
        print("decode_levels_per_s", totals.levels * 1000000000u / decode);
        print("plain_columns_zstd_levels_per_s",
            totals.levels * 1000000000u / (uint64_t)totals.plain_ns);
        return 0;
}
