#include "logger/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

#define EVERY_NS (60 * NS_PER_S)
#define BLOCK_SIZE 512 /* of st_blocks, wherever */

struct disk {
        char *path;
        struct disk_looks looks; /* the thread's own */
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        struct disk_state state;
        bool stop;
};

void disk_note(struct disk_looks *looks, int64_t mono_ns, uint64_t free_bytes)
{
        size_t at = looks->count++ % DISK_LOOKS;
        looks->mono_ns[at] = mono_ns;
        looks->free_bytes[at] = free_bytes;
}

int64_t disk_foretell(const struct disk_looks *looks)
{
        if (looks->count < DISK_LOOKS_MIN)
                return -1;
        size_t newest = (looks->count - 1) % DISK_LOOKS;
        size_t oldest = looks->count < DISK_LOOKS ? 0 : looks->count % DISK_LOOKS;
        uint64_t before = looks->free_bytes[oldest], now = looks->free_bytes[newest];
        int64_t seconds = (looks->mono_ns[newest] - looks->mono_ns[oldest]) / NS_PER_S;
        if (now >= before || seconds <= 0)
                return -1;
        uint64_t full_in_s;
        if (__builtin_mul_overflow(now, (uint64_t)seconds, &full_in_s))
                full_in_s = now / (before - now) * (uint64_t)seconds;
        else
                full_in_s /= before - now;
        return full_in_s > INT64_MAX ? INT64_MAX : (int64_t)full_in_s;
}

/* What the files right in the folder take; those of the folders in it too, where @deeper. */
static uint64_t folder_bytes(int fd, bool deeper)
{
        uint64_t bytes = 0;
        DIR *folder = fdopendir(fd);
        if (!folder) {
                close(fd);
                return 0;
        }
        for (struct dirent *entry; (entry = readdir(folder));) {
                struct stat status;
                if (entry->d_name[0] == '.' || fstatat(fd, entry->d_name, &status, 0))
                        continue;
                bytes += (uint64_t)status.st_blocks * BLOCK_SIZE;
                if (!deeper || !S_ISDIR(status.st_mode))
                        continue;
                int inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (inner >= 0)
                        bytes += folder_bytes(inner, false);
        }
        closedir(folder);
        return bytes;
}

static struct disk_state disk_look(struct disk *disk)
{
        struct statvfs status;
        struct disk_state state = {.full_in_s = -1};
        int fd = open(disk->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return state;
        state.known = !fstatvfs(fd, &status);
        state.store_bytes = folder_bytes(fd, true);
        if (!state.known)
                return state;
        state.free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
        state.size_bytes = (uint64_t)status.f_blocks * status.f_frsize;
        disk_note(&disk->looks, clock_mono_ns(), state.free_bytes);
        state.full_in_s = disk_foretell(&disk->looks);
        return state;
}

static void disk_wait(struct disk *disk)
{
        int64_t end = clock_mono_ns() + EVERY_NS;
        struct timespec until = {.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};
        int over = 0;
        while (!disk->stop && !over)
                over = pthread_cond_timedwait(&disk->wake, &disk->lock, &until);
}

static void *disk_main(void *user)
{
        struct disk *disk = user;
        pthread_mutex_lock(&disk->lock);
        while (!disk->stop) {
                pthread_mutex_unlock(&disk->lock);
                struct disk_state state = disk_look(disk);
                pthread_mutex_lock(&disk->lock);
                disk->state = state;
                disk_wait(disk);
        }
        pthread_mutex_unlock(&disk->lock);
        return NULL;
}

static void disk_free(struct disk *disk)
{
        pthread_cond_destroy(&disk->wake);
        pthread_mutex_destroy(&disk->lock);
        free(disk->path);
        free(disk);
}

int disk_open(struct disk **ret_disk, const char *path, struct error *error)
{
        struct disk *disk = memory_new(sizeof(*disk));
        pthread_condattr_t attributes;
        disk->path = memory_text(path);
        pthread_mutex_init(&disk->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&disk->wake, &attributes);
        pthread_condattr_destroy(&attributes);
        if (pthread_create(&disk->thread, NULL, disk_main, disk)) {
                disk_free(disk);
                return error_set(error, ERR_IO, "cannot start the thread that looks at the disk");
        }
        *ret_disk = disk;
        return 0;
}

void disk_close(struct disk *disk)
{
        if (!disk)
                return;
        pthread_mutex_lock(&disk->lock);
        disk->stop = true;
        pthread_cond_signal(&disk->wake);
        pthread_mutex_unlock(&disk->lock);
        pthread_join(disk->thread, NULL);
        disk_free(disk);
}

struct disk_state disk_state(struct disk *disk)
{
        pthread_mutex_lock(&disk->lock);
        struct disk_state state = disk->state;
        pthread_mutex_unlock(&disk->lock);
        return state;
}
