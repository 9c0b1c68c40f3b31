/* What both feeds of Coinbase share: spelling, the key, and REST, which serves books and products.
 *
 * Functions are those of struct venue of the same name. */
#ifndef VENUE_COINBASE_H
#define VENUE_COINBASE_H

#include "base/clock.h"
#include "venue/sign.h"
#include "venue/values.h"

#define COINBASE_WEIGHT_PER_MINUTE 600       /* 10 requests a second */
#define COINBASE_SILENCE_NS (15 * NS_PER_S)  /* a heartbeat comes every second */
#define COINBASE_IMAGE_AGE_NS (5 * NS_PER_S) /* books were seen up to 2.4 s old */
/* Nothing but a new snapshot shows what levels without ids have lost: one a day. */
#define COINBASE_LIFE_NS (23 * 3600 * NS_PER_S)

bool coinbase_symbol_is_valid(const char *symbol);

/* Key, secret and passphrase are all there. */
bool coinbase_has_key(const struct venue_choice *choice);

/* The signature of a GET of @path at @wall_ns, and that time in seconds. A secret that is no base64
 * gives an empty one, which the exchange refuses as such. */
void coinbase_sign(const struct venue_choice *choice, int64_t wall_ns, const char *path,
    char ret_time[24], char ret_signature[SIGNATURE_TEXT_SIZE]);
void coinbase_headers(
    const struct venue_choice *choice, const char *path, int64_t wall_ns, struct buffer *lines);

/* A REST book of level 2 or 3, or the snapshot of a socket, which has no id. */
int coinbase_parse_image(struct json_value body, uint8_t kind, const struct scale *scale,
    uint32_t limit, struct level_list *list, struct image *ret_image, unsigned digits[2],
    const char **reason);
uint32_t coinbase_image_weight(uint8_t kind, uint32_t limit);
void coinbase_image_url(
    const char *rest_url, uint8_t kind, const char *symbol, uint32_t limit, struct buffer *url);

void coinbase_info_url(
    const char *rest_url, const char *const *symbols, size_t count, struct buffer *url);
int coinbase_parse_info_begin(
    struct json_value root, struct json_cursor *ret_cursor, uint32_t *ret_limit);
int coinbase_parse_info(struct json_cursor *cursor, struct symbol_info *ret_info);
bool coinbase_is_unknown_symbol(int status, struct json_value root);

/* Snapshots were seen with sizes below zero and "NaN": such a level is none. */
bool coinbase_is_no_size(struct json_text text);

#endif
