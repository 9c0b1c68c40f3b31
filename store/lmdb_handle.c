/* A handle of the LMDB store: which places it has open; open, close, drop, backup. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "store/internal.h"

void store_lmdb_path(const struct lmdb_store *self, uint32_t place, char ret_path[STORE_PATH_SIZE])
{
        char text[DAY_TEXT_SIZE];
        store_path_join(self->path, store_place_name(place, text), ret_path);
}

/* Slots */

static void slot_close(struct lmdb_store *self, size_t index)
{
        struct store_slot *slot = self->slots[index];
        self->slots[index] = self->slots[--self->slot_count];
        store_environment_close(slot->environment);
        free(slot);
}

static size_t slots_count_days(const struct lmdb_store *self)
{
        size_t count = 0;
        for (size_t i = 0; i < self->slot_count; i++)
                count += self->slots[i]->place != STORE_META;
        return count;
}

/* The least recently used day that no transaction lives in, or slot_count. */
static size_t slots_find_oldest(const struct lmdb_store *self)
{
        size_t oldest = self->slot_count;
        for (size_t i = 0; i < self->slot_count; i++) {
                const struct store_slot *slot = self->slots[i];
                if (slot->place == STORE_META || slot->live)
                        continue;
                if (oldest == self->slot_count || slot->used < self->slots[oldest]->used)
                        oldest = i;
        }
        return oldest;
}

/* Close what is gone, and the oldest days beyond @limit. */
void store_slots_trim(struct lmdb_store *self, size_t limit)
{
        size_t oldest;
        for (size_t i = self->slot_count; i-- > 0;) {
                if (self->slots[i]->gone && !self->slots[i]->live)
                        slot_close(self, i);
        }
        while (
            slots_count_days(self) > limit && (oldest = slots_find_oldest(self)) < self->slot_count)
                slot_close(self, oldest);
}

static struct store_slot *slot_find(struct lmdb_store *self, uint32_t place)
{
        for (size_t i = 0; i < self->slot_count; i++) {
                if (self->slots[i]->place == place && !self->slots[i]->gone)
                        return self->slots[i];
        }
        return NULL;
}

static struct store_slot *slot_add(
    struct lmdb_store *self, uint32_t place, struct store_environment *environment)
{
        struct store_slot *slot = memory_new(sizeof(*slot));
        *slot = (struct store_slot){.place = place, .environment = environment};
        if (self->slot_count == self->slot_capacity) {
                self->slot_capacity = self->slot_capacity ? self->slot_capacity * 2 : 32;
                self->slots =
                    memory_resize(self->slots, self->slot_capacity * sizeof(*self->slots));
        }
        self->slots[self->slot_count++] = slot;
        return slot;
}

void store_slot_forget(struct lmdb_store *self, struct store_slot *slot)
{
        slot->gone = true;
        store_slots_trim(self, LIMIT_DAYS_OPEN);
}

static int slot_open(struct lmdb_store *self, uint32_t place, bool write,
    struct store_slot **ret_slot, struct error *error)
{
        char path[STORE_PATH_SIZE], text[DAY_TEXT_SIZE];
        struct store_environment *environment;
        struct store_environment_options options = {
            .meta = place == STORE_META,
            .write = write,
            .map_size = self->map_size,
        };
        bool create = write && place != STORE_META && self->mode == STORE_WRITE;
        if (!store_place_is_valid(place))
                return error_set(
                    error, ERR_USAGE, "store %s: day %u is outside 1970..2200", self->path, place);
        store_lmdb_path(self, place, path);
        store_slots_trim(self, LIMIT_DAYS_OPEN - 1);
        int r = store_environment_open(path, &options, &environment, error);
        if (r == ERR_NOT_FOUND && create)
                r = store_environment_create(
                    self->path, store_place_name(place, text), &options, &environment, error);
        if (!r)
                *ret_slot = slot_add(self, place, environment);
        return r;
}

/* The open slot of @place, unless another process dropped what it shows. */
int store_slot_get(struct lmdb_store *self, uint32_t place, bool write,
    struct store_slot **ret_slot, struct error *error)
{
        char path[STORE_PATH_SIZE];
        struct store_slot *slot = slot_find(self, place);
        store_lmdb_path(self, place, path);
        if (slot && !store_environment_is_current(slot->environment, path)) {
                store_slot_forget(self, slot);
                slot = NULL;
        }
        if (!slot) {
                int r = slot_open(self, place, write, &slot, error);
                if (r)
                        return r;
        }
        slot->used = ++self->clock;
        *ret_slot = slot;
        return 0;
}

