/* Asks a running logger. libcurl connects, checks certificates and carries bytes; lines are ours.
 *
 * The certificates that are trusted are the system's and those of the caller's file: libcurl's own
 * setting for a file would replace the system's. */
#include "control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include <curl/curl.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/json.h"
#include "control/proof.h"
#include "control/server.h"

#define TIMEOUT_MS 5000
#define READ_SIZE (64u << 10)
#define HOST_SIZE 256
#define NAME_SIZE 320

struct control_client {
        CURL *curl;
        curl_socket_t fd;
        int timeout_ms;
        char name[NAME_SIZE]; /* of what is asked, for errors */
        char why[CURL_ERROR_SIZE];
        struct buffer input;
        size_t begin;   /* what is before it in input was taken */
        size_t scanned; /* what is before it has no end of line */
};

/* Whom to ask */

static bool is_loopback(const char *host)
{
        struct in_addr four;
        struct in6_addr six;
        if (!strcasecmp(host, "localhost"))
                return true;
        if (inet_pton(AF_INET, host, &four) == 1)
                return ntohl(four.s_addr) >> 24 == 127;
        return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool is_host(const char *host)
{
        size_t size = strlen(host);
        return size && size < HOST_SIZE &&
            strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:") ==
            size;
}

static int target_check(const struct control_target *target, struct error *error)
{
        if (target->socket_path)
                return *target->socket_path
                    ? 0
                    : error_set(error, ERR_USAGE, "the path of the control socket is empty");
        if (!target->host || !is_host(target->host))
                return error_set(error, ERR_USAGE, "%s: not a host name or an address",
                    target->host ? target->host : "");
        if (!target->port)
                return error_set(error, ERR_USAGE, "%s: the port is missing", target->host);
        if (!target->key || !*target->key)
                return error_set(error, ERR_USAGE, "%s:%u: the key is missing: set MANAGER_AUTHKEY",
                    target->host, target->port);
        return 0;
}

static bool may_be_plain(const struct control_target *target)
{
        return target->socket_path || is_loopback(target->host);
}

static bool is_by_tls(const struct control_target *target)
{
        return !target->socket_path && (target->ca_file || !is_loopback(target->host));
}

/* Connecting */

static CURLcode on_tls(CURL *curl, void *tls, void *user)
{
        const char *ca_file = user;
        X509_STORE *trust = SSL_CTX_get_cert_store(tls);
        (void)curl;
        X509_STORE_set_default_paths(trust);
        X509_STORE_set_flags(trust, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
        SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
        bool good = !ca_file || X509_STORE_load_file(trust, ca_file) == 1;
        ERR_clear_error();
        return good ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

static void name_it(struct control_client *client, const struct control_target *target)
{
        if (target->socket_path)
                snprintf(client->name, sizeof(client->name), "%s", target->socket_path);
        else
                snprintf(client->name, sizeof(client->name),
                    strchr(target->host, ':') ? "[%s]:%u" : "%s:%u", target->host, target->port);
}

static CURLcode choose(
    struct control_client *client, const struct control_target *target, bool by_tls)
{
        char url[NAME_SIZE + 16];
        snprintf(url, sizeof(url), "%s://%s/", by_tls ? "https" : "http",
            target->socket_path ? "localhost" : client->name);
        client->why[0] = '\0';
        return curl_easy_setopt(client->curl, CURLOPT_URL, url);
}

static CURLcode set_all(CURL *curl)
{
        static const struct {
                CURLoption option;
                long value;
        } numbers[] = {
            {CURLOPT_CONNECT_ONLY, 1},
            {CURLOPT_NOSIGNAL, 1},
            {CURLOPT_SSL_VERIFYPEER, 1},
            {CURLOPT_SSL_VERIFYHOST, 2},
            {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
            {CURLOPT_SSL_ENABLE_ALPN, 0},
            {CURLOPT_TCP_NODELAY, 1},
            {CURLOPT_TCP_KEEPALIVE, 1},
        };
        static const struct {
                CURLoption option;
                const char *value;
        } texts[] = {
            {CURLOPT_PROXY, ""},
            {CURLOPT_PROTOCOLS_STR, "http,https"},
            {CURLOPT_CAINFO, NULL},
            {CURLOPT_CAPATH, NULL},
        };
        CURLcode code = CURLE_OK;
        for (size_t i = 0; !code && i < sizeof(numbers) / sizeof(numbers[0]); i++)
                code = curl_easy_setopt(curl, numbers[i].option, numbers[i].value);
        for (size_t i = 0; !code && i < sizeof(texts) / sizeof(texts[0]); i++)
                code = curl_easy_setopt(curl, texts[i].option, texts[i].value);
        return code;
}

static CURLcode prepare(struct control_client *client, const struct control_target *target)
{
        CURL *curl = client->curl;
        CURLcode code = set_all(curl);
        if (!code)
                code = curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->timeout_ms);
        if (!code)
                code = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->why);
        if (!code && target->socket_path)
                code = curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, target->socket_path);
        if (!code && is_by_tls(target))
                code = curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_tls);
        if (!code && is_by_tls(target))
                code = curl_easy_setopt(
                    curl, CURLOPT_SSL_CTX_DATA, (void *)(uintptr_t)target->ca_file);
        return code;
}

