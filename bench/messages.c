/* Size and speed of one symbol's messages of any exchange and kind, blocks as the recorder cuts
 * them, every message compared after decoding.
 *
 *   bench_messages VENUE FEED KIND SYMBOL SECONDS FILE [numbers]
 *
 * FILE: a line "<receive time, ns> <message>" each; of orders the first one is the image that REST
 * answers; times are cut to microseconds. numbers: orders by number, as with L3_IDS=off. Prints
 * lines "name,value".
 *
 * The scale is learned from the file: digits as they are written or needed, tick and lot as the
 * greatest common divisors of what occurs. Sizes count whole frames, heads included; times are of
 * one core, best of ROUNDS. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
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
        bool learning;            /* the scale, from what is read; nothing else is taken */
        struct buffer image_text; /* of orders: the first line, padded */
        struct book book;         /* as of the image */
        struct event_log log;
        struct buffer frames;
        size_t offsets[FRAMES_MAX + 1], frame_count;
        size_t image_size;
        uint64_t updates;
};

/* Best of the rounds. */
struct times {
        int64_t encode_ns, decode_ns;          /* all messages, packing included */
        int64_t image_decode_ns;               /* from the frame to the book */
        int64_t image_parse_ns, image_load_ns; /* from JSON to orders, from these to a book */
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

static void keep_less(int64_t *best, int64_t value)
{
        *best = value < *best ? value : *best;
}

/* ---- reading ---- */

static bool finer(uint8_t *digits, unsigned needed, int64_t *unit)
{
        if (needed <= *digits || needed > LIMIT_DIGITS ||
            decimal_shift(*unit, needed - *digits, unit))
                return false;
        *digits = (uint8_t)needed;
        return true;
}

/* After ERR_FULL. */
static void refine_scale(struct scale *scale, const unsigned digits[2])
{
        bool price = finer(&scale->price_digits, digits[0], &scale->tick);
        bool quantity = finer(&scale->quantity_digits, digits[1], &scale->lot);
        if (!price && !quantity)
                fail("no scale is fine enough");
}

static int64_t common_divisor(int64_t a, int64_t b)
{
        while (b) {
                int64_t rest = a % b;
                a = b;
                b = rest;
        }
        return a;
}

static void note_level(struct scale *scale, int64_t price, int64_t quantity)
{
        scale->tick = common_divisor(scale->tick, price);
        scale->lot = common_divisor(scale->lot, quantity);
}

static void note_image(struct scale *scale, const struct image *image)
{
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < image->count[s]; i++)
                        note_level(scale, image->levels[s][i].price, image->levels[s][i].quantity);
        }
}

/* Of an order message: what was not sent is 0 and leaves the divisor as it is. */
static void note_event(struct scale *scale, const struct event *event)
{
        const struct order_message *order = event->order;
        for (enum side s = 0; s < SIDES && !order; s++) {
                for (uint32_t i = 0; i < event->count[s]; i++)
                        note_level(scale, event->levels[s][i].price, event->levels[s][i].quantity);
        }
        if (order) {
                note_level(scale, order->price, order->size);
                note_level(scale, order->old_price, order->old_size);
        }
}

static void parse_image(
    struct bench *bench, struct json_value body, int64_t receive_ns, struct image *ret_image)
{
        unsigned digits[2];
        const char *reason = "";
        int code;
        *ret_image = (struct image){.receive_time_ns = receive_ns};
        while ((code = bench->venue->parse_image(body, bench->kind, &bench->scale, 5000,
                    &bench->list, ret_image, digits, &reason)) == ERR_FULL &&
            bench->learning)
                refine_scale(&bench->scale, digits);
        if (code)
                fail(reason);
}

static void take_image(struct bench *bench, struct json_value body, int64_t receive_ns)
{
        struct image image;
        parse_image(bench, body, receive_ns, &image);
        if (bench->learning) {
                note_image(&bench->scale, &image);
                return;
        }
        if (bench->numbered)
                order_numbers_ids(&bench->numbers, bench->list.orders, bench->list.count);
        if (book_set_image(&bench->book, &image))
                fail("the image is too large");
}

static void parse_event(struct bench *bench, const struct venue_part *part, struct event *ret_event)
{
        unsigned digits[2];
        const char *reason = "";
        int code;
        while ((code = bench->venue->parse_event(
                    part, &bench->scale, &bench->list, ret_event, digits, &reason)) == ERR_FULL &&
            bench->learning)
                refine_scale(&bench->scale, digits);
        if (code)
                fail(reason);
}

