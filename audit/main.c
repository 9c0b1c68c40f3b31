/* obaudit: how good the record is, checked against itself and against the exchanges. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/service.h"

static const struct option_spec option_specs[] = {
    {"--env-file", "FILE", "read settings from FILE (lines NAME=value)"},
    {"--store", "PATH", "store directory (setting STORE)"},
    {"--no-network", NULL, "run: check the record by itself; the exchanges are not asked"},
    {"--stale-after", "DUR", "run: a record may be so far behind (default 60s)"},
    {"--from", "TS",
        "run: begin of the part that is checked, by the exchange's clock (default: a day before "
        "its end); report: of the audits that are shown (default: a week ago)"},
    {"--to", "TS", "end of the same, not included"},
    {"--output", "FORM", "table (default), json (one object a line); report: html (one page)"},
};

struct command {
        struct command_spec spec;
        int (*run)(struct audit *audit);
        enum store_mode mode;
};

static const struct command commands[] = {
    {{"run", "run [SYM...] [--no-network]",
         "check every recorded stream, keep the results, and tell by ALERT_WEBHOOK what is wrong"},
        command_run, STORE_MANAGE},
    {{"report", "report [SYM...] [--from TS] [--to TS] [--output table|json|html]",
         "what audits found"},
        command_report, STORE_READ},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char *const setting_names[] = {"USE_ENV_FILE", "LOGLEVEL", "STORE", "BINANCE_REST_URL",
    "COINBASE_REST_URL", "CA_FILE", "ALERT_WEBHOOK", "ALERT_BELOW", "ALERT_EVERY"};

static const char *const secret_names[] = {"ALERT_WEBHOOK"};

static struct command_spec command_specs[COMMAND_COUNT];

static const struct program_spec program = {
    .name = "obaudit",
    .summary = "audit recorded order books",
    .description =
        "obaudit says how good a record is. It reads the store that oblogger writes, beside a "
        "running oblogger, and asks the exchanges for their books at a tenth of what they allow. "
        "What it finds has a place, and takes points off a score of 100 by a written formula.\n\n"
        "Each stream is checked for gaps (coverage), for being written still (fresh), for frames "
        "that cannot be read (frames), for ids of events and trades that do not follow each other "
        "(ids), for bids at or above asks (crossed), and for trades outside the book (tape). The "
        "book is compared level for level with the exchange's own at the same id (image), and the "
        "sums of orders likewise (levels); streams without such ids are not compared, and the "
        "result says so.\n\n"
        "Without SYM every recorded stream is meant; BTCUSDT alone means binance:BTCUSDT. TS is "
        "RFC 3339 (2024-08-09T00:00:00Z) or Unix time in s, ms, us or ns. Results are kept in the "
        "store for 90 days. Nothing that is recorded is ever changed.\n\n"
        "Where ALERT_WEBHOOK is set, a run whose score is under ALERT_BELOW, or that finds new "
        "gaps, posts {\"text\": ...} there, at most once in ALERT_EVERY.",
    .options = option_specs,
    .option_count = sizeof(option_specs) / sizeof(option_specs[0]),
    .commands = command_specs,
    .command_count = COMMAND_COUNT,
    .settings = setting_names,
    .setting_count = sizeof(setting_names) / sizeof(setting_names[0]),
    .exits = "  0  good\n"
             "  1  failed: no store, unknown symbol, results or alerts could not be handed over\n"
             "  2  wrong usage or a wrong setting\n"
             "  3  there are findings\n",
};

/* ---- words ---- */

static int usage(struct audit *audit, const char *name, const char *value, const char *allowed)
{
        return audit_fail(audit, EXIT_USAGE, "%s %s: allowed is %s", name, value, allowed);
}

static int read_time(struct audit *audit, const char *name, int64_t *ret_time)
{
        const char *text = options_value(audit->options, name);
        if (text && time_parse(text, ret_time))
                return usage(audit, name, text, "RFC 3339 like 2024-08-09T00:00:00Z, or Unix time");
        return 0;
}

static int read_form(struct audit *audit, bool pages)
{
        const char *form = options_value(audit->options, "--output");
        audit->form = OUTPUT_TABLE;
        if (form && !strcmp(form, "json"))
                audit->form = OUTPUT_JSON;
        else if (form && !strcmp(form, "html") && pages)
                audit->form = OUTPUT_HTML;
        else if (form && strcmp(form, "table"))
                return usage(
                    audit, "--output", form, pages ? "table, json or html" : "table or json");
        return 0;
}

