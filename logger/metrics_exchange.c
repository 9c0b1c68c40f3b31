/* Numbers of each exchange: what came from it, what was lost, what may be asked of it. */
#include <stddef.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "logger/app.h"
#include "logger/metrics_parts.h"

static void begin(struct exposition *out, const struct site *site)
{
        exposition_begin(out, "");
        exposition_label(out, "exchange", site->venue->name);
}

/* ---- counters as they stand in the site ---- */

static const struct {
        const char *name, *meaning;
        size_t offset;
} site_counters[] = {
    {"oblogger_received_messages_total", "Messages received.", offsetof(struct site, messages)},
    {"oblogger_received_bytes_total", "Bytes of messages received, without TLS and framing.",
        offsetof(struct site, message_bytes)},
    {"oblogger_bad_messages_total", "Messages, or parts of them, that could not be used.",
        offsetof(struct site, bad_messages)},
    {"oblogger_connects_total", "WebSocket connections that were opened.",
        offsetof(struct site, connects)},
    {"oblogger_connect_failures_total", "WebSocket connections that could not be opened.",
        offsetof(struct site, connect_failures)},
    {"oblogger_disconnects_total", "WebSocket connections that ended, by either side.",
        offsetof(struct site, disconnects)},
};

static uint64_t counter_at(const void *base, size_t offset)
{
        return *(const uint64_t *)(const void *)((const char *)base + offset);
}

static void write_site_counters(struct exposition *out, const struct app *app)
{
        for (size_t c = 0; c < sizeof(site_counters) / sizeof(site_counters[0]); c++) {
                exposition_family(out, site_counters[c].name, COUNTER, site_counters[c].meaning);
                for (size_t i = 0; i < app->site_count; i++) {
                        begin(out, &app->sites[i]);
                        exposition_number(out, counter_at(&app->sites[i], site_counters[c].offset));
                }
        }
}

static unsigned open_connections(const struct site *site)
{
        unsigned count = 0;
        for (size_t i = 0; i < site->link_count; i++) {
                for (int which = 0; which < 2; which++)
                        count += link_open_number(site->links[i], which) != 0;
        }
        return count;
}

static void write_connections(struct exposition *out, const struct app *app)
{
        exposition_family(out, "oblogger_connections", GAUGE, "WebSocket connections open now.");
        for (size_t i = 0; i < app->site_count; i++) {
                begin(out, &app->sites[i]);
                exposition_number(out, open_connections(&app->sites[i]));
        }
}

/* ---- what is recorded ---- */

static const struct {
        const char *name, *meaning;
        size_t offset;
} record_counters[] = {
    {"oblogger_resyncs_total", "Books that began anew after a gap.",
        offsetof(struct record_counts, resyncs)},
    {"oblogger_corrections_total", "Later images that differed from the book.",
        offsetof(struct record_counts, corrections)},
    {"oblogger_corrected_levels_total", "Levels or orders in which they differed.",
        offsetof(struct record_counts, differences)},
};

static void write_gaps(struct exposition *out, const struct app *app)
{
        exposition_family(out, "oblogger_gaps_total", COUNTER, "Gaps in the record, by cause.");
        for (size_t i = 0; i < app->site_count; i++) {
                const struct site *site = &app->sites[i];
                struct record_counts counts = recorder_counts(app->recorder, site->venue->name);
                for (unsigned cause = 0; cause < GAP_CAUSES; cause++) {
                        begin(out, site);
                        exposition_label(out, "cause", gap_cause_name(cause));
                        exposition_number(out, counts.gaps[cause]);
                }
        }
}

static void write_record_counters(struct exposition *out, const struct app *app)
{
        for (size_t c = 0; c < sizeof(record_counters) / sizeof(record_counters[0]); c++) {
                exposition_family(
                    out, record_counters[c].name, COUNTER, record_counters[c].meaning);
                for (size_t i = 0; i < app->site_count; i++) {
                        const struct site *site = &app->sites[i];
                        struct record_counts counts =
                            recorder_counts(app->recorder, site->venue->name);
                        begin(out, site);
                        exposition_number(out, counter_at(&counts, record_counters[c].offset));
                }
        }
}

enum stream_state {
        STREAM_LIVE,
        STREAM_SYNCING,
        STREAM_UNCONFIRMED,
        STREAM_REFUSED,
        STREAM_STATES,
};

static enum stream_state stream_state(const struct tracked *tracked)
{
        if (tracked->refused)
                return STREAM_REFUSED;
        if (!tracked->stream)
                return STREAM_UNCONFIRMED;
        return record_has_book(tracked->stream) ? STREAM_LIVE : STREAM_SYNCING;
}

