/* obmanage: asks a running oblogger, and tells it what to do. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/client.h"
#include "control/server.h"
#include "manager/cells.h"
#include "manager/terminal.h"

static const struct option_spec option_specs[] = {
    {"--env-file", "FILE", "read settings from FILE (lines NAME=value)"},
    {"--socket", "PATH", "the logger's Unix socket (setting MANAGER_SOCKET)"},
    {"--host", "HOST", "by TCP, with the key: the logger's address (setting LOGGER_SERVER_IP)"},
    {"--port", "PORT", "by TCP, with the key: its port (setting MANAGER_PORT)"},
    {"--json", NULL, "the rows of the answer as they come, one object a line"},
    {"--depth", "N", "book: only the best N prices a side"},
};

struct command {
        struct command_spec spec;
        int (*run)(struct manager *manager);
        size_t words_min, words_max;
};

static const struct command commands[] = {
    {{"add", "add SYM...", "record symbols too; ends when each book is live, or refused"},
        command_add, 1, OPTIONS_WORDS_MAX},
    {{"remove", "remove SYM...", "stop recording them; what is recorded stays"}, command_remove, 1,
        OPTIONS_WORDS_MAX},
    {{"list", "list", "what is recorded, and since which word of whom"}, command_list, 0, 0},
    {{"status", "status [SYM]", "how each book is: state, best prices, counts; or all of one"},
        command_status, 0, 1},
    {{"book", "book SYM [--depth N]", "the book as it is now"}, command_book, 1, 1},
    {{"snapshot", "snapshot SYM|all", "compare the book with a new image from the exchange"},
        command_snapshot, 1, 1},
    {{"reconnect", "reconnect [EXCHANGE]", "new connections in place of the present ones, no gap"},
        command_reconnect, 0, 1},
    {{"gaps", "gaps [SYM]", "the gaps since the logger's start, oldest first"}, command_gaps, 0, 1},
    {{"top", "top", "a table of all books that is renewed each second; q ends it"}, command_top, 0,
        0},
    {{"watch", "watch SYM", "best bid and ask, whenever they change, one object a line"},
        command_watch, 1, 1},
    {{"ping", "ping", "does it answer?"}, command_ping, 0, 0},
    {{"uptime", "uptime", "how long it has been running"}, command_uptime, 0, 0},
    {{"loglevel", "loglevel LEVEL", "debug, info, warning, error or critical, from now on"},
        command_loglevel, 1, 1},
    {{"terminate", "terminate", "end the logger in order, everything is written"},
        command_terminate, 0, 0},
};

static struct command_spec command_specs[COUNT(commands)];

static const char *const setting_names[] = {"USE_ENV_FILE", "STORE", "MANAGER_SOCKET",
    "LOGGER_SERVER_IP", "MANAGER_PORT", "MANAGER_AUTHKEY", "CA_FILE"};

static const struct program_spec program = {
    .name = "obmanage",
    .summary = "ask and direct a running oblogger",
    .description =
        "obmanage adds and removes symbols of a running oblogger, shows how its books are, and "
        "tells it to reconnect, to compare or to end.\n\n"
        "SYM is binance:BTCUSDT; BTCUSDT alone means binance. In add and remove a * stands for any "
        "number of characters: binance:*USDT takes in every symbol that matches, those listed "
        "later too.\n\n"
        "It speaks over the logger's Unix socket, manager.sock in the directory STORE unless "
        "MANAGER_SOCKET or --socket names another, or /run/oblogger/manager.sock of the service. "
        "Else, where MANAGER_AUTHKEY is set, over TCP to LOGGER_SERVER_IP, by TLS unless that is "
        "this machine; the key proves who asks and does not cross the wire. It is never an "
        "argument, which others could see.\n\n"
        "In top, s, r and g sort by symbol, rate and gaps. Where stdout is no terminal it prints a "
        "table a second, with --json the rows of status, until it is interrupted or nobody reads "
        "on.\n\n"
        "Data goes to stdout, talk to stderr. Decimals are exact texts, never floating point.",
    .options = option_specs,
    .option_count = COUNT(option_specs),
    .commands = command_specs,
    .command_count = COUNT(commands),
    .settings = setting_names,
    .setting_count = COUNT(setting_names),
    .exits = "  0  done\n"
             "  1  failed: no logger there, an unknown symbol, the exchange refused it\n"
             "  2  wrong usage or a wrong setting\n",
};

int manager_fail(struct manager *manager, int code, const char *format, ...)
{
        va_list args;
        terminal_leave(); /* what is said on its page is lost */
        log_status(NULL);
        fflush(stdout);
        va_start(args, format);
        fputs("obmanage: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
        va_end(args);
        manager->worst = manager->worst == EXIT_FAILED ? EXIT_FAILED : code;
        return code;
}