/* Open and close */

static int path_check(const char *path, struct error *error)
{
        if (!*path || strlen(path) > STORE_PATH_SIZE - STORE_NAME_ROOM)
                return error_set(error, ERR_USAGE,
                    "store '%.64s': a path of 1 to %d bytes is needed", path,
                    STORE_PATH_SIZE - STORE_NAME_ROOM);
        return 0;
}

static int meta_create(
    struct lmdb_store *self, const struct store_options *options, struct error *error)
{
        struct store_info info;
        struct store_record records[STORE_INFO_RECORDS];
        struct store_environment *environment;
        struct store_environment_options create = {
            .meta = true,
            .write = true,
            .map_size = self->map_size,
            .records = records,
            .record_count = STORE_INFO_RECORDS,
        };
        int r = store_info_make(options, &info, error);
        if (r)
                return r;
        store_info_records(&info, records);
        r = store_environment_create(self->path, "meta", &create, &environment, error);
        if (!r)
                slot_add(self, STORE_META, environment);
        return r;
}

static int open_writer(struct lmdb_store *self, const struct store_options *options,
    enum store_folder folder, struct error *error)
{
        int r = 0;
        if (folder == STORE_FOLDER_MISSING)
                r = store_folder_make(self->path, error);
        r = r ? r : store_lock_take(self->path, &self->lock_fd, error);
        if (r)
                return r;
        store_folder_sweep(self->path);
        /* Looked at again: who held the lock before may have made it. */
        r = store_folder_look(self->path, &folder, error);
        if (!r && folder != STORE_FOLDER_STORE)
                r = meta_create(self, options, error);
        return r;
}

static int open_folder(
    struct lmdb_store *self, const struct store_options *options, struct error *error)
{
        enum store_folder folder;
        int r = store_folder_look(self->path, &folder, error);
        if (r)
                return r;
        if (folder == STORE_FOLDER_FOREIGN)
                return error_set(error, ERR_USAGE,
                    "store %s: not empty and no store (no meta/ in it): choose an empty folder",
                    self->path);
        if (self->mode == STORE_WRITE)
                return open_writer(self, options, folder, error);
        if (folder != STORE_FOLDER_STORE)
                return error_set(error, ERR_NOT_FOUND,
                    "store %s: there is no store: give the path that the logger writes to",
                    self->path);
        return 0;
}

void store_lmdb_close(struct store *store)
{
        struct lmdb_store *self = store_lmdb_of(store);
        while (self->slot_count) {
                assert(!self->slots[self->slot_count - 1]->live);
                slot_close(self, self->slot_count - 1);
        }
        if (self->lock_fd >= 0)
                close(self->lock_fd);
        free(self->slots);
        free(self->path);
        free(self);
}

int store_lmdb_open(
    struct store **ret_store, const struct store_options *options, struct error *error)
{
        int r = path_check(options->path, error);
        if (r)
                return r;
        struct lmdb_store *self = memory_new(sizeof(*self));
        self->store.ops = &store_lmdb;
        self->path = memory_text(options->path);
        self->mode = options->mode;
        self->map_size = options->map_size;
        self->lock_fd = -1;
        r = open_folder(self, options, error);
        r = r ? r : store_info_read(&self->store, options, &self->info, error);
        if (r)
                store_lmdb_close(&self->store);
        else
                *ret_store = &self->store;
        return r;
}

const char *store_lmdb_uuid(struct store *store)
{
        return store_lmdb_of(store)->info.uuid;
}

const char *store_lmdb_recorder(struct store *store)
{
        return store_lmdb_of(store)->info.recorder;
}

int store_lmdb_days(struct store *store, uint32_t **ret_days, size_t *ret_count)
{
        return store_days_list(store_lmdb_of(store)->path, ret_days, ret_count);
}

/* Drop and backup */

/* Hold LMDB's write lock of the day, so that no writer of any process is in it. A day that cannot
 * be opened (damaged, or the disk is full) has no writer and is dropped without. */
