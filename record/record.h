/* From events to frames in the store.
 *
 * A recorder owns one writer (a thread) and the streams. A stream owns the book of its symbol: it
 * applies each event and, in the same pass, encodes it. About once a second recorder_tick hands
 * what has come to the writer, which packs and commits it, all streams in one transaction a day.
 *
 * All functions are for one thread, the loop. Cuts and spacing follow the events' receive times, so
 * that the same input gives the same sealed bytes. What cannot be kept becomes a stored gap.
 *
 *   recorder_open -> record_stream_open -> { record_headless* -> record_image -> record_event* ->
 *   record_gap }* -> record_stream_close -> recorder_close */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include "book/book.h"
#include "codec/meta.h"
#include "codec/note.h"
#include "record/latency.h"
#include "store/store.h"

struct recorder;
struct record_stream;

struct record_options {
        int64_t seal_after_ns;
        uint32_t seal_levels;
        uint32_t image_factor;
        int64_t image_min_ns;
        int64_t image_max_ns;
        size_t queue_size;   /* bytes that may wait for the writer; 0: LIMIT_QUEUE_SIZE */
        bool without_thread; /* commit within recorder_tick: for simulated time */
};

extern const struct record_options record_defaults;

struct record_stats {
        uint64_t commits;
        uint64_t failed_commits;
        uint64_t bytes_written;
        size_t queue_bytes, queue_limit;
        bool failing;             /* the store refused the last commit; it is tried again */
        bool suspended;           /* the queue ran over, nothing is recorded until it has drained */
        int64_t waiting_since_ns; /* the oldest batch is tried since, monotonic; 0: none waits */
        struct latency latency;   /* from the receipt of an event until it is on disk */
};

/* What has happened since the recorder was opened. */
struct record_counts {
        uint64_t events;  /* as they came; what is kept but not stored (suspended) does not count */
        uint64_t epochs;  /* books that were begun with an image ... */
        uint64_t resyncs; /* ... and those of them after a gap */
        uint64_t corrections; /* later images that differed from the book ... */
        uint64_t differences; /* ... by so many levels or orders */
        uint64_t gaps[GAP_CAUSES];
};

/* @store: opened to write, borrowed until recorder_close, used by the writer alone from now on.
 * Reads what is known of every stream. ERR_CORRUPT, ERR_VERSION, ERR_IO. */
int recorder_open(struct recorder **ret_recorder, struct store *store,
    const struct record_options *options, struct error *error);

/* Seal every block, mark every open stream as cleanly stopped, and wait for the writer, at most
 * @wait_ns. ERR_FULL, ERR_IO: what could not be written by then is lost (the error says how much).
 */
int recorder_close(struct recorder *recorder, int64_t now_ns, int64_t wait_ns, struct error *error);

/* As a kill does: nothing that was not handed over is kept, nothing is marked. */
void recorder_abandon(struct recorder *recorder);

/* Hand over what has come. To be called about every second with the wall clock's time. */
void recorder_tick(struct recorder *recorder, int64_t now_ns);

/* Store a remark of now, or just after the one before: no two have the same time. */
void recorder_note(struct recorder *recorder, int64_t now_ns, const struct note_record *note);

/* The wall clock was seen to step by @step_ns. */
void recorder_note_clock_step(struct recorder *recorder, int64_t now_ns, int64_t step_ns);

/* What the exchange says of a symbol now. It is stored if it differs in anything but its time from
 * what was known of that symbol. Returns whether it did. A time that is not later than the one
 * before is stored as 1 ns behind that: what was known first stays first. */
bool record_symbol(struct recorder *recorder, const struct symbol_record *record);

struct record_stats recorder_stats(struct recorder *recorder);

/* The sum of all streams of an exchange, of closed ones too. */
struct record_counts recorder_counts(const struct recorder *recorder, const char *exchange);

/* Begin to record a stream. Where the store has an earlier record of it, a gap is opened with the
 * cause that its end tells (stopped, removed, crashed). A stream whose events were not numbered
 * once counts as not sequenced. The stream is the recorder's. ERR_FULL  LIMIT_SYMBOLS     ERR_BUSY
 * already open */
