/* The files of a folder: what they are called, and how one is written.
 *
 * A file is one zstd frame. While it is written it ends in ".part" and is whole up to the last
 * flush; once its frame is ended and on the disk it gets its name. The names of an exchange in a
 * run rise, whatever the wall clock does: their order is that of their lines. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "capture/internal.h"

#define LEVEL 3
#define PACKED_SIZE (128u << 10)
#define WHOLE ".zst"
#define PART ".zst.part"
#define SECOND_SIZE 16                   /* "20261122T130000Z" */
#define SECOND_MAX (INT64_C(7258118399)) /* the end of 2199: what such a text can tell */

/* ---- names ---- */

static void second_write(int64_t second, char ret_text[SECOND_SIZE + 1])
{
        char text[TIME_TEXT_SIZE];
        size_t size = 0;
        time_format(second * NS_PER_S, text);
        for (const char *c = text; *c && size < SECOND_SIZE; c++) {
                if (*c != '-' && *c != ':')
                        ret_text[size++] = *c;
        }
        ret_text[size] = '\0';
}

static bool second_read(const char *text, int64_t *ret_second)
{
        char rfc[TIME_TEXT_SIZE], again[SECOND_SIZE + 1];
        int64_t time_ns;
        snprintf(rfc, sizeof(rfc), "%.4s-%.2s-%.5s:%.2s:%.3s", text, text + 4, text + 6, text + 11,
            text + 13);
        if (time_parse(rfc, &time_ns) || time_ns < 0)
                return false;
        second_write(time_ns / NS_PER_S, again);
        *ret_second = time_ns / NS_PER_S;
        return !memcmp(again, text, SECOND_SIZE);
}

void capture_name_write(const struct capture_name *name, char ret_text[CAPTURE_FILE_NAME_SIZE])
{
        char second[SECOND_SIZE + 1];
        second_write(name->second, second);
        snprintf(ret_text, CAPTURE_FILE_NAME_SIZE, "%s-%s-%lld%s", name->exchange, second,
            (long long)name->run_ns, name->part ? PART : WHOLE);
}

bool capture_name_read(const char *text, struct capture_name *ret_name)
{
        struct capture_name name = {0};
        const char *at = strchr(text, '-'), *end = text + strlen(text);
        if (!at || at - text >= CAPTURE_NAME_SIZE || end - at < SECOND_SIZE + 2)
                return false;
        memcpy(name.exchange, text, (size_t)(at - text));
        if (!capture_name_is_valid(name.exchange) || at[SECOND_SIZE + 1] != '-' ||
            !second_read(at + 1, &name.second))
                return false;
        at += SECOND_SIZE + 2;
        if (!capture_number_read(&at, end, &name.run_ns))
                return false;
        name.part = !strcmp(at, PART);
        if (!name.part && strcmp(at, WHOLE) != 0)
                return false;
        *ret_name = name;
        return true;
}

int capture_name_compare(const void *left, const void *right)
{
        const struct capture_name *a = left, *b = right;
        if (a->run_ns != b->run_ns)
                return a->run_ns < b->run_ns ? -1 : 1;
        int order = strcmp(a->exchange, b->exchange);
        if (order)
                return order;
        if (a->second != b->second)
                return a->second < b->second ? -1 : 1;
        return (int)a->part - (int)b->part;
}

/* ---- a folder ---- */

int capture_folder_list(int folder, struct capture_name **ret_names, size_t *ret_count)
{
        struct capture_name *names = NULL, name;
        size_t count = 0, capacity = 0;
        int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = fd < 0 ? NULL : fdopendir(fd);
        if (!directory) {
                if (fd >= 0)
                        close(fd);
                return ERR_IO;
        }
        for (struct dirent *entry; (entry = readdir(directory));) {
                if (!capture_name_read(entry->d_name, &name))
                        continue;
                if (count == capacity) {
                        capacity = capacity ? 2 * capacity : 64;
                        names = memory_resize(names, capacity * sizeof(*names));
                }
                names[count++] = name;
        }
        closedir(directory);
        if (count)
                qsort(names, count, sizeof(*names), capture_name_compare);
        *ret_names = names;
        *ret_count = count;
        return 0;
}

/* ---- one file ---- */

void capture_file_init(struct capture_file *file, int folder, const char *exchange)
{
        *file = (struct capture_file){.folder = folder, .fd = -1};
        snprintf(file->name.exchange, sizeof(file->name.exchange), "%s", exchange);
        file->name.second = -1;
}

void capture_file_deinit(struct capture_file *file)
{
        ZSTD_freeCCtx(file->packer);
        free(file->packed);
}

static int file_failed(const struct capture_file *file, const char *what, struct error *error)
{
        int code = errno;
        char name[CAPTURE_FILE_NAME_SIZE];
        capture_name_write(&file->name, name);
        return error_set(error, ERR_IO, "cannot %s %s: %s", what, name, strerror(code));
}

