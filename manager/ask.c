/* A request and its answer: the lines of schema/control.md. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "control/client.h"
#include "control/server.h"
#include "manager/cells.h"

#define REQUEST_LIMIT (1u << 20) /* of what is put together; the logger takes 65,536 bytes */
#define SLICE_MS 200             /* after so long the waiting is asked whether to go on */
#define ERROR_SIZE 4096          /* of an error's text that is shown */

void request_begin(struct manager *manager, const char *command)
{
        if (!manager->request.limit)
                buffer_init(&manager->request, REQUEST_LIMIT);
        buffer_clear(&manager->request);
        buffer_printf(&manager->request, "{\"command\":\"%s\"", command);
}

void request_text(struct manager *manager, const char *key, const char *text)
{
        buffer_printf(&manager->request, ",\"%s\":\"", key);
        buffer_append_json(&manager->request, text);
        buffer_append_byte(&manager->request, '"');
}

void request_number(struct manager *manager, const char *key, int64_t number)
{
        buffer_printf(&manager->request, ",\"%s\":%lld", key, (long long)number);
}

bool stdout_is_closed(void)
{
        struct pollfd out = {.fd = STDOUT_FILENO};
        return poll(&out, 1, 0) > 0 && out.revents & (POLLERR | POLLHUP | POLLNVAL);
}

/* The request is ours but for the user's words: if it is no JSON, they are no UTF-8. */
static int check_request(struct manager *manager)
{
        struct buffer *request = &manager->request;
        struct json_value root;
        size_t size = request->size;
        uint8_t *padding = buffer_reserve(request, JSON_PADDING);
        if (padding)
                memset(padding, 0, JSON_PADDING);
        if (!padding || size > CONTROL_LINE_SIZE)
                return manager_fail(manager, EXIT_USAGE, "the words are too long: %zu bytes", size);
        if (json_parse(manager->parser, (const char *)request->data, size, &root))
                return manager_fail(
                    manager, EXIT_USAGE, "a word is no UTF-8: write symbols as the exchange does");
        return 0;
}

static int lose(struct manager *manager)
{
        control_disconnect(manager->client);
        manager->client = NULL;
        return EXIT_FAILED;
}

/* The next line, while idle_cb has nothing against it. */
static int receive(struct manager *manager, int wait_ms)
{
        int64_t last_ns = clock_mono_ns() + wait_ms * NS_PER_MS;
        struct error error = {0};
        int code;
        do {
                manager->stopped = manager->idle_cb && manager->idle_cb(manager->wait_user);
                if (manager->stopped)
                        return EXIT_DONE;
                code = control_receive(manager->client, &manager->line, SLICE_MS, &error);
                if (code == ERR_STOPPED && wait_ms >= 0 && clock_mono_ns() > last_ns) {
                        manager_fail(manager, EXIT_FAILED,
                            "the logger gave no answer in %d s; its log may say why",
                            wait_ms / 1000);
                        return lose(manager);
                }
        } while (code == ERR_STOPPED);
        if (!code)
                return EXIT_DONE;
        manager_fail(manager, EXIT_FAILED, "%s", error.text);
        return lose(manager);
}

static int parse(struct manager *manager, struct row *ret_row)
{
        struct row row = {.text = (const char *)manager->line.data, .size = manager->line.size};
        if (row.size && !json_parse(manager->parser, row.text, row.size, &row.value) &&
            json_is_object(row.value)) {
                *ret_row = row;
                return EXIT_DONE;
        }
        manager_fail(manager, EXIT_FAILED,
            "what came is no row of an answer (%zu bytes): is that an oblogger?", row.size);
        return lose(manager);
}

static int end_of(struct manager *manager, const struct row *row, struct json_value end)
{
        char text[ERROR_SIZE];
        int64_t code;
        if (!json_int(end, &code) || code < EXIT_DONE || code > EXIT_USAGE)
                code = EXIT_FAILED;
        if (code)
                manager_fail(manager, (int)code, "%s",
                    *row_text(row, "error", text, sizeof(text)) ? text : "failed, no reason given");
        return (int)code;
}

static void take_row(struct manager *manager, const struct row *row, row_fn row_cb, void *user)
{
        if (manager->seen_cb)
                manager->seen_cb(row, manager->wait_user);
        if (manager->json) {
                fwrite(row->text, 1, row->size, stdout);
                putchar('\n');
        } else if (row_cb) {
                row_cb(manager, row, user);
        }
        fflush(stdout);
}

static int ask(struct manager *manager, int wait_ms, row_fn row_cb, void *user)
{
        for (;;) {
                struct json_value end;
                struct row row;
                int code = receive(manager, wait_ms);
                if (manager->stopped)
                        return EXIT_DONE;
                code = code ? code : parse(manager, &row);
                if (code)
                        return code;
                if (json_member(row.value, "end", &end))
                        return end_of(manager, &row, end);
                take_row(manager, &row, row_cb, user);
        }
}

int manager_ask(struct manager *manager, int wait_ms, row_fn row_cb, void *user)
{
        struct error error = {0};
        buffer_append_byte(&manager->request, '}');
        size_t size = manager->request.size;
        int code = check_request(manager);
        if (!code && !manager->client)
                code = manager_connect(manager);
        if (code)
                return code;
        if (control_send(manager->client, (const char *)manager->request.data, size, &error)) {
                manager_fail(manager, EXIT_FAILED, "%s", error.text);
                return lose(manager);
        }
        return ask(manager, wait_ms, row_cb, user);
}
