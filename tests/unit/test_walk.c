/* Walks through a book against a sorted array: whatever a walk does, both hold the same levels and
 * stand at the same place, and the chunks of the book stay in order. */
#include "book/walk.h"
#include "tests/unit/help.h"

/* One side as it must be: keys ascend from the best. */
struct model {
        struct level *levels; /* their keys in place of the prices */
        size_t count, capacity;
};

struct scene {
        struct chance chance;
        struct book book;
        enum side side;
        struct model model;
        struct book_walk walk;
        size_t at; /* index of the level that the walk stands before */
        bool has_previous;
        int64_t previous_key;
};

/* ---- the model ---- */

static size_t model_find(const struct model *model, int64_t key)
{
        size_t low = 0, high = model->count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (model->levels[middle].price < key)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static void model_insert(struct model *model, size_t at, int64_t key, int64_t quantity)
{
        if (model->count == model->capacity) {
                model->capacity = model->capacity ? 2 * model->capacity : 64;
                model->levels =
                    memory_resize(model->levels, model->capacity * sizeof(*model->levels));
        }
        memmove(model->levels + at + 1, model->levels + at,
            (model->count - at) * sizeof(*model->levels));
        model->levels[at] = (struct level){key, quantity};
        model->count++;
}

static void model_remove(struct model *model, size_t at)
{
        model->count--;
        memmove(model->levels + at, model->levels + at + 1,
            (model->count - at) * sizeof(*model->levels));
}

/* ---- what always holds of a side ---- */

/* Its levels are those of the model from @at on; returns how many they are. */
static size_t check_chunk(const struct scene *scene, size_t i, size_t at)
{
        const struct book_side *side = &scene->book.sides[scene->side];
        const struct book_chunk *chunk = side->chunks[i];
        size_t count = 0;
        for (size_t slot = 0; slot < BOOK_SLOTS; slot++) {
                if (slot && chunk->keys[slot] < chunk->keys[slot - 1])
                        fail_msg("chunk %zu: the key of slot %zu descends", i, slot);
                if (!(chunk->live >> slot & 1))
                        continue;
                const struct level *level = &scene->model.levels[at + count++];
                assert_true(at + count <= scene->model.count);
                if (chunk->keys[slot] != level->price || chunk->quantities[slot] != level->quantity)
                        fail_msg("level %zu is another one", at + count - 1);
                assert_true(chunk->keys[slot] >= side->first_keys[i]);
        }
        assert_int_equal(side->counts[i], count);
        if (count)
                assert_true(!at || scene->model.levels[at - 1].price < side->first_keys[i]);
        else
                assert_int_equal(side->chunk_count, 1);
        return count;
}

static void check_side(const struct scene *scene)
{
        const struct book_side *side = &scene->book.sides[scene->side];
        size_t count = 0, in_group = 0;
        assert_true(side->chunk_count <= side->chunk_capacity);
        for (size_t i = 0; i < side->chunk_count; i++) {
                size_t in_chunk = check_chunk(scene, i, count);
                count += in_chunk;
                in_group += in_chunk;
                if (i % BOOK_GROUP == BOOK_GROUP - 1 || i + 1 == side->chunk_count) {
                        assert_int_equal(side->group_counts[i / BOOK_GROUP], in_group);
                        in_group = 0;
                }
        }
        assert_int_equal(count, scene->model.count);
        assert_int_equal(side->count, count);
}

static void check_walk(const struct scene *scene)
{
        const struct book_walk *walk = &scene->walk;
        assert_int_equal(walk->depth, scene->at);
        assert_int_equal(walk->has_previous, scene->has_previous);
        if (scene->has_previous)
                assert_int_equal(walk->previous_key, scene->previous_key);
        assert_int_equal(book_walk_at_end(walk), scene->at == scene->model.count);
        if (book_walk_at_end(walk))
                return;
        assert_int_equal(book_walk_key(walk), scene->model.levels[scene->at].price);
        assert_int_equal(book_walk_quantity(walk), scene->model.levels[scene->at].quantity);
}

/* ---- steps of a walk, done to both ---- */

static void scene_pass(struct scene *scene, int64_t key)
{
        scene->has_previous = true;
        scene->previous_key = key;
}

static void step_begin(struct scene *scene)
{
        book_walk_begin(&scene->walk, &scene->book, scene->side);
        scene->at = 0;
        scene->has_previous = false;
}

static void step_skip(struct scene *scene, size_t count)
{
        assert_true(book_walk_skip(&scene->walk, count));
        scene->at += count;
        if (count)
                scene_pass(scene, scene->model.levels[scene->at - 1].price);
}

static void step_to(struct scene *scene, int64_t key)
{
        size_t to = model_find(&scene->model, key), before = scene->at;
        assert_true(to >= before);
        assert_int_equal(book_walk_to(&scene->walk, key), to - before);
        scene->at = to;
        if (to > before)
                scene_pass(scene, scene->model.levels[to - 1].price);
}

static void step_set(struct scene *scene, int64_t quantity)
{
        struct level *level = &scene->model.levels[scene->at++];
        level->quantity = quantity;
        scene_pass(scene, level->price);
        book_walk_set(&scene->walk, quantity);
}

static void step_remove(struct scene *scene)
{
        scene_pass(scene, scene->model.levels[scene->at].price);
        model_remove(&scene->model, scene->at);
        book_walk_remove(&scene->walk);
}

static void step_insert(struct scene *scene, int64_t key, int64_t quantity)
{
        model_insert(&scene->model, scene->at++, key, quantity);
        scene_pass(scene, key);
        book_walk_insert(&scene->walk, key, quantity);
}

static void step_note(struct scene *scene, int64_t key)
{
        scene_pass(scene, key);
        book_walk_note(&scene->walk, key);
}

/* Dead slots are given back: there are never far more chunks than levels need. */
static void step_end(struct scene *scene)
{
        const struct book_side *side = scene->walk.side;
        book_walk_end(&scene->walk);
        check_side(scene);
        assert_true(side->chunk_count <= 4 + side->count / 16);
}

/* ---- scenes ---- */

static void scene_begin(struct scene *scene, uint64_t seed, enum side side)
{
        *scene = (struct scene){.chance = {seed}, .side = side};
        book_init(&scene->book);
}

static void scene_end(struct scene *scene)
{
        book_deinit(&scene->book);
        free(scene->model.levels);
}

static int64_t any_quantity(struct scene *scene)
{
        int64_t quantity = chance_int64(&scene->chance);
        return quantity ? quantity : 1;
}

/* @count levels @spacing apart: from end to end in one walk, so that all chunks are full, or one by
 * one in no order. */
static void scene_fill(struct scene *scene, size_t count, int64_t spacing, bool in_order)
{
        enum side s = scene->side;
        struct model *model = &scene->model;
        int64_t first = -(int64_t)(count / 2) * spacing;
        for (size_t i = 0; i < count; i++)
                model_insert(model, i, first + (int64_t)i * spacing, any_quantity(scene));
        step_begin(scene);
        for (size_t i = 0; i < count; i++) {
                const struct level *level = &model->levels[in_order ? i : i * 49999 % count];
                if (in_order)
                        book_walk_insert(&scene->walk, level->price, level->quantity);
                else
                        book_set(&scene->book, s, book_key(s, level->price), level->quantity);
        }
        if (in_order)
                book_walk_end(&scene->walk);
        check_side(scene);
}

/* A key that is behind all that was passed and before the next level, or false: none is free. */
static bool free_key(struct scene *scene, int64_t *ret_key)
{
        const struct model *model = &scene->model;
        bool at_end = scene->at == model->count;
        int64_t low = scene->has_previous ? scene->previous_key : INT64_MIN;
        int64_t high = at_end ? INT64_MAX : model->levels[scene->at].price;
        if (scene->has_previous && low == INT64_MAX)
                return false;
        low += scene->has_previous;
        if (!at_end && high == INT64_MIN)
                return false;
        high -= !at_end;
        if (low > high)
                return false;
        uint64_t room = (uint64_t)high - (uint64_t)low;
        uint64_t near = room < 3 ? room : 3, far = chance_next(&scene->chance);
        switch (chance_below(&scene->chance, 8)) {
        case 0:
                *ret_key = (int64_t)((uint64_t)low + (room == UINT64_MAX ? far : far % (room + 1)));
                break;
        case 1:
        case 2:
        case 3:
                *ret_key = (int64_t)((uint64_t)high - far % (near + 1));
                break;
        default:
                *ret_key = (int64_t)((uint64_t)low + far % (near + 1));
        }
        return true;
}

static size_t any_skip(struct scene *scene)
{
        size_t left = scene->model.count - scene->at;
        size_t wide = chance_one_in(&scene->chance, 4) ? left : 70;
        return chance_below(&scene->chance, (left < wide ? left : wide) + 1);
}

/* To a level ahead, beside one, or beyond the last. */
static void step_to_any(struct scene *scene)
{
        const struct model *model = &scene->model;
        size_t ahead = any_skip(scene);
        int64_t key = INT64_MAX;
        if (scene->has_previous && scene->previous_key == INT64_MAX)
                return;
        if (scene->at + ahead < model->count) {
                key = model->levels[scene->at + ahead].price;
                key = chance_one_in(&scene->chance, 2) && key < INT64_MAX ? key + 1 : key;
        } else {
                free_key(scene, &key);
        }
        step_to(scene, key);
}

enum mood {
        MOOD_MIXED,
        MOOD_GROW,
        MOOD_SHRINK,
        MOODS,
};

static void step_any(struct scene *scene, enum mood mood)
{
        bool at_end = scene->at == scene->model.count;
        uint64_t dice = chance_below(&scene->chance, 10);
        int64_t key;
        if (mood == MOOD_SHRINK && !at_end && dice < 7)
                step_remove(scene);
        else if (dice == 0)
                step_skip(scene, any_skip(scene));
        else if (dice == 1)
                step_to_any(scene);
        else if (dice == 2 && !at_end)
                step_set(scene, any_quantity(scene));
        else if (dice == 3 && free_key(scene, &key))
                step_note(scene, key);
        else if (dice < 6 && mood == MOOD_MIXED && !at_end)
                step_remove(scene);
        else if (free_key(scene, &key))
                step_insert(scene, key, any_quantity(scene));
}

/* @every: the whole side is looked at after so many steps. */
static void scene_walk(struct scene *scene, enum mood mood, unsigned steps, unsigned every)
{
        step_begin(scene);
        check_walk(scene);
        if (scene->model.count && chance_one_in(&scene->chance, 2))
                step_skip(scene, chance_below(&scene->chance, scene->model.count + 1));
        for (unsigned i = 0; i < steps; i++) {
                step_any(scene, mood);
                check_walk(scene);
                if (i % every == 0)
                        check_side(scene);
        }
        step_end(scene);
}

static void walks_of_chance(size_t count, unsigned walks, unsigned steps, unsigned every)
{
        for (unsigned seed = 0; seed < 8; seed++) {
                struct scene scene;
                scene_begin(&scene, seed + 1, seed % SIDES);
                scene_fill(&scene, count, seed & 2 ? 1 : 3, seed & 4);
                for (unsigned i = 0; i < walks; i++)
                        scene_walk(&scene, (enum mood)chance_below(&scene.chance, MOODS),
                            1 + (unsigned)chance_below(&scene.chance, steps), every);
                scene_end(&scene);
        }
}

static void any_walk_through_a_small_book_is_as_through_an_array(void **state)
{
        (void)state;
        static const size_t counts[] = {0, 1, 2, 63, 64, 65, 129};
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
                walks_of_chance(counts[i], 60, 100, 1);
}

static void any_walk_through_a_book_of_thousands_is_as_through_an_array(void **state)
{
        (void)state;
        walks_of_chance(5000, 20, 200, 40);
}

static void any_walk_through_the_largest_books_is_as_through_an_array(void **state)
{
        (void)state;
        walks_of_chance(70000, 4, 400, 400);
}

/* Every chunk of a full book splits, those at the ends of a group too. */
static void a_level_put_into_any_full_chunk_splits_it(void **state)
{
        (void)state;
        for (enum side s = 0; s < SIDES; s++) {
                for (size_t at = 0; at < 70 * BOOK_SLOTS; at += 101) {
                        struct scene scene;
                        scene_begin(&scene, at, s);
                        scene_fill(&scene, 70 * BOOK_SLOTS, 2, true);
                        step_begin(&scene);
                        step_skip(&scene, at);
                        step_insert(&scene, scene.model.levels[at].price - 1, 5);
                        check_walk(&scene);
                        check_side(&scene);
                        for (size_t i = at + 1; i < scene.model.count; i += 1000)
                                step_skip(&scene, i - scene.at);
                        check_walk(&scene);
                        step_end(&scene);
                        scene_end(&scene);
                }
        }
}

static void skips_beyond_the_end_are_refused(void **state)
{
        (void)state;
        static const size_t counts[] = {0, 1, 64, 65, 5000};
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
                struct scene scene;
                size_t count = counts[i];
                scene_begin(&scene, 1, SIDE_ASK);
                scene_fill(&scene, count, 1, true);
                for (size_t from = 0; from <= count; from += 1 + count / 7) {
                        static const size_t more[] = {1, 2, 64, 1 << 20, SIZE_MAX / 2, SIZE_MAX};
                        for (size_t k = 0; k < sizeof(more) / sizeof(more[0]); k++) {
                                size_t rest = count - from;
                                step_begin(&scene);
                                step_skip(&scene, from);
                                assert_false(book_walk_skip(&scene.walk,
                                    more[k] > SIZE_MAX - rest ? SIZE_MAX : rest + more[k]));
                        }
                        step_begin(&scene);
                        step_skip(&scene, from);
                        step_skip(&scene, count - from);
                        check_walk(&scene);
                }
                check_side(&scene);
                scene_end(&scene);
        }
}

