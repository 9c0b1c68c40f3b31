/* Writing a capture: lines go into a queue in memory, a thread packs and writes them.
 *
 *   capture_add --> queue --+ swapped at 256 KiB, or each second
 *                           v
 *   thread:               taken --> the file of each exchange (files.c)
 *
 * A line is formatted once, into the queue. A line that finds no room takes its sequence number
 * with it: the hole is what a reader counts by, and the CAPTURE_LOST line tells a person. What
 * fails is tried again each second, while the queue fills. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "capture/internal.h"

#define WAKE_SIZE (256u << 10) /* bytes in the queue that the thread is woken for */
#define FLUSH_NS NS_PER_S
#define RETRY_NS NS_PER_S
#define ROOM_SIZE (1u << 20) /* bytes that a disk must have before it is tried again */
#define HOUR_NS (3600 * NS_PER_S)

/* Before each line in the queue. */
struct record {
        int64_t wall_ns;
        uint32_t size; /* of the line that follows */
        uint32_t name;
};

struct capture {
        int folder;
        struct capture_run run;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;

        /* under the lock */
        char names[CAPTURE_NAMES_MAX][CAPTURE_NAME_SIZE];
        uint32_t name_count;
        struct buffer queue;
        size_t pending;      /* bytes in queue and taken */
        uint64_t sequence;   /* of the newest line */
        uint64_t unreported; /* lines lost that no line and no log tells of yet */
        bool full;           /* lines are left out until half of the queue is free */
        bool troubled;       /* that, or a failure, was logged; its end was not */
        bool sleeping, stop, flush_wanted;
        struct capture_stats stats;

        /* the thread's */
        struct buffer taken;
        struct capture_file files[CAPTURE_NAMES_MAX];
        uint32_t file_count;
        int64_t hour; /* of the open files */
        int64_t flush_ns, retry_ns;
        bool failing, given_up;
};

/* ---- the loop's side ---- */

static uint32_t name_index(struct capture *capture, const char *exchange)
{
        uint32_t i = 0;
        while (i < capture->name_count && strcmp(capture->names[i], exchange) != 0)
                i++;
        if (i == capture->name_count) {
                assert(i < CAPTURE_NAMES_MAX && capture_name_is_valid(exchange));
                memcpy(capture->names[i], exchange, strlen(exchange) + 1);
                capture->name_count++;
        }
        return i;
}

static void queue_put(struct capture *capture, uint32_t name, const struct capture_line *line)
{
        struct buffer *queue = &capture->queue;
        size_t most = sizeof(struct record) + CAPTURE_HEAD_MAX + line->text.size + 1;
        char *begin = (char *)buffer_reserve(queue, most), *to = begin;
        assert(begin); /* its limit is above what is let in */
        to += sizeof(struct record);
        to += capture_head_write(&capture->run, line, to);
        if (capture_kind_has_text(line->kind)) {
                if (line->text.size)
                        memcpy(to, line->text.data, line->text.size);
                to += line->text.size;
                *to++ = '\n';
        }
        size_t size = (size_t)(to - begin);
        struct record record = {line->wall_ns, (uint32_t)(size - sizeof(record)), name};
        memcpy(begin, &record, sizeof(record));
        queue->size += size;
        capture->pending += size;
        capture->stats.lines++;
        capture->stats.bytes += record.size;
}

static void drop(struct capture *capture, uint64_t lines)
{
        capture->unreported += lines;
        capture->stats.lost += lines;
}

/* Is it over? Then a line tells how many are missing, before the one that comes. */
static bool trouble_ends(
    struct capture *capture, const struct capture_line *line, uint64_t *ret_missing)
{
        if (capture->stats.failing || capture->pending > LIMIT_CAPTURE_QUEUE / 2)
                return false;
        struct capture_line lost = {.kind = CAPTURE_LOST,
            .mono_ns = line->mono_ns,
            .wall_ns = line->wall_ns,
            .number = (int64_t)capture->unreported};
        *ret_missing = capture->unreported;
        if (capture->unreported) {
                lost.sequence = ++capture->sequence;
                queue_put(capture, name_index(capture, CAPTURE_LOOP), &lost);
        }
        capture->unreported = 0;
        capture->full = capture->troubled = false;
        return true;
}