static int drop_hold(
    struct lmdb_store *self, uint32_t day, struct store_slot **ret_slot, struct MDB_txn **ret_hold)
{
        int r = store_slot_get(self, day, false, ret_slot, NULL);
        if (r)
                return r == ERR_NOT_FOUND ? r : 0;
        if ((*ret_slot)->environment->writing)
                return ERR_BUSY;
        *ret_hold = store_environment_hold((*ret_slot)->environment);
        return 0;
}

static int drop_rename(struct lmdb_store *self, uint32_t day, char ret_hidden[STORE_PATH_SIZE])
{
        char path[STORE_PATH_SIZE], text[DAY_TEXT_SIZE];
        store_lmdb_path(self, day, path);
        store_path_hide(self->path, "drop", day_format(day, text), ret_hidden);
        return store_folder_rename(self->path, path, ret_hidden);
}

int store_lmdb_drop(struct store *store, uint32_t day, struct error *error)
{
        struct lmdb_store *self = store_lmdb_of(store);
        char hidden[STORE_PATH_SIZE], path[STORE_PATH_SIZE];
        struct store_slot *slot = NULL;
        struct MDB_txn *hold = NULL;
        int rc = 0;
        if (day == STORE_META || !store_place_is_valid(day))
                return error_set(error, ERR_USAGE, "store %s: %u is no day", self->path, day);
        store_lmdb_path(self, day, path);
        if (self->mode == STORE_READ)
                return store_fail(ERR_DENIED, EACCES, path, error);
        int r = drop_hold(self, day, &slot, &hold);
        if (!r)
                rc = drop_rename(self, day, hidden);
        store_environment_release(hold);
        if (r == ERR_BUSY)
                return error_set(error, r, "store %s: a transaction is writing to it: retry", path);
        if (r || rc)
                return store_fail(r ? r : store_code_of_errno(rc), rc, path, error);
        if (slot)
                store_slot_forget(self, slot);
        store_folder_remove(hidden);
        return 0;
}

/* A day that was dropped since it was listed is no error. */
static int backup_place(
    struct lmdb_store *self, uint32_t place, const char *path, struct error *error)
{
        char folder[STORE_PATH_SIZE], text[DAY_TEXT_SIZE];
        struct store_slot *slot;
        int r = store_slot_get(self, place, false, &slot, error);
        if (r)
                return r == ERR_NOT_FOUND && place != STORE_META ? 0 : r;
        store_path_join(path, store_place_name(place, text), folder);
        return store_environment_copy(slot->environment, folder, error);
}

/* The newest day first and meta last: see "Copies" in schema/store.md. */
static int backup_places(struct lmdb_store *self, const uint32_t *days, size_t count,
    const char *path, struct error *error)
{
        int r = 0;
        for (size_t i = count; i-- > 0 && !r;)
                r = backup_place(self, days[i], path, error);
        r = r ? r : backup_place(self, STORE_META, path, error);
        int rc = r ? 0 : store_folder_sync(path);
        return rc ? store_fail(store_code_of_errno(rc), rc, path, error) : r;
}

static void backup_undo(const uint32_t *days, size_t count, const char *path)
{
        char folder[STORE_PATH_SIZE], text[DAY_TEXT_SIZE];
        for (size_t i = 0; i < count; i++) {
                store_path_join(path, day_format(days[i], text), folder);
                store_folder_remove(folder);
        }
        store_path_join(path, "meta", folder);
        store_folder_remove(folder);
}

int store_lmdb_backup(struct store *store, const char *path, struct error *error)
{
        struct lmdb_store *self = store_lmdb_of(store);
        enum store_folder folder;
        uint32_t *days;
        size_t count;
        int r = path_check(path, error);
        r = r ? r : store_folder_look(path, &folder, error);
        if (r)
                return r;
        if (folder == STORE_FOLDER_FOREIGN || folder == STORE_FOLDER_STORE)
                return error_set(
                    error, ERR_USAGE, "backup %s: the folder is not empty: choose a new one", path);
        r = store_folder_make(path, error);
        if (r)
                return r;
        r = store_days_list(self->path, &days, &count);
        if (r)
                return store_fail(r, 0, self->path, error);
        r = backup_places(self, days, count, path, error);
        if (r)
                backup_undo(days, count, path);
        free(days);
        return r;
}
