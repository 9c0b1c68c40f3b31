/* What the tests of the control server share: a folder, an owner that the test itself plays, and
 * peers that speak bytes instead of lines. */
#ifndef TESTS_UNIT_CONTROL_HELP_H
#define TESTS_UNIT_CONTROL_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "control/client.h"
#include "control/server.h"

#define KEY "a key of the tests"
#define WAIT_MS 5000 /* for what must come */
#define QUIET_MS 150 /* for what must not */

struct lab {
        char folder[64];
        char path[96]; /* of the socket */
        uint16_t port, pages_port;
        sem_t woken;
        struct control_options options;
        struct control_server *server;
        struct error error;
};

static inline void on_wake(void *user)
{
        sem_post(&((struct lab *)user)->woken);
}

static inline uint16_t free_port(void)
{
        struct sockaddr_in address = {.sin_family = AF_INET};
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
        close(fd);
        return ntohs(address.sin_port);
}

/* A folder and options with a socket; the test adds doors and calls lab_open. */
static inline int lab_setup(void **state)
{
        struct lab *lab = calloc(1, sizeof(*lab));
        snprintf(lab->folder, sizeof(lab->folder), "/tmp/obcontrol.XXXXXX");
        if (!lab || !mkdtemp(lab->folder))
                return -1;
        snprintf(lab->path, sizeof(lab->path), "%s/manager.sock", lab->folder);
        sem_init(&lab->woken, 0, 0);
        log_set_level(LOG_CRITICAL_LEVEL);
        lab->options = (struct control_options){
            .socket_path = lab->path,
            .wake_cb = on_wake,
            .user = lab,
        };
        *state = lab;
        return 0;
}

static inline int lab_teardown(void **state)
{
        static const char *const names[] = {"manager.sock", "cert.pem", "key.pem", "other"};
        struct lab *lab = *state;
        control_close(lab->server);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char path[128];
                snprintf(path, sizeof(path), "%s/%s", lab->folder, names[i]);
                unlink(path);
        }
        int left = rmdir(lab->folder);
        sem_destroy(&lab->woken);
        free(lab);
        return left;
}

static inline void lab_open(struct lab *lab)
{
        if (control_open(&lab->server, &lab->options, &lab->error))
                fail_msg("%s", lab->error.text);
}

static inline void lab_open_port(struct lab *lab)
{
        lab->port = free_port();
        lab->options.address = "127.0.0.1";
        lab->options.port = lab->port;
        lab->options.key = KEY;
        lab_open(lab);
}

static inline void lab_open_pages(struct lab *lab)
{
        lab->pages_port = free_port();
        lab->options.pages_address = "127.0.0.1";
        lab->options.pages_port = lab->pages_port;
        lab_open(lab);
}

/* The owner */

static inline bool wait_wake(struct lab *lab, int wait_ms)
{
        struct timespec end;
        clock_gettime(CLOCK_REALTIME, &end);
        int64_t end_ns = (int64_t)end.tv_sec * NS_PER_S + end.tv_nsec + wait_ms * NS_PER_MS;
        end = (struct timespec){end_ns / NS_PER_S, end_ns % NS_PER_S};
        return !sem_timedwait(&lab->woken, &end);
}

static inline bool take_within(struct lab *lab, struct control_request *ret_request, int wait_ms)
{
        int64_t end_ns = clock_mono_ns() + wait_ms * NS_PER_MS;
        while (!control_take(lab->server, ret_request)) {
                int64_t left_ns = end_ns - clock_mono_ns();
                if (left_ns <= 0 || !wait_wake(lab, (int)(left_ns / NS_PER_MS) + 1))
                        return control_take(lab->server, ret_request);
        }
        return true;
}

/* The next one must be that; its number. */
static inline uint64_t expect_request(struct lab *lab, enum control_kind kind, const char *text)
{
        struct control_request request;
        if (!take_within(lab, &request, WAIT_MS))
                fail_msg("nothing came, expected %s", text ? text : "its end");
        assert_int_equal(request.kind, kind);
        if (text)
                assert_string_equal((const char *)request.text.data, text);
        assert_true(request.id != 0);
        buffer_deinit(&request.text);
        return request.id;
}

