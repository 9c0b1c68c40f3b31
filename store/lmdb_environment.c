/* LMDB environments: opened once a process, made whole or not at all, copied.
 *
 * A full disk must neither kill nor damage. LMDB writes to its lock file through a mapping, where a
 * full disk is a SIGBUS: so the lock file gets its blocks before LMDB sees it. It may be touched
 * only while no environment of this process has it open, because closing any descriptor of a file
 * gives back all its fcntl locks, and these are what tells LMDB that a reader lives. */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/internal.h"

#define READER_SLOTS 512
#define LOCK_FILE_SIZE 32896         /* of 512 slots of 64 bytes, with its head */
#define LOCK_FILE_SIZE_MAX (1 << 20) /* a longer one was not made by us */
#define MAP_SIZE_SANITIZED ((size_t)4 << 30)
#define MAP_SIZE ((size_t)1 << 40)
#define FILE_MODE 0660
#define CHECK_PERIOD_NS (3600 * NS_PER_S)
#define SHORT_RETRIES 5 /* of 1 ms: a writer is about to lengthen the file */

#define FIRST_META STORE_INFO
#define FIRST_DAY STORE_FRAMES

static const char *const table_names[STORE_TABLES] = {
    [STORE_INFO] = "info",
    [STORE_STREAMS] = "streams",
    [STORE_DAYS] = "days",
    [STORE_PRUNED] = "pruned",
    [STORE_SINKS] = "sinks",
    [STORE_SYMBOLS] = "symbols",
    [STORE_AUDITS] = "audits",
    [STORE_FRAMES] = "frames",
    [STORE_TIMES] = "times",
    [STORE_EPOCHS] = "epochs",
    [STORE_GAPS] = "gaps",
    [STORE_MARKS] = "marks",
    [STORE_NOTES] = "notes",
};

static pthread_mutex_t environments_lock = PTHREAD_MUTEX_INITIALIZER;
static struct store_environment *environments;

int store_code_of_lmdb(int rc)
{
        switch (rc) {
        case MDB_NOTFOUND:
                return ERR_NOT_FOUND;
        case MDB_MAP_FULL:
        case MDB_TXN_FULL:
                return ERR_FULL;
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_INVALID:
        case MDB_INCOMPATIBLE:
                return ERR_CORRUPT;
        case MDB_VERSION_MISMATCH:
                return ERR_VERSION;
        case MDB_READERS_FULL:
                return ERR_BUSY;
        default:
                return rc < 0 ? ERR_IO : store_code_of_errno(rc);
        }
}

/* Is there no room for @size bytes? Asks the filesystem, so that quotas count too. */
static bool space_is_gone(const char *folder, size_t size)
{
        int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        int number = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)size);
        if (fd >= 0)
                close(fd);
        return store_code_of_errno(number) == ERR_FULL;
}

int store_code_of_write(int rc, const char *folder, size_t size)
{
        const size_t room = 1 << 20; /* pages that are written beside the values */
        if (rc == EIO && space_is_gone(folder, size + room))
                return ERR_FULL;
        return store_code_of_lmdb(rc);
}

static const char *advice_of(int code)
{
        switch (code) {
        case ERR_FULL:
                return "no space left: free some, nothing was changed";
        case ERR_DENIED:
                return "no permission: readers too must be able to write lock.mdb, join its group";
        case ERR_CORRUPT:
                return "damaged: restore it from a backup";
        case ERR_VERSION:
                return "written by another version of LMDB: use that one";
        case ERR_BUSY:
                return "all reader slots are taken: end some readers";
        case ERR_NOT_FOUND:
                return "not there";
        default:
                return "look at the disk";
        }
}

int store_fail(int code, int rc, const char *folder, struct error *error)
{
        return error_set(error, code, "store %s: %s (%s)", folder, advice_of(code),
            rc ? mdb_strerror(rc) : error_name(code));
}

/* Give the lock file its blocks. EROFS is no error: LMDB then reads without locks. */
static int lock_file_prepare(const char *folder)
{
        char path[STORE_PATH_SIZE];
        struct stat status;
        store_path_join(folder, "lock.mdb", path);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
        if (fd < 0)
                return errno == EROFS ? 0 : errno;
        int number = fstat(fd, &status) ? errno : 0;
        if (!number && !S_ISREG(status.st_mode))
                number = EINVAL;
        if (!number && status.st_size == 0)
                (void)!fchmod(fd, FILE_MODE);
        if (!number && status.st_size < LOCK_FILE_SIZE_MAX) {
                off_t size = status.st_size > LOCK_FILE_SIZE ? status.st_size : LOCK_FILE_SIZE;
                number = posix_fallocate(fd, 0, size);
        }
        close(fd);
        return number;
}

