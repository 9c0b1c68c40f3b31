#include "logger/metrics.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "control/server.h"
#include "logger/app.h"
#include "logger/disk.h"
#include "logger/metrics_parts.h"
#include "ship/ship.h"

#define NAMED_MAX 10             /* books that a line names */
#define STUCK_NS (30 * NS_PER_S) /* without a commit, while something waits for one */

static void write_program(struct exposition *out, const struct app *app)
{
        exposition_family(out, "oblogger_build_info", GAUGE, "1, and which version it is.");
        exposition_begin(out, "");
        exposition_label(out, "version", OBLOGGER_VERSION);
        exposition_number(out, 1);
        exposition_one_time(out, "oblogger_uptime_seconds", GAUGE, "How long it runs.",
            app->mono_ns - app->started_mono_ns);
}

/* What receive times are worth, and delays from the exchange. */
static void write_clock(struct exposition *out, const struct app *app)
{
        struct clock_state state = {0};
        exposition_one(out, "oblogger_clock_steps_total", COUNTER,
            "Steps of this machine's wall clock by a tenth of a second or more.", app->clock_steps);
        if (clock_sync(&state))
                state.synchronized = false;
        exposition_one(out, "oblogger_clock_synchronized", GAUGE,
            "1: somebody (NTP, PTP) sets this machine's clock right.", state.synchronized);
        exposition_one_time(out, "oblogger_clock_offset_seconds", GAUGE,
            "How wrong it is as far as is known: what is still to be corrected.", state.offset_ns);
        exposition_one_time(out, "oblogger_clock_error_seconds", GAUGE,
            "How wrong that may be: the kernel's estimate.", state.error_ns);
}

/* Buckets of the format hold what is in all those below, too. */
static void write_latency(struct exposition *out, const struct latency *latency)
{
        uint64_t count = 0;
        char bound[DECIMAL_TEXT_SIZE];
        exposition_family(out, "oblogger_stored_latency_seconds", HISTOGRAM,
            "From the receipt of an event until it is on disk.");
        for (unsigned i = 0; i <= LATENCY_BOUNDS; i++) {
                if (i < LATENCY_BOUNDS)
                        decimal_format(latency_bounds_ms[i], 3, false, bound);
                count += latency->counts[i];
                exposition_begin(out, "_bucket");
                exposition_label(out, "le", i < LATENCY_BOUNDS ? bound : "+Inf");
                exposition_number(out, count);
        }
        exposition_begin(out, "_sum");
        exposition_decimal(out, (int64_t)latency->sum_us, 6);
        exposition_begin(out, "_count");
        exposition_number(out, count);
}

/* How long the oldest batch is being written by now. */
static int64_t pending_ns(const struct record_stats *stats)
{
        return stats->waiting_since_ns ? clock_mono_ns() - stats->waiting_since_ns : 0;
}

static void write_writer(struct exposition *out, const struct record_stats *stats)
{
        exposition_one(
            out, "oblogger_commits_total", COUNTER, "Commits to the store.", stats->commits);
        exposition_one(out, "oblogger_failed_commits_total", COUNTER,
            "Commits that the store refused; each is tried again until it succeeds.",
            stats->failed_commits);
        exposition_one_time(out, "oblogger_commit_pending_seconds", GAUGE,
            "How long the oldest commit is under way; 0: nothing waits.", pending_ns(stats));
        exposition_one(out, "oblogger_written_bytes_total", COUNTER,
            "Bytes handed to the store, before they are packed.", stats->bytes_written);
        exposition_one(out, "oblogger_queue_bytes", GAUGE, "Bytes that wait for the store.",
            stats->queue_bytes);
        exposition_one(out, "oblogger_queue_limit_bytes", GAUGE,
            "So many may wait; beyond it nothing is recorded until half of it is written.",
            stats->queue_limit);
        exposition_one(out, "oblogger_recording_suspended", GAUGE,
            "1: the queue ran over, and nothing is recorded now; 0: all is.", stats->suspended);
}

