/* What the files of this stage share: the folder on disk, its environments, what INFO says. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <limits.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/clock.h"
#include "store/store.h"

/* The folder (lmdb_days.c). Paths are checked once, at open: what is joined to them always fits. */

#define STORE_PATH_SIZE PATH_MAX
#define STORE_NAME_ROOM 128 /* bytes that a path leaves for the names inside the store */

enum store_folder {
        STORE_FOLDER_MISSING,
        STORE_FOLDER_EMPTY,
        STORE_FOLDER_FOREIGN, /* holds something, but no meta/ */
        STORE_FOLDER_STORE,
};

/* The code of an errno. */
int store_code_of_errno(int number);
void store_path_join(const char *folder, const char *name, char ret_path[STORE_PATH_SIZE]);
/* A name that no reader sees, unique among the processes: ".new-2026-11-21-1234-1". */
void store_path_hide(
    const char *root, const char *kind, const char *name, char ret_path[STORE_PATH_SIZE]);
bool store_place_is_valid(uint32_t place);
/* "meta" or "2026-11-21". */
const char *store_place_name(uint32_t place, char ret_text[DAY_TEXT_SIZE]);

int store_folder_look(const char *path, enum store_folder *ret_folder, struct error *error);
/* Make a folder (mode 2770) with its parents; an existing one is left as it is. */
int store_folder_make(const char *path, struct error *error);
int store_folder_sync(const char *path);
/* Unlink the files of a folder, then the folder; what cannot be removed stays. */
void store_folder_remove(const char *path);
/* Rename and make it last: both names in @root. An errno, or 0. */
int store_folder_rename(const char *root, const char *from, const char *to);
/* Remove what a killed process has left under hidden names. */
void store_folder_sweep(const char *root);
int store_days_list(const char *root, uint32_t **ret_days, size_t *ret_count);

/* The writer's lock, held until the descriptor is closed. */
int store_lock_take(const char *root, int *ret_fd, struct error *error);

/* INFO (info.c): three records of stream 0. */

#define STORE_INFO_RECORDS 3
#define STORE_RECORDER_SIZE 256
#define STORE_RECORDER_DEFAULT "main"

struct store_record {
        struct store_key key;
        struct bytes value; /* borrowed */
};

struct store_info {
        char uuid[STORE_UUID_SIZE];
        char version[16];
        char recorder[STORE_RECORDER_SIZE];
};

void store_uuid_make(char ret_uuid[STORE_UUID_SIZE]);
/* What a new store says of itself; ERR_USAGE for a recorder's name that cannot be. */
int store_info_make(
    const struct store_options *options, struct store_info *ret_info, struct error *error);
void store_info_records(
    const struct store_info *info, struct store_record ret_records[STORE_INFO_RECORDS]);
/* Read INFO through the store's own functions and hold it against the options. */
int store_info_read(struct store *store, const struct store_options *options,
    struct store_info *ret_info, struct error *error);

/* What the stores on this machine have in common (local.c): add and recorders of store_ops. */
void store_local_add(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes value);
int store_local_recorders(const struct store_ops *ops, const struct store_options *options,
    char ***ret_names, size_t *ret_count, struct error *error);

/* Environments (lmdb_environment.c): one table of the whole process, because LMDB forbids to open
 * one twice. All handles share an environment; the last close closes it. */

struct MDB_env;
struct MDB_txn;

#define STORE_NO_TABLE UINT_MAX

struct store_environment {
        struct store_environment *next;
        struct MDB_env *env;
        /* LMDB's handles, or STORE_NO_TABLE. Grows in a commit, whoever reads beside it. */
        atomic_uint tables[STORE_TABLES];
        dev_t device; /* of data.mdb, which stays open: the inode is not reused */
        ino_t inode;
        pid_t owner; /* a child that was forked has no use for it */
        unsigned references;
        bool read_only;
        atomic_bool broken;  /* LMDB has given it up: to be closed and opened again */
        atomic_bool writing; /* a writing transaction of this process lives in it */
        _Atomic int64_t checked_ns;
};

