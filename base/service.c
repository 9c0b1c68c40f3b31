#include "base/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/settings.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static const char *journal_identifier;

/* As syslog has them. */
static int priority_of(enum log_level level)
{
        static const int priorities[] = {7, 6, 4, 3, 2};
        return priorities[level];
}

static void add_field(struct service_line *line, const char *name, const char *text, size_t size)
{
        snprintf(line->fields[line->count++], SERVICE_FIELD_SIZE, "%s=%.*s", name, (int)size, text);
}

/* Where the words after "exchange:SYMBOL: " or "exchange:SYMBOL trades: " begin, or NULL. */
static const char *after_symbol(const char *text, size_t *ret_exchange, size_t *ret_symbol)
{
        size_t exchange = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");
        if (!exchange || text[exchange] != ':')
                return NULL;
        const char *symbol = text + exchange + 1, *end = symbol + strcspn(symbol, " :/");
        if (end == symbol)
                return NULL;
        *ret_exchange = exchange;
        *ret_symbol = (size_t)(end - symbol);
        if (!strncmp(end, " trades", strlen(" trades")))
                end += strlen(" trades");
        return strncmp(end, ": ", 2) ? NULL : end + 2;
}

static void add_gap(struct service_line *line, const char *words)
{
        static const char begin[] = "gap (";
        const char *cause = words + strlen(begin);
        if (strncmp(words, begin, strlen(begin)) || !strchr(cause, ')'))
                return;
        add_field(line, "OBLOGGER_GAP", cause, strcspn(cause, ")"));
        add_field(line, "MESSAGE_ID", SERVICE_GAP_MESSAGE_ID, strlen(SERVICE_GAP_MESSAGE_ID));
}

void service_line_make(
    struct service_line *ret_line, const char *identifier, enum log_level level, const char *text)
{
        char priority[2] = {(char)('0' + priority_of(level)), 0};
        size_t exchange, symbol;
        const char *words = after_symbol(text, &exchange, &symbol);
        ret_line->count = 0;
        add_field(ret_line, "PRIORITY", priority, 1);
        add_field(ret_line, "SYSLOG_IDENTIFIER", identifier, strlen(identifier));
        if (words) {
                add_field(ret_line, "OBLOGGER_EXCHANGE", text, exchange);
                add_field(ret_line, "OBLOGGER_SYMBOL", text + exchange + 1, symbol);
                add_gap(ret_line, words);
        }
        snprintf(ret_line->message, sizeof(ret_line->message), "MESSAGE=%s", text);
}

static bool journal_take(enum log_level level, const char *text)
{
        struct service_line line;
        struct iovec parts[SERVICE_FIELDS_MAX + 1];
        service_line_make(&line, journal_identifier, level, text);
        for (size_t i = 0; i < line.count; i++)
                parts[i] = (struct iovec){line.fields[i], strlen(line.fields[i])};
        parts[line.count] = (struct iovec){line.message, strlen(line.message)};
        /* libsystemd keeps silent about a journal that is gone */
        return !access(JOURNAL_SOCKET, W_OK) && sd_journal_sendv(parts, (int)line.count + 1) >= 0;
}

bool service_log_to_journal(const char *identifier)
{
        if (access(JOURNAL_SOCKET, W_OK))
                return false;
        journal_identifier = identifier;
        log_set_sink(journal_take);
        return true;
}

static void find_credential(const char *folder, const char *name)
{
        char variable[64], path[4096];
        int variable_size = snprintf(variable, sizeof(variable), "%s_FILE", name);
        int path_size = snprintf(path, sizeof(path), "%s/secret_%s", folder, name);
        if (variable_size >= (int)sizeof(variable) || path_size >= (int)sizeof(path))
                return;
        if (!getenv(name) && !getenv(variable) && !access(path, F_OK))
                setenv(variable, path, 0);
}

void service_find_credentials(void)
{
        const char *folder = getenv("CREDENTIALS_DIRECTORY");
        for (size_t i = 0; folder && i < settings_count; i++) {
                if (settings_table[i].kind == SETTING_SECRET)
                        find_credential(folder, settings_table[i].name);
        }
}

int64_t service_watchdog_ns(void)
{
        uint64_t period_us = 0;
        if (sd_watchdog_enabled(0, &period_us) <= 0)
                return 0;
        return period_us < INT64_MAX / NS_PER_US ? (int64_t)period_us * NS_PER_US : 0;
}

void service_tell_ready(void)
{
        sd_notify(0, "READY=1");
}

void service_tell_status(const char *text)
{
        sd_notifyf(0, "STATUS=%s", text);
}

void service_tell_alive(void)
{
        sd_notify(0, "WATCHDOG=1");
}

void service_tell_reloading(void)
{
        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono_ns() / NS_PER_US);
}

void service_tell_stopping(void)
{
        sd_notify(0, "STOPPING=1\nSTATUS=stopping");
}
