/* Which streams there are: for each symbol its book and its trades; and what the exchange says of
 * the symbols, today and whenever it changes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "logger/app.h"
#include "logger/gaps.h"
#include "logger/notes.h"

#define KEY_PATIENCE_NS (600 * NS_PER_S) /* a key that worked may work again */
#define REFRESH_SHARE 5                  /* re-images take at most a fifth of the REST budget */
#define LISTING_EVERY_NS                                                                           \
        (600 * NS_PER_S)             /* new listings are found after so long, at the latest        \
                                      */
#define ASK_AGAIN_NS (30 * NS_PER_S) /* between two questions about all symbols */

static uint64_t hash_stream(const char *symbol, size_t size, uint8_t kind)
{
        uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ kind;
        for (size_t i = 0; i < size; i++)
                hash = (hash ^ (unsigned char)symbol[i]) * UINT64_C(0x100000001b3);
        return hash;
}

static struct tracked **by_name_place(
    struct site *site, const char *symbol, size_t size, uint8_t kind)
{
        size_t at = hash_stream(symbol, size, kind) % site->by_name_size;
        const struct tracked *tracked;
        while ((tracked = site->by_name[at]) &&
            (tracked->kind != kind || strlen(tracked->symbol) != size ||
                memcmp(tracked->symbol, symbol, size)))
                at = (at + 1) % site->by_name_size;
        return &site->by_name[at];
}

struct tracked *tracked_find(struct site *site, const char *symbol, size_t size, uint8_t kind)
{
        return site->by_name_size ? *by_name_place(site, symbol, size, kind) : NULL;
}

static void by_name_grow(struct site *site)
{
        if (2 * (site->tracked_count + 1) <= site->by_name_size)
                return;
        free(site->by_name);
        site->by_name_size = site->by_name_size ? site->by_name_size * 2 : 64;
        site->by_name = memory_new(site->by_name_size * sizeof(*site->by_name));
        for (struct tracked *tracked = site->tracked; tracked; tracked = tracked->next)
                *by_name_place(site, tracked->symbol, strlen(tracked->symbol), tracked->kind) =
                    tracked;
}

struct tracked *symbol_book(struct site *site, const char *symbol)
{
        size_t size = strlen(symbol);
        struct tracked *orders = tracked_find(site, symbol, size, KIND_L3);
        struct tracked *levels = tracked_find(site, symbol, size, KIND_L2);
        return orders && (!orders->refused || !levels) ? orders : levels;
}

static struct tracked *stream_add(struct site *site, const char *symbol, uint8_t kind)
{
        struct app *app = site->app;
        struct tracked *tracked = memory_new(sizeof(*tracked));
        tracked->site = site;
        tracked->member = -1;
        tracked->kind = kind;
        tracked->note = "";
        snprintf(tracked->symbol, sizeof(tracked->symbol), "%s", symbol);
        snprintf(tracked->name, sizeof(tracked->name), "%s:%s%s", site->venue->name, symbol,
            kind == KIND_TRADES ? " trades" : "");
        event_log_init(&tracked->held, HELD_SIZE);
        if (kind == KIND_L3 && !app->order_ids) {
                tracked->numbers = memory_new(sizeof(*tracked->numbers));
                order_numbers_init(tracked->numbers);
                tracked->note = "L3_IDS=off: orders by number, without their ids; never compared "
                                "with a later image";
        }
        by_name_grow(site);
        *by_name_place(site, symbol, strlen(symbol), kind) = tracked;
        tracked->next = site->tracked;
        site->tracked = tracked;
        site->tracked_count++;
        return tracked;
}

static void tell_no_key(const struct site *site)
{
        log_warning("%s: no key is set (COINBASE_API_KEY, _SECRET, _PASSPHRASE): levels are "
                    "recorded in place of orders",
            site->venue->name);
}

int symbol_add(struct site *site, const char *symbol, struct error *error)
{
        uint8_t kind = site->venue->book_kind(&site->choice);
        if (!site->venue->symbol_is_valid(symbol))
                return error_set(error, ERR_USAGE,
                    "%s:%s: not a symbol of its feed \"%s\", like %s", site->venue->name, symbol,
                    site->venue->feed, site->venue->example);
        if (tracked_find(site, symbol, strlen(symbol), kind))
                return error_set(
                    error, ERR_BUSY, "%s:%s is there already", site->venue->name, symbol);
        struct tracked *book = stream_add(site, symbol, kind);
        if (site->venue->orders_need_key && kind == KIND_L2)
                book->note = "no key is set: levels in place of orders";
        if (site->app->trades)
                stream_add(site, symbol, KIND_TRADES);
        return 0;
}

