/* Reading a folder: the files of each run, merged by the numbers of their lines.
 *
 *   entries (sorted by run, exchange, time)
 *     run 1   binance   a b c     <- a source: one of these is open
 *             loop      d e       <- a source
 *     run 2   ...
 *
 * A source knows the head of its next line; the lowest number of all comes next, and only then its
 * text is read. All of it is taken as hostile: a head, a text and a window have a largest size. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/json.h"
#include "base/limits.h"
#include "capture/internal.h"

#define WINDOW_LOG 23 /* 8 MiB: zstd -19 needs that, its --ultra levels more */
#define PACKED_SIZE (64u << 10)
#define TEXT_SIZE (64u << 10)

/* One exchange of a run: its files one behind the other. */
struct source {
        const struct capture_name *entry, *end; /* the file that is open or next; behind the last */
        int fd;                                 /* -1: none is open */
        bool whole;                             /* it must end with its frame */
        struct ZSTD_DCtx_s *unpacker;
        uint8_t *packed, *text; /* of PACKED_SIZE, TEXT_SIZE */
        ZSTD_inBuffer in;
        size_t at, size; /* in text */
        uint64_t place;  /* bytes of text before */
        bool in_frame, at_end;
        struct capture_run run;
        bool has_head;
        struct capture_line head;
        size_t text_size;
};

struct capture_reader {
        int folder;
        char *path;
        struct capture_name *entries;
        size_t entry_count, entry_next; /* the first one of the next run */
        struct source sources[CAPTURE_NAMES_MAX];
        size_t source_count;
        uint64_t expected; /* number of the next line */
        struct buffer text;
        const char *exchange;
};

/* ---- a file as text ---- */

static int source_failed(const struct capture_reader *reader, const struct source *source, int code,
    const char *what, struct error *error)
{
        char name[CAPTURE_FILE_NAME_SIZE];
        capture_name_write(source->entry, name);
        return error_set(error, code, "%s/%s: %s (at byte %llu of its text)", reader->path, name,
            what, (unsigned long long)(source->place + source->at));
}

static void source_close(struct source *source)
{
        if (source->fd >= 0)
                close(source->fd);
        source->fd = -1;
        source->has_head = false;
}

static int source_read(
    const struct capture_reader *reader, struct source *source, struct error *error)
{
        ssize_t count;
        do
                count = read(source->fd, source->packed, PACKED_SIZE);
        while (count < 0 && errno == EINTR);
        if (count < 0)
                return source_failed(reader, source, ERR_IO, strerror(errno), error);
        source->in = (ZSTD_inBuffer){source->packed, (size_t)count, 0};
        source->at_end = count == 0;
        return 0;
}

/* Text that is not used yet: 1, or 0 at the file's end. */
static int source_fill(
    const struct capture_reader *reader, struct source *source, struct error *error)
{
        while (source->at == source->size) {
                if (source->in.pos == source->in.size && !source->at_end) {
                        int code = source_read(reader, source, error);
                        if (code)
                                return code;
                }
                if (source->at_end && !source->in_frame)
                        return 0;
                ZSTD_outBuffer out = {source->text, TEXT_SIZE, 0};
                size_t left = ZSTD_decompressStream(source->unpacker, &out, &source->in);
                if (ZSTD_isError(left))
                        return source_failed(
                            reader, source, ERR_CORRUPT, ZSTD_getErrorName(left), error);
                source->in_frame = left != 0;
                source->place += source->size;
                source->at = 0;
                source->size = out.pos;
                if (source->at_end && !out.pos)
                        return source->in_frame && source->whole
                            ? source_failed(reader, source, ERR_CORRUPT, "is cut short", error)
                            : 0;
        }
        return 1;
}

/* It ended within a line. */
static int source_is_cut(
    const struct capture_reader *reader, const struct source *source, struct error *error)
{
        return source->whole
            ? source_failed(reader, source, ERR_CORRUPT, "ends within a line", error)
            : 0;
}

