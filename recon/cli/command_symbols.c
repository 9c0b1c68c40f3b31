/* obrebuild symbols [SYM...] [--at TS]: what each symbol was, and when. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "recon/cli/cli.h"

static void print_text_or_null(const char *key, const char *text)
{
        printf(",\"%s\":", key);
        if (*text)
                print_json_text(text);
        else
                printf("null");
}

static void print_json(const struct symbol_version *version)
{
        const struct symbol_record *record = &version->record;
        printf("{\"exchange\":");
        print_json_text(record->exchange);
        printf(",\"symbol\":");
        print_json_text(record->symbol);
        print_text_or_null("base", record->base);
        print_text_or_null("quote", record->quote);
        print_text_or_null("tick", record->tick);
        print_text_or_null("lot", record->lot);
        print_text_or_null("min_quantity", record->min_quantity);
        print_text_or_null("min_notional", record->min_notional);
        print_text_or_null("status", record->status);
        printf(",\"trading\":%s,\"auction\":%s,\"from_ns\":%" PRId64 ",",
            record->trading ? "true" : "false", record->auction ? "true" : "false",
            record->valid_from_ns);
        print_time_or_null("to_ns", version->to_ns != INT64_MAX, version->to_ns);
        printf("}\n");
}

static void print_csv(const struct symbol_version *version)
{
        const struct symbol_record *record = &version->record;
        printf("%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%" PRId64 ",", record->exchange, record->symbol,
            record->base, record->quote, record->tick, record->lot, record->min_quantity,
            record->min_notional, record->status, record->trading ? "true" : "false",
            record->auction ? "true" : "false", record->valid_from_ns);
        if (version->to_ns == INT64_MAX)
                putchar('\n');
        else
                printf("%" PRId64 "\n", version->to_ns);
}

static const char *text_or_dash(const char *text)
{
        return *text ? text : "-";
}

static void print_table(const struct symbol_version *version)
{
        const struct symbol_record *record = &version->record;
        char name[128], from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE] = "now";
        snprintf(name, sizeof(name), "%s:%s", record->exchange, record->symbol);
        time_format(record->valid_from_ns, from);
        if (version->to_ns != INT64_MAX)
                time_format(version->to_ns, to);
        printf("%-24s %-8s %-8s %-14s %-14s %-14s %-14s %-12s %-7s %-7s %-30s %s\n", name,
            text_or_dash(record->base), text_or_dash(record->quote), text_or_dash(record->tick),
            text_or_dash(record->lot), text_or_dash(record->min_quantity),
            text_or_dash(record->min_notional), text_or_dash(record->status),
            record->trading ? "yes" : "no", record->auction ? "yes" : "no", from, to);
}

static void print_head(enum output_form form)
{
        if (form == OUTPUT_CSV)
                printf("exchange,symbol,base,quote,tick,lot,min_quantity,min_notional,status,"
                       "trading,auction,from_ns,to_ns\n");
        else if (form == OUTPUT_TABLE)
                printf("%-24s %-8s %-8s %-14s %-14s %-14s %-14s %-12s %-7s %-7s %-30s %s\n",
                    "symbol", "base", "quote", "tick", "lot", "min quantity", "min notional",
                    "status", "trading", "auction", "from", "to");
}

static void print_version(const struct cli *cli, const struct symbol_version *version)
{
        if (cli->form == OUTPUT_JSON)
                print_json(version);
        else if (cli->form == OUTPUT_CSV)
                print_csv(version);
        else
                print_table(version);
}

struct show {
        struct cli *cli;
        bool at_given;
        int64_t at_ns;
        bool headed;
};

/* By symbol, then time. */
static int compare_versions(const void *a, const void *b)
{
        const struct symbol_record *left = &((const struct symbol_version *)a)->record;
        const struct symbol_record *right = &((const struct symbol_version *)b)->record;
        int order = strcmp(left->exchange, right->exchange);
        order = order ? order : strcmp(left->symbol, right->symbol);
        return order ? order
                     : (left->valid_from_ns > right->valid_from_ns) -
                (left->valid_from_ns < right->valid_from_ns);
}

static bool is_same_symbol(const struct symbol_version *a, const struct symbol_version *b)
{
        return !strcmp(a->record.exchange, b->record.exchange) &&
            !strcmp(a->record.symbol, b->record.symbol);
}

