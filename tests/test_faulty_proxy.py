"""The proxy that breaks things does what the fault tests believe, as a client sees it."""

import contextlib
import http.client
import http.server
import socket
import threading
import time

import pytest
from harness import faulty_proxy
from harness.faulty_proxy import HttpProxy, TcpProxy


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.command, self.path))
        self.reply(f"hello {self.path}".encode())

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return
        self.server.seen.append((self.command, self.path, body))
        self.reply(body)

    do_PUT = do_POST
    do_HEAD = do_GET

    def reply(self, body):
        self.send_response(200)
        if self.path.startswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy(server):
    proxy = HttpProxy(f"127.0.0.1:{server.server_port}").start()
    yield proxy
    proxy.stop()


@pytest.fixture
def client(proxy):
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    yield client
    client.close()


def ask(client, method, path, body=None, headers=()):
    client.request(method, path, body, dict(headers))
    answer = client.getresponse()
    return answer.status, answer.read()


def test_passes_requests_and_answers_through_one_connection(client, server, proxy):
    body = bytes(range(256)) * 5000
    assert ask(client, "GET", "/a?b=c") == (200, b"hello /a?b=c")
    used = client.sock
    assert ask(client, "POST", "/p", body) == (200, body)
    assert ask(client, "HEAD", "/h") == (200, b"")
    assert ask(client, "GET", "/chunked") == (200, b"hello /chunked")
    assert ask(client, "PUT", "/p", b"x", {"Expect": "100-continue"}) == (200, b"x")
    assert client.sock is used
    assert [seen[:2] for seen in server.seen[:2]] == [("GET", "/a?b=c"), ("POST", "/p")]
    assert proxy.log[:2] == [("GET", "/a?b=c", 200), ("POST", "/p", 200)]
    assert proxy.asked("POST", "^/p$") == 1


def test_reset_in_the_request_leaves_the_server_without_it(client, server, proxy):
    proxy.add(faulty_proxy.reset_request(), method="POST", times=1)
    with pytest.raises(ConnectionResetError):
        ask(client, "POST", "/p", b"x" * 1000)
    assert server.seen == []
    client.close()
    assert ask(client, "POST", "/p", b"again") == (200, b"again")


@pytest.mark.parametrize("fraction", [0.0, 0.5])
def test_reset_in_the_answer_comes_after_the_server_has_done_it(client, server, proxy, fraction):
    proxy.add(faulty_proxy.reset_answer(fraction), method="POST", times=1)
    with pytest.raises(ConnectionResetError):
        ask(client, "POST", "/p", b"x" * 100_000)
    assert len(server.seen) == 1


def test_half_an_answer_ends_too_early(client, server, proxy):
    proxy.add(faulty_proxy.half_answer(), path="^/long")
    with pytest.raises(http.client.IncompleteRead):
        ask(client, "GET", "/long/name")
    assert len(server.seen) == 1


def test_answers_of_its_own_before_and_after_the_server(client, server, proxy):
    proxy.add(faulty_proxy.answer(429, "slow", [("Retry-After", "7")]), method="GET", times=1)
    proxy.add(faulty_proxy.rest_error(503, "ServiceUnavailable", processed=True), method="POST", times=1)
    client.request("GET", "/a")
    answer = client.getresponse()
    assert (answer.status, answer.getheader("Retry-After"), answer.read()) == (429, "7", b"slow")
    assert server.seen == []
    status, body = ask(client, "POST", "/p", b"x")
    assert (status, b"ServiceUnavailable" in body, len(server.seen)) == (503, True, 1)
    assert proxy.log == [("GET", "/a", None), ("POST", "/p", 200)]


def test_rules_choose_by_path_body_header_count_and_seeded_chance(client, server, proxy):
    rule = proxy.add(faulty_proxy.answer(500), path="^/x", body="secret", header=("X-Target", "^Update"), times=2)
    asking = {"X-Target": "UpdateTable"}
    assert ask(client, "POST", "/x", b"no", asking)[0] == 200
    assert ask(client, "POST", "/x", b"a secret", {"X-Target": "GetTable"})[0] == 200
    assert ask(client, "POST", "/y", b"a secret", asking)[0] == 200
    assert [ask(client, "POST", "/x", b"a secret", asking)[0] for _ in range(3)] == [500, 500, 200]
    assert rule.used == 2
    proxy.clear()
    runs = []
    for _ in range(2):
        proxy.clear()
        proxy.add(faulty_proxy.answer(500), probability=0.3, seed=11)
        runs.append([ask(client, "GET", "/")[0] for _ in range(40)])
    assert runs[0] == runs[1]
    assert 3 < runs[0].count(500) < 25


def test_latency_and_black_hole_take_their_time(client, proxy):
    proxy.add(faulty_proxy.latency(0.3), times=1)
    began = time.monotonic()
    assert ask(client, "GET", "/")[0] == 200
    assert time.monotonic() - began >= 0.3
    proxy.add(faulty_proxy.black_hole(0.3), times=1)
    began = time.monotonic()
    with pytest.raises(ConnectionResetError):
        ask(client, "GET", "/")
    assert time.monotonic() - began >= 0.3


def test_down_cuts_what_is_open_and_resets_what_comes(client, proxy):
    assert ask(client, "GET", "/")[0] == 200
    proxy.down(60)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            ask(client, "GET", "/")
        client.close()
    proxy.up()
    assert ask(client, "GET", "/")[0] == 200


class Echo(threading.Thread):
    """A server of some protocol: gives back what it gets, in capitals."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.got = b""
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(ConnectionResetError):
                while data := client.recv(1000):
                    self.got += data
                    client.sendall(data.upper())


@pytest.fixture
def echo():
    echo = Echo()
    yield echo
    echo.listener.close()


@pytest.mark.parametrize("forward", [True, False])
def test_tcp_is_cut_at_a_pattern_with_or_without_the_server_having_it(echo, forward):
    proxy = TcpProxy(echo.address).start()
    proxy.cut_when(b"COMMIT", forward=forward)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
        client.sendall(b"select")
        assert client.recv(100) == b"SELECT"
        client.sendall(b"COMMIT now")
        with pytest.raises(ConnectionResetError):
            client.recv(100)
    assert (b"COMMIT" in echo.got) == forward
    assert proxy.cuts_made == 1
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
        client.sendall(b"commit, and COMMIT again")
        assert client.recv(100) == b"COMMIT, AND COMMIT AGAIN"
    proxy.stop()
