/* Commands: their table, their life, and the short ones. */
#include "logger/commands.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define ROW_KEPT (1u << 20)
#define ROW_SIZE (48u << 20) /* the largest book of orders has 1,000,000 rows of 90 bytes */

struct commands {
        command_answer_cb answer_cb;
        void *user;
        struct buffer row;
        struct command *list; /* those that take longer */
};

/* ---- rows ---- */

struct buffer *command_row_plain(struct command *command)
{
        struct buffer *row = &command->app->commands->row;
        buffer_clear(row);
        return row;
}

struct buffer *command_row_begin(
    struct command *command, const struct venue *venue, const char *symbol)
{
        struct buffer *row = command_row_plain(command);
        buffer_printf(row, "{\"exchange\":\"%s\",\"symbol\":\"", venue->name);
        buffer_append_json(row, symbol);
        buffer_append_text(row, "\"");
        return row;
}

static bool answer(struct command *command, bool last)
{
        struct commands *commands = command->app->commands;
        struct buffer *row = &commands->row;
        if (!command->id)
                return true;
        return commands->answer_cb(command->id, (char *)row->data, row->size, last, commands->user);
}

bool command_row(struct command *command)
{
        if (command->app->commands->row.failed) {
                command_fail(command, 1, "an answer of over %u bytes", ROW_SIZE);
                return false;
        }
        return answer(command, false);
}

void command_fail(struct command *command, int code, const char *format, ...)
{
        va_list list;
        if (code <= command->code)
                return;
        command->code = code;
        va_start(list, format);
        vsnprintf(command->text, sizeof(command->text), format, list);
        va_end(list);
}

static void answer_end(struct command *command)
{
        struct buffer *row = command_row_plain(command);
        if (row->capacity > ROW_KEPT) { /* a whole book was told */
                buffer_deinit(row);
                buffer_init(row, ROW_SIZE);
        }
        buffer_printf(row, "{\"end\":%d", command->code);
        if (command->code) {
                text_make_printable(command->text);
                buffer_append_text(row, ",\"error\":\"");
                buffer_append_json(row, command->text);
                buffer_append_text(row, "\"");
        }
        buffer_append_text(row, "}");
        answer(command, true);
}

/* ---- what a request names ---- */

bool command_text(
    struct command *command, struct json_value request, const char *name, struct json_text *ret)
{
        if (json_member_string(request, name, ret) && ret->size)
                return true;
        command_fail(command, 2, "\"%s\" is missing: a text", name);
        return false;
}

struct tracked *command_book(struct command *command, struct json_text symbol)
{
        struct rule rule = {0};
        struct error error;
        if (rule_parse(symbol.data, &rule, &error) || rule_is_pattern(&rule)) {
                command_fail(
                    command, 2, "\"%.80s\": not one symbol, like binance:BTCUSDT", symbol.data);
                return NULL;
        }
        struct site *site = site_open(command->app, rule.venue, &error);
        struct tracked *tracked = site ? symbol_book(site, rule.symbol) : NULL;
        if (!tracked)
                command_fail(command, 1, "%s:%s is not recorded; obmanage list names what is",
                    rule.venue->name, rule.symbol);
        return tracked;
}

struct awaited *command_await(struct command *command, struct site *site, const char *symbol)
{
        size_t count = command->awaited_count;
        if ((count & (count + 1)) == 0) /* 1, 3, 7, ... places */
                command->awaited =
                    memory_resize(command->awaited, (2 * count + 1) * sizeof(*command->awaited));
        struct awaited *awaited = &command->awaited[command->awaited_count++];
        *awaited = (struct awaited){.site = site};
        snprintf(awaited->symbol, sizeof(awaited->symbol), "%s", symbol);
        return awaited;
}

const char *tracked_state(const struct tracked *tracked)
{
        const struct session *session = &tracked->session;
        if (tracked->refused)
                return "refused";
        if (!tracked->stream)
                return "asking";
        if (session->state == SESSION_BUFFERING && tracked->images)
                return "resyncing";
        return session_state_name(session->state);
}

/* ---- the short ones ---- */

static void command_ping(struct command *command, struct json_value request)
{
        struct buffer *row = command_row_plain(command);
        (void)request;
        buffer_append_text(row, "{\"recorder\":\"");
        buffer_append_json(row, settings_text(command->app->settings, "RECORDER"));
        buffer_printf(row, "\",\"version\":\"%s\",\"pid\":%ld}", OBLOGGER_VERSION, (long)getpid());
        command_row(command);
}

static void command_uptime(struct command *command, struct json_value request)
{
        const struct app *app = command->app;
        struct buffer *row = command_row_plain(command);
        (void)request;
        buffer_append_text(row, "{\"recorder\":\"");
        buffer_append_json(row, settings_text(app->settings, "RECORDER"));
        buffer_printf(row, "\",\"started_ns\":%" PRId64 ",\"uptime_s\":%" PRId64 "}",
            app->started_mono_ns + app->start_offset_ns,
            (app->mono_ns - app->started_mono_ns) / NS_PER_S);
        command_row(command);
}

