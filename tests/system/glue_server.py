"""A scripted exchange for the glue's tests: WebSocket, HTTP and a CONNECT proxy on loopback."""

import base64
import gzip
import hashlib
import os
import select
import socket
import ssl
import struct
import subprocess
import threading
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def make_certificates(folder):
    """ca.pem, server.pem/.key (localhost, exchange.test, both loopbacks), a foreign other.pem."""

    def openssl(*words):
        subprocess.run(
            ["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60
        )

    def authority(name):
        openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
        )

    def leaf(name, issuer, names, days="2"):
        with open(os.path.join(folder, f"{name}.ext"), "w") as out:
            out.write(f"subjectAltName={names}\n")
        openssl(
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name}",
        )
        openssl(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            "-CA",
            f"{issuer}.pem",
            "-CAkey",
            f"{issuer}.key",
            "-CAcreateserial",
            "-out",
            f"{name}.pem",
            "-days",
            days,
            "-extfile",
            f"{name}.ext",
        )

    authority("ca")
    authority("otherca")
    leaf("server", "ca", "DNS:localhost,DNS:exchange.test,IP:127.0.0.1,IP:::1")
    leaf("nameonly", "ca", "DNS:localhost")
    leaf("expired", "ca", "DNS:localhost", days="-1")
    leaf("foreign", "otherca", "DNS:localhost")


def tls_context(folder, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(
        os.path.join(folder, f"{name}.pem"), os.path.join(folder, f"{name}.key")
    )
    return context


def frame(opcode, payload=b"", final=True):
    size = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    if size < 126:
        head += bytes([size])
    elif size < 65536:
        head += struct.pack("!BH", 126, size)
    else:
        head += struct.pack("!BQ", 127, size)
    return head + payload


def checksum(data):
    value = 2166136261
    for byte in data:
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return f"{value:08x}"


class Peer:
    """One accepted connection, after its request was read."""

    def __init__(self, server, sock):
        self.server = server
        self.sock = sock
        self.rest = b""

    def read(self, size):
        while len(self.rest) < size:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError
            self.rest += more
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def read_head(self):
        while b"\r\n\r\n" not in self.rest:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError
            self.rest += more
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        fields = {k.strip().lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:])}
        return lines[0], fields

    def read_frame(self):
        first, second = self.read(2)
        assert second & 0x80, "a client masks"
        size = second & 0x7F
        if size == 126:
            size = struct.unpack("!H", self.read(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self.read(8))[0]
        mask = self.read(4)
        data = self.read(size)
        return first & 0x0F, bytes(b ^ mask[i & 3] for i, b in enumerate(data))

    def send(self, data):
        self.sock.sendall(data)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Server:
    """ws_NAME and http_NAME of the given scripts answer /ws/NAME and /http/NAME."""

    def __init__(self, scripts, address="127.0.0.1", tls=None):
        self.scripts = scripts
        self.tls = tls
        self.requests = []
        self.accepted = 0
        self.sni = []
        if tls:
            tls.sni_callback = lambda sock, name, context: self.sni.append(name)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def serve(self, sock):
        try:
            sock.settimeout(60)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            peer = Peer(self, sock)
            while self.answer(peer):
                pass
        except (OSError, EOFError, ValueError):
            pass
        finally:
            try:
                sock.close()
            except OSError:
                pass

    def answer(self, peer):
        request, fields = peer.read_head()
        path = request.split(" ")[1]
        self.requests.append((request, fields))
        parts = path.split("?")[0].strip("/").split("/")
        if fields.get("upgrade", "").lower() != "websocket":
            return getattr(self.scripts, "http_" + parts[-1])(peer, fields) is not False
        before = getattr(self.scripts, "raw_" + parts[-1], None)
        if before:
            before(peer)
            return False
        key = fields["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        getattr(self.scripts, "ws_" + parts[-1])(peer)
        return False


class Proxy:
    """HTTP CONNECT; whatever name is asked for, the tunnel ends at the given port here."""

    def __init__(self, target_port, refuse=False, login=None):
        self.requests = []
        self.refuse = refuse
        self.login = login
        self.target_port = target_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=Scripts.quietly, args=(self.serve, sock), daemon=True).start()

    def serve(self, sock):
        with sock:
            peer = Peer(self, sock)
            request, fields = peer.read_head()
            self.requests.append((request, fields))
            wanted = self.login and "basic " + base64.b64encode(self.login.encode()).decode()
            if self.refuse or (
                wanted and fields.get("proxy-authorization", "").lower() != wanted.lower()
            ):
                sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self.target_port)) as other:
                sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self.pump(sock, other)

    @staticmethod
    def pump(one, two):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for ready in select.select([one, two], [], [], 1)[0]:
                data = ready.recv(65536)
                if not data:
                    return
                (two if ready is one else one).sendall(data)