/* true: this is the first line that finds no room. */
static bool queue_line(struct capture *capture, const char *exchange, struct capture_line *line)
{
        bool first = false;
        line->sequence = ++capture->sequence;
        if (capture->pending >= LIMIT_CAPTURE_QUEUE && !capture->full) {
                capture->full = true;
                first = !capture->troubled;
                capture->troubled = true;
        }
        if (capture->full)
                drop(capture, 1);
        else
                queue_put(capture, name_index(capture, exchange), line);
        return first;
}

void capture_add(struct capture *capture, const char *exchange, struct capture_line line)
{
        uint64_t missing = 0;
        assert(line.text.size <= LIMIT_REST_BODY);
        pthread_mutex_lock(&capture->lock);
        bool over = capture->troubled && trouble_ends(capture, &line, &missing);
        bool full = queue_line(capture, exchange, &line);
        if (capture->sleeping && capture->queue.size >= WAKE_SIZE) {
                capture->sleeping = false;
                pthread_cond_signal(&capture->wake);
        }
        pthread_mutex_unlock(&capture->lock);
        if (over)
                log_warning(
                    "capture: writing again; %llu lines are missing", (unsigned long long)missing);
        if (full)
                log_error(
                    "capture: the disk is too slow, and the queue is full: lines are left out");
}

void capture_flush(struct capture *capture)
{
        pthread_mutex_lock(&capture->lock);
        capture->flush_wanted = true;
        capture->sleeping = false;
        pthread_cond_signal(&capture->wake);
        pthread_mutex_unlock(&capture->lock);
}

struct capture_stats capture_stats(struct capture *capture)
{
        pthread_mutex_lock(&capture->lock);
        struct capture_stats stats = capture->stats;
        stats.queue_bytes = capture->pending;
        pthread_mutex_unlock(&capture->lock);
        return stats;
}

/* ---- the thread's side ---- */

static void tell_failure(struct capture *capture, uint64_t lost, const struct error *error)
{
        pthread_mutex_lock(&capture->lock);
        bool first = !capture->troubled;
        drop(capture, lost);
        capture->troubled = true;
        capture->stats.failing = true;
        pthread_mutex_unlock(&capture->lock);
        capture->failing = true;
        capture->retry_ns = clock_mono_ns() + RETRY_NS;
        if (first)
                log_error("capture: %s; trying again every second", error->text);
}

static void tell_success(struct capture *capture)
{
        if (!capture->failing)
                return;
        capture->failing = false;
        pthread_mutex_lock(&capture->lock);
        capture->stats.failing = false;
        pthread_mutex_unlock(&capture->lock);
}

static void file_fails(
    struct capture *capture, struct capture_file *file, const struct error *error)
{
        tell_failure(capture, capture_file_leave(file), error);
}

/* After a failure only: one file a second for a few bytes each would help nobody. */
static int check_room(struct capture *capture, struct error *error)
{
        struct statvfs disk;
        if (!capture->failing || fstatvfs(capture->folder, &disk))
                return 0;
        if ((uint64_t)disk.f_bavail * disk.f_frsize >= ROOM_SIZE)
                return 0;
        return error_set(error, ERR_FULL, "no space is left");
}

static void end_files(struct capture *capture)
{
        struct error error;
        for (uint32_t i = 0; i < capture->file_count; i++) {
                struct capture_file *file = &capture->files[i];
                if (file->fd >= 0 && capture_file_end(file, &error))
                        file_fails(capture, file, &error);
        }
}

/* Was something written, and did nothing fail? */
static bool flush_all(struct capture *capture)
{
        struct error error;
        bool written = false, failed = false;
        for (uint32_t i = 0; i < capture->file_count; i++) {
                struct capture_file *file = &capture->files[i];
                if (file->fd < 0 || file->lines == file->flushed_lines)
                        continue;
                if (!capture_file_flush(file, &error)) {
                        written = true;
                } else {
                        file_fails(capture, file, &error);
                        failed = true;
                }
        }
        capture->flush_ns = clock_mono_ns() + FLUSH_NS;
        return written && !failed;
}

