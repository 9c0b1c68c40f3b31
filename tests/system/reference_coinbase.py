"""Levels and trades of Coinbase, and trades of Binance, from the messages as they came.

Written from the exchanges' documentation alone. Here too are the readers of the captures, and the
question whether a tape of trades and a book can both be true."""

import bisect
import decimal
import gzip
import json
import pathlib
import subprocess

from reference import MASK, digest_level
from reference_orders import SIDES, Orders, number, parse_time, shortest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OTHER = {"buy": "sell", "sell": "buy"}
ROW = "exchange symbol id event_time_ns receive_time_ns price quantity taker_side".split()

# ---- captures ----


def find_capture(name):
    """A bundled file, or one in a folder of captures beside the checkout; None without it."""
    for folder in [ROOT / "tests", *sorted(ROOT.parent.iterdir())]:
        if (folder / "data" / name).exists():
            return folder / "data" / name
    return None


def lines_of(path):
    path = pathlib.Path(path)
    if path.suffix == ".zst":
        text = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
        yield from text.decode().splitlines()
    else:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            yield from (line.rstrip("\n") for line in file)


def nanoseconds(seconds):
    """Of a text or a Decimal of seconds, exactly."""
    return int(decimal.Decimal(seconds).scaleb(9))


def read_f1(path):
    """(receive time, message): nanoseconds before it."""
    for line in lines_of(path):
        receive_ns, _, text = line.partition(" ")
        yield int(receive_ns), json.loads(text)


def read_f2(path):
    """(receive time, message): seconds before it. What was sent or fetched is left out."""
    for line in lines_of(path):
        seconds, _, text = line.partition(": ")
        if seconds.replace(".", "", 1).isdigit() and text.startswith("{"):
            yield nanoseconds(seconds), json.loads(text)


def read_f3(path):
    """(receive time, message): an object a line, the message a text in it."""
    for line in lines_of(path):
        record = json.loads(line, parse_float=decimal.Decimal)
        if record["t"] == "recv":
            yield nanoseconds(record["ts"]), json.loads(record["data"])


def read_f4(path):
    """(receive time, message): local time before it, five hours behind UTC, milliseconds."""
    for line in lines_of(path):
        date, clock, text = line.split(" ", 2)
        local_ns = parse_time(f"{date}T{clock.replace(',', '.')}Z")
        yield local_ns + 5 * 3600 * 10**9, json.loads(text)


def read_full(path):
    """(image, messages) of a capture whose image was written as orders without a time."""
    image, messages = {"bids": [], "asks": []}, []
    for receive_ns, message in read_f4(path):
        if message["time"]:
            messages.append((receive_ns, message))
            continue
        image["sequence"] = message["sequence"]
        row = [message["price"], message["remaining_size"], message["order_id"]]
        image["bids" if message["side"] == "buy" else "asks"].append(row)
    return image, messages


# ---- books by price ----


class Levels:
    """A book by price. Prices are compared by value; quantities replace each other."""

    def __init__(self, bids=(), asks=()):
        self.sides = {"b": {}, "a": {}}
        self.sorted = {"b": [], "a": []}  # prices, ascending
        self.digest = 0
        self.unknown = 0  # deletions of levels that were not there
        self.apply(bids, asks)

    def apply(self, bids, asks):
        for side, levels in (("b", bids), ("a", asks)):
            for price, quantity, *_ in levels:
                self.set(side, number(price), number(quantity))

    def set(self, side, price, quantity):
        levels = self.sides[side]
        before = levels.pop(price, None)
        place = bisect.bisect_left(self.sorted[side], price)
        if before is not None:
            self.digest -= digest_level(side, shortest(price), shortest(before))
            if not quantity:
                del self.sorted[side][place]
        elif not quantity:
            self.unknown += 1
        else:
            self.sorted[side].insert(place, price)
        if quantity:
            levels[price] = quantity
            self.digest += digest_level(side, shortest(price), shortest(quantity))
        self.digest &= MASK

    def best(self, side):
        prices = self.sorted[side]
        return prices[-1 if side == "b" else 0] if prices else None

    def is_crossed(self):
        bid, ask = self.best("b"), self.best("a")
        return bid is not None and ask is not None and bid >= ask

    def book(self):
        """[price, quantity], best first, shortest texts."""
        return {
            "bids": [self.row("b", price) for price in reversed(self.sorted["b"])],
            "asks": [self.row("a", price) for price in self.sorted["a"]],
        }

    def row(self, side, price):
        return [shortest(price), shortest(self.sides[side][price])]


