/* oblogger: keeps live order books and records every change. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "base/service.h"
#include "logger/app.h"
#include "logger/rederive.h"
#include "logger/service.h"

static const struct option_spec option_specs[] = {
    {"--env-file", "FILE", "read settings from FILE (lines NAME=value)"},
    {"--check", NULL, "validate the settings and exit"},
    {"--rederive", "DIR", "make the store again from the raw capture in DIR, and exit"},
};

static const struct command_spec command_specs[] = {
    {"", "[--env-file FILE] [--check]",
        "record the order books of SYMBOLS until SIGTERM or SIGINT"},
    {"", "--rederive DIR", "make the store anew from what RAW_CAPTURE kept in DIR"},
};

static const char *const setting_names[] = {"USE_ENV_FILE", "LOGLEVEL", "AS_SERVICE", "SYMBOLS",
    "SYMBOLS_EVERY", "STORE", "STORE_KEEP", "RECORDER", "RECEIVE_UNIT", "ORDERBOOK_UPDATEFREQUENCY",
    "TRADES", "BINANCE_TRADES", "COINBASE_FEED", "COINBASE_API_KEY", "COINBASE_API_SECRET",
    "COINBASE_API_PASSPHRASE", "L3_IDS", "IMAGE_FACTOR", "IMAGE_MIN", "IMAGE_MAX", "IMAGE_DEPTH",
    "RESYNC_EVERY", "SEAL_AFTER", "SEAL_LEVELS", "MONGODB_ENDPOINT", "MONGODB_PASSWORD",
    "MONGODB_DATABASE", "MONGODB_LAYOUT", "MANAGER_SOCKET", "MANAGER_PORT", "MANAGER_ADDRESS",
    "MANAGER_AUTHKEY", "MANAGER_TLS_CERT", "MANAGER_TLS_KEY", "METRICS_PORT", "METRICS_ADDRESS",
    "RAW_CAPTURE", "CONNECTIONS", "BINANCE_WS_URL", "BINANCE_REST_URL", "COINBASE_WS_URL",
    "COINBASE_REST_URL", "CA_FILE"};

static const struct program_spec program = {
    .name = "oblogger",
    .summary = "record live order books, losslessly",
    .description =
        "oblogger keeps the order books of the symbols in SYMBOLS live and records every change of "
        "them, with "
        "all ids and both clocks, to the store in the directory STORE, within about a second; "
        "their "
        "trades beside them.\n\n"
        "Binance gives levels. Coinbase gives every order to those who have a key of Coinbase "
        "Exchange "
        "(COINBASE_API_KEY, _SECRET, _PASSPHRASE), and levels to everybody else; the record says "
        "which.\n\n"
        "Every discontinuity becomes a stored gap with its cause. The proxy variables of the "
        "environment "
        "(https_proxy, no_proxy) are obeyed. SIGTERM and SIGINT end it in order: everything "
        "received is "
        "written. SIGHUP reads the settings anew: LOGLEVEL and SYMBOLS_EVERY take effect at once, "
        "the "
        "log says of the others that differ that they wait for the next start; on a terminal it "
        "ends the "
        "program as well.\n\n"
        "obrebuild(1) gives back the exact book at any time, also while oblogger is writing.",
    .options = option_specs,
    .option_count = sizeof(option_specs) / sizeof(option_specs[0]),
    .commands = command_specs,
    .command_count = sizeof(command_specs) / sizeof(command_specs[0]),
    .settings = setting_names,
    .setting_count = sizeof(setting_names) / sizeof(setting_names[0]),
    .exits = "  0  stopped in order\n"
             "  1  failed\n"
             "  2  wrong usage or a wrong setting\n"
             "  3  the store is made, but lines of the raw capture are missing\n",
};

/* libmongoc makes a file of counters for others as it is loaded. Nobody reads it, and where a kill
 * left it the next process of that number would complain. */
static void drop_counters(void)
{
        char name[64];
        snprintf(name, sizeof(name), "/mongoc-%ld", (long)getpid());
        shm_unlink(name);
}

static bool volatile stop, reload;
static struct app app;