/* Those behind it move up, if that is not before the place where they are looked for first. */
static void by_name_remove(struct site *site, const struct tracked *removed)
{
        size_t size = site->by_name_size;
        size_t hole =
            (size_t)(by_name_place(site, removed->symbol, strlen(removed->symbol), removed->kind) -
                site->by_name);
        struct tracked *tracked;
        for (size_t at = (hole + 1) % size; (tracked = site->by_name[at]); at = (at + 1) % size) {
                size_t home =
                    hash_stream(tracked->symbol, strlen(tracked->symbol), tracked->kind) % size;
                if ((at + size - home) % size < (at + size - hole) % size)
                        continue;
                site->by_name[hole] = tracked;
                hole = at;
        }
        site->by_name[hole] = NULL;
}

static void stream_drop(struct tracked *tracked)
{
        struct site *site = tracked->site;
        struct tracked **at = &site->tracked;
        if (tracked->link)
                link_remove(tracked->link, tracked->member);
        requests_forget(tracked);
        gaps_forget(tracked);
        notes_end(tracked);
        if (tracked->stream)
                record_stream_close(tracked->stream, site->app->wall_ns, true);
        by_name_remove(site, tracked);
        while (*at != tracked)
                at = &(*at)->next;
        *at = tracked->next;
        site->tracked_count--;
        tracked_free(tracked);
}

void symbol_drop(struct site *site, const char *symbol)
{
        for (uint8_t kind = 0; kind < KINDS; kind++) {
                struct tracked *tracked = tracked_find(site, symbol, strlen(symbol), kind);
                if (tracked)
                        stream_drop(tracked);
        }
        log_info("%s:%s: removed", site->venue->name, symbol);
}

void symbols_free(struct site *site)
{
        for (struct tracked *tracked = site->tracked, *next; tracked; tracked = next) {
                next = tracked->next;
                tracked_free(tracked);
        }
        free(site->by_name);
}

void tracked_free(struct tracked *tracked)
{
        event_log_deinit(&tracked->held);
        level_list_deinit(&tracked->waiting.list);
        if (tracked->numbers)
                order_numbers_deinit(tracked->numbers);
        free(tracked->numbers);
        free(tracked);
}

/* ---- what the exchange says ---- */

static void store_symbol(struct site *site, const struct symbol_info *info)
{
        struct symbol_record record = {.valid_from_ns = site->app->wall_ns,
            .trading = info->trading,
            .auction = info->auction};
        snprintf(record.exchange, sizeof(record.exchange), "%s", site->venue->name);
        snprintf(record.symbol, sizeof(record.symbol), "%s", info->symbol);
        snprintf(record.base, sizeof(record.base), "%s", info->base);
        snprintf(record.quote, sizeof(record.quote), "%s", info->quote);
        snprintf(record.tick, sizeof(record.tick), "%s", info->tick);
        snprintf(record.lot, sizeof(record.lot), "%s", info->lot);
        snprintf(record.min_quantity, sizeof(record.min_quantity), "%s", info->min_quantity);
        snprintf(record.min_notional, sizeof(record.min_notional), "%s", info->min_notional);
        snprintf(record.status, sizeof(record.status), "%s", info->status);
        record_symbol(site->app->recorder, &record);
}

/* What it said before is not what it says now. */
static void tell_changes(const struct tracked *tracked, const struct symbol_info *info)
{
        if (strcmp(tracked->info.status, info->status))
                log_warning("%s: its status is %s, it was %s", tracked->name, info->status,
                    tracked->info.status);
        if (strcmp(tracked->info.tick, info->tick) || strcmp(tracked->info.lot, info->lot))
                log_info("%s: tick %s, lot %s; they were %s, %s", tracked->name, info->tick,
                    info->lot, tracked->info.tick, tracked->info.lot);
}