/* What several recorders say, by time: where one says what was said before it is left out. */
static void list_unite(struct symbol_list *list)
{
        struct symbol_version *versions = list->versions;
        size_t kept = 0;
        if (list->count)
                qsort(versions, list->count, sizeof(*versions), compare_versions);
        for (size_t i = 0; i < list->count; i++) {
                if (kept && is_same_symbol(&versions[kept - 1], &versions[i])) {
                        if (symbol_record_same(&versions[kept - 1].record, &versions[i].record))
                                continue;
                        versions[kept - 1].to_ns = versions[i].record.valid_from_ns;
                }
                versions[kept] = versions[i];
                versions[kept++].to_ns = INT64_MAX;
        }
        list->count = kept;
}

static void list_append(struct symbol_list *list, const struct symbol_list *more)
{
        size_t count = list->count + more->count;
        list->versions = memory_resize(list->versions, (count + 1) * sizeof(*list->versions));
        if (more->count)
                memcpy(list->versions + list->count, more->versions,
                    more->count * sizeof(*list->versions));
        list->count = list->capacity = count;
}

static int merge_symbols(struct cli *cli, const char *exchange, const char *symbol,
    struct symbol_list *ret_list, struct error *error)
{
        struct symbol_list all = {0};
        int code = 0;
        if (cli->source_count == 1)
                return recon_symbols(&cli->sources[0].reader, exchange, symbol, ret_list, error);
        for (size_t i = 0; i < cli->source_count && !code; i++) {
                struct symbol_list own = {0};
                code = recon_symbols(&cli->sources[i].reader, exchange, symbol, &own, error);
                list_append(&all, &own);
                symbol_list_deinit(&own);
        }
        if (!code)
                list_unite(&all);
        *ret_list = all;
        if (code)
                symbol_list_deinit(ret_list);
        return code;
}

/* All versions of the list, or those of the time that is asked for; returns how many. */
static size_t show_list(struct show *show, const struct symbol_list *list)
{
        size_t shown = 0;
        for (size_t i = 0; i < list->count; i++) {
                if (show->at_given && !symbol_version_holds(&list->versions[i], show->at_ns))
                        continue;
                if (!show->headed)
                        print_head(show->cli->form);
                show->headed = true;
                print_version(show->cli, &list->versions[i]);
                shown++;
        }
        return shown;
}

static int show_all(struct show *show)
{
        struct symbol_list list;
        struct error error = {0};
        if (merge_symbols(show->cli, NULL, NULL, &list, &error))
                return cli_fail(show->cli, EXIT_FAILED, "%s", error.text);
        if (!show_list(show, &list))
                print_head(show->cli->form);
        symbol_list_deinit(&list);
        return 0;
}

static int show_symbol(struct show *show, const char *word)
{
        struct symbol_list list;
        struct error error = {0};
        char exchange[32], from[TIME_TEXT_SIZE];
        const char *symbol = cli_split_symbol(word, exchange, sizeof(exchange));
        if (merge_symbols(show->cli, exchange, symbol, &list, &error))
                return cli_fail(show->cli, EXIT_FAILED, "%s", error.text);
        if (!list.count)
                cli_fail(show->cli, EXIT_FAILED,
                    "%s:%s: this store does not tell what it is (obrebuild symbols shows of which "
                    "it does)",
                    exchange, symbol);
        else if (!show_list(show, &list))
                cli_fail(show->cli, EXIT_INCOMPLETE, "%s:%s is known only from %s on", exchange,
                    symbol, time_format(list.versions[0].record.valid_from_ns, from));
        symbol_list_deinit(&list);
        return 0;
}

int command_symbols(struct cli *cli)
{
        const char *at = options_value(cli->options, "--at");
        struct show show = {.cli = cli, .at_given = at};
        if (at && time_parse(at, &show.at_ns))
                return cli_fail(cli, EXIT_USAGE, "--at %s: allowed is RFC 3339 or Unix time", at);
        if (!cli->word_count)
                show_all(&show);
        for (size_t i = 0; i < cli->word_count; i++)
                show_symbol(&show, cli->words[i]);
        return cli->worst;
}
