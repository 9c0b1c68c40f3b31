/* The control server and its client over the socket: requests, answers, and who does not listen. */
#include "control_help.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#define PING "{\"command\":\"ping\"}"
#define END "{\"end\":0}"

static void a_request_is_taken_and_answered(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        struct control_client *client = client_by_socket(lab);
        client_send(lab, client, PING);
        uint64_t first = expect_request(lab, CONTROL_LINE, PING);
        assert_true(answer(lab, first, "{\"row\":1}", false));
        assert_true(answer(lab, first, "{\"row\":2}", false));
        assert_true(answer(lab, first, END, true));
        expect_line(lab, client, "{\"row\":1}");
        expect_line(lab, client, "{\"row\":2}");
        expect_line(lab, client, END);
        client_send(lab, client, "{\"command\":\"list\"}");
        uint64_t second = expect_request(lab, CONTROL_LINE, "{\"command\":\"list\"}");
        assert_true(second != first);
        assert_true(answer(lab, second, END, true));
        expect_line(lab, client, END);
        control_disconnect(client);
        expect_nothing(lab);
        struct control_stats stats = control_stats(lab->server);
        assert_int_equal(stats.connections, 1);
        assert_int_equal(stats.requests, 2);
        assert_int_equal(stats.refused, 0);
}

static void a_line_is_padded_for_the_parser(void **state)
{
        struct lab *lab = *state;
        struct control_request request;
        struct json_value root;
        lab_open(lab);
        struct control_client *client = client_by_socket(lab);
        client_send(lab, client, PING);
        assert_true(take_within(lab, &request, WAIT_MS));
        assert_int_equal(request.text.size, strlen(PING));
        for (size_t i = 0; i < JSON_PADDING; i++)
                assert_int_equal(request.text.data[request.text.size + i], 0);
        struct json_parser *json = json_new();
        assert_int_equal(json_parse(json, (char *)request.text.data, request.text.size, &root), 0);
        json_free(json);
        buffer_deinit(&request.text);
        control_disconnect(client);
}

static void rows_come_as_soon_as_they_are_given(void **state)
{
        struct lab *lab = *state;
        struct buffer line;
        lab_open(lab);
        struct control_client *client = client_by_socket(lab);
        client_send(lab, client, PING);
        uint64_t id = expect_request(lab, CONTROL_LINE, PING);
        answer(lab, id, "{\"row\":1}", false);
        expect_line(lab, client, "{\"row\":1}");
        buffer_init(&line, 1000);
        assert_int_equal(control_receive(client, &line, QUIET_MS, &lab->error), ERR_STOPPED);
        answer(lab, id, END, true);
        expect_line(lab, client, END);
        buffer_deinit(&line);
        control_disconnect(client);
}

static void the_next_line_waits_for_the_end(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        int fd = raw_by_socket(lab);
        raw_say(fd, "{\"n\":1}\n{\"n\":2}\r\n{\"n\":3}\n");
        uint64_t id = expect_request(lab, CONTROL_LINE, "{\"n\":1}");
        expect_nothing(lab);
        answer(lab, id, "{\"row\":1}", false);
        expect_nothing(lab);
        answer(lab, id, END, true);
        id = expect_request(lab, CONTROL_LINE, "{\"n\":2}");
        expect_nothing(lab);
        answer(lab, id, END, true);
        answer(lab, expect_request(lab, CONTROL_LINE, "{\"n\":3}"), END, true);
        raw_expect(fd, "{\"row\":1}");
        for (int i = 0; i < 3; i++)
                raw_expect(fd, END);
        assert_true(raw_is_open(fd));
        close(fd);
}

static void a_line_may_come_byte_by_byte(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        int fd = raw_by_socket(lab);
        for (const char *at = PING "\n"; *at; at++) {
                raw_send(fd, at, 1);
                usleep(2000);
        }
        answer(lab, expect_request(lab, CONTROL_LINE, PING), END, true);
        raw_expect(fd, END);
        close(fd);
}

/* Gone */

static void who_closes_is_gone(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        struct control_client *client = client_by_socket(lab);
        client_send(lab, client, PING);
        uint64_t id = expect_request(lab, CONTROL_LINE, PING);
        control_disconnect(client);
        assert_int_equal(expect_request(lab, CONTROL_GONE, ""), id);
        assert_true(answer(lab, id, END, true));
        expect_nothing(lab);
}