/* All levels of [from, to) go in one walk; the next one puts them back where they were. */
static void ranges_that_go_can_come_back(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 20; seed++) {
                struct scene scene;
                size_t count = 3000;
                scene_begin(&scene, seed, seed % SIDES);
                scene_fill(&scene, count, 1, seed & 2);
                size_t from = seed < 4 ? 0 : chance_below(&scene.chance, count);
                size_t to = seed < 2 ? count : from + chance_below(&scene.chance, count - from + 1);
                int64_t key = from < count ? scene.model.levels[from].price : 0;
                step_begin(&scene);
                step_skip(&scene, from);
                for (size_t i = from; i < to; i++) {
                        step_remove(&scene);
                        check_walk(&scene);
                }
                check_side(&scene);
                step_end(&scene);
                step_begin(&scene);
                step_to(&scene, key);
                for (size_t i = from; i < to; i++) {
                        step_insert(&scene, key + (int64_t)(i - from), any_quantity(&scene));
                        check_walk(&scene);
                }
                check_side(&scene);
                step_end(&scene);
                assert_int_equal(scene.model.count, count);
                scene_end(&scene);
        }
}

/* Every second level goes, one walk each; then nearly all the rest, in one. */
static void a_book_that_shrinks_gives_its_slots_back(void **state)
{
        (void)state;
        for (enum side s = 0; s < SIDES; s++) {
                struct scene scene;
                scene_begin(&scene, s, s);
                scene_fill(&scene, 6000, 3, s);
                while (scene.model.count > 3000) {
                        size_t at = chance_below(&scene.chance, scene.model.count);
                        int64_t price = book_key(s, scene.model.levels[at].price);
                        assert_int_equal(
                            book_set(&scene.book, s, price, 0), scene.model.levels[at].quantity);
                        model_remove(&scene.model, at);
                        const struct book_side *side = &scene.book.sides[s];
                        assert_true(side->chunk_count <= 4 + side->count / 16);
                }
                check_side(&scene);
                step_begin(&scene);
                while (scene.at < scene.model.count) {
                        if (scene.at < 40 && chance_one_in(&scene.chance, 70))
                                step_skip(&scene, 1);
                        else
                                step_remove(&scene);
                }
                step_end(&scene);
                assert_true(scene.model.count && scene.model.count < 41);
                scene_end(&scene);
        }
}