struct store_environment_options {
        bool meta;
        bool write;
        size_t map_size;
        const struct store_record *records; /* of INFO, for a new meta */
        size_t record_count;
};

/* The code of an LMDB return code. */
int store_code_of_lmdb(int rc);
/* The same for a failed write of about @size bytes below @folder: LMDB reports a write that the
 * full disk cut short as EIO, so that one is looked into. */
int store_code_of_write(int rc, const char *folder, size_t size);
/* Fill @error with a line on @folder that says the cause and what to do; returns @code. */
int store_fail(int code, int rc, const char *folder, struct error *error);

int store_environment_open(const char *folder, const struct store_environment_options *options,
    struct store_environment **ret_environment, struct error *error);
/* Make @root/@name whole under a hidden name, then rename it: it is there whole or not at all. */
int store_environment_create(const char *root, const char *name,
    const struct store_environment_options *options, struct store_environment **ret_environment,
    struct error *error);
void store_environment_close(struct store_environment *environment);
/* Make @table, which the store was made without, in a writing transaction. The handle is the
 * transaction's alone until it has been committed. An LMDB return code. */
int store_environment_add_table(struct MDB_txn *txn, enum store_table table, unsigned *ret_table);
/* May a store lack @table, and is then taken for one where it is empty? */
bool store_table_is_optional(enum store_table table);
/* Is it still what stands at @folder, and usable? */
bool store_environment_is_current(const struct store_environment *environment, const char *folder);
/* Give the slots of dead readers back, at most once an hour. */
void store_environment_check_readers(struct store_environment *environment);
/* Lengthen a data file that ends before its last page (see schema/store.md). */
void store_environment_mend(struct store_environment *environment);
/* Hold LMDB's lock of all writers; NULL where it cannot be had. Give it back in the same thread. */
struct MDB_txn *store_environment_hold(struct store_environment *environment);
void store_environment_release(struct MDB_txn *hold);
/* A compact copy as @folder, which must be missing. */
int store_environment_copy(
    struct store_environment *environment, const char *folder, struct error *error);

/* A handle (lmdb_handle.c). */

/* A place that this handle has open. The handle keeps a few; those with transactions stay. */
struct store_slot {
        uint32_t place;
        bool gone; /* dropped or broken: closed with its last transaction, not found again */
        unsigned live;
        uint64_t used;
        struct store_environment *environment;
};

struct lmdb_store {
        struct store store;
        struct store_info info;
        char *path;
        enum store_mode mode;
        size_t map_size;
        int lock_fd;
        struct store_slot **slots;
        size_t slot_count;
        size_t slot_capacity;
        uint64_t clock; /* grows with every use of a slot */
        struct store_slot *writing;
};

static inline struct lmdb_store *store_lmdb_of(struct store *store)
{
        return (struct lmdb_store *)store;
}

void store_lmdb_path(const struct lmdb_store *self, uint32_t place, char ret_path[STORE_PATH_SIZE]);
/* The slot of @place, opened or (a writer's day) created where needed. One whose place was dropped
 * by another process is not found any more. */
int store_slot_get(struct lmdb_store *self, uint32_t place, bool write,
    struct store_slot **ret_slot, struct error *error);
/* Close it as soon as its last transaction has ended. */
void store_slot_forget(struct lmdb_store *self, struct store_slot *slot);
/* Close what is gone, and the least recently used days beyond @limit that no transaction is in. */
void store_slots_trim(struct lmdb_store *self, size_t limit);

int store_lmdb_open(
    struct store **ret_store, const struct store_options *options, struct error *error);
void store_lmdb_close(struct store *store);
const char *store_lmdb_uuid(struct store *store);
const char *store_lmdb_recorder(struct store *store);
int store_lmdb_days(struct store *store, uint32_t **ret_days, size_t *ret_count);
int store_lmdb_drop(struct store *store, uint32_t day, struct error *error);
int store_lmdb_backup(struct store *store, const char *path, struct error *error);

#endif
