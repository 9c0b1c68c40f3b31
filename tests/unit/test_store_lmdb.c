/* What only the store on disk promises: kill -9, other processes, permissions, damaged files. */
#include "tests/unit/store_help.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"

static const struct store_ops *const ops = &store_lmdb;

static const char *day_file(void)
{
        static char name[256];
        snprintf(name, sizeof(name), "%s/2024-10-04/data.mdb", path);
        return name;
}

static void child_must_succeed(pid_t child)
{
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

static void nap(long ms)
{
        const struct timespec pause = {.tv_nsec = ms * NS_PER_MS};
        nanosleep(&pause, NULL);
}

/* Kill */

#define GROUP 20

/* Commit number n puts GROUP frames of stream n and one mark that says n. */
static void commit_groups_for_ever(uint32_t from)
{
        struct store *store;
        alarm(30); /* should the test itself be killed */
        MUST(!store_try(ops, STORE_WRITE, &store, NULL));
        for (uint32_t n = from;; n++) {
                struct store_txn txn;
                uint8_t filler[900];
                memset(filler, (int)n, sizeof(filler));
                MUST(!ops->begin(store, DAY + n / 100, true, &txn, NULL));
                for (unsigned i = 0; i < GROUP; i++)
                        ops->put(&txn, STORE_FRAMES, key(n, i, 0),
                            (struct bytes){filler, sizeof(filler)});
                ops->put(&txn, STORE_MARKS, key(n, 0, 0), (struct bytes){filler, 1});
                MUST(!ops->commit(&txn, NULL));
        }
}

static bool group_is_whole(struct store_txn *txn, uint32_t n)
{
        struct bytes value;
        for (unsigned i = 0; i < GROUP; i++) {
                if (ops->get(txn, STORE_FRAMES, key(n, i, 0), &value) || value.size != 900 ||
                    value.data[0] != (uint8_t)n || value.data[899] != (uint8_t)n)
                        return false;
        }
        return !ops->get(txn, STORE_MARKS, key(n, 0, 0), &value) && value.data[0] == (uint8_t)n;
}

/* How many commits are there, whole and without a hole? */
static uint32_t groups_must_be_whole(struct store *store)
{
        uint32_t *days, n = 0;
        size_t count;
        struct store_cursor cursor;
        assert_int_equal(ops->days(store, &days, &count), 0);
        for (size_t i = 0; i < count; i++) {
                struct store_txn txn = txn_must(store, days[i], false);
                while (n / 100 == days[i] - DAY && group_is_whole(&txn, n))
                        n++;
                assert_int_equal(
                    ops->seek(&txn, STORE_FRAMES, key(n, 0, 0), &cursor), ERR_NOT_FOUND);
                ops->done(&cursor);
                ops->abort(&txn);
        }
        free(days);
        return n;
}

static void every_commit_is_whole_after_kill_9(void **state)
{
        (void)state;
        uint32_t committed = 0;
        for (unsigned round = 0; round < 20; round++) {
                pid_t child = fork();
                if (!child)
                        commit_groups_for_ever(committed);
                nap(15 + round * 7 % 40);
                assert_int_equal(kill(child, SIGKILL), 0);
                assert_int_equal(waitpid(child, NULL, 0), child);
                struct store *store = store_must(ops, STORE_WRITE);
                uint32_t now = groups_must_be_whole(store);
                assert_true(now >= committed);
                committed = now;
                ops->close(store);
        }
        assert_true(committed > 20);
}

/* Processes */

static void read_until_the_last(uint32_t last)
{
        struct store *store;
        struct store_txn txn;
        struct bytes frame, mark;
        uint32_t seen = 0;
        alarm(60);
        MUST(!store_try(ops, STORE_READ, &store, NULL));
        while (seen < last) {
                MUST(!ops->begin(store, DAY, false, &txn, NULL));
                MUST(!ops->get(&txn, STORE_FRAMES, key(1, 0, 0), &frame));
                MUST(!ops->get(&txn, STORE_MARKS, key(1, 0, 0), &mark));
                MUST(frame.size == 4 && mark.size == 4 && !memcmp(frame.data, mark.data, 4));
                memcpy(&seen, mark.data, 4);
                ops->abort(&txn);
        }
        ops->close(store);
        _exit(0);
}

static void a_process_reads_while_another_writes(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        pid_t child = -1;
        for (uint32_t i = 1; i <= 400; i++) {
                struct store_txn txn = txn_must(store, DAY, true);
                struct bytes number = {(const uint8_t *)&i, sizeof(i)};
                ops->put(&txn, STORE_FRAMES, key(1, 0, 0), number);
                ops->put(&txn, STORE_MARKS, key(1, 0, 0), number);
                commit_must(&txn);
                if (i == 1 && !(child = fork()))
                        read_until_the_last(400);
        }
        child_must_succeed(child);
        ops->close(store);
}

static void a_writer_in_another_process_is_named_by_its_pid(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        pid_t parent = getpid(), child = fork();
        if (!child) {
                char words[32];
                struct error error = {0};
                snprintf(words, sizeof(words), "pid %d ", (int)parent);
                MUST(store_try(ops, STORE_WRITE, &store, &error) == ERR_BUSY);
                MUST(strstr(error.text, words) && strstr(error.text, "writer.lock"));
                _exit(0);
        }
        child_must_succeed(child);
        ops->close(store);
}

/* The child drops the day that the parent has open and goes on writing to. */
static void a_day_dropped_by_another_process_is_made_anew(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "old");
        struct store_txn txn = txn_must(store, DAY, true);
        pid_t child = fork();
        if (!child) { /* waits for the transaction of the parent */
                struct store *manager;
                MUST(!store_try(ops, STORE_MANAGE, &manager, NULL));
                MUST(!ops->drop(manager, DAY, NULL));
                ops->close(manager);
                _exit(0);
        }
        nap(50);
        ops->put(&txn, STORE_FRAMES, key(1, 2, 0), text("goes with it"));
        commit_must(&txn);
        child_must_succeed(child);
        put_one(store, DAY, STORE_FRAMES, key(1, 3, 0), "new");
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 1, 0), NULL));
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 2, 0), NULL));
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 3, 0), "new"));
        ops->close(store);
}

