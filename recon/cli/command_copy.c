/* obrebuild pull and push: days of a record copied from a database into the local store, and back.
 *
 * A copy is of the same recorder, under the same uuid: what is there already is passed over. Days
 * that were not asked for are marked as pruned in it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "recon/cli/cli.h"
#include "ship/describe.h"
#include "ship/follow.h"

/* What of it is wanted, and the two ends. */
struct copy {
        struct cli *cli;
        struct store *source, *target;
        struct follow *follow;
        struct describer describer;
        uint64_t wanted; /* streams */
};

static bool wants_cb(const struct stream_name *name, void *user)
{
        struct copy *copy = user;
        const struct cli *cli = copy->cli;
        bool wanted = !cli->word_count;
        for (size_t i = 0; i < cli->word_count && !wanted; i++) {
                char exchange[32];
                const char *symbol = cli_split_symbol(cli->words[i], exchange, sizeof(exchange));
                wanted = !strcmp(exchange, name->exchange) && !strcmp(symbol, name->symbol);
        }
        wanted = wanted && (!cli->has_kind || cli->kind == name->kind);
        copy->wanted += wanted;
        return wanted;
}

static const struct stream_name *name_cb(uint32_t stream, void *user)
{
        const struct copy *copy = user;
        return copy->follow ? follow_name(copy->follow, stream) : NULL;
}

/* The days that hold what was received in the range. */
static void choose_days(const struct cli *cli, struct follow_options *options)
{
        if (cli->from_ns > 0)
                options->from_day = day_of_time(cli->from_ns);
        if (cli->to_ns != INT64_MAX)
                options->to_day = cli->to_ns <= 0 ? 1 : day_of_time(cli->to_ns - 1) + 1;
}

static int copy_all(struct copy *copy, bool final, struct error *error)
{
        struct follow_options options = {.source = copy->source,
            .target = copy->target,
            .final = final,
            .wants_cb = wants_cb,
            .user = copy};
        int more = 1;
        choose_days(copy->cli, &options);
        follow_open(&copy->follow, &options);
        while (more == 1) {
                more = follow_step(copy->follow, error);
                const struct follow_stats *stats = follow_stats(copy->follow);
                cli_progress(copy->cli, "%" PRIu64 " events copied, %" PRIu64 " left",
                    stats->events, stats->events_behind);
        }
        return more;
}

static int tell(struct copy *copy)
{
        const struct follow_stats *stats = follow_stats(copy->follow);
        cli_progress(copy->cli, NULL);
        if (!copy->wanted && copy->cli->word_count)
                return cli_fail(copy->cli, EXIT_FAILED,
                    "%s: nothing of that name is recorded there; obrebuild list shows what is",
                    copy->cli->words[0]);
        if (copy->cli->form == OUTPUT_JSON)
                printf("{\"frames\":%" PRIu64 ",\"events\":%" PRIu64 ",\"bytes\":%" PRIu64
                       ",\"damaged\":%" PRIu64 "}\n",
                    stats->frames, stats->events, stats->bytes, stats->damaged);
        else
                printf("%" PRIu64 " frames, %" PRIu64 " events, %" PRIu64 " bytes copied\n",
                    stats->frames, stats->events, stats->bytes);
        return stats->damaged
            ? cli_fail(copy->cli, EXIT_INCOMPLETE,
                  "%" PRIu64 " damaged frames were copied as they are, the first: %s",
                  stats->damaged, stats->damage)
            : 0;
}

static int run_copy(struct copy *copy, bool final)
{
        struct error error = {0};
        int code = copy_all(copy, final, &error);
        code = code ? cli_fail(copy->cli, EXIT_FAILED, "%s", error.text) : tell(copy);
        follow_close(copy->follow);
        copy->follow = NULL;
        return code;
}

int command_pull(struct cli *cli)
{
        struct copy copy = {.cli = cli};
        struct error error = {0};
        if (!cli->mongodb)
                return cli_fail(cli, EXIT_USAGE, "pull needs --mongodb URI: where to copy from");
        if (cli_open_mongodb(cli))
                return cli->worst;
        if (cli->source_count > 1)
                return cli_fail(cli, EXIT_USAGE,
                    "the database has the records of %zu recorders ('%s', '%s' ...): pull one of "
                    "them, --recorder NAME, each into a store of its own",
                    cli->source_count, cli->sources[0].recorder, cli->sources[1].recorder);
        copy.source = cli->sources[0].store;
        struct store_options options = {.path = settings_text(cli->settings, "STORE"),
            .mode = STORE_WRITE,
            .recorder = cli->sources[0].recorder,
            .uuid = copy.source->ops->uuid(copy.source)};
        if (store_lmdb.open(&copy.target, &options, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        int code = run_copy(&copy, true);
        store_lmdb.close(copy.target);
        return code;
}

/* Where nobody writes to the store all of it is final; else what is sealed. */
static int open_pushed(struct copy *copy, bool *ret_final, struct error *error)
{
        struct store_options options = {
            .path = settings_text(copy->cli->settings, "STORE"), .mode = STORE_READ};
        int code = store_lmdb.open(&copy->source, &options, error);
        if (code)
                return code;
        store_lmdb.close(copy->source);
        options.mode = STORE_WRITE;
        *ret_final = !store_lmdb.open(&copy->source, &options, NULL);
        options.mode = STORE_READ;
        return *ret_final ? 0 : store_lmdb.open(&copy->source, &options, error);
}

int command_push(struct cli *cli)
{
        struct copy copy = {.cli = cli};
        struct error error = {0};
        bool final;
        const struct store_ops *ops = cli->mongodb ? store_mongo_load(&error) : NULL;
        if (!cli->mongodb)
                return cli_fail(cli, EXIT_USAGE, "push needs --mongodb URI: where to copy to");
        if (!ops || open_pushed(&copy, &final, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        struct store_options options = cli_mongodb_options(cli, STORE_WRITE);
        options.recorder = store_lmdb.recorder(copy.source);
        options.uuid = store_lmdb.uuid(copy.source);
        options.describe_cb = describe;
        options.user = &copy.describer;
        describer_init(&copy.describer);
        copy.describer.name_cb = name_cb;
        copy.describer.user = &copy;
        int code = ops->open(&copy.target, &options, &error);
        if (code) {
                cli_fail(cli, EXIT_FAILED, "%s", error.text);
        } else {
                code = run_copy(&copy, final);
                ops->close(copy.target);
        }
        store_lmdb.close(copy.source);
        describer_deinit(&copy.describer);
        return code;
}
