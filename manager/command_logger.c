/* obmanage ping, uptime, loglevel, terminate: the logger itself. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "manager/cells.h"

static void print_ping(struct manager *manager, const struct row *row, void *user)
{
        struct cell recorder, version, pid;
        (void)manager;
        (void)user;
        cell_text(row, "recorder", &recorder);
        cell_text(row, "version", &version);
        cell_plain(row, "pid", &pid);
        printf("%s: oblogger %s, process %s\n", recorder.text, version.text, pid.text);
}

int command_ping(struct manager *manager)
{
        request_begin(manager, "ping");
        return manager_ask(manager, WAIT_SOON_MS, print_ping, NULL);
}

static void print_uptime(struct manager *manager, const struct row *row, void *user)
{
        struct cell recorder, started, up;
        int64_t uptime_s;
        (void)manager;
        (void)user;
        cell_text(row, "recorder", &recorder);
        cell_time(row, "started_ns", &started);
        if (json_member_int(row->value, "uptime_s", &uptime_s))
                cell_of_uptime(uptime_s, &up);
        else
                cell_of_text("-", &up);
        printf("%s: up %s, since %s\n", recorder.text, up.text, started.text);
}

int command_uptime(struct manager *manager)
{
        request_begin(manager, "uptime");
        return manager_ask(manager, WAIT_SOON_MS, print_uptime, NULL);
}

static void print_level(struct manager *manager, const struct row *row, void *user)
{
        struct cell level, before;
        (void)manager;
        (void)user;
        cell_text(row, "level", &level);
        cell_text(row, "before", &before);
        printf("loglevel %s, before %s\n", level.text, before.text);
}

int command_loglevel(struct manager *manager)
{
        enum log_level level;
        if (log_level_parse(manager->words[0], &level))
                return manager_fail(manager, EXIT_USAGE,
                    "loglevel %s: allowed is debug, info, warning, error, critical",
                    manager->words[0]);
        request_begin(manager, "loglevel");
        request_text(manager, "level", manager->words[0]);
        return manager_ask(manager, WAIT_SOON_MS, print_level, NULL);
}

static void print_state(struct manager *manager, const struct row *row, void *user)
{
        struct cell state;
        (void)manager;
        (void)user;
        cell_text(row, "state", &state);
        printf("%s\n", state.text);
}

int command_terminate(struct manager *manager)
{
        request_begin(manager, "terminate");
        return manager_ask(manager, WAIT_SOON_MS, print_state, NULL);
}