/* One of so many levels is left, spread over all chunks. */
static void a_book_thinned_out_gives_its_slots_back(void **state)
{
        (void)state;
        for (size_t kept = 2; kept < 40; kept++) {
                struct scene scene;
                scene_begin(&scene, kept, kept % SIDES);
                scene_fill(&scene, 100 * BOOK_SLOTS, 1, true);
                step_begin(&scene);
                for (size_t i = 0; i < 100 * BOOK_SLOTS; i++) {
                        if (i % kept == 0)
                                step_skip(&scene, 1);
                        else
                                step_remove(&scene);
                }
                step_end(&scene);
                scene_walk(&scene, MOOD_MIXED, 50, 10);
                scene_end(&scene);
        }
}

static void prices_at_the_ends_of_int64_are_prices(void **state)
{
        (void)state;
        static const int64_t ends[] = {
            INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
        enum {
                ENDS = sizeof(ends) / sizeof(ends[0])
        };
        for (enum side s = 0; s < SIDES; s++) {
                struct scene scene;
                scene_begin(&scene, s, s);
                for (unsigned round = 0; round < 6; round++) {
                        size_t more = round % 3 * 100;
                        step_begin(&scene);
                        for (size_t i = 0; i < ENDS; i++) {
                                step_to(&scene, ends[i]);
                                step_insert(&scene, ends[i], any_quantity(&scene));
                                check_walk(&scene);
                                for (size_t k = 0; i == 1 && k < more; k++)
                                        step_insert(&scene, ends[i] + 1 + (int64_t)k, 1);
                        }
                        step_end(&scene);
                        for (size_t i = 0; i < ENDS; i++)
                                assert_int_not_equal(
                                    book_quantity(&scene.book, s, book_key(s, ends[i])), 0);
                        step_begin(&scene);
                        for (size_t i = 0; i < ENDS; i++) {
                                step_to(&scene, ends[i]);
                                for (step_remove(&scene); i == 1 && more; more--)
                                        step_remove(&scene);
                                check_walk(&scene);
                        }
                        step_end(&scene);
                        assert_int_equal(book_count(&scene.book, s), 0);
                }
                scene_end(&scene);
        }
}

/* A walk belongs to its side: the other one stays as it was. */
static void the_other_side_is_left_alone(void **state)
{
        (void)state;
        struct scene scene;
        scene_begin(&scene, 9, SIDE_BID);
        for (int64_t price = 0; price < 500; price++)
                book_set(&scene.book, SIDE_ASK, price, price + 1);
        for (unsigned i = 0; i < 100; i++)
                scene_walk(&scene, MOOD_MIXED, 100, 10);
        struct book_cursor cursor = {0};
        struct level level;
        for (int64_t price = 0; price < 500; price++) {
                assert_true(book_next(&scene.book, SIDE_ASK, &cursor, &level));
                assert_int_equal(level.price, price);
                assert_int_equal(level.quantity, price + 1);
        }
        assert_int_equal(book_count(&scene.book, SIDE_ASK), 500);
        scene_end(&scene);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(any_walk_through_a_small_book_is_as_through_an_array),
            cmocka_unit_test(any_walk_through_a_book_of_thousands_is_as_through_an_array),
            cmocka_unit_test(any_walk_through_the_largest_books_is_as_through_an_array),
            cmocka_unit_test(a_level_put_into_any_full_chunk_splits_it),
            cmocka_unit_test(skips_beyond_the_end_are_refused),
            cmocka_unit_test(ranges_that_go_can_come_back),
            cmocka_unit_test(a_book_that_shrinks_gives_its_slots_back),
            cmocka_unit_test(a_book_thinned_out_gives_its_slots_back),
            cmocka_unit_test(prices_at_the_ends_of_int64_are_prices),
            cmocka_unit_test(the_other_side_is_left_alone),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