/* The next line of at most CAPTURE_HEAD_MAX bytes, without its line break: 1, or 0 at the end. */
static int source_line(const struct capture_reader *reader, struct source *source, char *ret_line,
    size_t *ret_size, struct error *error)
{
        size_t size = 0;
        for (;;) {
                int code = source_fill(reader, source, error);
                if (code < 0 || (!code && !size))
                        return code;
                if (!code)
                        return source_is_cut(reader, source, error);
                const uint8_t *from = source->text + source->at;
                size_t room = source->size - source->at, most = CAPTURE_HEAD_MAX - size;
                const uint8_t *end = memchr(from, '\n', room < most ? room : most);
                size_t part = end ? (size_t)(end - from) : room < most ? room : most;
                memcpy(ret_line + size, from, part);
                size += part;
                if (!end && size == CAPTURE_HEAD_MAX)
                        return source_failed(
                            reader, source, ERR_CORRUPT, "a line is too long", error);
                source->at += part + (end != NULL);
                if (end) {
                        *ret_size = size;
                        return 1;
                }
        }
}

/* ---- a file as lines ---- */

/* A file that got its final name since the folder was listed is there under that. */
static int open_entry(int folder, const struct capture_name *entry, bool *ret_whole)
{
        const int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC; /* what is no file is not waited for */
        char text[CAPTURE_FILE_NAME_SIZE];
        struct capture_name name = *entry;
        capture_name_write(&name, text);
        int fd = openat(folder, text, flags);
        if (fd < 0 && errno == ENOENT && name.part) {
                name.part = false;
                capture_name_write(&name, text);
                fd = openat(folder, text, flags);
        }
        *ret_whole = !name.part;
        return fd;
}

static void source_prepare(struct source *source)
{
        if (!source->unpacker) {
                source->unpacker = ZSTD_createDCtx();
                source->packed = memory_new(PACKED_SIZE);
                source->text = memory_new(TEXT_SIZE);
        }
        ZSTD_DCtx_reset(source->unpacker, ZSTD_reset_session_and_parameters);
        ZSTD_DCtx_setParameter(source->unpacker, ZSTD_d_windowLogMax, WINDOW_LOG);
        source->in = (ZSTD_inBuffer){source->packed, 0, 0};
        source->at = source->size = 0;
        source->place = 0;
        source->at_end = false;
}

/* The title must tell of the file that it is in. */
static int source_title(
    const struct capture_reader *reader, struct source *source, struct error *error)
{
        char title[CAPTURE_HEAD_MAX], exchange[CAPTURE_NAME_SIZE];
        size_t size;
        int code = source_line(reader, source, title, &size, error);
        if (!code)
                return source_is_cut(reader, source, error);
        if (code < 0)
                return code;
        struct bytes bytes = {(const uint8_t *)title, size};
        code = capture_title_read(bytes, &source->run, exchange);
        if (code == ERR_VERSION)
                return source_failed(reader, source, code, "is of a newer version", error);
        if (code)
                return source_failed(reader, source, ERR_CORRUPT, "is no capture", error);
        if (source->run.wall_ns != source->entry->run_ns ||
            strcmp(exchange, source->entry->exchange) != 0)
                return source_failed(
                    reader, source, ERR_CORRUPT, "was called otherwise when it was written", error);
        return 1;
}

/* 1, or 0: there is nothing in it. */
static int source_open(
    const struct capture_reader *reader, struct source *source, struct error *error)
{
        struct stat status;
        source_prepare(source);
        source->fd = open_entry(reader->folder, source->entry, &source->whole);
        source->in_frame = source->whole; /* an empty file is no frame */
        if (source->fd < 0 || fstat(source->fd, &status))
                return source_failed(reader, source, ERR_IO, strerror(errno), error);
        if (!S_ISREG(status.st_mode))
                return source_failed(reader, source, ERR_CORRUPT, "is no file", error);
        return source_title(reader, source, error);
}

