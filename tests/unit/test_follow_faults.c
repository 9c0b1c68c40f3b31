/* Following into a store whose commits fail, or leave a part, as a database's may; beside
 * archiving; out of a store that cannot be read for a while. */
#include "recon/archive.h"
#include "tests/unit/follow_help.h"

/* ---- a store that takes what a commit holds piece by piece ---- */

enum piece_kind {
        PIECE_ADD,
        PIECE_PUT,
        PIECE_ERASE,
};

struct piece {
        enum piece_kind kind;
        enum store_table table;
        struct store_key key, to;
        struct buffer value;
};

enum outcome {
        OUTCOME_ALL,
        OUTCOME_NOTHING,    /* an error, and nothing is there */
        OUTCOME_PART,       /* an error, and some of it is there */
        OUTCOME_UNANSWERED, /* an error, and all of it is there */
        OUTCOMES,
};

struct fickle {
        struct store store;
        struct store *inner;
        struct chance chance;
        unsigned trouble;            /* of a hundred commits fail so many */
        unsigned fails_at;           /* that one, counted from 1, fails ... */
        size_t fails_behind;         /* ... and leaves so many pieces */
        void (*part_cb)(void *user); /* looks at what is there within a commit */
        void *user;
        unsigned commits, failures, parts;
};

struct fickle_txn {
        struct store_txn inner;
        bool there; /* the place exists, and inner reads it */
        struct piece *pieces;
        size_t count;
};

static struct store_ops fickle_ops;

static struct fickle *fickle_of(struct store *store)
{
        return (struct fickle *)store;
}

static int fickle_begin(
    struct store *store, uint32_t place, bool write, struct store_txn *txn, struct error *error)
{
        struct store *inner = fickle_of(store)->inner;
        struct fickle_txn *own = memory_new(sizeof(*own));
        struct error why;
        int code = inner->ops->begin(inner, place, false, &own->inner, &why);
        own->there = !code;
        if (code && (!write || code != ERR_NOT_FOUND)) {
                free(own);
                return error_set(error, code, "%s", why.text);
        }
        *txn = (struct store_txn){.store = store, .handle = own, .place = place, .write = write};
        return 0;
}

static void fickle_abort(struct store_txn *txn)
{
        struct fickle_txn *own = txn->handle;
        if (own->there)
                own->inner.store->ops->abort(&own->inner);
        for (size_t i = 0; i < own->count; i++)
                buffer_deinit(&own->pieces[i].value);
        free(own->pieces);
        free(own);
}

static struct piece *piece_new(
    struct store_txn *txn, enum piece_kind kind, enum store_table table, struct store_key key)
{
        struct fickle_txn *own = txn->handle;
        own->pieces = memory_resize(own->pieces, (own->count + 1) * sizeof(struct piece));
        struct piece *piece = &own->pieces[own->count++];
        *piece = (struct piece){.kind = kind, .table = table, .key = key};
        buffer_init(&piece->value, SIZE_MAX / 4);
        return piece;
}

static void fickle_put(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes value)
{
        buffer_append(&piece_new(txn, PIECE_PUT, table, key)->value, value.data, value.size);
}

static void fickle_add(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes value)
{
        buffer_append(&piece_new(txn, PIECE_ADD, table, key)->value, value.data, value.size);
}

static void fickle_erase(struct store_txn *txn, enum store_table table, struct store_key from,
    struct store_key to, uint64_t *ret_bytes)
{
        assert_null(ret_bytes);
        piece_new(txn, PIECE_ERASE, table, from)->to = to;
}

/* What is added comes first, in any order. */
static void pieces_shuffle(struct fickle_txn *own, struct chance *chance)
{
        size_t adds = 0;
        for (size_t i = 0; i < own->count; i++) {
                struct piece piece = own->pieces[i];
                if (piece.kind != PIECE_ADD)
                        continue;
                memmove(own->pieces + adds + 1, own->pieces + adds, (i - adds) * sizeof(piece));
                own->pieces[adds++] = piece;
        }
        for (size_t i = adds; i > 1; i--) {
                size_t other = chance_below(chance, i);
                struct piece piece = own->pieces[i - 1];
                own->pieces[i - 1] = own->pieces[other];
                own->pieces[other] = piece;
        }
}