/* A step at that many digits; 1 where it switches that part of the grid off. */
static int64_t step_in(const char *text, unsigned digits)
{
        int64_t step;
        return decimal_parse(text, strlen(text), digits, &step) || step < 1 ? 1 : step;
}

static unsigned digits_for(const char *text, unsigned digits)
{
        int needed = decimal_digits(text, strlen(text));
        return needed > (int)digits ? (unsigned)needed : digits;
}

/* A stream's own decimals may be others than those that the answer has; a finer grid needs more. */
static void take_grid(struct tracked *tracked, const struct symbol_info *info)
{
        struct scale before = *record_scale(tracked->stream);
        unsigned price = digits_for(info->tick, before.price_digits);
        unsigned quantity = digits_for(info->lot, before.quantity_digits);
        if (record_rescale(tracked->stream, price, quantity, step_in(info->tick, price),
                step_in(info->lot, quantity), tracked->site->app->wall_ns))
                log_error("%s: no scale holds tick %s, lot %s beside what stands in the book",
                    tracked->name, info->tick, info->lot);
        else if (price != before.price_digits || quantity != before.quantity_digits)
                tracked_scale_changed(tracked);
}

static void take_facts(struct tracked *tracked, const struct symbol_info *info)
{
        take_grid(tracked, info);
        if (info->auction != tracked->info.auction)
                record_set_auction(tracked->stream, info->auction);
}

static void stream_told(struct tracked *tracked, const struct symbol_info *info)
{
        bool known = tracked->stream;
        bool ends = info->gone && (!known || tracked->site->venue->refuses_whole);
        if (tracked->refused)
                return;
        if (known && tracked->kind != KIND_TRADES)
                tell_changes(tracked, info);
        if (!known && !info->trading && tracked->kind != KIND_TRADES)
                log_warning("%s: its status is %s", tracked->name, info->status);
        if (ends)
                tracked_refuse(tracked, "it is not traded any more");
        else if (known)
                take_facts(tracked, info);
        else
                tracked_begin(tracked, info);
        tracked->info = *info;
}

void symbol_told(struct site *site, const struct symbol_info *info)
{
        bool ours = false;
        for (uint8_t kind = 0; kind < KINDS; kind++) {
                struct tracked *tracked =
                    tracked_find(site, info->symbol, strlen(info->symbol), kind);
                if (!tracked)
                        continue;
                ours = true;
                stream_told(tracked, info);
        }
        if (ours)
                store_symbol(site, info);
}

void symbol_listed(struct site *site, const struct symbol_info *info)
{
        struct app *app = site->app;
        struct error error;
        const struct tracked *book = symbol_book(site, info->symbol);
        const struct rule *rule = rules_decide(&app->rules, site->venue, info->symbol);
        bool begins = info->trading && rule && rule->wanted && (!book || book->refused);
        if (!begins) {
                symbol_told(site, info);
                return;
        }
        if (book) /* it was refused, and is traded again */
                symbol_drop(site, info->symbol);
        log_info("%s:%s: listed, and matched by %s", site->venue->name, info->symbol, rule->symbol);
        if (symbol_add(site, info->symbol, &error))
                log_error("%s", error.text);
        else
                symbol_told(site, info);
}

/* It may come back: a stream goes on waiting. What is known of it now is stored. */
void symbol_missing(struct tracked *tracked, const char *why)
{
        struct site *site = tracked->site;
        struct tracked *trades =
            tracked_find(site, tracked->symbol, strlen(tracked->symbol), KIND_TRADES);
        if (tracked->refused)
                return;
        if (tracked->stream) {
                struct symbol_info info = tracked->info;
                log_warning("%s: %s any more", tracked->name, why);
                info.trading = false;
                snprintf(info.status, sizeof(info.status), "not listed");
                store_symbol(site, &info);
        }
        if (tracked->stream && !site->venue->refuses_whole)
                return;
        tracked_refuse(tracked, why);
        if (trades)
                tracked_stop(trades);
}

void symbols_ask_again(struct site *site)
{
        int64_t now = site->app->mono_ns;
        if (site->names_waiting ||
            (site->asked_names_ns && now - site->asked_names_ns < ASK_AGAIN_NS))
                return;
        site->asked_names_ns = now;
        request_all_names(site);
}

static bool any_auction(const struct site *site)
{
        const struct tracked *tracked = site->tracked;
        while (tracked && !(tracked->stream && !tracked->refused && tracked->info.auction))
                tracked = tracked->next;
        return tracked;
}

