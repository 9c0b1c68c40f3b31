/* obrebuild prune --before TS: drop whole days, leaving a mark. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "recon/cli/cli.h"
#include "recon/prune.h"

int command_prune(struct cli *cli)
{
        const char *text = options_value(cli->options, "--before");
        int64_t before;
        struct error error = {0};
        struct prune_result result;
        char day[DAY_TEXT_SIZE];
        if (!text || time_parse(text, &before))
                return cli_fail(cli, EXIT_USAGE,
                    "prune needs --before TS: days that end before it are dropped");
        uint32_t limit = day_of_time(before);
        if (recon_prune(&cli->sources[0].reader, limit, &result, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        if (cli->form == OUTPUT_JSON)
                printf(
                    "{\"pruned_days\":%zu,\"awaited_days\":%zu}\n", result.dropped, result.awaited);
        else
                printf("%zu days before %s dropped\n", result.dropped, day_format(limit, day));
        if (result.awaited)
                cli_fail(cli, EXIT_INCOMPLETE,
                    "%zu days are not in MongoDB yet and stay; oblogger ships them, or, started "
                    "once without MONGODB_ENDPOINT, gives them free",
                    result.awaited);
        return 0;
}
