/* What an event carries beside times, ids and levels, as plain bytes: an order message, the fills
 * of an aggregate trade. The bytes are drawn in schema/frame.md. */
#ifndef CODEC_MESSAGES_H
#define CODEC_MESSAGES_H

#include "book/event.h"
#include "codec/varint.h"

#define MESSAGE_SIZE_MAX (3 + 2 * 16 + 6 * VARINT_SIZE_MAX + ORDER_FUNDS_SIZE)

void message_write(struct buffer *out, const struct event *event);

/* What message_write wrote for an event of this type and last id; the message itself into
 * @ret_order. Sticky in @reader. */
void message_read(struct byte_reader *reader, struct event *event, struct order_message *ret_order);

/* Do the fields go together as a writer's do? */
bool message_is_sound(const struct order_message *message);

#endif