def sound(levels):
    """[price, quantity] in shortest texts, in their order; what is no number is left out."""
    for price, quantity in levels:
        try:
            yield [shortest(number(price)), shortest(number(quantity))]
        except ValueError:
            pass


def event_of(symbol, image, time_ns, receive_ns, levels):
    """@levels: (side, price, quantity) as they came."""
    sides = {"b": [], "a": []}
    for side, price, quantity in levels:
        sides[SIDES[side]].append([price, quantity])
    event = {
        "symbol": symbol,
        "image": image,
        "event_time_ns": receive_ns if time_ns is None else time_ns,
        "receive_time_ns": receive_ns,
        "bids": list(sound(sides["b"])),
        "asks": list(sound(sides["a"])),
    }
    event["odd"] = len(levels) - len(event["bids"]) - len(event["asks"])
    return event


def exchange_event(receive_ns, message):
    """Of `level2` and `level2_batch`."""
    if message["type"] == "snapshot":
        levels = [("buy", *level) for level in message["bids"]]
        levels += [("sell", *level) for level in message["asks"]]
    else:
        levels = [tuple(change) for change in message["changes"]]
    time_ns = parse_time(message.get("time"))
    return event_of(
        message["product_id"], message["type"] == "snapshot", time_ns, receive_ns, levels
    )


def advanced_event(receive_ns, event):
    """Of `l2_data`: the newest of the times of its changes."""
    times = [parse_time(update.get("event_time")) for update in event["updates"]]
    return event_of(
        event["product_id"],
        event["type"] == "snapshot",
        max((time_ns for time_ns in times if time_ns is not None), default=None),
        receive_ns,
        [
            (update["side"], update["price_level"], update["new_quantity"])
            for update in event["updates"]
        ],
    )


def level_events(receive_ns, message):
    """The events by price in a message of either feed: none, one, or several."""
    if message.get("type") in {"snapshot", "l2update"}:
        yield exchange_event(receive_ns, message)
    elif message.get("channel") == "l2_data":
        for event in message["events"]:
            yield advanced_event(receive_ns, event)


class Books:
    """The books of all products of a feed. An image replaces; what comes before one is dropped."""

    def __init__(self):
        self.books = {}
        self.dropped = 0

    def take(self, receive_ns, message):
        """(event, book after it) for each; the book goes on changing."""
        for event in level_events(receive_ns, message):
            symbol = event["symbol"]
            if event["image"]:
                self.books[symbol] = Levels(event["bids"], event["asks"])
            elif symbol in self.books:
                self.books[symbol].apply(event["bids"], event["asks"])
            else:
                self.dropped += 1
                continue
            yield event, self.books[symbol]


# ---- trades ----


def row_of(trade):
    """What `obrebuild trades` prints of it."""
    return {key: trade[key] for key in ROW}


def coinbase_trade(receive_ns, message):
    """`side` is the maker's, in both feeds; `last_match` is a match of before."""
    time_ns = parse_time(message.get("time"))
    return {
        "exchange": "coinbase",
        "symbol": message["product_id"],
        "id": int(message["trade_id"]),
        "event_time_ns": receive_ns if time_ns is None else time_ns,
        "receive_time_ns": receive_ns,
        "price": shortest(number(message["price"])),
        "quantity": shortest(number(message["size"])),
        "taker_side": OTHER[message["side"].lower()],
        "maker_order_id": message.get("maker_order_id"),
        "sequence": message.get("sequence"),
    }


def binance_trade(receive_ns, data):
    """`m`: the buyer was the maker. Digits are the wire's."""
    number(data["p"]), number(data["q"])
    unit = 1000 if data["T"] >= 10**15 else 10**6
    return {
        "exchange": "binance",
        "symbol": data["s"],
        "id": data["t" if data["e"] == "trade" else "a"],
        "event_time_ns": data["T"] * unit,
        "receive_time_ns": receive_ns,
        "price": data["p"],
        "quantity": data["q"],
        "taker_side": "sell" if data["m"] else "buy",
    }


