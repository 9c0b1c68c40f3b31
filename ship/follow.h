/* Copies what is final of one store into another: each frame once, in order, and what tells of it.
 *
 * Final is what its recorder will not change any more: sealed frames, and open or headless ones
 * that something sealed follows. A step copies some frames of each stream, with their entries in
 * the time index, their epochs and gaps, and last a mark that tells of no more than is there: so a
 * reader of the copy finds a whole, shorter record at any time. All of it can be repeated: what a
 * failed step has left is the beginning of the next one.
 *
 * Where the copy stands is read from the copy itself. One thread. */
#ifndef SHIP_FOLLOW_H
#define SHIP_FOLLOW_H

#include "codec/meta.h"
#include "store/store.h"

struct follow;

struct follow_options {
        struct store *source; /* borrowed, as the other one */
        struct store *target; /* opened to write */
        bool final;           /* the source is itself a copy: all of it is final */
        unsigned sink;        /* number of a sink that the source keeps positions for; 0: none */
        uint32_t from_day, to_day; /* [from, to): only these; what lies outside is marked pruned */
        /* Which streams; NULL: all. */
        bool (*wants_cb)(const struct stream_name *name, void *user);
        void *user;
};

/* What is not copied yet, as the marks tell; and what was. */
struct follow_stats {
        uint64_t events_behind, bytes_behind;
        int64_t behind_ns;              /* of receive time, of the stream that is most behind */
        uint64_t frames, bytes, events; /* copied by this follow */
        uint64_t damaged;               /* frames that were copied though their checksum is wrong */
        char damage[128];               /* the first of them */
};

void follow_open(struct follow **ret_follow, const struct follow_options *options);
void follow_close(struct follow *follow);

/* Copy some. 1: there is more; 0: all that is final is there. Errors are those of the stores;
 * ERR_CORRUPT: the target holds something else under a key, or a record cannot be read. */
int follow_step(struct follow *follow, struct error *error);

/* Look again where the copy stands: something went wrong there. */
void follow_reload(struct follow *follow);

/* Count anew what is not there yet: the source goes on while the target is away. */
void follow_count(struct follow *follow);

const struct follow_stats *follow_stats(const struct follow *follow);

/* Of each stream, in turn: how far it is there; false: no more. */
bool follow_position(const struct follow *follow, size_t index, uint32_t *ret_stream,
    struct sink_record *ret_position);

/* The name of a stream, or NULL. */
const struct stream_name *follow_name(const struct follow *follow, uint32_t stream);

#endif
