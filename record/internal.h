/* What the files of this stage share: the inside of a recorder and of a stream. */
#ifndef RECORD_INTERNAL_H
#define RECORD_INTERNAL_H

#include "book/log.h"
#include "record/block.h"
#include "record/record.h"
#include "record/writer.h"

/* An earlier record of a stream, as the store knew it at the start or at its close. */
struct past {
        struct past *next;
        uint32_t number;
        struct stream_name name;
        bool recorded; /* mark, day hold something */
        uint32_t day;
        struct mark_record mark;
        struct gap_record gap;        /* where mark.gap_open */
        char feed[META_FEED_SIZE];    /* of its last epoch */
        struct record_stream *stream; /* while it is recorded now ... */
        struct record_counts counts;  /* ... and counts itself */
};

struct known_symbol {
        uint32_t number;
        struct symbol_record newest;
};

/* What the store knows of symbols, or will know with the batch in hand; sorted by name. */
struct symbols {
        struct known_symbol **list;
        size_t count, capacity;
        uint32_t next_number;
};

struct recorder {
        struct store *store;
        struct record_options options;
        struct writer *writer;
        struct batch *batch;
        struct past *pasts;
        struct record_stream *streams;
        uint32_t stream_count;
        uint32_t next_number;
        int64_t last_note_ns; /* the newest remark's; 0: there is none */
        struct symbols symbols;
        bool suspended;
        struct encoder image_encoders[KINDS];
        struct book image_book; /* what an image is encoded into: empty before each */
        size_t batch_images;    /* bytes of images in the batch in hand ... */
        size_t images_waiting;  /* ... and handed over since the queue was last empty */
};

/* The events since the headless run began: what an image can be carried forward by. */
struct run {
        struct event_log log;
        struct mark_record before; /* the stream's state before its first event */
        int64_t last_id;
};

struct record_stream {
        struct record_stream *next;
        struct recorder *recorder;
        struct past *past;
        struct book book;
        bool has_book;
        bool auction; /* said by the newest image: the book may be crossed */
        struct scale scale;
        bool scale_used; /* something is recorded with it */

        struct block open;    /* since the last hand-over, committed as it is */
        struct block sealed;  /* since the last seal: what replaces the open ones */
        struct buffer levels; /* scratch: an image's levels, or a repair's */

        struct run run;
        struct event_log tail; /* while an image for a correction is awaited */
        bool tail_kept;

        uint32_t day;
        bool day_known; /* the store knows that the stream has data in this day */
        bool dirty;     /* the mark must be written */
        bool stepped;   /* the wall clock stepped since the last good event */
        struct mark_record mark;
        struct gap_record gap;        /* while mark.gap_open */
        struct mark_record suspended; /* the state when the queue ran over */
        uint64_t segment;
        uint64_t updates_since_image;
        int64_t image_receive_ns;
        struct epoch_record epoch;
        uint64_t gap_total;
        struct record_counts counts;
};

/* stream.c */
void stream_seal(struct record_stream *stream);
void stream_enter_day(struct record_stream *stream, uint32_t day);
void stream_roll(struct record_stream *stream, uint32_t day, int64_t receive_time_ns);
void stream_write_mark(struct record_stream *stream);
void stream_write_image(
    struct record_stream *stream, uint32_t flags, int64_t receive_time_ns, uint32_t corrections);
void stream_write_repair(struct record_stream *stream, const struct book *now,
    int64_t receive_time_ns, uint32_t corrections);
void stream_begin_epoch(
    struct record_stream *stream, enum epoch_cause cause, int64_t receive_time_ns);
void stream_open_gap(
    struct record_stream *stream, enum gap_cause cause, int64_t now_ns, const char *detail);
void stream_write_gap(struct record_stream *stream);
void stream_add_headless(struct record_stream *stream, const struct event *event);
int stream_add_event(struct record_stream *stream, const struct event *event);
/* One that came from outside, and was taken. */
void stream_count_event(struct record_stream *stream, const struct event *event);

/* run.c */
void run_begin(struct record_stream *stream);
void run_erase(struct record_stream *stream);
void run_resume(struct record_stream *stream);

/* symbols.c */
int symbols_load(struct symbols *symbols, struct store_txn *meta);
void symbols_deinit(struct symbols *symbols);

#endif
