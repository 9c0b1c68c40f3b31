/* The control port: who holds the key, strangers and their limits, and TLS. */
#include "control_help.h"

#include <openssl/pem.h>

#include "control/internal.h"
#include "tests/lab/cert.h"

#define PING "{\"command\":\"ping\"}"
#define END "{\"end\":0}"
#define WRONG "{\"end\":1,\"error\":\"the key is wrong\"}"
#define SHUT "{\"end\":1,\"error\":\"too many wrong keys, the port is shut for a minute\"}"

static struct control_target target_of(const struct lab *lab)
{
        return (struct control_target){.host = "127.0.0.1", .port = lab->port, .key = KEY};
}

static struct control_client *client_by_port(struct lab *lab)
{
        struct control_target target = target_of(lab);
        return client_of(lab, &target);
}

static int connect_with(struct lab *lab, const struct control_target *target)
{
        struct control_client *client = NULL;
        int code = control_connect(&client, target, &lab->error);
        control_disconnect(client);
        return code;
}

static int raw_greeted(const struct lab *lab, char ret_nonce[PROOF_NONCE_SIZE])
{
        char line[256];
        int fd = raw_by_port(lab->port);
        raw_line(fd, line, sizeof(line));
        assert_int_equal(sscanf(line, "{\"oblogger\":1,\"nonce\":\"%64[0-9a-f]\"}", ret_nonce), 1);
        assert_int_equal(strlen(ret_nonce), 64);
        assert_int_equal(strlen(line), 64 + strlen("{\"oblogger\":1,\"nonce\":\"\"}"));
        return fd;
}

static void raw_prove(int fd, const char *key, const char *nonce)
{
        char proof[PROOF_SIZE], line[PROOF_SIZE + 32];
        proof_make(key, nonce, proof);
        snprintf(line, sizeof(line), "{\"proof\":\"%s\"}\n", proof);
        raw_say(fd, line);
}

/* The key */

static void who_holds_the_key_is_served(void **state)
{
        struct lab *lab = *state;
        lab_open_port(lab);
        struct control_client *client = client_by_port(lab), *other = client_by_port(lab);
        expect_served(lab, client);
        expect_served(lab, other);
        expect_served(lab, client);
        control_disconnect(client);
        control_disconnect(other);
        assert_int_equal(control_stats(lab->server).wrong_keys, 0);
}

static void who_does_not_is_told_so(void **state)
{
        struct lab *lab = *state;
        char nonce[PROOF_NONCE_SIZE];
        lab_open_port(lab);
        struct control_target target = target_of(lab);
        target.key = "another";
        assert_int_equal(connect_with(lab, &target), ERR_DENIED);
        assert_non_null(strstr(lab->error.text, "the key is wrong"));
        int fd = raw_greeted(lab, nonce);
        raw_prove(fd, "another", nonce);
        raw_expect(fd, WRONG);
        assert_in_range(raw_expect_end(fd), 0, 2500);
        close(fd);
        expect_nothing(lab);
        assert_int_equal(control_stats(lab->server).wrong_keys, 2);
}

static void a_nonce_is_used_once(void **state)
{
        struct lab *lab = *state;
        char first[PROOF_NONCE_SIZE], second[PROOF_NONCE_SIZE];
        lab_open_port(lab);
        int fd = raw_greeted(lab, first), other = raw_greeted(lab, second);
        assert_string_not_equal(first, second);
        raw_prove(other, KEY, first);
        raw_expect(other, WRONG);
        raw_prove(fd, KEY, first);
        raw_expect(fd, END);
        close(fd);
        close(other);
}

static void a_stranger_is_not_heard(void **state)
{
        static const char *const texts[] = {PING "\n", "{\"proof\":7}\n", "{\"proof\":null}\n",
            "garbage\n", "GET / HTTP/1.1\r\n\r\n", "{\"proof\":\"\xff\"}\n"};
        struct lab *lab = *state;
        char nonce[PROOF_NONCE_SIZE], line[256];
        lab_open_port(lab);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                int fd = raw_greeted(lab, nonce);
                raw_say(fd, texts[i]);
                raw_say(fd, PING "\n");
                raw_line(fd, line, sizeof(line));
                assert_memory_equal(line, "{\"end\":2,\"error\":\"", 18);
                raw_expect_end(fd);
                close(fd);
        }
        expect_nothing(lab);
        assert_int_equal(control_stats(lab->server).wrong_keys, 0);
        assert_int_equal(control_stats(lab->server).requests, 0);
}

