/* One line of JSON to an address that is a secret.
 *
 * https only, or plain to this machine; TLS is always verified; redirects are not followed. What is
 * said of an error never holds the address, nor what the library tells of it. */
#include <string.h>
#include <time.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "venue/rest.h"

#define TIMEOUT_MS 15000
#define POLL_NS (5 * NS_PER_MS)

static int check_address(const char *url, struct error *error)
{
        struct rest_url parts;
        int code = strncmp(url, "http", 4) ? ERR_PARSE : rest_url_parse(url, &parts);
        if (code == ERR_DENIED)
                return error_set(
                    error, code, "ALERT_WEBHOOK: plain http only to this machine; use https");
        if (code)
                return error_set(error, ERR_USAGE, "ALERT_WEBHOOK: it is no https:// address");
        return 0;
}

static bool await(struct rest *rest, struct rest_answer *ret_answer)
{
        const struct timespec poll = {0, POLL_NS};
        int64_t end_ns = clock_mono_ns() + 2 * TIMEOUT_MS * NS_PER_MS;
        while (clock_mono_ns() < end_ns) {
                if (rest_take(rest, ret_answer))
                        return true;
                nanosleep(&poll, NULL);
        }
        return false;
}

static int judge(const struct rest_answer *answer, struct error *error)
{
        if (answer->code == ERR_DENIED)
                return error_set(error, ERR_DENIED,
                    "ALERT_WEBHOOK: its certificate is not trusted (CA_FILE adds one)");
        if (answer->code)
                return error_set(error, answer->code,
                    "ALERT_WEBHOOK: it cannot be reached, or "
                    "does not speak HTTP");
        if (answer->status < 200 || answer->status > 299)
                return error_set(error, ERR_DENIED, "ALERT_WEBHOOK: HTTP %d", answer->status);
        return 0;
}

int webhook_post(const char *url, const char *ca_file, const char *body, struct error *error)
{
        struct rest_options options = {.ca_file = ca_file, .timeout_ms = TIMEOUT_MS};
        struct rest_answer answer;
        struct rest *rest;
        int code = check_address(url, error);
        code = code ? code : rest_open(&rest, &options, error);
        if (code)
                return code;
        if (rest_post(rest, 1, url, "Content-Type: application/json\n", body) ||
            !await(rest, &answer)) {
                code = error_set(error, ERR_IO, "ALERT_WEBHOOK: no answer");
        } else {
                code = judge(&answer, error);
                buffer_deinit(&answer.body);
        }
        rest_close(rest);
        return code;
}
