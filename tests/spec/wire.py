"""Numbers and fields as schema/frame.md writes them, and how a value is refused."""

I64_MIN, I64_MAX = -(1 << 63), (1 << 63) - 1
LEVELS_MAX = ORDERS_MAX = 1 << 19
UNITS = [1_000_000, 1_000, 1]  # of times, in ns


class Damage(Exception):
    pass


class Newer(Damage):
    pass


def need(condition, what):
    if not condition:
        raise Damage(what)


def wrap(value):
    return (value - I64_MIN) % (1 << 64) + I64_MIN


def divide(a, n):
    return a // n if a >= 0 else -(-a // n)


def fits(value):
    need(I64_MIN <= value <= I64_MAX, "a product leaves 64 bits")
    return value


def unzigzag(value):
    return value >> 1 if value % 2 == 0 else -(value >> 1) - 1


def write_varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


class Reader:
    """Bytes, read from begin to end."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, size):
        need(size <= self.left(), "it ends early")
        self.at += size
        return self.data[self.at - size : self.at]

    def rest(self):
        return self.take(self.left())

    def byte(self, count=256):
        value = self.take(1)[0]
        need(value < count, "a byte is out of range")
        return value

    def flag(self):
        return bool(self.byte(2))

    def varint(self, limit=1 << 64):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                need(value < 1 << 64 and value < limit, "a number is out of range")
                return value
        raise Damage("a number of more than ten bytes")

    def signed(self):
        return unzigzag(self.varint())

    def text(self, size_max):
        data = self.take(self.varint(size_max + 1))
        need(0 not in data, "a text holds NUL")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise Damage("a text is not UTF-8") from error


class Bits:
    """A run of bits, the lowest of each byte first."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        need(count <= 8 * len(self.data) - self.at, "its bits end early")
        begin, end = self.at, self.at + count
        self.at = end
        window = int.from_bytes(self.data[begin // 8 : (end + 7) // 8], "little")
        return (window >> begin % 8) & ((1 << count) - 1)

    def bytes_used(self):
        return (self.at + 7) // 8
