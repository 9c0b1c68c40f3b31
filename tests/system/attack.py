"""Attacks a logger's port: many connections of every bad kind, for some seconds.

  attack.py PORT CONNECTIONS SECONDS KEY

Says as one JSON object how often each kind came, and how many were let in."""

import asyncio
import collections
import hashlib
import hmac
import itertools
import json
import os
import ssl
import socket
import struct
import sys
import time

HEAD_START_S = 0.5  # of those who know the key: wrong keys shut the door to all who come later
counts = collections.Counter()


def client_hello():
    """The bytes with which a client would begin TLS."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        peer.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def trusting():
    """Takes any certificate: one for all, or making it would be most of the work."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


HELLO, TRUSTING = client_hello(), trusting()


async def read_away(reader):
    while await reader.read(65536):
        pass


async def be_silent(reader, _writer):
    await read_away(reader)


async def send_garbage(_reader, writer):
    while True:
        writer.write(os.urandom(2048))
        await writer.drain()
        await asyncio.sleep(0.001)


async def begin_tls_only(reader, writer):
    writer.write(HELLO[: len(HELLO) // 2])
    await read_away(reader)


async def try_wrong_key(reader, writer):
    await reader.readline()
    writer.write(json.dumps({"proof": os.urandom(32).hex()}).encode() + b"\n")
    await read_away(reader)


async def flood_lines(_reader, writer):
    lines = b'{"command":"status"}\n' * 200
    while True:
        writer.write(lines)
        await writer.drain()
        await asyncio.sleep(0.001)


async def go_away(_reader, writer):
    """With a reset, so that nothing is left behind on either side."""
    at_once = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)


async def prove_and_flood(reader, writer):
    """Who knows the key asks without an end and reads nothing but what lets him in."""
    nonce = json.loads(await reader.readline())["nonce"]
    message = b"oblogger control 1 " + nonce.encode()
    proof = hmac.new(sys.argv[4].encode(), message, hashlib.sha256).hexdigest()
    writer.write(json.dumps({"proof": proof}).encode() + b"\n")
    assert json.loads(await reader.readline()) == {"end": 0}
    counts["let in"] += 1
    await flood_lines(reader, writer)


KINDS = {  # each with TLS or without
    be_silent: False,
    send_garbage: False,
    begin_tls_only: False,
    go_away: False,
    try_wrong_key: True,
    flood_lines: True,
}


async def attack(kind, tls, delay_s, end):
    """One connection of that kind after the other."""
    await asyncio.sleep(delay_s)
    while time.monotonic() < end:
        writer = None
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", int(sys.argv[1]), ssl=TRUSTING if tls else None
            )
            counts[kind.__name__] += 1
            await asyncio.wait_for(kind(reader, writer), max(0.01, end - time.monotonic()))
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError):
            counts["refused"] += 1
        finally:
            if writer:
                writer.transport.abort()
        await asyncio.sleep(0.01)


async def attack_all(number, seconds):
    end = time.monotonic() + seconds
    kinds = itertools.islice(itertools.cycle(KINDS.items()), number - 2)
    await asyncio.gather(
        *(attack(prove_and_flood, True, 0, end) for _ in range(2)),
        *(attack(kind, tls, HEAD_START_S, end) for kind, tls in kinds),
    )


asyncio.run(attack_all(int(sys.argv[2]), float(sys.argv[3])))
print(json.dumps(counts))
