#include "logger/keep.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "recon/prune.h"

#define EVERY_NS (3600 * NS_PER_S)

struct keeper {
        char *path;
        unsigned days;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        bool stop;
};

/* The handle is the thread's own; the writer goes on with its one. */
static int prune(struct keeper *keeper, struct error *error)
{
        struct store *store;
        struct reader reader;
        struct store_options options = {.path = keeper->path, .mode = STORE_MANAGE};
        uint32_t today = day_of_time(clock_wall_ns());
        struct prune_result result = {0};
        int code = store_lmdb.open(&store, &options, error);
        if (code)
                return code;
        code = reader_open(&reader, store, error);
        if (!code) {
                uint32_t keep = keeper->days - 1; /* today is one of them */
                code = recon_prune(&reader, today > keep ? today - keep : 0, &result, error);
                reader_close(&reader);
        }
        store_lmdb.close(store);
        if (result.dropped)
                log_info("store: %zu days older than %u dropped (STORE_KEEP)", result.dropped,
                    keeper->days);
        if (result.awaited)
                log_warning("store: %zu days older than %u stay: they are not in MongoDB yet",
                    result.awaited, keeper->days);
        return code;
}

static void keeper_wait(struct keeper *keeper)
{
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += EVERY_NS / NS_PER_S;
        pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until);
}

static void *keeper_main(void *user)
{
        struct keeper *keeper = user;
        pthread_mutex_lock(&keeper->lock);
        while (!keeper->stop) {
                struct error error;
                pthread_mutex_unlock(&keeper->lock);
                if (prune(keeper, &error))
                        log_warning("store: old days cannot be dropped: %s", error.text);
                pthread_mutex_lock(&keeper->lock);
                if (!keeper->stop)
                        keeper_wait(keeper);
        }
        pthread_mutex_unlock(&keeper->lock);
        return NULL;
}

static void keeper_free(struct keeper *keeper)
{
        pthread_cond_destroy(&keeper->wake);
        pthread_mutex_destroy(&keeper->lock);
        free(keeper->path);
        free(keeper);
}

int keeper_open(struct keeper **ret_keeper, const char *path, unsigned days, struct error *error)
{
        struct keeper *keeper = memory_new(sizeof(*keeper));
        keeper->path = memory_text(path);
        keeper->days = days;
        pthread_mutex_init(&keeper->lock, NULL);
        pthread_cond_init(&keeper->wake, NULL);
        if (pthread_create(&keeper->thread, NULL, keeper_main, keeper)) {
                keeper_free(keeper);
                return error_set(error, ERR_IO, "cannot start the thread of STORE_KEEP");
        }
        *ret_keeper = keeper;
        return 0;
}

void keeper_close(struct keeper *keeper)
{
        if (!keeper)
                return;
        pthread_mutex_lock(&keeper->lock);
        keeper->stop = true;
        pthread_cond_signal(&keeper->wake);
        pthread_mutex_unlock(&keeper->lock);
        pthread_join(keeper->thread, NULL);
        keeper_free(keeper);
}
