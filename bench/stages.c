/* CPU per message of each stage, without a socket: parse, apply and encode.
 *
 *   bench_stages FILE   FILE: an image's JSON on the first line, a depth message on each further
 * one */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "book/book.h"
#include "codec/plain.h"
#include "codec/tokens.h"
#include "venue/venue.h"

#define ROUNDS 5

struct corpus {
        struct buffer text; /* every message followed by JSON_PADDING bytes */
        size_t *offsets, *sizes;
        size_t count;
};

static int64_t cpu_ns(void)
{
        struct timespec now;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void corpus_read(struct corpus *corpus, FILE *file)
{
        static const char padding[JSON_PADDING];
        char *line = NULL;
        size_t capacity = 0, places = 0;
        ssize_t size;
        buffer_init(&corpus->text, (size_t)1 << 30);
        while ((size = getline(&line, &capacity, file)) > 0) {
                if (corpus->count == places) {
                        places = places ? places * 2 : 1024;
                        corpus->offsets = memory_resize(corpus->offsets, places * sizeof(size_t));
                        corpus->sizes = memory_resize(corpus->sizes, places * sizeof(size_t));
                }
                corpus->offsets[corpus->count] = corpus->text.size;
                corpus->sizes[corpus->count++] = (size_t)size - (line[size - 1] == '\n');
                buffer_append(&corpus->text, line, (size_t)size);
                buffer_append(&corpus->text, padding, sizeof(padding));
        }
        free(line);
}

static void fail(const char *what)
{
        fprintf(stderr, "bench_stages: %s\n", what);
        exit(1);
}

static const char *message_at(const struct corpus *corpus, size_t i)
{
        return (const char *)corpus->text.data + corpus->offsets[i];
}

struct bench {
        struct corpus corpus;
        struct json_parser *parser;
        struct level_list list;
        struct book book;
        struct plain_encoder open;
        struct token_encoder sealed;
        struct scale scale;
        uint64_t levels;
};

static void load_image(struct bench *bench)
{
        struct json_value root;
        struct image image = {0};
        unsigned digits[2];
        const char *reason;
        if (json_parse(
                bench->parser, message_at(&bench->corpus, 0), bench->corpus.sizes[0], &root) ||
            venue_binance.parse_image(
                root, KIND_L2, &bench->scale, 5000, &bench->list, &image, digits, &reason) ||
            book_set_image(&bench->book, &image))
                fail("the image cannot be read");
}

/* As a recorder does: into the block that is sealed, with the book, and into the open one. */
static void encode(struct bench *bench, const struct event *event, bool *begun)
{
        if (!*begun || bench->levels % 65536 < event_level_count(event)) {
                plain_begin(&bench->open, &bench->scale);
                token_begin(&bench->sealed, &bench->scale, event);
                *begun = true;
        }
        token_add(&bench->sealed, &bench->book, event);
        plain_add(&bench->open, event);
}

/* One pass over all messages, up to the stage @depth: 1 JSON, 2 event, 3 the book alone, or 4 the
 * book together with both encodings. */
static int64_t pass(struct bench *bench, int depth)
{
        struct json_value root;
        struct venue_message message;
        struct venue_part part;
        unsigned digits[2];
        const char *reason;
        bool begun = false;
        load_image(bench);
        token_encoder_reset(&bench->sealed);
        bench->levels = 0;
        int64_t begin = cpu_ns();
        for (size_t i = 1; i < bench->corpus.count; i++) {
                struct event event = {.receive_time_ns = INT64_C(1723161253937085000)};
                if (json_parse(bench->parser, message_at(&bench->corpus, i), bench->corpus.sizes[i],
                        &root))
                        fail("a message is not JSON");
                if (depth < 2)
                        continue;
                venue_binance.parse(root, &message);
                if (message.kind != MESSAGE_EVENTS || !venue_binance.next_part(&message, &part) ||
                    venue_binance.parse_event(
                        &part, &bench->scale, &bench->list, &event, digits, &reason))
                        fail("a message cannot be parsed");
                bench->levels += event_level_count(&event);
                if (depth == 3)
                        book_apply(&bench->book, &event);
                if (depth == 4)
                        encode(bench, &event, &begun);
        }
        return cpu_ns() - begin;
}

static int64_t best_pass(struct bench *bench, int depth)
{
        int64_t best = INT64_MAX;
        for (int round = 0; round < ROUNDS; round++) {
                int64_t time = pass(bench, depth);
                best = time < best ? time : best;
        }
        return best;
}

/* What a book of 5,000 levels a side takes, built as a live one is. */
static size_t book_bytes(void)
{
        struct book book;
        size_t before = mallinfo2().uordblks;
        book_init(&book);
        for (int64_t i = 0; i < 5000; i++) {
                book_set(&book, SIDE_BID, 1000000 - i * 7919 % 5000, i + 1);
                book_set(&book, SIDE_ASK, 1000001 + i * 7919 % 5000, i + 1);
        }
        size_t bytes = mallinfo2().uordblks - before;
        if (book_count(&book, SIDE_BID) != 5000 || book_count(&book, SIDE_ASK) != 5000)
                fail("the book has not 5,000 levels a side");
        book_deinit(&book);
        return bytes;
}

int main(int argc, char **argv)
{
        struct bench bench = {.scale = {8, 8, true, 1000000, 1000}};
        FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
        if (!file)
                fail("usage: bench_stages FILE");
        corpus_read(&bench.corpus, file);
        fclose(file);
        if (bench.corpus.count < 2)
                fail("no messages");
        bench.parser = json_new();
        book_init(&bench.book);
        plain_encoder_init(&bench.open);
        token_encoder_init(&bench.sealed);
        size_t messages = bench.corpus.count - 1;
        int64_t count = (int64_t)messages;
        int64_t json = best_pass(&bench, 1), event = best_pass(&bench, 2);
        int64_t book = best_pass(&bench, 3), total = best_pass(&bench, 4);
        printf("json_ns_per_message,%lld\n", (long long)(json / count));
        printf("event_ns_per_message,%lld\n", (long long)((event - json) / count));
        printf("book_alone_ns_per_message,%lld\n", (long long)((book - event) / count));
        printf("book_and_encode_ns_per_message,%lld\n", (long long)((total - event) / count));
        printf("total_ns_per_message,%lld\n", (long long)(total / count));
        printf("messages,%zu\nlevels,%llu\n", messages, (unsigned long long)bench.levels);
        printf("book_of_5000_levels_a_side_bytes,%zu\n", book_bytes());
        return 0;
}
