/* Archiving: the record tells the same before and after, is smaller, and is never half archived. */
#include "tests/unit/archive_help.h"

#define ALL INT64_MAX
#define BOOKS 400

/* ---- the law ---- */

/* What was dropped: an image that repeats the book, behind the first one, before changes. */
static void check_dropped(const struct stored_list *before, size_t i, const struct stored *next)
{
        const struct frame_info *info = &before->frames[i].info;
        assert_int_equal(info->kind, FRAME_IMAGE);
        assert_int_equal(info->flags & (FRAME_SYNC | FRAME_CORRECTION), 0);
        assert_true(i > 0 && before->frames[i - 1].day == before->frames[i].day);
        assert_int_equal(before->frames[i - 1].info.epoch, info->epoch);
        assert_non_null(next);
        assert_int_equal(next->info.kind, FRAME_CHANGES);
        assert_true(next->info.flags & FRAME_THINNED);
        assert_true(is_archived(next));
}

/* The head of a frame that stays tells what it told. */
static void check_kept(const struct stored *old, const struct stored *new)
{
        const struct frame_info *a = &old->info, *b = &new->info;
        const uint32_t coding = FRAME_OPEN | FRAME_THINNED;
        if (!is_archived(new)) {
                assert_int_equal(old->hash, new->hash);
                return;
        }
        assert_int_equal(old->day, new->day);
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->flags & ~coding, b->flags & ~coding);
        assert_int_equal(b->flags & FRAME_OPEN, 0);
        assert_true(scale_equal(&a->scale, &b->scale));
        assert_int_equal(a->epoch, b->epoch);
        assert_int_equal(a->events, b->events);
        assert_int_equal(a->level_updates, b->level_updates);
        assert_int_equal(a->corrections, b->corrections);
        assert_true(a->first_id == b->first_id && a->last_id == b->last_id);
        assert_true(a->first_event_time_ns == b->first_event_time_ns &&
            a->last_event_time_ns == b->last_event_time_ns);
        assert_true(a->min_event_time_ns == b->min_event_time_ns &&
            a->max_event_time_ns == b->max_event_time_ns);
        assert_true(a->running_max_ns == b->running_max_ns);
        assert_true(a->first_receive_time_ns == b->first_receive_time_ns &&
            a->last_receive_time_ns == b->last_receive_time_ns);
}

/* Every frame is there as it was but for the images that were dropped. How many those are. */
static size_t check_frames(const struct stored_list *before, const struct stored_list *after)
{
        size_t dropped = 0;
        for (size_t i = 0; i < before->count; i++) {
                const struct stored *old = &before->frames[i];
                const struct stored *new = list_at(after, old->position);
                const struct stored *next = list_at(after, old->position + 1);
                if (new)
                        check_kept(old, new);
                else
                        check_dropped(before, i, next);
                dropped += !new;
        }
        assert_int_equal(before->count, after->count + dropped);
        return dropped;
}

/* Behind an archived image the next one of the epoch is needed, or lies ten minutes away. */
static void check_spacing(const struct stored_list *list)
{
        const struct stored *last = NULL;
        size_t spaced = 0;
        for (size_t i = 0; i + 1 < list->count; i++) {
                const struct stored *image = &list->frames[i];
                if (image->info.kind != FRAME_IMAGE)
                        continue;
                bool related = last && is_archived(last) && is_archived(image) &&
                    last->day == image->day && last->info.epoch == image->info.epoch;
                bool followed = list->frames[i + 1].info.kind == FRAME_CHANGES;
                if (related && followed && !(image->info.flags & FRAME_SYNC)) {
                        assert_true(
                            image->info.first_receive_time_ns - last->info.first_receive_time_ns >=
                            RUN_LENGTH);
                        spaced++;
                }
                last = image;
        }
        assert_true(spaced > 0);
}

static void check_firsts(const struct stored_list *before, const struct stored_list *after)
{
        for (size_t i = 0; i < before->count; i++) {
                const struct stored *frame = &before->frames[i];
                bool first = !i || before->frames[i - 1].day != frame->day ||
                    before->frames[i - 1].info.epoch != frame->info.epoch;
                if (first && frame->info.kind == FRAME_IMAGE)
                        assert_non_null(list_at(after, frame->position));
        }
}

