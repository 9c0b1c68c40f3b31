/* Repairs: an image of the exchange that comes to a living book is stored as what it changes there.
 */
#include "tests/unit/record_help.h"

/* An image at hand, to be changed by the test. */
struct sent_image {
        struct image image;
        struct level levels[SIDES][128];
};

static void sent_make(struct sent_image *sent, const struct book *book, const struct feed *feed)
{
        sent->image = (struct image){.id = book->id, .receive_time_ns = feed->now_ns};
        for (enum side s = 0; s < SIDES; s++) {
                assert_true(book_count(book, s) < 100);
                sent->image.count[s] = (uint32_t)book_count(book, s);
                book_levels(book, s, sent->levels[s]);
                sent->image.levels[s] = sent->levels[s];
        }
}

/* On each side: the second level gone, the third one changed, one more at the end. */
static void sent_change(struct sent_image *sent)
{
        for (enum side s = 0; s < SIDES; s++) {
                struct level *levels = sent->levels[s];
                uint32_t count = sent->image.count[s];
                assert_true(count > 4);
                levels[2].quantity++;
                memmove(levels + 1, levels + 2, (count - 2) * sizeof(*levels));
                levels[count - 1] = (struct level){s == SIDE_BID ? 900 : 1100, 77};
        }
}

/* What the record holds, frame for frame. */
struct found {
        size_t count[FRAME_KINDS], bytes[FRAME_KINDS];
        struct frame_info info;    /* of the last image or repair */
        struct event event;        /* of the last repair */
        struct level levels[256];  /* its levels ... */
        int64_t befores[256];      /* ... and what stood there */
        struct book before, after; /* the book before that image or repair, and after it */
};

static void found_deinit(struct found *found)
{
        book_deinit(&found->before);
        book_deinit(&found->after);
}

static void find_repair(struct found *found, const struct event *event, const int64_t *befores)
{
        size_t count = event_level_count(event);
        assert_true(count <= 256);
        found->event = *event;
        if (count) {
                memcpy(found->levels, event->levels[SIDE_BID], count * sizeof(struct level));
                memcpy(found->befores, befores, count * sizeof(int64_t));
        }
}

static void find_frame(struct found *found, struct decoder *decoder, struct book *book,
    const struct frame_cursor *cursor)
{
        struct frame_info info;
        struct event event;
        assert_int_equal(decoder_open(decoder, cursor->frame, &info), 0);
        found->count[info.kind]++;
        found->bytes[info.kind] += cursor->frame.size;
        if (frame_is_image(&info)) {
                found->info = info;
                book_copy(&found->before, book);
        }
        if (info.kind == FRAME_IMAGE)
                assert_int_equal(decoder_image(decoder, book), 0);
        for (uint32_t i = 0; info.kind != FRAME_IMAGE && i < info.events; i++) {
                assert_int_equal(decoder_next(decoder, book, &event), 1);
                if (info.kind == FRAME_REPAIR)
                        find_repair(found, &event, decoder_befores(decoder));
        }
        if (frame_is_image(&info))
                book_copy(&found->after, book);
}

static struct found find_frames(const struct feed *feed)
{
        struct found found = {0};
        struct frame_cursor cursor;
        struct decoder decoder;
        struct book book;
        struct reader reader = reader_must(feed->store);
        decoder_init(&decoder);
        book_init(&book);
        book_init(&found.before);
        book_init(&found.after);
        int code = frame_seek(&cursor, &reader, stream_must(&reader), 0, 0, false);
        for (; !code; code = frame_next(&cursor))
                find_frame(&found, &decoder, &book, &cursor);
        assert_int_equal(code, ERR_NOT_FOUND);
        frame_done(&cursor);
        book_deinit(&book);
        decoder_deinit(&decoder);
        reader_close(&reader);
        return found;
}

static void assert_same_levels(const struct book *book, const struct image *image)
{
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0};
                struct level level;
                assert_int_equal(book_count(book, s), image->count[s]);
                for (uint32_t i = 0; i < image->count[s]; i++) {
                        assert_true(book_next(book, s, &cursor, &level));
                        assert_int_equal(level.price, image->levels[s][i].price);
                        assert_int_equal(level.quantity, image->levels[s][i].quantity);
                }
        }
}

