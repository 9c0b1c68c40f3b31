/* Following a store: the copy is a whole, shorter record at any time, and in the end the same. */
#include "tests/unit/follow_help.h"

#include "tests/unit/database_help.h"

/* ---- the laws, over a recording of everything that can happen ---- */

static void follow_law(
    uint64_t seed, struct store *source, struct store *target, unsigned steps, unsigned every)
{
        struct desk desk;
        struct seen_list seen = {0};
        desk_begin(&desk, seed, source);
        desk_open(&desk);
        struct follow *follow = follow_new(source, target);
        for (unsigned i = 0; i < steps; i++) {
                desk_live(&desk);
                if (!chance_one_in(&desk.chance, every))
                        continue;
                follow_must(follow);
                assert_whole(source, target);
                assert_unchanged(&seen, target);
                if (chance_one_in(&desk.chance, 10))
                        follow_reload(follow);
        }
        desk_close(&desk);
        follow_all(follow);
        assert_unchanged(&seen, target);
        assert_same_store(source, target);
        follow_close(follow);
        free(seen.list);
        target->ops->close(target);
        desk_end(&desk);
}

static void the_copy_is_whole_at_any_time_and_the_same_in_the_end(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 5; seed++)
                follow_law(seed, front_new(memory_store("source", seed)),
                    memory_store("copy", seed), 700, seed % 2 ? 6 : 30);
}

/* ---- other stores ---- */

static void a_store_on_disk_is_followed_into_another_one(void **state)
{
        (void)state;
        char other[160];
        struct store_options options = {.path = other, .mode = STORE_WRITE};
        struct store *target;
        struct error error = {0};
        snprintf(other, sizeof(other), "%s/copy", folder);
        assert_int_equal(store_lmdb.open(&target, &options, &error), 0);
        follow_law(51, front_new(store_must(&store_lmdb, STORE_WRITE)), target, 250, 20);
}

static void a_database_takes_a_copy(void **state)
{
        (void)state;
        struct desk desk;
        struct store *source = front_new(memory_store("source", 61));
        struct store_options options = options_of(&store_mongo, STORE_WRITE);
        struct store *target;
        struct error error = {0};
        options.uuid = source->ops->uuid(source);
        if (store_mongo.open(&target, &options, &error))
                fail_msg("open: %s", error.text);
        desk_begin(&desk, 61, source);
        desk_open(&desk);
        struct follow *follow = follow_new(source, target);
        for (unsigned i = 0; i < 5; i++) {
                for (unsigned k = 0; k < 70; k++)
                        desk_live(&desk);
                follow_must(follow);
                assert_whole(source, target);
                if (i == 2)
                        follow_reload(follow);
        }
        desk_close(&desk);
        follow_all(follow);
        assert_same_store(source, target);
        follow_close(follow);
        target->ops->close(target);
        desk_end(&desk);
}

/* ---- what happens while a step is under way ---- */

struct midnight {
        struct desk *desk;
        uint32_t day;
        bool passed;
};

/* The day ends right after the follower has begun to read it. */
static void pass_midnight_cb(uint32_t place, void *user)
{
        struct midnight *midnight = user;
        struct desk *desk = midnight->desk;
        if (midnight->passed || place != midnight->day)
                return;
        midnight->passed = true;
        desk->now_ns = day_start_ns(place + 1) - 2 * NS_PER_S;
        desk_steps(desk, 60);
        desk->now_ns = day_start_ns(place + 1) + 130 * NS_PER_S;
        desk_steps(desk, 60);
}

static void a_day_that_ends_while_it_is_read_is_copied_to_its_end(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 5; seed++) {
                struct desk desk;
                struct store *source = front_new(memory_store("source", seed));
                struct store *target = memory_store("copy", seed);
                desk_begin(&desk, seed, source);
                desk.now_ns -= 3600 * NS_PER_S;
                desk_open(&desk);
                desk_steps(&desk, 100);
                struct midnight midnight = {&desk, day_of_time(desk.now_ns), false};
                struct follow *follow = follow_new(source, target);
                front_of(source)->user = &midnight;
                front_of(source)->begun_cb = pass_midnight_cb;
                follow_all(follow);
                assert_true(midnight.passed);
                front_of(source)->begun_cb = NULL;
                assert_whole(source, target);
                desk_close(&desk);
                follow_all(follow);
                assert_same_store(source, target);
                follow_close(follow);
                target->ops->close(target);
                desk_end(&desk);
        }
}

/* ---- more than a step takes ---- */

#define WIDE 6000

/* Events of so many levels that a few hundred are more than a step takes. */
static void record_wide(
    struct desk *desk, struct record_stream *stream, int64_t *id, unsigned count)
{
        static struct level levels[WIDE];
        for (unsigned i = 0; i < count; i++) {
                for (unsigned k = 0; k < WIDE; k++)
                        levels[k] = (struct level){
                            1 + (int64_t)k * 3, 1 + (int64_t)(chance_next(&desk->chance) >> 14)};
                desk->now_ns += 100 * NS_PER_MS;
                ++*id;
                struct event event = {.event_time_ns = desk->now_ns,
                    .receive_time_ns = desk->now_ns,
                    .first_id = *id,
                    .last_id = *id,
                    .count = {WIDE, 0},
                    .levels = {levels, levels}};
                assert_int_equal(record_event(stream, &event), 0);
        }
}

static void record_begin_wide(struct desk *desk, struct record_stream *stream)
{
        struct level best[2] = {{1, 1}, {100000, 1}};
        struct image image = {.id = 10,
            .receive_time_ns = desk->now_ns,
            .count = {1, 1},
            .levels = {&best[0], &best[1]}};
        assert_int_equal(record_image(stream, &image), 0);
}