static int connect_fail(struct control_client *client, const struct control_target *target,
    CURLcode code, struct error *error)
{
        long cause = 0;
        curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &cause);
        const char *why = client->why[0] ? client->why : curl_easy_strerror(code);
        if (code == CURLE_COULDNT_CONNECT && (cause == EACCES || cause == EPERM))
                return error_set(error, ERR_DENIED, "%s: no permission", client->name);
        if (code == CURLE_COULDNT_CONNECT &&
            (cause == ECONNREFUSED || cause == ENOENT || cause == ENOTDIR))
                return error_set(error, ERR_NOT_FOUND, "%s: no logger listens there (%s)",
                    client->name, strerror((int)cause));
        if (code == CURLE_SSL_CACERT_BADFILE && target->ca_file)
                return error_set(
                    error, ERR_USAGE, "%s: no certificates can be read from it", target->ca_file);
        if (code == CURLE_COULDNT_RESOLVE_HOST)
                return error_set(error, ERR_NOT_FOUND, "%s: %s", client->name, why);
        return error_set(error, ERR_IO, "%s: %s", client->name, why);
}

/* Reading and writing */

static int wait_for(struct control_client *client, short events, int wait_ms)
{
        struct pollfd at = {.fd = client->fd, .events = events};
        return poll(&at, 1, wait_ms) > 0 ? 0 : ERR_STOPPED;
}

