/* Rederiving: a network that brings what a capture holds, line by line, at its moment.
 *
 * What the loop does by itself (a turn) and what it is told (a message, a connection's end) are
 * lines of their own. Behind them stand the lines of what came in their course: the number that a
 * connection got, an answer that was taken, a command. Those are gathered first. */
#include "logger/rederive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "logger/answer_text.h"
#include "logger/commands.h"
#include "logger/notes.h"

#define NEVER_OPENS UINT32_C(0x40000000) /* connections that nobody made then */

/* Something gathered behind a line. */
struct gathered {
        enum capture_kind kind;
        uint32_t connection;
        int64_t number;
        struct buffer text; /* JSON_PADDING bytes follow */
        bool taken;
};

struct asked {
        uint64_t id;
        char *url;
};

struct replaying {
        struct network base;
        struct capture_reader *reader;
        const struct feed_callbacks *callbacks;
        void *user;
        int64_t mono_ns, wall_ns;
        struct capture_line line; /* the next one, where held */
        bool held;
        struct buffer text; /* of the line in hand */
        struct network_past past;
        struct buffer rules;
        char uuid[STORE_UUID_SIZE];
        struct gathered *gathered;
        size_t gathered_count, gathered_capacity;
        struct asked *asked;
        size_t asked_count, asked_capacity;
        uint32_t made_up;
        struct rederive_stats stats;
};

static struct replaying replaying;

/* ---- lines ---- */

/* 1 with replaying.line set, 0 at the end. */
static int line_next(struct error *error)
{
        if (replaying.held) {
                replaying.held = false;
                return 1;
        }
        int more = capture_next(replaying.reader, &replaying.line, error);
        if (more <= 0)
                return more;
        replaying.stats.lines++;
        replaying.stats.bytes += replaying.line.text.size;
        if (replaying.line.kind == CAPTURE_LOST) {
                log_warning("%" PRId64 " lines of the capture are missing: what was made of them "
                            "is not made again",
                    replaying.line.number);
                replaying.stats.lost += (uint64_t)replaying.line.number;
        }
        return 1;
}

/* Its own first line, or the one that tells that it is missing. */
static bool begins_run(const struct capture_line *line)
{
        return line->sequence == 1;
}

static bool comes_along(const struct capture_line *line)
{
        return !begins_run(line) &&
            (line->kind == CAPTURE_CONNECT || line->kind == CAPTURE_ANSWER ||
                line->kind == CAPTURE_COMMAND || line->kind == CAPTURE_CLOCK ||
                line->kind == CAPTURE_LOST);
}

static void copy_text(struct buffer *to, struct bytes text)
{
        buffer_clear(to);
        to->limit = text.size + JSON_PADDING;
        buffer_append(to, text.data, text.size);
        memset(buffer_reserve(to, JSON_PADDING), 0, JSON_PADDING);
}

static void gather_one(void)
{
        if (replaying.gathered_count == replaying.gathered_capacity) {
                size_t count = replaying.gathered_capacity ? replaying.gathered_capacity * 2 : 8;
                replaying.gathered =
                    memory_resize(replaying.gathered, count * sizeof(*replaying.gathered));
                for (size_t i = replaying.gathered_capacity; i < count; i++)
                        buffer_init(&replaying.gathered[i].text, 0);
                replaying.gathered_capacity = count;
        }
        struct gathered *gathered = &replaying.gathered[replaying.gathered_count++];
        gathered->kind = replaying.line.kind;
        gathered->connection = replaying.line.connection;
        gathered->number = replaying.line.number;
        gathered->taken = false;
        copy_text(&gathered->text, replaying.line.text);
}

/* What came in the course of the line in hand; the line behind that is held. */
static int gather(struct error *error)
{
        int more;
        replaying.gathered_count = 0;
        while ((more = line_next(error)) > 0) {
                if (!comes_along(&replaying.line)) {
                        replaying.held = true;
                        return 0;
                }
                gather_one();
        }
        return more;
}

/* The next gathered line of that kind that nobody took, or NULL. */
static struct gathered *gathered_next(enum capture_kind kind)
{
        for (size_t i = 0; i < replaying.gathered_count; i++) {
                struct gathered *gathered = &replaying.gathered[i];
                if (gathered->taken || gathered->kind != kind)
                        continue;
                gathered->taken = true;
                return gathered;
        }
        return NULL;
}

