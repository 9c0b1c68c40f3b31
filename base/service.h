/* The service manager (systemd) as the program sees it: what it is told, its journal, its secrets.
 *
 * Where no service manager is, telling it something does nothing. The only file that knows
 * libsystemd, and a library of its own: who does not use it does not load it. */
#ifndef BASE_SERVICE_H
#define BASE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* In the journal on each line that tells of a gap in a record. */
#define SERVICE_GAP_MESSAGE_ID "484a62370c1046f5893883a5f46c3b81"

#define SERVICE_FIELDS_MAX 7
#define SERVICE_FIELD_SIZE 160
#define SERVICE_MESSAGE_SIZE 2112

/* One line of the log as the journal keeps it: "NAME=value" each, the message last. */
struct service_line {
        char fields[SERVICE_FIELDS_MAX][SERVICE_FIELD_SIZE];
        size_t count;
        char message[SERVICE_MESSAGE_SIZE];
};

/* A line that begins with "exchange:SYMBOL" or "exchange:SYMBOL trades", then ": ", gets fields
 * for both, and one that goes on with "gap (cause)" one for the cause and the MESSAGE_ID. */
void service_line_make(
    struct service_line *ret_line, const char *identifier, enum log_level level, const char *text);

/* From now on the log goes to the journal under @identifier (borrowed for good). false: there is
 * no journal here, and the lines stay on stderr. A line that the journal does not take goes to
 * stderr too. */
bool service_log_to_journal(const char *identifier);

/* Secrets that the manager hands over: where it gave a file secret_NAME for a secret setting NAME,
 * and neither NAME nor NAME_FILE is in the environment, NAME_FILE is set to it. */
void service_find_credentials(void);

/* The program must call service_tell_alive within each such period; 0: nobody waits for it. */
int64_t service_watchdog_ns(void);

void service_tell_ready(void);
void service_tell_status(const char *text);
void service_tell_alive(void);
void service_tell_reloading(void); /* service_tell_ready ends it */
void service_tell_stopping(void);

#endif