/* What was written may have been so little that a full disk still took it. */
static void flush_files(struct capture *capture)
{
        if (flush_all(capture) && !check_room(capture, NULL))
                tell_success(capture);
}

static struct capture_file *record_file(struct capture *capture, const struct record *record)
{
        for (; capture->file_count <= record->name; capture->file_count++)
                capture_file_init(&capture->files[capture->file_count], capture->folder,
                    capture->names[capture->file_count]);
        return &capture->files[record->name];
}

static int64_t hour_of(int64_t wall_ns)
{
        return wall_ns / HOUR_NS - (wall_ns % HOUR_NS < 0);
}

static int write_record(
    struct capture *capture, const struct record *record, struct bytes line, struct error *error)
{
        struct capture_file *file = record_file(capture, record);
        if (hour_of(record->wall_ns) != capture->hour)
                end_files(capture);
        capture->hour = hour_of(record->wall_ns);
        if (file->fd < 0) {
                int code = check_room(capture, error);
                if (!code)
                        code = capture_file_open(file, &capture->run, record->wall_ns, error);
                if (code)
                        return code;
                tell_success(capture);
        }
        return capture_file_add(file, line, error);
}

static void wait_until(struct capture *capture, int64_t mono_ns)
{
        struct timespec until = {
            .tv_sec = mono_ns / NS_PER_S, .tv_nsec = (long)(mono_ns % NS_PER_S)};
        pthread_cond_timedwait(&capture->wake, &capture->lock, &until);
}

/* Until it is time to try again; false: it is not, the capture is being closed. */
static bool wait_to_retry(struct capture *capture)
{
        pthread_mutex_lock(&capture->lock);
        bool stopped = capture->stop;
        while (!capture->stop && clock_mono_ns() < capture->retry_ns)
                wait_until(capture, capture->retry_ns);
        pthread_mutex_unlock(&capture->lock);
        return !stopped;
}

/* The line is not in the file that failed: it is tried again, in another. */
static void write_until_done(
    struct capture *capture, const struct record *record, struct bytes line)
{
        struct error error = {0};
        if (capture->failing && record_file(capture, record)->fd < 0)
                wait_to_retry(capture);
        while (!capture->given_up && write_record(capture, record, line, &error)) {
                struct capture_file *file = &capture->files[record->name];
                file_fails(capture, file, &error);
                flush_all(capture); /* while it waits */
                capture->given_up = !wait_to_retry(capture);
        }
        if (!capture->given_up)
                return;
        pthread_mutex_lock(&capture->lock);
        drop(capture, 1);
        pthread_mutex_unlock(&capture->lock);
}

static void write_taken(struct capture *capture)
{
        const uint8_t *at = capture->taken.data;
        const uint8_t *end = at + capture->taken.size;
        while (at < end) {
                struct record record;
                memcpy(&record, at, sizeof(record));
                at += sizeof(record);
                write_until_done(capture, &record, (struct bytes){at, record.size});
                at += record.size;
        }
}

/* Under the lock. What one text larger than the queue took is given back. */
static void take_queue(struct capture *capture)
{
        struct buffer taken = capture->taken;
        if (taken.capacity > 2 * (size_t)LIMIT_CAPTURE_QUEUE)
                buffer_deinit(&taken);
        buffer_clear(&taken);
        capture->taken = capture->queue;
        capture->queue = taken;
}

static void count_done(struct capture *capture)
{
        uint64_t written = 0;
        for (uint32_t i = 0; i < capture->file_count; i++)
                written += capture->files[i].written;
        capture->stats.file_bytes = written;
        capture->pending -= capture->taken.size;
}