/* The record's own figures of itself, and its laws. */
static void assert_repaired(
    const struct feed *feed, const struct found *found, size_t images, uint32_t differences)
{
        struct reader reader = reader_must(feed->store);
        const struct mark_record *mark = &stream_must(&reader)->mark;
        assert_int_equal(mark->images, images);
        assert_int_equal(mark->events, feed->events);
        assert_int_equal(mark->level_updates, feed->level_updates);
        assert_int_equal(mark->image_bytes, found->bytes[FRAME_IMAGE]);
        assert_int_equal(mark->change_bytes,
            found->bytes[FRAME_CHANGES] + found->bytes[FRAME_HEADLESS] +
                found->bytes[FRAME_REPAIR]);
        assert_all_moments(feed, &reader);
        reader_close(&reader);
        struct coverage coverage = cover_store(feed->store);
        assert_int_equal(coverage.corrections, differences);
        gap_list_deinit(&coverage.gaps);
        assert_sound(feed, 0);
}

/* A living book of some events, about to be corrected. */
static void repair_begin(struct feed *feed, uint64_t seed, const char *path)
{
        feed_begin(feed, seed, feed_store(&store_memory, path));
        feed->options.image_min_ns = NS_PER_DAY / 4;
        feed_open(feed);
        feed_bridge(feed, 0, 2);
        for (unsigned i = 0; i < 40; i++)
                feed_event(feed);
        record_tail_begin(feed->stream);
}

static void a_correction_stores_the_levels_that_differ_and_no_others(void **state)
{
        (void)state;
        struct feed feed;
        struct sent_image before, sent;
        uint32_t differences = 0;
        repair_begin(&feed, 71, "repair");
        sent_make(&before, record_book(feed.stream), &feed);
        sent_make(&sent, record_book(feed.stream), &feed);
        sent_change(&sent);
        assert_int_equal(record_correct(feed.stream, &sent.image, &differences), 0);
        assert_int_equal(differences, 6);
        assert_same_levels(record_book(feed.stream), &sent.image);
        for (unsigned i = 0; i < 30; i++)
                feed_event(&feed);
        feed_close(&feed);
        struct found found = find_frames(&feed);
        assert_int_equal(found.count[FRAME_IMAGE], 1);
        assert_int_equal(found.count[FRAME_REPAIR], 1);
        assert_int_equal(found.info.kind, FRAME_REPAIR);
        assert_int_equal(found.info.corrections, 6);
        assert_int_equal(found.info.level_updates, 6);
        assert_same_levels(&found.before, &before.image);
        assert_same_levels(&found.after, &sent.image);
        const struct level *level = found.levels;
        const int64_t *stood = found.befores;
        for (enum side s = 0; s < SIDES; s++, level += 3, stood += 3) {
                const struct level *old = before.levels[s];
                assert_int_equal(found.event.count[s], 3);
                assert_int_equal(level[0].price, old[1].price);
                assert_int_equal(level[0].quantity, 0);
                assert_int_equal(stood[0], old[1].quantity);
                assert_int_equal(level[1].price, old[2].price);
                assert_int_equal(level[1].quantity, old[2].quantity + 1);
                assert_int_equal(stood[1], old[2].quantity);
                assert_int_equal(level[2].price, s == SIDE_BID ? 900 : 1100);
                assert_int_equal(level[2].quantity, 77);
                assert_int_equal(stood[2], 0);
        }
        assert_repaired(&feed, &found, 1, 6);
        found_deinit(&found);
        feed_end(&feed);
}

/* The image is older than the book: the events since carry it forward. */
static void a_late_image_repairs_what_is_wrong_now(void **state)
{
        (void)state;
        struct feed feed;
        struct sent_image sent;
        struct book carried;
        uint32_t differences = 0, differ = 0;
        repair_begin(&feed, 72, "late");
        sent_make(&sent, record_book(feed.stream), &feed);
        sent_change(&sent);
        book_init(&carried);
        assert_int_equal(book_set_image(&carried, &sent.image), 0);
        for (unsigned i = 0; i < 4; i++) {
                feed_event(&feed);
                assert_int_equal(book_apply(&carried, &feed.event), 0);
        }
        struct sent_image before;
        sent_make(&before, record_book(feed.stream), &feed);
        assert_int_equal(record_correct(feed.stream, &sent.image, &differences), 0);
        feed_event(&feed);
        feed_close(&feed);
        struct found found = find_frames(&feed);
        assert_int_equal(found.info.kind, FRAME_REPAIR);
        assert_same_levels(&found.before, &before.image);
        sent_make(&sent, &carried, &feed);
        assert_same_levels(&found.after, &sent.image);
        for (uint32_t i = 0; i < event_level_count(&found.event); i++)
                differ += found.levels[i].quantity != found.befores[i];
        assert_true(differ > 0);
        assert_int_equal(differ, found.info.level_updates);
        assert_int_equal(differ, differences);
        assert_repaired(&feed, &found, 1, differences);
        found_deinit(&found);
        book_deinit(&carried);
        feed_end(&feed);
}

