/* The exchanges that are spoken to: their addresses, and what the user chose for each. */
#include <stdio.h>
#include <string.h>

#include "logger/app.h"
#include "venue/net.h"
#include "venue/sign.h"

static int site_urls(
    struct site *site, const struct venue *venue, struct settings *settings, struct error *error)
{
        const char *ws = settings_text(settings, venue->ws_setting);
        const char *rest = settings_text(settings, venue->rest_setting);
        ws = *ws ? ws : venue->ws_url;
        rest = *rest ? rest : venue->rest_url;
        int code = rest_url_parse(ws, &site->ws);
        if (code || strncmp(ws, "ws", 2))
                return error_set(error, ERR_USAGE,
                    "%s=%s: allowed is wss://host[:port] (ws:// only to this machine)",
                    venue->ws_setting, ws);
        code = rest_url_parse(rest, &site->rest);
        if (code || strncmp(rest, "http", 4))
                return error_set(error, ERR_USAGE,
                    "%s=%s: allowed is https://host[:port] (http:// only to this machine)",
                    venue->rest_setting, rest);
        snprintf(site->rest_base, sizeof(site->rest_base), "%s", rest);
        size_t size = strlen(site->rest_base);
        if (size && site->rest_base[size - 1] == '/')
                site->rest_base[size - 1] = '\0';
        return 0;
}

/* All of a key or nothing; empty settings are none. */
static int site_choice(struct site *site, struct settings *settings, struct error *error)
{
        static const char *const names[] = {
            "COINBASE_API_KEY", "COINBASE_API_SECRET", "COINBASE_API_PASSPHRASE"};
        struct venue_choice *choice = &site->choice;
        const char **values[] = {&choice->key, &choice->secret, &choice->passphrase};
        const char *missing = NULL;
        choice->period_ms =
            strcmp(settings_text(settings, "ORDERBOOK_UPDATEFREQUENCY"), "1000") ? 100 : 1000;
        choice->aggregate = !strcmp(settings_text(settings, "BINANCE_TRADES"), "aggtrade");
        if (strcmp(site->venue->name, "coinbase"))
                return 0;
        for (size_t i = 0; i < 3; i++) {
                const char *value = settings_text(settings, names[i]);
                *values[i] = *value ? value : NULL;
                missing = *value ? missing : names[i];
        }
        if (missing && (choice->key || choice->secret || choice->passphrase))
                return error_set(error, ERR_USAGE,
                    "%s is not set: allowed are all three of COINBASE_API_KEY, _SECRET and "
                    "_PASSPHRASE, or none",
                    missing);
        if (choice->secret && !sign_secret_is_valid(choice->secret))
                return error_set(error, ERR_USAGE,
                    "COINBASE_API_SECRET=(not shown): allowed is the base64 text that the exchange "
                    "gave");
        return 0;
}

static const struct venue *chosen_feed(const struct app *app, const struct venue *venue)
{
        const struct venue *feed = strcmp(venue->name, "coinbase")
            ? venue
            : venue_feed(venue->name, settings_text(app->settings, "COINBASE_FEED"));
        return feed ? feed : venue;
}

struct site *site_open(struct app *app, const struct venue *venue, struct error *error)
{
        venue = chosen_feed(app, venue);
        for (size_t i = 0; i < app->site_count; i++) {
                if (app->sites[i].venue == venue)
                        return &app->sites[i];
        }
        struct site *site = &app->sites[app->site_count];
        *site = (struct site){.app = app, .venue = venue};
        if (site_urls(site, venue, app->settings, error) || site_choice(site, app->settings, error))
                return NULL;
        budget_init(&site->budget, venue->weight_per_minute);
        app->site_count++;
        return site;
}