/* The segment of each archived frame is its run's first image. */
static void check_segments(const struct stored_list *list)
{
        uint64_t segment = 0;
        for (size_t i = 0; i < list->count; i++) {
                const struct stored *frame = &list->frames[i];
                if (frame->info.kind == FRAME_IMAGE)
                        segment = frame->position;
                if (frame->info.kind != FRAME_HEADLESS)
                        assert_int_equal(frame->info.segment, segment);
                assert_true(!is_archived(frame) || frame->info.kind != FRAME_HEADLESS);
        }
}

/* Counters of the marks are what is really there; the index has an entry a frame. */
static void check_counters(struct store *store, const struct stored_list *list)
{
        struct reader reader = reader_must(store);
        const struct recon_stream *stream = stream_must(&reader);
        uint64_t images = 0, image_bytes = 0, change_bytes = 0, entries = 0;
        for (size_t i = 0; i < list->count; i++) {
                bool image = list->frames[i].info.kind == FRAME_IMAGE;
                images += image;
                *(image ? &image_bytes : &change_bytes) += list->frames[i].size;
        }
        assert_int_equal(stream->mark.images, images);
        assert_int_equal(stream->mark.image_bytes, image_bytes);
        assert_int_equal(stream->mark.change_bytes, change_bytes);
        for (size_t i = 0; i < stream->day_count; i++) {
                struct store_txn txn;
                struct store_cursor cursor;
                assert_int_equal(store->ops->begin(store, stream->days[i], false, &txn, NULL), 0);
                int code = store->ops->seek(
                    &txn, STORE_TIMES, (struct store_key){0, INT64_MIN, 0}, &cursor);
                for (; !code; code = store->ops->next(&cursor))
                        entries++;
                store->ops->done(&cursor);
                store->ops->abort(&txn);
        }
        assert_int_equal(entries, list->count);
        reader_close(&reader);
}

static uint64_t list_bytes(const struct stored_list *list)
{
        uint64_t bytes = 0;
        for (size_t i = 0; i < list->count; i++)
                bytes += list->frames[i].size;
        return bytes;
}

static void archive_by_the_law(struct feed *feed, bool fresh)
{
        struct buffer told = tell_record(feed->store, feed, BOOKS);
        struct stored_list before = list_frames(feed->store);
        struct archive_result result = archive_must(feed->store, ALL);
        struct stored_list after = list_frames(feed->store);
        assert_verified(feed->store);
        assert_int_equal(check_frames(&before, &after), result.images_dropped);
        if (fresh)
                check_spacing(&after);
        check_firsts(&before, &after);
        check_segments(&after);
        check_counters(feed->store, &after);
        assert_true(!fresh || result.images_dropped > 20);
        assert_true(result.bytes_after < result.bytes_before);
        assert_int_equal(
            list_bytes(&before) - list_bytes(&after), result.bytes_before - result.bytes_after);
        struct buffer told_after = tell_record(feed->store, feed, BOOKS);
        assert_same_lines(&told, &told_after);
        buffer_deinit(&told);
        buffer_deinit(&told_after);
        list_free(&before);
        list_free(&after);
}

static void assert_nothing_left_to_do(struct feed *feed)
{
        struct buffer before = dump_store(feed->store);
        struct archive_result result = archive_must(feed->store, ALL);
        struct buffer after = dump_store(feed->store);
        assert_int_equal(result.frames, 0);
        assert_int_equal(result.bytes_before, 0);
        assert_true(same_bytes(&before, &after));
        buffer_deinit(&before);
        buffer_deinit(&after);
}

static size_t count_kind(const struct feed *feed, unsigned kind)
{
        size_t count = 0;
        struct stored_list list = list_frames(feed->store);
        for (size_t i = 0; i < list.count; i++)
                count += list.frames[i].info.kind == kind;
        list_free(&list);
        return count;
}

