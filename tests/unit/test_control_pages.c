/* The pages: what of HTTP is served, and who cannot hold them up. */
#include "control_help.h"

/* What came until the other side ended it, or until @end was there. */
static char *read_until(int fd, const char *end)
{
        size_t size = 0, room = 1u << 16;
        char *text = calloc(1, room);
        ssize_t part;
        while (
            !(end && strstr(text, end)) && (part = recv(fd, text + size, room - size - 1, 0)) > 0) {
                size += (size_t)part;
                text[size] = '\0';
                if (room - size < 4096)
                        text = realloc(text, room *= 2);
        }
        return text;
}

static void expect_reply(int fd, const char *end, const char *status, const char *words)
{
        char *text = read_until(fd, end);
        if (strncmp(text, status, strlen(status)) || (words && !strstr(text, words)))
                fail_msg("expected %s and %s, came: %s", status, words, text);
        free(text);
}

static void page(struct lab *lab, const char *path, int status, const char *text)
{
        uint64_t id = expect_request(lab, CONTROL_PAGE, path);
        control_page(lab->server, id, status, "text/plain; version=0.0.4", text, strlen(text));
}

static void a_page_is_asked_of_the_owner(void **state)
{
        struct lab *lab = *state;
        lab_open_pages(lab);
        int fd = raw_by_port(lab->pages_port);
        raw_say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\n\r\n");
        page(lab, "/metrics", 200, "up 1\n");
        char *text = read_until(fd, "up 1\n");
        assert_int_equal(strncmp(text, "HTTP/1.1 200 ", 13), 0);
        assert_non_null(strstr(text, "content-type: text/plain; version=0.0.4\r\n"));
        assert_non_null(strstr(text, "content-length: 5\r\n"));
        assert_non_null(strstr(text, "\r\n\r\nup 1\n"));
        free(text);
        close(fd);
}

static void the_connection_may_be_kept(void **state)
{
        struct lab *lab = *state;
        char path[32], body[32];
        lab_open_pages(lab);
        int fd = raw_by_port(lab->pages_port);
        for (int i = 0; i < 10; i++) {
                char request[64];
                snprintf(path, sizeof(path), "/page%d", i);
                snprintf(body, sizeof(body), "body %d.", i);
                snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
                raw_say(fd, request);
                page(lab, path, i % 2 ? 404 : 200, body);
                expect_reply(fd, body, i % 2 ? "HTTP/1.1 404 " : "HTTP/1.1 200 ", body);
        }
        close(fd);
        assert_int_equal(control_stats(lab->server).connections, 1);
        expect_nothing(lab);
}