static int piece_apply(struct store *inner, uint32_t place, const struct piece *piece)
{
        struct store_txn txn;
        struct error error;
        assert_int_equal(inner->ops->begin(inner, place, true, &txn, &error), 0);
        if (piece->kind == PIECE_ERASE)
                inner->ops->erase(&txn, piece->table, piece->key, piece->to, NULL);
        else
                (piece->kind == PIECE_ADD ? inner->ops->add : inner->ops->put)(&txn, piece->table,
                    piece->key, piece->value.size ? buffer_bytes(&piece->value) : BYTES(""));
        return inner->ops->commit(&txn, &error);
}

static enum outcome outcome_of(struct fickle *fickle)
{
        fickle->commits++;
        if (chance_below(&fickle->chance, 100) >= fickle->trouble)
                return OUTCOME_ALL;
        fickle->failures++;
        return (enum outcome)(1 + chance_below(&fickle->chance, OUTCOMES - 1));
}

static int fickle_commit(struct store_txn *txn, struct error *error)
{
        struct fickle *fickle = fickle_of(txn->store);
        struct fickle_txn *own = txn->handle;
        enum outcome outcome = outcome_of(fickle);
        size_t end = own->count, look = chance_below(&fickle->chance, own->count + 1);
        int code = 0;
        if (outcome == OUTCOME_NOTHING)
                end = 0;
        else if (outcome == OUTCOME_PART)
                end = chance_below(&fickle->chance, own->count + 1);
        if (fickle->commits == fickle->fails_at) {
                outcome = OUTCOME_PART;
                end = end < fickle->fails_behind ? end : fickle->fails_behind;
        }
        pieces_shuffle(own, &fickle->chance);
        for (size_t i = 0; i < end && !code; i++) {
                code = piece_apply(fickle->inner, txn->place, &own->pieces[i]);
                if (fickle->part_cb && i + 1 == look && look < own->count) {
                        fickle->parts++;
                        fickle->part_cb(fickle->user);
                }
        }
        fickle_abort(txn);
        if (code)
                return error_set(error, code, "there is something else");
        return outcome == OUTCOME_ALL ? 0 : error_set(error, ERR_IO, "the server is gone");
}

static int fickle_get(
    struct store_txn *txn, enum store_table table, struct store_key key, struct bytes *ret_value)
{
        struct fickle_txn *own = txn->handle;
        return own->there ? own->inner.store->ops->get(&own->inner, table, key, ret_value)
                          : ERR_NOT_FOUND;
}

static int fickle_seek(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *cursor)
{
        struct fickle_txn *own = txn->handle;
        *cursor = (struct store_cursor){0};
        return own->there ? own->inner.store->ops->seek(&own->inner, table, key, cursor)
                          : ERR_NOT_FOUND;
}

static int fickle_seek_back(struct store_txn *txn, enum store_table table, struct store_key key,
    struct store_cursor *cursor)
{
        struct fickle_txn *own = txn->handle;
        *cursor = (struct store_cursor){0};
        return own->there ? own->inner.store->ops->seek_back(&own->inner, table, key, cursor)
                          : ERR_NOT_FOUND;
}

static int fickle_days(struct store *store, uint32_t **ret_days, size_t *ret_count)
{
        struct store *inner = fickle_of(store)->inner;
        return inner->ops->days(inner, ret_days, ret_count);
}

static void fickle_close(struct store *store)
{
        struct store *inner = fickle_of(store)->inner;
        inner->ops->close(inner);
        free(store);
}

static struct fickle *fickle_new(struct store *inner, uint64_t seed, unsigned trouble)
{
        struct fickle *fickle = memory_new(sizeof(*fickle));
        fickle_ops = *inner->ops; /* next, prev, done: a cursor is the inner store's */
        fickle_ops.atomic = false;
        fickle_ops.begin = fickle_begin;
        fickle_ops.abort = fickle_abort;
        fickle_ops.commit = fickle_commit;
        fickle_ops.put = fickle_put;
        fickle_ops.add = fickle_add;
        fickle_ops.erase = fickle_erase;
        fickle_ops.get = fickle_get;
        fickle_ops.seek = fickle_seek;
        fickle_ops.seek_back = fickle_seek_back;
        fickle_ops.days = fickle_days;
        fickle_ops.close = fickle_close;
        *fickle = (struct fickle){
            .store.ops = &fickle_ops, .inner = inner, .chance = {seed}, .trouble = trouble};
        return fickle;
}

/* ---- the laws, into such a store ---- */

struct rig {
        struct desk desk;
        struct store *source;
        struct fickle *target;
        struct follow *follow;
        struct seen_list seen;
        unsigned failed;
};

