/* Reads a capture file, plain or packed (.gz, .zst). */
#include "unpack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#define CHUNK (256u << 10)

static bool zstd_feed(ZSTD_DStream *stream, ZSTD_inBuffer in, struct buffer *text, size_t *ret_left)
{
        ZSTD_outBuffer out = {NULL, 0, 0};
        while (in.pos < in.size || out.pos == out.size) {
                out = (ZSTD_outBuffer){buffer_reserve(text, CHUNK), CHUNK, 0};
                if (!out.dst)
                        return false;
                *ret_left = ZSTD_decompressStream(stream, &out, &in);
                if (ZSTD_isError(*ret_left))
                        return false;
                text->size += out.pos;
        }
        return true;
}

static int read_zstd(FILE *file, struct buffer *text)
{
        ZSTD_DStream *stream = ZSTD_createDStream();
        char *packed = memory_new(CHUNK);
        size_t left = 0, count;
        bool good = true;
        while (good && (count = fread(packed, 1, CHUNK, file)) > 0)
                good = zstd_feed(stream, (ZSTD_inBuffer){packed, count, 0}, text, &left);
        free(packed);
        ZSTD_freeDStream(stream);
        return text->failed ? ERR_FULL : !good || left ? ERR_CORRUPT : 0;
}

/* gzread passes text that is not packed through as it is. */
static int read_gzip(const char *path, struct buffer *text)
{
        gzFile file = gzopen(path, "rb");
        int count = file ? 1 : -1;
        while (count > 0) {
                uint8_t *room = buffer_reserve(text, CHUNK);
                if (!room)
                        break;
                count = gzread(file, room, CHUNK);
                if (count > 0)
                        text->size += (size_t)count;
        }
        if (file && gzclose(file) != Z_OK && !text->failed)
                count = -1;
        return text->failed ? ERR_FULL : count < 0 ? ERR_CORRUPT : 0;
}

int unpack_file(const char *path, struct buffer *ret_text, struct error *error)
{
        buffer_init(ret_text, UNPACK_LIMIT);
        FILE *file = fopen(path, "rb");
        if (!file)
                return error_set(error, ERR_IO, "%s: %s", path, strerror(errno));
        size_t size = strlen(path);
        bool is_zstd = size > 4 && !strcmp(path + size - 4, ".zst");
        int result = is_zstd ? read_zstd(file, ret_text) : read_gzip(path, ret_text);
        fclose(file);
        if (result)
                return error_set(error, result, "%s: %s", path,
                    result == ERR_FULL ? "larger than a laboratory takes" : "does not unpack");
        return 0;
}