static void *capture_main(void *user)
{
        struct capture *capture = user;
        capture->flush_ns = clock_mono_ns() + FLUSH_NS;
        pthread_mutex_lock(&capture->lock);
        for (bool last = false; !last;) {
                while (!capture->stop && !capture->flush_wanted &&
                    capture->queue.size < WAKE_SIZE && clock_mono_ns() < capture->flush_ns) {
                        capture->sleeping = true;
                        wait_until(capture, capture->flush_ns);
                }
                capture->sleeping = false;
                last = capture->stop;
                bool flush = capture->flush_wanted;
                capture->flush_wanted = false;
                take_queue(capture);
                pthread_mutex_unlock(&capture->lock);
                write_taken(capture);
                if (last)
                        end_files(capture);
                else if (flush || clock_mono_ns() >= capture->flush_ns)
                        flush_files(capture);
                pthread_mutex_lock(&capture->lock);
                count_done(capture);
        }
        pthread_mutex_unlock(&capture->lock);
        return NULL;
}

/* ---- life ---- */

static int open_folder(const char *path, int *ret_folder, struct error *error)
{
        int code;
        if (mkdir(path, 0750) && errno != EEXIST)
                code = errno;
        else if ((*ret_folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                code = errno;
        else if (faccessat(*ret_folder, ".", W_OK | X_OK, AT_EACCESS))
                code = errno;
        else
                return 0;
        if (*ret_folder >= 0)
                close(*ret_folder);
        return error_set(error, code == EACCES || code == EROFS ? ERR_DENIED : ERR_IO,
            "cannot capture into %s: %s", path, strerror(code));
}

/* No two runs of a folder are called the same, even by a clock that was set back. */
static int choose_run(struct capture *capture, const char *path, struct error *error)
{
        struct capture_name *names = NULL;
        size_t count = 0;
        if (capture_folder_list(capture->folder, &names, &count))
                return error_set(error, ERR_IO, "cannot list %s", path);
        for (size_t i = 0; i < count; i++) { /* by run, rising */
                if (names[i].run_ns == capture->run.wall_ns) {
                        capture->run.wall_ns++;
                        capture->run.mono_ns++;
                }
        }
        free(names);
        return 0;
}

static void capture_free(struct capture *capture)
{
        for (uint32_t i = 0; i < capture->file_count; i++)
                capture_file_deinit(&capture->files[i]);
        buffer_deinit(&capture->queue);
        buffer_deinit(&capture->taken);
        pthread_cond_destroy(&capture->wake);
        pthread_mutex_destroy(&capture->lock);
        close(capture->folder);
        free(capture);
}

static struct capture *capture_new(int folder, int64_t mono_ns, int64_t wall_ns)
{
        struct capture *capture = memory_new(sizeof(*capture));
        size_t limit = 2 * ((size_t)LIMIT_CAPTURE_QUEUE + LIMIT_REST_BODY);
        pthread_condattr_t attributes;
        capture->folder = folder;
        capture->run = (struct capture_run){wall_ns, mono_ns};
        buffer_init(&capture->queue, limit);
        buffer_init(&capture->taken, limit);
        buffer_reserve(&capture->queue, 4 * WAKE_SIZE); /* seldom more: it grows later */
        buffer_reserve(&capture->taken, 4 * WAKE_SIZE);
        pthread_mutex_init(&capture->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&capture->wake, &attributes);
        pthread_condattr_destroy(&attributes);
        return capture;
}

/* Signals are the loop's. */
static int start_thread(struct capture *capture)
{
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int code = pthread_create(&capture->thread, NULL, capture_main, capture);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return code;
}

int capture_open(struct capture **ret_capture, const char *folder, int64_t mono_ns, int64_t wall_ns,
    struct error *error)
{
        int fd = -1;
        int code = open_folder(folder, &fd, error);
        if (code)
                return code;
        struct capture *capture = capture_new(fd, mono_ns, wall_ns);
        code = choose_run(capture, folder, error);
        if (!code && start_thread(capture))
                code = error_set(error, ERR_IO, "cannot start the capture's thread");
        if (code) {
                capture_free(capture);
                return code;
        }
        *ret_capture = capture;
        return 0;
}

void capture_close(struct capture *capture)
{
        if (!capture)
                return;
        pthread_mutex_lock(&capture->lock);
        capture->stop = true;
        pthread_cond_signal(&capture->wake);
        pthread_mutex_unlock(&capture->lock);
        pthread_join(capture->thread, NULL);
        if (capture->unreported)
                log_error("capture: ended; %llu lines are missing",
                    (unsigned long long)capture->unreported);
        capture_free(capture);
}