static void an_equal_image_is_told_by_an_empty_repair(void **state)
{
        (void)state;
        struct feed feed;
        struct sent_image sent;
        uint32_t differences = 9;
        repair_begin(&feed, 73, "equal");
        sent_make(&sent, record_book(feed.stream), &feed);
        assert_int_equal(record_correct(feed.stream, &sent.image, &differences), 0);
        assert_int_equal(differences, 0);
        feed_event(&feed);
        feed_close(&feed);
        struct found found = find_frames(&feed);
        assert_int_equal(found.count[FRAME_REPAIR], 1);
        assert_int_equal(found.info.level_updates, 0);
        assert_int_equal(event_level_count(&found.event), 0);
        assert_true(found.info.flags & FRAME_SYNC);
        assert_repaired(&feed, &found, 1, 0);
        found_deinit(&found);
        feed_end(&feed);
}

/* Levels beyond what the image tells of go, but they are no errors; its horizon is the book's. */
static void a_shorter_image_takes_what_lies_beyond_it(void **state)
{
        (void)state;
        struct feed feed;
        struct sent_image sent;
        uint32_t differences = 9;
        repair_begin(&feed, 74, "shorter");
        sent_make(&sent, record_book(feed.stream), &feed);
        sent.image.count[SIDE_ASK] -= 2;
        sent.image.bounded[SIDE_ASK] = true;
        assert_int_equal(record_correct(feed.stream, &sent.image, &differences), 0);
        assert_int_equal(differences, 0);
        assert_true(record_book(feed.stream)->bounded[SIDE_ASK]);
        feed_close(&feed);
        struct found found = find_frames(&feed);
        int64_t horizon = sent.levels[SIDE_ASK][sent.image.count[SIDE_ASK] - 1].price;
        assert_int_equal(found.count[FRAME_REPAIR], 1);
        assert_int_equal(found.info.level_updates, 2);
        assert_true(found.info.flags & FRAME_BOUNDED_ASK);
        assert_false(found.info.flags & FRAME_BOUNDED_BID);
        assert_int_equal(found.info.horizon[SIDE_ASK], horizon);
        assert_same_levels(&found.after, &sent.image);
        assert_repaired(&feed, &found, 1, 0);
        found_deinit(&found);
        feed_end(&feed);
}

static void another_book_altogether_is_stored_whole(void **state)
{
        (void)state;
        struct feed feed;
        struct sent_image sent;
        uint32_t differences = 0;
        repair_begin(&feed, 75, "whole");
        sent_make(&sent, record_book(feed.stream), &feed);
        uint32_t before = sent.image.count[SIDE_BID] + sent.image.count[SIDE_ASK];
        for (enum side s = 0; s < SIDES; s++) {
                sent.image.count[s] = 5;
                for (uint32_t i = 0; i < 5; i++)
                        sent.levels[s][i] = (struct level){
                            s == SIDE_BID ? 900 - (int64_t)i : 1100 + (int64_t)i, 40 + i};
        }
        assert_int_equal(record_correct(feed.stream, &sent.image, &differences), 0);
        assert_int_equal(differences, before + 10);
        for (unsigned i = 0; i < 10; i++)
                feed_event(&feed);
        feed_close(&feed);
        struct found found = find_frames(&feed);
        assert_int_equal(found.count[FRAME_IMAGE], 2);
        assert_int_equal(found.count[FRAME_REPAIR], 0);
        assert_int_equal(
            found.info.flags & (FRAME_SYNC | FRAME_CORRECTION), FRAME_SYNC | FRAME_CORRECTION);
        assert_int_equal(found.info.level_updates, 10);
        assert_int_equal(found.info.corrections, differences);
        assert_same_levels(&found.after, &sent.image);
        assert_repaired(&feed, &found, 2, differences);
        found_deinit(&found);
        feed_end(&feed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_correction_stores_the_levels_that_differ_and_no_others),
            cmocka_unit_test(a_late_image_repairs_what_is_wrong_now),
            cmocka_unit_test(an_equal_image_is_told_by_an_empty_repair),
            cmocka_unit_test(a_shorter_image_takes_what_lies_beyond_it),
            cmocka_unit_test(another_book_altogether_is_stored_whole),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
