#include "logger/answer_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"

void answer_write(const struct rest_answer *answer, const char *url, struct buffer *ret_text)
{
        buffer_clear(ret_text);
        buffer_printf(ret_text, "%s\n%d %d %" PRId64 " %" PRId64 " %" PRId64 " %zu\n%s\n", url,
            answer->code, answer->status, answer->retry_after_s, answer->used_weight,
            answer->received_ns, answer->address_count, answer->code ? answer->text : "");
        for (size_t i = 0; i < answer->address_count; i++)
                buffer_printf(ret_text, "%s\n", answer->addresses[i]);
        buffer_append(ret_text, answer->body.data, answer->body.size);
}

/* The next line into @ret_line, or false: there is none, or it is too long. */
static bool take_line(struct bytes *text, char *ret_line, size_t size)
{
        const uint8_t *end = text->size ? memchr(text->data, '\n', text->size) : NULL;
        size_t length = end ? (size_t)(end - text->data) : 0;
        if (!end || length >= size)
                return false;
        memcpy(ret_line, text->data, length);
        ret_line[length] = '\0';
        text->data += length + 1;
        text->size -= length + 1;
        return true;
}

static bool take_head(struct bytes *text, struct rest_answer *answer, char url[ANSWER_URL_SIZE])
{
        char line[256];
        return take_line(text, url, ANSWER_URL_SIZE) && take_line(text, line, sizeof(line)) &&
            sscanf(line, "%d %d %" SCNd64 " %" SCNd64 " %" SCNd64 " %zu", &answer->code,
                &answer->status, &answer->retry_after_s, &answer->used_weight, &answer->received_ns,
                &answer->address_count) == 6 &&
            answer->address_count <= REST_ADDRESSES &&
            take_line(text, answer->text, sizeof(answer->text));
}

int answer_read(struct bytes text, struct rest_answer *ret_answer, char ret_url[ANSWER_URL_SIZE])
{
        struct rest_answer answer = {0};
        if (!take_head(&text, &answer, ret_url))
                return ERR_PARSE;
        for (size_t i = 0; i < answer.address_count; i++) {
                if (!take_line(&text, answer.addresses[i], sizeof(answer.addresses[i])))
                        return ERR_PARSE;
        }
        buffer_init(&answer.body, LIMIT_REST_BODY + JSON_PADDING);
        buffer_append(&answer.body, text.data, text.size);
        uint8_t *padding = buffer_reserve(&answer.body, JSON_PADDING);
        if (!padding) {
                buffer_deinit(&answer.body);
                return ERR_PARSE;
        }
        memset(padding, 0, JSON_PADDING);
        *ret_answer = answer;
        return 0;
}
