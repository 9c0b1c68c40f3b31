/* obrebuild import: documents of the older system's layout, from a database or from files of
 * mongodump, into the local store. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "recon/cli/cli.h"
#include "record/import.h"
#include "store/legacy.h"

#define TICK_DOCUMENTS 2000
#define TICK_SIZE (8u << 20)         /* of documents between two commits */
#define QUEUE_SIZE ((size_t)1 << 40) /* nothing waits: each tick commits */
#define CLOSE_NS (10 * NS_PER_S)
#define SUFFIX ".bson"

/* From where to where. */
struct import_place {
        struct cli *cli;
        const struct legacy_ops *ops;
        struct store *store;
};

/* One collection on its way in. */
struct job {
        struct cli *cli;
        const struct legacy_ops *ops;
        struct store *store;
        struct legacy_source_options from;
        const char *label; /* of the source, for people */
        char exchange[META_EXCHANGE_SIZE], symbol[META_SYMBOL_SIZE];
        struct import_survey *survey;
        struct recorder *recorder;
        struct import *import;
        struct import_result result;
        uint64_t size, pending;
        bool ran; /* there is a result */
};

static int fail(struct job *job, const struct error *error)
{
        return cli_fail(job->cli, EXIT_FAILED, "%s", error->text);
}

/* ---- what it is called ---- */

/* btcusdt, or dump/orders/btcusdt.bson: BTCUSDT. */
static void symbol_of(const char *source, char *ret_symbol, size_t size)
{
        const char *slash = strrchr(source, '/');
        const char *name = slash ? slash + 1 : source;
        size_t length = strlen(name);
        if (length > strlen(SUFFIX) && !strcmp(name + length - strlen(SUFFIX), SUFFIX))
                length -= strlen(SUFFIX);
        snprintf(ret_symbol, size, "%.*s", (int)length, name);
        for (char *c = ret_symbol; *c; c++)
                *c = (char)toupper((unsigned char)*c);
}

/* A word of the user's counts more than the documents, and these more than the source's name. */
static void name_job(struct job *job, const char *word)
{
        const char *exchange = import_survey_exchange(job->survey);
        const char *symbol = import_survey_symbol(job->survey);
        if (word) {
                symbol = cli_split_symbol(word, job->exchange, sizeof(job->exchange));
                snprintf(job->symbol, sizeof(job->symbol), "%s", symbol);
                return;
        }
        snprintf(job->exchange, sizeof(job->exchange), "%s", *exchange ? exchange : "binance");
        if (*symbol)
                snprintf(job->symbol, sizeof(job->symbol), "%s", symbol);
        else
                symbol_of(job->label, job->symbol, sizeof(job->symbol));
}

/* ---- reading ---- */

static int survey(struct job *job)
{
        struct legacy_source *source;
        struct legacy_document document;
        struct error error = {0};
        int code = job->ops->open(&source, &job->from, &error);
        if (code)
                return fail(job, &error);
        job->size = job->ops->size(source);
        do {
                code = job->ops->next(source, &document, &error);
        } while (!code && import_survey_add(job->survey, &document));
        job->ops->close(source);
        if (code && code != ERR_NOT_FOUND && code != ERR_CORRUPT)
                return fail(job, &error);
        if (import_survey_begin(job->survey))
                return 0;
        return cli_fail(job->cli, EXIT_FAILED, "%s: no document of the older layout%s%s",
            job->label, code == ERR_CORRUPT ? ": " : "", code == ERR_CORRUPT ? error.text : "");
}

static int refuse_beyond(struct job *job, const struct reader *reader, uint8_t kind)
{
        char until[TIME_TEXT_SIZE], begin[TIME_TEXT_SIZE];
        int64_t begin_ns = import_survey_begin(job->survey);
        const struct recon_stream *stream = reader_find(reader, job->exchange, job->symbol, kind);
        if (!stream || !stream->recorded || !stream->mark.timed ||
            stream->mark.running_max_ns < begin_ns)
                return 0;
        return cli_fail(job->cli, EXIT_FAILED,
            "%s:%s: this store has its %s until %s, the documents of %s begin at %s: nothing was "
            "imported; give it a store of its own (--store PATH)",
            job->exchange, job->symbol, stream_kind_name(kind),
            time_format(stream->mark.running_max_ns, until), job->label,
            time_format(begin_ns, begin));
}

/* What is there already must end before the documents begin. */
static int refuse_twice(struct job *job)
{
        struct reader reader;
        struct error error = {0};
        if (reader_open(&reader, job->store, &error))
                return fail(job, &error);
        int code = refuse_beyond(job, &reader, KIND_L2);
        code = code ? code : refuse_beyond(job, &reader, KIND_TRADES);
        reader_close(&reader);
        return code;
}

static void progress(struct job *job, const struct legacy_document *document)
{
        uint64_t documents = import_result(job->import)->documents;
        if (job->size)
                cli_progress(job->cli, "%s: %" PRIu64 " documents, %" PRIu64 " %%", job->label,
                    documents, 100 * document->offset / job->size);
        else
                cli_progress(job->cli, "%s: %" PRIu64 " documents", job->label, documents);
}