/* The head of the next line, of the next file if need be. None: source->entry is the end. */
static int source_head(
    const struct capture_reader *reader, struct source *source, struct error *error)
{
        char head[CAPTURE_HEAD_MAX];
        size_t size;
        while (!source->has_head && source->entry < source->end) {
                int code = source->fd < 0 ? source_open(reader, source, error) : 1;
                if (code == 1)
                        code = source_line(reader, source, head, &size, error);
                if (code == 1) {
                        struct bytes bytes = {(const uint8_t *)head, size};
                        if (capture_head_read(
                                &source->run, bytes, &source->head, &source->text_size))
                                code = source_failed(
                                    reader, source, ERR_CORRUPT, "a line is none", error);
                }
                source->has_head = code == 1;
                if (code == 1)
                        break;
                source_close(source);
                if (code)
                        return code; /* its place is in the text of @error: leave it after this */
                source->entry++;
        }
        return 0;
}

/* The text of its line, with the line break that must follow: 1, or 0 if it ended before. */
static int source_text(struct capture_reader *reader, struct source *source, struct error *error)
{
        size_t left = source->text_size == SIZE_MAX ? 0 : source->text_size + 1;
        buffer_clear(&reader->text);
        while (left) {
                int code = source_fill(reader, source, error);
                if (code < 0)
                        return code;
                if (!code)
                        return source_is_cut(reader, source, error);
                size_t part = source->size - source->at < left ? source->size - source->at : left;
                buffer_append(&reader->text, source->text + source->at, part);
                source->at += part;
                left -= part;
        }
        if (source->text_size == SIZE_MAX)
                return 1;
        if (reader->text.data[--reader->text.size] != '\n')
                return source_failed(reader, source, ERR_CORRUPT, "a text has no end", error);
        return 1;
}

/* ---- a run ---- */

static bool next_source(struct capture_reader *reader, const struct capture_name **entry)
{
        const struct capture_name *first = *entry, *last = reader->entries + reader->entry_count;
        const struct capture_name *end = first;
        if (first == last || reader->source_count == CAPTURE_NAMES_MAX)
                return false;
        while (
            end < last && end->run_ns == first->run_ns && !strcmp(end->exchange, first->exchange))
                end++;
        struct source *source = &reader->sources[reader->source_count++];
        source->entry = first;
        source->end = end;
        *entry = end;
        return true;
}

/* 1, or 0: there is none. */
static int begin_run(struct capture_reader *reader, struct error *error)
{
        const struct capture_name *last = reader->entries + reader->entry_count;
        const struct capture_name *entry = reader->entries + reader->entry_next;
        if (entry == last)
                return 0;
        int64_t run_ns = entry->run_ns;
        while (entry < last && entry->run_ns == run_ns && next_source(reader, &entry))
                ;
        bool too_many = entry < last && entry->run_ns == run_ns;
        while (entry < last && entry->run_ns == run_ns)
                entry++;
        reader->entry_next = (size_t)(entry - reader->entries);
        reader->expected = 1;
        if (!too_many)
                return 1;
        return error_set(error, ERR_CORRUPT,
            "%s: run %lld has more than %d exchanges; the others are left out", reader->path,
            (long long)run_ns, CAPTURE_NAMES_MAX);
}

/* Leave the file, with what is wrong in @error. */
static int leave_file(struct source *source, int code)
{
        source_close(source);
        source->entry++;
        return code;
}

/* The source with the lowest number; NULL: the run has ended. */
static int next_head(struct capture_reader *reader, struct source **ret_source, struct error *error)
{
        struct source *best = NULL;
        for (size_t i = 0; i < reader->source_count; i++) {
                struct source *source = &reader->sources[i];
                int code = source_head(reader, source, error);
                if (code)
                        return leave_file(source, code);
                if (source->has_head && (!best || source->head.sequence < best->head.sequence))
                        best = source;
        }
        *ret_source = best;
        return 0;
}