static inline void expect_nothing(struct lab *lab)
{
        struct control_request request;
        if (take_within(lab, &request, QUIET_MS))
                fail_msg("came: %s", (const char *)request.text.data);
}

static inline bool answer(struct lab *lab, uint64_t id, const char *text, bool last)
{
        return control_answer(lab->server, id, text, strlen(text), last);
}

/* A client that speaks as it should */

static inline struct control_client *client_of(struct lab *lab, const struct control_target *target)
{
        struct control_client *client = NULL;
        if (control_connect(&client, target, &lab->error))
                fail_msg("%s", lab->error.text);
        return client;
}

static inline struct control_client *client_by_socket(struct lab *lab)
{
        return client_of(lab, &(struct control_target){.socket_path = lab->path});
}

static inline void client_send(struct lab *lab, struct control_client *client, const char *text)
{
        if (control_send(client, text, strlen(text), &lab->error))
                fail_msg("%s", lab->error.text);
}

static inline void expect_line(struct lab *lab, struct control_client *client, const char *text)
{
        struct buffer line;
        buffer_init(&line, CONTROL_ANSWER_SIZE + JSON_PADDING);
        if (control_receive(client, &line, WAIT_MS, &lab->error))
                fail_msg("%s", lab->error.text);
        assert_string_equal((const char *)line.data, text);
        assert_int_equal(line.size, strlen(text));
        buffer_deinit(&line);
}

/* Ask and be answered: whoever shares the server with this one does no harm to it. */
static inline void expect_served(struct lab *lab, struct control_client *client)
{
        client_send(lab, client, "{\"command\":\"ping\"}");
        uint64_t id = expect_request(lab, CONTROL_LINE, "{\"command\":\"ping\"}");
        assert_true(answer(lab, id, "{\"end\":0}", true));
        expect_line(lab, client, "{\"end\":0}");
}

/* A peer of bytes */

static inline void socket_limit(int fd)
{
        struct timeval limit = {.tv_sec = WAIT_MS / 1000 + 3};
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
}

static inline int raw_by_socket(const struct lab *lab)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", lab->path);
        socket_limit(fd);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

static inline int raw_by_port(uint16_t port)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socket_limit(fd);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

/* What cannot be sent because the other side is gone is no failure of the test. */
static inline void raw_send(int fd, const void *data, size_t size)
{
        const char *at = data;
        while (size) {
                ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
                if (sent <= 0)
                        return;
                at += sent;
                size -= (size_t)sent;
        }
}

static inline void raw_say(int fd, const char *text)
{
        raw_send(fd, text, strlen(text));
}

/* One line without its end, byte by byte; "" if the other side is gone. */
static inline void raw_line(int fd, char *ret_text, size_t size)
{
        size_t used = 0;
        while (used + 1 < size && recv(fd, ret_text + used, 1, 0) == 1 && ret_text[used] != '\n')
                used++;
        ret_text[used] = '\0';
}

static inline void raw_expect(int fd, const char *text)
{
        char line[1024];
        raw_line(fd, line, sizeof(line));
        assert_string_equal(line, text);
}

/* The other side ends it, within the time of socket_limit; how many ms that took. */
static inline int64_t raw_expect_end(int fd)
{
        char scrap[4096];
        int64_t begin_ns = clock_mono_ns();
        ssize_t size;
        while ((size = recv(fd, scrap, sizeof(scrap), 0)) > 0)
                continue;
        if (size < 0 && errno != ECONNRESET)
                fail_msg("the connection was not ended: %s", strerror(errno));
        return (clock_mono_ns() - begin_ns) / NS_PER_MS;
}

static inline bool raw_is_open(int fd)
{
        struct pollfd at = {.fd = fd, .events = POLLIN | POLLRDHUP};
        return poll(&at, 1, QUIET_MS) == 0;
}

#endif
