/* The store on disk when the disk is full or read-only: nothing is lost, nothing dies. */
#include "tests/unit/store_help.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

static const struct store_ops *const ops = &store_lmdb;

static void a_full_map_is_full_and_nothing_is_lost(void **state)
{
        (void)state;
        static uint8_t big[20000];
        struct store_options options = {.path = path, .mode = STORE_WRITE, .map_size = 1 << 20};
        struct store *store;
        int64_t n = 0;
        int r = 0;
        assert_int_equal(ops->open(&store, &options, NULL), 0);
        for (; !r; n += !r) {
                struct store_txn txn = txn_must(store, DAY, true);
                ops->put(&txn, STORE_FRAMES, key(1, n, 0), (struct bytes){big, sizeof(big)});
                r = ops->commit(&txn, NULL);
        }
        assert_int_equal(r, ERR_FULL);
        assert_true(n > 20);
        assert_true(holds(store, DAY, STORE_FRAMES, key(1, n, 0), NULL));
        ops->close(store);
        store = store_must(ops, STORE_WRITE);
        put_one(store, DAY, STORE_FRAMES, key(1, n, 0), "fits");
        struct store_txn txn = txn_must(store, DAY, false);
        struct bytes value;
        for (int64_t i = 0; i < n; i++)
                assert_int_equal(ops->get(&txn, STORE_FRAMES, key(1, i, 0), &value), 0);
        ops->abort(&txn);
        ops->close(store);
}

static char filler_path[160];

/* Leave exactly @pages free pages on the disk. */
static void disk_leave(unsigned pages)
{
        struct statvfs status;
        unlink(filler_path);
        MUST(!statvfs(folder, &status));
        int fd = open(filler_path, O_WRONLY | O_CREAT, 0600);
        MUST(fd >= 0);
        MUST(!posix_fallocate(fd, 0, (off_t)((status.f_bavail - pages) * status.f_bsize)));
        close(fd);
}

static int commit_try(struct store *store, uint32_t day, int64_t n, size_t size)
{
        static uint8_t values[1 << 18];
        struct store_txn txn;
        struct error error = {0};
        int r = ops->begin(store, day, true, &txn, &error);
        if (r) {
                MUST(error.text[0]);
                return r;
        }
        memset(values, (int)n, size);
        ops->put(&txn, STORE_FRAMES, key(1, n, 0), (struct bytes){values, size});
        ops->put(&txn, STORE_MARKS, key(1, n, 0), text("mark"));
        return ops->commit(&txn, &error);
}

/* Frames 0..count-1, with their marks, and nothing else. */
static void day_must_hold(struct store *store, uint32_t day, int64_t count, size_t size)
{
        struct store_txn txn;
        struct store_cursor cursor;
        struct bytes value;
        MUST(!ops->begin(store, day, false, &txn, NULL));
        for (int64_t n = 0; n < count; n++) {
                MUST(!ops->get(&txn, STORE_FRAMES, key(1, n, 0), &value) && value.size == size);
                MUST(value.data[0] == (uint8_t)n && value.data[size - 1] == (uint8_t)n);
                MUST(!ops->get(&txn, STORE_MARKS, key(1, n, 0), &value));
        }
        MUST(ops->seek(&txn, STORE_FRAMES, key(1, count, 0), &cursor) == ERR_NOT_FOUND);
        ops->done(&cursor);
        MUST(ops->seek(&txn, STORE_MARKS, key(1, count, 0), &cursor) == ERR_NOT_FOUND);
        ops->done(&cursor);
        ops->abort(&txn);
}

static unsigned entries_hidden(void)
{
        unsigned count = 0;
        DIR *listing = opendir(path);
        for (struct dirent *entry; (entry = readdir(listing));)
                count +=
                    !strncmp(entry->d_name, ".new-", 5) || !strncmp(entry->d_name, ".drop-", 6);
        closedir(listing);
        return count;
}

/* With every number of free pages: a commit, and a new day, work or say ERR_FULL. */
static void scan_free_pages(struct store *store, int64_t *count, size_t size)
{
        unsigned full = 0, done = 0;
        for (unsigned pages = 0; pages < 100; pages += pages < 40 ? 1 : 7) {
                disk_leave(pages);
                int r = commit_try(store, DAY, *count, size);
                MUST(!r || r == ERR_FULL);
                *count += !r;
                disk_leave(pages);
                r = commit_try(store, DAY + 1 + pages, 0, 100);
                MUST(!r || r == ERR_FULL);
                MUST(!entries_hidden());
                full += r != 0;
                done += !r;
                day_must_hold(store, DAY, *count, size);
        }
        MUST(full > 3 && done > 3); /* else the scan missed the edge */
}