def trades_of(receive_ns, message):
    """The trades in a message, whatever the exchange, by their numbers: batches of `market_trades`
    come newest first."""
    message = message.get("data", message)
    if message.get("type") in {"match", "last_match"}:
        yield coinbase_trade(receive_ns, message)
    elif message.get("channel") == "market_trades":
        trades = [trade for event in message["events"] for trade in event["trades"]]
        for trade in sorted(trades, key=lambda trade: int(trade["trade_id"])):
            yield coinbase_trade(receive_ns, trade)
    elif message.get("e") in {"trade", "aggTrade"}:
        yield binance_trade(receive_ns, message)


def tape(messages):
    """Every trade of (receive time, message) pairs, each number of a symbol once, as they came."""
    seen, found = set(), []
    for receive_ns, message in messages:
        for trade in trades_of(receive_ns, message):
            if (trade["symbol"], trade["id"]) not in seen:
                seen.add((trade["symbol"], trade["id"]))
                found.append(trade)
    return found


# ---- trades against the book ----

# An event's time can be a little past a trade's that only the next event shows.
SETTLED_NS = 100 * 10**6


def contradictions(trades, book_events):
    """The trades that the book contradicts; what the events do not span is not judged.

    @book_events begins with an image. Messages of `full` follow: a trade is true if its match took
    from an order that rested there, on the other side, with that id and no less. Or events by price
    follow, with `event_time_ns`, `bids` and `asks`: somebody must have stood at its price, between
    the best prices around its time, or at a level that the events around it name."""
    image, *events = book_events
    if events and "type" in events[0]:
        return contradicted_by_orders(trades, image, events)
    return contradicted_by_levels(trades, image, events)


def contradicted_by_orders(trades, image, messages):
    orders, matches = Orders(image), {}
    for message in messages:
        if message["type"] == "match" and message.get("sequence") == orders.sequence + 1:
            maker = orders.orders.get(message["maker_order_id"])
            resting = maker and (maker.side, maker.price, maker.size)
            matches[message["trade_id"]] = (message["maker_order_id"], resting)
        orders.apply(message)
    times = [parse_time(message.get("time")) for message in messages]
    times = [time_ns for time_ns in times if time_ns is not None] or [0]
    return [
        trade
        for trade in trades
        if (trade["id"] in matches or min(times) <= trade["event_time_ns"] <= max(times))
        and not took_from_the_book(trade, matches)
    ]


def took_from_the_book(trade, matches):
    order_id, resting = matches.get(trade["id"], (None, None))
    if not resting or trade.get("maker_order_id") not in {None, order_id}:
        return False
    side, price, size = resting
    return (
        price == number(trade["price"])
        and size >= number(trade["quantity"])
        and side == {"buy": "a", "sell": "b"}[trade["taker_side"]]
    )


def contradicted_by_levels(trades, image, events):
    book = Levels(image["bids"], image["asks"])
    times, bests = [], [(book.best("b"), book.best("a"))]
    for event in events:
        book.apply(event["bids"], event["asks"])
        times.append(max(event["event_time_ns"], times[-1] if times else 0))
        bests.append((book.best("b"), book.best("a")))
    found = []
    for trade in trades:
        at_ns = trade["event_time_ns"]
        if not times or at_ns < times[0] or at_ns + SETTLED_NS > times[-1]:
            continue
        begin = bisect.bisect_left(times, at_ns)
        end = bisect.bisect_left(times, at_ns + SETTLED_NS) + 1
        if is_outside(trade, bests[begin : end + 1]) and not is_named(trade, events[begin:end]):
            found.append(trade)
    return found


def is_outside(trade, bests):
    """Did the best prices never leave room for it? What a taker buys stood above the bids."""
    bids = [bid for bid, _ in bests if bid is not None]
    asks = [ask for _, ask in bests if ask is not None]
    price = number(trade["price"])
    if trade["taker_side"] == "buy":
        return bool(bids and price <= min(bids)) or bool(asks and price > max(asks))
    return bool(bids and price < min(bids)) or bool(asks and price >= max(asks))


def is_named(trade, events):
    """Did the level that it took from change? Prices can go far and be back within an event."""
    maker, price = {"buy": "asks", "sell": "bids"}[trade["taker_side"]], number(trade["price"])
    return any(number(level[0]) == price for event in events for level in event[maker])
