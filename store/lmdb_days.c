/* The store's folder on disk: names, days, hidden names, the writer's lock. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/internal.h"

#define FOLDER_MODE 02770
#define FILE_MODE 0660
#define LOCK_NAME "writer.lock"
#define PID_SIZE 11 /* a pid, padded to one width so that writing it never needs more room */

int store_code_of_errno(int number)
{
        switch (number) {
        case 0:
                return 0;
        case ENOENT:
                return ERR_NOT_FOUND;
        case ENOSPC:
        case EDQUOT:
                return ERR_FULL;
        case EACCES:
        case EPERM:
        case EROFS:
                return ERR_DENIED;
        case EAGAIN:
                return ERR_BUSY;
        case ENOTDIR:
        case ENAMETOOLONG:
        case ELOOP:
                return ERR_USAGE;
        default:
                return ERR_IO;
        }
}

void store_path_join(const char *folder, const char *name, char ret_path[STORE_PATH_SIZE])
{
        int size = snprintf(ret_path, STORE_PATH_SIZE, "%s/%s", folder, name);
        assert(size > 0 && size < STORE_PATH_SIZE);
        (void)size;
}

void store_path_hide(
    const char *root, const char *kind, const char *name, char ret_path[STORE_PATH_SIZE])
{
        static atomic_uint counter;
        char hidden[STORE_NAME_ROOM / 2];
        unsigned number = atomic_fetch_add(&counter, 1);
        snprintf(hidden, sizeof(hidden), ".%s-%s-%d-%u", kind, name, (int)getpid(), number);
        store_path_join(root, hidden, ret_path);
}

bool store_place_is_valid(uint32_t place)
{
        char text[DAY_TEXT_SIZE];
        uint32_t day;
        if (place == STORE_META)
                return true;
        return place < 100000 && !day_parse(day_format(place, text), &day) && day == place;
}

const char *store_place_name(uint32_t place, char ret_text[DAY_TEXT_SIZE])
{
        return place == STORE_META ? "meta" : day_format(place, ret_text);
}

static bool name_is_hidden(const char *name)
{
        return !strncmp(name, ".new-", 5) || !strncmp(name, ".drop-", 6);
}

/* Names that may stand in a folder that is yet to become a store. */
static bool entry_is_ours(int folder_fd, const char *name)
{
        struct stat status;
        if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, LOCK_NAME) ||
            !strcmp(name, "lost+found") || name_is_hidden(name))
                return true;
        return !fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(status.st_mode);
}

static int folder_fail(const char *path, int number, struct error *error)
{
        if (number == ENOTDIR)
                return error_set(
                    error, ERR_USAGE, "store %s is no folder: choose another STORE", path);
        return error_set(
            error, store_code_of_errno(number), "store %s: %s", path, strerror(number));
}

int store_folder_look(const char *path, enum store_folder *ret_folder, struct error *error)
{
        char meta[STORE_PATH_SIZE];
        struct stat status;
        store_path_join(path, "meta", meta);
        if (!stat(meta, &status) && S_ISDIR(status.st_mode)) {
                *ret_folder = STORE_FOLDER_STORE;
                return 0;
        }
        DIR *folder = opendir(path);
        if (!folder && errno == ENOENT) {
                *ret_folder = STORE_FOLDER_MISSING;
                return 0;
        }
        if (!folder)
                return folder_fail(path, errno, error);
        *ret_folder = STORE_FOLDER_EMPTY;
        for (struct dirent *entry; (entry = readdir(folder));) {
                if (!entry_is_ours(dirfd(folder), entry->d_name))
                        *ret_folder = STORE_FOLDER_FOREIGN;
        }
        closedir(folder);
        return 0;
}

/* A service may be forbidden to set the group's bit; then the folder has it from its parent. */
static int folder_share(const char *path, struct error *error)
{
        struct stat found;
        if (!stat(path, &found) && (found.st_mode & 07777) == FOLDER_MODE)
                return 0;
        return chmod(path, FOLDER_MODE) ? folder_fail(path, errno, error) : 0;
}

/* Parents get what the umask gives them; the folder itself is for its owner and group. */
int store_folder_make(const char *path, struct error *error)
{
        char part[STORE_PATH_SIZE];
        size_t size = strlen(path);
        for (size_t i = 1; i < size; i++) {
                if (path[i] != '/')
                        continue;
                memcpy(part, path, i);
                part[i] = 0;
                if (mkdir(part, 0777) && errno != EEXIST)
                        return folder_fail(part, errno, error);
        }
        if (!mkdir(path, FOLDER_MODE & 0777))
                return folder_share(path, error);
        return errno == EEXIST ? 0 : folder_fail(path, errno, error);
}

