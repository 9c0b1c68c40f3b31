/* Delivery: one emitted message to every connection that wants it, by way of the faults. */
#ifndef LAB_DELIVER_H
#define LAB_DELIVER_H

#include "lab.h"

struct emission {
        uint32_t stream;
        uint32_t symbol;
        uint64_t sequence; /* the how-manieth of its stream */
        struct span text;  /* the data object; borrowed */
        int64_t first_id;
        int64_t last_id;
        uint32_t turn_offset; /* of Advanced Trade: where sequence_num stands in the text */
        uint8_t turn_size;    /* 0: nowhere */
};

void deliver_message(struct lab *lab, const struct emission *emission);

/* Send one connection a message that was made for it; faults know it as stream @name. */
void deliver_made(struct conn *conn, const char *name, struct span text);

/* Send what was held back by delays that are over; deliver_flush: all that is held back. */
void deliver_tick(struct lab *lab, int64_t now_ns);
void deliver_flush(struct lab *lab);

/* Faults that need no message fall due with time. */
struct fault;
void deliver_act(struct lab *lab, const struct fault *fault, uint32_t stream);

#endif