/* ---- the network ---- */

static int replay_open(
    struct network **ret_network, const struct network_options *options, struct error *error)
{
        (void)error;
        replaying.callbacks = options->callbacks;
        replaying.user = options->user;
        *ret_network = &replaying.base;
        return 0;
}

static void replay_close(struct network *network)
{
        (void)network;
        for (size_t i = 0; i < replaying.asked_count; i++)
                free(replaying.asked[i].url);
        replaying.asked_count = 0;
}

static void replay_now(struct network *network, int64_t *ret_mono_ns, int64_t *ret_wall_ns)
{
        (void)network;
        *ret_mono_ns = replaying.mono_ns;
        *ret_wall_ns = replaying.wall_ns;
}

static int replay_clock(struct network *network, struct clock_state *ret_state)
{
        const struct gathered *told = gathered_next(CAPTURE_CLOCK);
        struct note_record note = {0};
        (void)network;
        if (told)
                note_read(buffer_bytes(&told->text), &note);
        if (note.kind != NOTE_CLOCK)
                return ERR_NOT_FOUND;
        *ret_state = clock_of_note(&note);
        return 0;
}

static uint32_t replay_connect(struct network *network, const char *exchange,
    const struct feed_target *target, struct error *error)
{
        const struct gathered *made = gathered_next(CAPTURE_CONNECT);
        (void)network;
        (void)exchange;
        (void)target;
        if (!made)
                return NEVER_OPENS + replaying.made_up++;
        if (!made->connection)
                error_set(error, ERR_IO, "%.*s", (int)made->text.size, (char *)made->text.data);
        return made->connection;
}

static int replay_send(struct network *network, uint32_t connection, const char *text, size_t size)
{
        (void)network;
        (void)connection;
        (void)text;
        (void)size;
        return 0;
}

static void replay_disconnect(struct network *network, uint32_t connection, const char *reason)
{
        (void)network;
        (void)connection;
        (void)reason; /* its end is a line */
}

static int replay_resolve(struct network *network, uint64_t id, const char *url)
{
        (void)network;
        if (replaying.asked_count == replaying.asked_capacity) {
                replaying.asked_capacity =
                    replaying.asked_capacity ? replaying.asked_capacity * 2 : 64;
                replaying.asked = memory_resize(
                    replaying.asked, replaying.asked_capacity * sizeof(*replaying.asked));
        }
        replaying.asked[replaying.asked_count++] = (struct asked){id, memory_text(url)};
        return 0;
}

static int replay_get(struct network *network, const char *exchange, uint64_t id, const char *url,
    const char *headers)
{
        (void)exchange;
        (void)headers;
        return replay_resolve(network, id, url);
}

static bool is_url(const char *text)
{
        return strstr(text, "://") != NULL;
}

/* The same request, where the numbers are still those of then: of two that asked for the same, each
 * gets its own answer, and a name that was looked up may be that of another proxy. Otherwise
 * whoever asks for the same. */
static struct asked *asked_find(const char *url, uint64_t id)
{
        struct asked *found = NULL;
        for (size_t i = 0; i < replaying.asked_count; i++) {
                struct asked *asked = &replaying.asked[i];
                bool same = !strcmp(asked->url, url);
                if (asked->id == id && (same || (!is_url(asked->url) && !is_url(url))))
                        return asked;
                if (same && !found)
                        found = asked;
        }
        return found;
}

static bool asked_take(const char *url, uint64_t id, uint64_t *ret_id)
{
        struct asked *asked = asked_find(url, id);
        if (!asked)
                return false;
        *ret_id = asked->id;
        free(asked->url);
        struct asked *end = replaying.asked + replaying.asked_count--;
        memmove(asked, asked + 1, (size_t)(end - asked - 1) * sizeof(*asked));
        return true;
}

static bool replay_take(struct network *network, struct rest_answer *ret_answer)
{
        const struct gathered *gathered;
        char url[ANSWER_URL_SIZE];
        (void)network;
        while ((gathered = gathered_next(CAPTURE_ANSWER))) {
                struct bytes text = {gathered->text.data, gathered->text.size};
                if (answer_read(text, ret_answer, url)) {
                        log_warning("an answer in the capture cannot be read, it is passed over");
                        continue;
                }
                if (asked_take(url, (uint64_t)gathered->number, &ret_answer->id))
                        return true;
                buffer_deinit(&ret_answer->body);
                replaying.stats.unasked++;
        }
        return false;
}