static void who_closes_his_side_for_writing_is_gone(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        int fd = raw_by_socket(lab);
        raw_say(fd, PING "\n");
        uint64_t id = expect_request(lab, CONTROL_LINE, PING);
        shutdown(fd, SHUT_WR);
        assert_int_equal(expect_request(lab, CONTROL_GONE, ""), id);
        raw_expect_end(fd);
        close(fd);
}

static void who_was_answered_is_not_gone(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        struct control_client *client = client_by_socket(lab);
        expect_served(lab, client);
        control_disconnect(client);
        expect_nothing(lab);
}

/* The request is taken back if he goes before it is taken; and so is his going. */
static void nothing_is_left_of_who_goes_early(void **state)
{
        struct lab *lab = *state;
        struct control_request request;
        lab_open(lab);
        int fd = raw_by_socket(lab);
        raw_say(fd, PING "\n");
        assert_true(wait_wake(lab, WAIT_MS));
        close(fd);
        usleep(QUIET_MS * 1000);
        assert_false(control_take(lab->server, &request));
        fd = raw_by_socket(lab);
        raw_say(fd, PING "\n");
        uint64_t id = expect_request(lab, CONTROL_LINE, PING);
        close(fd);
        assert_true(wait_wake(lab, WAIT_MS));
        answer(lab, id, END, true);
        assert_false(control_take(lab->server, &request));
}

static void a_number_that_nobody_has_is_passed_over(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        assert_true(answer(lab, 1, END, true));
        assert_true(answer(lab, UINT64_MAX, END, false));
        assert_true(answer(lab, 0, END, true));
        control_page(lab->server, 7, 200, "text/plain", "x", 1);
        struct control_client *client = client_by_socket(lab);
        expect_served(lab, client);
        control_disconnect(client);
}

/* Much */

static void many_rows_arrive_in_order(void **state)
{
        struct lab *lab = *state;
        struct buffer line;
        char text[64];
        lab_open(lab);
        struct control_client *client = client_by_socket(lab);
        client_send(lab, client, PING);
        uint64_t id = expect_request(lab, CONTROL_LINE, PING);
        for (int i = 0; i < 50000; i++) {
                snprintf(text, sizeof(text), "{\"row\":%d}", i);
                assert_true(answer(lab, id, text, i == 49999));
        }
        buffer_init(&line, 1000);
        for (int i = 0; i < 50000; i++) {
                snprintf(text, sizeof(text), "{\"row\":%d}", i);
                assert_int_equal(control_receive(client, &line, WAIT_MS, &lab->error), 0);
                assert_string_equal((char *)line.data, text);
        }
        buffer_deinit(&line);
        control_disconnect(client);
}

static char *letters_new(size_t size)
{
        char *text = malloc(size + 1);
        for (size_t i = 0; i < size; i++)
                text[i] = (char)('a' + (i * 7 + i / 1000) % 26);
        text[size] = '\0';
        return text;
}

static void a_whole_book_is_one_line(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        char *text = letters_new(20u << 20);
        struct control_client *client = client_by_socket(lab);
        client_send(lab, client, PING);
        uint64_t id = expect_request(lab, CONTROL_LINE, PING);
        assert_true(answer(lab, id, text, false));
        assert_true(answer(lab, id, END, true));
        expect_line(lab, client, text);
        expect_line(lab, client, END);
        control_disconnect(client);
        free(text);
}

static void who_does_not_read_is_let_go_at_the_limit(void **state)
{
        struct lab *lab = *state;
        size_t size = 1u << 20, given = 0;
        lab_open(lab);
        char *text = letters_new(size);
        struct control_client *other = client_by_socket(lab);
        int fd = raw_by_socket(lab);
        raw_say(fd, PING "\n");
        uint64_t id = expect_request(lab, CONTROL_LINE, PING);
        while (answer(lab, id, text, false) && given < 2 * (size_t)CONTROL_ANSWER_SIZE)
                given += size + 1;
        assert_in_range(given, CONTROL_ANSWER_SIZE - 2 * size, CONTROL_ANSWER_SIZE + size);
        assert_int_equal(expect_request(lab, CONTROL_GONE, ""), id);
        assert_true(answer(lab, id, text, false));
        expect_served(lab, other);
        control_disconnect(other);
        close(fd);
        free(text);
}