static void take_part(struct bench *bench, const struct venue_part *part, int64_t receive_ns)
{
        struct event event = {.receive_time_ns = receive_ns};
        if (part->kind != bench->kind || !json_text_is(part->symbol, bench->symbol))
                return;
        if (part->image) {
                take_image(bench, part->body, receive_ns);
                return;
        }
        parse_event(bench, part, &event);
        if (bench->learning) {
                note_event(&bench->scale, &event);
                return;
        }
        if (bench->kind == KIND_L2)
                event.first_id = event.last_id = (int64_t)bench->log.count + 1;
        if (bench->numbered)
                order_numbers_message(&bench->numbers, &bench->list.order, true);
        bench->updates += event_update_count(&event);
        if (event_log_append(&bench->log, &event))
                fail("too many messages");
}

/* @text: padded. */
static void take_message(
    struct bench *bench, const char *text, size_t size, int64_t receive_ns, bool first)
{
        struct json_value root;
        struct venue_message message;
        struct venue_part part;
        if (json_parse(bench->parser, text, size, &root))
                fail("a line is not JSON");
        if (bench->kind == KIND_L3 && first) {
                buffer_clear(&bench->image_text);
                buffer_append(&bench->image_text, text, size + JSON_PADDING);
                take_image(bench, root, receive_ns);
                return;
        }
        bench->venue->parse(root, &message);
        if (message.kind != MESSAGE_EVENTS)
                return;
        while (bench->venue->next_part(&message, &part))
                take_part(bench, &part, receive_ns);
}

static void read_file(struct bench *bench, const char *path, bool learning)
{
        static const char padding[JSON_PADDING];
        FILE *file = fopen(path, "r");
        char *line = NULL, *text;
        size_t capacity = 0;
        ssize_t size;
        struct buffer padded;
        if (!file)
                fail("the file cannot be read");
        bench->learning = learning;
        buffer_init(&padded, (size_t)1 << 26);
        for (bool first = true; (size = getline(&line, &capacity, file)) > 0; first = false) {
                int64_t receive_ns = strtoll(line, &text, 10) / NS_PER_US * NS_PER_US;
                if (*text != ' ' || line[size - 1] != '\n')
                        fail("a line is not a time and a message");
                text++;
                size_t text_size = (size_t)(line + size - 1 - text);
                buffer_clear(&padded);
                buffer_append(&padded, text, text_size);
                buffer_append(&padded, padding, sizeof(padding));
                if (padded.failed)
                        fail("a message is too large");
                take_message(bench, (const char *)padded.data, text_size, receive_ns, first);
        }
        buffer_deinit(&padded);
        free(line);
        fclose(file);
}

static void learn_scale(struct bench *bench, const char *path)
{
        bench->scale = (struct scale){.fixed = bench->venue == &venue_binance};
        read_file(bench, path, true);
        bench->scale.tick = bench->scale.tick ? bench->scale.tick : 1;
        bench->scale.lot = bench->scale.lot ? bench->scale.lot : 1;
}

/* ---- loading ---- */

static size_t heap_size(void)
{
        struct mallinfo2 info = mallinfo2();
        return info.uordblks + info.hblkhd;
}