static size_t map_size_of(const struct store_environment_options *options)
{
        if (options->map_size)
                return options->map_size;
#ifdef OBLOGGER_SANITIZED
        return MAP_SIZE_SANITIZED;
#else
        return MAP_SIZE;
#endif
}

static int lmdb_open(
    struct store_environment *environment, const char *folder, size_t map_size, unsigned flags)
{
        MDB_env *env;
        int rc = mdb_env_create(&env);
        if (rc)
                return rc;
        rc = mdb_env_set_mapsize(env, map_size);
        rc = rc ? rc : mdb_env_set_maxdbs(env, STORE_TABLES);
        rc = rc ? rc : mdb_env_set_maxreaders(env, READER_SLOTS);
        rc = rc ? rc : mdb_env_open(env, folder, MDB_NOTLS | flags, FILE_MODE);
        if (rc)
                mdb_env_close(env);
        else
                environment->env = env;
        return rc;
}

/* How long the data file must be to hold its last page; ERR_CORRUPT where that is no number. */
static int size_needed(MDB_env *env, off_t *ret_size, off_t *ret_needed)
{
        MDB_envinfo info;
        MDB_stat stat;
        struct stat status;
        int fd;
        if (mdb_env_info(env, &info) || mdb_env_stat(env, &stat) || mdb_env_get_fd(env, &fd) ||
            fstat(fd, &status))
                return ERR_IO;
        if (!stat.ms_psize || info.me_last_pgno >= (size_t)INT64_MAX / stat.ms_psize)
                return ERR_CORRUPT;
        *ret_size = status.st_size;
        *ret_needed = (off_t)((info.me_last_pgno + 1) * stat.ms_psize);
        return 0;
}

static bool file_is_short(MDB_env *env)
{
        off_t size, needed;
        return size_needed(env, &size, &needed) || size < needed;
}

/* LMDB may count pages at the end that it never wrote. A file cut short from outside looks the
 * same, and reading a page that it lacks is a SIGBUS: so the writer keeps the length whole, under
 * LMDB's own lock, and whoever finds a shorter file knows that it is damaged. */
void store_environment_mend(struct store_environment *environment)
{
        MDB_txn *txn;
        off_t size, needed;
        int fd;
        if (environment->read_only || !file_is_short(environment->env) ||
            mdb_txn_begin(environment->env, NULL, 0, &txn))
                return;
        if (!size_needed(environment->env, &size, &needed) && size < needed &&
            !mdb_env_get_fd(environment->env, &fd))
                (void)!ftruncate(fd, needed);
        mdb_txn_abort(txn);
}

static int size_check(struct store_environment *environment, bool write)
{
        const struct timespec pause = {.tv_nsec = NS_PER_MS};
        if (write)
                store_environment_mend(environment);
        for (unsigned i = 0; file_is_short(environment->env); i++) {
                if (i == SHORT_RETRIES)
                        return MDB_CORRUPTED;
                nanosleep(&pause, NULL);
        }
        return 0;
}

static int table_open(MDB_txn *txn, enum store_table table, bool create, unsigned *ret_table)
{
        MDB_dbi dbi;
        unsigned flags = 0;
        int rc = mdb_dbi_open(txn, table_names[table], create ? MDB_CREATE : 0, &dbi);
        if (rc == MDB_NOTFOUND)
                return 0;
        rc = rc ? rc : mdb_dbi_flags(txn, dbi, &flags);
        if (!rc && flags)
                rc = MDB_INCOMPATIBLE;
        if (!rc)
                *ret_table = dbi;
        return rc;
}

static int records_put(
    MDB_txn *txn, unsigned table, const struct store_environment_options *options)
{
        int rc = 0;
        for (size_t i = 0; i < options->record_count && !rc; i++) {
                uint8_t bytes[STORE_KEY_SIZE];
                struct bytes data = options->records[i].value;
                store_key_encode(options->records[i].key, bytes);
                MDB_val key = {sizeof(bytes), bytes};
                MDB_val value = {data.size, (void *)(uintptr_t)data.data};
                rc = mdb_put(txn, table, &key, &value, 0);
        }
        return rc;
}