static void stop_cb(int signal_number)
{
        (void)signal_number;
        stop = true;
}

static void reload_cb(int signal_number)
{
        (void)signal_number;
        reload = true;
}

/* A terminal sends SIGHUP when it goes, everybody else to have the settings read anew; nohup wants
 * it ignored. */
static void catch_hangup(void)
{
        struct sigaction action;
        sigaction(SIGHUP, NULL, &action);
        if (action.sa_handler == SIG_IGN)
                return;
        action = (struct sigaction){.sa_handler = reload_cb};
        if (isatty(STDERR_FILENO))
                action.sa_handler = stop_cb;
        sigaction(SIGHUP, &action, NULL);
}

static void catch_signals(void)
{
        struct sigaction action = {.sa_handler = stop_cb};
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGINT, &action, NULL);
        catch_hangup();
        signal(SIGPIPE, SIG_IGN);
}

static bool in_journal;

static int fail(const struct error *error)
{
        if (in_journal)
                log_error("%s", error->text);
        else
                fprintf(stderr, "oblogger: %s\n", error->text);
        return error->code == ERR_USAGE ? 2 : 1;
}

static int run(struct settings *settings, const char *env_file, struct error *error)
{
        int code = app_open(&app, settings, &network_sockets, error);
        if (!code) {
                log_info("oblogger %s records to %s", OBLOGGER_VERSION,
                    settings_text(settings, "STORE"));
                service_started(&app, env_file, &reload);
                code = app_run(&app, &stop);
                if (code)
                        error_set(error, code, "ended: %s", error_name(code));
        }
        service_stopping(&app);
        struct error close_error;
        int close_code = app_close(&app, &close_error);
        if (!code && close_code)
                *error = close_error;
        if (!code && !close_code)
                log_info("stopped in order, everything is written");
        return code ? code : close_code;
}

static int run_rederive(
    struct settings *settings, const char *folder, bool *ret_incomplete, struct error *error)
{
        struct rederive_stats stats;
        int code = rederive(settings, folder, &stats, error);
        log_status(NULL);
        if (code)
                return code;
        log_info("%s: %" PRIu64 " runs, %" PRIu64 " that did not end in order; %" PRIu64
                 " lines, %" PRIu64 " missing; %" PRIu64
                 " answers that this version asks not for; %" PRIu64
                 " lines of connections that nobody has",
            folder, stats.runs, stats.cut_runs, stats.lines, stats.lost, stats.unasked,
            stats.unknown);
        *ret_incomplete = stats.lost || stats.unknown;
        return 0;
}

int main(int argc, char **argv)
{
        struct options options;
        struct settings *settings;
        struct error error = {0};
        enum log_level level;
        drop_counters();
        if (options_parse(&program, argc, argv, &options, &error))
                return fail(&error);
        if (options_answer(&options))
                return 0;
        if (options.word_count) {
                error_set(&error, ERR_USAGE, "%s: oblogger takes no words; see oblogger --help",
                    options.words[0]);
                return fail(&error);
        }
        prctl(PR_SET_DUMPABLE, 0);
        const char *env_file = options_value(&options, "--env-file");
        bool check = options_value(&options, "--check");
        service_find_credentials();
        if (settings_load(&settings, env_file, &error))
                return fail(&error);
        if (!log_level_parse(settings_text(settings, "LOGLEVEL"), &level))
                log_set_level(level);
        if (!check && settings_bool(settings, "AS_SERVICE"))
                in_journal = service_log_to_journal("oblogger");
        catch_signals();
        const char *folder = options_value(&options, "--rederive");
        bool incomplete = false;
        int code = check ? app_check(settings, &error)
            : folder     ? run_rederive(settings, folder, &incomplete, &error)
                         : run(settings, env_file, &error);
        if (!code && check)
                printf("the settings are valid\n");
        settings_free(settings);
        int result = code ? fail(&error) : incomplete ? 3 : 0;
        if (app.left_behind) { /* no exit handler takes away what that thread uses */
                fflush(NULL);
                _exit(result);
        }
        return result;
}
