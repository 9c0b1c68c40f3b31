/* What went wrong: a code for the program and a line for the reader.
 *
 * Functions return 0 or a negative code of this list. Those that meet the outside world also fill
 * a struct error, whose text names the thing, the value and what to do. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum error_code {
        ERR_IO = -1,        /* the operating system refused; text says why */
        ERR_CORRUPT = -2,   /* stored bytes are not what was written */
        ERR_NOT_FOUND = -3, /* nothing at that place */
        ERR_FULL = -4,      /* a written limit, or the disk, is reached */
        ERR_PARSE = -5,     /* text or bytes from outside do not follow their format */
        ERR_RANGE = -6,     /* a number does not fit */
        ERR_USAGE = -7,     /* the caller's words are off */
        ERR_BUSY = -8,      /* somebody else holds it */
        ERR_VERSION = -9,   /* written by a newer version */
        ERR_GAP = -10,      /* the event does not follow */
        ERR_DENIED = -11,   /* no permission, or refused by the peer */
        ERR_STOPPED = -12,  /* interrupted by the caller */
};

struct error {
        int code;
        char text[512];
};

/* Fill @error (may be NULL) and return @code. A text that does not fit is cut; it stays one line:
 * control bytes become '?'. */
int error_set(struct error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The words for a code, for a line without a struct error. */
const char *error_name(int code);

/* Control bytes become '?', so that what came from outside cannot break a line. */
void text_make_printable(char *text);

#endif