static void a_slow_reader_holds_up_himself_only(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        char *text = letters_new(5u << 20);
        struct control_client *slow = client_by_socket(lab), *other = client_by_socket(lab);
        client_send(lab, slow, PING);
        uint64_t id = expect_request(lab, CONTROL_LINE, PING);
        client_send(lab, slow, "{\"second\":1}");
        assert_true(answer(lab, id, text, true));
        expect_nothing(lab); /* his second one waits until he has read */
        expect_served(lab, other);
        expect_line(lab, slow, text);
        answer(lab, expect_request(lab, CONTROL_LINE, "{\"second\":1}"), END, true);
        expect_line(lab, slow, END);
        control_disconnect(slow);
        control_disconnect(other);
        free(text);
}

/* While a request is under way, what else he sends stays with him. */
static void a_flood_of_lines_is_not_taken_in(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        struct control_client *other = client_by_socket(lab);
        int fd = raw_by_socket(lab);
        raw_say(fd, PING "\n");
        uint64_t id = expect_request(lab, CONTROL_LINE, PING);
        size_t sent = 0;
        ssize_t part;
        for (int i = 0; i < 100; i++) {
                while ((part = send(fd, "{}\n{}\n{}\n{}\n", 12, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
                        sent += (size_t)part;
                usleep(1000);
        }
        assert_in_range(sent, 1, 4u << 20);
        expect_served(lab, other);
        answer(lab, id, END, true);
        raw_expect(fd, END);
        for (int i = 0; i < 1000; i++) {
                answer(lab, expect_request(lab, CONTROL_LINE, "{}"), END, true);
                raw_expect(fd, END);
        }
        close(fd);
        control_disconnect(other);
}

/* And so it is with who asks and asks, and never reads what he is answered. */
static void who_reads_no_answer_is_not_asked_for_more(void **state)
{
        struct lab *lab = *state;
        struct control_request request;
        int served = 0;
        lab_open(lab);
        int fd = raw_by_socket(lab);
        char text[3 * 5000];
        for (size_t i = 0; i < sizeof(text); i++)
                text[i] = "{}\n"[i % 3];
        raw_send(fd, text, sizeof(text));
        while (take_within(lab, &request, QUIET_MS)) {
                answer(lab, request.id, END, true);
                buffer_deinit(&request.text);
                served++;
        }
        assert_in_range(served, 1, 4999);
        for (int i = 0; i < served; i++)
                raw_expect(fd, END);
        answer(lab, expect_request(lab, CONTROL_LINE, "{}"), END, true);
        close(fd);
}

/* Refused */

static void expect_refused(struct lab *lab, const void *data, size_t size, const char *words)
{
        int fd = raw_by_socket(lab);
        raw_send(fd, data, size);
        raw_expect(fd, words);
        assert_in_range(raw_expect_end(fd), 0, 2500);
        close(fd);
        expect_nothing(lab);
}

static void what_is_no_request_is_refused(void **state)
{
        static const char no_json[] =
            "{\"end\":2,\"error\":\"the request is not a JSON object in UTF-8\"}";
        static const char *const texts[] = {"garbage\n", "\n", "\r\n", "[1]\n", "1\n", "{\"a\":1\n",
            "{\"a\":\"\xff\xfe\"}\n", "{} {}\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03\n"};
        static const char zero[] = "{\"a\":\"\0\"}\n";
        struct lab *lab = *state;
        lab_open(lab);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                expect_refused(lab, texts[i], strlen(texts[i]), no_json);
        expect_refused(
            lab, zero, sizeof(zero) - 1, "{\"end\":2,\"error\":\"the request has a zero byte\"}");
        struct control_client *client = client_by_socket(lab);
        expect_served(lab, client);
        control_disconnect(client);
}

/* {"a":"..."} of that many bytes */
static char *request_new(size_t size)
{
        char *text = letters_new(size);
        memcpy(text, "{\"a\":\"", 6);
        memcpy(text + size - 2, "\"}", 2);
        return text;
}

static void a_request_has_65536_bytes(void **state)
{
        static const char too_long[] =
            "{\"end\":2,\"error\":\"a request has at most 65,536 bytes\"}";
        struct lab *lab = *state;
        lab_open(lab);
        char *text = request_new(CONTROL_LINE_SIZE);
        int fd = raw_by_socket(lab);
        for (int i = 0; i < 2; i++) {
                raw_say(fd, text);
                raw_say(fd, i ? "\n" : "\r\n");
                answer(lab, expect_request(lab, CONTROL_LINE, text), END, true);
                raw_expect(fd, END);
        }
        close(fd);
        free(text);
        text = request_new(CONTROL_LINE_SIZE + 2);
        text[CONTROL_LINE_SIZE + 1] = '\n';
        expect_refused(lab, text, CONTROL_LINE_SIZE + 2, too_long);
        text[CONTROL_LINE_SIZE + 1] = 'x';
        expect_refused(lab, text, CONTROL_LINE_SIZE + 2, too_long);
        free(text);
        text = letters_new(3u << 20); /* it goes on and on */
        expect_refused(lab, text, 3u << 20, too_long);
        free(text);
}

static void the_client_sends_one_line_of_at_most_that(void **state)
{
        struct lab *lab = *state;
        lab_open(lab);
        char *text = letters_new(CONTROL_LINE_SIZE + 1);
        struct control_client *client = client_by_socket(lab);
        assert_int_equal(control_send(client, text, CONTROL_LINE_SIZE + 1, &lab->error), ERR_USAGE);
        assert_int_equal(control_send(client, "{}\n{}", 5, &lab->error), ERR_USAGE);
        expect_served(lab, client);
        control_disconnect(client);
        free(text);
}

static void a_door_has_so_many_connections(void **state)
{
        struct lab *lab = *state;
        int fds[CONTROL_CONNECTIONS];
        lab_open(lab);
        struct control_client *client = client_by_socket(lab);
        for (int i = 1; i < CONTROL_CONNECTIONS; i++)
                fds[i] = raw_by_socket(lab);
        for (int i = 0; i < 50; i++) {
                int fd = raw_by_socket(lab);
                assert_in_range(raw_expect_end(fd), 0, 1000);
                close(fd);
        }
        expect_served(lab, client);
        for (int i = 1; i < CONTROL_CONNECTIONS; i++)
                close(fds[i]);
        usleep(QUIET_MS * 1000);
        struct control_client *after = client_by_socket(lab);
        expect_served(lab, after);
        assert_int_equal(control_stats(lab->server).refused, 50);
        assert_int_equal(control_stats(lab->server).connections, CONTROL_CONNECTIONS + 51);
        control_disconnect(after);
        control_disconnect(client);
}

/* The end */

struct closer {
        struct lab *lab;
        int64_t took_ms;
};

static void *close_it(void *user)
{
        struct closer *closer = user;
        int64_t begin_ns = clock_mono_ns();
        control_close(closer->lab->server);
        closer->lab->server = NULL;
        closer->took_ms = (clock_mono_ns() - begin_ns) / NS_PER_MS;
        return NULL;
}

static void what_is_answered_is_sent_before_the_end(void **state)
{
        struct lab *lab = *state;
        struct closer closer = {lab, 0};
        struct buffer line;
        pthread_t thread;
        lab_open(lab);
        char *text = letters_new(8u << 20);
        struct control_client *client = client_by_socket(lab);
        client_send(lab, client, PING);
        uint64_t id = expect_request(lab, CONTROL_LINE, PING);
        assert_true(answer(lab, id, text, false));
        assert_true(answer(lab, id, END, true));
        assert_int_equal(pthread_create(&thread, NULL, close_it, &closer), 0);
        expect_line(lab, client, text);
        expect_line(lab, client, END);
        buffer_init(&line, 1000);
        assert_int_equal(control_receive(client, &line, WAIT_MS, &lab->error), ERR_IO);
        pthread_join(thread, NULL);
        buffer_deinit(&line);
        control_disconnect(client);
        free(text);
}

static void nobody_holds_up_the_end(void **state)
{
        struct lab *lab = *state;
        struct closer closer = {lab, 0};
        lab_open(lab);
        char *text = letters_new(8u << 20);
        int fd = raw_by_socket(lab);
        raw_say(fd, PING "\n");
        answer(lab, expect_request(lab, CONTROL_LINE, PING), text, true);
        close_it(&closer);
        assert_in_range(closer.took_ms, 900, 2500);
        assert_int_not_equal(access(lab->path, F_OK), 0);
        raw_expect_end(fd);
        close(fd);
        free(text);
}

/* The client alone */

static void the_client_says_why_it_cannot(void **state)
{
        struct lab *lab = *state;
        struct control_client *client = NULL;
        struct control_target target = {.socket_path = lab->path};
        assert_int_equal(control_connect(&client, &target, &lab->error), ERR_NOT_FOUND);
        assert_non_null(strstr(lab->error.text, lab->path));
        target.socket_path = "";
        assert_int_equal(control_connect(&client, &target, &lab->error), ERR_USAGE);
        target = (struct control_target){.host = "127.0.0.1", .port = 1, .key = ""};
        assert_int_equal(control_connect(&client, &target, &lab->error), ERR_USAGE);
        target.key = NULL;
        assert_int_equal(control_connect(&client, &target, &lab->error), ERR_USAGE);
        target.key = KEY;
        target.host = "x/y@z";
        assert_int_equal(control_connect(&client, &target, &lab->error), ERR_USAGE);
        target.host = "127.0.0.1";
        target.port = free_port();
        assert_int_equal(control_connect(&client, &target, &lab->error), ERR_NOT_FOUND);
        assert_null(client);
}

static void on_alarm(int number)
{
        (void)number;
}

static void a_signal_ends_the_wait(void **state)
{
        struct lab *lab = *state;
        struct buffer line;
        struct sigaction action = {.sa_handler = on_alarm};
        struct itimerval soon = {.it_value = {.tv_usec = 100000}};
        lab_open(lab);
        struct control_client *client = client_by_socket(lab);
        buffer_init(&line, 1000);
        sigset_t alarms;
        sigemptyset(&alarms);
        sigaddset(&alarms, SIGALRM);
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &soon, NULL);
        assert_int_equal(control_receive(client, &line, -1, &lab->error), ERR_STOPPED);
        expect_served(lab, client);
        buffer_deinit(&line);
        control_disconnect(client);
}

static void the_client_notices_the_end(void **state)
{
        struct lab *lab = *state;
        struct buffer line;
        lab_open(lab);
        struct control_client *client = client_by_socket(lab);
        client_send(lab, client, PING);
        expect_request(lab, CONTROL_LINE, PING);
        control_close(lab->server);
        lab->server = NULL;
        buffer_init(&line, 1000);
        assert_int_equal(control_receive(client, &line, WAIT_MS, &lab->error), ERR_IO);
        buffer_deinit(&line);
        control_disconnect(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(a_request_is_taken_and_answered),
            TEST(a_line_is_padded_for_the_parser),
            TEST(rows_come_as_soon_as_they_are_given),
            TEST(the_next_line_waits_for_the_end),
            TEST(a_line_may_come_byte_by_byte),
            TEST(who_closes_is_gone),
            TEST(who_closes_his_side_for_writing_is_gone),
            TEST(who_was_answered_is_not_gone),
            TEST(nothing_is_left_of_who_goes_early),
            TEST(a_number_that_nobody_has_is_passed_over),
            TEST(many_rows_arrive_in_order),
            TEST(a_whole_book_is_one_line),
            TEST(who_does_not_read_is_let_go_at_the_limit),
            TEST(a_slow_reader_holds_up_himself_only),
            TEST(a_flood_of_lines_is_not_taken_in),
            TEST(who_reads_no_answer_is_not_asked_for_more),
            TEST(what_is_no_request_is_refused),
            TEST(a_request_has_65536_bytes),
            TEST(the_client_sends_one_line_of_at_most_that),
            TEST(a_door_has_so_many_connections),
            TEST(what_is_answered_is_sent_before_the_end),
            TEST(nobody_holds_up_the_end),
            TEST(the_client_says_why_it_cannot),
            TEST(a_signal_ends_the_wait),
            TEST(the_client_notices_the_end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
