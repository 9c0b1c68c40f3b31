"""Method 2, "nibbles": schema/nibbles.md, on the heads and walks of tokens.py."""

import bisect
import itertools

import tokens
from tokens import CHANGE, INSERT, MISSING, REMOVE
from wire import need, wrap

COLUMNS, SYMBOLS, PLAIN, RAW = 20, 17, 18, 19
SHARES, STATE_MIN, WORDS = 1 << 15, 1 << 16, 1 << 64
LEVELS_MAX = 33_554_432  # of all events of a block
HASH = 0x9E3779B97F4A7C15
GOALS = [[i if i <= value else 32_752 + i for i in range(17)] for value in range(16)]
TABLES = {
    "skips": (2, 16, 6),
    "far skip": (),
    "kinds": (6, 3, 18),
    "standing kinds": (40, 6, 18),
    "lengths": (6, 30),
    "tops": (6, 30, 15),
    "modes": (2, 2, 6),
    "zeros": (4, 24),
    "sizes": (4, 16, 24),
    "digits": (16_384,),
    "near digits": (16_384,),
}


def length(number):
    return number.bit_length()


def bucket_of(number):
    number %= WORDS
    if number < 4:
        return number
    bits = length(number) - 2
    return 2 * (bits + 1) + (number >> bits & 1)


def hash_of(number):
    return number * HASH % WORDS


def index_of(hashed):
    return hashed % WORDS >> 50


def depth_class(count):
    return tokens.class_of(count, (1, 4, 16, 64, 256))


class Nibble:
    """What was learnt of the symbols in one place; `starts` has start(0) and start(16) too."""

    def __init__(self, slowest):
        self.starts, self.left, self.slowest = list(range(0, SHARES + 1, 2048)), 32_767, slowest

    def learn(self, value):
        pace = min(self.pace(), self.slowest)
        self.starts = [s + ((goal - s) >> pace) for s, goal in zip(self.starts, GOALS[value])]
        self.left -= self.left >> pace

    def pace(self):
        return min(7, 9 - length(self.left >> 8))


def mix(wide, close):
    half = [w + ((c - w) >> 1) for w, c in zip(wide.starts, close.starts)]
    if close.left >= 1024:
        return half
    return [h + ((c - h) >> 1) for h, c in zip(half, close.starts)]


class Columns(tokens.Columns):
    """As those of tokens.py, with the symbols in one of them."""

    count = COLUMNS

    def __init__(self, block):
        super().__init__(block)
        self.words, self.symbols, self.states = self.columns[SYMBOLS], 0, []
        if self.words.left():
            need(self.words.left() % 2 == 0, "half a word of symbols")
            self.states = [self.word(4), self.word(4)]
            need(min(self.states) >= STATE_MIN, "a state that is too small")

    def word(self, size):
        return int.from_bytes(self.words.take(size), "little")

    def symbol(self, starts):
        need(self.states, "a symbol where there is none")
        which = self.symbols % 2
        above, point = divmod(self.states[which], SHARES)
        value = bisect.bisect_right(starts, point) - 1
        x = (starts[value + 1] - starts[value]) * above + point - starts[value]
        self.states[which] = x << 16 | self.word(2) if x < STATE_MIN else x
        self.symbols += 1
        return value

    def check_end(self):
        super().check_end()
        need(set(self.states) <= {STATE_MIN}, "the symbols do not end as they began")


class Learnt:
    """All nibbles, each made when it is first used, and the last quantity of a price."""

    def __init__(self):
        self.nibbles, self.last = {}, [0] * 16_384

    def nibble(self, table, *index):
        place = (table, *index)
        if place not in self.nibbles:
            sizes = TABLES[table]
            assert len(index) == len(sizes) and all(0 <= i < n for i, n in zip(index, sizes))
            self.nibbles[place] = Nibble(5 if table.endswith("digits") else 7)
        return self.nibbles[place]

    def one(self, columns, *place):
        nibble = self.nibble(*place)
        value = columns.symbol(nibble.starts)
        nibble.learn(value)
        return value

    def two(self, columns, wide, close):
        wide, close = self.nibble(*wide), self.nibble(*close)
        value = columns.symbol(mix(wide, close))
        wide.learn(value)
        close.learn(value)
        return value