def http(peer, status="200 OK", body=b"{}", fields=(), close=False):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    if close:
        lines.append("Connection: close")
    peer.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return not close


class Scripts:
    """What the exchange does on each path."""

    def __init__(self):
        self.pongs = {}
        self.pings = []
        self.received = []
        self.done = threading.Event()

    # WebSocket

    def hold(self, peer, seconds=30):
        """Answer closes and note what comes, until the peer goes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            opcode, data = peer.read_frame()
            if opcode == 8:
                self.received.append(("close", data))
                peer.send(frame(8, data))
                return
            if opcode == 9:
                self.pings.append(time.monotonic())
                peer.send(frame(10, data))
            elif opcode == 10:
                self.pongs[data] = time.monotonic()
            else:
                self.received.append((opcode, data))

    def ws_echo(self, peer):
        while True:
            opcode, data = peer.read_frame()
            if opcode == 8:
                self.received.append(("close", data))
                peer.send(frame(8, data))
                return
            if opcode == 1:
                peer.send(frame(1, data))

    def ws_hold(self, peer):
        self.hold(peer)

    def ws_hello(self, peer):
        peer.send(frame(1, b"hello"))
        self.hold(peer)

    def ws_parts(self, peer):
        peer.send(
            frame(1, b"al", False) + frame(9, b"between") + frame(0, b"", False) + frame(0, b"pha")
        )
        peer.send(frame(1, b"", False) + frame(0, b"beta"))
        peer.send(frame(1, b"") + frame(1, b"after"))
        self.hold(peer)

    def ws_sizes(self, peer):
        for size in (1, 125, 126, 65471, 65472, 65535, 65536, 65537, 65600, 65601, 200000):
            peer.send(frame(1, b"s" * size))
        self.hold(peer)

    def ws_large(self, peer):
        peer.send(frame(1, large_message(5 << 20)))
        peer.send(frame(1, b"after"))
        self.hold(peer)

    def ws_toolarge(self, peer):
        block = b"z" * (1 << 20)
        peer.send(frame(1, b"z" * (17 << 20)))
        peer.send(frame(1, b"between"))
        for part in range(17):
            peer.send(frame(0 if part else 1, block, part == 16))
        peer.send(frame(1, large_message(16 << 20)))
        peer.send(frame(1, b"after"))
        self.hold(peer)

    def ws_binary(self, peer):
        peer.send(frame(2, b"\0\1\2") + frame(2, b"ab", False) + frame(0, b"cd"))
        peer.send(frame(1, b"after"))
        self.hold(peer)

    def ws_flood(self, peer):
        reader = threading.Thread(target=self.quietly, args=(self.hold, peer), daemon=True)
        reader.start()
        self.sent = {}
        data = frame(1, b"f" * 2000) * 20
        end = time.monotonic() + 4
        number = 0
        while time.monotonic() < end:
            peer.send(data)
            if time.monotonic() > end - 4 + number * 0.5:
                payload = f"flood {number}".encode()
                self.sent[payload] = time.monotonic()
                peer.send(frame(9, payload))
                number += 1
        time.sleep(0.3)
        peer.send(frame(1, b"after"))
        self.done.set()
        reader.join(10)

    @staticmethod
    def quietly(function, *words):
        try:
            function(*words)
        except (OSError, EOFError):
            pass

    def ws_pinger(self, peer):
        for number in range(5):
            peer.send(frame(9, f"p{number}".encode()))
            time.sleep(0.2)
        peer.send(frame(10, b"unasked"))
        self.hold(peer)

    def ws_close1008(self, peer):
        peer.send(frame(8, struct.pack("!H", 1008) + b"Too many requests"))
        self.quietly(peer.read_frame)

    def ws_close4000(self, peer):
        peer.send(frame(8, struct.pack("!H", 4000) + b"a\r\nb\x1b[31m\xff"))
        self.quietly(peer.read_frame)

    def ws_closebare(self, peer):
        peer.send(frame(8))
        self.quietly(peer.read_frame)

    def ws_eof(self, peer):
        peer.send(frame(1, b"last"))

    def ws_reset(self, peer):
        peer.send(frame(1, b"last"))
        time.sleep(0.2)
        peer.reset()

    def ws_cut(self, peer):
        peer.send(frame(1, b"x" * 300000)[:200000])

    def ws_badop(self, peer):
        peer.send(frame(1, b"first") + b"\x83\x01a")
        self.quietly(peer.read_frame)

    def ws_mute(self, peer):
        """Reads nothing at all, not even a close frame."""
        peer.send(frame(1, b"hello"))
        time.sleep(12)

    def ws_trickle(self, peer):
        data = frame(1, b"t" * 50)
        for byte in data:
            peer.send(bytes([byte]))
            time.sleep(0.01)
        self.hold(peer)

    # Answers to an upgrade that are none

    def raw_stall(self, peer):
        time.sleep(20)

    def raw_http429(self, peer):
        http(peer, "429 Too Many Requests", fields=["Retry-After: 5"], close=True)

    def raw_redirect(self, peer):
        http(peer, "302 Found", fields=[f"Location: ws://127.0.0.1:{peer.server.port}/ws/hello"])

    def raw_garbage(self, peer):
        peer.send(b"\x00\xff\x13garbage\r\n\r\n" * 20)
        time.sleep(1)

    def raw_badaccept(self, peer):
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n"
        )

    # REST

    def http_ok(self, peer, fields):
        return http(peer, body=b'{"ok":1}', fields=["x-MbX-used-WEIGHT-1m: 321"])

    def http_gzip(self, peer, fields):
        assert "gzip" in fields.get("accept-encoding", "")
        return http(peer, body=gzip.compress(b"z" * 100000), fields=["Content-Encoding: gzip"])

    def http_bomb(self, peer, fields):
        block = gzip.compress(b"\0" * (70 << 20), 9)
        return http(peer, body=block, fields=["Content-Encoding: gzip"])

    def http_limited(self, peer, fields):
        return http(peer, "429 Too Many Requests", b"slow", ["RETRY-after: 17"])

    def http_teapot(self, peer, fields):
        return http(peer, "418 I'm a teapot", b"banned", ["Retry-After: soon"])

    def http_date(self, peer, fields):
        later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
        return http(peer, "503 Busy", b"", [f"Retry-After: {later}"])

    def http_redirect(self, peer, fields):
        return http(peer, "302 Found", b"", ["Location: /http/ok"])

    def http_announced(self, peer, fields):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 70000000\r\n\r\n")
        return False

    def http_huge(self, peer, fields):
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        block = b"100000\r\n" + b"h" * 0x100000 + b"\r\n"
        for _ in range(66):
            peer.send(block)
        return False

    def http_slow(self, peer, fields):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            peer.send(b"s")
            time.sleep(0.1)
        return False

    def http_short(self, peer, fields):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
        return False

    def http_garbage(self, peer, fields):
        peer.send(b"\x01\x02 this is no HTTP at all\r\n\r\n")
        return False

    def http_headers(self, peer, fields):
        peer.send(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"y" * 90000 + b"\r\n")
        peer.send((b"X-Filler: " + b"y" * 90000 + b"\r\n") * 4 + b"\r\n")
        return False

    def http_pause(self, peer, fields):
        time.sleep(1.0)
        return http(peer, body=b"paused")

    def http_empty(self, peer, fields):
        return http(peer, "200 OK", b"")


def large_message(size):
    pattern = bytes(range(32, 127))
    return (pattern * (size // len(pattern) + 1))[:size]
