/* obrebuild backup DIR: a compact copy beside a running logger. */
#include <stdio.h>

#include "recon/cli/cli.h"

int command_backup(struct cli *cli)
{
        struct store *store = cli->sources[0].store;
        struct error error = {0};
        if (cli->word_count != 1)
                return cli_fail(cli, EXIT_USAGE,
                    "backup takes one directory, missing or empty: obrebuild backup DIR");
        cli_progress(cli, "backup: copying to %s", cli->words[0]);
        if (store->ops->backup(store, cli->words[0], &error))
                return cli_fail(
                    cli, error.code == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED, "%s", error.text);
        cli_progress(cli, NULL);
        if (cli->form == OUTPUT_JSON)
                printf("{\"backup\":\"done\"}\n");
        else
                printf("copied to %s\n", cli->words[0]);
        return 0;
}
