/* Size and speed of one symbol's messages of any exchange and kind, blocks as the recorder cuts
 * them.
 *
 *   bench_messages VENUE FEED KIND SYMBOL SECONDS FILE [numbers]
 *
 * FILE: a line "<receive time, ns> <message>" each; of orders the first one is the image that REST
 * answers; times are cut to microseconds. numbers: orders by number, as with L3_IDS=off. Prints
 * "name value" lines. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "book/log.h"
#include "book/numbers.h"
#include "codec/decoder.h"
#include "codec/encoder.h"
#include "venue/venue.h"

#define ROUNDS 5
#define FRAMES_MAX 4096

struct bench {
        const struct venue *venue;
        uint8_t kind;
        const char *symbol;
        bool numbered;
        struct order_numbers numbers;
        struct json_parser *parser;
        struct level_list list;
        struct scale scale;
        struct book book; /* as of the image */
        bool has_image;
        double load_ms;
        struct event_log log;
        struct buffer frames;
        size_t offsets[FRAMES_MAX + 1], frame_count;
        size_t image_size;
        double image_ms; /* to read it */
        uint64_t updates;
};

static void fail(const char *what)
{
        fprintf(stderr, "bench_messages: %s\n", what);
        exit(1);
}

static int64_t cpu_ns(void)
{
        struct timespec now;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- reading ---- */

static void take_image(struct bench *bench, struct json_value body, int64_t receive_ns)
{
        struct image image = {.receive_time_ns = receive_ns};
        unsigned digits[2];
        const char *reason = "";
        if (bench->venue->parse_image(
                body, bench->kind, &bench->scale, 5000, &bench->list, &image, digits, &reason))
                fail(reason);
        if (bench->numbered)
                order_numbers_ids(&bench->numbers, bench->list.orders, bench->list.count);
        int64_t began = cpu_ns();
        if (book_set_image(&bench->book, &image))
                fail("the image is too large");
        bench->load_ms = (double)(cpu_ns() - began) / 1e6;
        bench->has_image = true;
}

static void take_part(struct bench *bench, const struct venue_part *part, int64_t receive_ns)
{
        struct event event = {.receive_time_ns = receive_ns};
        unsigned digits[2];
        const char *reason = "";
        if (part->kind != bench->kind || !json_text_is(part->symbol, bench->symbol))
                return;
        if (part->image) {
                take_image(bench, part->body, receive_ns);
                return;
        }
        if (bench->venue->parse_event(part, &bench->scale, &bench->list, &event, digits, &reason))
                fail(reason);
        if (bench->kind == KIND_L2)
                event.first_id = event.last_id = (int64_t)bench->log.count + 1;
        if (bench->numbered)
                order_numbers_message(&bench->numbers, &bench->list.order, true);
        bench->updates += event_update_count(&event);
        if (event_log_append(&bench->log, &event))
                fail("too many messages");
}

static void take_line(struct bench *bench, char *line, size_t size)
{
        struct json_value root;
        struct venue_message message;
        struct venue_part part;
        char *text;
        int64_t receive_ns = strtoll(line, &text, 10) / NS_PER_US * NS_PER_US;
        if (json_parse(bench->parser, text + 1, size - (size_t)(text + 1 - line), &root))
                fail("a line is not JSON");
        if (bench->kind == KIND_L3 && !bench->has_image) {
                take_image(bench, root, receive_ns);
                return;
        }
        bench->venue->parse(root, &message);
        if (message.kind != MESSAGE_EVENTS)
                return;
        while (bench->venue->next_part(&message, &part))
                take_part(bench, &part, receive_ns);
}

static void read_file(struct bench *bench, const char *path)
{
        FILE *file = fopen(path, "r");
        struct buffer text;
        char *line = NULL;
        size_t capacity = 0;
        ssize_t size;
        if (!file)
                fail("the file cannot be read");
        buffer_init(&text, (size_t)1 << 26);
        while ((size = getline(&line, &capacity, file)) > 0) {
                static const char padding[JSON_PADDING];
                buffer_clear(&text);
                buffer_append(&text, line, (size_t)size - 1);
                buffer_append(&text, padding, sizeof(padding));
                take_line(bench, (char *)text.data, (size_t)size - 1);
        }
        buffer_deinit(&text);
        free(line);
        fclose(file);
}

/* ---- writing ---- */

struct writer {
        struct bench *bench;
        struct encoder encoder;
        struct frame_packer packer;
        struct frame_info info;
        struct buffer block, scratch;
        struct book book, empty;
};

static void add_frame(struct writer *writer)
{
        struct bench *bench = writer->bench;
        if (bench->frame_count == FRAMES_MAX ||
            frame_write(
                &writer->packer, &writer->info, buffer_bytes(&writer->block), &bench->frames))
                fail("a frame cannot be written");
        bench->offsets[++bench->frame_count] = bench->frames.size;
        buffer_clear(&writer->block);
}

static void write_image(struct writer *writer)
{
        struct bench *bench = writer->bench;
        writer->info = (struct frame_info){.kind = FRAME_IMAGE,
            .method = writer->encoder.method,
            .scale = bench->scale,
            .events = 1,
            .level_updates = (uint32_t)book_size(&bench->book),
            .first_id = bench->book.id,
            .last_id = bench->book.id};
        encoder_image(&writer->encoder, &bench->book, &writer->info, &writer->scratch,
            &writer->empty, &writer->block);
        add_frame(writer);
        writer->info.events = 0;
        bench->image_size = bench->frames.size;
}

static void seal(struct writer *writer)
{
        if (!writer->info.events)
                return;
        encoder_finish(&writer->encoder, &writer->block);
        add_frame(writer);
        writer->info.events = 0;
}

static void write_event(struct writer *writer, const struct event *event, int64_t length_ns)
{
        struct frame_info *info = &writer->info;
        if (info->events && event->receive_time_ns - info->first_receive_time_ns >= length_ns)
                seal(writer);
        if (!info->events) {
                *info = (struct frame_info){.kind = FRAME_CHANGES,
                    .method = writer->encoder.method,
                    .scale = writer->bench->scale,
                    .first_id = event->first_id,
                    .first_event_time_ns = event->event_time_ns,
                    .first_receive_time_ns = event->receive_time_ns};
                encoder_begin(&writer->encoder, &info->scale, event);
        }
        if (encoder_add(&writer->encoder, &writer->book, event))
                fail("a block is full");
        info->events++;
        info->level_updates += event_update_count(event);
        info->last_id = event->last_id;
}

static double write_frames(struct bench *bench, int64_t length_ns)
{
        struct writer writer = {.bench = bench};
        struct event_log_cursor cursor = {0};
        struct event event;
        encoder_init(&writer.encoder, encoder_method(bench->kind));
        frame_packer_init(&writer.packer);
        buffer_init(&writer.block, (size_t)1 << 30);
        buffer_init(&writer.scratch, (size_t)1 << 30);
        book_init(&writer.book);
        book_init(&writer.empty);
        book_copy(&writer.book, &bench->book);
        write_image(&writer);
        int64_t began = cpu_ns();
        while (event_log_next(&bench->log, &cursor, &event))
                write_event(&writer, &event, length_ns);
        seal(&writer);
        double ns = (double)(cpu_ns() - began);
        if (writer.book.by_order && !book_orders_agree(&writer.book))
                fail("the levels are not what the orders add up to");
        encoder_deinit(&writer.encoder);
        frame_packer_deinit(&writer.packer);
        buffer_deinit(&writer.block);
        buffer_deinit(&writer.scratch);
        book_deinit(&writer.book);
        book_deinit(&writer.empty);
        return ns / (double)bench->log.count;
}

/* ---- reading back ---- */

static void check_event(
    struct bench *bench, struct event_log_cursor *cursor, const struct event *event)
{
        struct event sent;
        if (!event_log_next(&bench->log, cursor, &sent) || !event_equal(&sent, event))
                fail("an event does not come back");
}

/* @check: every event against what was sent; else only as fast as can be. */
static double read_frames(struct bench *bench, bool check)
{
        struct decoder decoder;
        struct event_log_cursor cursor = {0};
        struct event event;
        struct frame_info info;
        struct book book;
        decoder_init(&decoder);
        book_init(&book);
        int64_t began = 0;
        for (size_t i = 0; i < bench->frame_count; i++) {
                struct bytes frame = {bench->frames.data + bench->offsets[i],
                    bench->offsets[i + 1] - bench->offsets[i]};
                int64_t frame_began = cpu_ns();
                if (decoder_open(&decoder, frame, &info) || (!i && decoder_image(&decoder, &book)))
                        fail("a frame cannot be read");
                if (!i) {
                        began = cpu_ns();
                        bench->image_ms = (double)(began - frame_began) / 1e6;
                }
                while (i && decoder_next(&decoder, &book, &event) == 1) {
                        if (check)
                                check_event(bench, &cursor, &event);
                }
        }
        double ns = (double)(cpu_ns() - began);
        if (check && event_log_next(&bench->log, &cursor, &event))
                fail("an event is missing");
        decoder_deinit(&decoder);
        book_deinit(&book);
        return ns / (double)bench->log.count;
}

int main(int argc, char **argv)
{
        static struct bench bench;
        if (argc < 7)
                fail("usage: bench_messages VENUE FEED KIND SYMBOL SECONDS FILE [numbers]");
        bench.venue = venue_feed(argv[1], argv[2]);
        static const char *const kinds[KINDS] = {"l2", "l3", "trades"};
        while (bench.kind < KINDS && strcmp(kinds[bench.kind], argv[3]))
                bench.kind++;
        if (!bench.venue || bench.kind == KINDS)
                fail("no such feed or kind");
        bench.symbol = argv[4];
        bench.numbered = argc > 7 && !strcmp(argv[7], "numbers");
        bool binance = !strcmp(argv[1], "binance");
        bench.scale = (struct scale){binance ? 8 : 2, 8, binance, binance ? 1000000 : 1, 1};
        if (argc > 7 && !bench.numbered)
                bench.scale.price_digits = (uint8_t)strtoul(argv[7], NULL, 10);
        bench.parser = json_new();
        book_init(&bench.book);
        event_log_init(&bench.log, (size_t)1 << 30);
        buffer_init(&bench.frames, (size_t)1 << 30);
        order_numbers_init(&bench.numbers);
        read_file(&bench, argv[6]);
        malloc_trim(0);
        size_t before = mallinfo2().uordblks;
        struct book copy;
        book_init(&copy);
        book_copy(&copy, &bench.book);
        printf("memory_bytes %zu\n", mallinfo2().uordblks - before);
        book_deinit(&copy);
        double encode_ns = write_frames(&bench, strtoll(argv[5], NULL, 10) * NS_PER_S);
        read_frames(&bench, true);
        double decode_ns = 1e18;
        for (int i = 0; i < ROUNDS; i++) {
                double ns = read_frames(&bench, false);
                decode_ns = ns < decode_ns ? ns : decode_ns;
        }
        printf("messages %zu\nupdates %" PRIu64 "\nbook_size %zu\nload_ms %.2f\n", bench.log.count,
            bench.updates, book_size(&bench.book), bench.load_ms);
        printf("image_ms %.2f\n", bench.image_ms);
        printf("image_bytes %zu\nchange_bytes %zu\nbytes_per_message %.3f\n", bench.image_size,
            bench.frames.size - bench.image_size,
            (double)(bench.frames.size - bench.image_size) / (double)bench.log.count);
        printf("bytes_per_update %.3f\nencode_ns %.0f\ndecode_ns %.0f\n",
            (double)(bench.frames.size - bench.image_size) / (double)bench.updates, encode_ns,
            decode_ns);
        return 0;
}
