/* Raw capture: every input of the logger as it came, in order, in files that zstdcat reads.
 *
 * What happened is a line each, with a size and as many bytes behind it where a text belongs to it
 * (schema/capture.md). Lines are added on the loop and written by a thread; what does not fit the
 * queue, or the disk, is counted, told, and leaves a line that says how many are missing. A folder
 * holds any number of runs: from a logger's start to its end. */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

#define CAPTURE_VERSION 1
#define CAPTURE_LOOP "loop" /* the file of what belongs to no exchange */

enum capture_kind {
        CAPTURE_START = 'S',   /* a run begins; text: its settings, lines NAME=value */
        CAPTURE_RULES = 'R',   /* text: the changes to SYMBOLS at that time */
        CAPTURE_END = 'E',     /* it ended in order */
        CAPTURE_TURN = 't',    /* a turn of the loop */
        CAPTURE_COMMAND = 'c', /* text: a line of obmanage, taken in that turn */
        CAPTURE_SETTING = 'g', /* text: NAME=value, taken over in that turn by a reload */
        CAPTURE_CLOCK = 'n',   /* text: what the system knew of the clock in that turn */
        CAPTURE_CONNECT = 'k', /* a connection was begun: its number, or 0 */
        CAPTURE_OPEN = 'o',    /* connection */
        CAPTURE_ALIVE = 'v',   /* connection: a frame that is no message */
        CAPTURE_MESSAGE = 'm', /* connection; number: receive time; text: as it came */
        CAPTURE_REFUSED = 'r', /* connection; number: its size; text: why it was thrown away */
        CAPTURE_CLOSED = 'x',  /* connection; text: why */
        CAPTURE_ANSWER = 'a',  /* connection: HTTP status; number: request; text: see schema */
        CAPTURE_LOST = 'L',    /* number: lines that are missing here */
};

struct capture_line {
        enum capture_kind kind;
        uint64_t sequence; /* 1 is the first line of a run; set by capture_add */
        int64_t mono_ns, wall_ns;
        uint32_t connection;
        int64_t number;
        struct bytes text; /* borrowed; NUL and JSON_PADDING bytes follow what is read */
};

struct capture;

struct capture_stats {
        uint64_t lines, bytes, file_bytes; /* taken; their text as written; on disk */
        uint64_t lost;                     /* lines */
        uint64_t queue_bytes;              /* that wait for the disk; LIMIT_CAPTURE_QUEUE is full */
        bool failing;                      /* nothing can be written at present */
};

/* Begin a run. @folder is made if it is missing (mode 0750). ERR_IO, ERR_DENIED. */
int capture_open(struct capture **ret_capture, const char *folder, int64_t mono_ns, int64_t wall_ns,
    struct error *error);

/* Add a line (copied) to the file of @exchange, or CAPTURE_LOOP. Never waits for the disk. A name
 * is 1 to 31 of a to z, 0 to 9 and _; at most 16 are used. */
void capture_add(struct capture *capture, const char *exchange, struct capture_line line);

/* What was added is to be written now, not within a second: a kill loses no more. Does not wait. */
void capture_flush(struct capture *capture);

/* Write what waits, end all files. NULL is allowed. */
void capture_close(struct capture *capture);

struct capture_stats capture_stats(struct capture *capture);

/* ---- reading ---- */

struct capture_reader;

/* All files of @folder, every run in it. ERR_NOT_FOUND: none. */
int capture_read(struct capture_reader **ret_reader, const char *folder, struct error *error);

/* The next line, runs in the order of their start, their lines in order. 1, 0 at the end, or
 * ERR_CORRUPT, ERR_VERSION, ERR_IO with the file and place in @error: it is left there, and the
 * next call goes on with the others. The text is valid until the next call. A .part that ends
 * within a line or a frame (its logger was killed) just ends. Lines that are missing in the middle
 * of a run come as one CAPTURE_LOST, with the number of the first of them and the times of the line
 * after. */
int capture_next(struct capture_reader *reader, struct capture_line *ret_line, struct error *error);

/* Of the line that capture_next gave last: the exchange whose file it is in (CAPTURE_LOST: that of
 * the line after), borrowed until the next call. */
const char *capture_line_exchange(const struct capture_reader *reader);

void capture_read_close(struct capture_reader *reader);

#endif
