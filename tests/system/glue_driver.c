/* Drives venue/feed.h and venue/rest.h from lines on stdin, and tells every report on stdout.
 *
 *   connect HOST PORT PATH tls|plain ADDRESS [PROXY]     -> connecting N | refused CODE TEXT
 *   send N TEXT   repeat N COUNT SIZE   bye N REASON   byeon N TEXT (from inside message_cb)
 *   again N TEXT (on TEXT connect as the last time, from inside message_cb)
 *   get ID URL   resolve ID HOST   proxy HOST   quit
 *
 * Options: --ca FILE, --connect-ms N, --quiet-ms N, --timeout-ms N. */
#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "venue/feed.h"
#include "venue/rest.h"

#define LINE_SIZE 4096

struct driver {
        struct feed *feed;
        struct rest *rest;
        struct feed_target target;
        char words[6][1024];
        char bye_on[64];
        char again_on[64];
        unsigned long ticks;
        unsigned long alive;
        bool quit;
        atomic_bool ended;
        char input[LINE_SIZE];
        size_t input_size;
};

/* The system's look-up, but hang.test is a name whose server does not answer. */
int getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list)
{
        int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
        if (host && !strcmp(host, "hang.test")) {
                sleep(30);
                return EAI_AGAIN;
        }
        void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
        memcpy(&next, &symbol, sizeof(next));
        return next(host, service, hints, ret_list);
}

/* A checksum that the test computes as well, so that big messages need not be printed. */
static uint32_t sum_of(const char *text, size_t size)
{
        uint32_t hash = 2166136261u;
        for (size_t i = 0; i < size; i++)
                hash = (hash ^ (unsigned char)text[i]) * 16777619u;
        return hash;
}

static void on_open(uint32_t connection, void *user)
{
        (void)user;
        printf("open %u\n", connection);
}

static void connect_now(struct driver *driver)
{
        struct error error;
        uint32_t id = feed_connect(driver->feed, &driver->target, &error);
        if (id)
                printf("connecting %u\n", id);
        else
                printf("refused %d %s\n", error.code, error.text);
}

static void on_message(
    uint32_t connection, char *text, size_t size, int64_t receive_time_ns, void *user)
{
        struct driver *driver = user;
        int64_t age = clock_wall_ns() - receive_time_ns;
        memset(text + size, 'p', JSON_PADDING); /* ours to write */
        printf("message %u %zu %08" PRIx32 " %.*s%s\n", connection, size, sum_of(text, size),
            size > 60 ? 60 : (int)size, text, age < 0 || age > NS_PER_DAY ? " time!" : "");
        if (driver->bye_on[0] && !strncmp(text, driver->bye_on, strlen(driver->bye_on)))
                feed_disconnect(driver->feed, connection, "asked from inside");
        if (driver->again_on[0] && !strncmp(text, driver->again_on, strlen(driver->again_on)))
                connect_now(driver);
}

static void on_refused(uint32_t connection, size_t size, const char *reason, void *user)
{
        (void)user;
        printf("thrown %u %zu %s\n", connection, size, reason);
}

static void on_alive(uint32_t connection, void *user)
{
        struct driver *driver = user;
        (void)connection;
        driver->alive++;
}

static void on_closed(uint32_t connection, const char *reason, void *user)
{
        (void)user;
        printf("closed %u %s\n", connection, reason);
}

static void send_many(struct driver *driver, uint32_t id, long count, size_t size)
{
        char *text = memory_new(size + 1);
        memset(text, 'x', size);
        long sent = 0;
        int rc = 0;
        while (sent < count && !(rc = feed_send(driver->feed, id, text, size)))
                sent++;
        printf("sent %ld %d\n", sent, rc);
        free(text);
}

static void do_connect(struct driver *driver, const char *line)
{
        char port[8], tls[8];
        int words = sscanf(line, "connect %1000s %7s %1000s %7s %1000s %1000s", driver->words[0],
            port, driver->words[1], tls, driver->words[2], driver->words[3]);
        if (words < 5)
                return;
        driver->target = (struct feed_target){
            .host = driver->words[0],
            .path = driver->words[1],
            .port = (uint16_t)strtoul(port, NULL, 10),
            .tls = !strcmp(tls, "tls"),
            .address = driver->words[2],
            .proxy = words > 5 ? driver->words[3] : NULL,
        };
        connect_now(driver);
}

static void do_proxy(const char *host)
{
        char text[300];
        printf("proxy %s\n", rest_proxy(host, true, text, sizeof(text)) ? text : "none");
}

