/* What puts captures on the tape shares this: the capture in hand, and how a tape grows. */
#ifndef LAB_LOADER_H
#define LAB_LOADER_H

#include "lines.h"
#include "tape.h"

/* What is being loaded; images without a symbol wait for the end of their capture. */
struct loader {
        struct tape *tape;
        struct capture *capture;
        uint32_t capture_index;
        int64_t start_ns;
        int64_t first_event_ms;
        struct error *error;
};

/* Room for one more element after @count: lists grow at powers of two. */
void *loader_grow(void *list, size_t count, size_t size);

/* The symbol or stream of that name, new if need be. ERR_FULL, ERR_USAGE. */
int loader_need_symbol(
    struct loader *loader, enum venue venue, struct span name, uint32_t *ret_index);
int loader_need_stream(
    struct loader *loader, enum venue venue, struct span name, uint32_t *ret_index);

/* Is this word among the kinds of streams that were asked for? */
bool loader_keeps(const struct tape *tape, struct span kind);

/* A message at the end of the capture, of no stream and no symbol as yet. */
struct message *loader_add_message(struct loader *loader, int64_t time_ns);

/* Note a number that another pass shifts; @value lies in the message's text, ascending. */
void loader_add_number(
    struct loader *loader, struct message *message, struct span value, enum number_kind kind);

/* Note the time of an event, for how long a pass is; loader_note_stamp: of one as text. */
void loader_note_time(struct loader *loader, int64_t ms);
void loader_note_stamp(struct loader *loader, struct span stamp);

/* A level at the end of the symbol's; ERR_PARSE if price or quantity cannot be ones. */
int loader_add_level(struct loader *loader, struct symbol *symbol, struct span price,
    struct span quantity, bool is_ask);

/* [["price","quantity"],...] */
int loader_add_levels(struct loader *loader, struct symbol *symbol, struct span side, bool is_ask);

/* An event of the levels from @level_start on; its index. */
size_t loader_add_event(
    struct symbol *symbol, int64_t first_id, int64_t last_id, size_t level_start);

/* Keep a text that was made, as long as the tape. */
struct span loader_keep_text(struct loader *loader, const struct buffer *text);

#endif