/* ---- the sink: with none the families have no samples ---- */

static void begin_sink(
    struct exposition *out, const char *name, const char *type, const char *meaning, bool there)
{
        exposition_family(out, name, type, meaning);
        if (!there)
                return;
        exposition_begin(out, "");
        exposition_label(out, "sink", "mongodb");
}

static void sink_number(struct exposition *out, const char *name, const char *type,
    const char *meaning, bool there, uint64_t value)
{
        begin_sink(out, name, type, meaning, there);
        if (there)
                exposition_number(out, value);
}

static void write_sink_state(struct exposition *out, const struct shipper_stats *stats)
{
        static const char *const names[] = {[SHIPPER_STARTING] = "starting",
            [SHIPPER_SHIPPING] = "shipping",
            [SHIPPER_WAITING] = "waiting"};
        for (unsigned state = 0; state < sizeof(names) / sizeof(names[0]); state++) {
                exposition_begin(out, "");
                exposition_label(out, "sink", "mongodb");
                exposition_label(out, "state", names[state]);
                exposition_number(out, stats->state == state);
        }
}

static void write_sink(struct exposition *out, struct shipper *shipper)
{
        bool there = shipper;
        struct shipper_stats stats = {0};
        if (there)
                stats = shipper_stats(shipper);
        exposition_family(out, "oblogger_sink_state", GAUGE,
            "1 for the state that the sink is in: starting; shipping; waiting, as something went "
            "wrong and is tried again.");
        if (there)
                write_sink_state(out, &stats);
        begin_sink(out, "oblogger_sink_behind_seconds", GAUGE,
            "How much later the newest record here is than the newest one there.", there);
        if (there)
                exposition_seconds(out, stats.behind_ns);
        sink_number(out, "oblogger_sink_behind_events", GAUGE, "Events that are not there yet.",
            there, stats.events_behind);
        sink_number(out, "oblogger_sink_behind_bytes", GAUGE, "Bytes that are not there yet.",
            there, stats.bytes_behind);
        sink_number(out, "oblogger_sink_shipped_frames_total", COUNTER, "Frames written there.",
            there, stats.frames);
        sink_number(out, "oblogger_sink_shipped_bytes_total", COUNTER, "Bytes written there.",
            there, stats.bytes);
        sink_number(out, "oblogger_sink_failures_total", COUNTER,
            "What went wrong there; each is tried again.", there, stats.failures);
}

static void write_control(struct exposition *out, struct control_server *control)
{
        struct control_stats stats = {0};
        if (control)
                stats = control_stats(control);
        exposition_one(out, "oblogger_control_connections_total", COUNTER,
            "Connections to the manager's doors and to these pages.", stats.connections);
        exposition_one(out, "oblogger_control_refused_total", COUNTER,
            "Connections that were turned away.", stats.refused);
        exposition_one(out, "oblogger_control_wrong_keys_total", COUNTER,
            "Attempts with a wrong key.", stats.wrong_keys);
        exposition_one(
            out, "oblogger_control_requests_total", COUNTER, "Requests taken.", stats.requests);
}

static void disk_number(
    struct exposition *out, const char *name, const char *meaning, bool known, uint64_t value)
{
        exposition_family(out, name, GAUGE, meaning);
        if (!known)
                return;
        exposition_begin(out, "");
        exposition_number(out, value);
}

static void write_disk(struct exposition *out, struct disk *disk)
{
        struct disk_state state = {0};
        if (disk)
                state = disk_state(disk);
        disk_number(out, "oblogger_store_bytes",
            "Disk space that the store takes, as of the last minute.", state.known,
            state.store_bytes);
        disk_number(out, "oblogger_disk_free_bytes", "Space that is free on the store's disk.",
            state.known, state.free_bytes);
        disk_number(out, "oblogger_disk_size_bytes", "Size of the store's disk.", state.known,
            state.size_bytes);
        exposition_family(out, "oblogger_disk_full_seconds", GAUGE,
            "When the disk will be full if it goes on as in the last hour; +Inf: never, or it is "
            "not known yet.");
        exposition_begin(out, "");
        if (!state.known || state.full_in_s < 0)
                exposition_text(out, "+Inf");
        else
                exposition_number(out, (uint64_t)state.full_in_s);
}