/* Of an image of orders, into a new book each round; returns what such a book takes. */
static size_t load_image(struct bench *bench, struct times *times)
{
        size_t text_size = bench->image_text.size - JSON_PADDING, book_bytes = 0;
        for (int round = 0; round < ROUNDS; round++) {
                struct json_value root;
                struct image image;
                struct book book;
                int64_t began = cpu_ns();
                if (json_parse(
                        bench->parser, (const char *)bench->image_text.data, text_size, &root))
                        fail("the image is not JSON");
                parse_image(bench, root, 0, &image);
                int64_t parsed = cpu_ns();
                size_t before = heap_size();
                book_init(&book);
                if (book_set_image(&book, &image))
                        fail("the image is too large");
                keep_less(&times->image_load_ns, cpu_ns() - parsed);
                keep_less(&times->image_parse_ns, parsed - began);
                book_bytes = heap_size() - before;
                book_deinit(&book);
        }
        return book_bytes;
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

static void write_frames(struct bench *bench, int64_t length_ns, struct times *times)
{
        struct writer writer = {.bench = bench};
        struct event_log_cursor cursor = {0};
        struct event event;
        bench->frame_count = 0;
        buffer_clear(&bench->frames);
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
        keep_less(&times->encode_ns, cpu_ns() - began);
        if (writer.book.by_order && !book_orders_agree(&writer.book))
                fail("the levels are not what the orders add up to");
        encoder_deinit(&writer.encoder);
        frame_packer_deinit(&writer.packer);
        buffer_deinit(&writer.block);
        buffer_deinit(&writer.scratch);
        book_deinit(&writer.book);
        book_deinit(&writer.empty);
}

/* ---- reading back ---- */

static struct bytes frame_at(const struct bench *bench, size_t i)
{
        return (struct bytes){
            bench->frames.data + bench->offsets[i], bench->offsets[i + 1] - bench->offsets[i]};
}

static void check_event(
    struct bench *bench, struct event_log_cursor *cursor, const struct event *event)
{
        struct event sent;
        if (!event_log_next(&bench->log, cursor, &sent) || !event_equal(&sent, event))
                fail("an event does not come back");
}

/* @check: every event against what was sent; else only as fast as can be. */
static void read_changes(
    struct bench *bench, struct decoder *decoder, struct book *book, bool check)
{
        struct event_log_cursor cursor = {0};
        struct event event;
        struct frame_info info;
        size_t count = 0;
        int more;
        for (size_t i = 1; i < bench->frame_count; i++) {
                if (decoder_open(decoder, frame_at(bench, i), &info))
                        fail("a frame cannot be read");
                for (; (more = decoder_next(decoder, book, &event)) == 1; count++) {
                        if (check)
                                check_event(bench, &cursor, &event);
                }
                if (more)
                        fail("a frame breaks off");
        }
        if (count != bench->log.count)
                fail("an event is missing");
}

static void read_frames(struct bench *bench, bool check, struct times *times)
{
        struct decoder decoder;
        struct frame_info info;
        struct book book;
        decoder_init(&decoder);
        book_init(&book);
        int64_t began = cpu_ns();
        if (decoder_open(&decoder, frame_at(bench, 0), &info) || decoder_image(&decoder, &book))
                fail("the image cannot be read");
        int64_t loaded = cpu_ns();
        if (check && !book_equal(&book, &bench->book))
                fail("the image does not come back");
        read_changes(bench, &decoder, &book, check);
        if (!check) {
                keep_less(&times->image_decode_ns, loaded - began);
                keep_less(&times->decode_ns, cpu_ns() - loaded);
        }
        decoder_deinit(&decoder);
        book_deinit(&book);
}

/* ---- all of it ---- */

static void print(const char *name, uint64_t value)
{
        printf("%s,%llu\n", name, (unsigned long long)value);
}

static void print_results(const struct bench *bench, const struct times *times, size_t book_bytes)
{
        print("messages", bench->log.count);
        print("updates", bench->updates);
        print("change_bytes", bench->frames.size - bench->image_size);
        print("image_bytes", bench->image_size);
        print("image_updates", book_size(&bench->book));
        print("encode_ns", (uint64_t)times->encode_ns);
        print("decode_ns", (uint64_t)times->decode_ns);
        print("image_decode_ns", (uint64_t)times->image_decode_ns);
        if (!bench->image_text.size)
                return;
        print("image_parse_ns", (uint64_t)times->image_parse_ns);
        print("image_load_ns", (uint64_t)times->image_load_ns);
        print("book_bytes", book_bytes);
}

static void begin(struct bench *bench, char **argv)
{
        static const char *const kinds[KINDS] = {"l2", "l3", "trades"};
        bench->venue = venue_feed(argv[1], argv[2]);
        while (bench->kind < KINDS && strcmp(kinds[bench->kind], argv[3]))
                bench->kind++;
        if (!bench->venue || bench->kind == KINDS)
                fail("no such feed or kind");
        bench->symbol = argv[4];
        bench->numbered = argv[7] != NULL;
        bench->parser = json_new();
        book_init(&bench->book);
        event_log_init(&bench->log, (size_t)1 << 30);
        buffer_init(&bench->frames, (size_t)1 << 30);
        buffer_init(&bench->image_text, (size_t)1 << 26);
        order_numbers_init(&bench->numbers);
}

int main(int argc, char **argv)
{
        static struct bench bench;
        struct times times = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
        size_t book_bytes = 0;
        if (argc < 7 || argc > 8 || (argc == 8 && strcmp(argv[7], "numbers")))
                fail("usage: bench_messages VENUE FEED KIND SYMBOL SECONDS FILE [numbers]");
        begin(&bench, argv);
        learn_scale(&bench, argv[6]);
        read_file(&bench, argv[6], false);
        if (bench.image_text.size)
                book_bytes = load_image(&bench, &times);
        for (int round = 0; round < ROUNDS; round++) {
                write_frames(&bench, strtoll(argv[5], NULL, 10) * NS_PER_S, &times);
                read_frames(&bench, !round, &times);
        }
        read_frames(&bench, false, &times);
        print_results(&bench, &times, book_bytes);
        return 0;
}
