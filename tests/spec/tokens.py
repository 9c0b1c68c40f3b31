"""Method 1, "tokens": schema/tokens.md."""

from book import LEVELS
from wire import LEVELS_MAX, UNITS, Bits, Reader, divide, fits, need, unzigzag, wrap

COLUMNS, HEAD_RAW = 46, 16
LIST_MAX = 65_536
CLASS_TICKS = [1, 1, 1000, 100, 10, 1]
REMOVE, CHANGE, REPEAT, INSERT, MISSING = 0, 1, 2, 3, 9  # what a token says


def class_of(value, steps):
    return sum(value >= step for step in steps)


def count_class(count):
    return class_of(count, (4, 8, 16, 32))


class Columns:
    """The columns of a block, each read on its own; the last one is its run of bits."""

    count = COLUMNS

    def __init__(self, block):
        r = Reader(block)
        need(r.varint() == self.count, "another count of columns")
        sizes = [r.varint() for _ in range(self.count)]
        self.columns = [Reader(r.take(size)) for size in sizes]
        self.last = self.count - 1
        self.bits = {i: Bits(self.columns[i].data) for i in (HEAD_RAW, self.last)}
        need(not r.left(), "bytes behind the last column")

    def more(self):
        return self.columns[0].left()

    def byte(self, column, count=256):
        return self.columns[column].byte(count)

    def raw(self, count):
        return self.bits[self.last].take(count)

    def value(self, bucket, run=None):
        """The value whose bucket is known, its raw bits next in the run."""
        need(bucket < 128, "a bucket above 127")
        if bucket < 4:
            return bucket
        bits = bucket // 2 - 1
        return ((2 + bucket % 2) << bits) + self.bits[run or self.last].take(bits)

    def number(self, column):
        s = self.byte(column)
        return s if s < 128 else self.value(s - 114, HEAD_RAW if column < HEAD_RAW else self.last)

    def signed(self, column):
        return unzigzag(self.number(column))

    def check_end(self):
        for i, column in enumerate(self.columns):
            if i in self.bits:
                need(self.bits[i].bytes_used() == len(column.data), "raw bits are left")
            else:
                need(not column.left(), f"bytes are left in column {i}")


def step_time(time, step, unit):
    return fits(wrap(divide(time, UNITS[unit]) + step) * UNITS[unit])