static bool replay_command(struct network *network, int64_t *ret_id, struct bytes *ret_line)
{
        const struct gathered *gathered = gathered_next(CAPTURE_COMMAND);
        (void)network;
        if (!gathered)
                return false;
        *ret_id = gathered->number;
        *ret_line = buffer_bytes(&gathered->text);
        return true;
}

static const struct network_past *replay_past(struct network *network)
{
        (void)network;
        return &replaying.past;
}

static int replay_run(struct network *network)
{
        (void)network;
        return 0;
}

static void replay_wake(struct network *network)
{
        (void)network;
}

static bool replay_woken(struct network *network)
{
        (void)network;
        return true; /* a turn is in the capture because it was due */
}

static const struct network_ops network_replaying = {.open = replay_open,
    .close = replay_close,
    .now = replay_now,
    .clock = replay_clock,
    .connect = replay_connect,
    .send = replay_send,
    .disconnect = replay_disconnect,
    .get = replay_get,
    .resolve = replay_resolve,
    .take = replay_take,
    .command = replay_command,
    .past = replay_past,
    .run = replay_run,
    .wake = replay_wake,
    .woken = replay_woken};

/* ---- a run ---- */

static void dispatch(struct app *app, const struct capture_line *line)
{
        const struct feed_callbacks *callbacks = replaying.callbacks;
        char *text = (char *)replaying.text.data;
        switch (line->kind) {
        case CAPTURE_TURN:
                app_turn(app);
                break;
        case CAPTURE_OPEN:
                callbacks->open_cb(line->connection, replaying.user);
                break;
        case CAPTURE_ALIVE:
                callbacks->alive_cb(line->connection, replaying.user);
                break;
        case CAPTURE_MESSAGE:
                callbacks->alive_cb(line->connection, replaying.user);
                callbacks->message_cb(
                    line->connection, text, line->text.size, line->number, replaying.user);
                break;
        case CAPTURE_REFUSED:
                callbacks->refused_cb(line->connection, (size_t)line->number, text, replaying.user);
                break;
        case CAPTURE_CLOSED:
                callbacks->closed_cb(line->connection, text, replaying.user);
                break;
        default: /* of a later version */
                break;
        }
}

static int replay_input(struct app *app, struct error *error)
{
        struct capture_line line = replaying.line;
        replaying.mono_ns = line.mono_ns;
        replaying.wall_ns = line.wall_ns;
        copy_text(&replaying.text, line.text);
        int code = gather(error);
        if (!code)
                dispatch(app, &line);
        return code;
}

/* What belongs to this machine and this run, not to what is recorded. */
static bool stays(const char *name)
{
        static const char *const names[] = {"USE_ENV_FILE", "LOGLEVEL", "AS_SERVICE", "STORE",
            "STORE_KEEP", "RAW_CAPTURE", "MONGODB_ENDPOINT", "MONGODB_PASSWORD", "MONGODB_DATABASE",
            "MONGODB_LAYOUT", "CA_FILE", "MANAGER_SOCKET", "MANAGER_PORT", "MANAGER_ADDRESS",
            "MANAGER_AUTHKEY", "MANAGER_TLS_CERT", "MANAGER_TLS_KEY", "METRICS_PORT",
            "METRICS_ADDRESS"};
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                if (!strcmp(name, names[i]))
                        return true;
        }
        return false;
}

/* The value that a run's settings give @name, or NULL; a secret that was there is some text. */
static const char *value_of(const char *text, const char *name, char *ret_value, size_t size)
{
        size_t length = strlen(name);
        while (*text) {
                size_t line = strcspn(text, "\n");
                if (line > length && text[length] == '=' && !strncmp(text, name, length)) {
                        snprintf(
                            ret_value, size, "%.*s", (int)(line - length - 1), text + length + 1);
                        return strcmp(ret_value, CAPTURE_SECRET) ? ret_value : "bm9uZQ==";
                }
                text += line + (text[line] == '\n');
        }
        return NULL;
}

