#include "audit/compare.h"

/* How far, by keys, a side may be compared. */
static int64_t reach_of(const struct book *ours, const struct book *theirs, enum side side)
{
        int64_t reach = INT64_MAX;
        const struct book *books[] = {ours, theirs};
        for (size_t i = 0; i < 2; i++) {
                int64_t key = book_key(side, books[i]->horizon[side]);
                if (books[i]->bounded[side] && key < reach)
                        reach = key;
        }
        return reach;
}

static bool is_excepted(const struct event *except, enum side side, int64_t price)
{
        for (uint32_t i = 0; except && i < except->count[side]; i++) {
                if (except->levels[side][i].price == price)
                        return true;
        }
        return false;
}

static void judge(struct comparison *comparison, const struct event *except, enum side side,
    int64_t price, int64_t ours, int64_t theirs)
{
        if (is_excepted(except, side, price))
                return;
        comparison->compared++;
        if (ours == theirs)
                return;
        comparison->wrong++;
        if (comparison->shown < COMPARE_SHOWN)
                comparison->first[comparison->shown++] =
                    (struct difference){side, price, ours, theirs};
}

static void compare_side(const struct book *ours, const struct book *theirs, enum side side,
    const struct event *except, struct comparison *comparison)
{
        int64_t reach = reach_of(ours, theirs, side);
        struct book_cursor a = {0}, b = {0};
        struct level own, other;
        bool has_own = book_next(ours, side, &a, &own);
        bool has_other = book_next(theirs, side, &b, &other);
        while (has_own || has_other) {
                int64_t own_key = has_own ? book_key(side, own.price) : INT64_MAX;
                int64_t other_key = has_other ? book_key(side, other.price) : INT64_MAX;
                int64_t key = own_key < other_key ? own_key : other_key;
                bool take_own = has_own && own_key == key;
                bool take_other = has_other && other_key == key;
                if (key > reach)
                        break;
                judge(comparison, except, side, book_key(side, key), take_own ? own.quantity : 0,
                    take_other ? other.quantity : 0);
                if (take_own)
                        has_own = book_next(ours, side, &a, &own);
                if (take_other)
                        has_other = book_next(theirs, side, &b, &other);
        }
}

int compare_books(const struct book *ours, const struct image *image, const struct event *except,
    struct comparison *ret_comparison)
{
        struct comparison comparison = {0};
        struct book theirs;
        book_init(&theirs);
        int code = book_set_image(&theirs, image);
        for (enum side s = 0; s < SIDES && !code; s++)
                compare_side(ours, &theirs, s, except, &comparison);
        book_deinit(&theirs);
        if (!code)
                *ret_comparison = comparison;
        return code;
}