class Heads:
    """Ids, times and counts of the events of one block."""

    def __init__(self, columns, frame):
        self.columns = columns
        self.last_id = wrap(frame["first_id"] - 1)
        self.event_time = frame["first_event_time_ns"]
        self.delay = wrap(frame["first_receive_time_ns"] - self.event_time)
        self.time_unit, self.delay_unit = 0, 1

    def event(self):
        """The head bits and counts of the next event, and the event without its levels."""
        c = self.columns
        bits = c.byte(0)
        if bits & 128:
            self.time_unit, self.delay_unit = divmod(c.byte(1, 9), 3)
        flags = c.number(1) if bits & 8 else 0
        need(flags < 1 << 32, "event flags of 2^32 or more")
        jump = c.signed(1) if bits & 16 else 0
        receive_time = self.times(bits)
        counts, more = self.counts(bits & 32)
        need(max(counts) <= LEVELS_MAX, "more levels than an event may have")
        first_id = wrap(self.last_id + 1 + jump)
        self.last_id = first_id if bits & 32 else wrap(first_id + sum(counts) + more - 1)
        event = {
            "event_time_ns": self.event_time,
            "receive_time_ns": receive_time,
            "first_id": first_id,
            "last_id": self.last_id,
            "flags": flags,
            "type": LEVELS,
        }
        return bits, counts, event

    def times(self, bits):
        """The receive time."""
        step = self.columns.number(2)
        self.event_time = step_time(self.event_time, -step if bits & 64 else step, self.time_unit)
        self.delay = step_time(self.delay, self.columns.signed(3), self.delay_unit)
        return wrap(self.event_time + self.delay)

    def counts(self, one_id):
        c = self.columns
        told = None if one_id else c.byte(4)
        if told is None or told == 3:
            bids = c.number(5)
            counts, more = [bids, c.number(6 + count_class(bids))], 3
        else:
            counts, more = [told // 32, told // 4 % 8], told % 4
        if not one_id and more == 3:
            more = c.signed(11 + count_class(sum(counts)))
        return counts, more


class List:
    """The quantities that were used, the often used ones in front."""

    def __init__(self, zeros=42, values=43):
        self.values, self.new_columns = [], (zeros, values)

    def use(self, rank):
        need(rank < len(self.values), "a rank that the list does not have")
        value = self.values[rank]
        to = 0 if rank == 0 else rank - 1 if rank <= 8 else rank // 2
        self.values[rank], self.values[to] = self.values[to], value
        return value

    def add(self, value):
        if len(self.values) < LIST_MAX:
            self.values.append(value)
            self.use(len(self.values) - 1)

    def quantity(self, columns, bucket):
        """What a bucket tells: a listed quantity, or 0 and a new one."""
        told = columns.value(bucket)
        if told:
            return self.use(told - 1)
        zeros, values = self.new_columns
        z = columns.byte(zeros, 20)
        value = wrap(columns.value(columns.byte(values)) * 10**z)
        self.add(value)
        return value


def digits(number):
    return number.bit_length()


class Walk:
    """A side of an event: from the best level of the book outward."""

    def __init__(self, columns, quantities, book, side):
        self.columns, self.quantities, self.book, self.side = columns, quantities, book, side
        self.keys = book.keys[side]  # the book's own, which ascend outward
        self.previous, self.depth, self.spacing = None, 0, 0

    def next(self):
        return self.keys[self.depth] if self.depth < len(self.keys) else None

    def pass_levels(self, count):
        need(count <= len(self.keys) - self.depth, "a skip of more levels than there are")
        self.depth += count
        if count:
            self.previous = self.keys[self.depth - 1]

    def level(self, left):
        """The next level of the side, this one and those behind it being `left`."""
        column = 17 + 2 * class_of(left, (2, 5, 12, 30)) + (self.depth >= 64)
        token = self.columns.byte(column, 240)
        self.pass_levels(self.skip(token // 15))
        what = token % 15
        if what >= INSERT:
            return self.new(what)
        need(self.next() is not None, "a level behind the end of the side")
        price = self.book.price(self.side, self.next())
        quantity = self.book.quantity(self.side, price)
        if what == REMOVE:
            quantity = 0
        elif what == CHANGE:
            quantity = self.change(quantity)
        self.set(price, quantity)
        return [price, quantity]

    def skip(self, bucket):
        if bucket < 15:
            return self.columns.value(bucket)
        n = self.columns.raw(6)
        return (1 << n) + self.columns.raw(n)

    def new(self, what):
        """A level that is put before `next`, or a price removed that is not there."""
        price = self.price(what - (INSERT if what < MISSING else MISSING))
        key = self.book.key(self.side, price)
        following = self.next()
        need(self.previous is None or self.previous < key, "a price not behind the one before")
        need(following is None or key < following, "a price not before the next")
        if self.previous is not None and following is None:
            self.spacing = (3 * self.spacing + key - self.previous) % (1 << 64) // 4
        quantity = 0
        if what < MISSING:
            quantity = self.quantities.quantity(self.columns, self.columns.byte(40))
            need(quantity, "an inserted quantity of 0")
        self.set(price, quantity)
        return [price, quantity]

    def change(self, quantity):
        bucket, mode = divmod(self.columns.byte(41), 4)
        need(mode < 3, "a mode of change that is none")
        value = self.quantities.quantity(self.columns, bucket)
        return wrap([value, quantity + value, quantity - value][mode])

    def set(self, price, quantity):
        """Set or remove the level and stand behind it."""
        self.book.set(self.side, price, quantity)
        self.previous = self.book.key(self.side, price)
        self.depth += quantity != 0

    def price(self, price_class):
        tick = self.book.scale[3]
        unit = tick * CLASS_TICKS[price_class]
        unit = unit if unit < 1 << 63 else tick
        if price_class == 0:
            need(self.previous is not None, "a price behind one that is not there")
            return self.book.price(self.side, wrap(self.previous + unit))
        if price_class == 1:
            need(self.next() is not None, "a price before one that is not there")
            return self.book.price(self.side, wrap(self.next() - unit))
        return self.distant_price(unit)

    def distant_price(self, unit):
        from_key = self.next() if self.previous is None else self.previous
        base = 0 if from_key is None else self.book.price(self.side, from_key)
        outward = self.previous is not None
        up = from_key is None or outward == (self.side == 1)
        bucket = self.columns.byte(27 + self.gap_class(unit))
        if bucket >= 128:
            return wrap(self.columns.raw(64))
        n = self.columns.value(bucket)
        if up:
            return wrap((base // unit + n + 1) * unit)
        return wrap((-(-base // unit) - n - 1) * unit)

    def gap_class(self, unit):
        if self.previous is None:
            return 12
        between = self.spacing if self.next() is None else self.next() - self.previous
        return max(0, min(11, digits(between) - digits(unit)))


class Tokens:
    """What is carried from block to block is the list, and the book."""

    def __init__(self, scale):
        del scale
        self.quantities = List()

    def events(self, block, frame, book):
        """Each event of the block, applied to the book."""
        columns = Columns(block)
        heads = Heads(columns, frame)
        while columns.more():
            bits, counts, event = heads.event()
            for side, name in enumerate(("bids", "asks")):
                book.check_room(side, counts[side])
                if bits & 4:
                    event[name] = self.plain_levels(columns, counts[side], book, side)
                else:
                    walk = Walk(columns, self.quantities, book, side)
                    levels = [walk.level(left) for left in range(counts[side], 0, -1)]
                    event[name] = levels[::-1] if bits >> side & 1 else levels
            yield event
        columns.check_end()

    def plain_levels(self, columns, count, book, side):
        price, levels = 0, []
        for _ in range(count):
            price = wrap(price + columns.signed(44))
            levels.append([price, columns.signed(44)])
            book.set(side, *levels[-1])
        return levels
