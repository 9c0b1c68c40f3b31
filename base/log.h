/* One line a fact, on stderr or where a sink takes it: time, level, text. Never a secret, never a
 * line break. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level {
        LOG_DEBUG_LEVEL,
        LOG_INFO_LEVEL,
        LOG_WARNING_LEVEL,
        LOG_ERROR_LEVEL,
        LOG_CRITICAL_LEVEL,
};

void log_set_level(enum log_level level);
enum log_level log_level(void);
const char *log_level_name(enum log_level level);
bool log_enabled(enum log_level level);

/* Who takes the lines in place of stderr; NULL: nobody. It is called by one thread at a time, with
 * the text alone; false: it could not, and the line goes to stderr. */
void log_set_sink(bool (*sink)(enum log_level level, const char *text));

/* The level of a word ("info", any case), or ERR_PARSE. */
int log_level_parse(const char *text, enum log_level *ret_level);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line at the bottom of a terminal that the next one replaces; nothing where stderr is none.
 * NULL takes it away. */
void log_status(const char *line);

#define log_debug(...) log_write(LOG_DEBUG_LEVEL, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO_LEVEL, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING_LEVEL, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR_LEVEL, __VA_ARGS__)

#endif