static volatile bool *stop_flag;

static void stop_cb(int signal_number)
{
        (void)signal_number;
        *stop_flag = true;
}

void catch_signals(volatile bool *ret_stop)
{
        static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
        struct sigaction action = {.sa_handler = stop_cb};
        stop_flag = ret_stop;
        for (size_t i = 0; i < COUNT(numbers); i++)
                sigaction(numbers[i], &action, NULL);
}

static const struct command *find_command(struct manager *manager)
{
        const struct options *options = manager->options;
        if (!options->word_count) {
                manager_fail(manager, EXIT_USAGE, "no command; see obmanage --help");
                return NULL;
        }
        for (size_t i = 0; i < COUNT(commands); i++) {
                if (!strcmp(options->words[0], commands[i].spec.name))
                        return &commands[i];
        }
        manager_fail(
            manager, EXIT_USAGE, "%s: no such command; see obmanage --help", options->words[0]);
        return NULL;
}

static int check_words(struct manager *manager, const struct command *command)
{
        size_t count = manager->word_count;
        if (count < command->words_min || count > command->words_max)
                return manager_fail(manager, EXIT_USAGE, "usage: obmanage %s", command->spec.usage);
        for (size_t i = 0; i < count; i++) {
                if (!*manager->words[i])
                        return manager_fail(manager, EXIT_USAGE,
                            "a word is empty; usage: obmanage %s", command->spec.usage);
        }
        return 0;
}

static int read_options(struct manager *manager, const struct command *command)
{
        const char *depth = options_value(manager->options, "--depth");
        const char *socket = options_value(manager->options, "--socket");
        const char *host = options_value(manager->options, "--host");
        const char *port = options_value(manager->options, "--port");
        manager->json = options_value(manager->options, "--json");
        if (socket && (host || port))
                return manager_fail(manager, EXIT_USAGE,
                    "--socket and --%s are both given: allowed is one", host ? "host" : "port");
        if (!depth)
                return 0;
        if (command->run != command_book)
                return manager_fail(
                    manager, EXIT_USAGE, "--depth is for book, not for %s", command->spec.name);
        if (strspn(depth, "0123456789") != strlen(depth) ||
            decimal_parse(depth, strlen(depth), 0, &manager->depth) || manager->depth < 1 ||
            manager->depth > LIMIT_BOOK_LEVELS)
                return manager_fail(manager, EXIT_USAGE,
                    "--depth %s: allowed is a number from 1 to %u", depth, LIMIT_BOOK_LEVELS);
        return 0;
}

static void run(struct manager *manager)
{
        const struct command *command = find_command(manager);
        if (!command)
                return;
        manager->words = manager->options->words + 1;
        manager->word_count = manager->options->word_count - 1;
        if (check_words(manager, command) || read_options(manager, command))
                return;
        command->run(manager);
        log_status(NULL);
        bool failed = (fflush(stdout) || ferror(stdout)) && !manager->stopped;
        if (failed && stdout_is_closed()) /* who reads has had enough */
                manager->worst = EXIT_FAILED;
        else if (failed)
                manager_fail(manager, EXIT_FAILED, "stdout cannot be written");
}

int main(int argc, char **argv)
{
        static struct options options;
        struct manager manager = {.options = &options};
        struct error error = {0};
        for (size_t i = 0; i < COUNT(commands); i++)
                command_specs[i] = commands[i].spec;
        if (options_parse(&program, argc, argv, &options, &error))
                return manager_fail(&manager, EXIT_USAGE, "%s", error.text);
        if (options_answer(&options))
                return EXIT_DONE;
        signal(SIGPIPE, SIG_IGN);
        manager.parser = json_new();
        if (!manager.parser)
                return manager_fail(&manager, EXIT_FAILED, "no memory");
        buffer_init(&manager.line, CONTROL_ANSWER_SIZE + JSON_PADDING + 1);
        run(&manager);
        control_disconnect(manager.client);
        buffer_deinit(&manager.line);
        buffer_deinit(&manager.request);
        json_free(manager.parser);
        return manager.worst;
}