int store_folder_sync(const char *path)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno;
        int number = fsync(fd) ? errno : 0;
        close(fd);
        /* Some filesystems cannot sync a folder; nothing is wrong then. */
        return number == EINVAL ? 0 : number;
}

void store_folder_remove(const char *path)
{
        DIR *folder = opendir(path);
        if (!folder)
                return;
        for (struct dirent *entry; (entry = readdir(folder));)
                unlinkat(dirfd(folder), entry->d_name, 0);
        closedir(folder);
        rmdir(path);
}

int store_folder_rename(const char *root, const char *from, const char *to)
{
        if (rename(from, to))
                return errno;
        return store_folder_sync(root);
}

void store_folder_sweep(const char *root)
{
        DIR *folder = opendir(root);
        if (!folder)
                return;
        for (struct dirent *entry; (entry = readdir(folder));) {
                char path[STORE_PATH_SIZE];
                if (!name_is_hidden(entry->d_name) || strlen(entry->d_name) >= STORE_NAME_ROOM)
                        continue;
                store_path_join(root, entry->d_name, path);
                store_folder_remove(path);
        }
        closedir(folder);
}

static bool name_is_day(const char *name, uint32_t *ret_day)
{
        char text[DAY_TEXT_SIZE];
        return !day_parse(name, ret_day) && !strcmp(day_format(*ret_day, text), name);
}

static bool entry_is_folder(int folder_fd, const struct dirent *entry)
{
        struct stat status;
        if (entry->d_type == DT_DIR)
                return true;
        return (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) &&
            !fstatat(folder_fd, entry->d_name, &status, 0) && S_ISDIR(status.st_mode);
}

static int compare_days(const void *a, const void *b)
{
        uint32_t x, y;
        memcpy(&x, a, sizeof(x));
        memcpy(&y, b, sizeof(y));
        return (x > y) - (x < y);
}

int store_days_list(const char *root, uint32_t **ret_days, size_t *ret_count)
{
        size_t count = 0, capacity = 64;
        DIR *folder = opendir(root);
        if (!folder)
                return store_code_of_errno(errno);
        uint32_t *days = memory_new(capacity * sizeof(*days));
        for (struct dirent *entry; (entry = readdir(folder));) {
                uint32_t day;
                if (!name_is_day(entry->d_name, &day) || !entry_is_folder(dirfd(folder), entry))
                        continue;
                if (count == capacity)
                        days = memory_resize(days, (capacity *= 2) * sizeof(*days));
                days[count++] = day;
        }
        closedir(folder);
        qsort(days, count, sizeof(*days), compare_days);
        *ret_days = days;
        *ret_count = count;
        return 0;
}

static int lock_busy(const char *root, int fd, struct error *error)
{
        char text[PID_SIZE + 1] = "";
        ssize_t size = pread(fd, text, PID_SIZE, 0);
        long pid = size > 0 ? strtol(text, NULL, 10) : 0;
        return error_set(error, ERR_BUSY,
            "store %s is held by another writer, pid %ld (lock %s/%s): stop it or choose "
            "another STORE",
            root, pid, root, LOCK_NAME);
}

int store_lock_take(const char *root, int *ret_fd, struct error *error)
{
        char path[STORE_PATH_SIZE], text[PID_SIZE + 1];
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        store_path_join(root, LOCK_NAME, path);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
        if (fd < 0)
                return error_set(error, store_code_of_errno(errno),
                    "store %s: the writer's lock %s cannot be opened: %s", root, path,
                    strerror(errno));
        if (fcntl(fd, F_OFD_SETLK, &whole)) {
                int number = errno;
                int r = number == EAGAIN || number == EACCES ? lock_busy(root, fd, error)
                                                             : folder_fail(path, number, error);
                close(fd);
                return r;
        }
        /* Mode and pid are a courtesy: a foreign owner or a full disk does not undo the lock. */
        (void)!fchmod(fd, FILE_MODE);
        snprintf(text, sizeof(text), "%10d\n", (int)getpid());
        (void)!pwrite(fd, text, PID_SIZE, 0);
        *ret_fd = fd;
        return 0;
}