static void the_record_tells_the_same_before_and_after(void **state)
{
        (void)state;
        size_t repairs = 0, headless = 0;
        for (uint64_t seed = 1; seed <= 5; seed++) {
                struct feed feed;
                char path[32];
                snprintf(path, sizeof(path), "archive-%u", (unsigned)seed);
                slow_days(&feed, seed, path);
                if (seed % 2)
                        feed_close(&feed);
                archive_by_the_law(&feed, true);
                assert_nothing_left_to_do(&feed);
                repairs += count_kind(&feed, FRAME_REPAIR);
                headless += count_kind(&feed, FRAME_HEADLESS);
                if (!(seed % 2))
                        feed_close(&feed);
                assert_sound(&feed, seed);
                feed_end(&feed);
        }
        assert_true(repairs > 5 && headless > 5);
}

static void what_a_crash_left_open_is_archived_too(void **state)
{
        (void)state;
        struct feed feed;
        slow_begin(&feed, 31, "archive-crash");
        feed_open(&feed);
        slow_steps(&feed, 300);
        slow_crash(&feed);
        feed.now_ns += 60 * NS_PER_S;
        feed_open(&feed);
        slow_steps(&feed, 50);
        feed_close(&feed);
        size_t open = 0, archived = 0;
        struct stored_list before = list_frames(feed.store);
        archive_must(feed.store, ALL);
        struct stored_list after = list_frames(feed.store);
        for (size_t i = 0; i < before.count; i++) {
                const struct stored *frame = &before.frames[i];
                if (!(frame->info.flags & FRAME_OPEN) || frame->info.kind != FRAME_CHANGES)
                        continue;
                open++;
                archived += is_archived(list_at(&after, frame->position));
        }
        assert_true(open > 0);
        assert_int_equal(archived, open);
        list_free(&before);
        list_free(&after);
        assert_verified(feed.store);
        feed_end(&feed);
}

/* ---- what is left alone ---- */

static void what_lies_behind_the_given_time_is_left_alone(void **state)
{
        (void)state;
        struct feed feed, whole;
        slow_days(&feed, 41, "archive-before");
        slow_days(&whole, 41, "archive-before-whole");
        feed_close(&feed);
        feed_close(&whole);
        archive_must(whole.store, ALL);
        struct stored_list before = list_frames(feed.store);
        for (unsigned part = 1; part <= 4; part++) {
                int64_t limit = feed.moments[feed.count * part / 5].receive_time_ns;
                uint64_t archived = 0, left = 0;
                archive_must(feed.store, limit);
                struct stored_list after = list_frames(feed.store);
                check_frames(&before, &after);
                for (size_t i = 0; i < after.count; i++) {
                        const struct stored *frame = &after.frames[i];
                        bool is_earlier = frame->info.last_receive_time_ns < limit;
                        assert_true(is_earlier || !is_archived(frame));
                        archived += is_archived(frame);
                        left += !is_archived(frame);
                }
                assert_true(archived > 0 && left > 0);
                assert_verified(feed.store);
                list_free(&after);
        }
        archive_must(feed.store, ALL);
        struct buffer bit_by_bit = dump_store(feed.store), at_once = dump_store(whole.store);
        assert_true(same_bytes(&bit_by_bit, &at_once));
        buffer_deinit(&bit_by_bit);
        buffer_deinit(&at_once);
        list_free(&before);
        feed_end(&feed);
        feed_end(&whole);
}

static uint64_t last_segment(const struct stored_list *list)
{
        size_t i = list->count;
        while (list->frames[i - 1].info.kind != FRAME_IMAGE)
                i--;
        return list->frames[i - 1].position;
}

/* Archived between the ticks of a recorder: its newest segment is its own. */
static void the_last_segment_of_an_open_day_stays(void **state)
{
        (void)state;
        struct feed feed;
        uint64_t archived = 0;
        slow_begin(&feed, 51, "archive-open");
        feed.now_ns = T0 + NS_PER_DAY - 900 * NS_PER_S;
        feed_open(&feed);
        for (unsigned round = 0; round < 25; round++) {
                slow_steps(&feed, 40 + (unsigned)chance_below(&feed.chance, 30));
                struct stored_list before = list_frames(feed.store);
                archived += archive_must(feed.store, ALL).frames;
                struct stored_list after = list_frames(feed.store);
                uint64_t own = last_segment(&before);
                for (size_t i = 0; i < before.count; i++) {
                        const struct stored *frame = &before.frames[i];
                        if (frame->position < own)
                                continue;
                        assert_non_null(list_at(&after, frame->position));
                        assert_int_equal(list_at(&after, frame->position)->hash, frame->hash);
                }
                list_free(&before);
                list_free(&after);
                assert_verified(feed.store);
        }
        assert_true(archived > 100);
        feed_close(&feed);
        assert_sound(&feed, 51);
        struct reader reader = reader_must(feed.store);
        assert_true(stream_must(&reader)->day_count == 2);
        assert_all_moments(&feed, &reader);
        reader_close(&reader);
        archive_by_the_law(&feed, false);
        feed_end(&feed);
}