/* What he still sends must not take the words away from him. */
static void last_words_reach_who_goes_on_talking(void **state)
{
        struct lab *lab = *state;
        char nonce[PROOF_NONCE_SIZE], noise[16384];
        lab_open_port(lab);
        memset(noise, 'x', sizeof(noise));
        for (int i = 0; i < 3; i++) {
                int fd = raw_greeted(lab, nonce);
                raw_say(fd, "{\"proof\":\"\"}\n");
                for (int j = 0; j < 50; j++) {
                        ssize_t sent = send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
                        assert_int_equal(sent, sizeof(noise)); /* it was not reset */
                        usleep(1000);
                }
                raw_expect(fd, WRONG);
                raw_expect_end(fd);
                close(fd);
        }
}

static void a_proof_of_any_length_is_wrong(void **state)
{
        static const size_t sizes[] = {0, 1, 63, 65, 60000};
        struct lab *lab = *state;
        char nonce[PROOF_NONCE_SIZE];
        char *text = calloc(1, 60100);
        lab_open_port(lab);
        lab->options.key = NULL; /* it was copied */
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) - 1; i++) {
                int fd = raw_greeted(lab, nonce);
                memset(text, 0, 60100);
                memcpy(text, "{\"proof\":\"", 10);
                memset(text + 10, 'a', sizes[i]);
                memcpy(text + 10 + sizes[i], "\"}\n", 3);
                raw_say(fd, text);
                raw_expect(fd, WRONG);
                close(fd);
        }
        free(text);
}

static void a_request_may_follow_the_proof_at_once(void **state)
{
        struct lab *lab = *state;
        char nonce[PROOF_NONCE_SIZE], proof[PROOF_SIZE], text[256];
        lab_open_port(lab);
        int fd = raw_greeted(lab, nonce);
        proof_make(KEY, nonce, proof);
        snprintf(text, sizeof(text), "{\"x\":[1],\"proof\":\"%s\"}\r\n" PING "\n", proof);
        raw_say(fd, text);
        raw_expect(fd, END);
        answer(lab, expect_request(lab, CONTROL_LINE, PING), "{\"end\":0,\"n\":1}", true);
        raw_expect(fd, "{\"end\":0,\"n\":1}");
        close(fd);
}

/* Guessing */

static void five_wrong_keys_shut_the_port(void **state)
{
        struct lab *lab = *state;
        char nonce[PROOF_NONCE_SIZE];
        lab_open_port(lab);
        struct control_client *inside = client_by_port(lab);
        struct control_client *beside = client_by_socket(lab);
        int waiting = raw_greeted(lab, nonce);
        struct control_target target = target_of(lab);
        target.key = "another";
        for (int i = 0; i < CONTROL_ATTEMPTS; i++) {
                assert_int_equal(connect_with(lab, &target), ERR_DENIED);
                assert_non_null(strstr(lab->error.text, "the key is wrong"));
        }
        target.key = KEY;
        assert_int_equal(connect_with(lab, &target), ERR_DENIED);
        assert_non_null(strstr(lab->error.text, "too many wrong keys"));
        raw_prove(waiting, KEY, nonce); /* who was greeted before gains nothing by it */
        raw_expect(waiting, SHUT);
        raw_expect_end(waiting);
        close(waiting);
        expect_served(lab, inside);
        expect_served(lab, beside);
        control_disconnect(inside);
        control_disconnect(beside);
        assert_int_equal(control_stats(lab->server).wrong_keys, CONTROL_ATTEMPTS);
}

static void it_is_shut_for_a_minute(void **state)
{
        struct attempts attempts = {0};
        int64_t second = NS_PER_S, now = 7 * second;
        (void)state;
        for (int i = 0; i < CONTROL_ATTEMPTS; i++) {
                assert_false(attempts_are_too_many(&attempts, now + i * second));
                attempts_note(&attempts, now + i * second);
        }
        assert_true(attempts_are_too_many(&attempts, now + 4 * second));
        assert_true(attempts_are_too_many(&attempts, now + 63 * second));
        assert_false(attempts_are_too_many(&attempts, now + 64 * second));
}

static void a_wrong_key_now_and_then_is_none(void **state)
{
        struct attempts attempts = {0};
        int64_t now = 0;
        (void)state;
        for (int i = 0; i < 100; i++) {
                attempts_note(&attempts, now += 15 * NS_PER_S);
                assert_false(attempts_are_too_many(&attempts, now));
        }
        attempts_note(&attempts, now + 1);
        assert_true(attempts_are_too_many(&attempts, now + 1));
}

/* Strangers */