void symbols_ask_new(struct site *site)
{
        if (!site->names_ns) /* the first time: all of them are asked about in a moment */
                return;
        request_new_names(site);
        if (!site->listing && rules_have_pattern(&site->app->rules, site->venue))
                request_listing(site);
}

static void ask_for_listing(struct site *site)
{
        int64_t now = site->app->mono_ns;
        if (site->listing || now < site->listing_ns ||
            !rules_have_pattern(&site->app->rules, site->venue))
                return;
        site->listing_ns = now + LISTING_EVERY_NS;
        request_listing(site);
}

void symbols_tick(struct site *site)
{
        if (any_auction(site)) /* until it is over */
                symbols_ask_again(site);
        ask_for_listing(site);
        if (site->names_waiting || site->app->mono_ns < site->names_ns)
                return;
        if (!site->names_ns && site->venue->orders_need_key && !site->choice.key)
                tell_no_key(site);
        site->names_ns = site->app->mono_ns + site->app->names_period_ns;
        request_all_names(site);
}

static int64_t refresh_weight(const struct site *site)
{
        int64_t weight = 0;
        for (const struct tracked *tracked = site->tracked; tracked; tracked = tracked->next) {
                if (site->venue->sync(tracked->kind) == SYNC_BRIDGE && !tracked->refused)
                        weight += site->venue->image_weight(tracked->kind, site->app->depth);
        }
        return weight;
}

void symbols_plan_refresh(struct app *app)
{
        int64_t period = settings_number(app->settings, "RESYNC_EVERY");
        for (size_t i = 0; i < app->site_count; i++) {
                const struct site *site = &app->sites[i];
                int64_t share = site->budget.weight_per_minute / REFRESH_SHARE;
                int64_t needed = refresh_weight(site) * 60 * NS_PER_S / (share ? share : 1);
                period = needed > period ? needed : period;
        }
        if (period == app->refresh_period_ns)
                return;
        app->refresh_period_ns = period;
        for (size_t i = 0; i < app->site_count; i++) {
                for (struct tracked *tracked = app->sites[i].tracked; tracked;
                     tracked = tracked->next) {
                        if (!tracked->numbers)
                                tracked->session.refresh_period_ns = period;
                }
        }
}

/* ---- without a key ---- */

/* Levels in place of orders; what is known of the symbol stays known. */
static void replace_orders(struct tracked *orders)
{
        struct site *site = orders->site;
        struct symbol_info info = orders->info;
        bool begun = orders->stream;
        if (orders->refused || tracked_find(site, orders->symbol, strlen(orders->symbol), KIND_L2))
                return;
        tracked_stop(orders);
        struct tracked *levels = stream_add(site, orders->symbol, KIND_L2);
        levels->note = "the exchange refuses the key: levels in place of orders";
        if (begun)
                tracked_begin(levels, &info);
        levels->info = info;
}

/* Trades came with the orders; now they have a channel of their own. */
static void rejoin_trades(struct tracked *trades)
{
        struct error error;
        if (!trades->link)
                return;
        connections_leave(trades);
        tracked_tell_source(trades);
        if (connections_join(trades, &error))
                tracked_refuse(trades, error.text);
}

bool symbols_key_may_work(struct site *site)
{
        int64_t now = site->app->mono_ns;
        if (!site->key_worked)
                return false;
        if (!site->denied_ns)
                site->denied_ns = now;
        return now - site->denied_ns < KEY_PATIENCE_NS;
}

void symbols_without_key(struct site *site, const char *why)
{
        if (!site->choice.key)
                return;
        log_error("%s: the exchange refuses the key (%s): levels are recorded in place of orders; "
                  "check COINBASE_API_KEY, _SECRET and _PASSPHRASE",
            site->venue->name, why);
        site->choice.key = site->choice.secret = site->choice.passphrase = NULL;
        for (struct tracked *tracked = site->tracked; tracked; tracked = tracked->next) {
                if (tracked->kind == KIND_TRADES)
                        rejoin_trades(tracked);
        }
        for (struct tracked *tracked = site->tracked; tracked; tracked = tracked->next) {
                if (tracked->kind == KIND_L3)
                        replace_orders(tracked);
        }
}