static void store_change(struct store *store, uint32_t day, uint64_t position, size_t at)
{
        const struct store_ops *ops = store->ops;
        struct store_txn txn;
        struct bytes value;
        struct buffer frame;
        buffer_init(&frame, LIMIT_BLOCK_SIZE);
        assert_int_equal(ops->begin(store, day, true, &txn, NULL), 0);
        assert_int_equal(ops->get(&txn, STORE_FRAMES, key_position(1, position), &value), 0);
        buffer_append(&frame, value.data, value.size);
        frame.data[at < value.size ? at : value.size - 1] ^= 4;
        ops->put(&txn, STORE_FRAMES, key_position(1, position), buffer_bytes(&frame));
        assert_int_equal(ops->commit(&txn, NULL), 0);
        buffer_deinit(&frame);
}

/* The @nth frame of changes. */
static struct stored nth_changes(const struct stored_list *list, size_t nth)
{
        size_t i = 0;
        for (;; i++) {
                assert_true(i < list->count);
                if (list->frames[i].info.kind == FRAME_CHANGES && !nth--)
                        return list->frames[i];
        }
}

/* A frame damaged in its head (@at 0) ends a run; one in its block leaves the run as it is. */
static void damage_is_told(size_t at, unsigned expected)
{
        struct feed feed;
        struct archived archived;
        struct error error = {0};
        struct problems known, problems;
        slow_days(&feed, 61, at ? "archive-damage" : "archive-damage-head");
        feed_close(&feed);
        struct stored_list sound = list_frames(feed.store);
        struct stored damaged = nth_changes(&sound, 50);
        store_change(feed.store, damaged.day, damaged.position, at);
        struct stored_list before = list_frames(feed.store);
        verify_store(feed.store, &known);
        assert_true(known.count > 0);
        assert_int_equal(archive_try(feed.store, ALL, &archived, &error), 0);
        assert_int_equal(archived.problems, expected);
        struct stored_list after = list_frames(feed.store);
        assert_int_equal(
            list_at(&after, damaged.position)->hash, list_at(&before, damaged.position)->hash);
        if (expected) {
                assert_int_equal(archived.problem_day, damaged.day);
                assert_true(archived.problem_position < damaged.position);
                for (size_t i = 0; i < before.count; i++) {
                        const struct stored *frame = &before.frames[i];
                        if (frame->position >= archived.problem_position &&
                            frame->position <= damaged.position)
                                assert_int_equal(
                                    list_at(&after, frame->position)->hash, frame->hash);
                }
        }
        assert_true(archived.result.frames > before.count / 2);
        verify_store(feed.store, &problems);
        assert_int_equal(problems.count, known.count);
        for (size_t i = 0; i < known.count && i < PROBLEMS_MAX; i++)
                assert_int_equal(
                    strtoull(problems.text[i], NULL, 10), strtoull(known.text[i], NULL, 10));
        list_free(&sound);
        list_free(&before);
        list_free(&after);
        feed_end(&feed);
}

static void a_damaged_frame_leaves_its_run_as_it_is(void **state)
{
        (void)state;
        damage_is_told(SIZE_MAX, 1);
        damage_is_told(0, 0);
}

/* ---- transactions ---- */