/* Also where the writer waits for LMDB's lock while the manager holds it to rename the day. */
static void while_a_transaction_writes_its_day_is_there(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        for (unsigned round = 0; round < 40; round++) {
                put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "x");
                pid_t child = fork();
                if (!child) {
                        struct store *manager;
                        MUST(!store_try(ops, STORE_MANAGE, &manager, NULL));
                        MUST(!ops->drop(manager, DAY, NULL));
                        _exit(0);
                }
                int status = -1;
                while (!waitpid(child, &status, WNOHANG)) {
                        struct store_txn txn = txn_must(store, DAY, true);
                        assert_int_equal(access(day_file(), F_OK), 0);
                        ops->abort(&txn);
                }
                assert_int_equal(status, 0);
        }
        ops->close(store);
}

/* How many open descriptors of this process are files of that name? */
static unsigned files_open(const char *name)
{
        unsigned count = 0;
        DIR *listing = opendir("/proc/self/fd");
        for (struct dirent *entry; (entry = readdir(listing));) {
                char target[512];
                ssize_t size =
                    readlinkat(dirfd(listing), entry->d_name, target, sizeof(target) - 1);
                if (size <= 0)
                        continue;
                target[size] = 0;
                char *slash = strrchr(target, '/');
                count += slash && !strcmp(slash + 1, name);
        }
        closedir(listing);
        return count;
}

static void a_thousand_days_keep_few_environments_open(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct store *reader = store_must(ops, STORE_READ);
        struct store_txn held = {0};
        for (uint32_t i = 0; i < 1000; i++) {
                put_one(store, DAY + i, STORE_FRAMES, key(1, i, 0), "x");
                if (i == 0)
                        held = txn_must(reader, DAY, false);
                assert_true(files_open("lock.mdb") <= LIMIT_DAYS_OPEN + 2);
        }
        struct bytes value; /* what has a transaction stays open */
        assert_int_equal(ops->get(&held, STORE_FRAMES, key(1, 0, 0), &value), 0);
        ops->abort(&held);
        for (uint32_t i = 0; i < 1000; i++) {
                assert_true(holds(reader, DAY + i, STORE_FRAMES, key(1, i, 0), "x"));
                assert_true(files_open("lock.mdb") <= 2 * LIMIT_DAYS_OPEN + 1);
        }
        ops->close(reader);
        ops->close(store);
        assert_int_equal(files_open("lock.mdb"), 0);
        assert_int_equal(files_open("data.mdb"), 0);
}

