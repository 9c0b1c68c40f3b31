/* The grid over several records: each stretch of it by the record that it is taken from. Where a
 * piece begins or ends an event of one record may be earlier than another one's last: there each
 * point is looked for by itself. */
#include "recon/merge.h"

struct grid {
        struct merge *merge;
        struct sample_options options;
        merge_point_cb point_cb;
        void *user;
        struct error *error;
        int64_t back_ns; /* so far around a joint */
        size_t source;   /* of the points that are told now */
        int64_t at_ns;   /* the next point */
};

static int tell_point(const struct sample_point *point, void *user)
{
        struct grid *grid = user;
        if (__builtin_add_overflow(point->at_ns, grid->options.every_ns, &grid->at_ns))
                grid->at_ns = INT64_MAX;
        return grid->point_cb(point, grid->source, grid->user);
}

/* The points from here on and below @to_ns, by one record. */
static int sample_source(struct grid *grid, size_t index, int64_t to_ns)
{
        const struct merge_source *source = &grid->merge->sources[index];
        struct sample_options options = grid->options;
        options.from_ns = grid->at_ns;
        options.to_ns = to_ns;
        grid->source = index;
        return recon_sample(
            source->reader, source->stream, &options, tell_point, grid, grid->error);
}

/* The best level of one side, and how much lies in the best ones. */
static bool count_side(
    const struct book *book, enum side side, size_t levels, struct sample_side *ret_side)
{
        struct book_cursor cursor = {0};
        struct level level;
        *ret_side = (struct sample_side){0};
        for (size_t i = 0; i < levels && book_next(book, side, &cursor, &level); i++) {
                if (!i)
                        *ret_side = (struct sample_side){.has_best = true, .best = level};
                if (__builtin_add_overflow(ret_side->depth, level.quantity, &ret_side->depth))
                        return false;
        }
        return true;
}

static int tell_book(struct grid *grid, const struct recon_book *book)
{
        const struct stream_name *name = &grid->merge->name;
        struct sample_point point = {.at_ns = book->at_ns,
            .status = book->status,
            .event_time_ns = book->event_time_ns,
            .scale = book->scale};
        for (enum side s = 0; s < SIDES && book->status == STATUS_OK; s++) {
                if (!count_side(&book->book, s, grid->options.depth, &point.sides[s]))
                        return error_set(grid->error, ERR_RANGE,
                            "%s:%s: the depth of %zu levels is too large a number", name->exchange,
                            name->symbol, grid->options.depth);
        }
        return tell_point(&point, grid);
}

/* The next point, whoever has it. */
static int sample_one(struct grid *grid)
{
        struct recon_book book;
        recon_book_init(&book);
        int code = merge_book_at(
            grid->merge, grid->at_ns, grid->options.clock, &book, &grid->source, grid->error);
        if (!code)
                code = tell_book(grid, &book);
        recon_book_deinit(&book);
        return code;
}

/* The piece that the next point lies in, or the gap behind it. */
static const struct merge_piece *find_piece(const struct grid *grid)
{
        const struct merge *merge = grid->merge;
        size_t index = 0;
        while (index + 1 < merge->piece_count &&
            merge->pieces[index + 1].from_ns[grid->options.clock] <= grid->at_ns)
                index++;
        return &merge->pieces[index];
}

/* Does the next point lie between these times, or near to them? If not, and they lie ahead, the
 * points up to there do not either: @limit_ns comes down to it. */
static bool is_near(const struct grid *grid, int64_t from_ns, int64_t to_ns, int64_t *limit_ns)
{
        int64_t begin = merge_shift(from_ns, -grid->back_ns),
                end = merge_shift(to_ns, grid->back_ns);
        if (grid->at_ns >= begin && grid->at_ns <= end)
                return true;
        if (grid->at_ns < begin && begin < *limit_ns)
                *limit_ns = begin;
        return false;
}

static int sample_next(struct grid *grid)
{
        const struct merge *merge = grid->merge;
        const struct merge_piece *piece = find_piece(grid);
        enum recon_clock clock = grid->options.clock;
        int64_t limit = grid->options.to_ns;
        bool last = piece == &merge->pieces[merge->piece_count - 1];
        /* its record may begin with an event that came long after the joint */
        int64_t first_ns = merge->sources[piece->source].spans[piece->span].from_ns[clock];
        int64_t from_ns = piece->from_ns[clock];
        bool near = is_near(grid, from_ns, first_ns > from_ns ? first_ns : from_ns, &limit) |
            is_near(grid, piece->to_ns[clock], piece->to_ns[clock], &limit) |
            (!last && is_near(grid, piece[1].from_ns[clock], piece[1].from_ns[clock], &limit));
        return near ? sample_one(grid) : sample_source(grid, piece->source, limit);
}

/* One point, or all up to the next joint. Where the record is damaged others may have it. */
static int sample_some(struct grid *grid)
{
        struct merge *merge = grid->merge;
        struct error damage = {0};
        struct error *error = grid->error;
        if (!merge->piece_count)
                return sample_source(grid, 0, grid->options.to_ns);
        grid->error = &damage;
        int code = sample_next(grid);
        grid->error = error;
        if (code == ERR_CORRUPT && !merge->sources[grid->source].walked)
                return merge_walk(merge, grid->source, error);
        if (code == ERR_CORRUPT)
                return sample_one(grid);
        if (code && damage.code && error)
                *error = damage;
        return code;
}

/* Fill in what of the grid is not given. */
static void complete_grid(struct grid *grid)
{
        const struct merge *merge = grid->merge;
        struct sample_options *options = &grid->options;
        if (options->to_ns == INT64_MAX)
                options->to_ns = merge_end(merge, options->clock);
        if (options->from_ns != INT64_MIN)
                return;
        if (!merge->piece_count) {
                options->from_ns = options->to_ns;
                return;
        }
        int64_t first = merge->pieces[0].from_ns[options->clock];
        int64_t over = first % options->every_ns;
        options->from_ns = first - over;
        if (over > 0 &&
            __builtin_add_overflow(options->from_ns, options->every_ns, &options->from_ns))
                options->from_ns = INT64_MAX;
}

int merge_sample(struct merge *merge, const struct sample_options *options, merge_point_cb point_cb,
    void *user, struct error *error)
{
        struct grid grid = {.merge = merge,
            .options = *options,
            .point_cb = point_cb,
            .user = user,
            .error = error};
        if (merge->count == 1 || options->every_ns <= 0 || !options->depth) {
                grid.at_ns = options->from_ns;
                return sample_source(&grid, 0, options->to_ns);
        }
        int code = merge_prepare(merge, false, error);
        if (code)
                return code;
        complete_grid(&grid);
        grid.back_ns = options->clock == CLOCK_RECEIVE ? 0 : merge->fall_back_ns;
        grid.at_ns = grid.options.from_ns;
        while (!code && grid.at_ns < grid.options.to_ns)
                code = sample_some(&grid);
        return code;
}