static void command_loglevel(struct command *command, struct json_value request)
{
        struct json_text text;
        enum log_level level, before = log_level();
        if (!command_text(command, request, "level", &text))
                return;
        if (log_level_parse(text.data, &level)) {
                command_fail(command, 2,
                    "level \"%.40s\": allowed is debug, info, warning, error or critical",
                    text.data);
                return;
        }
        log_set_level(level);
        log_info(
            "the log's level is %s now, it was %s", log_level_name(level), log_level_name(before));
        buffer_printf(command_row_plain(command), "{\"level\":\"%s\",\"before\":\"%s\"}",
            log_level_name(level), log_level_name(before));
        command_row(command);
}

static void command_terminate(struct command *command, struct json_value request)
{
        (void)request;
        log_info("obmanage ends the program");
        buffer_append_text(command_row_plain(command), "{\"state\":\"stopping\"}");
        command_row(command);
        command->app->stop_wanted = true;
}

/* Successors of its connections are brought up; the old ones go when those carry everything. */
static void reconnect_site(struct command *command, struct site *site)
{
        size_t count = 0;
        for (size_t i = 0; i < 2 * site->link_count; i++) { /* both lines, where there are two */
                struct link *link = site->links[i / 2];
                uint32_t number = link_open_number(link, (int)(i % 2));
                if (!number)
                        continue;
                link_shutdown(link, number);
                count++;
        }
        buffer_printf(command_row_plain(command), "{\"exchange\":\"%s\",\"connections\":%zu}",
            site->venue->name, count);
        command_row(command);
}

static void command_reconnect(struct command *command, struct json_value request)
{
        struct app *app = command->app;
        struct json_text text = {NULL, 0};
        size_t found = 0;
        json_member_string(request, "exchange", &text);
        for (size_t i = 0; i < app->site_count; i++) {
                if (text.size && !json_text_is(text, app->sites[i].venue->name))
                        continue;
                reconnect_site(command, &app->sites[i]);
                found++;
        }
        if (!found && text.size)
                command_fail(
                    command, 1, "exchange \"%.40s\": nothing of it is recorded", text.data);
}

/* ---- their life ---- */

static const struct {
        const char *name;
        void (*run)(struct command *command, struct json_value request);
} table[] = {
    {"add", command_add},
    {"remove", command_remove},
    {"list", command_list},
    {"status", command_status},
    {"book", command_show_book},
    {"snapshot", command_snapshot},
    {"reconnect", command_reconnect},
    {"gaps", command_gaps},
    {"watch", command_watch},
    {"ping", command_ping},
    {"uptime", command_uptime},
    {"loglevel", command_loglevel},
    {"terminate", command_terminate},
};

static void run(struct command *command, const char *line, size_t size)
{
        struct json_value request;
        struct json_text name;
        if (json_parse(command->app->parser, line, size, &request) || !json_is_object(request)) {
                command_fail(command, 2, "a request is one JSON object");
                return;
        }
        if (!command_text(command, request, "command", &name))
                return;
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                if (json_text_is(name, table[i].name)) {
                        table[i].run(command, request);
                        return;
                }
        }
        command_fail(command, 2, "the command \"%.40s\" is not known", name.data);
}

static void command_free(struct command *command)
{
        free(command->awaited);
        free(command);
}

void commands_request(struct app *app, uint64_t id, const char *line, size_t size)
{
        struct command *command = memory_new(sizeof(*command));
        *command = (struct command){
            .app = app, .id = id, .since_ns = app->mono_ns, .news_ns = app->mono_ns};
        run(command, line, size);
        if (command->tick) {
                command->next = app->commands->list;
                app->commands->list = command;
        } else {
                answer_end(command);
                command_free(command);
        }
}

void command_leave(struct command *command)
{
        if (!command->lasting) {
                command->tick = NULL;
                return;
        }
        answer_end(command);
        command->id = 0;
}

void commands_gone(struct app *app, uint64_t id)
{
        for (struct command **at = &app->commands->list; *at; at = &(*at)->next) {
                struct command *command = *at;
                if (command->id != id)
                        continue;
                if (command->lasting) {
                        command->id = 0;
                        return;
                }
                *at = command->next;
                command_free(command);
                return;
        }
}

int commands_save(struct app *app, struct error *error)
{
        app->rules_changed = false;
        int code = app_past(app) ? 0 : rules_save(&app->rules, app->rules_path, error);
        if (code)
                log_error("%s", error->text);
        return code;
}

void commands_tick(struct app *app)
{
        struct error error;
        for (struct command **at = &app->commands->list; *at;) {
                struct command *command = *at;
                command->tick(command);
                if (command->tick) {
                        at = &command->next;
                        continue;
                }
                *at = command->next;
                answer_end(command);
                command_free(command);
        }
        if (app->rules_changed) /* once for all of a turn: it waits for the disk */
                (void)commands_save(app, &error);
}

void commands_open(struct app *app, command_answer_cb answer_cb, void *user)
{
        app->commands = memory_new(sizeof(*app->commands));
        app->commands->answer_cb = answer_cb;
        app->commands->user = user;
        buffer_init(&app->commands->row, ROW_SIZE);
}

void commands_close(struct app *app)
{
        if (!app->commands)
                return;
        while (app->commands->list) {
                struct command *command = app->commands->list;
                app->commands->list = command->next;
                command_free(command);
        }
        buffer_deinit(&app->commands->row);
        free(app->commands);
        app->commands = NULL;
}
