/* Numbers of each stream: its events and gaps, its book. */
#include "base/clock.h"
#include "base/decimal.h"
#include "logger/app.h"
#include "logger/metrics_parts.h"

static const char *const side_names[SIDES] = {[SIDE_BID] = "bid", [SIDE_ASK] = "ask"};

static void begin(struct exposition *out, const struct tracked *tracked)
{
        exposition_begin(out, "");
        exposition_label(out, "exchange", tracked->site->venue->name);
        exposition_label(out, "symbol", tracked->symbol);
        exposition_label(out, "kind", stream_kind_name(tracked->kind));
}

static void write_live(struct exposition *out, const struct tracked *tracked)
{
        begin(out, tracked);
        exposition_number(out, tracked->stream && record_has_book(tracked->stream));
}

static void write_events(struct exposition *out, const struct tracked *tracked)
{
        begin(out, tracked);
        exposition_number(out, tracked->stream ? record_stream_counts(tracked->stream)->events : 0);
}

static void write_gaps(struct exposition *out, const struct tracked *tracked)
{
        uint64_t sum = 0;
        for (unsigned cause = 0; tracked->stream && cause < GAP_CAUSES; cause++)
                sum += record_stream_counts(tracked->stream)->gaps[cause];
        begin(out, tracked);
        exposition_number(out, sum);
}

static void write_age(struct exposition *out, const struct tracked *tracked)
{
        if (!tracked->stream)
                return;
        begin(out, tracked);
        exposition_seconds(out, tracked->site->app->mono_ns - tracked->session.last_event_ns);
}

static void write_delay(struct exposition *out, const struct tracked *tracked)
{
        int64_t delay_ns; /* its time is the exchange's word */
        if (!tracked->last_event_ns ||
            __builtin_sub_overflow(tracked->last_receive_ns, tracked->last_event_ns, &delay_ns))
                return;
        begin(out, tracked);
        exposition_seconds(out, delay_ns);
}

static void write_delay_sum(struct exposition *out, const struct tracked *tracked)
{
        begin(out, tracked);
        exposition_decimal(out, (int64_t)tracked->delays.sum.sum_us, 6);
}

static void write_delay_count(struct exposition *out, const struct tracked *tracked)
{
        begin(out, tracked);
        exposition_number(out, tracked->delays.sum.count);
}

static void write_early(struct exposition *out, const struct tracked *tracked)
{
        begin(out, tracked);
        exposition_number(out, tracked->delays.sum.early);
}

/* ---- of books alone ---- */

static bool has_levels(const struct tracked *tracked)
{
        return tracked->stream && tracked->kind != KIND_TRADES && record_has_book(tracked->stream);
}

static void write_levels(struct exposition *out, const struct tracked *tracked)
{
        for (enum side s = 0; has_levels(tracked) && s < SIDES; s++) {
                begin(out, tracked);
                exposition_label(out, "side", side_names[s]);
                exposition_number(out, book_count(record_book(tracked->stream), s));
        }
}

static void write_orders(struct exposition *out, const struct tracked *tracked)
{
        if (tracked->kind != KIND_L3 || !has_levels(tracked))
                return;
        begin(out, tracked);
        exposition_number(out, book_size(record_book(tracked->stream)));
}

static void write_best(struct exposition *out, const struct tracked *tracked)
{
        struct level level;
        for (enum side s = 0; has_levels(tracked) && s < SIDES; s++) {
                if (!book_best(record_book(tracked->stream), s, &level))
                        continue;
                begin(out, tracked);
                exposition_label(out, "side", side_names[s]);
                exposition_decimal(out, level.price, record_scale(tracked->stream)->price_digits);
        }
}

static const struct {
        const char *name, *type, *meaning;
        void (*write)(struct exposition *out, const struct tracked *tracked);
} families[] = {
    {"oblogger_stream_live", GAUGE,
        "1: the book is exact (of trades: the tape has no hole); 0: it is not known now.",
        write_live},
    {"oblogger_events_total", COUNTER, "Events recorded, each once.", write_events},
    {"oblogger_stream_gaps_total", COUNTER, "Gaps in the record.", write_gaps},
    {"oblogger_last_event_age_seconds", GAUGE,
        "Time since the newest event, or since the stream is followed, where none came yet.",
        write_age},
    {"oblogger_last_event_delay_seconds", GAUGE,
        "Of the newest event: its receipt by our clock less its time by the exchange's.",
        write_delay},
    {"oblogger_event_delay_seconds_total", COUNTER,
        "Sum over all events: receipt by our clock less their time by the exchange's; early ones "
        "count as 0.",
        write_delay_sum},
    {"oblogger_event_delays_total", COUNTER, "How many events are in that sum.", write_delay_count},
    {"oblogger_early_events_total", COUNTER,
        "Of them those received before their time, as the clocks go.", write_early},
    {"oblogger_book_levels", GAUGE, "Price levels of the book.", write_levels},
    {"oblogger_book_orders", GAUGE, "Orders of the book, where they are recorded.", write_orders},
    {"oblogger_best_price", GAUGE, "Best price of the book, in the quote currency.", write_best},
};

/* What was refused has no numbers: oblogger_streams counts it. */
void metrics_streams(struct exposition *out, struct app *app)
{
        for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
                exposition_family(out, families[f].name, families[f].type, families[f].meaning);
                for (size_t i = 0; i < app->site_count; i++) {
                        for (const struct tracked *tracked = app->sites[i].tracked; tracked;
                             tracked = tracked->next) {
                                if (!tracked->refused)
                                        families[f].write(out, tracked);
                        }
                }
        }
}
