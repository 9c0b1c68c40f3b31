/* Which key holds what: the one place where positions and times become keys. */
#ifndef STORE_LAYOUT_H
#define STORE_LAYOUT_H

#include "store/store.h"

static inline struct store_key key_stream(uint32_t stream)
{
        return (struct store_key){stream, 0, 0};
}

static inline struct store_key key_day(uint32_t stream, uint32_t day)
{
        return (struct store_key){stream, day, 0};
}

/* @number: of the symbol, counted by itself: a symbol has several streams. */
static inline struct store_key key_symbol(uint32_t number, int64_t valid_from_ns)
{
        return (struct store_key){number, valid_from_ns, 0};
}

/* Frames, and gaps by the position of the first event that they hit. */
static inline struct store_key key_position(uint32_t stream, uint64_t position)
{
        return (struct store_key){stream, (int64_t)position, 0};
}

/* A frame's entry in the time index; @running_max_ns INT64_MIN: no event before it. */
static inline struct store_key key_time(uint32_t stream, int64_t running_max_ns, uint64_t position)
{
        return (struct store_key){stream, running_max_ns, position};
}

static inline struct store_key key_epoch(uint32_t stream, uint32_t epoch)
{
        return (struct store_key){stream, epoch, 0};
}

static inline struct store_key key_mark(uint32_t stream)
{
        return (struct store_key){stream, 0, 0};
}

/* Beside the mark, so that archiving and a running logger each write a record of their own. */
static inline struct store_key key_archive(uint32_t stream)
{
        return (struct store_key){stream, 1, 0};
}

enum sink_number {
        SINK_MONGODB = 1,
        SINK_LEGACY = 2, /* the older system's layout */
};

/* How far the stream was copied there. */
static inline struct store_key key_sink(uint32_t stream, enum sink_number sink)
{
        return (struct store_key){stream, sink, 0};
}

/* The stream's audit of that time; of no stream (0), at 0: when people were told last. */
static inline struct store_key key_audit(uint32_t stream, int64_t time_ns)
{
        return (struct store_key){stream, time_ns, 0};
}

static inline struct store_key key_note(int64_t time_ns)
{
        return (struct store_key){0, time_ns, 0};
}

#endif