static int next_lost(
    struct capture_reader *reader, const struct source *source, struct capture_line *ret_line)
{
        *ret_line = (struct capture_line){.kind = CAPTURE_LOST,
            .sequence = reader->expected,
            .mono_ns = source->head.mono_ns,
            .wall_ns = source->head.wall_ns,
            .number = (int64_t)(source->head.sequence - reader->expected)};
        reader->expected = source->head.sequence;
        return 1;
}

/* The line of @source: 1, or 0 if it is not one for the caller. */
static int next_line(struct capture_reader *reader, struct source *source,
    struct capture_line *ret_line, struct error *error)
{
        if (source->head.sequence < reader->expected)
                return leave_file(source,
                    source_failed(reader, source, ERR_CORRUPT, "a line is out of order", error));
        reader->exchange = source->end[-1].exchange;
        if (source->head.sequence > reader->expected)
                return next_lost(reader, source, ret_line);
        int code = source_text(reader, source, error);
        if (code <= 0)
                return leave_file(source, code);
        source->has_head = false;
        reader->expected++;
        if (source->head.kind == CAPTURE_LOST)
                return 0; /* the hole before it has told already */
        *ret_line = source->head;
        memset(buffer_reserve(&reader->text, JSON_PADDING), 0, JSON_PADDING);
        ret_line->text = buffer_bytes(&reader->text);
        return 1;
}

int capture_next(struct capture_reader *reader, struct capture_line *ret_line, struct error *error)
{
        for (;;) {
                struct source *source = NULL;
                int code = reader->source_count ? 1 : begin_run(reader, error);
                if (code <= 0)
                        return code;
                code = next_head(reader, &source, error);
                if (code)
                        return code;
                if (!source) {
                        reader->source_count = 0;
                        continue;
                }
                code = next_line(reader, source, ret_line, error);
                if (code)
                        return code;
        }
}

const char *capture_line_exchange(const struct capture_reader *reader)
{
        return reader->exchange;
}

/* ---- life ---- */

/* What is there whole needs no part. */
static void drop_double_parts(struct capture_reader *reader)
{
        size_t kept = 0;
        for (size_t i = 0; i < reader->entry_count; i++) {
                struct capture_name whole = reader->entries[i];
                whole.part = false;
                if (kept && !capture_name_compare(&reader->entries[kept - 1], &whole))
                        continue;
                reader->entries[kept++] = reader->entries[i];
        }
        reader->entry_count = kept;
}

static int code_of_errno(int number)
{
        if (number == ENOENT || number == ENOTDIR)
                return ERR_NOT_FOUND;
        return number == EACCES ? ERR_DENIED : ERR_IO;
}

int capture_read(struct capture_reader **ret_reader, const char *folder, struct error *error)
{
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_set(
                    error, code_of_errno(errno), "cannot read %s: %s", folder, strerror(errno));
        struct capture_reader *reader = memory_new(sizeof(*reader));
        reader->folder = fd;
        reader->path = memory_text(folder);
        reader->exchange = "";
        buffer_init(&reader->text, (size_t)LIMIT_REST_BODY + JSON_PADDING + 1);
        for (size_t i = 0; i < CAPTURE_NAMES_MAX; i++)
                reader->sources[i].fd = -1;
        int code = capture_folder_list(fd, &reader->entries, &reader->entry_count);
        if (code)
                code = error_set(error, code, "cannot list %s", folder);
        else if (!reader->entry_count)
                code = error_set(error, ERR_NOT_FOUND, "%s: no capture is in it", folder);
        if (code) {
                capture_read_close(reader);
                return code;
        }
        drop_double_parts(reader);
        *ret_reader = reader;
        return 0;
}

void capture_read_close(struct capture_reader *reader)
{
        if (!reader)
                return;
        for (size_t i = 0; i < CAPTURE_NAMES_MAX; i++) {
                source_close(&reader->sources[i]);
                ZSTD_freeDCtx(reader->sources[i].unpacker);
                free(reader->sources[i].packed);
                free(reader->sources[i].text);
        }
        buffer_deinit(&reader->text);
        free(reader->entries);
        free(reader->path);
        close(reader->folder);
        free(reader);
}
