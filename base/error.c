#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

void text_make_printable(char *text)
{
        for (; *text; text++) {
                if ((unsigned char)*text < 0x20 || *text == 0x7f)
                        *text = '?';
        }
}

int error_set(struct error *error, int code, const char *format, ...)
{
        if (!error)
                return code;
        va_list args;
        va_start(args, format);
        error->code = code;
        vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
        text_make_printable(error->text);
        return code;
}

const char *error_name(int code)
{
        switch (code) {
        case 0:
                return "no error";
        case ERR_IO:
                return "input/output error";
        case ERR_CORRUPT:
                return "damaged data";
        case ERR_NOT_FOUND:
                return "not found";
        case ERR_FULL:
                return "full";
        case ERR_PARSE:
                return "not in the expected format";
        case ERR_RANGE:
                return "out of range";
        case ERR_USAGE:
                return "wrong usage";
        case ERR_BUSY:
                return "in use";
        case ERR_VERSION:
                return "written by a newer version";
        case ERR_GAP:
                return "does not follow";
        case ERR_DENIED:
                return "refused";
        case ERR_STOPPED:
                return "stopped";
        default:
                return "unknown error";
        }
}