/* A table that is missing is found when it is used: its store may be of a newer format. */
static int tables_open(struct store_environment *environment,
    const struct store_environment_options *options, bool create)
{
        MDB_txn *txn;
        unsigned first = options->meta ? FIRST_META : FIRST_DAY;
        unsigned end = options->meta ? FIRST_DAY : STORE_TABLES;
        int rc = mdb_txn_begin(environment->env, NULL, create ? 0 : MDB_RDONLY, &txn);
        if (rc)
                return rc;
        for (unsigned i = first; i < end && !rc; i++) {
                unsigned table = STORE_NO_TABLE;
                rc = table_open(txn, (enum store_table)i, create, &table);
                environment->tables[i] = table;
        }
        if (!rc && create && options->meta)
                rc = records_put(txn, environment->tables[STORE_INFO], options);
        if (!rc)
                return mdb_txn_commit(txn);
        mdb_txn_abort(txn);
        return rc;
}

bool store_table_is_optional(enum store_table table)
{
        return table == STORE_SYMBOLS || table == STORE_AUDITS;
}

int store_environment_add_table(MDB_txn *txn, enum store_table table, unsigned *ret_table)
{
        return table_open(txn, table, true, ret_table);
}

static int environment_load(struct store_environment *environment, const char *folder,
    const struct store_environment_options *options, bool create)
{
        size_t map_size = map_size_of(options);
        int dead, rc = lock_file_prepare(folder);
        rc = rc ? rc : lmdb_open(environment, folder, map_size, 0);
        if ((rc == EACCES || rc == EPERM || rc == EROFS) && !options->write) {
                environment->read_only = true;
                rc = lmdb_open(environment, folder, map_size, MDB_RDONLY);
        }
        if (rc)
                return rc;
        rc = create ? 0 : size_check(environment, options->write);
        rc = rc ? rc : tables_open(environment, options, create);
        if (rc) {
                mdb_env_close(environment->env);
                environment->env = NULL;
                return rc;
        }
        mdb_reader_check(environment->env, &dead);
        environment->checked_ns = clock_mono_ns();
        return 0;
}

static int data_file_stat(const char *folder, struct stat *ret_status)
{
        char path[STORE_PATH_SIZE];
        store_path_join(folder, "data.mdb", path);
        return stat(path, ret_status) ? errno : 0;
}

static struct store_environment *environment_find(const struct stat *status)
{
        for (struct store_environment *at = environments; at; at = at->next) {
                if (at->device == status->st_dev && at->inode == status->st_ino &&
                    at->owner == getpid())
                        return at;
        }
        return NULL;
}

static struct store_environment *environment_new(void)
{
        struct store_environment *environment = memory_new(sizeof(*environment));
        for (unsigned i = 0; i < STORE_TABLES; i++)
                environment->tables[i] = STORE_NO_TABLE;
        environment->owner = getpid();
        environment->references = 1;
        return environment;
}

static void environment_link(struct store_environment *environment, const struct stat *status)
{
        environment->device = status->st_dev;
        environment->inode = status->st_ino;
        environment->next = environments;
        environments = environment;
}

/* Why there is no data file to open: no such place, or a folder that lost it. */
static int data_file_fail(int number, const char *folder, struct error *error)
{
        struct stat status;
        if (number == ENOENT && !stat(folder, &status))
                return store_fail(ERR_CORRUPT, number, folder, error);
        return store_fail(store_code_of_errno(number), number, folder, error);
}

static int environment_share(struct store_environment *environment, const char *folder,
    const struct store_environment_options *options, struct store_environment **ret_environment,
    struct error *error)
{
        if (environment->broken)
                return error_set(error, ERR_IO,
                    "store %s: a failed write has to be cleared first: end the other readers of "
                    "this process",
                    folder);
        if (options->write && environment->read_only)
                return store_fail(ERR_DENIED, EACCES, folder, error);
        environment->references++;
        *ret_environment = environment;
        return 0;
}

static int environment_open_locked(const char *folder,
    const struct store_environment_options *options, struct store_environment **ret_environment,
    struct error *error)
{
        struct stat status;
        int rc = data_file_stat(folder, &status);
        if (rc)
                return data_file_fail(rc, folder, error);
        struct store_environment *environment = environment_find(&status);
        if (environment)
                return environment_share(environment, folder, options, ret_environment, error);
        if (!S_ISREG(status.st_mode) || !status.st_size)
                return store_fail(ERR_CORRUPT, MDB_INVALID, folder, error);
        environment = environment_new();
        rc = environment_load(environment, folder, options, false);
        if (rc) {
                free(environment);
                return store_fail(store_code_of_lmdb(rc), rc, folder, error);
        }
        environment_link(environment, &status);
        *ret_environment = environment;
        return 0;
}