static void two_handles_share_an_environment(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "x");
        struct store *reader = store_must(ops, STORE_READ);
        assert_true(holds(reader, DAY, STORE_FRAMES, key(1, 1, 0), "x"));
        assert_int_equal(files_open("lock.mdb"), 2); /* meta and the day */
        ops->close(store);
        assert_true(holds(reader, DAY, STORE_FRAMES, key(1, 1, 0), "x"));
        ops->close(reader);
        assert_int_equal(files_open("lock.mdb"), 0);
}

/* Folders */

static void file_make(const char *name, const char *words)
{
        int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, words, strlen(words)), (ssize_t)strlen(words));
        close(fd);
}

static void a_folder_that_is_no_store_is_left_alone(void **state)
{
        (void)state;
        char name[256];
        struct store *store;
        struct error error = {0};
        assert_int_equal(mkdir(path, 0755), 0);
        snprintf(name, sizeof(name), "%s/letter.txt", path);
        file_make(name, "dear");
        assert_int_equal(store_try(ops, STORE_WRITE, &store, &error), ERR_USAGE);
        assert_non_null(strstr(error.text, path));
        assert_int_equal(store_try(ops, STORE_READ, &store, &error), ERR_USAGE);
        unlink(name);
        assert_int_equal(rmdir(path), 0); /* nothing was left in it */
        file_make(path, "a file");
        assert_int_equal(store_try(ops, STORE_WRITE, &store, &error), ERR_USAGE);
        assert_non_null(strstr(error.text, "no folder"));
}

static void mode_must_be(const char *name, mode_t mode)
{
        char file[256];
        struct stat status;
        snprintf(file, sizeof(file), "%s/%s", path, name);
        assert_int_equal(stat(file, &status), 0);
        assert_int_equal(status.st_mode & 07777, mode);
}

static void parents_are_made_and_modes_do_not_follow_the_umask(void **state)
{
        (void)state;
        mode_t old = umask(077);
        snprintf(path, sizeof(path), "%s/a/b/store", folder);
        struct store *store = store_must(ops, STORE_WRITE);
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "x");
        umask(old);
        mode_must_be("", 02770);
        mode_must_be("meta", 02770);
        mode_must_be("writer.lock", 0660);
        mode_must_be("2024-10-04", 02770);
        mode_must_be("2024-10-04/data.mdb", 0660);
        mode_must_be("2024-10-04/lock.mdb", 0660);
        ops->close(store);
}

static void what_a_killed_writer_left_half_made_is_swept(void **state)
{
        (void)state;
        char name[256];
        struct store *store = store_must(ops, STORE_WRITE);
        ops->close(store);
        snprintf(name, sizeof(name), "%s/.new-2024-10-04-1-1", path);
        assert_int_equal(mkdir(name, 0770), 0);
        snprintf(name, sizeof(name), "%s/.new-2024-10-04-1-1/data.mdb", path);
        file_make(name, "half");
        store = store_must(ops, STORE_WRITE);
        assert_int_equal(access(name, F_OK), -1);
        ops->close(store);
}

/* Run @body as a user without rights; skip where that cannot be. */
static void as_nobody(void (*body)(void))
{
        if (geteuid()) {
                print_message("skipped: only root can become another user\n");
                skip();
        }
        pid_t child = fork();
        if (!child) {
                MUST(!setgroups(0, NULL) && !setresgid(65534, 65534, 65534) &&
                    !setresuid(65534, 65534, 65534));
                body();
                _exit(0);
        }
        child_must_succeed(child);
}

static void all_must_be_denied(void)
{
        struct store *store;
        struct error error = {0};
        MUST(store_try(ops, STORE_READ, &store, &error) == ERR_DENIED);
        MUST(strstr(error.text, path));
        MUST(store_try(ops, STORE_WRITE, &store, &error) == ERR_DENIED);
        MUST(strstr(error.text, path));
}

static void without_permission_all_is_denied(void **state)
{
        (void)state;
        char name[256];
        ops->close(store_must(ops, STORE_WRITE));
        as_nobody(all_must_be_denied);
        /* The data may be read, but not the lock file written. */
        chmod(path, 0755);
        snprintf(name, sizeof(name), "%s/meta", path);
        chmod(name, 0755);
        snprintf(name, sizeof(name), "%s/meta/data.mdb", path);
        chmod(name, 0644);
        as_nobody(all_must_be_denied);
}