/* What is left of @end_ns (clock_mono_ns) as poll() wants it; INT64_MAX is for ever. */
static int left_ms(int64_t end_ns)
{
        if (end_ns == INT64_MAX)
                return -1;
        int64_t left_ns = end_ns - clock_mono_ns();
        return left_ns > 0 ? (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

static int64_t end_of(int wait_ms)
{
        return wait_ms < 0 ? INT64_MAX : clock_mono_ns() + wait_ms * NS_PER_MS;
}

static void compact(struct control_client *client)
{
        struct buffer *input = &client->input;
        if (!client->begin)
                return;
        memmove(input->data, input->data + client->begin, input->size - client->begin);
        input->size -= client->begin;
        client->scanned -= client->begin;
        client->begin = 0;
}

/* One read: 0, or ERR_STOPPED if nothing is there. */
static int read_some(struct control_client *client, struct error *error)
{
        size_t size = 0;
        compact(client);
        uint8_t *room = buffer_reserve(&client->input, READ_SIZE);
        if (!room)
                return error_set(error, ERR_FULL, "%s: a line of over %u bytes came", client->name,
                    CONTROL_ANSWER_SIZE);
        CURLcode code = curl_easy_recv(client->curl, room, READ_SIZE, &size);
        if (code == CURLE_AGAIN)
                return ERR_STOPPED;
        if (code || !size)
                return error_set(
                    error, ERR_IO, "%s: the other side closed the connection", client->name);
        client->input.size += size;
        return 0;
}

static bool take_line(struct control_client *client, struct buffer *ret_line)
{
        struct buffer *input = &client->input;
        const uint8_t *from = input->data + client->scanned;
        const uint8_t *end = input->size > client->scanned
            ? memchr(from, '\n', input->size - client->scanned)
            : NULL;
        if (!end) {
                client->scanned = input->size;
                return false;
        }
        const uint8_t *line = input->data + client->begin;
        size_t size = (size_t)(end - line);
        client->begin = client->scanned = (size_t)(end - input->data) + 1;
        if (size && line[size - 1] == '\r')
                size--;
        buffer_append(ret_line, line, size);
        uint8_t *padding = buffer_reserve(ret_line, JSON_PADDING);
        if (padding)
                memset(padding, 0, JSON_PADDING);
        return true;
}

static int receive(
    struct control_client *client, struct buffer *ret_line, int64_t end_ns, struct error *error)
{
        bool late = false;
        buffer_clear(ret_line);
        while (!take_line(client, ret_line)) {
                int code = late ? ERR_STOPPED : read_some(client, error);
                if (code == ERR_STOPPED && !late)
                        code = wait_for(client, POLLIN, left_ms(end_ns));
                late = !left_ms(end_ns);
                if (code == ERR_STOPPED)
                        return error_set(error, code, "%s: no answer yet", client->name);
                if (code)
                        return code;
        }
        return ret_line->failed
            ? error_set(error, ERR_FULL, "%s: a line is longer than its buffer", client->name)
            : 0;
}

int control_receive(
    struct control_client *client, struct buffer *ret_line, int wait_ms, struct error *error)
{
        return receive(client, ret_line, end_of(wait_ms), error);
}

static int send_all(struct control_client *client, const char *text, size_t size, int64_t end_ns,
    struct error *error)
{
        while (size) {
                size_t sent = 0;
                CURLcode code = curl_easy_send(client->curl, text, size, &sent);
                text += sent;
                size -= sent;
                if (code && code != CURLE_AGAIN)
                        return error_set(
                            error, ERR_IO, "%s: cannot send: the connection is lost", client->name);
                if (code && wait_for(client, POLLOUT, left_ms(end_ns)) && !left_ms(end_ns))
                        return error_set(
                            error, ERR_IO, "%s: the logger takes no request", client->name);
        }
        return 0;
}

/* Line and end leave together: two small segments would wait for each other. */
int control_send(struct control_client *client, const char *text, size_t size, struct error *error)
{
        if (size > CONTROL_LINE_SIZE || memchr(text, '\n', size))
                return error_set(error, ERR_USAGE, "a request is one line of at most %d bytes",
                    CONTROL_LINE_SIZE);
        char *line = memory_new(size + 1);
        memcpy(line, text, size);
        line[size] = '\n';
        int code = send_all(client, line, size + 1, end_of(client->timeout_ms), error);
        free(line);
        return code;
}

/* The proof */

static int refused(struct control_client *client, struct json_value words, struct error *error)
{
        struct json_text why;
        if (!json_member_string(words, "error", &why))
                return error_set(
                    error, ERR_VERSION, "%s: does not speak as a logger does", client->name);
        return error_set(error, ERR_DENIED, "%s: %s", client->name, why.data);
}

static int read_words(struct control_client *client, struct json_parser *json, int64_t end_ns,
    struct buffer *line, struct json_value *ret_words, struct error *error)
{
        int code = receive(client, line, end_ns, error);
        while (code == ERR_STOPPED && left_ms(end_ns))
                code = receive(client, line, end_ns, error);
        if (code == ERR_STOPPED)
                return error_set(error, ERR_IO,
                    "%s: no word within %d ms (does the port want TLS?)", client->name,
                    client->timeout_ms);
        if (!code && json_parse(json, (const char *)line->data, line->size, ret_words))
                code = error_set(
                    error, ERR_VERSION, "%s: does not speak as a logger does", client->name);
        return code;
}

static int answer_nonce(struct control_client *client, const char *key, struct json_value hello,
    int64_t end_ns, struct error *error)
{
        struct json_text nonce;
        int64_t version;
        char proof[PROOF_SIZE], text[PROOF_SIZE + 32];
        if (!json_member_int(hello, "oblogger", &version))
                return refused(client, hello, error);
        if (version != CONTROL_PROTOCOL)
                return error_set(error, ERR_VERSION, "%s: speaks version %lld, not %d",
                    client->name, (long long)version, CONTROL_PROTOCOL);
        if (!json_member_string(hello, "nonce", &nonce) || nonce.size != PROOF_NONCE_SIZE - 1)
                return refused(client, hello, error);
        proof_make(key, nonce.data, proof);
        int size = snprintf(text, sizeof(text), "{\"proof\":\"%s\"}\n", proof);
        return send_all(client, text, (size_t)size, end_ns, error);
}

static int prove(
    struct control_client *client, const char *key, int64_t end_ns, struct error *error)
{
        struct json_parser *json = json_new();
        struct json_value words;
        struct buffer line;
        int64_t end;
        buffer_init(&line, CONTROL_ANSWER_SIZE + JSON_PADDING);
        int code = read_words(client, json, end_ns, &line, &words, error);
        if (!code)
                code = answer_nonce(client, key, words, end_ns, error);
        if (!code)
                code = read_words(client, json, end_ns, &line, &words, error);
        if (!code && (!json_member_int(words, "end", &end) || end))
                code = refused(client, words, error);
        buffer_deinit(&line);
        json_free(json);
        return code;
}

/* Life */

static int open_and_prove(
    struct control_client *client, const struct control_target *target, struct error *error)
{
        int64_t end_ns = end_of(client->timeout_ms);
        CURLcode code = prepare(client, target);
        if (!code)
                code = choose(client, target, is_by_tls(target));
        if (!code)
                code = curl_easy_perform(client->curl);
        if (code == CURLE_SSL_CONNECT_ERROR && may_be_plain(target)) {
                code = choose(client, target, false); /* the certificates are for others */
                if (!code)
                        code = curl_easy_perform(client->curl);
        }
        if (!code)
                code = curl_easy_getinfo(client->curl, CURLINFO_ACTIVESOCKET, &client->fd);
        if (code)
                return connect_fail(client, target, code, error);
        return target->socket_path ? 0 : prove(client, target->key, end_ns, error);
}

int control_connect(
    struct control_client **ret_client, const struct control_target *target, struct error *error)
{
        if (target_check(target, error))
                return ERR_USAGE;
        struct control_client *client = memory_new(sizeof(*client));
        client->timeout_ms = target->timeout_ms ? target->timeout_ms : TIMEOUT_MS;
        buffer_init(&client->input, CONTROL_ANSWER_SIZE + READ_SIZE);
        name_it(client, target);
        client->curl = curl_easy_init();
        int code = client->curl
            ? open_and_prove(client, target, error)
            : error_set(error, ERR_IO, "%s: libcurl does not start", client->name);
        if (code) {
                control_disconnect(client);
                return code;
        }
        *ret_client = client;
        return 0;
}

void control_disconnect(struct control_client *client)
{
        if (!client)
                return;
        curl_easy_cleanup(client->curl);
        buffer_deinit(&client->input);
        free(client);
}
