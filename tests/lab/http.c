/* Reads HTTP requests, writes answers. */
#include "http.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "rest.h"
#include "session.h"

#define HEAD_MAX (32u << 10)

static struct span trim(struct span text)
{
        while (text.size && memchr(" \t\r", text.data[0], 3))
                text = (struct span){text.data + 1, text.size - 1};
        while (text.size && memchr(" \t\r", text.data[text.size - 1], 3))
                text.size--;
        return text;
}

static bool same_word(struct span span, const char *word)
{
        return span.size == strlen(word) && !strncasecmp(span.data, word, span.size);
}

static void read_header(struct request *request, struct span line, bool *is_upgrade)
{
        struct span name = span_cut(&line, ":");
        struct span value = trim(line);
        struct {
                const char *name;
                struct span *place;
        } kept[] = {
            {"user-agent", &request->agent},
            {"cb-access-key", &request->access_key},
            {"cb-access-sign", &request->access_sign},
            {"cb-access-timestamp", &request->access_timestamp},
            {"cb-access-passphrase", &request->access_passphrase},
        };
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
                if (same_word(name, kept[i].name))
                        *kept[i].place = value;
        if (same_word(name, "sec-websocket-key"))
                request->key = value;
        else if (same_word(name, "upgrade"))
                *is_upgrade = same_word(value, "websocket");
        else if (same_word(name, "connection") && same_word(value, "close"))
                request->keep_alive = false;
}

static void read_request(struct span head, struct request *request)
{
        bool is_upgrade = false;
        struct span line = trim(span_cut(&head, "\n"));
        *request = (struct request){.keep_alive = true};
        request->method = span_cut(&line, " ");
        struct span target = span_cut(&line, " ");
        request->target = target;
        request->path = span_cut(&target, "?");
        request->query = target;
        if (span_is(line, "HTTP/1.0"))
                request->keep_alive = false;
        while (head.size)
                read_header(request, span_cut(&head, "\n"), &is_upgrade);
        if (!is_upgrade)
                request->key.size = 0;
}

static int hex_value(char c)
{
        return c >= '0' && c <= '9' ? c - '0'
            : c >= 'a' && c <= 'f'  ? c - 'a' + 10
            : c >= 'A' && c <= 'F'  ? c - 'A' + 10
                                    : -1;
}

void http_decode(struct span text, struct buffer *out)
{
        for (size_t i = 0; i < text.size; i++) {
                int high = -1, low = -1;
                if (text.data[i] == '%' && i + 2 < text.size) {
                        high = hex_value(text.data[i + 1]);
                        low = hex_value(text.data[i + 2]);
                }
                if (high >= 0 && low >= 0) {
                        buffer_append_byte(out, (uint8_t)(high << 4 | low));
                        i += 2;
                } else {
                        buffer_append_byte(out, (uint8_t)text.data[i]);
                }
        }
}

bool http_query(struct span query, const char *name, struct buffer *text)
{
        while (query.size) {
                struct span value = span_cut(&query, "&");
                struct span key = span_cut(&value, "=");
                if (span_is(key, name)) {
                        http_decode(value, text);
                        return true;
                }
        }
        return false;
}

static const char *status_text(int status)
{
        switch (status) {
        case 200:
                return "OK";
        case 400:
                return "Bad Request";
        case 401:
                return "Unauthorized";
        case 404:
                return "Not Found";
        case 418:
                return "I'm a teapot";
        case 429:
                return "Too Many Requests";
        case 503:
                return "Service Unavailable";
        default:
                return status < 500 ? "Error" : "Internal Server Error";
        }
}

static void print_answer(const struct answer *answer, bool keep_alive, struct buffer *out)
{
        size_t size = answer->cut_body ? answer->body.size / 2 : answer->body.size;
        buffer_printf(out,
            "HTTP/1.1 %d %s\r\nContent-Type: application/json;charset=UTF-8\r\n"
            "Content-Length: %zu\r\nConnection: %s\r\n",
            answer->status, status_text(answer->status), answer->body.size,
            keep_alive ? "keep-alive" : "close");
        if (answer->used_weight >= 0)
                buffer_printf(out,
                    "X-MBX-USED-WEIGHT: %" PRId64 "\r\nX-MBX-USED-WEIGHT-1M: %" PRId64 "\r\n",
                    answer->used_weight, answer->used_weight);
        if (answer->retry_after_s)
                buffer_printf(out, "Retry-After: %d\r\n", answer->retry_after_s);
        buffer_append_text(out, "\r\n");
        buffer_append(out, answer->body.data, size);
}

static void send_answer(struct conn *conn, const struct answer *answer, bool keep_alive)
{
        keep_alive = keep_alive && !answer->cut_body;
        print_answer(answer, keep_alive, &conn->late);
        conn->late_closes = !keep_alive;
        if (answer->delay_ns)
                conn->later_ns = clock_mono_ns() + answer->delay_ns;
        else
                http_send_late(conn);
}

static void upgrade(struct conn *conn, const struct request *request)
{
        char accept[FRAME_ACCEPT_SIZE], head[256];
        frame_accept(request->key, accept);
        int size = snprintf(head, sizeof(head),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: %s\r\n\r\n",
            accept);
        conn_write(conn, (struct span){head, (size_t)size});
        session_begin(conn, request);
}

static void answer_request(struct conn *conn, const struct request *request)
{
        struct answer answer = {.used_weight = -1};
        buffer_init(&answer.body, CONN_QUEUE_PACED);
        if (request->key.size && session_is_path(request->path)) {
                upgrade(conn, request);
        } else {
                rest_answer(conn, request, &answer);
                send_answer(conn, &answer, request->keep_alive);
        }
        buffer_deinit(&answer.body);
}

/* One request off the front of what came in; false if there is none, or none may be taken yet. */
static bool take_request(struct conn *conn)
{
        struct buffer *in = &conn->in;
        struct request request;
        char *end = in->size ? memmem(in->data, in->size, "\r\n\r\n", 4) : NULL;
        if (conn->is_ws || conn->later_ns || conn->dropping)
                return false;
        if (!end) {
                if (in->size > HEAD_MAX)
                        conn_finish(conn, "head too large");
                return false;
        }
        size_t size = (size_t)(end - (char *)in->data);
        read_request((struct span){(char *)in->data, size}, &request);
        answer_request(conn, &request);
        memmove(in->data, in->data + size + 4, in->size - size - 4);
        in->size -= size + 4;
        return true;
}

void http_received(struct conn *conn)
{
        while (take_request(conn))
                ;
}

void http_send_late(struct conn *conn)
{
        bool was_late = conn->later_ns != 0;
        conn->later_ns = 0;
        conn_write(conn, (struct span){(char *)conn->late.data, conn->late.size});
        buffer_clear(&conn->late);
        if (conn->late_closes)
                conn_finish(conn, "answered");
        if (was_late)
                http_received(conn);
}