static void look_cb(void *user)
{
        struct rig *rig = user;
        assert_whole(rig->source, &rig->target->store);
}

static void rig_begin(struct rig *rig, uint64_t seed, unsigned trouble)
{
        *rig = (struct rig){.source = front_new(memory_store("source", seed)),
            .target = fickle_new(memory_store("copy", seed), seed, trouble)};
        desk_begin(&rig->desk, seed, rig->source);
        desk_open(&rig->desk);
        rig->follow = follow_new(rig->source, &rig->target->store);
}

static void rig_end(struct rig *rig)
{
        follow_close(rig->follow);
        free(rig->seen.list);
        rig->target->store.ops->close(&rig->target->store);
        desk_end(&rig->desk);
}

/* One step; after one that failed the follower is used on, looks again, or is made anew. */
static int rig_step(struct rig *rig)
{
        struct error error = {0};
        int more = follow_step(rig->follow, &error);
        if (more >= 0)
                return more;
        if (more != ERR_IO)
                fail_msg("step: %d %s", more, error.text);
        rig->failed++;
        assert_string_equal(error.text, "the server is gone");
        uint64_t dice = chance_below(&rig->desk.chance, 3);
        if (dice == 0)
                follow_reload(rig->follow);
        if (dice == 1) {
                follow_close(rig->follow);
                rig->follow = follow_new(rig->source, &rig->target->store);
        }
        return 1;
}

static void rig_finish(struct rig *rig)
{
        unsigned steps = 0;
        desk_close(&rig->desk);
        while (rig_step(rig))
                assert_true(++steps < 10000);
}

static void a_commit_that_failed_is_completed_by_the_same_again(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 4; seed++) {
                struct rig rig;
                rig_begin(&rig, 100 + seed, seed == 4 ? 0 : 30);
                rig.target->part_cb = look_cb;
                rig.target->user = &rig;
                for (unsigned i = 0; i < 500; i++) {
                        desk_live(&rig.desk);
                        if (!chance_one_in(&rig.desk.chance, 12))
                                continue;
                        rig_step(&rig);
                        assert_whole(rig.source, &rig.target->store);
                        assert_unchanged(&rig.seen, rig.target->inner);
                }
                rig_finish(&rig);
                assert_unchanged(&rig.seen, rig.target->inner);
                assert_same_store(rig.source, rig.target->inner);
                assert_true(rig.target->parts > 10);
                assert_true(seed == 4 || rig.failed > 5);
                rig_end(&rig);
        }
}

/* ---- beside archiving ---- */

static void problem_none(
    const struct recon_stream *stream, uint32_t day, uint64_t position, void *user)
{
        (void)stream, (void)day, (void)user;
        fail_msg("archiving: a problem at position %llu", (unsigned long long)position);
}

static uint64_t archive_store(struct store *store, int64_t before_ns)
{
        struct reader reader = reader_must(store);
        struct archive_result result = {0};
        struct archive_options options = {.before_ns = before_ns, .problem_cb = problem_none};
        struct error error = {0};
        for (unsigned i = 0; i < BOOKS; i++) { /* of the others nothing is archived */
                if (recon_archive(&reader, find_stream(&reader, i), &options, &result, &error))
                        fail_msg("archive: %s", error.text);
        }
        reader_close(&reader);
        return result.frames;
}

static int tell_event(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct buffer *out = user;
        (void)befores, (void)scale;
        buffer_printf(out, "%lld %lld %lld %lld %u %u %zu %zu:", (long long)event->event_time_ns,
            (long long)event->receive_time_ns, (long long)event->first_id,
            (long long)event->last_id, event->type, epoch, book_count(book, SIDE_BID),
            book_count(book, SIDE_ASK));
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < event->count[s]; i++)
                        buffer_printf(out, " %d %lld %lld", s, (long long)event->levels[s][i].price,
                            (long long)event->levels[s][i].quantity);
        }
        buffer_append_byte(out, '\n');
        return 0;
}

static struct buffer tell_events(struct store *store)
{
        struct reader reader = reader_must(store);
        struct replay_options options = {INT64_MIN, INT64_MAX, CLOCK_RECEIVE};
        struct buffer out;
        struct error error = {0};
        buffer_init(&out, RECORD_MAX);
        for (unsigned i = 0; i < STREAMS; i++) {
                const struct recon_stream *stream = find_stream(&reader, i);
                struct replay_callbacks callbacks = {.event_cb = tell_event, .user = &out};
                if (stream && recon_replay(&reader, stream, &options, &callbacks, &error))
                        fail_msg("replay: %s", error.text);
        }
        reader_close(&reader);
        return out;
}