static void strangers_are_few_and_do_not_stay(void **state)
{
        struct lab *lab = *state;
        int fds[CONTROL_STRANGERS];
        char nonce[PROOF_NONCE_SIZE];
        lab_open_port(lab);
        struct control_client *inside = client_by_port(lab);
        for (int i = 0; i < CONTROL_STRANGERS; i++)
                fds[i] = raw_greeted(lab, nonce);
        for (int i = 0; i < 20; i++) {
                int fd = raw_by_port(lab->port);
                assert_in_range(raw_expect_end(fd), 0, 1000);
                close(fd);
        }
        assert_int_equal(control_stats(lab->server).refused, 20);
        expect_served(lab, inside);
        raw_say(fds[1], "{\"proof\":"); /* a slow one gains no time */
        assert_in_range(raw_expect_end(fds[0]), CONTROL_PROOF_MS - 1000, CONTROL_PROOF_MS + 1500);
        assert_in_range(raw_expect_end(fds[1]), 0, 1000);
        for (int i = 0; i < CONTROL_STRANGERS; i++)
                close(fds[i]);
        struct control_client *after = client_by_port(lab);
        expect_served(lab, after);
        expect_served(lab, inside);
        control_disconnect(inside);
        control_disconnect(after);
}

static void times_are_those_that_are_said(void **state)
{
        static const struct {
                enum connection_state state;
                int64_t limit_ms;
        } limits[] = {
            {STATE_HANDSHAKE, CONTROL_PROOF_MS},
            {STATE_PROOF, CONTROL_PROOF_MS},
            {STATE_OPEN, CONTROL_IDLE_MS},
        };
        struct control_server server = {.lock = PTHREAD_MUTEX_INITIALIZER};
        struct connection connection = {.server = &server, .since_ns = 12 * NS_PER_S};
        (void)state;
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                int64_t end_ns = connection.since_ns + limits[i].limit_ms * NS_PER_MS;
                connection.state = limits[i].state;
                assert_false(lines_is_late(&connection, end_ns));
                assert_true(lines_is_late(&connection, end_ns + 1));
        }
        connection.id = 9; /* a request is under way */
        assert_false(lines_is_late(&connection, INT64_MAX));
}

/* TLS */

static void path_in(const struct lab *lab, const char *name, char ret_path[128])
{
        snprintf(ret_path, 128, "%s/%s", lab->folder, name);
}

static void write_certificate(struct lab *lab, char ret_cert[128], char ret_key[128])
{
        struct cert cert;
        path_in(lab, "cert.pem", ret_cert);
        path_in(lab, "key.pem", ret_key);
        assert_int_equal(cert_make(&cert, &lab->error), 0);
        assert_int_equal(cert_write(&cert, ret_cert, &lab->error), 0);
        FILE *file = fopen(ret_key, "w");
        assert_true(file && PEM_write_PrivateKey(file, cert.key, NULL, NULL, 0, NULL, NULL));
        fclose(file);
        cert_free(&cert);
        lab->options.tls_cert = ret_cert;
        lab->options.tls_key = ret_key;
}

static void by_tls_all_is_the_same(void **state)
{
        struct lab *lab = *state;
        char cert[128], key[128];
        write_certificate(lab, cert, key);
        lab_open_port(lab);
        struct control_target target = target_of(lab);
        target.ca_file = cert;
        struct control_client *client = client_of(lab, &target);
        target.host = "localhost";
        struct control_client *other = client_of(lab, &target);
        expect_served(lab, client);
        expect_served(lab, other);
        size_t size = 9u << 20;
        char *text = malloc(size + 1);
        memset(text, 'x', size);
        text[size] = '\0';
        client_send(lab, client, PING);
        uint64_t id = expect_request(lab, CONTROL_LINE, PING);
        assert_true(answer(lab, id, text, false));
        expect_served(lab, other);
        assert_true(answer(lab, id, END, true));
        expect_line(lab, client, text);
        expect_line(lab, client, END);
        memset(text, ' ', CONTROL_LINE_SIZE);
        memcpy(text, "{}", 2);
        text[CONTROL_LINE_SIZE] = '\0';
        client_send(lab, client, text);
        client_send(lab, client, PING);
        answer(lab, expect_request(lab, CONTROL_LINE, text), END, true);
        answer(lab, expect_request(lab, CONTROL_LINE, PING), END, true);
        expect_line(lab, client, END);
        expect_line(lab, client, END);
        free(text);
        target.key = "another";
        assert_int_equal(connect_with(lab, &target), ERR_DENIED);
        client_send(lab, client, PING);
        id = expect_request(lab, CONTROL_LINE, PING);
        control_disconnect(client);
        assert_int_equal(expect_request(lab, CONTROL_GONE, ""), id);
        control_disconnect(other);
}

static void a_certificate_that_nobody_trusts_is_refused(void **state)
{
        struct lab *lab = *state;
        char cert[128], key[128], other[128];
        struct cert made;
        write_certificate(lab, cert, key);
        lab_open_port(lab);
        path_in(lab, "other", other);
        assert_int_equal(cert_make(&made, &lab->error), 0);
        assert_int_equal(cert_write(&made, other, &lab->error), 0);
        cert_free(&made);
        struct control_target target = target_of(lab);
        target.ca_file = other;
        assert_int_equal(connect_with(lab, &target), ERR_IO);
        target.ca_file = cert;
        assert_int_equal(connect_with(lab, &target), 0);
        assert_int_equal(control_stats(lab->server).wrong_keys, 0);
}