static void do_line(struct driver *driver, const char *line)
{
        unsigned id;
        long count;
        size_t size;
        uint64_t job;
        char text[2048];
        if (!strncmp(line, "connect ", 8))
                do_connect(driver, line);
        else if (sscanf(line, "send %u %2000[^\n]", &id, text) == 2)
                printf("queued %d\n", feed_send(driver->feed, id, text, strlen(text)));
        else if (sscanf(line, "repeat %u %ld %zu", &id, &count, &size) == 3)
                send_many(driver, id, count, size);
        else if (sscanf(line, "bye %u %2000[^\n]", &id, text) == 2)
                feed_disconnect(driver->feed, id, text);
        else if (sscanf(line, "byeon %63s", driver->bye_on) == 1 ||
            sscanf(line, "again %63s", driver->again_on) == 1)
                printf("noted\n");
        else if (sscanf(line, "get %" SCNu64 " %2000s", &job, text) == 2)
                printf("asked %d\n", rest_get(driver->rest, job, text, ""));
        else if (sscanf(line, "resolve %" SCNu64 " %2000s", &job, text) == 2)
                printf("asked %d\n", rest_resolve(driver->rest, job, text));
        else if (sscanf(line, "proxy %2000s", text) == 1)
                do_proxy(text);
        else if (!strcmp(line, "stats"))
                printf("stats ticks %lu alive %lu\n", driver->ticks, driver->alive);
        else if (!strcmp(line, "quit"))
                driver->quit = true;
}

static void read_input(struct driver *driver)
{
        char *room = driver->input + driver->input_size;
        ssize_t got = read(STDIN_FILENO, room, LINE_SIZE - 1 - driver->input_size);
        if (got == 0)
                driver->quit = true;
        if (got <= 0)
                return;
        driver->input_size += (size_t)got;
        char *line = driver->input, *end;
        while ((end = memchr(line, '\n', driver->input_size - (size_t)(line - driver->input)))) {
                *end = '\0';
                do_line(driver, line);
                line = end + 1;
        }
        driver->input_size -= (size_t)(line - driver->input);
        memmove(driver->input, line, driver->input_size);
}

static void tell_answer(const struct rest_answer *answer)
{
        printf("answer %" PRIu64 " code %d status %d retry %" PRId64 " weight %" PRId64
               " size %zu sum %08" PRIx32,
            answer->id, answer->code, answer->status, answer->retry_after_s, answer->used_weight,
            answer->body.size, sum_of((const char *)answer->body.data, answer->body.size));
        for (size_t i = 0; i < answer->address_count; i++)
                printf(" %s", answer->addresses[i]);
        printf(" %s\n", answer->text);
}

static void on_tick(void *user)
{
        struct driver *driver = user;
        struct rest_answer answer;
        driver->ticks++;
        read_input(driver);
        while (rest_take(driver->rest, &answer)) {
                tell_answer(&answer);
                buffer_deinit(&answer.body);
        }
}

static void on_answer(void *user)
{
        feed_wake(((struct driver *)user)->feed);
}

static void *watch_input(void *user)
{
        struct driver *driver = user;
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        /* what it saw may have been read before it woke up */
        while (!poll(&input, 1, 100) && !atomic_load(&driver->ended))
                ;
        feed_wake(driver->feed);
        return NULL;
}

int main(int argc, char **argv)
{
        struct driver driver = {0};
        struct feed_options feed_options = {0};
        struct rest_options rest_options = {.wake_cb = on_answer, .user = &driver};
        struct feed_callbacks callbacks = {
            on_open, on_message, on_refused, on_alive, on_closed, on_tick, &driver};
        struct error error;
        pthread_t watcher;
        for (int i = 1; i + 1 < argc; i += 2) {
                int number = (int)strtol(argv[i + 1], NULL, 10);
                if (!strcmp(argv[i], "--ca"))
                        feed_options.ca_file = rest_options.ca_file = argv[i + 1];
                else if (!strcmp(argv[i], "--connect-ms"))
                        feed_options.connect_ms = number;
                else if (!strcmp(argv[i], "--quiet-ms"))
                        feed_options.quiet_ms = number;
                else if (!strcmp(argv[i], "--timeout-ms"))
                        rest_options.timeout_ms = number;
                else if (!strcmp(argv[i], "--message-size"))
                        feed_options.message_size = (size_t)number;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
        if (feed_open(&driver.feed, &feed_options, &callbacks, &error) ||
            rest_open(&driver.rest, &rest_options, &error)) {
                printf("failed %d %s\n", error.code, error.text);
                feed_close(driver.feed);
                return 1;
        }
        pthread_create(&watcher, NULL, watch_input, &driver);
        printf("ready\n");
        while (!driver.quit && !feed_run(driver.feed))
                ;
        int64_t start = clock_mono_ns();
        atomic_store(&driver.ended, true);
        pthread_join(watcher, NULL);
        rest_close(driver.rest);
        feed_close(driver.feed);
        printf("ended %" PRId64 " ms\n", (clock_mono_ns() - start) / NS_PER_MS);
        return 0;
}