void metrics_write(struct app *app, struct buffer *ret_text)
{
        struct exposition out = {.text = ret_text};
        struct record_stats stats = recorder_stats(app->recorder);
        write_program(&out, app);
        write_clock(&out, app);
        metrics_exchanges(&out, app);
        metrics_streams(&out, app);
        write_latency(&out, &stats.latency);
        write_writer(&out, &stats);
        write_sink(&out, app->shipper);
        write_control(&out, app->control);
        write_disk(&out, app->disk);
        metrics_process(&out, app->started_mono_ns + app->start_offset_ns);
}

/* ---- is it well? ---- */

/* Books that are wanted; trades follow their book. */
struct readiness {
        bool listed;                /* what patterns want is known */
        size_t wanted, live, never; /* never: was not live since it is followed */
        const struct tracked *named[NAMED_MAX];
        size_t named_count;
};

static void look_at_book(struct readiness *found, const struct tracked *tracked)
{
        const struct record_stream *stream = tracked->stream;
        if (tracked->kind == KIND_TRADES || tracked->refused)
                return;
        found->wanted++;
        found->never += !stream || !record_stream_counts(stream)->epochs;
        if (stream && record_has_book(stream))
                found->live++;
        else if (found->named_count < NAMED_MAX)
                found->named[found->named_count++] = tracked;
}

static void write_missing(const struct readiness *found, struct buffer *ret_text)
{
        for (size_t i = 0; i < found->named_count; i++)
                buffer_printf(ret_text, "%s%s", i ? ", " : "; not live: ", found->named[i]->name);
        size_t more = found->wanted - found->live - found->named_count;
        if (more)
                buffer_printf(ret_text, " and %zu more", more);
}

static struct readiness look_at_books(const struct app *app)
{
        struct readiness found = {.listed = true};
        for (size_t i = 0; i < app->site_count; i++) {
                const struct site *site = &app->sites[i];
                found.listed &= site->listings || !rules_have_pattern(&app->rules, site->venue);
                for (const struct tracked *tracked = site->tracked; tracked;
                     tracked = tracked->next)
                        look_at_book(&found, tracked);
        }
        return found;
}

bool metrics_ready(const struct app *app, struct buffer *ret_text)
{
        struct readiness found = look_at_books(app);
        struct record_stats stats = recorder_stats(app->recorder);
        bool writes = !stats.failing && !stats.suspended;
        bool ready = writes && found.listed && !found.never;
        buffer_printf(ret_text, "%s: %zu of %zu books are live", ready ? "ready" : "not ready",
            found.live, found.wanted);
        write_missing(&found, ret_text);
        if (!found.listed)
                buffer_append_text(ret_text, "; an exchange has not told its symbols yet");
        buffer_append_text(ret_text, writes ? "\n" : "; the store cannot be written\n");
        return ready;
}

bool metrics_healthy(const struct app *app, struct buffer *ret_text)
{
        struct record_stats stats = recorder_stats(app->recorder);
        int64_t pending = pending_ns(&stats);
        if (stats.suspended)
                buffer_printf(ret_text,
                    "unhealthy: nothing is recorded: %zu bytes wait for the store\n",
                    stats.queue_bytes);
        else if (pending > STUCK_NS)
                buffer_printf(ret_text,
                    "unhealthy: the store has taken nothing for %" PRId64 " s%s\n",
                    pending / NS_PER_S, stats.failing ? ": it refuses, see the log" : "");
        else
                buffer_append_text(ret_text, "healthy\n");
        return !stats.suspended && pending <= STUCK_NS;
}