static void a_certificate_of_another_host_is_refused(void **state)
{
        struct lab *lab = *state;
        char cert[128], key[128];
        write_certificate(lab, cert, key);
        lab->port = lab->options.port = free_port();
        lab->options.address = "127.0.0.2"; /* is not in it */
        lab->options.key = KEY;
        lab_open(lab);
        struct control_target target = target_of(lab);
        target.ca_file = cert;
        target.host = "127.0.0.2";
        assert_int_equal(connect_with(lab, &target), ERR_IO);
        assert_int_equal(control_stats(lab->server).connections, 1);
}

static void what_is_no_tls_is_ended(void **state)
{
        static const char *const texts[] = {"GET / HTTP/1.1\r\n\r\n", PING "\n",
            "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
            "\x16\x03\x01\xff\xff garbage, garbage, garbage, garbage"};
        struct lab *lab = *state;
        char cert[128], key[128], zeros[4096] = {0};
        write_certificate(lab, cert, key);
        lab_open_port(lab);
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                int fd = raw_by_port(lab->port);
                raw_say(fd, texts[i]);
                raw_send(fd, zeros, sizeof(zeros));
                assert_in_range(raw_expect_end(fd), 0, 2500);
                close(fd);
        }
        int quiet = raw_by_port(lab->port);
        struct control_target target = target_of(lab);
        target.timeout_ms = 300; /* it waits for words, and the port for a handshake */
        assert_int_equal(connect_with(lab, &target), ERR_IO);
        assert_non_null(strstr(lab->error.text, "TLS"));
        target.timeout_ms = 0;
        target.ca_file = cert;
        assert_int_equal(connect_with(lab, &target), 0);
        assert_in_range(raw_expect_end(quiet), 1000, CONTROL_PROOF_MS + 1500);
        close(quiet);
}

/* The file may be there for other connections: a plain port on loopback is served all the same. */
static void certificates_do_no_harm_to_a_plain_port(void **state)
{
        struct lab *lab = *state;
        char cert[128], key[128];
        write_certificate(lab, cert, key);
        lab->options.tls_cert = lab->options.tls_key = NULL;
        lab_open_port(lab);
        struct control_target target = target_of(lab);
        target.ca_file = cert;
        struct control_client *client = client_of(lab, &target);
        expect_served(lab, client);
        control_disconnect(client);
        assert_int_equal(control_stats(lab->server).wrong_keys, 0);
        target.ca_file = lab->path; /* no certificates in it */
        assert_int_equal(connect_with(lab, &target), ERR_USAGE);
        assert_non_null(strstr(lab->error.text, lab->path));
}

/* A server of another version, or of something else */

static void *greet_otherwise(void *user)
{
        int listener = *(int *)user;
        static const char *const words[] = {
            "{\"oblogger\":2,\"nonce\":\"x\"}\n", "220 mail.example ESMTP\r\n", "[]\n"};
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                int fd = accept(listener, NULL, NULL);
                raw_say(fd, words[i]);
                raw_expect_end(fd);
                close(fd);
        }
        return NULL;
}

static void another_protocol_is_told_apart(void **state)
{
        struct lab *lab = *state;
        struct sockaddr_in address = {.sin_family = AF_INET};
        pthread_t thread;
        int listener = socket(AF_INET, SOCK_STREAM, 0);
        lab->port = free_port();
        address.sin_port = htons(lab->port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(listener, 3), 0);
        pthread_create(&thread, NULL, greet_otherwise, &listener);
        struct control_target target = target_of(lab);
        for (int i = 0; i < 3; i++)
                assert_int_equal(connect_with(lab, &target), ERR_VERSION);
        pthread_join(thread, NULL);
        close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(who_holds_the_key_is_served),
            TEST(who_does_not_is_told_so),
            TEST(a_nonce_is_used_once),
            TEST(a_stranger_is_not_heard),
            TEST(last_words_reach_who_goes_on_talking),
            TEST(a_proof_of_any_length_is_wrong),
            TEST(a_request_may_follow_the_proof_at_once),
            TEST(five_wrong_keys_shut_the_port),
            TEST(it_is_shut_for_a_minute),
            TEST(a_wrong_key_now_and_then_is_none),
            TEST(strangers_are_few_and_do_not_stay),
            TEST(times_are_those_that_are_said),
            TEST(by_tls_all_is_the_same),
            TEST(a_certificate_that_nobody_trusts_is_refused),
            TEST(a_certificate_of_another_host_is_refused),
            TEST(what_is_no_tls_is_ended),
            TEST(certificates_do_no_harm_to_a_plain_port),
            TEST(another_protocol_is_told_apart),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
