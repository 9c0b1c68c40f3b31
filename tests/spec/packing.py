"""How a frame's block is packed: not at all, as one zstd frame, or as columns with rANS."""

import ctypes

from wire import Bits, Reader, need, write_varint

BLOCK_MAX, COLUMNS_MAX = 32 << 20, 256
SLOTS, STATE_MIN = 4096, 1 << 16
ZSTD_MAGIC = bytes.fromhex("28b52ffd")

zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_getFrameContentSize.restype = ctypes.c_uint64
zstd.ZSTD_getFrameContentSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
for name in ("ZSTD_decompress", "ZSTD_findFrameCompressedSize"):
    getattr(zstd, name).restype = ctypes.c_size_t
zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t] * 2
zstd.ZSTD_findFrameCompressedSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def unpack(packing, packed, size):
    need(size <= BLOCK_MAX, "a block above the limit")
    block = [
        lambda: packed,
        lambda: unpack_zstd(packed, size),
        lambda: unpack_columns(packed, size),
    ]
    block = block[packing]()
    need(len(block) == size, "the block is not as long as the head says")
    return block


def unpack_zstd(packed, size):
    need(zstd.ZSTD_getFrameContentSize(packed, len(packed)) == size, "the content size is off")
    return decompress(packed, size)


def decompress(packed, size):
    need(
        zstd.ZSTD_findFrameCompressedSize(packed, len(packed)) == len(packed), "not one zstd frame"
    )
    room = ctypes.create_string_buffer(size + 1)
    need(zstd.ZSTD_decompress(room, size, packed, len(packed)) == size, "zstd refuses it")
    return room.raw[:size]


def unpack_columns(packed, size):
    r = Reader(packed)
    count = r.varint(COLUMNS_MAX + 1)
    bitmap = Bits(r.take((count + 7) // 8))
    sizes = [r.varint(size + 1) if bitmap.take(1) else 0 for _ in range(count)]
    head = b"".join(map(write_varint, [count, *sizes]))
    need(len(head) + sum(sizes) == size, "the columns are not as long as the head says")
    sizes = [column for column in sizes if column]
    groups = [head]
    while sizes:
        code = r.varint()
        columns, mode = code // 4 + 1, code % 4
        need(columns <= len(sizes), "a group of more columns than are left")
        groups.append(unpack_group(r, mode, sum(sizes[:columns])))
        sizes = sizes[columns:]
    need(not r.left(), "bytes behind the last group")
    return b"".join(groups)


def unpack_group(r, mode, size):
    if mode == 0:
        return r.take(size)
    if mode == 1:
        return r.take(1) * size
    packed = r.take(r.varint())
    return decompress(ZSTD_MAGIC + packed, size) if mode == 2 else unpack_rans(packed, size)


# ---- rANS ----


def read_table(bits):
    """The symbols in order, each with its weight."""
    symbol, weights = -1, {}
    for _ in range(bits.take(8) + 1):
        o = 0
        while not bits.take(1):
            o += 1
        symbol += (1 << o) + bits.take(o)
        need(symbol < 256, "a symbol above 255")
        p = bits.take(4)
        q = min(p, 3)
        weights[symbol] = ((1 << q) + bits.take(q)) << (p - q)
    need(len(weights) > 1, "fewer than two symbols")
    return weights


def share_slots(weights):
    total = sum(weights.values())
    frequency = {symbol: max(1, w * SLOTS // total) for symbol, w in weights.items()}
    first = max(weights, key=lambda symbol: (weights[symbol], -symbol))
    frequency[first] += SLOTS - sum(frequency.values())
    need(frequency[first] >= 1, "nothing is left for the most frequent symbol")
    return frequency


def unpack_rans(packed, size):
    bits = Bits(packed)
    frequency = share_slots(read_table(bits))
    owner, start = [], {}
    for symbol, slots in frequency.items():
        start[symbol] = len(owner)
        owner += [symbol] * slots
    r = Reader(packed[bits.bytes_used() :])
    number = lambda count: int.from_bytes(r.take(count), "little")
    states = [number(4), number(4)]
    out = bytearray()
    for i in range(size):
        x = states[i % 2]
        slot = x % SLOTS
        symbol = owner[slot]
        x = frequency[symbol] * (x // SLOTS) + slot - start[symbol]
        states[i % 2] = x << 16 | number(2) if x < STATE_MIN else x
        out.append(symbol)
    need(states == [STATE_MIN, STATE_MIN] and not r.left(), "the coder does not end as it began")
    return bytes(out)
