/* What the files of this stage share. */
#ifndef RECON_INTERNAL_H
#define RECON_INTERNAL_H

#include "recon/recon.h"

/* The frame that holds the last event of a time, by its head. ERR_NOT_FOUND: there is none. */
int locate_frame(struct reader *reader, const struct recon_stream *stream, int64_t at_ns,
    enum recon_clock clock, struct frame_cursor *cursor);

/* The last readable frame before which every event was earlier than @from_ns, by the exchange's
 * clock. ERR_NOT_FOUND: there is none. */
int locate_start(struct reader *reader, const struct recon_stream *stream, int64_t from_ns,
    struct frame_cursor *cursor);

/* Unpack the frame under the cursor and begin to decode it; its info is then checked. */
int open_frame(struct frame_cursor *cursor, struct error *error);

/* The image under the cursor becomes the book. */
int load_image(struct frame_cursor *cursor, struct book *book, struct error *error);

/* The repair under the cursor mends the book. */
int apply_repair(struct frame_cursor *cursor, struct book *book, struct error *error);

/* open_frame for changes. Where frames were sealed or archived under the reader, so that the one
 * under the cursor does not go on from the last one read, its segment is read again from the image
 * on: @book then stands where the frame begins. */
int join_frame(struct frame_cursor *cursor, struct book *book, struct error *error);

/* Does the frame under the cursor go on at @expected? An image before it may have been thinned out.
 */
static inline bool cursor_follows(const struct frame_cursor *cursor, uint64_t expected)
{
        if (cursor->position + cursor->skip == expected)
                return true;
        return !cursor->code && !cursor->skip &&
            frame_follows(&cursor->info, cursor->position, expected);
}

/* The position that the frame under the cursor, with what was thinned out before it, begins at. */
static inline uint64_t cursor_begin(const struct frame_cursor *cursor)
{
        bool thinned = !cursor->code && cursor->info.flags & FRAME_THINNED;
        return cursor->position - thinned;
}

/* @error names the frame under the cursor. Returns @code. */
int place_error(struct error *error, int code, const struct frame_cursor *cursor, const char *what);

/* The stream's mark of one day, with what archiving has changed of its counters. ERR_NOT_FOUND,
 * ERR_CORRUPT, ERR_VERSION, ERR_IO. */
int day_mark(struct store *store, uint32_t number, uint32_t day, struct mark_record *ret_mark,
    struct error *error);

/* A gap of the stream as its record tells it; one whose end a database does not have yet is open.
 */
int gap_take(const struct reader *reader, const struct recon_stream *stream, struct bytes value,
    struct gap_record *ret_gap);

/* Is there a record of a gap between these two positions? */
bool gap_spans(const struct gap_list *gaps, uint64_t from_position, uint64_t to_position);

/* Did the epoch that is recorded in that day begin because the scale changed, without a loss? */
bool epoch_is_scale(
    struct reader *reader, const struct recon_stream *stream, size_t day, uint32_t epoch);

/* Does somebody who copies the stream elsewhere stand in [@from, @to), by positions? */
bool recon_is_awaited(
    struct reader *reader, const struct recon_stream *stream, uint64_t from, uint64_t to);

#endif
