/* The real world outside: the feed's sockets on the loop, REST on its thread, the system's clocks.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "logger/network.h"

struct sockets {
        struct network base;
        struct feed *feed;
        struct rest *rest;
        atomic_bool woken;
};

static struct sockets *sockets_of(struct network *network)
{
        return (struct sockets *)network;
}

static void sockets_wake(struct network *network)
{
        struct sockets *sockets = sockets_of(network);
        atomic_store(&sockets->woken, true);
        feed_wake(sockets->feed);
}

static bool sockets_woken(struct network *network)
{
        return atomic_exchange(&sockets_of(network)->woken, false);
}

static void answered_cb(void *user)
{
        sockets_wake(user);
}

static void sockets_close(struct network *network)
{
        struct sockets *sockets = sockets_of(network);
        if (sockets->feed)
                feed_close(sockets->feed);
        if (sockets->rest)
                rest_close(sockets->rest);
        free(sockets);
}

static int sockets_open(
    struct network **ret_network, const struct network_options *options, struct error *error)
{
        struct sockets *sockets = memory_new(sizeof(*sockets));
        struct feed_callbacks callbacks = *options->callbacks;
        struct feed_options feed = {.ca_file = options->ca_file};
        struct rest_options rest = {
            .ca_file = options->ca_file, .wake_cb = answered_cb, .user = sockets};
        sockets->base.ops = &network_sockets;
        callbacks.user = options->user;
        int code = feed_open(&sockets->feed, &feed, &callbacks, error);
        code = code ? code : rest_open(&sockets->rest, &rest, error);
        if (code)
                sockets_close(&sockets->base);
        else
                *ret_network = &sockets->base;
        return code;
}

static void sockets_now(struct network *network, int64_t *ret_mono_ns, int64_t *ret_wall_ns)
{
        (void)network;
        *ret_mono_ns = clock_mono_ns();
        *ret_wall_ns = clock_wall_ns();
}

static int sockets_clock(struct network *network, struct clock_state *ret_state)
{
        (void)network;
        return clock_sync(ret_state);
}

static uint32_t sockets_connect(struct network *network, const char *exchange,
    const struct feed_target *target, struct error *error)
{
        (void)exchange;
        return feed_connect(sockets_of(network)->feed, target, error);
}

static int sockets_send(struct network *network, uint32_t connection, const char *text, size_t size)
{
        return feed_send(sockets_of(network)->feed, connection, text, size);
}

static void sockets_disconnect(struct network *network, uint32_t connection, const char *reason)
{
        feed_disconnect(sockets_of(network)->feed, connection, reason);
}

static int sockets_get(struct network *network, const char *exchange, uint64_t id, const char *url,
    const char *headers)
{
        (void)exchange;
        return rest_get(sockets_of(network)->rest, id, url, headers);
}

static int sockets_resolve(struct network *network, uint64_t id, const char *host)
{
        return rest_resolve(sockets_of(network)->rest, id, host);
}

static bool sockets_take(struct network *network, struct rest_answer *ret_answer)
{
        return rest_take(sockets_of(network)->rest, ret_answer);
}

static int sockets_run(struct network *network)
{
        return feed_run(sockets_of(network)->feed);
}

const struct network_ops network_sockets = {.live = true,
    .open = sockets_open,
    .close = sockets_close,
    .now = sockets_now,
    .clock = sockets_clock,
    .connect = sockets_connect,
    .send = sockets_send,
    .disconnect = sockets_disconnect,
    .get = sockets_get,
    .resolve = sockets_resolve,
    .take = sockets_take,
    .run = sockets_run,
    .wake = sockets_wake,
    .woken = sockets_woken};
