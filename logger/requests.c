/* REST: what is asked for, in the order and at the pace that the budget allows, and the answers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "logger/app.h"

#define NAMES_RETRY_MIN_NS NS_PER_S
#define NAMES_RETRY_MAX_NS (60 * NS_PER_S)
#define RESOLVE_RETRY_NS (2 * NS_PER_S)
#define PROBE_LIMIT 5
#define KEY_FAILURES 6 /* refused images in a row, about half a minute: it is the key */
#define NAMES_MAX 128  /* symbols in one request */

/* The wall clock as it was at the start, gone on without steps: bans end when they should. */
static int64_t steady_ns(const struct app *app)
{
        return app->mono_ns + app->start_offset_ns;
}

static struct request *request_new(
    struct app *app, enum request_kind kind, struct site *site, uint64_t *ret_id)
{
        size_t at = 0;
        while (at < app->request_count && app->requests[at].used)
                at++;
        if (at == app->request_count) {
                app->request_count = app->request_count ? app->request_count * 2 : 64;
                app->requests =
                    memory_resize(app->requests, app->request_count * sizeof(struct request));
                memset(app->requests + at, 0, (app->request_count - at) * sizeof(struct request));
        }
        app->requests[at] = (struct request){.kind = kind, .used = true, .site = site};
        *ret_id = at;
        return &app->requests[at];
}

static void request_done(struct request *request)
{
        free(request->names);
        *request = (struct request){0};
}

/* ... whatever came of it. */
static void request_end(struct request *request)
{
        if (request->kind == REQUEST_NAMES)
                request->site->names_waiting--;
        if (request->kind == REQUEST_LISTING)
                request->site->listing = false;
        request_done(request);
}

void requests_free(struct app *app)
{
        for (size_t i = 0; i < app->request_count; i++)
                free(app->requests[i].names);
        free(app->requests);
}

/* The answer to what is under way comes all the same: its place waits for it. */
void requests_forget(struct tracked *tracked)
{
        struct app *app = tracked->site->app;
        for (size_t i = 0; i < app->request_count; i++) {
                struct request *request = &app->requests[i];
                if (request->tracked == tracked)
                        request->tracked = NULL;
                for (size_t n = 0; n < request->name_count; n++) {
                        if (request->names[n] == tracked)
                                request->names[n] = NULL;
                }
        }
}

/* Without those that were dropped meanwhile. */
static void names_close_ranks(struct request *request)
{
        size_t kept = 0;
        for (size_t i = 0; i < request->name_count; i++) {
                if (request->names[i])
                        request->names[kept++] = request->names[i];
        }
        request->name_count = kept;
}

/* A probe wants the id alone: levels have it as well as orders. */
static uint8_t image_kind(const struct request *request)
{
        return request->purpose == FETCH_PROBE ? KIND_L2 : request->tracked->kind;
}

/* Put it into the queue of what may go out. */
static void ask(struct request *request, uint64_t id)
{
        static const enum budget_priority priorities[FETCH_PURPOSES] = {
            [FETCH_FIRST] = BUDGET_FIRST,
            [FETCH_RESYNC] = BUDGET_RESYNC,
            [FETCH_REFRESH] = BUDGET_REFRESH,
            [FETCH_PROBE] = BUDGET_PROBE};
        struct site *site = request->site;
        if (request->kind == REQUEST_NAMES || request->kind == REQUEST_LISTING)
                budget_add(&site->budget, BUDGET_NAMES, id, site->venue->info_weight);
        else
                budget_add(&site->budget, priorities[request->purpose], id,
                    site->venue->image_weight(image_kind(request), request->limit));
}

static void request_names(struct site *site, struct tracked **names, size_t count)
{
        uint64_t id;
        struct request *request = request_new(site->app, REQUEST_NAMES, site, &id);
        request->names = memory_new(count * sizeof(*names));
        memcpy(request->names, names, count * sizeof(*names));
        request->name_count = count;
        site->names_waiting++;
        ask(request, id);
}

static void request_names_of(struct site *site, bool all)
{
        struct tracked *names[NAMES_MAX];
        size_t count = 0, most = site->venue->info_symbols_max;
        for (struct tracked *tracked = site->tracked; tracked; tracked = tracked->next) {
                if (tracked->kind != KIND_TRADES && !tracked->refused && (all || !tracked->asked)) {
                        tracked->asked = true;
                        names[count++] = tracked;
                }
                if (count == most || (count && !tracked->next)) {
                        request_names(site, names, count);
                        count = 0;
                }
        }
}

