#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

static const char *const level_names[] = {"debug", "info", "warning", "error", "critical"};
static _Atomic enum log_level threshold = LOG_INFO_LEVEL;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool status_shown;
static bool (*sink)(enum log_level level, const char *text); /* under the lock */

void log_set_level(enum log_level level)
{
        atomic_store(&threshold, level);
}

enum log_level log_level(void)
{
        return atomic_load(&threshold);
}

const char *log_level_name(enum log_level level)
{
        return level_names[level];
}

void log_set_sink(bool (*new_sink)(enum log_level level, const char *text))
{
        pthread_mutex_lock(&lock);
        sink = new_sink;
        pthread_mutex_unlock(&lock);
}

bool log_enabled(enum log_level level)
{
        return level >= atomic_load(&threshold);
}

int log_level_parse(const char *text, enum log_level *ret_level)
{
        for (unsigned i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
                if (!strcasecmp(text, level_names[i])) {
                        *ret_level = (enum log_level)i;
                        return 0;
                }
        }
        return ERR_PARSE;
}

static void status_clear(void)
{
        if (status_shown)
                fputs("\r\033[K", stderr);
        status_shown = false;
}

void log_write(enum log_level level, const char *format, ...)
{
        char text[2048], time_text[TIME_TEXT_SIZE];
        va_list args;
        if (!log_enabled(level))
                return;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        text_make_printable(text);
        int64_t now = clock_wall_ns();
        pthread_mutex_lock(&lock);
        status_clear();
        if (!sink || !sink(level, text))
                fprintf(stderr, "%s %s: %s\n", time_format(now - now % NS_PER_MS, time_text),
                    level_names[level], text);
        pthread_mutex_unlock(&lock);
}

void log_status(const char *line)
{
        static int terminal = -1;
        pthread_mutex_lock(&lock);
        if (terminal < 0)
                terminal = isatty(STDERR_FILENO);
        if (terminal) {
                status_clear();
                if (line) {
                        fputs(line, stderr);
                        fflush(stderr);
                        status_shown = true;
                }
        }
        pthread_mutex_unlock(&lock);
}