/* A store that takes only some of the commits: what they changed is whole, the rest as it was. */
static void a_refused_commit_leaves_its_run_as_it_was(void **state)
{
        (void)state;
        struct feed feed, whole;
        unsigned refused = 0;
        slow_days(&feed, 71, "archive-full");
        slow_days(&whole, 71, "archive-full-whole");
        feed_close(&feed);
        feed_close(&whole);
        archive_must(whole.store, ALL);
        failing = beside_of(feed.store);
        for (int code = ERR_FULL; code;) {
                struct archived archived;
                struct error error = {0};
                for (unsigned left = 0; left < 2 && code; left++) {
                        struct buffer before = dump_store(feed.store);
                        failing->commits_left = left;
                        code = archive_try(feed.store, ALL, &archived, &error);
                        struct buffer after = dump_store(feed.store);
                        assert_true(!code || code == ERR_FULL);
                        assert_true(!code || !strcmp(error.text, "the disk is full"));
                        refused += code != 0;
                        if (code)
                                assert_int_equal(archived.result.frames > 0, left);
                        if (!left && code)
                                assert_true(same_bytes(&before, &after));
                        buffer_deinit(&before);
                        buffer_deinit(&after);
                }
                assert_verified(feed.store);
        }
        failing = NULL;
        assert_true(refused > 6);
        struct buffer bit_by_bit = dump_store(feed.store), at_once = dump_store(whole.store);
        assert_true(same_bytes(&bit_by_bit, &at_once));
        buffer_deinit(&bit_by_bit);
        buffer_deinit(&at_once);
        feed_end(&feed);
        feed_end(&whole);
}

struct meddler {
        struct feed *feed;
        struct stored frame; /* to be changed before the first transaction that writes */
        unsigned changed;
};

static void change_one(bool write, void *user)
{
        struct meddler *meddler = user;
        if (write && !meddler->changed++)
                store_change(beside_of(meddler->feed->store)->inner, meddler->frame.day,
                    meddler->frame.position, SIZE_MAX);
}

static void a_frame_that_changed_since_it_was_read_leaves_its_run_alone(void **state)
{
        (void)state;
        struct feed feed;
        slow_days(&feed, 81, "archive-changed");
        feed_close(&feed);
        struct stored_list before = list_frames(feed.store);
        struct meddler meddler = {&feed, nth_changes(&before, 3), 0};
        struct beside *beside = beside_of(feed.store);
        beside->begin_cb = change_one;
        beside->user = &meddler;
        archive_must(feed.store, ALL);
        beside->begin_cb = NULL;
        struct stored_list after = list_frames(feed.store);
        assert_true(meddler.changed > 3);
        assert_int_not_equal(list_at(&after, meddler.frame.position)->hash, meddler.frame.hash);
        for (size_t i = 0; before.frames[i].position < meddler.frame.position; i++)
                assert_int_equal(
                    list_at(&after, before.frames[i].position)->hash, before.frames[i].hash);
        store_change(feed.store, meddler.frame.day, meddler.frame.position, SIZE_MAX);
        assert_verified(feed.store);
        assert_int_equal(archive_must(feed.store, ALL).problems, 0);
        assert_nothing_left_to_do(&feed);
        list_free(&before);
        list_free(&after);
        feed_end(&feed);
}

static void archive_first(bool write, void *user)
{
        struct feed *feed = user;
        if (write)
                archive_must(beside_of(feed->store)->inner, ALL);
}

static void two_at_once_do_the_work_of_one(void **state)
{
        (void)state;
        struct feed feed, whole;
        slow_days(&feed, 91, "archive-two");
        slow_days(&whole, 91, "archive-one");
        feed_close(&feed);
        feed_close(&whole);
        struct beside *beside = beside_of(feed.store);
        beside->begin_cb = archive_first;
        beside->user = &feed;
        assert_int_equal(archive_must(feed.store, ALL).frames, 0);
        beside->begin_cb = NULL;
        assert_true(archive_must(whole.store, ALL).frames > 0);
        struct buffer two = dump_store(feed.store), one = dump_store(whole.store);
        assert_true(same_bytes(&two, &one));
        buffer_deinit(&two);
        buffer_deinit(&one);
        feed_end(&feed);
        feed_end(&whole);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_record_tells_the_same_before_and_after),
            cmocka_unit_test(what_a_crash_left_open_is_archived_too),
            cmocka_unit_test(what_lies_behind_the_given_time_is_left_alone),
            cmocka_unit_test(the_last_segment_of_an_open_day_stays),
            cmocka_unit_test(a_damaged_frame_leaves_its_run_as_it_is),
            cmocka_unit_test(a_refused_commit_leaves_its_run_as_it_was),
            cmocka_unit_test(a_frame_that_changed_since_it_was_read_leaves_its_run_alone),
            cmocka_unit_test(two_at_once_do_the_work_of_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
