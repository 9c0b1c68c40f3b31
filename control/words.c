/* What a line says, without any socket: where it ends, whether it can be a request, and how many
 * wrong keys are too many. */
#include <string.h>

#include "control/internal.h"

#define ATTEMPTS_NS (60 * NS_PER_S)

int line_split(const uint8_t *data, size_t size, size_t *ret_size, size_t *ret_used)
{
        size_t most = CONTROL_LINE_SIZE + 2; /* with CR and LF */
        const uint8_t *end = size ? memchr(data, '\n', size < most ? size : most) : NULL;
        if (!end)
                return size < most ? 0 : ERR_FULL;
        size_t length = (size_t)(end - data);
        size_t used = length + 1;
        if (length && data[length - 1] == '\r')
                length--;
        if (length > CONTROL_LINE_SIZE)
                return ERR_FULL;
        *ret_size = length;
        *ret_used = used;
        return 1;
}

const char *line_check(
    struct json_parser *json, const char *line, size_t size, struct json_value *ret_root)
{
        struct json_value root;
        if (memchr(line, '\0', size))
                return "the request has a zero byte";
        if (json_parse(json, line, size, &root) || !json_is_object(root))
                return "the request is not a JSON object in UTF-8";
        *ret_root = root;
        return NULL;
}

bool attempts_are_too_many(const struct attempts *attempts, int64_t now_ns)
{
        return now_ns < attempts->shut_until_ns;
}

void attempts_note(struct attempts *attempts, int64_t now_ns)
{
        attempts->wrong_ns[attempts->next] = now_ns;
        attempts->next = (attempts->next + 1) % CONTROL_ATTEMPTS;
        int64_t oldest_ns = attempts->wrong_ns[attempts->next];
        if (oldest_ns && now_ns - oldest_ns < ATTEMPTS_NS)
                attempts->shut_until_ns = now_ns + ATTEMPTS_NS;
}