/* Commit now and then. ERR_FULL: the store took nothing. */
static int tick(struct job *job, const struct legacy_document *document, struct error *error)
{
        const struct import_result *result = import_result(job->import);
        job->pending += document->size;
        if (job->pending < TICK_SIZE && result->documents % TICK_DOCUMENTS)
                return 0;
        job->pending = 0;
        recorder_tick(job->recorder, result->now_ns);
        progress(job, document);
        if (recorder_stats(job->recorder).failed_commits)
                return error_set(error, ERR_FULL,
                    "%s: the store cannot be written: is the disk "
                    "full?",
                    job->label);
        return 0;
}

static int read_all(struct job *job, struct legacy_source *source, struct error *error)
{
        struct legacy_document document;
        int code = 0;
        while (!code) {
                code = job->ops->next(source, &document, error);
                if (code)
                        break;
                code = import_document(job->import, &document, error);
                code = code ? code : tick(job, &document, error);
        }
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* What was read before a failure stays. */
static int run_import(struct job *job)
{
        struct legacy_source *source;
        struct error error = {0}, closing = {0};
        struct record_options options = record_defaults;
        options.without_thread = true;
        options.queue_size = QUEUE_SIZE;
        int code = job->ops->open(&source, &job->from, &error);
        if (code)
                return fail(job, &error);
        code = recorder_open(&job->recorder, job->store, &options, &error);
        code = code ? code
                    : import_open(&job->import, job->recorder, job->exchange, job->symbol,
                          job->survey, &error);
        if (!code) {
                code = read_all(job, source, &error);
                import_close(job->import, &job->result);
                job->ran = true;
        }
        if (job->recorder &&
            recorder_close(job->recorder, job->result.now_ns, CLOSE_NS, &closing) && !code) {
                code = closing.code;
                error = closing;
        }
        job->ops->close(source);
        cli_progress(job->cli, NULL);
        return code ? fail(job, &error) : 0;
}

/* ---- telling ---- */

static void print_result(const struct job *job)
{
        const struct import_result *result = &job->result;
        uint64_t skipped = result->skipped + result->repeated + result->others;
        if (job->cli->form == OUTPUT_JSON) {
                printf("{\"exchange\":");
                print_json_text(job->exchange);
                printf(",\"symbol\":");
                print_json_text(job->symbol);
                printf(",\"documents\":%" PRIu64 ",\"snapshots\":%" PRIu64 ",\"updates\":%" PRIu64
                       ",\"trades\":%" PRIu64 ",\"gaps\":%" PRIu64 ",\"skipped\":%" PRIu64 "}\n",
                    result->documents, result->snapshots, result->updates, result->trades,
                    result->gaps, skipped);
                return;
        }
        if (job->cli->form == OUTPUT_CSV)
                printf("%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
                       "\n",
                    job->exchange, job->symbol, result->documents, result->snapshots,
                    result->updates, result->trades, result->gaps, skipped);
        else
                printf("%s:%s: %" PRIu64 " documents: %" PRIu64 " snapshots, %" PRIu64
                       " updates, %" PRIu64 " trades; %" PRIu64 " gaps, %" PRIu64 " skipped\n",
                    job->exchange, job->symbol, result->documents, result->snapshots,
                    result->updates, result->trades, result->gaps, skipped);
}

/* A line on stderr for what is not as it could be; exit 3 for what is missing. */
static void tell_faults(struct job *job)
{
        const struct import_result *result = &job->result;
        const char *exchange = job->exchange, *symbol = job->symbol;
        if (result->skipped)
                cli_fail(job->cli, EXIT_DONE, "%s:%s: %" PRIu64 " documents could not be used%s%s",
                    exchange, symbol, result->skipped, *result->fault ? "; the first: " : "",
                    result->fault);
        if (result->headless)
                cli_fail(job->cli, EXIT_DONE,
                    "%s:%s: %" PRIu64 " updates had no snapshot before them: kept without a book",
                    exchange, symbol, result->headless);
        if (result->others)
                cli_fail(job->cli, EXIT_DONE,
                    "%s:%s: %" PRIu64 " documents of another recorder than '%s' were left out: "
                    "--recorder NAME chooses",
                    exchange, symbol, result->others, import_survey_recorder(job->survey));
        if (result->trades_lost)
                cli_fail(job->cli, EXIT_DONE,
                    "%s:%s: %" PRIu64 " trades have no price and quantity (a volume only): not "
                    "kept",
                    exchange, symbol, result->trades_lost);
        if (result->gaps || result->headless || result->skipped)
                cli_incomplete(job->cli);
}

static void import_one(const struct import_place *place, const struct legacy_source_options *from,
    const char *label, const char *word)
{
        struct job job = {.cli = place->cli,
            .ops = place->ops,
            .store = place->store,
            .from = *from,
            .label = label};
        job.survey = import_survey_new();
        int code = survey(&job);
        if (!code)
                name_job(&job, word);
        code = code ? code : refuse_twice(&job);
        if (!code)
                run_import(&job);
        if (job.ran) {
                print_result(&job);
                tell_faults(&job);
        }
        import_survey_free(job.survey);
}

/* ---- files ---- */

static bool is_file(const char *word)
{
        size_t length = strlen(word);
        return length >= strlen(SUFFIX) && !strcmp(word + length - strlen(SUFFIX), SUFFIX);
}

/* Before anything is made: are these files, and at most one word that names the only one? */
static int check_words(struct cli *cli, const char **ret_symbol)
{
        size_t files = 0, symbols = 0;
        *ret_symbol = NULL;
        for (size_t i = 0; i < cli->word_count; i++) {
                const char *word = cli->words[i];
                if (!is_file(word)) {
                        symbols++;
                        *ret_symbol = word;
                        continue;
                }
                files++;
                if (access(word, R_OK))
                        return cli_fail(cli, EXIT_FAILED, "%s: %s", word, strerror(errno));
        }
        if (!files)
                return cli_fail(cli, EXIT_USAGE,
                    "import takes files of mongodump (dump/orders/btcusdt.bson) or --mongodb URI");
        if (symbols && (symbols > 1 || files > 1))
                return cli_fail(cli, EXIT_USAGE, "import: one symbol can name one file");
        return 0;
}

static void import_files(const struct import_place *place, const char *symbol)
{
        const struct cli *cli = place->cli;
        for (size_t i = 0; i < cli->word_count; i++) {
                struct legacy_source_options from = {
                    .path = cli->words[i], .recorder = options_value(cli->options, "--recorder")};
                if (is_file(cli->words[i]))
                        import_one(place, &from, cli->words[i], symbol);
        }
}

/* ---- a database ---- */

static void import_collection(const struct import_place *place,
    const struct legacy_source_options *from, const char *collection, const char *word)
{
        struct legacy_source_options one = *from;
        one.collection = collection;
        import_one(place, &one, collection, word);
}

static void import_every_collection(
    const struct import_place *place, const struct legacy_source_options *from)
{
        struct error error = {0};
        char **names = NULL;
        size_t count = 0;
        int code = place->ops->collections(from, &names, &count, &error);
        if (code)
                cli_fail(place->cli, EXIT_FAILED, "%s", error.text);
        else if (!count)
                cli_fail(
                    place->cli, EXIT_FAILED, "no collection of the database has the older layout");
        for (size_t i = 0; i < count; i++) {
                if (!code)
                        import_collection(place, from, names[i], NULL);
                free(names[i]);
        }
        free(names);
}

/* binance:BTCUSDT is the collection btcusdt. */
static void import_word(
    const struct import_place *place, const struct legacy_source_options *from, const char *word)
{
        char exchange[META_EXCHANGE_SIZE], collection[META_SYMBOL_SIZE];
        snprintf(collection, sizeof(collection), "%s",
            cli_split_symbol(word, exchange, sizeof(exchange)));
        for (char *c = collection; *c; c++)
                *c = (char)tolower((unsigned char)*c);
        import_collection(place, from, collection, word);
}

static void import_database(const struct import_place *place)
{
        const struct cli *cli = place->cli;
        struct legacy_source_options from = {.path = cli->mongodb,
            .database = settings_text(cli->settings, "MONGODB_DATABASE"),
            .password = settings_text(cli->settings, "MONGODB_PASSWORD"),
            .recorder = options_value(cli->options, "--recorder")};
        if (!cli->word_count)
                import_every_collection(place, &from);
        for (size_t i = 0; i < cli->word_count; i++)
                import_word(place, &from, cli->words[i]);
}

/* As it is open already, or now: only when the words are right one is made. */
static int open_store(struct cli *cli, struct store **ret_store, struct error *error)
{
        struct store_options options = {
            .path = settings_text(cli->settings, "STORE"), .mode = STORE_WRITE};
        if (!cli->source_count)
                return store_lmdb.open(ret_store, &options, error);
        *ret_store = cli->sources[0].store;
        return 0;
}

/* --mongodb and --recorder name what is read; it is always the local store that is written. */
int command_import(struct cli *cli)
{
        struct import_place place = {.cli = cli};
        struct error error = {0};
        const char *symbol = NULL;
        if (!cli->mongodb && check_words(cli, &symbol))
                return cli->worst;
        place.ops = legacy_load(&error);
        if (!place.ops || open_store(cli, &place.store, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        if (cli->form == OUTPUT_CSV)
                printf("exchange,symbol,documents,snapshots,updates,trades,gaps,skipped\n");
        if (cli->mongodb)
                import_database(&place);
        else
                import_files(&place, symbol);
        if (!cli->source_count)
                store_lmdb.close(place.store);
        return cli->worst;
}
