"""Events as objects of JSON: in full, and as `obrebuild replay` and `trades` print them."""

from book import (
    ACTIVATE,
    AGGREGATE,
    CHANGE,
    DONE,
    HAS_FUNDS,
    HAS_OLD_PRICE,
    HAS_OLD_SIZE,
    HAS_OTHER,
    HAS_PRICE,
    HAS_SIZE,
    MATCH,
    MODIFIED,
    OPEN,
    OTHER,
    OTHER_PLAIN,
    SIDES,
)

TYPES = ["received", "open", "match", "done", "change", "activate", "other"]
REASONS = [
    None,
    *("limit", "market", "filled", "canceled", "STP", "modify_order", "entry", "loss"),
    "other",
]
HEAD = ["event_time_ns", "receive_time_ns", "first_id", "last_id"]


def tell_event(event):
    """All of it; the type, what a message says and the fills only where there are any."""
    told = {key: event[key] for key in [*HEAD, "flags"]}
    for side in SIDES:
        told[side] = [[*level[:2], *(part.hex() for part in level[2:])] for level in event[side]]
    if event["type"]:
        told["type"] = event["type"]
    if "order" in event:
        order = event["order"]
        told["order"] = {**order, "type": TYPES[order["type"]]}
        told["order"].update(id=order["id"].hex(), other=order["other"].hex())
    if "fills" in event:
        told["fills"] = event["fills"]
    return told


def replay_line(frame, event, book):
    line = {key: event[key] for key in HEAD}
    line["epoch"] = frame["epoch"]
    if "order" in event:
        line.update(message_fields(event["order"], book))
    for side in SIDES:
        line[side] = [book.texts(*level) for level in event[side]]
    line["digest"] = book.digest()
    return line


def book_line(event, book):
    """A whole book of orders behind an event."""
    sides = [[[*book.texts(*row[:2]), order_id(row[2])] for row in book.rows(s)] for s in (0, 1)]
    return {"last_id": event["last_id"], **dict(zip(SIDES, sides))}


def trade_line(event, book):
    line = {"id": event["last_id"], **{key: event[key] for key in HEAD[:2]}}
    [level] = event["bids"] or event["asks"]
    line["price"], line["quantity"] = book.texts(*level)
    line["taker_side"] = "sell" if event["bids"] else "buy"
    if event["type"] == AGGREGATE:
        line["first_trade"], line["last_trade"] = event["fills"]
    return line


def uuid(data, dashes=True):
    text = data.hex()
    parts = [text[:8], text[8:12], text[12:16], text[16:20], text[20:]]
    return "-".join(parts) if dashes else text


def order_id(data):
    number = 0 if any(data[:8]) else int.from_bytes(data, "big")
    return f"#{number}" if number else uuid(data)


def message_fields(m, book):
    """What was sent, named as the exchange names it."""
    what, has = m["type"], m["has"]
    line = {"type": TYPES[what]}
    if what == OTHER:
        return line
    line["side"] = ["buy", "sell"][m["side"]]
    if m["reason"]:
        line["reason"] = REASONS[m["reason"]]
    line["maker_order_id" if what == MATCH else "order_id"] = order_id(m["id"])
    if has & HAS_OTHER and what == MATCH:
        line["taker_order_id"] = order_id(m["other"])
    elif has & HAS_OTHER:
        line["client_oid"] = uuid(m["other"], not has & OTHER_PLAIN)
    if what == MATCH:
        line["trade_id"] = m["trade"]
    line.update(message_numbers(m, book))
    if has & HAS_FUNDS:
        line["new_funds" if what == CHANGE else "funds"] = m["funds"]
    return line


def message_numbers(m, book):
    what, has = m["type"], m["has"]
    price, size = "price", "size"
    if what == ACTIVATE:
        price = "stop_price"
    if what in (OPEN, DONE):
        size = "remaining_size"
    if what == CHANGE:
        price, size = "new_price" if m["reason"] == MODIFIED else "price", "new_size"
    names = ["price", "new_price", "old_price", "stop_price"]
    names += ["size", "remaining_size", "new_size", "old_size"]
    fields = [
        (price, m["price"], has & HAS_PRICE),
        ("old_price", m["old_price"], has & HAS_OLD_PRICE),
        (size, m["size"], has & HAS_SIZE),
        ("old_size", m["old_size"], has & HAS_OLD_SIZE),
    ]
    sent = {name: book.texts(value, value)["size" in name] for name, value, was in fields if was}
    return {name: sent[name] for name in names if name in sent}
