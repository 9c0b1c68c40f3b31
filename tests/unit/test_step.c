/* The wall clock steps: the record vouches for no moment that nobody has seen. */
#include "tests/unit/record_help.h"

/* Twenty events, a step, and a sign of life a second later; how far the record then reaches behind
 * its last event. */
static int64_t reach_after(unsigned number, int64_t step_ns)
{
        static struct feed feed;
        char path[32];
        snprintf(path, sizeof(path), "step-%u", number);
        feed_begin(&feed, 5, feed_store(&store_memory, path));
        feed_open(&feed);
        feed_bridge(&feed, 2, 2);
        for (unsigned i = 0; i < 20; i++)
                feed_event(&feed);
        feed.now_ns += step_ns + NS_PER_S;
        recorder_note_clock_step(feed.recorder, feed.now_ns, step_ns);
        record_alive(feed.stream, feed.now_ns);
        recorder_tick(feed.recorder, feed.now_ns);
        feed_close(&feed);
        struct reader reader = reader_must(feed.store);
        const struct mark_record *mark = &stream_must(&reader)->mark;
        int64_t reach_ns = mark->recorded_until_ns - mark->running_max_ns;
        reader_close(&reader);
        feed_end(&feed);
        return reach_ns;
}

static void a_step_is_no_silence(void **state)
{
        (void)state;
        assert_true(reach_after(0, NS_PER_DAY) <= NS_PER_S);
        assert_true(reach_after(1, 5 * NS_PER_S) <= NS_PER_S);
        assert_true(reach_after(2, -7 * NS_PER_S) <= NS_PER_S);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_step_is_no_silence),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
