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
        size_t dropped = 0;
        char day[DAY_TEXT_SIZE];
        if (!text || time_parse(text, &before))
                return cli_fail(cli, EXIT_USAGE,
                    "prune needs --before TS: days that end before it are dropped");
        uint32_t limit = day_of_time(before);
        if (recon_prune(&cli->reader, limit, &dropped, &error))
                return cli_fail(cli, EXIT_FAILED, "%s", error.text);
        if (cli->form == OUTPUT_JSON)
                printf("{\"pruned_days\":%zu}\n", dropped);
        else
                printf("%zu days before %s dropped\n", dropped, day_format(limit, day));
        return 0;
}