static void a_member_of_the_group_may_read(void)
{
        struct store *store;
        struct store_txn txn;
        struct bytes value;
        MUST(!store_try(ops, STORE_READ, &store, NULL));
        MUST(!ops->begin(store, DAY, false, &txn, NULL));
        MUST(!ops->get(&txn, STORE_FRAMES, key(1, 1, 0), &value));
        ops->abort(&txn);
        ops->close(store);
        /* A manager cannot write where the data file is read-only. */
        MUST(!store_try(ops, STORE_MANAGE, &store, NULL));
        MUST(ops->begin(store, STORE_META, true, &txn, NULL) == ERR_DENIED);
        ops->close(store);
}

static void data_may_be_read_only_where_the_lock_file_is_not(void **state)
{
        (void)state;
        static const char *const places[] = {"meta", "2024-10-04"};
        char name[256];
        struct store *store = store_must(ops, STORE_WRITE);
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "x");
        ops->close(store);
        chmod(path, 0755);
        for (unsigned i = 0; i < 2; i++) {
                snprintf(name, sizeof(name), "%s/%s", path, places[i]);
                chmod(name, 0755);
                snprintf(name, sizeof(name), "%s/%s/data.mdb", path, places[i]);
                chmod(name, 0644);
                snprintf(name, sizeof(name), "%s/%s/lock.mdb", path, places[i]);
                chmod(name, 0666);
        }
        as_nobody(a_member_of_the_group_may_read);
}

/* Damage */

/* Shorten every such key on disk by a byte: its size stands right before it. */
static void keys_shorten(struct store_key at)
{
        uint8_t bytes[STORE_KEY_SIZE], *found, *data;
        struct stat status;
        unsigned changed = 0;
        int fd = open(day_file(), O_RDWR);
        store_key_encode(at, bytes);
        assert_int_equal(fstat(fd, &status), 0);
        size_t size = (size_t)status.st_size;
        data = malloc(size);
        assert_int_equal(pread(fd, data, size, 0), status.st_size);
        for (uint8_t *from = data;
             (found = memmem(from, size - (size_t)(from - data), bytes, sizeof(bytes)));
             from = found + 1) {
                assert_int_equal(found[-2], STORE_KEY_SIZE);
                found[-2] = STORE_KEY_SIZE - 1;
                changed++;
        }
        assert_int_equal(pwrite(fd, data, size, 0), status.st_size);
        free(data);
        close(fd);
        assert_true(changed > 0);
}

static void a_key_of_a_wrong_size_is_damage(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct store_cursor cursor;
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "x");
        put_one(store, DAY, STORE_FRAMES, key(1, 2, 7), "y");
        ops->close(store);
        keys_shorten(key(1, 2, 7));
        store = store_must(ops, STORE_WRITE);
        struct store_txn txn = txn_must(store, DAY, false);
        assert_int_equal(ops->seek(&txn, STORE_FRAMES, key(1, 1, 0), &cursor), 0);
        assert_int_equal(ops->next(&cursor), ERR_CORRUPT);
        ops->done(&cursor);
        assert_int_equal(ops->seek(&txn, STORE_FRAMES, key(1, 1, 1), &cursor), ERR_CORRUPT);
        ops->done(&cursor);
        assert_int_equal(ops->seek_back(&txn, STORE_FRAMES, key(9, 0, 0), &cursor), ERR_CORRUPT);
        ops->done(&cursor);
        ops->abort(&txn);
        txn = txn_must(store, DAY, true);
        ops->erase(&txn, STORE_FRAMES, key(1, 0, 0), key(2, 0, 0), NULL);
        assert_int_equal(ops->commit(&txn, NULL), ERR_CORRUPT);
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, 1, 0), "x"));
        ops->close(store);
}

static void damaged_day_must_be_refused(const char *name)
{
        struct store *reader = store_must(ops, STORE_READ);
        struct store_txn txn;
        struct error error = {0};
        assert_int_equal(ops->begin(reader, DAY, false, &txn, &error), ERR_CORRUPT);
        assert_non_null(strstr(error.text, name));
        ops->close(reader);
}

