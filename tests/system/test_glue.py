"""The WebSocket and REST glue against a scripted exchange: python3 test_glue.py DRIVER [-v].

DRIVER is the program made of glue_driver.c. Everything stays on loopback."""
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import pytest

from glue_server import (Proxy, Scripts, Server, checksum, large_message, make_certificates,
                         tls_context)

DRIVER = os.environ.get("GLUE_DRIVER", "")
SLOW = 4 if os.environ.get("GLUE_SLOW") else 1  # under sanitizers


class Driver:
    def __init__(self, *options, environment=None):
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        clean.update(environment or {})
        self.process = subprocess.Popen([DRIVER, *options], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean,
                                        bufsize=1, errors="replace")
        self.lines = queue.Queue()
        self.seen = []
        self.errors = []
        self.readers = [threading.Thread(target=self.read, daemon=True),
                        threading.Thread(target=self.read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def read_errors(self):
        self.errors.extend(self.process.stderr)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def expect(self, start, timeout=10):
        """The next line that starts so; lines before it are kept in seen."""
        end = time.monotonic() + timeout * SLOW
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no '{start}' came; {self.seen[-8:]} {self.errors[-20:]}")
            self.seen.append(line)
            if line.startswith(start):
                return line

    def silence(self, seconds):
        time.sleep(seconds)
        lines = []
        while not self.lines.empty():
            lines.append(self.lines.get())
        return lines

    def connect(self, port, path="/ws/hello", host="127.0.0.1", tls="plain", address="127.0.0.1",
                proxy=""):
        self.say(f"connect {host} {port} {path} {tls} {address} {proxy}".rstrip())
        word, rest = self.expect("", 5).split(" ", 1)
        assert word == "connecting", (word, rest)
        return int(rest)

    def stats(self):
        self.say("stats")
        words = self.expect("stats ").split()
        return int(words[2]), int(words[4])

    def release(self):
        for reader in self.readers:
            reader.join(5)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()

    def end(self):
        """Clean exit, nothing on stderr (a sanitizer would speak there)."""
        try:
            if not any(line.startswith("ended ") for line in self.seen):
                self.say("quit")
            self.process.wait(20)
        except BrokenPipeError:
            pass
        except subprocess.TimeoutExpired:
            self.process.kill()
        code = self.process.wait()
        self.release()
        assert code == 0 and not self.errors, (code, "".join(self.errors)[-6000:])


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        make_certificates(cls.folder)
        cls.ca = os.path.join(cls.folder, "ca.pem")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def server(self, certificate=None, address="127.0.0.1"):
        scripts = Scripts()
        tls = tls_context(self.folder, certificate) if certificate else None
        server = Server(scripts, address, tls)
        self.addCleanup(server.close)
        return server

    def driver(self, *options, environment=None):
        driver = Driver(*options, environment=environment)
        driver.expect("ready")
        self.addCleanup(driver.end)
        return driver


class Messages(Base):
    def setUp(self):
        self.exchange = self.server()
        self.scripts = self.exchange.scripts

    def test_fragments_become_one_message(self):
        driver = self.driver()
        driver.connect(self.exchange.port, "/ws/parts")
        driver.expect("open 1")
        for text in ("alpha", "beta", "", "after"):
            want = f"message 1 {len(text)} {checksum(text.encode())} {text}"
            self.assertEqual(driver.expect("message "), want)
        deadline = time.monotonic() + 5
        while b"between" not in self.scripts.pongs and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertIn(b"between", self.scripts.pongs)

    def test_sizes_around_the_receive_buffer(self):
        driver = self.driver()
        driver.connect(self.exchange.port, "/ws/sizes")
        for size in (1, 125, 126, 65471, 65472, 65535, 65536, 65537, 65600, 65601, 200000):
            self.assertIn(f" {size} {checksum(b's' * size)} ", driver.expect("message 1 "))

    def test_five_megabytes(self):
        driver = self.driver()
        driver.connect(self.exchange.port, "/ws/large")
        self.assertIn(f" {5 << 20} {checksum(large_message(5 << 20))} ",
                      driver.expect("message 1 ", 20))
        self.assertIn(" after", driver.expect("message 1 "))

    def test_beyond_the_limit_is_thrown_away_and_the_connection_lives(self):
        driver = self.driver()
        driver.connect(self.exchange.port, "/ws/toolarge")
        line = driver.expect("thrown ", 30)
        self.assertEqual(line, f"thrown 1 {17 << 20} a message beyond 16 MiB")
        self.assertIn(" between", driver.expect("message 1 "))
        self.assertEqual(driver.expect("thrown ", 30), line)
        self.assertIn(f" {16 << 20} ", driver.expect("message 1 ", 30))
        self.assertIn(" after", driver.expect("message 1 "))
        self.assertNotIn("closed", " ".join(driver.seen))

    def test_binary_is_refused_and_the_connection_lives(self):
        driver = self.driver()
        driver.connect(self.exchange.port, "/ws/binary")
        self.assertEqual(driver.expect("thrown "), "thrown 1 3 a binary message")
        self.assertEqual(driver.expect("thrown "), "thrown 1 4 a binary message")
        self.assertIn(" after", driver.expect("message 1 "))

    def test_byte_by_byte(self):
        driver = self.driver()
        driver.connect(self.exchange.port, "/ws/trickle")
        self.assertIn(f" 50 {checksum(b't' * 50)} ", driver.expect("message 1 "))

    def test_sending(self):
        driver = self.driver()
        driver.connect(self.exchange.port, "/ws/echo")
        driver.expect("open 1")
        for number in range(20):
            driver.say(f"send 1 number {number}")
        for number in range(20):
            self.assertTrue(driver.expect("message 1 ").endswith(f" number {number}"))

    def test_sending_to_nobody_and_too_much(self):
        driver = self.driver()
        driver.say("send 9 x")
        self.assertEqual(driver.expect("queued"), "queued -3")
        driver.connect(self.exchange.port, "/ws/echo")
        driver.expect("open 1")
        driver.say("repeat 1 2000 1000")
        sent, rc = map(int, driver.expect("sent ").split()[1:])
        self.assertEqual((sent, rc), ((1 << 20) // 1000, -4))
        for _ in range(sent):
            driver.expect("message 1 1000 ")
        driver.say("send 1 fine again")
        driver.expect("queued 0")
        driver.expect("message 1 10 ")

    def test_ping_is_answered_during_a_flood(self):
        driver = self.driver()
        driver.connect(self.exchange.port, "/ws/flood")
        driver.expect("message 1 5 ", 40)
        self.assertTrue(self.scripts.done.wait(20))
        time.sleep(0.5)
        self.assertGreaterEqual(len(self.scripts.sent), 5)
        for payload, sent in self.scripts.sent.items():
            self.assertIn(payload, self.scripts.pongs)
            self.assertLess(self.scripts.pongs[payload] - sent, 1.0)

    def test_pings_and_pongs_prove_life(self):
        driver = self.driver()
        driver.connect(self.exchange.port, "/ws/pinger")
        driver.expect("open 1")
        time.sleep(2)
        _, alive = driver.stats()
        self.assertEqual(len(self.scripts.pongs), 5)
        self.assertGreaterEqual(alive, 6)
        self.assertNotIn("message", " ".join(driver.seen))

    @pytest.mark.alone
    def test_a_quiet_connection_is_pinged_now_and_then(self):
        driver = self.driver("--quiet-ms", "500")
        driver.connect(self.exchange.port, "/ws/hold")
        driver.expect("open 1")
        _, before = driver.stats()
        time.sleep(2.8)
        _, after = driver.stats()
        self.assertIn(len(self.scripts.pings), (4, 5))
        self.assertGreaterEqual(after - before, 4)

    @pytest.mark.alone
    def test_ticks(self):
        driver = self.driver()
        before, _ = driver.stats()
        time.sleep(2)
        after, _ = driver.stats()
        self.assertIn(after - before, range(30, 55))

    def test_calls_from_inside_a_message(self):
        driver = self.driver()
        driver.say("byeon hello")
        driver.say("again hello")
        driver.say(
            f"connect 127.0.0.1 {self.exchange.port} /ws/hello plain 127.0.0.1")
        driver.expect("message 1 ")
        driver.expect("connecting 2")
        driver.say("byeon nothing")
        driver.say("again nothing")
        self.assertEqual(driver.expect("closed 1"), "closed 1 asked from inside")
        deadline = time.monotonic() + 5
        while ("close", b"\x03\xe8") not in self.scripts.received and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertIn(("close", b"\x03\xe8"), self.scripts.received)

    def test_many_connections(self):
        driver = self.driver()
        for number in range(50):
            driver.say(f"connect 127.0.0.1 {self.exchange.port} /ws/hello plain 127.0.0.1")
        for number in range(50):
            driver.expect("message ")
        for number in range(1, 51):
            driver.say(f"bye {number} enough")
        for number in range(50):
            self.assertTrue(driver.expect("closed ").endswith(" enough"))
        self.assertEqual(driver.silence(0.5), [])


class Ends(Base):
    def end_of(self, path, *options, timeout=10, port=None, tls="plain", server=None):
        server = server or self.server()
        driver = self.driver(*options)
        driver.say(f"connect 127.0.0.1 {port or server.port} {path} {tls} 127.0.0.1")
        reason = driver.expect("closed ", timeout)
        self.assertEqual(driver.silence(0.3), [])
        return reason

    def test_close_code_and_text(self):
        self.assertEqual(self.end_of("/ws/close1008"),
                         "closed 1 closed by the exchange: 1008 Too many requests")

    def test_close_text_is_made_one_clean_line(self):
        self.assertEqual(self.end_of("/ws/close4000"),
                         "closed 1 closed by the exchange: 4000 a??b?[31m?")

    def test_close_without_code(self):
        self.assertEqual(self.end_of("/ws/closebare"), "closed 1 closed by the exchange")

    def test_end_without_close_frame(self):
        self.assertEqual(self.end_of("/ws/eof"),
                         "closed 1 ended by the exchange without a close frame")

    def test_end_without_close_frame_over_tls(self):
        server = self.server("server")
        reason = self.end_of("/ws/eof", "--ca", self.ca, tls="tls", server=server)
        self.assertEqual(reason, "closed 1 ended by the exchange without a close frame")

    def test_end_amid_a_message(self):
        self.assertEqual(self.end_of("/ws/cut"),
                         "closed 1 ended by the exchange without a close frame")

    def test_reset(self):
        self.assertEqual(self.end_of("/ws/reset"), "closed 1 connection reset")

    def test_not_websocket(self):
        self.assertEqual(self.end_of("/ws/badop"),
                         "closed 1 broken off: what came was not WebSocket")

    def test_refused_port(self):
        server = self.server()
        server.close()
        self.assertEqual(self.end_of("/ws/x", port=server.port),
                         "closed 1 cannot connect: refused or unreachable")

    def test_http_status_instead_of_upgrade(self):
        self.assertEqual(self.end_of("/ws/http429"), "closed 1 refused: HTTP 429")

    def test_redirect_is_not_followed(self):
        server = self.server()
        reason = self.end_of("/ws/redirect", server=server)
        self.assertEqual(reason, "closed 1 refused: HTTP 302, and no redirect is followed")
        self.assertEqual(len(server.requests), 1)

    def test_garbage_instead_of_upgrade(self):
        self.assertRegex(self.end_of("/ws/garbage"), "^closed 1 no WebSocket there: .+")

    def test_wrong_accept(self):
        self.assertRegex(self.end_of("/ws/badaccept"), "^closed 1 no WebSocket there: .+")

    def test_stalled_upgrade(self):
        start = time.monotonic()
        reason = self.end_of("/ws/stall", "--connect-ms", "1000")
        self.assertEqual(reason, "closed 1 no WebSocket within 1 s")
        self.assertIn(round(time.monotonic() - start), (1, 2, 3))

    def test_stalled_upgrade_by_default(self):
        self.assertEqual(self.end_of("/ws/stall", timeout=14), "closed 1 no WebSocket within 10 s")

    def test_stalled_tls(self):
        reason = self.end_of("/ws/hello", "--connect-ms", "1000", tls="tls")
        self.assertRegex(reason, "^closed 1 no WebSocket within 1 s")

    def test_goodbye_to_a_mute_peer_is_told_at_once(self):
        server = self.server()
        driver = self.driver()
        driver.connect(server.port, "/ws/mute")
        driver.expect("message 1 ")
        driver.say("bye 1 enough of it")
        self.assertEqual(driver.expect("closed ", 1), "closed 1 enough of it")
        driver.say("send 1 x")
        self.assertEqual(driver.expect("queued"), "queued -3")
        self.assertEqual(driver.silence(6), [])

    def test_goodbye_while_connecting(self):
        server = self.server()
        driver = self.driver()
        driver.connect(server.port, "/ws/stall")
        driver.say("bye 1 changed my mind")
        self.assertEqual(driver.expect("closed ", 1), "closed 1 changed my mind")
        self.assertEqual(driver.silence(1), [])


class Trust(Base):
    def reach(self, certificate, host, *options, address="127.0.0.1", path="/ws/hello"):
        self.exchange = self.server(certificate, address)
        driver = self.driver(*options)
        driver.say(f"connect {host} {self.exchange.port} {path} tls {address}")
        driver.expect("connecting 1")
        return driver

    def test_own_authority(self):
        for host in ("localhost", "exchange.test", "127.0.0.1"):
            self.reach("server", host, "--ca", self.ca).expect("message 1 ")
            request, fields = self.exchange.requests[0]
            self.assertEqual(request, "GET /ws/hello HTTP/1.1")
            self.assertEqual(fields["host"], f"{host}:{self.exchange.port}")
            self.assertNotIn("sec-websocket-extensions", fields)
            self.assertEqual(self.exchange.sni, [None if host == "127.0.0.1" else host])

    def test_ipv6(self):
        for host in ("::1", "[::1]"):
            self.reach("server", host, "--ca", self.ca, address="::1").expect("message 1 ")
            self.assertEqual(self.exchange.requests[0][1]["host"], f"[::1]:{self.exchange.port}")
            self.assertEqual(self.exchange.sni, [None])

    def test_ipv6_address_that_the_certificate_lacks(self):
        driver = self.reach("nameonly", "::1", "--ca", self.ca, address="::1")
        self.assertRegex(driver.expect("closed 1 "), "TLS: .*mismatch")
        self.assertEqual(self.exchange.requests, [])

    def test_unknown_authority(self):
        driver = self.reach("server", "localhost")
        self.assertRegex(driver.expect("closed 1 "), "TLS: unable to get local issuer certificate")
        self.assertEqual(self.exchange.requests, [])

    def test_other_authority(self):
        driver = self.reach("foreign", "localhost", "--ca", self.ca)
        self.assertRegex(driver.expect("closed 1 "), "TLS: unable to get local issuer certificate")

    def test_wrong_host(self):
        for host in ("wrong.test", "127.0.0.2"):
            driver = self.reach("server", host, "--ca", self.ca)
            self.assertRegex(driver.expect("closed 1 "), r"TLS: .*mismatch \(" + host)
            self.assertEqual(self.exchange.requests, [])

    def test_expired(self):
        driver = self.reach("expired", "localhost", "--ca", self.ca)
        self.assertRegex(driver.expect("closed 1 "), "TLS: certificate has expired")

    def test_plain_behind_wss(self):
        exchange = self.server()
        driver = self.driver("--ca", self.ca, "--connect-ms", "2000")
        driver.say(f"connect localhost {exchange.port} /ws/hello tls 127.0.0.1")
        driver.expect("closed 1 ")

    def test_system_authorities_are_trusted_beside_the_own(self):
        exchange = self.server("foreign")
        system = {"SSL_CERT_FILE": os.path.join(self.folder, "otherca.pem")}
        driver = self.driver("--ca", self.ca, environment=system)
        second = self.server("server")
        driver.connect(exchange.port, host="localhost", tls="tls")
        driver.expect("message 1 ")
        driver.connect(second.port, host="localhost", tls="tls")
        driver.expect("message 2 ")
        driver.say(f"get 1 https://localhost:{exchange.port}/http/ok")
        driver.expect("answer 1 code 0 status 200")
        driver.say(f"get 2 https://localhost:{second.port}/http/ok")
        driver.expect("answer 2 code 0 status 200")

    def test_unreadable_authority_file(self):
        driver = Driver("--ca", os.path.join(self.folder, "absent.pem"))
        self.assertRegex(driver.expect("failed "), "absent.pem: cannot read certificates")
        self.assertEqual(driver.process.wait(10), 1)
        driver.release()

    def test_large_and_fragmented_over_tls(self):
        driver = self.reach("server", "localhost", "--ca", self.ca, path="/ws/large")
        self.assertIn(f" {5 << 20} {checksum(large_message(5 << 20))} ",
                      driver.expect("message 1 ", 20))

    def test_ping_during_a_flood_over_tls(self):
        driver = self.reach("server", "localhost", "--ca", self.ca, path="/ws/flood")
        driver.expect("message 1 5 ", 60)
        time.sleep(0.5)
        scripts = self.exchange.scripts
        self.assertGreaterEqual(len(scripts.sent), 5)
        for payload, sent in scripts.sent.items():
            self.assertLess(scripts.pongs[payload] - sent, 1.0)

    def test_long_path(self):
        self.reach("server", "localhost", "--ca", self.ca, path="/" + "p" * 950 + "/hello").expect(
            "message 1 ")


class Ways(Base):
    def refusal(self, line):
        driver = self.driver()
        driver.say(line)
        return driver.expect("refused ", 2)

    def test_plain_only_to_this_machine(self):
        for host, address in (("192.0.2.1", "192.0.2.1"), ("exchange.test", "127.0.0.1"),
                              ("localhost", "192.0.2.1"), ("localhost.evil.test", "127.0.0.1")):
            self.assertRegex(self.refusal(f"connect {host} 80 / plain {address}"), "^refused -11 ")

    def test_unusable_targets(self):
        self.assertRegex(self.refusal("connect localhost 80 / tls localhost"), "^refused -7 ")
        self.assertRegex(self.refusal(f"connect {'h' * 200} 80 / tls 127.0.0.1"), "^refused -7 ")
        self.assertRegex(self.refusal("connect a/b 80 / tls 127.0.0.1"), "^refused -7 ")

    def test_tunnel(self):
        exchange = self.server("server")
        proxy = Proxy(exchange.port)
        self.addCleanup(proxy.close)
        driver = self.driver("--ca", self.ca)
        driver.connect(443, host="exchange.test", tls="tls", proxy=f"proxy.test:{proxy.port}")
        driver.expect("message 1 ")
        self.assertEqual(proxy.requests[0][0], "CONNECT exchange.test:443 HTTP/1.1")
        self.assertEqual(exchange.requests[0][1]["host"], "exchange.test")
        self.assertEqual(exchange.sni, ["exchange.test"])

    def test_tunnel_does_not_weaken_tls(self):
        exchange = self.server("server")
        proxy = Proxy(exchange.port)
        self.addCleanup(proxy.close)
        driver = self.driver("--ca", self.ca)
        driver.connect(443, host="wrong.test", tls="tls", proxy=f"proxy.test:{proxy.port}")
        self.assertRegex(driver.expect("closed 1 "), "TLS: .*mismatch")

    def test_tunnel_refused(self):
        proxy = Proxy(1, refuse=True)
        self.addCleanup(proxy.close)
        driver = self.driver()
        driver.connect(443, host="exchange.test", tls="tls", proxy=f"proxy.test:{proxy.port}")
        self.assertEqual(driver.expect("closed 1 "), "closed 1 the proxy refused the tunnel")

    def test_login_of_the_proxy(self):
        exchange = self.server("server")
        proxy = Proxy(exchange.port, login="ann:p@ss")
        self.addCleanup(proxy.close)
        named = {"HTTPS_PROXY": f"http://ann:p%40ss@127.0.0.1:{proxy.port}/"}
        driver = self.driver("--ca", self.ca, environment=named)
        driver.say("proxy exchange.test")
        self.assertEqual(driver.expect("proxy "), f"proxy 127.0.0.1:{proxy.port}")
        driver.connect(443, host="exchange.test", tls="tls", proxy=f"127.0.0.1:{proxy.port}")
        driver.expect("message 1 ")
        driver.say("get 1 https://exchange.test/http/ok")
        driver.expect("answer 1 code 0 status 200")
        self.assertNotIn("ss@", " ".join(driver.seen))

    def test_environment_does_not_divert_the_feed(self):
        exchange = self.server("server")
        dead = {"http_proxy": "http://127.0.0.1:1/", "HTTPS_PROXY": "http://127.0.0.1:1/"}
        driver = self.driver("--ca", self.ca, environment=dead)
        driver.connect(exchange.port, host="exchange.test", tls="tls")
        driver.expect("message 1 ")

    def test_rest_through_the_proxy_but_not_to_this_machine(self):
        exchange = self.server("server")
        proxy = Proxy(exchange.port)
        self.addCleanup(proxy.close)
        named = {"https_proxy": f"127.0.0.1:{proxy.port}", "http_proxy": f"127.0.0.1:{proxy.port}"}
        driver = self.driver("--ca", self.ca, environment=named)
        driver.say("get 1 https://exchange.test/http/ok")
        driver.expect("answer 1 code 0 status 200")
        self.assertEqual(proxy.requests[0][0], "CONNECT exchange.test:443 HTTP/1.1")
        driver.say(f"get 2 https://localhost:{exchange.port}/http/ok")
        driver.expect("answer 2 code 0 status 200")
        plain = self.server()
        driver.say(f"get 3 http://127.0.0.1:{plain.port}/http/ok")
        driver.expect("answer 3 code 0 status 200")
        self.assertEqual(len(proxy.requests), 1)

    def test_no_proxy(self):
        proxy = Proxy(1)
        self.addCleanup(proxy.close)
        named = {"https_proxy": f"127.0.0.1:{proxy.port}", "no_proxy": "other.test, .invalid"}
        driver = self.driver("--timeout-ms", "5000", environment=named)
        driver.say("get 1 https://exchange.invalid/http/ok")
        self.assertRegex(driver.expect("answer 1 "), "code -1 status 0")
        self.assertEqual(proxy.requests, [])


class Rest(Base):
    def setUp(self):
        self.exchange = self.server()
        self.start_driver()

    def start_driver(self, *options):
        self.rest = self.driver(*options)

    def get(self, name, timeout=10):
        self.rest.say(f"get 7 http://127.0.0.1:{self.exchange.port}/http/{name}")
        return self.rest.expect("answer 7 ", timeout)

    def test_body_and_headers(self):
        self.assertEqual(self.get("ok?symbol=BTCUSDT&limit=5000"),
                         "answer 7 code 0 status 200 retry -1 weight 321 size 8 sum "
                         + checksum(b'{"ok":1}') + " ")
        request, fields = self.exchange.requests[0]
        self.assertEqual(request, "GET /http/ok?symbol=BTCUSDT&limit=5000 HTTP/1.1")
        self.assertRegex(fields["user-agent"], r"^oblogger/\d+\.\d+")

    def test_gzip(self):
        self.assertIn(f"size 100000 sum {checksum(b'z' * 100000)}", self.get("gzip"))

    def test_statuses_and_retry_after(self):
        self.assertIn("code 0 status 429 retry 17 weight -1 size 4", self.get("limited"))
        self.assertIn("code 0 status 418 retry -1 ", self.get("teapot"))
        self.assertRegex(self.get("date"), "code 0 status 503 retry (9[7-9]|100|101) ")
        self.assertIn("code 0 status 200 retry -1 weight -1 size 0", self.get("empty"))

    def test_redirects_are_not_followed(self):
        self.assertIn("code 0 status 302", self.get("redirect"))
        self.assertEqual(len(self.exchange.requests), 1)

    def test_body_limit(self):
        for name in ("announced", "huge", "bomb"):
            self.assertRegex(self.get(name, 30), "code -4 status 0 .* beyond 64 MiB")
        self.assertIn("code 0 status 200", self.get("ok"))

    def test_header_limit(self):
        self.assertRegex(self.get("headers"), "code -[1-9] status 0 ")

    def test_slow_server(self):
        self.start_driver("--timeout-ms", "1000")
        start = time.monotonic()
        self.assertRegex(self.get("slow"), "code -1 status 0 .*timed out")
        self.assertLess(time.monotonic() - start, 2 * SLOW)

    def test_short_body(self):
        self.assertRegex(self.get("short"), "code -1 status 0 .*")

    def test_garbage(self):
        self.assertRegex(self.get("garbage"), "code -5 status 0 .*")

    def test_refused_port(self):
        self.exchange.close()
        self.assertRegex(self.get("ok"), "code -1 status 0 .*")

    def test_what_may_not_be_asked(self):
        cases = (("http://192.0.2.1/x", -11), ("http://exchange.test/x", -11),
                 ("http://localhost.evil.test/", -11), ("http://127.1/", None),
                 ("ftp://127.0.0.1/x", -11), ("file:///etc/passwd", None), ("nonsense", -5),
                 ("http://user:secret@127.0.0.1/", -5), ("http://127.0.0.1:99999/", -5))
        start = time.monotonic()
        for url, code in cases:
            self.rest.say(f"get 3 {url}")
            line = self.rest.expect("answer 3 ")
            self.assertNotIn("code 0", line)
            self.assertIn("status 0", line)
            self.assertNotIn("secret", line)
            if code:
                self.assertIn(f"code {code} ", line)
        self.assertLess(time.monotonic() - start, 3 * SLOW)

    def test_connections_are_kept(self):
        for _ in range(10):
            self.assertIn("status 200", self.get("ok"))
        self.assertEqual(self.exchange.accepted, 1)

    def test_a_few_at_once(self):
        start = time.monotonic()
        for number in range(8):
            self.rest.say(f"get {number} http://127.0.0.1:{self.exchange.port}/http/pause")
        for _ in range(8):
            self.assertIn(" status 200 ", self.rest.expect("answer "))
        self.assertIn(round(time.monotonic() - start), (2, 3))
        self.assertLessEqual(self.exchange.accepted, 4)

    def test_a_thousand(self):
        for number in range(1000):
            self.rest.say(f"get {number} http://127.0.0.1:{self.exchange.port}/http/ok")
        ids = {int(self.rest.expect("answer ", 30).split()[1]) for _ in range(1000)}
        self.assertEqual(ids, set(range(1000)))
        self.assertLessEqual(self.exchange.accepted, 8)

    def test_close_amid_transfers(self):
        for number in range(20):
            self.rest.say(f"get {number} http://127.0.0.1:{self.exchange.port}/http/slow")
        time.sleep(0.3)
        self.rest.say("quit")
        self.assertLess(int(self.rest.expect("ended ").split()[1]), 1500 * SLOW)

    def test_tls(self):
        trusted, foreign = self.server("server"), self.server("foreign")
        self.start_driver("--ca", self.ca)
        self.rest.say(f"get 1 https://localhost:{trusted.port}/http/ok")
        self.assertIn("code 0 status 200", self.rest.expect("answer 1 "))
        self.rest.say(f"get 2 https://[::1]:{self.server('server', '::1').port}/http/ok")
        self.assertIn("code 0 status 200", self.rest.expect("answer 2 "))
        self.rest.say(f"get 3 https://localhost:{foreign.port}/http/ok")
        self.assertIn("code -11 status 0", self.rest.expect("answer 3 "))
        self.rest.say(f"get 4 https://127.0.0.1:{self.server('nameonly').port}/http/ok")
        self.assertIn("code -11 status 0", self.rest.expect("answer 4 "))
        self.assertEqual(foreign.requests, [])

    def test_lookups(self):
        for host, want in (("127.0.0.1", " 127.0.0.1 "), ("::1", " ::1 "), ("[::1]", " ::1 "),
                           ("localhost", " 127.0.0.1 ")):
            self.rest.say(f"resolve 5 {host}")
            line = self.rest.expect("answer 5 ")
            self.assertIn("code 0 ", line)
            self.assertIn(want, line)
        self.rest.say("resolve 6 nowhere.invalid")
        self.assertRegex(self.rest.expect("answer 6 ", 30), "code -[13] .*nowhere.invalid: ")

    @pytest.mark.alone
    def test_a_hanging_name_server_holds_up_nothing(self):
        self.start_driver("--timeout-ms", "1000")
        self.rest.say("resolve 1 hang.test")
        self.rest.say("get 2 https://hang.test/http/ok")
        start = time.monotonic()
        self.assertIn("status 200", self.get("ok"))
        self.assertLess(time.monotonic() - start, 0.5 * SLOW)
        self.assertRegex(self.rest.expect("answer 2 ", 3), "code -1 status 0 .*timed out")
        self.assertIn("status 200", self.get("ok"))
        self.rest.say("quit")
        self.assertIn(int(self.rest.expect("ended ").split()[1]), range(1900, 3000))

    def test_environment_names_the_proxy(self):
        cases = (({}, "a.test", "none"),
                 ({"HTTPS_PROXY": "http://p.test:8080"}, "a.test", "p.test:8080"),
                 ({"https_proxy": "q.test:1", "HTTPS_PROXY": "p.test:2"}, "a.test", "q.test:1"),
                 ({"ALL_PROXY": "http://[::1]:3128/"}, "a.test", "[::1]:3128"),
                 ({"HTTP_PROXY": "p.test:2"}, "a.test", "none"),
                 ({"ALL_PROXY": "socks5://p.test:2"}, "a.test", "none"),
                 ({"ALL_PROXY": "p.test:2"}, "localhost", "none"),
                 ({"ALL_PROXY": "p.test:2"}, "[::1]", "none"),
                 ({"ALL_PROXY": "p.test:2", "NO_PROXY": "b.test,A.test"}, "a.test", "none"),
                 ({"ALL_PROXY": "p.test:2", "NO_PROXY": ".test"}, "a.test", "none"),
                 ({"ALL_PROXY": "p.test:2", "NO_PROXY": "test"}, "a.test", "none"),
                 ({"ALL_PROXY": "p.test:2", "NO_PROXY": "a.test"}, "ba.test", "p.test:2"),
                 ({"ALL_PROXY": "p.test:2", "NO_PROXY": "*"}, "ba.test", "none"))
        for variables, host, want in cases:
            driver = self.driver(environment=variables)
            driver.say(f"proxy {host}")
            self.assertEqual(driver.expect("proxy "), f"proxy {want}", variables)


if __name__ == "__main__":
    if len(sys.argv) > 1 and os.path.exists(sys.argv[1]):
        DRIVER = sys.argv.pop(1)
    unittest.main(verbosity=2)