static int take_settings(struct settings *settings, const char *text, struct error *error)
{
        char *value = memory_new(LIMIT_SETTING_SIZE);
        struct error why;
        int code = 0;
        for (size_t i = 0; i < settings_count && !code; i++) {
                const struct setting *setting = &settings_table[i];
                const char *then = value_of(text, setting->name, value, LIMIT_SETTING_SIZE);
                if (stays(setting->name))
                        continue;
                code = settings_override(
                    settings, setting->name, then ? then : setting->fallback, &why);
                if (code)
                        error_set(error, ERR_CORRUPT, "the capture's settings: %s", why.text);
        }
        free(value);
        return code;
}

/* Its first two lines: the settings, and the changes to SYMBOLS. 1, or 0: they are missing. */
static int take_beginning(struct settings *settings, struct error *error)
{
        if (replaying.line.kind != CAPTURE_START)
                return 0;
        replaying.mono_ns = replaying.line.mono_ns;
        replaying.wall_ns = replaying.line.wall_ns;
        const char *text = (const char *)replaying.line.text.data;
        int code = take_settings(settings, text, error);
        if (code)
                return code;
        value_of(text, CAPTURE_UUID, replaying.uuid, sizeof(replaying.uuid));
        int more = line_next(error);
        if (more <= 0 || replaying.line.kind != CAPTURE_RULES) {
                replaying.held = more > 0;
                return more < 0 ? more : 0;
        }
        copy_text(&replaying.rules, replaying.line.text);
        replaying.past = (struct network_past){
            .rules = (const char *)replaying.rules.data, .uuid = replaying.uuid};
        return 1;
}

/* Nobody knows what it was told: nothing can be made of it. */
static int skip_run(struct error *error)
{
        uint64_t lines = 0;
        int more = 1;
        while (more > 0 && (!begins_run(&replaying.line) || !lines)) {
                lines++;
                more = line_next(error);
        }
        replaying.held = more > 0;
        replaying.stats.lost += lines;
        log_error("the beginning of a run is missing: %" PRIu64 " lines are passed over", lines);
        return more < 0 ? more : 0;
}

static void show_progress(void)
{
        char line[160], at[TIME_TEXT_SIZE];
        snprintf(line, sizeof(line), "%s  %" PRIu64 " lines, %" PRIu64 " MB",
            time_format(replaying.wall_ns, at), replaying.stats.lines, replaying.stats.bytes >> 20);
        log_status(line);
}

/* Up to its end, or the next run's beginning. */
static int replay_lines(struct app *app, bool *ret_in_order, struct error *error)
{
        int code = 0, more = 0;
        while (!code && (more = line_next(error)) > 0) {
                if (begins_run(&replaying.line)) {
                        replaying.held = true;
                        return 0;
                }
                if (replaying.stats.lines % 65536 == 0)
                        show_progress();
                if (replaying.line.kind == CAPTURE_END) {
                        replaying.mono_ns = replaying.line.mono_ns;
                        replaying.wall_ns = replaying.line.wall_ns;
                        *ret_in_order = true;
                        return 0;
                }
                code = replay_input(app, error);
        }
        return code ? code : more;
}

static int replay_run_of(struct settings *settings, struct error *error)
{
        static struct app app;
        struct error close_error;
        bool in_order = false;
        int code = take_beginning(settings, error);
        replaying.stats.runs++;
        if (code <= 0) {
                replaying.stats.cut_runs++;
                return code ? code : skip_run(error);
        }
        code = app_open(&app, settings, &network_replaying, error);
        code = code ? code : replay_lines(&app, &in_order, error);
        if (!in_order && app.recorder) /* what came is kept, though no turn came after it */
                recorder_tick(app.recorder, replaying.wall_ns);
        app.abandoned = !in_order;
        replaying.stats.cut_runs += !in_order;
        int close_code = app_close(&app, &close_error);
        if (!code && close_code)
                *error = close_error;
        return code ? code : close_code;
}

int rederive(struct settings *settings, const char *folder, struct rederive_stats *ret_stats,
    struct error *error)
{
        int more = 0;
        replaying = (struct replaying){.base = {.ops = &network_replaying}};
        int code = capture_read(&replaying.reader, folder, error);
        while (!code && (more = line_next(error)) > 0)
                code = replay_run_of(settings, error);
        capture_read_close(replaying.reader);
        for (size_t i = 0; i < replaying.gathered_capacity; i++)
                buffer_deinit(&replaying.gathered[i].text);
        free(replaying.gathered);
        free(replaying.asked);
        buffer_deinit(&replaying.text);
        buffer_deinit(&replaying.rules);
        *ret_stats = replaying.stats;
        return code ? code : more;
}
