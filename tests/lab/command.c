/* Executes the text commands of a session, and answers as the exchange does. */
#include "command.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "session.h"

#define ANSWER_LIMIT (256u << 10)
#define ID_SIZE 64
#define ID_TEXT_MAX 36

struct command {
        struct conn *conn;
        struct json_value root;
        struct json_cursor params;
        bool has_params;
        char id[ID_SIZE]; /* as JSON */
};

struct method {
        const char *name;
        void (*run)(struct command *command);
};

static void answer(struct command *command, const char *result)
{
        struct buffer text;
        buffer_init(&text, ANSWER_LIMIT);
        buffer_printf(&text, "{\"result\":%s,\"id\":%s}", result, command->id);
        conn_frame(command->conn, FRAME_TEXT, (struct span){(char *)text.data, text.size});
        buffer_deinit(&text);
}

static void refuse(struct command *command, int code, const char *message)
{
        char text[512];
        int size = snprintf(text, sizeof(text),
            "{\"error\":{\"code\":%d,\"msg\":\"%s\"},\"id\":%s}", code, message, command->id);
        conn_frame(command->conn, FRAME_TEXT, (struct span){text, (size_t)size});
}

/* Before there is an id: the flat form. */
static void refuse_text(struct conn *conn, int code, const char *message)
{
        char text[512];
        int size = snprintf(text, sizeof(text), "{\"code\":%d,\"msg\":\"%s\"}", code, message);
        conn_frame(conn, FRAME_TEXT, (struct span){text, (size_t)size});
}

static bool take_id(struct command *command)
{
        struct json_value value;
        struct json_text text;
        int64_t number;
        snprintf(command->id, sizeof(command->id), "null");
        if (!json_member(command->root, "id", &value) || json_is_null(value))
                return true;
        if (json_int(value, &number)) {
                snprintf(command->id, sizeof(command->id), "%" PRId64, number);
                return true;
        }
        if (!json_string(value, &text) || text.size > ID_TEXT_MAX)
                return false;
        for (size_t i = 0; i < text.size; i++)
                if (!isalnum((unsigned char)text.data[i]) && !strchr("-_", text.data[i]))
                        return false;
        snprintf(command->id, sizeof(command->id), "\"%.*s\"", (int)text.size, text.data);
        return true;
}

/* Every parameter has to be a stream's name; none is taken if one is not. */
static bool params_are_names(const struct command *command)
{
        struct json_cursor cursor = command->params;
        struct json_value value;
        struct json_text text;
        while (command->has_params && json_array_next(&cursor, &value))
                if (!json_string(value, &text) || !text.size || memchr(text.data, '"', text.size))
                        return false;
        return command->has_params;
}

static size_t count_params(const struct command *command)
{
        struct json_cursor cursor = command->params;
        struct json_value value;
        size_t count = 0;
        while (command->has_params && json_array_next(&cursor, &value))
                count++;
        return count;
}

static void run_subscribe(struct command *command)
{
        struct json_cursor cursor = command->params;
        struct json_value value;
        struct json_text text;
        if (!params_are_names(command)) {
                refuse(command, 2, "Invalid request: invalid stream");
                return;
        }
        if (command->conn->name_count + count_params(command) > CONN_STREAMS) {
                refuse(command, 2, "Invalid request: too many parameters");
                return;
        }
        while (json_array_next(&cursor, &value) && json_string(value, &text))
                session_subscribe(command->conn, (struct span){text.data, text.size});
        answer(command, "null");
}

static void run_unsubscribe(struct command *command)
{
        struct json_cursor cursor = command->params;
        struct json_value value;
        struct json_text text;
        if (!params_are_names(command)) {
                refuse(command, 2, "Invalid request: invalid stream");
                return;
        }
        while (json_array_next(&cursor, &value) && json_string(value, &text))
                session_unsubscribe(command->conn, (struct span){text.data, text.size});
        answer(command, "null");
}

static void run_list(struct command *command)
{
        struct buffer text;
        buffer_init(&text, ANSWER_LIMIT);
        buffer_append_text(&text, "[");
        for (size_t i = 0; i < command->conn->name_count; i++) {
                struct span name = {command->conn->names[i], strlen(command->conn->names[i])};
                buffer_append_text(&text, i ? "," : "");
                journal_quote(&text, name, false);
        }
        buffer_append(&text, "]", 2);
        answer(command, (const char *)text.data);
        buffer_deinit(&text);
}

/* The only property there is. */
static bool names_combined(struct command *command)
{
        struct json_value value;
        struct json_text text;
        if (!command->has_params || !json_array_next(&command->params, &value) ||
            !json_string(value, &text)) {
                refuse(command, 2, "Invalid request: property name must be a string");
                return false;
        }
        if (!json_text_is(text, "combined")) {
                refuse(command, 0, "Unknown property");
                return false;
        }
        return true;
}

static void run_set_property(struct command *command)
{
        struct json_value value;
        bool combined;
        if (!names_combined(command))
                return;
        if (!json_array_next(&command->params, &value) || !json_bool(value, &combined)) {
                refuse(command, 1, "Invalid value type: expected Boolean");
                return;
        }
        command->conn->combined = combined;
        answer(command, "null");
}

static void run_get_property(struct command *command)
{
        if (names_combined(command))
                answer(command, command->conn->combined ? "true" : "false");
}

static const struct method methods[] = {
    {"SUBSCRIBE", run_subscribe},
    {"UNSUBSCRIBE", run_unsubscribe},
    {"LIST_SUBSCRIPTIONS", run_list},
    {"SET_PROPERTY", run_set_property},
    {"GET_PROPERTY", run_get_property},
};

static void run(struct command *command)
{
        struct json_value params;
        struct json_text name;
        char text[256];
        if (!json_member_string(command->root, "method", &name)) {
                snprintf(text, sizeof(text),
                    "Invalid request: missing field `method` at line 1 column %zu",
                    command->conn->message.size);
                refuse_text(command->conn, 2, text);
                return;
        }
        command->has_params = json_member(command->root, "params", &params) &&
            json_array_begin(params, &command->params);
        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
                if (json_text_is(name, methods[i].name)) {
                        methods[i].run(command);
                        return;
                }
        }
        refuse(command, 2,
            "Invalid request: unknown variant, expected one of `SUBSCRIBE`, "
            "`UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`");
}

static void journal_command(struct conn *conn, struct span text)
{
        struct journal *journal = &conn->lab->journal;
        journal_begin(journal, "command");
        journal_number(journal, "conn", conn->number);
        journal_text(journal, "raw", text);
        journal_end(journal);
}

void command_take(struct conn *conn)
{
        struct command command = {.conn = conn};
        struct buffer *text = &conn->message;
        size_t size = text->size;
        uint8_t *padding = buffer_reserve(text, JSON_PADDING);
        if (!padding)
                return;
        memset(padding, 0, JSON_PADDING);
        int result = json_parse(conn->lab->parser, (char *)text->data, size, &command.root);
        if (!result)
                journal_command(conn, (struct span){(char *)text->data, size});
        if (result)
                refuse_text(conn, 3, "Invalid JSON: expected value at line 1 column 1");
        else if (!json_is_object(command.root))
                refuse_text(conn, 2, "Invalid request: expected an object at line 1 column 1");
        else if (!take_id(&command))
                refuse_text(conn, 2, "Invalid request: request ID must be an unsigned integer");
        else
                run(&command);
}