int store_environment_open(const char *folder, const struct store_environment_options *options,
    struct store_environment **ret_environment, struct error *error)
{
        pthread_mutex_lock(&environments_lock);
        int r = environment_open_locked(folder, options, ret_environment, error);
        pthread_mutex_unlock(&environments_lock);
        return r;
}

static int files_finish(const char *folder, struct stat *ret_status)
{
        char path[STORE_PATH_SIZE];
        store_path_join(folder, "data.mdb", path);
        if (chmod(path, FILE_MODE))
                return errno;
        int rc = data_file_stat(folder, ret_status);
        return rc ? rc : store_folder_sync(folder);
}

static int environment_create_hidden(const char *hidden,
    const struct store_environment_options *options, struct store_environment **ret_environment)
{
        struct stat status;
        struct store_environment *environment = environment_new();
        int rc = environment_load(environment, hidden, options, true);
        if (!rc && (rc = files_finish(hidden, &status)))
                mdb_env_close(environment->env);
        if (rc) {
                free(environment);
                return rc;
        }
        pthread_mutex_lock(&environments_lock);
        environment_link(environment, &status);
        pthread_mutex_unlock(&environments_lock);
        *ret_environment = environment;
        return 0;
}

int store_environment_create(const char *root, const char *name,
    const struct store_environment_options *options, struct store_environment **ret_environment,
    struct error *error)
{
        char hidden[STORE_PATH_SIZE], folder[STORE_PATH_SIZE];
        struct store_environment *environment = NULL;
        store_path_join(root, name, folder);
        store_path_hide(root, "new", name, hidden);
        int r = store_folder_make(hidden, error);
        if (r)
                return r;
        int rc = environment_create_hidden(hidden, options, &environment);
        if (!rc && (rc = store_folder_rename(root, hidden, folder)))
                store_environment_close(environment);
        if (rc) {
                r = store_code_of_write(rc, root, 0);
                store_folder_remove(hidden);
                return store_fail(r, rc, folder, error);
        }
        *ret_environment = environment;
        return 0;
}

void store_environment_close(struct store_environment *environment)
{
        pthread_mutex_lock(&environments_lock);
        if (--environment->references == 0) {
                struct store_environment **link = &environments;
                while (*link != environment)
                        link = &(*link)->next;
                *link = environment->next;
                mdb_env_close(environment->env);
                free(environment);
        }
        pthread_mutex_unlock(&environments_lock);
}

bool store_environment_is_current(const struct store_environment *environment, const char *folder)
{
        struct stat status;
        return !environment->broken && !data_file_stat(folder, &status) &&
            status.st_dev == environment->device && status.st_ino == environment->inode;
}

void store_environment_check_readers(struct store_environment *environment)
{
        int dead;
        int64_t now_ns = clock_mono_ns();
        if (now_ns - environment->checked_ns < CHECK_PERIOD_NS)
                return;
        environment->checked_ns = now_ns;
        mdb_reader_check(environment->env, &dead);
}

struct MDB_txn *store_environment_hold(struct store_environment *environment)
{
        MDB_txn *txn;
        if (environment->read_only || mdb_txn_begin(environment->env, NULL, 0, &txn))
                return NULL;
        return txn;
}

void store_environment_release(struct MDB_txn *hold)
{
        if (hold)
                mdb_txn_abort(hold);
}

static int copy_to(struct store_environment *environment, int fd)
{
        int rc = mdb_env_copyfd2(environment->env, fd, MDB_CP_COMPACT);
        /* Pages that LMDB lost track of: no compact copy, a plain one is as good. It waits for the
         * writer, so not while that is us. */
        if (rc == MDB_INCOMPATIBLE && !environment->writing) {
                if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET))
                        return errno;
                rc = mdb_env_copyfd2(environment->env, fd, 0);
        }
        if (!rc && (fchmod(fd, FILE_MODE) || fsync(fd)))
                rc = errno;
        return rc;
}

int store_environment_copy(
    struct store_environment *environment, const char *folder, struct error *error)
{
        char path[STORE_PATH_SIZE];
        int r = store_folder_make(folder, error);
        if (r)
                return r;
        store_path_join(folder, "data.mdb", path);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
        int rc = fd < 0 ? errno : copy_to(environment, fd);
        if (fd >= 0)
                close(fd);
        rc = rc ? rc : store_folder_sync(folder);
        if (rc)
                return store_fail(store_code_of_write(rc, folder, 0), rc, folder, error);
        return 0;
}