static void a_file_cut_short_is_damage(void **state)
{
        (void)state;
        static uint8_t big[200000];
        struct store *store = store_must(ops, STORE_WRITE);
        struct store_txn txn = txn_must(store, DAY, true);
        ops->put(&txn, STORE_FRAMES, key(1, 1, 0), (struct bytes){big, sizeof(big)});
        commit_must(&txn);
        ops->close(store);
        assert_int_equal(truncate(day_file(), 20000), 0);
        damaged_day_must_be_refused("2024-10-04");
        assert_int_equal(truncate(day_file(), 5000), 0);
        damaged_day_must_be_refused("2024-10-04");
        assert_int_equal(truncate(day_file(), 0), 0);
        damaged_day_must_be_refused("2024-10-04");
        assert_int_equal(unlink(day_file()), 0);
        damaged_day_must_be_refused("2024-10-04");
        store = store_must(ops, STORE_WRITE); /* it can be got rid of */
        assert_int_equal(ops->drop(store, DAY, NULL), 0);
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "x");
        ops->close(store);
}

static void noise_instead_of_a_day_is_damage(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "x");
        ops->close(store);
        char noise[9000];
        memset(noise, '#', sizeof(noise) - 1);
        noise[sizeof(noise) - 1] = 0;
        file_make(day_file(), noise);
        damaged_day_must_be_refused("2024-10-04");
}

/* LMDB gives an environment up when its last page of a commit cannot be written: the descriptor
 * that it writes through is replaced by one that only reads. */
static void break_the_day(void)
{
        char link[64], target[512];
        for (int fd = 3; fd < 256; fd++) {
                snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                ssize_t size = readlink(link, target, sizeof(target) - 1);
                if (size <= 0 || !(fcntl(fd, F_GETFL) & O_DSYNC))
                        continue;
                target[size] = 0;
                if (strcmp(target, day_file()))
                        continue;
                int reading = open(target, O_RDONLY);
                assert_int_equal(dup2(reading, fd), fd);
                close(reading);
                return;
        }
        fail_msg("no descriptor of the day");
}

static void an_environment_that_lmdb_gave_up_is_opened_anew(void **state)
{
        (void)state;
        struct store *store = store_must(ops, STORE_WRITE);
        struct store *reader = store_must(ops, STORE_READ);
        struct error error = {0};
        put_one(store, DAY, STORE_FRAMES, key(1, 1, 0), "one");
        assert_true(holds(reader, DAY, STORE_FRAMES, key(1, 1, 0), "one"));
        break_the_day();
        struct store_txn txn = txn_must(store, DAY, true);
        ops->put(&txn, STORE_FRAMES, key(1, 2, 0), text("two"));
        assert_int_equal(ops->commit(&txn, &error), ERR_IO);
        int r = ops->begin(store, DAY, true, &txn, &error); /* the reader still has it */
        assert_int_equal(r, ERR_IO);
        assert_true(holds(reader, DAY, STORE_FRAMES, key(1, 2, 0), NULL));
        put_one(store, DAY, STORE_FRAMES, key(1, 2, 0), "two");
        assert_true(holds(reader, DAY, STORE_FRAMES, key(1, 1, 0), "one"));
        assert_true(holds(reader, DAY, STORE_FRAMES, key(1, 2, 0), "two"));
        ops->close(reader);
        ops->close(store);
}

#define TEST(body) cmocka_unit_test_setup_teardown(body, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(every_commit_is_whole_after_kill_9),
            TEST(a_process_reads_while_another_writes),
            TEST(a_writer_in_another_process_is_named_by_its_pid),
            TEST(a_day_dropped_by_another_process_is_made_anew),
            TEST(while_a_transaction_writes_its_day_is_there),
            TEST(a_thousand_days_keep_few_environments_open),
            TEST(two_handles_share_an_environment),
            TEST(a_folder_that_is_no_store_is_left_alone),
            TEST(parents_are_made_and_modes_do_not_follow_the_umask),
            TEST(what_a_killed_writer_left_half_made_is_swept),
            TEST(without_permission_all_is_denied),
            TEST(data_may_be_read_only_where_the_lock_file_is_not),
            TEST(a_key_of_a_wrong_size_is_damage),
            TEST(a_file_cut_short_is_damage),
            TEST(noise_instead_of_a_day_is_damage),
            TEST(an_environment_that_lmdb_gave_up_is_opened_anew),
        };
        return cmocka_run_group_tests_name("store: lmdb alone", tests, NULL, NULL);
}
