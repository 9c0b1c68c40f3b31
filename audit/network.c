#include "audit/network.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "venue/budget.h"

#define SHARE 5         /* a budget takes half of what it is told: a tenth */
#define BUSY_PERCENT 60 /* of what an exchange allows: then others need it more */
#define ANSWER_NS (40 * NS_PER_S)
#define WAIT_NS (90 * NS_PER_S) /* for the next minute, or for Retry-After */
#define POLL_NS (5 * NS_PER_MS)
#define SITES_MAX 8

struct site {
        const struct venue *venue;
        struct budget budget;
        char base[1400];
        char closed[128]; /* why it is not asked any more in this run */
};

struct network {
        const struct settings *settings;
        struct rest *rest;
        struct site sites[SITES_MAX];
        size_t site_count;
        uint64_t next_id;
};

static void sleep_ns(int64_t ns)
{
        struct timespec time = {ns / NS_PER_S, ns % NS_PER_S};
        nanosleep(&time, NULL);
}

int network_open(struct network **ret_network, const struct settings *settings, struct error *error)
{
        struct network *network = memory_new(sizeof(*network));
        const char *ca_file = settings_text(settings, "CA_FILE");
        struct rest_options options = {.ca_file = *ca_file ? ca_file : NULL};
        *network = (struct network){.settings = settings};
        int code = rest_open(&network->rest, &options, error);
        if (code)
                free(network);
        else
                *ret_network = network;
        return code;
}

void network_close(struct network *network)
{
        if (!network)
                return;
        rest_close(network->rest);
        for (size_t i = 0; i < network->site_count; i++)
                budget_deinit(&network->sites[i].budget);
        free(network);
}

static struct site *site_of(struct network *network, const struct venue *venue)
{
        for (size_t i = 0; i < network->site_count; i++) {
                if (network->sites[i].venue == venue)
                        return &network->sites[i];
        }
        if (network->site_count == SITES_MAX)
                return NULL;
        struct site *site = &network->sites[network->site_count++];
        const char *other = settings_text(network->settings, venue->rest_setting);
        *site = (struct site){.venue = venue};
        snprintf(site->base, sizeof(site->base), "%s", *other ? other : venue->rest_url);
        size_t size = strlen(site->base);
        if (size && site->base[size - 1] == '/')
                site->base[size - 1] = '\0';
        budget_init(&site->budget, venue->weight_per_minute / SHARE);
        return site;
}

/* Until the budget lets it go out; ERR_BUSY: that would take too long. */
static int wait_for_budget(struct site *site, uint32_t weight)
{
        struct budget_request request;
        int64_t end_ns = clock_mono_ns() + WAIT_NS;
        if (site->budget.blocked_until_ns > clock_wall_ns() + WAIT_NS)
                return ERR_BUSY;
        budget_add(&site->budget, BUDGET_PROBE, 0, weight);
        while (!budget_next(&site->budget, clock_wall_ns(), &request)) {
                if (clock_mono_ns() >= end_ns)
                        return ERR_BUSY;
                sleep_ns(20 * NS_PER_MS);
        }
        return 0;
}

static void take_limits(struct site *site, const struct rest_answer *answer)
{
        int64_t now_ns = clock_wall_ns();
        int64_t busy = (int64_t)site->venue->weight_per_minute * BUSY_PERCENT / 100;
        if (answer->used_weight > busy)
                budget_block(&site->budget, now_ns, 60 - now_ns / NS_PER_S % 60);
        if (answer->status != 429 && answer->status != 418)
                return;
        budget_block(&site->budget, now_ns, answer->retry_after_s);
        int64_t wait_s = (site->budget.blocked_until_ns - now_ns) / NS_PER_S;
        log_warning(
            "%s: HTTP %d, no request for %" PRId64 " s", site->venue->name, answer->status, wait_s);
        if (site->budget.blocked_until_ns > now_ns + WAIT_NS)
                snprintf(site->closed, sizeof(site->closed),
                    "HTTP %d, to be left alone for %" PRId64 " s", answer->status, wait_s);
}

/* The answer of that id; those to requests that were given up are passed over. */
static int await(struct network *network, uint64_t id, struct rest_answer *ret_answer)
{
        int64_t end_ns = clock_mono_ns() + ANSWER_NS;
        while (clock_mono_ns() < end_ns) {
                while (rest_take(network->rest, ret_answer)) {
                        if (ret_answer->id == id)
                                return 0;
                        buffer_deinit(&ret_answer->body);
                }
                sleep_ns(POLL_NS);
        }
        return ERR_IO;
}

static int ask(struct network *network, struct site *site, const char *symbol,
    struct rest_answer *ret_answer, struct error *error)
{
        struct buffer url;
        uint64_t id = ++network->next_id;
        buffer_init(&url, LIMIT_SETTING_SIZE);
        site->venue->image_url(site->base, KIND_L2, symbol, NETWORK_DEPTH, &url);
        buffer_append_byte(&url, 0);
        int code = rest_get(network->rest, id, (char *)url.data, "");
        code = code ? code : await(network, id, ret_answer);
        buffer_deinit(&url);
        if (code)
                return error_set(error, code, "no answer from the exchange");
        if (!ret_answer->code)
                take_limits(site, ret_answer);
        if (ret_answer->code)
                error_set(error, ret_answer->code, "%.200s", ret_answer->text);
        else if (ret_answer->status != 200)
                error_set(error, ERR_DENIED, "HTTP %d", ret_answer->status);
        else
                return 0;
        buffer_deinit(&ret_answer->body);
        return error->code;
}

int network_image(struct network *network, const struct venue *venue, const char *symbol,
    struct rest_answer *ret_answer, struct error *error)
{
        struct site *site = site_of(network, venue);
        if (!site)
                return error_set(error, ERR_FULL, "too many exchanges");
        if (*site->closed)
                return error_set(error, ERR_BUSY, "%s", site->closed);
        for (int attempt = 0;; attempt++) {
                if (wait_for_budget(site, venue->image_weight(KIND_L2, NETWORK_DEPTH))) {
                        snprintf(site->closed, sizeof(site->closed),
                            "the exchange's limit leaves no room");
                        return error_set(error, ERR_BUSY, "%s", site->closed);
                }
                int code = ask(network, site, symbol, ret_answer, error);
                bool later = site->budget.blocked_until_ns > clock_wall_ns() && !*site->closed;
                if (!code || attempt || !later)
                        return code;
        }
}