class Walk(tokens.Walk):
    """A side of an event, its levels told in symbols."""

    def __init__(self, columns, learnt, book, side):
        super().__init__(columns, None, book, side)
        self.learnt = learnt
        self.tick, self.lot = book.scale[3:]
        self.best = book.price(side, self.keys[0]) if self.keys else 0

    def one(self, *place):
        return self.learnt.one(self.columns, *place)

    def level(self, left):
        skip = self.skip(left)
        self.pass_levels(skip)
        what = self.what(skip)
        if what >= INSERT:
            return self.new(what)
        need(self.next() is not None, "a level behind the end of the side")
        price = self.book.price(self.side, self.next())
        quantity = self.book.quantity(self.side, price)
        if what == REMOVE:
            quantity = 0
        elif what == CHANGE:
            quantity = self.quantity(price, quantity)
        self.set(price, quantity)
        return [price, quantity]

    def skip(self, left):
        s = self.one("skips", self.side, min(bucket_of(left), 15), depth_class(self.depth))
        if s < 15:
            return self.columns.value(s)
        bits = self.one("far skip") + 7
        return (1 << bits) + self.columns.raw(bits)

    def what(self, skip):
        depth, gap = depth_class(self.depth), self.gap()
        what = self.learnt.two(
            self.columns,
            ("kinds", depth, tokens.class_of(skip, (1, 4)), gap),
            ("standing kinds", self.standing(), depth, gap),
        )
        need(what < 15, "a level that is told by 15")
        return what

    def gap(self):
        if self.previous is None:
            return 0
        if self.next() is None:
            return 1
        between = self.next() - self.previous
        if between <= self.tick:
            return 2
        return min(17, 3 + length(between) - length(self.tick))

    def standing(self):
        if self.next() is None:
            return 0
        quantity = self.book.quantity(self.side, self.book.price(self.side, self.next()))
        return min(39, 1 + max(0, bucket_of(quantity) - bucket_of(self.lot)))

    def new(self, what):
        """A level that is put before `next`, or a price removed that is not there."""
        price = self.price(what - (INSERT if what < MISSING else MISSING))
        key = self.book.key(self.side, price)
        following = self.next()
        need(self.previous is None or self.previous < key, "a price not behind the one before")
        need(following is None or key < following, "a price not before the next")
        if self.previous is not None and following is None:
            self.spacing = (3 * self.spacing + key - self.previous) % WORDS // 4
        quantity = 0
        if what < MISSING:
            quantity = self.quantity(price, None)
            need(quantity, "an inserted quantity of 0")
        self.set(price, quantity)
        return [price, quantity]

    # ---- prices ----

    def price(self, price_class):
        self.price_class = price_class
        return super().price(price_class)

    def distant_price(self, unit):
        m = self.distance(self.gap_class(unit))
        if m is None:
            return wrap(self.columns.raw(64))
        from_key = self.next() if self.previous is None else self.previous
        base = 0 if from_key is None else self.book.price(self.side, from_key)
        up = from_key is None or (self.previous is not None) == (self.side == 1)
        floor, minus_ceil = base // unit, -base // unit
        n = m
        if self.price_class > 2:
            phase = (floor if up else minus_ceil) % 10
            n = (m + (m + phase) % WORDS // 9) % WORDS
        return wrap((floor + n + 1) * unit if up else (-minus_ceil - n - 1) * unit)

    def gap_class(self, unit):
        if self.previous is None:
            return 0
        between = self.spacing if self.next() is None else self.next() - self.previous
        return min(29, 2 + bucket_of(between // unit))

    def distance(self, gap):
        """The number m; None if the price itself follows."""
        s = self.one("lengths", self.price_class, gap)
        if s < 2:
            return s
        if s < 15:
            bits = min(3, s - 1)
            top = self.one("tops", self.price_class, gap, s)
            need(top < 1 << bits, "the top of a distance is too large")
            rest = s - 1 - bits
            return (1 << (s - 1)) + (top << rest) + self.columns.raw(rest)
        size = self.columns.raw(7)
        need(size <= 64 or size == 127, "a distance of more than 64 digits")
        return None if size == 127 else self.columns.raw(size)

    # ---- quantities ----

    def quantity(self, price, before):
        """The quantity of a change, `before` being what stood there, or of an insert."""
        at = index_of(hash_of(price))
        last = self.learnt.last[at]
        change = int(before is not None)
        mode = self.one("modes", change, int(last != 0), depth_class(self.depth))
        need(mode < (4 if change else 2), "a mode that is none")
        quantity = last
        if mode:
            v = self.number(change * mode, price)
            quantity = v if mode == 1 else wrap(before + v if mode == 2 else before - v)
        self.learnt.last[at] = quantity
        return quantity

    def number(self, source, price):
        away = abs(wrap(price - self.best))
        away = min(23, max(0, length(away) + 1 - length(self.tick)))
        z = self.one("zeros", source, away)
        c = self.one("sizes", source, z, away)
        known, w = 256 + 16 * z + c, 0
        for _ in range(c + 1):
            d = self.digit(known, away)
            known, w = 16 * known + d, 16 * w + d
        return wrap(w * 10**z if z < 15 else w)

    def digit(self, known, away):
        h = hash_of(known)
        h = hash_of(h ^ (h >> 32))
        near = h + hash_of(away * 2 + self.side + 1)
        return self.learnt.two(
            self.columns, ("digits", index_of(h)), ("near digits", index_of(near))
        )


class Nibbles:
    """What is carried from block to block is what was learnt, and the book."""

    def __init__(self, scale):
        del scale
        self.learnt = Learnt()

    def events(self, block, frame, book):
        """Each event of the block, applied to the book."""
        columns = Columns(block)
        heads = tokens.Heads(columns, frame)
        total = 0
        while columns.more():
            bits, counts, event = heads.event()
            total += sum(counts)
            need(total <= LEVELS_MAX, "more levels than a block may have")
            for side, name in enumerate(("bids", "asks")):
                book.check_room(side, counts[side])
                event[name] = self.side(columns, counts[side], book, side, bits)
            yield event
        columns.check_end()

    def side(self, columns, count, book, side, bits):
        if bits & 4:
            return plain_levels(columns, count, book, side)
        walk = Walk(columns, self.learnt, book, side)
        levels = [walk.level(left) for left in range(count, 0, -1)]
        return levels[::-1] if bits >> side & 1 else levels


def plain_levels(columns, count, book, side):
    steps = [(columns.signed(PLAIN), columns.signed(PLAIN)) for _ in range(count)]
    prices = itertools.accumulate((step for step, _ in steps), lambda a, b: wrap(a + b))
    levels = [[price, quantity] for price, (_, quantity) in zip(prices, steps)]
    for price, quantity in levels:
        book.set(side, price, quantity)
    return levels
