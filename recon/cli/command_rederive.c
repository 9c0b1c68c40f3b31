/* obrebuild rederive DIR: the store made again from a raw capture. It takes the same loop as
 * recording did, so it is oblogger that does it, in the place of this process. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recon/cli/cli.h"

#define LOGGER "oblogger"

/* The one beside this program, or the one of PATH. */
static void start_logger(char **words)
{
        char path[PATH_MAX];
        ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - sizeof(LOGGER));
        path[size > 0 ? size : 0] = '\0';
        char *slash = strrchr(path, '/');
        if (slash) {
                snprintf(slash + 1, sizeof(LOGGER), "%s", LOGGER);
                execv(path, words);
        }
        execvp(LOGGER, words);
}

/* What is recorded there already would be mixed with what is made. */
static bool store_is_there(const char *path)
{
        char meta[PATH_MAX];
        snprintf(meta, sizeof(meta), "%s/meta", path);
        return !access(meta, F_OK);
}

int command_rederive(struct cli *cli)
{
        const char *store = settings_text(cli->settings, "STORE");
        if (cli->mongodb)
                return cli_fail(cli, EXIT_USAGE,
                    "rederive works on a store of this machine: --mongodb is not for it");
        if (cli->word_count != 1)
                return cli_fail(cli, EXIT_USAGE,
                    "rederive takes one directory, what RAW_CAPTURE was: obrebuild --store NEW "
                    "rederive DIR");
        if (store_is_there(store))
                return cli_fail(cli, EXIT_USAGE,
                    "%s: there is a store already; allowed is a new one: --store NEW", store);
        setenv("STORE", store, 1);
        char folder[PATH_MAX], option[] = "--rederive", name[] = LOGGER;
        snprintf(folder, sizeof(folder), "%s", cli->words[0]);
        start_logger((char *[]){name, option, folder, NULL});
        return cli_fail(
            cli, EXIT_FAILED, LOGGER ", which does it, cannot be started: %s", strerror(errno));
}
