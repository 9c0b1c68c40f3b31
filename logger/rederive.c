/* Rederiving: a network that brings what a capture holds, line by line, at its moment.
 *
 * What the loop does by itself (a turn) and what it is told (a message, a connection's end) are
 * lines of their own. Behind them stand the lines of what came in their course: the number that a
 * connection got, an answer that was taken, a command. Those are gathered first.
 *
 * Where lines are missing, the loop does not do what it did then. So that it comes back to it, each
 * connection of then is known beside the one of now: what begins now and had no number waits for
 * what opens or speaks next, and what ended then without a line is taken to have ended. */
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
#include "logger/rederive_settings.h"
#include "logger/service.h"

#define NEVER_OPENS UINT32_C(0x40000000) /* connections that nobody made then */
#define NAME_SIZE 32                     /* of an exchange */
#define KNOWN_MAX 512                    /* many times what all sites have */

/* Something gathered behind a line. */
struct gathered {
        enum capture_kind kind;
        uint32_t connection;
        int64_t number;
        struct buffer text; /* JSON_PADDING bytes follow */
        char exchange[NAME_SIZE];
        bool taken;
};

/* A connection of then, of now, or both. */
struct known {
        uint32_t number;     /* in the capture; 0: it is not known, what comes next may be it */
        uint32_t as;         /* what the loop calls it; 0: nobody began it yet */
        uint64_t heard;      /* the sequence of its last line */
        bool opened;         /* then */
        bool open_due;       /* ... and now it is to be told */
        bool ending;         /* its end is to be told: no line does */
        bool midway;         /* its beginning is missing, with the answers to its commands */
        unsigned unanswered; /* commands */
        char exchange[NAME_SIZE];
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
        struct known known[KNOWN_MAX];
        size_t known_count;
        uint32_t newest; /* number of a connection of the run */
        uint64_t hole;   /* the first line behind the last lines that are missing; 0: none are */
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
                replaying.hole = replaying.line.sequence + (uint64_t)replaying.line.number;
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
                line->kind == CAPTURE_SETTING || line->kind == CAPTURE_LOST);
}

static void copy_text(struct buffer *to, struct bytes text)
{
        buffer_clear(to);
        to->limit = text.size + JSON_PADDING;
        buffer_append(to, text.data, text.size);
        memset(buffer_reserve(to, JSON_PADDING), 0, JSON_PADDING);
}