void request_all_names(struct site *site)
{
        request_names_of(site, true);
}

void request_new_names(struct site *site)
{
        request_names_of(site, false);
}

void request_listing(struct site *site)
{
        uint64_t id;
        struct request *request = request_new(site->app, REQUEST_LISTING, site, &id);
        site->listing = true;
        ask(request, id);
}

void request_resolve(struct site *site)
{
        uint64_t id;
        if (site->resolving || site->app->mono_ns < site->resolve_retry_ns)
                return;
        request_new(site->app, REQUEST_RESOLVE, site, &id);
        site->resolving = true;
        char proxy[300];
        struct rest_url target = site->ws;
        if (rest_proxy(site->ws.host, site->ws.tls, proxy, sizeof(proxy)))
                snprintf(target.host, sizeof(target.host), "%.*s",
                    (int)(strrchr(proxy, ':') - proxy), proxy);
        site->app->network->ops->resolve(site->app->network, id, target.host);
}

/* So many books wait for an image, or will. */
static size_t books_missing(const struct site *site)
{
        size_t count = 0;
        for (const struct tracked *tracked = site->tracked; tracked; tracked = tracked->next)
                count += tracked->kind != KIND_TRADES && !tracked->refused &&
                    !(tracked->stream && record_has_book(tracked->stream));
        return count;
}

static uint32_t image_limit(struct tracked *tracked, enum fetch_purpose purpose)
{
        struct app *app = tracked->site->app;
        bool many = books_missing(tracked->site) > FIRST_IMAGES_DEEP;
        if (purpose == FETCH_PROBE)
                return PROBE_LIMIT;
        if (purpose == FETCH_REFRESH)
                return app->depth;
        return many && app->depth > FIRST_IMAGE_SHALLOW ? FIRST_IMAGE_SHALLOW : app->depth;
}

/* To carry an image forward, the events since before the oldest one that a cache can answer. */
void request_image(struct tracked *tracked, enum fetch_purpose purpose, uint32_t fetch)
{
        struct site *site = tracked->site;
        struct app *app = site->app;
        uint64_t id;
        struct request *request = request_new(app, REQUEST_IMAGE, site, &id);
        request->tracked = tracked;
        request->purpose = purpose;
        request->fetch = fetch;
        request->limit = image_limit(tracked, purpose);
        if (purpose == FETCH_REFRESH && site->venue->image_age_ns) {
                record_tail_begin(tracked->stream);
                request->later_mono_ns = app->mono_ns + site->venue->image_age_ns;
        } else {
                ask(request, id);
        }
}

static void send_names(struct request *request, struct buffer *url)
{
        const char *symbols[NAMES_MAX];
        size_t count = 0;
        for (; count < request->name_count && count < NAMES_MAX; count++)
                symbols[count] = request->names[count]->symbol;
        request->site->venue->info_url(request->site->rest_base, symbols, count, url);
}

/* What nobody waits for any more is not asked for. */
static bool request_is_stale(const struct request *request)
{
        if (request->kind != REQUEST_IMAGE)
                return request->kind == REQUEST_NAMES && !request->name_count;
        return !request->tracked || !request->tracked->session.fetching ||
            request->tracked->session.fetch != request->fetch;
}

/* The book of orders alone: what is open to everybody is asked for without a key. */
static bool wants_key(const struct request *request)
{
        return request->kind == REQUEST_IMAGE && image_kind(request) == KIND_L3;
}

static void send_url(struct app *app, struct request *request, uint64_t id, const char *url)
{
        const struct site *site = request->site;
        struct buffer headers;
        buffer_init(&headers, LIMIT_SETTING_SIZE);
        if (site->venue->headers && wants_key(request))
                site->venue->headers(
                    &site->choice, url + strlen(site->rest_base), app->wall_ns, &headers);
        buffer_append_byte(&headers, 0);
        log_debug("%s: asking for %s", site->venue->name, url);
        if (app->network->ops->get(app->network, site->venue->name, id, url, (char *)headers.data))
                request->later_mono_ns = app->mono_ns + NS_PER_S; /* too many are under way */
        buffer_deinit(&headers);
}

