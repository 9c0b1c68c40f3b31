/* A REST answer as one text, for the raw capture: what was asked, how it ended, and the body as it
 * came. schema/capture.md says it line by line. */
#ifndef LOGGER_ANSWER_TEXT_H
#define LOGGER_ANSWER_TEXT_H

#include "base/bytes.h"
#include "venue/rest.h"

#define ANSWER_URL_SIZE 16384 /* the names of 100 symbols in it, escaped */

/* @ret_text is emptied first. */
void answer_write(const struct rest_answer *answer, const char *url, struct buffer *ret_text);

/* All but the id. The body is a buffer of its own, JSON_PADDING bytes behind it. ERR_PARSE: nothing
 * was made. */
int answer_read(struct bytes text, struct rest_answer *ret_answer, char ret_url[ANSWER_URL_SIZE]);

#endif
