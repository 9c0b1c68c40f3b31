/* The channels of Coinbase that captures hold, and the names of their streams: "full:BTC-USD". */
#ifndef LAB_CHANNELS_H
#define LAB_CHANNELS_H

#include "loader.h"

/* The stream of that channel and symbol, new if need be; TAPE_NONE if its kind is not wanted. */
int channels_need_stream(
    struct loader *loader, uint32_t symbol, enum channel channel, uint32_t *ret_stream);

/* A message of that channel and symbol; NULL in @ret_message if its kind is not wanted. */
int channels_add_message(struct loader *loader, const struct line *line, uint32_t symbol,
    enum channel channel, struct message **ret_message);

#endif