static void request_send(struct app *app, uint64_t id)
{
        struct request *request = &app->requests[id];
        struct buffer url;
        names_close_ranks(request);
        if (request_is_stale(request)) {
                request_end(request);
                return;
        }
        buffer_init(&url, LIMIT_SETTING_SIZE);
        if (request->kind == REQUEST_NAMES) {
                send_names(request, &url);
        } else if (request->kind == REQUEST_LISTING) {
                request->site->venue->info_url(request->site->rest_base, NULL, 0, &url);
        } else {
                if (request->purpose == FETCH_REFRESH && !request->site->venue->image_age_ns)
                        record_tail_begin(request->tracked->stream);
                request->site->venue->image_url(request->site->rest_base, image_kind(request),
                    request->tracked->symbol, request->limit, &url);
        }
        buffer_append_byte(&url, 0);
        send_url(app, request, id, (char *)url.data);
        buffer_deinit(&url);
}

/* What waited for its time: names that could not be had, images that are not to be too early. */
static void ask_later(struct app *app)
{
        for (size_t i = 0; i < app->request_count; i++) {
                struct request *request = &app->requests[i];
                if (!request->used || !request->later_mono_ns ||
                    app->mono_ns < request->later_mono_ns)
                        continue;
                request->later_mono_ns = 0;
                if (request->kind == REQUEST_IMAGE && !request->tracked)
                        request_end(request);
                else
                        ask(request, i);
        }
}

void requests_tick(struct app *app)
{
        struct budget_request next;
        ask_later(app);
        for (size_t i = 0; i < app->site_count; i++) {
                while (budget_next(&app->sites[i].budget, steady_ns(app), &next))
                        request_send(app, next.id);
        }
}

/* 429 and 418 stop everything to that host. Any other failure is the request's own. */
static void note_limits(struct site *site, const struct rest_answer *answer)
{
        struct app *app = site->app;
        budget_used(&site->budget, steady_ns(app), answer->used_weight);
        if (answer->status != 429 && answer->status != 418)
                return;
        budget_block(&site->budget, steady_ns(app), answer->retry_after_s);
        log_warning("%s: HTTP %d, no REST request for %" PRId64 " s", site->venue->name,
            answer->status, (site->budget.blocked_until_ns - steady_ns(app)) / NS_PER_S);
}

static const char *answer_problem(const struct rest_answer *answer, char *text, size_t size)
{
        if (answer->code)
                snprintf(text, size, "%s", answer->text);
        else if (answer->status == 451)
                snprintf(text, size,
                    "HTTP 451, the exchange does not serve this location: set another host");
        else
                snprintf(text, size, "HTTP %d", answer->status);
        return text;
}

static void fail_image(struct app *app, struct request *request, const char *why)
{
        struct tracked *tracked = request->tracked;
        unsigned failures = tracked->session.failures;
        if ((failures & (failures + 1)) == 0) /* the first, and then less and less often */
                log_warning("%s: no image, trying again: %s", tracked->name, why);
        int64_t blocked = request->site->budget.blocked_until_ns - steady_ns(app);
        tracked_fetch_failed(tracked, request->fetch, blocked > 0 ? app->mono_ns + blocked : 0);
}

/* The book of orders is refused to this key, and it never was given. */
static bool key_is_refused(const struct request *request, const struct rest_answer *answer)
{
        return (answer->status == 401 || answer->status == 403) && image_kind(request) == KIND_L3 &&
            request->site->choice.key && request->purpose == FETCH_FIRST &&
            request->tracked->session.failures >= KEY_FAILURES;
}

static void image_answered(struct app *app, struct request *request, struct rest_answer *answer)
{
        struct json_value root;
        char text[300];
        const char *reason = "the answer is not JSON";
        struct image image = {.receive_time_ns = cut_receive_time(app, answer->received_ns)};
        bool parsed = !answer->code &&
            !json_parse(app->parser, (char *)answer->body.data, answer->body.size, &root);
        if (!answer->code && key_is_refused(request, answer)) {
                symbols_without_key(request->site, answer_problem(answer, text, sizeof(text)));
        } else if (answer->code || answer->status != 200) {
                struct site *site = request->site;
                fail_image(app, request, answer_problem(answer, text, sizeof(text)));
                if (parsed && site->venue->is_unknown_symbol(answer->status, root))
                        symbols_ask_again(site); /* its answer decides */
        } else if (!parsed ||
            parse_image(
                request->tracked, root, image_kind(request), request->limit, &image, &reason)) {
                log_warning("%s: an image cannot be used: %s", request->tracked->name, reason);
                fail_image(app, request, reason);
        } else {
                if (request->purpose != FETCH_PROBE)
                        request->tracked->shallow =
                            request->limit < app->depth && request->tracked->kind == KIND_L2;
                tracked_image(request->tracked, request->fetch, &image);
        }
}