static int read_options(struct audit *audit, const struct command *command)
{
        const char *stale = options_value(audit->options, "--stale-after");
        audit->from_ns = INT64_MIN;
        audit->to_ns = INT64_MAX;
        audit->stale_ns = 60 * NS_PER_S;
        int code = read_form(audit, command->run == command_report);
        code = code ? code : read_time(audit, "--from", &audit->from_ns);
        code = code ? code : read_time(audit, "--to", &audit->to_ns);
        if (!code && stale && (duration_parse(stale, &audit->stale_ns) || audit->stale_ns <= 0))
                return usage(audit, "--stale-after", stale, "a length of time like 60s");
        if (!code && audit->from_ns > audit->to_ns)
                return audit_fail(audit, EXIT_USAGE, "--from is later than --to");
        return code;
}

static const struct command *find_command(struct audit *audit)
{
        const struct options *options = audit->options;
        const char *word = options->word_count ? options->words[0] : NULL;
        for (size_t i = 0; word && i < COMMAND_COUNT; i++) {
                if (!strcmp(word, commands[i].spec.name))
                        return &commands[i];
        }
        audit_fail(audit, EXIT_USAGE, "%s: allowed is run or report; see obaudit --help",
            word ? word : "no command");
        return NULL;
}

/* ---- the store ---- */

/* Does a logger hold the writer's lock? It is only looked at. */
static bool has_writer(const char *store)
{
        char path[4200];
        struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
        snprintf(path, sizeof(path), "%s/writer.lock", store);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        bool held = !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
        close(fd);
        return held;
}

static int run_command(struct audit *audit, const struct command *command)
{
        struct error error = {0};
        struct store_options options = {
            .path = settings_text(audit->settings, "STORE"), .mode = command->mode};
        if (store_lmdb.open(&audit->store, &options, &error))
                return audit_fail(
                    audit, error.code == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED, "%s", error.text);
        audit->has_writer = has_writer(options.path);
        if (reader_open(&audit->reader, audit->store, &error)) {
                audit_fail(audit, EXIT_FAILED, "%s", error.text);
        } else {
                command->run(audit);
                reader_close(&audit->reader);
        }
        store_lmdb.close(audit->store);
        return audit->worst;
}

static int load_settings(struct audit *audit, struct settings **ret_settings)
{
        struct error error = {0};
        const char *path = options_value(audit->options, "--store");
        if (settings_load_some(ret_settings, options_value(audit->options, "--env-file"),
                secret_names, sizeof(secret_names) / sizeof(secret_names[0]), &error))
                return audit_fail(audit, EXIT_USAGE, "%s", error.text);
        if (!path || !settings_override(*ret_settings, "STORE", path, &error))
                return 0;
        settings_free(*ret_settings);
        return audit_fail(audit, EXIT_USAGE, "%s", error.text);
}

static void run(struct audit *audit)
{
        const struct command *command;
        struct settings *settings;
        enum log_level level;
        if (load_settings(audit, &settings))
                return;
        audit->settings = settings;
        if (!log_level_parse(settings_text(settings, "LOGLEVEL"), &level))
                log_set_level(level);
        command = find_command(audit);
        if (command && !read_options(audit, command)) {
                audit->words = audit->options->words + 1;
                audit->word_count = audit->options->word_count - 1;
                run_command(audit, command);
        }
        settings_free(settings);
}

int main(int argc, char **argv)
{
        static struct options options;
        static struct audit audit = {.options = &options};
        struct error error = {0};
        for (size_t i = 0; i < COMMAND_COUNT; i++)
                command_specs[i] = commands[i].spec;
        if (options_parse(&program, argc, argv, &options, &error))
                return audit_fail(&audit, EXIT_USAGE, "%s", error.text);
        if (options_answer(&options))
                return EXIT_GOOD;
        prctl(PR_SET_DUMPABLE, 0);
        service_find_credentials();
        audit.now_ns = clock_wall_ns();
        run(&audit);
        if (fflush(stdout) || ferror(stdout))
                audit_fail(&audit, EXIT_FAILED, "stdout cannot be written");
        return audit.worst;
}