static void a_query_is_passed_over(void **state)
{
        struct lab *lab = *state;
        lab_open_pages(lab);
        int fd = raw_by_port(lab->pages_port);
        raw_say(fd, "GET /health?verbose=1&x=%41 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        page(lab, "/health", 200, "fine");
        expect_reply(fd, NULL, "HTTP/1.1 200 ", "\r\n\r\nfine");
        close(fd);
}

static void http_1_0_is_served(void **state)
{
        struct lab *lab = *state;
        lab_open_pages(lab);
        int fd = raw_by_port(lab->pages_port);
        raw_say(fd, "GET /metrics HTTP/1.0\r\n\r\n");
        page(lab, "/metrics", 503, "no\n");
        expect_reply(fd, NULL, "HTTP/1.0 503 ", "\r\n\r\nno\n");
        close(fd);
}

static void head_is_a_page_without_its_body(void **state)
{
        struct lab *lab = *state;
        lab_open_pages(lab);
        int fd = raw_by_port(lab->pages_port);
        raw_say(fd, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        page(lab, "/metrics", 200, "hidden");
        char *text = read_until(fd, "\r\n\r\n");
        assert_non_null(strstr(text, "content-length: 6\r\n"));
        assert_null(strstr(text, "hidden"));
        free(text);
        raw_say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        page(lab, "/metrics", 200, "shown");
        expect_reply(fd, "shown", "HTTP/1.1 200 ", "shown");
        close(fd);
}

static void an_empty_page_is_one(void **state)
{
        struct lab *lab = *state;
        lab_open_pages(lab);
        int fd = raw_by_port(lab->pages_port);
        for (int i = 0; i < 3; i++) {
                raw_say(fd, "GET /e HTTP/1.1\r\nHost: x\r\n\r\n");
                page(lab, "/e", 204 + i, "");
                expect_reply(fd, "\r\n\r\n", "HTTP/1.1 20", "content-length: 0\r\n");
        }
        close(fd);
}

static void a_large_page_comes_whole(void **state)
{
        struct lab *lab = *state;
        size_t size = 6u << 20;
        char *body = malloc(size + 1);
        lab_open_pages(lab);
        for (size_t i = 0; i < size; i++)
                body[i] = (char)('a' + (i * 7 + i / 1000) % 26);
        body[size] = '\0';
        int fd = raw_by_port(lab->pages_port);
        raw_say(fd, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        page(lab, "/large", 200, body);
        char *text = read_until(fd, NULL);
        const char *end = strstr(text, "\r\n\r\n");
        assert_non_null(end);
        assert_string_equal(end + 4, body);
        free(text);
        free(body);
        close(fd);
}

/* Refused */

static void only_get_is_served(void **state)
{
        static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
        struct lab *lab = *state;
        lab_open_pages(lab);
        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
                char request[128];
                int fd = raw_by_port(lab->pages_port);
                snprintf(request, sizeof(request),
                    "%s /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", methods[i]);
                raw_say(fd, request);
                expect_reply(fd, NULL, "HTTP/1.1 405 ", "allow: GET, HEAD\r\n");
                close(fd);
        }
        expect_nothing(lab);
}

static void what_is_no_request_is_ended(void **state)
{
        static const char *const texts[] = {"garbage\r\n\r\n", "\r\n\r\n\r\n",
            "BREW / HTTP/1.1\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
            "{\"command\":\"terminate\"}\n\n", "CONNECT x:80 HTTP/1.1\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123456789",
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
            "Connection: Upgrade, HTTP2-Settings\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"};
        struct lab *lab = *state;
        struct control_request request;
        lab_open_pages(lab);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                int fd = raw_by_port(lab->pages_port);
                raw_say(fd, texts[i]);
                bool asked = take_within(lab, &request, QUIET_MS);
                if (asked)
                        buffer_deinit(&request.text);
                else
                        assert_in_range(raw_expect_end(fd), 0, 1000);
                close(fd);
                while (take_within(lab, &request, 20))
                        buffer_deinit(&request.text);
        }
        int fd = raw_by_port(lab->pages_port);
        raw_say(fd, "GET /after HTTP/1.1\r\nHost: x\r\n\r\n");
        page(lab, "/after", 200, "well");
        expect_reply(fd, "well", "HTTP/1.1 200 ", "well");
        close(fd);
}

static void a_path_is_plain_text(void **state)
{
        static const char *const paths[] = {"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
            "/a%00b", "/a%0ab", "//x//y", "/%", "/\xff\xfe", "/a%ffb"};
        struct lab *lab = *state;
        struct control_request request;
        lab_open_pages(lab);
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
                char text[128];
                int fd = raw_by_port(lab->pages_port);
                snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
                raw_say(fd, text);
                if (take_within(lab, &request, QUIET_MS)) {
                        assert_int_equal(request.kind, CONTROL_PAGE);
                        assert_int_equal(
                            strlen((const char *)request.text.data), request.text.size);
                        assert_int_equal(request.text.data[0], '/');
                        assert_null(strstr((const char *)request.text.data, ".."));
                        for (size_t j = 0; j < request.text.size; j++)
                                assert_in_range(request.text.data[j], 0x21, 0x7e);
                        control_page(lab->server, request.id, 404, "text/plain", "", 0);
                        buffer_deinit(&request.text);
                }
                close(fd);
                while (take_within(lab, &request, 20))
                        buffer_deinit(&request.text);
        }
}

static void headers_have_a_limit(void **state)
{
        struct lab *lab = *state;
        size_t size = 1u << 20;
        char *text = malloc(size);
        lab_open_pages(lab);
        memset(text, 'x', size);
        int fd = raw_by_port(lab->pages_port);
        raw_say(fd, "GET /metrics HTTP/1.1\r\nX: ");
        raw_send(fd, text, size);
        raw_expect_end(fd);
        close(fd);
        fd = raw_by_port(lab->pages_port);
        raw_say(fd, "GET /");
        raw_send(fd, text, size);
        raw_expect_end(fd);
        close(fd);
        expect_nothing(lab);
        free(text);
}

/* Slow, many, gone */

static void slow_headers_are_ended(void **state)
{
        struct lab *lab = *state;
        lab_open_pages(lab);
        int fd = raw_by_port(lab->pages_port), quiet = raw_by_port(lab->pages_port);
        int64_t begin_ns = clock_mono_ns();
        raw_say(fd, "GET /metrics HTTP/1.1\r\n");
        for (int i = 0; i < 90 && raw_is_open(fd); i++)
                raw_say(fd, "X: y\r\n");
        assert_in_range((clock_mono_ns() - begin_ns) / NS_PER_MS, 1000, 12000);
        raw_expect_end(fd);
        assert_in_range(raw_expect_end(quiet), 0, 4000);
        close(fd);
        close(quiet);
        expect_nothing(lab);
}

