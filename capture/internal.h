/* What the files of this stage share: how a line is told, how a file is called, one file's end. */
#ifndef CAPTURE_INTERNAL_H
#define CAPTURE_INTERNAL_H

#include "capture/capture.h"

#define CAPTURE_NAME_SIZE 32       /* of an exchange, with its end */
#define CAPTURE_NAMES_MAX 16       /* exchanges of a run, with CAPTURE_LOOP */
#define CAPTURE_HEAD_MAX 160       /* bytes of a line without its text: a kind and six numbers */
#define CAPTURE_FILE_NAME_SIZE 104 /* with its end */

/* What the times of a run count from. */
struct capture_run {
        int64_t wall_ns, mono_ns;
};

/* ---- line.c ---- */

/* A name that a file can have: a to z, 0 to 9, _; 1 to 31 bytes. */
bool capture_name_is_valid(const char *name);

bool capture_kind_has_text(enum capture_kind kind);

/* Without its text, which follows with a line break of its own. Returns the size, with the line
 * break; @ret_head holds CAPTURE_HEAD_MAX bytes. */
size_t capture_head_write(
    const struct capture_run *run, const struct capture_line *line, char *ret_head);

/* The inverse, of a head without its line break. @ret_text_size: SIZE_MAX where no text follows.
 * ERR_PARSE leaves all unchanged. */
int capture_head_read(const struct capture_run *run, struct bytes head,
    struct capture_line *ret_line, size_t *ret_text_size);

/* The first line of a file; sizes as above. */
size_t capture_title_write(const struct capture_run *run, const char *exchange, char *ret_title);

/* ERR_PARSE, ERR_VERSION. */
int capture_title_read(
    struct bytes title, struct capture_run *ret_run, char ret_exchange[CAPTURE_NAME_SIZE]);

/* A number as it is written: without leading zeros or "+". Moves @at behind it. */
bool capture_number_read(const char **at, const char *end, int64_t *ret_value);

/* ---- files.c ---- */

/* What a file's name tells. */
struct capture_name {
        char exchange[CAPTURE_NAME_SIZE];
        int64_t second; /* since the epoch */
        int64_t run_ns;
        bool part; /* it is being written, or its logger was killed */
};

void capture_name_write(const struct capture_name *name, char ret_text[CAPTURE_FILE_NAME_SIZE]);
bool capture_name_read(const char *text, struct capture_name *ret_name);

/* All names in @folder that are a capture's, in the order of capture_name_compare. The caller frees
 * @ret_names. */
int capture_folder_list(int folder, struct capture_name **ret_names, size_t *ret_count);

/* By run, exchange, time; what is whole before what is not. */
int capture_name_compare(const void *left, const void *right);

/* One file while it is written; closed is all zero but for @fd. What was flushed is in the file. */
struct capture_file {
        struct ZSTD_CCtx_s *packer;
        uint8_t *packed; /* of PACKED_SIZE */
        int folder, fd;  /* -1: none is open */
        struct capture_name name;
        uint64_t size, flushed_size;
        uint64_t lines, flushed_lines;
        uint64_t written; /* bytes, of all files that this one was */
};

void capture_file_init(struct capture_file *file, int folder, const char *exchange);
void capture_file_deinit(struct capture_file *file);

/* A new one, called after @wall_ns, but later than the one before. Nothing stays of one that fails.
 * ERR_IO. */
int capture_file_open(
    struct capture_file *file, const struct capture_run *run, int64_t wall_ns, struct error *error);

/* One line. After an error: capture_file_leave. */
int capture_file_add(struct capture_file *file, struct bytes line, struct error *error);
int capture_file_flush(struct capture_file *file, struct error *error);

/* Whole, on the disk, with its final name, and closed. After an error: capture_file_leave. */
int capture_file_end(struct capture_file *file, struct error *error);

/* Close it as it was when it was last flushed. Returns how many lines are lost. */
uint64_t capture_file_leave(struct capture_file *file);

#endif
