"""A hand-written WebSocket and REST client, and a lab to talk to: standard library only."""
import base64
import hashlib
import http.client
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import time

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Closed(Exception):
    """The end without a close frame; reset: without a goodbye of TLS or TCP either."""

    def __init__(self, reset):
        super().__init__("reset" if reset else "end")
        self.reset = reset


class WebSocket:
    def __init__(self, lab, path, timeout=20.0):
        raw = socket.create_connection(("127.0.0.1", lab.port), timeout=timeout)
        self.socket = lab.wrap(raw)
        self.buffer = bytearray()
        self.at = 0
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost:{lab.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode())
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer = bytearray(rest)
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        assert head.startswith(b"HTTP/1.1 101"), head
        assert accept.encode() in head

    def _fill(self):
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError as error:
            raise Closed(True) from error
        except ssl.SSLEOFError as error:
            raise Closed(True) from error
        if not data:
            raise Closed(False)
        if self.at > 1 << 20:
            del self.buffer[:self.at]
            self.at = 0
        self.buffer += data

    def _need(self, size):
        while len(self.buffer) - self.at < size:
            self._fill()

    def frame(self):
        """The next frame as it is: (code, payload). Only reads."""
        self._need(2)
        code, size, head = self.buffer[self.at] & 15, self.buffer[self.at + 1], 2
        assert self.buffer[self.at] & 0x80 and size < 128, "a server's frames: whole, unmasked"
        if size >= 126:
            head = 4 if size == 126 else 10
            self._need(head)
            size = int.from_bytes(self.buffer[self.at + 2:self.at + head], "big")
        self._need(head + size)
        start = self.at + head
        payload = bytes(memoryview(self.buffer)[start:start + size])
        self.at = start + size
        return code, payload

    def next(self, answer_pings=True):
        """The next frame that is no ping or pong."""
        while True:
            code, payload = self.frame()
            if code == PING:
                if answer_pings:
                    self.send(PONG, payload)
                continue
            if code != PONG:
                return code, payload

    def text(self):
        code, payload = self.next()
        assert code == TEXT, (code, payload[:200])
        return payload

    def json(self):
        return json.loads(self.text())

    def send(self, code, payload):
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([0x80 | code])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", size)
        masked = bytes(b ^ mask[i & 3] for i, b in enumerate(payload))
        self.socket.sendall(head + mask + masked)

    def command(self, method, params=None, number=1):
        message = {"method": method, "id": number}
        if params is not None:
            message["params"] = params
        self.send(TEXT, json.dumps(message).encode())

    def set_timeout(self, seconds):
        self.socket.settimeout(seconds)

    def close(self):
        self.socket.close()


class Lab:
    """A running oblab; ends with the block."""

    def __init__(self, program, directory, captures, *options, faults=None, plain=False):
        self.directory = directory
        self.journal_path = os.path.join(directory, "journal.jsonl")
        ready = os.path.join(directory, "ready.json")
        self.ca = os.path.join(directory, "ca.pem")
        self.plain = plain
        command = [program, "--ready-out", ready, "--ca-out", self.ca,
                   "--journal", self.journal_path, *options]
        if plain:
            command.append("--plain")
        if faults:
            script = os.path.join(directory, "faults.jsonl")
            with open(script, "w", encoding="utf-8") as file:
                file.write("".join(json.dumps(fault) + "\n" for fault in faults))
            command += ["--faults", script]
        self.process = subprocess.Popen(command + list(captures), stderr=subprocess.PIPE)
        deadline = time.monotonic() + 30
        while not os.path.exists(ready):
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline, "the lab does not get ready"
            time.sleep(0.02)
        with open(ready, encoding="utf-8") as file:
            self.ready = json.load(file)
        self.port = self.ready["port"]
        self.tls = None if plain else ssl.create_default_context(cafile=self.ca)

    def wrap(self, raw):
        if self.plain:
            return raw
        return self.tls.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        self.process.stderr.close()
        return code

    def get(self, target, timeout=20.0, headers=None):
        """(status, headers, body)"""
        if self.plain:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        else:
            connection = http.client.HTTPSConnection(
                "localhost", self.port, timeout=timeout, context=self.tls)
        try:
            connection.request("GET", target, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get_json(self, target):
        status, _, body = self.get(target)
        assert status == 200, (status, body[:200])
        return json.loads(body)

    def depth(self, symbol, limit=5000):
        return self.get_json(f"/api/v3/depth?symbol={symbol}&limit={limit}")

    def journal(self, kind=None):
        with open(self.journal_path, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file if line.endswith("\n")]
        return [line for line in lines if kind is None or line["t"] == kind]

    def wait_for(self, kind, seconds=20):
        deadline = time.monotonic() + seconds
        while not self.journal(kind):
            assert time.monotonic() < deadline, f"no {kind} in the journal"
            time.sleep(0.05)
        return self.journal(kind)
