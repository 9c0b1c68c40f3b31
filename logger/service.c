#include "logger/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/service.h"
#include "logger/app.h"

#define STATUS_SIZE 160
#define COUNT_SIZE 32

static struct {
        struct app *app; /* NULL: not started, or stopping */
        const char *env_file;
        bool volatile *reload;
        bool ready;
        int64_t watchdog_ns; /* 0: nobody waits */
        int64_t fed_ns;
        uint64_t messages; /* at the last second */
        char status[STATUS_SIZE];
} service;

/* ---- what the manager is told ---- */

/* "1,234,567" */
static const char *format_count(uint64_t count, char ret_text[COUNT_SIZE])
{
        char plain[COUNT_SIZE];
        size_t size = (size_t)snprintf(plain, sizeof(plain), "%" PRIu64, count), used = 0;
        for (size_t i = 0; i < size; i++) {
                if (i && (size - i) % 3 == 0)
                        ret_text[used++] = ',';
                ret_text[used++] = plain[i];
        }
        ret_text[used] = '\0';
        return ret_text;
}

struct books {
        uint64_t wanted, live, gaps;
};

static void count_stream(const struct tracked *tracked, struct books *books)
{
        if (tracked->stream)
                books->gaps += record_gap_count(tracked->stream);
        if (tracked->kind == KIND_TRADES || tracked->refused)
                return;
        books->wanted++;
        books->live += tracked->stream && record_has_book(tracked->stream);
}

static struct books count_books(const struct app *app)
{
        struct books books = {0};
        for (size_t i = 0; i < app->site_count; i++) {
                for (const struct tracked *tracked = app->sites[i].tracked; tracked;
                     tracked = tracked->next)
                        count_stream(tracked, &books);
        }
        return books;
}

static void tell_status(const struct app *app)
{
        char status[STATUS_SIZE], rate[COUNT_SIZE], gaps[COUNT_SIZE];
        struct books books = count_books(app);
        snprintf(status, sizeof(status),
            "%" PRIu64 " of %" PRIu64 " books live, %s msg/s, %s gap%s", books.live, books.wanted,
            format_count(app->messages - service.messages, rate), format_count(books.gaps, gaps),
            books.gaps == 1 ? "" : "s");
        service.messages = app->messages;
        if (!strcmp(status, service.status))
                return;
        memcpy(service.status, status, sizeof(status));
        service_tell_status(status);
}

/* At half the period, or a second earlier where the next second would be too late. */
static void feed_watchdog(int64_t now_ns)
{
        if (!service.watchdog_ns || now_ns + NS_PER_S <= service.fed_ns + service.watchdog_ns / 2)
                return;
        service.fed_ns = now_ns;
        service_tell_alive();
}

/* ---- settings read anew ---- */

/* A shorter period counts from now on. */
static void apply_symbols_every(struct app *app, int64_t period_ns)
{
        int64_t latest_ns = app->mono_ns + period_ns;
        app->names_period_ns = period_ns;
        for (size_t i = 0; i < app->site_count; i++) {
                if (app->sites[i].names_ns > latest_ns)
                        app->sites[i].names_ns = latest_ns;
        }
}

/* What a running logger takes over without harm. */
static bool apply(struct app *app, const char *name, const struct settings *fresh)
{
        enum log_level level;
        if (!strcmp(name, "LOGLEVEL") && !log_level_parse(settings_text(fresh, name), &level))
                log_set_level(level);
        else if (!strcmp(name, "SYMBOLS_EVERY"))
                apply_symbols_every(app, settings_number(fresh, name));
        else
                return false;
        return true;
}

static void tell_waiting(const struct setting *setting, const struct settings *fresh)
{
        bool secret = setting->kind == SETTING_SECRET;
        log_warning("reload: %s%s%.200s takes effect at the next start%s", setting->name,
            secret ? "" : "=", secret ? "" : settings_text(fresh, setting->name),
            strcmp(setting->name, "SYMBOLS") ? "" : "; obmanage adds and removes at once");
}

static void note_setting(struct app *app, const char *name, const char *value)
{
        struct buffer text;
        buffer_init(&text, LIMIT_SETTING_SIZE);
        buffer_printf(&text, "%s=%s", name, value);
        app_note(app, CAPTURE_SETTING, 0, buffer_bytes(&text));
        buffer_deinit(&text);
}

/* One setting that may have changed; true: it has. */
static bool reload_setting(
    struct app *app, const struct setting *setting, const struct settings *fresh)
{
        const char *text = settings_text(fresh, setting->name);
        struct error error;
        bool applied = apply(app, setting->name, fresh);
        if (!strcmp(text, settings_text(app->settings, setting->name)))
                return false;
        if (!applied) {
                tell_waiting(setting, fresh);
                return true;
        }
        log_info("reload: %s=%s, it was %s", setting->name, text,
            settings_text(app->settings, setting->name));
        (void)settings_override(app->settings, setting->name, text, &error); /* it was checked */
        note_setting(app, setting->name, text);
        return true;
}

int service_take_setting(struct app *app, const char *name, const char *value)
{
        struct error error;
        if (strcmp(name, "SYMBOLS_EVERY") != 0)
                return 0;
        int code = settings_override(app->settings, name, value, &error);
        code = code ? code : settings_check(app->settings, &error);
        if (!code)
                apply(app, name, app->settings);
        return code;
}

static void reload(struct app *app)
{
        struct settings *fresh;
        struct error error;
        size_t changes = 0;
        int code = settings_load(&fresh, service.env_file, &error);
        if (!code) {
                code = settings_check(fresh, &error);
                for (size_t i = 0; i < settings_count && !code; i++)
                        changes += reload_setting(app, &settings_table[i], fresh);
                settings_free(fresh);
        }
        if (code)
                log_error("reload: %s; all stays as it was", error.text);
        else if (!changes)
                log_info("reload: no setting differs");
}

/* ---- the life of the service ---- */

void service_started(struct app *app, const char *env_file, bool volatile *wanted)
{
        service.app = app;
        service.env_file = env_file;
        service.reload = wanted;
        service.watchdog_ns = service_watchdog_ns();
}

void service_second(struct app *app)
{
        int64_t now_ns = clock_mono_ns();
        if (service.app != app)
                return;
        if (*service.reload) {
                *service.reload = false;
                service_tell_reloading();
                reload(app);
                service.ready = false;
        }
        tell_status(app);
        if (service.ready) {
                feed_watchdog(now_ns);
                return;
        }
        service.ready = true;
        service.fed_ns = now_ns;
        service_tell_ready();
}

void service_stopping(struct app *app)
{
        if (service.app != app)
                return;
        service.app = NULL;
        service_tell_stopping();
}