static void assert_same_events(struct store *source, struct store *copy)
{
        struct buffer a = tell_events(source), b = tell_events(copy);
        assert_true(a.size > 1000);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
        buffer_deinit(&a);
        buffer_deinit(&b);
}

static void archiving_beside_it_changes_no_event(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 3; seed++) {
                struct rig rig;
                uint64_t archived = 0;
                rig_begin(&rig, 200 + seed, seed % 2 ? 0 : 40);
                for (unsigned i = 0; i < 500; i++) {
                        desk_live(&rig.desk);
                        if (i > 50 && chance_one_in(&rig.desk.chance, 60)) {
                                int64_t age = (int64_t)chance_below(&rig.desk.chance, 30);
                                archived +=
                                    archive_store(rig.source, rig.desk.now_ns - age * NS_PER_S);
                        }
                        if (!chance_one_in(&rig.desk.chance, 24))
                                continue;
                        rig_step(&rig);
                        assert_whole(rig.source, &rig.target->store);
                }
                archived += archive_store(rig.source, rig.desk.now_ns);
                rig_finish(&rig);
                assert_true(archived > 0);
                assert_whole(rig.source, &rig.target->store);
                assert_same_events(rig.source, rig.target->inner);
                rig_end(&rig);
        }
}

/* A copy of a copy: @store as it is now, under another name. */
static struct store *twin(struct store *store)
{
        static unsigned twins;
        char name[32];
        struct error error = {0};
        snprintf(name, sizeof(name), "twin-%u", ++twins);
        assert_int_equal(store_memory.backup(store, name, &error), 0);
        return feed_store(&store_memory, name);
}

static int follow_to(struct store *from, struct store *to)
{
        struct follow *follow = follow_new(from, to);
        struct error error = {0};
        int more = 1;
        while (more == 1)
                more = follow_step(follow, &error);
        if (more && more != ERR_IO)
                fail_msg("step: %d %s", more, error.text);
        follow_close(follow);
        return more;
}

/* From @begun on, by commit @fails_at of the way out of @first broken off behind so many pieces,
 * then on out of @then. false: it has no such commit. */
static bool break_off(
    struct store *begun, struct store *first, struct store *then, unsigned fails_at, size_t pieces)
{
        struct fickle *fickle = fickle_new(twin(begun), fails_at, 0);
        fickle->fails_at = fails_at;
        fickle->fails_behind = pieces;
        bool failed = follow_to(first, &fickle->store) != 0;
        if (failed) {
                assert_whole(then, &fickle->store);
                fickle->fails_at = 0;
                assert_int_equal(follow_to(then, &fickle->store), 0);
                assert_whole(then, &fickle->store);
                assert_same_events(then, fickle->inner);
        }
        fickle->store.ops->close(&fickle->store);
        return failed;
}

/* What a commit has left is of frames that were coded anew before, or are meanwhile; the copy had
 * nothing yet, or had come to the middle of a run. */
static void what_was_left_goes_where_frames_were_coded_anew(void **state)
{
        (void)state;
        for (unsigned round = 0; round < 4; round++) {
                struct rig rig;
                struct chance chance = {round};
                bool archived_before = round & 1, begun = round & 2;
                rig_begin(&rig, 300 + round, 0);
                desk_steps(&rig.desk, 100);
                if (begun)
                        follow_all(rig.follow);
                desk_steps(&rig.desk, 60);
                desk_close(&rig.desk);
                struct store *written = twin(front_of(rig.source)->inner);
                assert_true(archive_store(rig.source, rig.desk.now_ns) > 0);
                struct store *first = archived_before ? rig.source : written;
                for (size_t pieces = 0; pieces < 90; pieces += 1 + chance_below(&chance, 16)) {
                        unsigned commits = 1;
                        while (break_off(rig.target->inner, first, rig.source, commits, pieces))
                                commits++;
                        assert_true(commits > 2);
                }
                written->ops->close(written);
                rig_end(&rig);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_commit_that_failed_is_completed_by_the_same_again),
            cmocka_unit_test(archiving_beside_it_changes_no_event),
            cmocka_unit_test(what_was_left_goes_where_frames_were_coded_anew),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