static void a_full_door_does_no_harm_to_the_socket(void **state)
{
        struct lab *lab = *state;
        int fds[CONTROL_CONNECTIONS];
        lab_open_pages(lab);
        struct control_client *client = client_by_socket(lab);
        for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
                fds[i] = raw_by_port(lab->pages_port);
                raw_say(fds[i], "GET /");
        }
        for (int i = 0; i < 20; i++) {
                int fd = raw_by_port(lab->pages_port);
                assert_in_range(raw_expect_end(fd), 0, 1000);
                close(fd);
        }
        expect_served(lab, client);
        for (int i = 0; i < CONTROL_CONNECTIONS; i++)
                close(fds[i]);
        usleep(QUIET_MS * 1000);
        int fd = raw_by_port(lab->pages_port);
        raw_say(fd, "GET /after HTTP/1.1\r\nHost: x\r\n\r\n");
        page(lab, "/after", 200, "well");
        expect_reply(fd, "well", "HTTP/1.1 200 ", "well");
        assert_int_equal(control_stats(lab->server).refused, 20);
        close(fd);
        control_disconnect(client);
}

static void what_follows_a_request_waits(void **state)
{
        struct lab *lab = *state;
        lab_open_pages(lab);
        int fd = raw_by_port(lab->pages_port);
        raw_say(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
        uint64_t id = expect_request(lab, CONTROL_PAGE, "/1");
        expect_nothing(lab);
        size_t sent = 0;
        ssize_t part;
        for (int i = 0; i < 100; i++) {
                while ((part = send(fd, "GET /3 HTTP/1.1\r\nHost: x\r\n\r\n", 29,
                            MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
                        sent += (size_t)part;
                usleep(1000);
        }
        assert_in_range(sent, 1, 16u << 20); /* in the kernel, not in us */
        control_page(lab->server, id, 200, "text/plain", "one.", 4);
        expect_reply(fd, "one.", "HTTP/1.1 200 ", "one.");
        page(lab, "/2", 200, "two.");
        expect_reply(fd, "two.", "HTTP/1.1 200 ", "two.");
        close(fd);
}

static void who_goes_is_gone(void **state)
{
        struct lab *lab = *state;
        struct linger at_once = {1, 0};
        struct control_request request;
        lab_open_pages(lab);
        int fd = raw_by_port(lab->pages_port);
        raw_say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        uint64_t id = expect_request(lab, CONTROL_PAGE, "/metrics");
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(fd);
        assert_int_equal(expect_request(lab, CONTROL_GONE, ""), id);
        control_page(lab->server, id, 200, "text/plain", "late", 4);
        assert_false(control_take(lab->server, &request));
}

static void slow_readers_share_one_limit(void **state)
{
        struct lab *lab = *state;
        int fds[12];
        size_t size = 10u << 20;
        char *body = calloc(1, size);
        lab_open_pages(lab);
        memset(body, 'x', size);
        for (int i = 0; i < 12; i++) {
                fds[i] = raw_by_port(lab->pages_port);
                raw_say(fds[i], "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
                uint64_t id = expect_request(lab, CONTROL_PAGE, "/large");
                control_page(lab->server, id, 200, "text/plain", body, size);
        }
        int full = 0;
        for (int i = 0; i < 12; i++) {
                char text[16] = {0};
                assert_true(recv(fds[i], text, 12, MSG_WAITALL) == 12);
                full += !strcmp(text, "HTTP/1.1 503");
                close(fds[i]);
        }
        assert_in_range(full, 1, 6);
        free(body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(a_page_is_asked_of_the_owner),
            TEST(the_connection_may_be_kept),
            TEST(a_query_is_passed_over),
            TEST(http_1_0_is_served),
            TEST(head_is_a_page_without_its_body),
            TEST(an_empty_page_is_one),
            TEST(a_large_page_comes_whole),
            TEST(only_get_is_served),
            TEST(what_is_no_request_is_ended),
            TEST(a_path_is_plain_text),
            TEST(headers_have_a_limit),
            TEST(slow_headers_are_ended),
            TEST(a_full_door_does_no_harm_to_the_socket),
            TEST(what_follows_a_request_waits),
            TEST(who_goes_is_gone),
            TEST(slow_readers_share_one_limit),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
