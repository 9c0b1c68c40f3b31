/* What a raw capture costs the loop and the disk, over the messages of a recorded file.
 *
 *   bench_capture FOLDER FILE [TIMES]   FILE: "<receive time, ns> <text>" a line, not packed;
 *                                       played TIMES times one behind the other
 *
 * Prints "name,value" lines. The CPU is that of the calling thread, so that of capture_add alone;
 * where it waits for the disk is not counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "capture/capture.h"

struct play {
        struct capture *capture;
        struct buffer messages; /* of struct message */
        struct buffer text;
        uint64_t count;
        int64_t used_ns;
};

struct message {
        int64_t time_ns;
        size_t offset, size; /* in text */
};

static void fail(const char *what)
{
        fprintf(stderr, "bench_capture: %s\n", what);
        exit(1);
}

static int64_t cpu_ns(clockid_t clock)
{
        struct timespec used;
        clock_gettime(clock, &used);
        return used.tv_sec * NS_PER_S + used.tv_nsec;
}

static void load(struct play *play, const char *path)
{
        FILE *file = fopen(path, "r");
        char *line = NULL;
        size_t room = 0;
        if (!file)
                fail("cannot read FILE");
        buffer_init(&play->messages, 1u << 30);
        buffer_init(&play->text, 1u << 30);
        for (ssize_t size; (size = getline(&line, &room, file)) > 20;) {
                struct message message = {
                    strtoll(line, NULL, 10), play->text.size, (size_t)size - 21};
                buffer_append(&play->messages, &message, sizeof(message));
                buffer_append(&play->text, line + 20, message.size);
        }
        free(line);
        fclose(file);
        if (!play->messages.size || play->messages.failed || play->text.failed)
                fail("FILE has no messages, or too many");
}

/* As on a loop that is not in a hurry: the queue stays short. */
static void wait_for_room(struct play *play)
{
        while (capture_stats(play->capture).queue_bytes > LIMIT_CAPTURE_QUEUE / 32)
                usleep(500);
}

/* A message and the turn that it came in. */
static void play_message(struct play *play, const struct message *message, int64_t shift_ns)
{
        struct capture_line line = {.kind = CAPTURE_TURN,
            .wall_ns = message->time_ns + shift_ns + 20000,
            .mono_ns = message->time_ns + shift_ns + 20000};
        capture_add(play->capture, CAPTURE_LOOP, line);
        line.kind = CAPTURE_MESSAGE;
        line.connection = 1;
        line.number = message->time_ns + shift_ns;
        line.text = (struct bytes){play->text.data + message->offset, message->size};
        capture_add(play->capture, "binance", line);
        play->count++;
}

static void play_once(struct play *play, int64_t shift_ns)
{
        const struct message *messages = (const struct message *)(const void *)play->messages.data;
        size_t count = play->messages.size / sizeof(*messages);
        for (size_t i = 0; i < count; i += 100) {
                int64_t before = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
                for (size_t k = i; k < i + 100 && k < count; k++)
                        play_message(play, &messages[k], shift_ns);
                play->used_ns += cpu_ns(CLOCK_THREAD_CPUTIME_ID) - before;
                wait_for_room(play);
        }
}

int main(int argc, char **argv)
{
        struct play play = {0};
        struct error error;
        if (argc < 3)
                fail("usage: bench_capture FOLDER FILE [TIMES]");
        load(&play, argv[2]);
        unsigned long times = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
        int64_t begin_ns = ((const struct message *)(const void *)play.messages.data)->time_ns;
        if (capture_open(&play.capture, argv[1], begin_ns, begin_ns, &error))
                fail(error.text);
        int64_t all_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
        for (unsigned long n = 0; n < times; n++)
                play_once(&play, (int64_t)n * 700 * NS_PER_S);
        sleep(2);
        struct capture_stats stats = capture_stats(play.capture);
        capture_close(play.capture);
        all_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - all_ns;
        printf("messages,%llu\n", (unsigned long long)play.count);
        printf("text_bytes_per_message,%llu\n", (unsigned long long)(stats.bytes / play.count));
        printf("file_bytes_per_1000_messages,%llu\n",
            (unsigned long long)(1000 * stats.file_bytes / play.count));
        printf("add_ns_per_line,%lld\n", (long long)(play.used_ns / (int64_t)(2 * play.count)));
        printf("process_ns_per_message,%lld\n", (long long)(all_ns / (int64_t)play.count));
        printf("lost,%llu\n", (unsigned long long)stats.lost);
        return 0;
}