/* How many positions of the stream are sealed, or there. */
static uint64_t next_of(struct store *store, unsigned index)
{
        struct reader reader = reader_must(store);
        const struct recon_stream *stream = find_stream(&reader, index);
        uint64_t next = stream && stream->recorded ? stream->mark.next_position : 0;
        reader_close(&reader);
        return next;
}

static void all_that_is_final_is_there_when_it_says_so(void **state)
{
        (void)state;
        struct desk desk;
        struct store *source = front_new(memory_store("source", 71));
        struct store *target = memory_store("copy", 71);
        int64_t ids[BOOKS] = {10, 10};
        desk_begin(&desk, 71, source);
        desk_open(&desk);
        for (unsigned i = 0; i < BOOKS; i++)
                record_begin_wide(&desk, desk.feeds[i].stream);
        record_wide(&desk, desk.feeds[0].stream, &ids[0], 150); /* the first day, of one alone */
        desk.now_ns = day_start_ns(day_of_time(desk.now_ns) + 1) + NS_PER_S;
        for (unsigned i = 0; i < BOOKS; i++)
                record_wide(&desk, desk.feeds[i].stream, &ids[i], 120);
        recorder_tick(desk.recorder, desk.now_ns);
        struct follow *follow = follow_new(source, target);
        unsigned steps = 1;
        for (; follow_must(follow); steps++)
                assert_true(follow_stats(follow)->bytes_behind > 0);
        assert_true(steps > 3);
        for (unsigned i = 0; i < BOOKS; i++) /* an event a frame: all but the last one are sealed */
                assert_true(next_of(target, i) + 5 >= next_of(source, i));
        assert_whole(source, target);
        desk_close(&desk);
        follow_all(follow);
        assert_same_store(source, target);
        follow_close(follow);
        target->ops->close(target);
        desk_end(&desk);
}

/* ---- what it says of itself ---- */

static void what_is_behind_is_counted(void **state)
{
        (void)state;
        struct desk desk;
        struct store *source = front_new(memory_store("source", 81));
        struct store *target = memory_store("copy", 81);
        desk_begin(&desk, 81, source);
        int64_t begin_ns = desk.now_ns;
        desk_open(&desk);
        struct follow *follow = follow_new(source, target);
        uint64_t events = 0;
        for (unsigned i = 0; i < 30; i++) {
                desk_steps(&desk, 10);
                if (i == 10) /* a day of which there is an image alone */
                        recorder_tick(desk.recorder,
                            desk.now_ns =
                                day_start_ns(day_of_time(desk.now_ns) + 1) + 130 * NS_PER_S);
                follow_all(follow);
                const struct follow_stats *stats = follow_stats(follow);
                assert_in_range(stats->behind_ns, 0, desk.now_ns - begin_ns + 10 * NS_PER_S);
                events = 0;
                struct reader reader = reader_must(source), copy = reader_must(target);
                for (unsigned k = 0; k < STREAMS; k++) {
                        const struct recon_stream *there = find_stream(&reader, k);
                        const struct recon_stream *here = find_stream(&copy, k);
                        events += there ? there->mark.events : 0;
                        events -= here ? here->mark.events : 0;
                }
                assert_int_equal(stats->events_behind, events);
                reader_close(&reader);
                reader_close(&copy);
        }
        desk_close(&desk);
        follow_all(follow);
        assert_int_equal(follow_stats(follow)->events_behind, 0);
        assert_int_equal(follow_stats(follow)->bytes_behind, 0);
        assert_int_equal(follow_stats(follow)->behind_ns, 0);
        assert_int_equal(follow_stats(follow)->damaged, 0);
        follow_close(follow);
        target->ops->close(target);
        desk_end(&desk);
}

/* Stopped in order, taken up again, and only then looked at. */
static void a_part_is_never_told_to_have_ended_in_order(void **state)
{
        (void)state;
        struct desk desk;
        struct store *source = front_new(memory_store("source", 91));
        struct store *target = memory_store("copy", 91);
        desk_begin(&desk, 91, source);
        desk.now_ns -= 3600 * NS_PER_S;
        desk_open(&desk);
        desk_steps(&desk, 150);
        desk_close(&desk);
        struct follow *follow = follow_new(source, target);
        follow_all(follow);
        assert_same_store(source, target);
        desk_open(&desk);
        desk_steps(&desk, 400);
        follow_all(follow);
        struct reader reader = reader_must(target);
        for (unsigned i = 0; i < STREAMS; i++)
                assert_false(find_stream(&reader, i)->mark.clean);
        reader_close(&reader);
        desk_close(&desk);
        follow_all(follow);
        assert_same_store(source, target);
        follow_close(follow);
        target->ops->close(target);
        desk_end(&desk);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_copy_is_whole_at_any_time_and_the_same_in_the_end),
            TEST(a_store_on_disk_is_followed_into_another_one),
            cmocka_unit_test(a_day_that_ends_while_it_is_read_is_copied_to_its_end),
            cmocka_unit_test(all_that_is_final_is_there_when_it_says_so),
            cmocka_unit_test(what_is_behind_is_counted),
            cmocka_unit_test(a_part_is_never_told_to_have_ended_in_order),
        };
        const struct CMUnitTest in_database[] = {
            IN_DATABASE(a_database_takes_a_copy),
        };
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        if (has_database())
                failed += cmocka_run_group_tests(in_database, NULL, NULL);
        return failed;
}