static void scan_new_stores(void)
{
        unsigned full = 0, done = 0;
        char original[sizeof(path)];
        memcpy(original, path, sizeof(path));
        for (unsigned pages = 0; pages < 40; pages++) {
                struct store *store;
                snprintf(path, sizeof(path), "%s/new%u", folder, pages);
                disk_leave(pages);
                int r = store_try(ops, STORE_WRITE, &store, NULL);
                MUST(!r || r == ERR_FULL);
                full += r != 0;
                done += !r;
                if (!r)
                        ops->close(store);
                unlink(filler_path);
                MUST(!store_try(ops, STORE_WRITE, &store, NULL));
                ops->close(store);
        }
        MUST(full > 3 && done > 3);
        memcpy(path, original, sizeof(path));
}

static void fill_the_disk(void)
{
        const size_t size = 200000;
        struct store *store;
        int64_t count = 0;
        char copy[128];
        snprintf(filler_path, sizeof(filler_path), "%s/filler", folder);
        snprintf(copy, sizeof(copy), "%s/copy", folder);
        MUST(!store_try(ops, STORE_WRITE, &store, NULL));
        for (; count < 5; count++)
                MUST(!commit_try(store, DAY, count, size));
        disk_leave(10); /* room for a part of it */
        MUST(commit_try(store, DAY, count, size) == ERR_FULL);
        disk_leave(0);
        MUST(commit_try(store, DAY, count, size) == ERR_FULL);
        MUST(commit_try(store, DAY + 200, 0, 100) == ERR_FULL);
        MUST(ops->backup(store, copy, NULL) == ERR_FULL);
        day_must_hold(store, DAY, count, size);
        scan_free_pages(store, &count, size);
        unlink(filler_path);
        MUST(!commit_try(store, DAY, count++, size)); /* the same again */
        MUST(!commit_try(store, DAY + 200, 0, 100));
        ops->close(store);
        MUST(!store_try(ops, STORE_READ, &store, NULL));
        day_must_hold(store, DAY, count, size);
        day_must_hold(store, DAY + 200, 1, 100);
        ops->close(store);
        disk_leave(0); /* pruning is what makes room again */
        MUST(!store_try(ops, STORE_WRITE, &store, NULL));
        MUST(!ops->drop(store, DAY, NULL));
        MUST(!commit_try(store, DAY + 200, 1, 100));
        ops->close(store);
        scan_new_stores();
}

static void read_only_media(void)
{
        struct store *store;
        struct store_txn txn;
        struct bytes value;
        MUST(!store_try(ops, STORE_WRITE, &store, NULL));
        MUST(!commit_try(store, DAY, 0, 100));
        ops->close(store);
        MUST(!mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL));
        MUST(store_try(ops, STORE_WRITE, &store, NULL) == ERR_DENIED);
        MUST(!store_try(ops, STORE_READ, &store, NULL));
        MUST(!ops->begin(store, DAY, false, &txn, NULL));
        MUST(!ops->get(&txn, STORE_FRAMES, key(1, 0, 0), &value) && value.size == 100);
        ops->abort(&txn);
        ops->close(store);
}

/* Run @body with a small filesystem at the test's folder, in a mount namespace of its own. */
static void on_a_small_disk(void (*body)(void))
{
        pid_t child = fork();
        if (!child) {
                if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
                    mount("tmpfs", folder, "tmpfs", 0, "size=16m,mode=0755"))
                        _exit(77);
                body();
                _exit(0);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
                print_message("skipped: no permission to mount a small filesystem\n");
                skip();
        }
        assert_int_equal(status, 0);
}

static void a_full_disk_loses_nothing_and_recovers(void **state)
{
        (void)state;
        on_a_small_disk(fill_the_disk);
}

static void a_read_only_disk_can_be_read(void **state)
{
        (void)state;
        on_a_small_disk(read_only_media);
}

#define TEST(body) cmocka_unit_test_setup_teardown(body, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(a_full_map_is_full_and_nothing_is_lost),
            TEST(a_full_disk_loses_nothing_and_recovers),
            TEST(a_read_only_disk_can_be_read),
        };
        return cmocka_run_group_tests_name("store: full disk", tests, NULL, NULL);
}
