"""A logger's control door as schema/control.md has it, that answers from a script.

A script is a function: it takes a request (a dict) and gives the lines of the answer, each a dict
or bytes that are sent as they are. HANG_UP ends the connection there, SILENCE answers no more."""
import hashlib
import hmac
import json
import os
import secrets
import socket
import threading
import time

HANG_UP, SILENCE = object(), object()
END = {"end": 0}


def failed(text, code=1):
    return {"end": code, "error": text}


class Gone(Exception):
    """The other side is, or we are to be."""


class ControlServer:
    """Over a Unix socket at @path, or over TCP on a free port of loopback where there is @key."""

    def __init__(self, script, path=None, key=None, greeting=None):
        self.script, self.key, self.greeting = script, key, greeting
        self.requests = []
        self.over = threading.Event()
        self.path = path
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.listen(8)
        self.listener.settimeout(0.05)
        self.port = None if path else self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self.accept)]

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in list(self.threads):
            thread.join(10)
        self.listener.close()
        if self.path and os.path.exists(self.path):
            os.unlink(self.path)

    def accept(self):
        while not self.over.is_set():
            try:
                connection = self.listener.accept()[0]
            except TimeoutError:
                continue
            thread = threading.Thread(target=self.serve, args=[connection])
            self.threads.append(thread)
            thread.start()

    def serve(self, connection):
        connection.settimeout(0.05)
        with connection:
            lines = self.lines_of(connection)
            try:
                if self.key is None or self.let_in(connection, lines):
                    for line in lines:
                        self.answer(connection, json.loads(line))
            except (Gone, ConnectionError):
                pass

    def let_in(self, connection, lines):
        nonce = secrets.token_hex(32)
        self.send(connection, self.greeting or {"oblogger": 1, "nonce": nonce})
        proof = hmac.new(self.key.encode(), f"oblogger control 1 {nonce}".encode(), hashlib.sha256)
        right = json.loads(next(lines, b"{}")).get("proof") == proof.hexdigest()
        self.send(connection, END if right else failed("the key is wrong"))
        return right

    def lines_of(self, connection):
        text = b""
        while not self.over.is_set():
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                continue
            if not piece:
                return
            *lines, text = (text + piece).split(b"\n")
            yield from lines

    def answer(self, connection, request):
        self.requests.append(request)
        for line in self.script(request):
            if line is HANG_UP:
                raise Gone
            if line is SILENCE:
                self.over.wait(30)
                raise Gone
            self.send(connection, line)

    def send(self, connection, line):
        """All of it, as slowly as it is read."""
        left = line if isinstance(line, bytes) else json.dumps(
            line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        end = time.monotonic() + 30
        while left:
            if self.over.is_set() or time.monotonic() > end:
                raise Gone
            try:
                left = left[connection.send(left):]
            except TimeoutError:
                continue