/* Of the line that was read last. */
static void copy_exchange(char ret_name[NAME_SIZE])
{
        snprintf(ret_name, NAME_SIZE, "%s", capture_line_exchange(replaying.reader));
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
        copy_exchange(gathered->exchange);
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

/* The next gathered line of that kind (and exchange; NULL: any) that nobody took, or NULL. */
static struct gathered *gathered_of(enum capture_kind kind, const char *exchange)
{
        for (size_t i = 0; i < replaying.gathered_count; i++) {
                struct gathered *gathered = &replaying.gathered[i];
                if (gathered->taken || gathered->kind != kind ||
                    (exchange && strcmp(gathered->exchange, exchange) != 0))
                        continue;
                gathered->taken = true;
                return gathered;
        }
        return NULL;
}

static struct gathered *gathered_next(enum capture_kind kind)
{
        return gathered_of(kind, NULL);
}

/* ---- connections ---- */

static struct known *known_add(uint32_t number, uint32_t as, const char *exchange)
{
        if (replaying.known_count == KNOWN_MAX) { /* the oldest is long over */
                memmove(replaying.known, replaying.known + 1,
                    (KNOWN_MAX - 1) * sizeof(*replaying.known));
                replaying.known_count--;
        }
        struct known *known = &replaying.known[replaying.known_count++];
        *known = (struct known){.number = number, .as = as, .heard = replaying.line.sequence};
        snprintf(known->exchange, sizeof(known->exchange), "%s", exchange);
        if (number > replaying.newest)
                replaying.newest = number;
        return known;
}

static void known_remove(struct known *known)
{
        struct known *end = replaying.known + replaying.known_count--;
        memmove(known, known + 1, (size_t)(end - known - 1) * sizeof(*known));
}

static struct known *known_number(uint32_t number)
{
        for (size_t i = 0; i < replaying.known_count && number; i++) {
                if (replaying.known[i].number == number)
                        return &replaying.known[i];
        }
        return NULL;
}

static struct known *known_as(uint32_t as)
{
        for (size_t i = 0; i < replaying.known_count && as; i++) {
                if (replaying.known[i].as == as)
                        return &replaying.known[i];
        }
        return NULL;
}

/* The first of the exchange that was begun now and had no number; or then, and not now. */
static struct known *known_half(const char *exchange, bool now)
{
        for (size_t i = 0; i < replaying.known_count; i++) {
                struct known *known = &replaying.known[i];
                if (!strcmp(known->exchange, exchange) && !known->ending &&
                    (now ? !known->number : !known->as))
                        return known;
        }
        return NULL;
}

/* One that was not heard since lines are missing, the longest: a connection took its place. */
static struct known *known_silent(const char *exchange)
{
        struct known *found = NULL;
        for (size_t i = 0; i < replaying.known_count; i++) {
                struct known *known = &replaying.known[i];
                if (!strcmp(known->exchange, exchange) && known->number && known->as &&
                    known->heard < replaying.hole && (!found || known->heard < found->heard))
                        found = known;
        }
        return found;
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
        struct known *left = known_half(exchange, false);
        const struct gathered *made = left ? NULL : gathered_of(CAPTURE_CONNECT, exchange);
        (void)network;
        (void)target;
        if (left) {
                left->open_due = left->midway = left->opened;
                return left->as = left->number;
        }
        if (!made)
                return known_add(0, NEVER_OPENS + replaying.made_up++, exchange)->as;
        if (!made->connection)
                error_set(error, ERR_IO, "%.*s", (int)made->text.size, (char *)made->text.data);
        else
                known_add(made->connection, made->connection, exchange);
        return made->connection;
}

static int replay_send(struct network *network, uint32_t connection, const char *text, size_t size)
{
        struct known *known = known_as(connection);
        (void)network;
        (void)text;
        (void)size;
        if (known && known->midway)
                known->unanswered++;
        return 0;
}

static void replay_disconnect(struct network *network, uint32_t connection, const char *reason)
{
        struct known *known = known_as(connection);
        (void)network;
        (void)reason;
        if (known && (!known->number || replaying.hole))
                known->ending = true; /* else its end is a line */
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
 * gets its own answer, and a name that was looked up may be that of another proxy. Otherwise, and
 * once lines are missing, who asked last for the same: who waits longer lost the answer. */
static struct asked *asked_find(const char *url, uint64_t id)
{
        struct asked *found = NULL;
        for (size_t i = 0; i < replaying.asked_count; i++) {
                struct asked *asked = &replaying.asked[i];
                bool same = !strcmp(asked->url, url);
                if (asked->id == id &&
                    ((same && !replaying.hole) || (!is_url(asked->url) && !is_url(url))))
                        return asked;
                if (same)
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

/* What a reload changed; it was there then, behind the turn. */
static void take_reloaded(struct app *app)
{
        const struct gathered *told;
        while ((told = gathered_next(CAPTURE_SETTING))) {
                char name[64];
                const char *text = (const char *)told->text.data;
                size_t size = strcspn(text, "=");
                if (size >= sizeof(name) || !text[size])
                        continue;
                snprintf(name, sizeof(name), "%.*s", (int)size, text);
                if (service_take_setting(app, name, text + size + 1))
                        log_warning("a reload in the capture cannot be taken: %.80s", text);
        }
}

/* It ended then, in a line that is missing, and by now the next one was begun: so it is. */
static void replace_silent(struct app *app, struct known *silent)
{
        struct site *site;
        uint32_t as = silent->as;
        struct live_connection *connection = connection_find(app, as, &site);
        known_remove(silent);
        if (!connection)
                return;
        struct link *link = connection->link;
        replaying.callbacks->closed_cb(as, "its end is missing", replaying.user);
        link->connect_ns = app->mono_ns;
        site->resolved_ns = app->mono_ns;
        connections_tick(site);
}

/* One of then that nobody began now: it takes the place of the one that is silent. */
static void known_left(struct app *app, uint32_t number, bool opened, const char *exchange)
{
        known_add(number, 0, exchange)->opened = opened;
        struct known *silent = known_silent(exchange);
        if (silent)
                replace_silent(app, silent);
}

/* The connection of now that a line belongs to. */
static struct known *known_of_line(
    struct app *app, const struct capture_line *line, const char *exchange)
{
        struct known *known = known_number(line->connection);
        bool ends = line->kind == CAPTURE_CLOSED, new = line->connection > replaying.newest;
        if (!known && (!ends || new) && (known = known_half(exchange, true))) {
                known->number = line->connection;
                known->midway = line->kind != CAPTURE_OPEN;
                if (known->number > replaying.newest)
                        replaying.newest = known->number;
        }
        if (!known && !ends && new &&replaying.hole) {
                known_left(app, line->connection, line->kind != CAPTURE_OPEN, exchange);
                known = known_number(line->connection);
        }
        if (known)
                known->heard = line->sequence;
        return known;
}

/* Its number now; 0: there is none, the line is for nobody. */
static uint32_t number_now(struct app *app, const struct capture_line *line, const char *exchange)
{
        struct known *known = known_of_line(app, line, exchange);
        bool ends = line->kind == CAPTURE_CLOSED;
        if (!known || !known->as) {
                replaying.stats.unknown += !ends;
                if (known && ends)
                        known_remove(known);
                else if (known)
                        known->opened = true;
                return 0;
        }
        uint32_t as = known->as;
        if (ends) {
                known_remove(known);
                return as;
        }
        bool untold =
            replaying.hole && line->kind != CAPTURE_OPEN && (known->open_due || !known->opened);
        known->opened = true;
        if (untold) {
                known->midway = true;
                known->open_due = false;
                replaying.callbacks->open_cb(as, replaying.user);
        }
        return as;
}

static void dispatch_connection(const struct capture_line *line, uint32_t number)
{
        const struct feed_callbacks *callbacks = replaying.callbacks;
        char *text = (char *)replaying.text.data;
        switch (line->kind) {
        case CAPTURE_OPEN:
                callbacks->open_cb(number, replaying.user);
                break;
        case CAPTURE_ALIVE:
                callbacks->alive_cb(number, replaying.user);
                break;
        case CAPTURE_MESSAGE:
                callbacks->alive_cb(number, replaying.user);
                callbacks->message_cb(number, text, line->text.size, line->number, replaying.user);
                break;
        case CAPTURE_REFUSED:
                callbacks->refused_cb(number, (size_t)line->number, text, replaying.user);
                break;
        case CAPTURE_CLOSED:
                callbacks->closed_cb(number, text, replaying.user);
                break;
        default:
                break;
        }
}

static bool is_of_connection(enum capture_kind kind)
{
        return kind == CAPTURE_OPEN || kind == CAPTURE_ALIVE || kind == CAPTURE_MESSAGE ||
            kind == CAPTURE_REFUSED || kind == CAPTURE_CLOSED;
}

static void dispatch(struct app *app, const struct capture_line *line, const char *exchange)
{
        if (line->kind == CAPTURE_TURN) {
                app_turn(app);
                take_reloaded(app);
        } else if (is_of_connection(line->kind)) {
                uint32_t number = number_now(app, line, exchange);
                if (number)
                        dispatch_connection(line, number);
        }
}

/* Its commands were answered, or it would not have spoken. */
static void answer_commands(struct app *app, struct known *known)
{
        struct site *site;
        struct live_connection *connection = connection_find(app, known->as, &site);
        for (; connection && known->unanswered; known->unanswered--)
                link_answered(connection->link, known->as, LINK_ANY, false, app->mono_ns);
        known->unanswered = 0;
        if (connection)
                connections_tick(site);
}

/* What no line tells. True: there was something. */
static bool tell_one(struct app *app)
{
        for (size_t i = 0; i < replaying.known_count; i++) {
                struct known *known = &replaying.known[i];
                uint32_t as = known->as;
                if (known->ending) {
                        known_remove(known);
                        replaying.callbacks->closed_cb(as, "ended", replaying.user);
                        return true;
                }
                if (known->open_due) {
                        known->open_due = false;
                        replaying.callbacks->open_cb(as, replaying.user);
                        return true;
                }
                if (known->unanswered) {
                        answer_commands(app, known);
                        return true;
                }
        }
        return false;
}

static void tell_untold(struct app *app)
{
        for (int i = 0; i < KNOWN_MAX && tell_one(app); i++)
                ;
}

/* Connections that were begun then and not now. */
static void keep_connects(struct app *app)
{
        struct gathered *made;
        while ((made = gathered_next(CAPTURE_CONNECT))) {
                if (!made->connection)
                        continue;
                struct known *waits = known_half(made->exchange, true);
                if (waits) {
                        waits->number = made->connection;
                        continue;
                }
                known_left(app, made->connection, false, made->exchange);
        }
}

static int replay_input(struct app *app, struct error *error)
{
        struct capture_line line = replaying.line;
        char exchange[NAME_SIZE];
        replaying.mono_ns = line.mono_ns;
        replaying.wall_ns = line.wall_ns;
        copy_exchange(exchange);
        copy_text(&replaying.text, line.text);
        int code = gather(error);
        if (code)
                return code;
        dispatch(app, &line, exchange);
        tell_untold(app);
        keep_connects(app);
        tell_untold(app);
        return 0;
}

/* Its first two lines: the settings, and the changes to SYMBOLS. 1, or 0: they are missing. */
static int take_beginning(struct settings *settings, struct error *error)
{
        if (replaying.line.kind != CAPTURE_START)
                return 0;
        replaying.mono_ns = replaying.line.mono_ns;
        replaying.wall_ns = replaying.line.wall_ns;
        replaying.known_count = replaying.newest = 0;
        replaying.hole = 0;
        const char *text = (const char *)replaying.line.text.data;
        int code = rederive_take_settings(settings, text, error);
        if (code)
                return code;
        rederive_value_of(text, CAPTURE_UUID, replaying.uuid, sizeof(replaying.uuid));
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