int record_stream_open(struct recorder *recorder, const struct stream_name *name,
    const struct scale *scale, int64_t now_ns, struct record_stream **ret_stream,
    struct error *error);

/* Seal and mark it as ended in order. @removed: by the user's will. Frees the stream. */
void record_stream_close(struct record_stream *stream, int64_t now_ns, bool removed);

/* An event while there is no book. @new_run: it does not follow the one before, so no image can
 * bridge to anything earlier. */
void record_headless(struct record_stream *stream, const struct event *event, bool new_run);

/* The image that bridges: begins an epoch, takes the headless events beyond it behind it. With a
 * book already there it begins a new epoch only after record_gap. Trades begin with an empty one.
 *   ERR_GAP    the book crossed while the waiting events were applied: the crossing event and all
 *              after it stay headless, a gap is recorded, there is no book.
 *   ERR_FULL   too many levels; nothing was changed. */
int record_image(struct record_stream *stream, const struct image *image);

/* The next event of a live book.
 *   ERR_GAP    the book would be crossed: nothing was recorded; call record_gap, record_headless.
 *   ERR_FULL   too many levels; likewise. */
int record_event(struct record_stream *stream, const struct event *event);

/* Keep the events from now on in memory as well, so that an image can be carried forward. */
void record_tail_begin(struct record_stream *stream);

/* A later image of a live book, whose id the book has reached: carried forward by the events kept
 * since record_tail_begin, it replaces the book; what differed is counted (@ret_differences).
 *   ERR_GAP    events between the image and now were not kept: ask again.
 *   ERR_RANGE  the carried book is crossed: not taken.     ERR_FULL */
int record_correct(
    struct record_stream *stream, const struct image *image, uint32_t *ret_differences);

/* The book is no more: from the last good event on the record has a gap. */
void record_gap(
    struct record_stream *stream, enum gap_cause cause, int64_t now_ns, const char *detail);

/* Until something is recorded the scale may still be learned from what the exchange writes: its
 * decimals replace those given at the start. false: something is recorded already. */
bool record_learn_digits(
    struct record_stream *stream, unsigned price_digits, unsigned quantity_digits);

/* Go on with another scale, of as many digits or more (a new epoch, no gap), if it is another one:
 * values came that the old one cannot hold, or the exchange's grid changed. Tick and lot are in the
 * new units; 0: as they were. ERR_RANGE: does not fit int64; nothing was changed. */
int record_rescale(struct record_stream *stream, unsigned price_digits, unsigned quantity_digits,
    int64_t tick, int64_t lot, int64_t now_ns);

/* An auction is on or over: until the next image says otherwise the book may be crossed, or not. */
void record_set_auction(struct record_stream *stream, bool auction);

/* What its epochs from now on say of themselves; see epoch_record. */
void record_set_source(struct record_stream *stream, const char *feed, const char *note);

/* The stream's connection was proved alive, with nothing lost, at @receive_time_ns. */
void record_alive(struct record_stream *stream, int64_t receive_time_ns);

/* The feed of its last epoch, also of an earlier record; "": not told. To be asked before
 * record_set_source. */
const char *record_last_feed(const struct record_stream *stream);
/* The id of the last good event, also of an earlier record; -1: there was none. */
int64_t record_last_id(const struct record_stream *stream);
bool record_has_book(const struct record_stream *stream);
const struct book *record_book(const struct record_stream *stream);
const struct scale *record_scale(const struct record_stream *stream);
/* By which the store knows it. */
uint32_t record_number(const struct record_stream *stream);
/* First and last id of the headless events that an image can bridge to, or false: there are none.
 */
bool record_run_ids(
    const struct record_stream *stream, int64_t *ret_first_id, int64_t *ret_last_id);
uint64_t record_gap_count(const struct record_stream *stream);
/* The newest gap, open or not, where there was one; changes with the stream. */
const struct gap_record *record_last_gap(const struct record_stream *stream);
uint32_t record_epoch(const struct record_stream *stream);
/* Go on where they were when the stream is closed and opened again. */
const struct record_counts *record_stream_counts(const struct record_stream *stream);

#endif
