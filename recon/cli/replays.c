/* A replay of one record, decoded ahead, or of several as one. */
#include "recon/cli/cli.h"

struct replays {
        const struct ahead_callbacks *callbacks;
        void (*source_cb)(size_t source, void *user);
};

static int merged_event(const struct event *event, const int64_t *befores,
    const struct scale *scale, const struct book *book, uint32_t epoch, void *user)
{
        const struct ahead_callbacks *callbacks = ((struct replays *)user)->callbacks;
        (void)book;
        return callbacks->event_cb(event, befores, scale, NULL, epoch, callbacks->user);
}

static int merged_pass(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        const struct ahead_callbacks *callbacks = ((struct replays *)user)->callbacks;
        (void)book;
        return callbacks->pass_cb(event, befores, scale, NULL, epoch, callbacks->user);
}

static void merged_image(const struct book *book, const struct scale *scale, void *user)
{
        const struct ahead_callbacks *callbacks = ((struct replays *)user)->callbacks;
        callbacks->image_cb(callbacks->sum_cb(book, scale), scale, callbacks->user);
}

static void merged_source(size_t source, void *user)
{
        const struct replays *replays = user;
        if (replays->source_cb)
                replays->source_cb(source, replays->callbacks->user);
}

int cli_replay(struct merge *stream, const struct replay_options *options,
    const struct ahead_callbacks *callbacks, void (*source_cb)(size_t source, void *user),
    struct error *error)
{
        struct replays replays = {callbacks, source_cb};
        struct merge_callbacks merged = {{merged_event, callbacks->pass_cb ? merged_pass : NULL,
                                             callbacks->image_cb ? merged_image : NULL, &replays},
            merged_source};
        const struct merge_source *only = &stream->sources[0];
        if (stream->count > 1)
                return merge_replay(stream, options, &merged, error);
        merged_source(0, &replays);
        return recon_replay_ahead(only->reader, only->stream, options, callbacks, error);
}