static void write_states(struct exposition *out, const struct app *app)
{
        static const char *const names[STREAM_STATES] = {
            "live", "syncing", "unconfirmed", "refused"};
        exposition_family(out, "oblogger_streams", GAUGE,
            "Streams (a book, or its trades) by state: live; syncing: there is no book, or no "
            "trade came yet; unconfirmed: the exchange has not told of it yet; refused.");
        for (size_t i = 0; i < app->site_count; i++) {
                const struct site *site = &app->sites[i];
                uint64_t counts[STREAM_STATES] = {0};
                for (const struct tracked *tracked = site->tracked; tracked;
                     tracked = tracked->next)
                        counts[stream_state(tracked)]++;
                for (unsigned state = 0; state < STREAM_STATES; state++) {
                        begin(out, site);
                        exposition_label(out, "state", names[state]);
                        exposition_number(out, counts[state]);
                }
        }
}

/* ---- how long events took to come ---- */

static void begin_delay(
    struct exposition *out, const char *suffix, const struct site *site, uint8_t kind)
{
        exposition_begin(out, suffix);
        exposition_label(out, "exchange", site->venue->name);
        exposition_label(out, "kind", stream_kind_name(kind));
}

static void write_delay(struct exposition *out, const struct site *site, uint8_t kind)
{
        const struct delay_histogram *delays = &site->delays[kind];
        char bound[DECIMAL_TEXT_SIZE];
        uint64_t count = 0;
        for (unsigned i = 0; i <= DELAY_BOUNDS; i++) {
                if (i < DELAY_BOUNDS)
                        decimal_format(delay_bounds_ms[i], 3, false, bound);
                count += delays->counts[i];
                begin_delay(out, "_bucket", site, kind);
                exposition_label(out, "le", i < DELAY_BOUNDS ? bound : "+Inf");
                exposition_number(out, count);
        }
        begin_delay(out, "_sum", site, kind);
        exposition_decimal(out, (int64_t)delays->sum.sum_us, 6);
        begin_delay(out, "_count", site, kind);
        exposition_number(out, count);
}

static void write_delays(struct exposition *out, const struct app *app)
{
        exposition_family(out, "oblogger_delay_seconds", HISTOGRAM,
            "Of events: receipt by our clock less their time by the exchange's; early ones are in "
            "the first bucket, and count as 0 in the sum.");
        for (size_t i = 0; i < app->site_count; i++) {
                for (uint8_t kind = 0; kind < KINDS; kind++) {
                        if (app->sites[i].delays[kind].sum.count)
                                write_delay(out, &app->sites[i], kind);
                }
        }
}

/* ---- REST ---- */

static void write_weights(struct exposition *out, const struct app *app)
{
        exposition_family(out, "oblogger_rest_weight_used", GAUGE,
            "Weight of REST requests used in this minute, by this address as far as is known.");
        for (size_t i = 0; i < app->site_count; i++) {
                begin(out, &app->sites[i]);
                exposition_number(out, app->sites[i].budget.used);
        }
        exposition_family(out, "oblogger_rest_weight_limit", GAUGE,
            "Weight a minute that the logger allows itself: half of what the exchange allows.");
        for (size_t i = 0; i < app->site_count; i++) {
                begin(out, &app->sites[i]);
                exposition_number(out, app->sites[i].budget.weight_per_minute);
        }
}

static void write_blocked(struct exposition *out, const struct app *app)
{
        int64_t now_ns = app->mono_ns + app->start_offset_ns;
        exposition_family(out, "oblogger_rest_blocked_seconds", GAUGE,
            "How long no REST request may go out yet, as the exchange said (429, 418); 0: none "
            "is held back.");
        for (size_t i = 0; i < app->site_count; i++) {
                int64_t left_ns = app->sites[i].budget.blocked_until_ns - now_ns;
                begin(out, &app->sites[i]);
                exposition_seconds(out, left_ns > 0 ? left_ns : 0);
        }
}

static void write_waiting(struct exposition *out, const struct app *app)
{
        static const char *const names[BUDGET_PRIORITIES] = {[BUDGET_NAMES] = "names",
            [BUDGET_RESYNC] = "resync",
            [BUDGET_FIRST] = "first",
            [BUDGET_PROBE] = "probe",
            [BUDGET_REFRESH] = "refresh"};
        exposition_family(out, "oblogger_rest_requests_waiting", GAUGE,
            "REST requests that wait for weight, by priority, most urgent first: names, resync, "
            "first, probe, refresh.");
        for (size_t i = 0; i < app->site_count; i++) {
                for (unsigned p = 0; p < BUDGET_PRIORITIES; p++) {
                        begin(out, &app->sites[i]);
                        exposition_label(out, "priority", names[p]);
                        exposition_number(out, budget_waiting(&app->sites[i].budget, p));
                }
        }
}

void metrics_exchanges(struct exposition *out, struct app *app)
{
        write_site_counters(out, app);
        write_connections(out, app);
        write_states(out, app);
        write_gaps(out, app);
        write_record_counters(out, app);
        write_delays(out, app);
        write_weights(out, app);
        write_blocked(out, app);
        write_waiting(out, app);
}
