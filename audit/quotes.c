#include "audit/quotes.h"

#include <stdlib.h>

#define DIGITS 18
#define PRICE_MAX (((__int128)1) << 126)

static const struct quote unknown = {PRICE_MAX, -PRICE_MAX};

void quotes_init(struct quotes *quotes)
{
        *quotes = (struct quotes){0};
}

void quotes_deinit(struct quotes *quotes)
{
        free(quotes->quotes);
        quotes_init(quotes);
}

void quotes_begin(struct quotes *quotes, int64_t from_ns, int64_t to_ns)
{
        int64_t seconds = to_ns > from_ns ? to_ns / QUOTES_STEP_NS - from_ns / QUOTES_STEP_NS : 0;
        quotes_deinit(quotes);
        if (seconds >= QUOTES_MAX) {
                from_ns = to_ns - (QUOTES_MAX - 1) * QUOTES_STEP_NS;
                seconds = QUOTES_MAX - 1;
        }
        quotes->from_ns = from_ns / QUOTES_STEP_NS * QUOTES_STEP_NS;
        quotes->count = (size_t)seconds + 1;
        quotes->quotes = memory_new(quotes->count * sizeof(struct quote));
        for (size_t i = 0; i < quotes->count; i++)
                quotes->quotes[i] = unknown;
}

static __int128 price_widen(int64_t price, unsigned digits)
{
        __int128 wide = price;
        for (; digits < DIGITS; digits++)
                wide *= 10;
        return wide;
}

static void quote_widen(struct quote *quote, const struct quote *by)
{
        if (by->low < quote->low)
                quote->low = by->low;
        if (by->high > quote->high)
                quote->high = by->high;
}

/* The second of @time_ns; false outside. */
static bool find_second(const struct quotes *quotes, int64_t time_ns, size_t *ret_second)
{
        if (time_ns < quotes->from_ns)
                return false;
        uint64_t second = (uint64_t)(time_ns - quotes->from_ns) / QUOTES_STEP_NS;
        *ret_second = (size_t)second;
        return second < quotes->count;
}

static struct quote quote_of(const struct book *book, unsigned digits)
{
        struct quote quote = {-PRICE_MAX, PRICE_MAX}; /* an empty side forbids nothing */
        struct level best;
        if (book_best(book, SIDE_BID, &best))
                quote.low = price_widen(best.price, digits);
        if (book_best(book, SIDE_ASK, &best))
                quote.high = price_widen(best.price, digits);
        return quote;
}

/* What stood counts for each second up to this one, and what follows for this one as well. */
void quotes_take(
    struct quotes *quotes, int64_t time_ns, const struct book *book, unsigned price_digits)
{
        size_t second;
        bool inside = find_second(quotes, time_ns, &second);
        for (; inside && quotes->stands && quotes->next <= second; quotes->next++)
                quote_widen(&quotes->quotes[quotes->next], &quotes->now);
        quotes->now = quote_of(book, price_digits);
        quotes->stands = true;
        if (!inside)
                return;
        quote_widen(&quotes->quotes[second], &quotes->now);
        if (quotes->next <= second)
                quotes->next = second + 1;
}

void quotes_break(struct quotes *quotes)
{
        quotes->stands = false;
}

static __int128 size_of(__int128 price)
{
        return price < 0 ? -price : price;
}

enum quotes_verdict quotes_judge(
    const struct quotes *quotes, int64_t time_ns, int64_t price, unsigned price_digits)
{
        struct quote range = unknown;
        size_t second;
        if (!find_second(quotes, time_ns, &second))
                return QUOTES_UNKNOWN;
        if (quotes->quotes[second].low > quotes->quotes[second].high)
                return QUOTES_UNKNOWN;
        for (size_t i = second ? second - 1 : 0; i <= second + 1 && i < quotes->count; i++)
                quote_widen(&range, &quotes->quotes[i]);
        __int128 wide = price_widen(price, price_digits);
        bool outside = wide < range.low - size_of(range.low) / QUOTES_SLACK ||
            wide > range.high + size_of(range.high) / QUOTES_SLACK;
        return outside ? QUOTES_OUTSIDE : QUOTES_INSIDE;
}
