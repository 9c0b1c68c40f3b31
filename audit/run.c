/* obaudit run: every stream is looked at, the results are kept, and people are told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "audit/audit.h"
#include "audit/network.h"
#include "audit/score.h"
#include "base/clock.h"

#define LOOK_BACK_NS NS_PER_DAY
#define NICE 10 /* a logger comes first */

struct run {
        struct audit_item *items;
        size_t count;
};

static void add_item(struct audit *audit, const struct recon_stream *stream, void *user)
{
        struct run *run = user;
        (void)audit;
        run->items = memory_resize(run->items, (run->count + 1) * sizeof(*run->items));
        run->items[run->count++] = (struct audit_item){.stream = stream};
}

/* The range: the last day of the record, unless another one was asked for. */
static void choose_range(const struct audit *audit, struct audit_item *item)
{
        struct audit_record *record = &item->record;
        int64_t end_ns = recon_end(item->stream, CLOCK_EXCHANGE);
        record->to_ns = audit->to_ns != INT64_MAX ? audit->to_ns : end_ns + 1;
        record->from_ns =
            audit->from_ns != INT64_MIN ? audit->from_ns : record->to_ns - LOOK_BACK_NS;
        if (record->from_ns > record->to_ns)
                record->from_ns = record->to_ns;
}

static void audit_item(struct audit *audit, struct audit_item *item)
{
        item->record.time_ns = audit->now_ns;
        item->record.network = audit->network;
        item->has_last = !results_last(audit, item->stream->number, &item->last);
        choose_range(audit, item);
        if (recon_symbols(&audit->reader, item->stream->name.exchange, item->stream->name.symbol,
                &item->symbols, NULL))
                symbol_list_deinit(&item->symbols); /* then nothing is known of it */
        audit_window(item->stream, item->record.from_ns, &item->window);
        check_coverage(audit, item);
        if (!item->failed)
                check_events(audit, item);
        if (!item->failed) {
                check_fresh(audit, item);
                check_image(audit, item);
        }
        gap_list_deinit(&item->gaps);
        symbol_list_deinit(&item->symbols);
        score_finish(&item->record);
        if (item->record.finding_total)
                audit_worsen(audit, EXIT_FINDINGS);
}

static void run_items(struct audit *audit, struct run *run)
{
        struct error error = {0};
        for (size_t i = 0; i < run->count; i++) {
                audit_item(audit, &run->items[i]);
                if (!run->items[i].failed)
                        print_result(audit, run->items[i].stream, &run->items[i].record);
                fflush(stdout);
        }
        if (run->count && results_store(audit, run->items, run->count, &error))
                audit_fail(audit, EXIT_FAILED, "the results cannot be stored: %s", error.text);
        if (run->count && alert_send(audit, run->items, run->count, &error))
                audit_fail(audit, EXIT_FAILED, "nobody was told: %s", error.text);
}

int command_run(struct audit *audit)
{
        struct run run = {0};
        struct error error = {0};
        setpriority(PRIO_PROCESS, 0, NICE);
        if (!options_value(audit->options, "--no-network") &&
            network_open(&audit->network, audit->settings, &error))
                return audit_fail(audit, EXIT_FAILED, "%s", error.text);
        quotes_init(&audit->quotes);
        audit_each_stream(audit, add_item, &run);
        if (!run.count && !audit->word_count)
                audit_fail(audit, EXIT_FAILED, "nothing is recorded in this store yet");
        run_items(audit, &run);
        quotes_deinit(&audit->quotes);
        network_close(audit->network);
        free(run.items);
        return audit->worst;
}