static int file_write(struct capture_file *file, size_t size, struct error *error)
{
        for (size_t done = 0; done < size;) {
                ssize_t count = write(file->fd, file->packed + done, size - done);
                if (count < 0 && errno == EINTR)
                        continue;
                if (count <= 0)
                        return file_failed(file, "write", error);
                done += (size_t)count;
                file->size += (size_t)count;
                file->written += (size_t)count;
        }
        return 0;
}

static int file_pack(
    struct capture_file *file, struct bytes text, ZSTD_EndDirective end, struct error *error)
{
        ZSTD_inBuffer in = {text.data, text.size, 0};
        for (;;) {
                ZSTD_outBuffer out = {file->packed, PACKED_SIZE, 0};
                size_t left = ZSTD_compressStream2(file->packer, &out, &in, end);
                if (ZSTD_isError(left))
                        return error_set(error, ERR_IO, "cannot pack: %s", ZSTD_getErrorName(left));
                int code = file_write(file, out.pos, error);
                if (code || (end == ZSTD_e_continue ? in.pos == in.size : left == 0))
                        return code;
        }
}

static void file_prepare_packer(struct capture_file *file)
{
        if (!file->packer) {
                file->packer = ZSTD_createCCtx();
                file->packed = memory_new(PACKED_SIZE);
        }
        ZSTD_CCtx_reset(file->packer, ZSTD_reset_session_and_parameters);
        ZSTD_CCtx_setParameter(file->packer, ZSTD_c_compressionLevel, LEVEL);
        ZSTD_CCtx_setParameter(file->packer, ZSTD_c_checksumFlag, 1);
}

/* The second of @wall_ns that a name can tell, after that of the file before. */
static int64_t file_second(const struct capture_file *file, int64_t wall_ns)
{
        int64_t second = wall_ns < 0 ? 0 : wall_ns / NS_PER_S;
        if (second > SECOND_MAX)
                second = SECOND_MAX;
        return second > file->name.second ? second : file->name.second + 1;
}

int capture_file_open(
    struct capture_file *file, const struct capture_run *run, int64_t wall_ns, struct error *error)
{
        char name[CAPTURE_FILE_NAME_SIZE], title[CAPTURE_HEAD_MAX];
        file->name.second = file_second(file, wall_ns);
        file->name.run_ns = run->wall_ns;
        file->name.part = true;
        capture_name_write(&file->name, name);
        file->fd = openat(file->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
        if (file->fd < 0)
                return file_failed(file, "make", error);
        file->size = file->flushed_size = file->lines = file->flushed_lines = 0;
        file_prepare_packer(file);
        size_t size = capture_title_write(run, file->name.exchange, title);
        int code =
            file_pack(file, (struct bytes){(const uint8_t *)title, size}, ZSTD_e_flush, error);
        file->flushed_size = file->size;
        if (code)
                capture_file_leave(file);
        return code;
}

int capture_file_add(struct capture_file *file, struct bytes line, struct error *error)
{
        int code = file_pack(file, line, ZSTD_e_continue, error);
        if (!code)
                file->lines++;
        return code;
}

int capture_file_flush(struct capture_file *file, struct error *error)
{
        if (file->lines == file->flushed_lines)
                return 0;
        int code = file_pack(file, (struct bytes){NULL, 0}, ZSTD_e_flush, error);
        if (code)
                return code;
        file->flushed_size = file->size;
        file->flushed_lines = file->lines;
        return 0;
}

static int file_rename(struct capture_file *file, struct error *error)
{
        char from[CAPTURE_FILE_NAME_SIZE], to[CAPTURE_FILE_NAME_SIZE];
        struct capture_name whole = file->name;
        whole.part = false;
        capture_name_write(&file->name, from);
        capture_name_write(&whole, to);
        if (renameat(file->folder, from, file->folder, to))
                return file_failed(file, "rename", error);
        fsync(file->folder); /* a system that cannot do this still has the file */
        return 0;
}

int capture_file_end(struct capture_file *file, struct error *error)
{
        int code = file_pack(file, (struct bytes){NULL, 0}, ZSTD_e_end, error);
        if (code)
                return code;
        file->flushed_size = file->size;
        file->flushed_lines = file->lines;
        if (fsync(file->fd))
                return file_failed(file, "write", error);
        code = file_rename(file, error);
        if (code)
                return code;
        close(file->fd);
        file->fd = -1;
        return 0;
}

uint64_t capture_file_leave(struct capture_file *file)
{
        char name[CAPTURE_FILE_NAME_SIZE];
        uint64_t lost = file->lines - file->flushed_lines;
        if (file->fd < 0)
                return 0;
        capture_name_write(&file->name, name);
        if (!file->flushed_lines)
                unlinkat(file->folder, name, 0);
        else if (ftruncate(file->fd, (off_t)file->flushed_size) == 0)
                file->written -= file->size - file->flushed_size;
        close(file->fd);
        file->fd = -1;
        return lost;
}