/* One name of many is wrong and the exchange does not say which: ask for each half. */
static void names_unknown(struct request *request)
{
        struct site *site = request->site;
        size_t half = request->name_count / 2;
        if (request->name_count == 1) {
                symbol_missing(request->names[0], "the exchange does not know this symbol");
                return;
        }
        struct request copy = *request; /* new requests may move the table */
        request_names(site, copy.names, half);
        request_names(site, copy.names + half, copy.name_count - half);
}

/* Of all that is listed, what we cannot read is passed over. */
static int names_take(const struct request *request, struct json_value root)
{
        struct site *site = request->site;
        bool listing = request->kind == REQUEST_LISTING; /* new requests may move the table */
        struct json_cursor cursor;
        struct symbol_info info;
        size_t told = 0;
        uint32_t limit;
        int more;
        if (site->venue->parse_info_begin(root, &cursor, &limit))
                return ERR_PARSE;
        if (limit)
                budget_set_limit(&site->budget, limit);
        while ((more = site->venue->parse_info(&cursor, &info)) > 0 || (more && listing)) {
                told += more > 0;
                if (more > 0 && listing)
                        symbol_listed(site, &info);
                else if (more > 0)
                        symbol_told(site, &info);
        }
        return more || told ? more : ERR_PARSE; /* of nothing: no answer to what was asked */
}

static void names_refuse_rest(struct tracked **names, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                if (!names[i]->stream)
                        symbol_missing(names[i], "the exchange does not name this symbol");
        }
}

/* true: the request is done. */
static bool names_answered(struct app *app, uint64_t id, struct rest_answer *answer)
{
        struct request *request = &app->requests[id];
        struct site *site = request->site;
        struct json_value root;
        char text[300];
        bool parsed = !answer->code &&
            !json_parse(app->parser, (char *)answer->body.data, answer->body.size, &root);
        names_close_ranks(request);
        if (request->kind == REQUEST_NAMES && !request->name_count)
                return true;
        if (request->kind == REQUEST_NAMES && parsed &&
            site->venue->is_unknown_symbol(answer->status, root)) {
                names_unknown(request);
                return true;
        }
        if (parsed && answer->status == 200 && !names_take(request, root)) {
                names_refuse_rest(app->requests[id].names, app->requests[id].name_count);
                site->listings += app->requests[id].kind == REQUEST_LISTING;
                return true;
        }
        request = &app->requests[id];
        int64_t wait = NAMES_RETRY_MIN_NS << (request->failures < 6 ? request->failures : 6);
        request->failures++;
        request->later_mono_ns =
            app->mono_ns + (wait < NAMES_RETRY_MAX_NS ? wait : NAMES_RETRY_MAX_NS);
        if (answer->code || answer->status != 200)
                answer_problem(answer, text, sizeof(text));
        else
                snprintf(text, sizeof(text), "an answer that cannot be understood");
        snprintf(site->trouble, sizeof(site->trouble), "%.64s: %.160s", site->rest.host, text);
        log_error(
            "%s: the list of symbols from %s; trying again", site->venue->name, site->trouble);
        return false;
}

static void resolve_answered(struct site *site, const struct rest_answer *answer)
{
        struct app *app = site->app;
        site->resolving = false;
        site->resolved_ns = app->mono_ns;
        site->address_count = answer->code ? 0 : answer->address_count;
        site->address_next = 0;
        if (!site->address_count) {
                log_error("%s: %s: %s; trying again", site->venue->name, site->ws.host,
                    answer->code ? answer->text : "has no address");
                site->resolve_retry_ns = app->mono_ns + RESOLVE_RETRY_NS;
        }
        memcpy(site->addresses, answer->addresses, sizeof(site->addresses));
        connections_resolved(site);
}

static void answer_take(struct app *app, struct rest_answer *answer)
{
        struct request *request = &app->requests[answer->id];
        struct site *site = request->site;
        bool done = true;
        if (request->kind != REQUEST_RESOLVE && !answer->code) {
                note_limits(site, answer);
                site->trouble[0] = '\0';
        }
        if (request->kind == REQUEST_RESOLVE)
                resolve_answered(site, answer);
        else if (request->kind == REQUEST_IMAGE && request->tracked)
                image_answered(app, request, answer);
        else if (request->kind != REQUEST_IMAGE)
                done = names_answered(app, answer->id, answer);
        request = &app->requests[answer->id];
        if (done)
                request_end(request);
}

void requests_answers(struct app *app)
{
        struct rest_answer answer;
        while (app->network->ops->take(app->network, &answer)) {
                if (answer.id < app->request_count && app->requests[answer.id].used)
                        answer_take(app, &answer);
                buffer_deinit(&answer.body);
        }
}
