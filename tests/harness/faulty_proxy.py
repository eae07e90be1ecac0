"""Proxies on 127.0.0.1 that break things between a client and a real server, as the test says.

    proxy = HttpProxy("127.0.0.1:9000").start()
    proxy.add(answer(503), method="POST", path=r"/commit$", times=2)      # before the server sees the request
    proxy.add(reset_answer(), path=r"/commit$", probability=0.1, seed=7)  # the server has done what it was asked
    proxy.down(5)                                                         # refuses everybody for 5 s

A rule's fault meets a request as an `Exchange`, which it may forward or not. Of several rules that match a request the first
that is not used up takes it; a request without one goes through as it is. What was asked is in `proxy.log`.

`TcpProxy` does the same to protocols that it doesn't know, by the bytes that pass.
"""

import contextlib
import ctypes
import dataclasses
import random
import re
import select
import socket
import struct
import threading
import time

CHUNK = 1 << 16
# No test waits longer for a byte.
SOCKET_TIMEOUT_S = 120


@dataclasses.dataclass
class Message:
    """A request or an answer, its body whole. `head` is what stands before it, byte for byte."""

    head: bytes
    body: bytes
    raw_body: bytes  # As it came: chunked or not.

    @property
    def first_line(self):
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    def header(self, name):
        found = re.search(rb"(?im)^" + re.escape(name.encode()) + rb":[ \t]*(.*?)[ \t]*\r?$", self.head)
        return found.group(1).decode("latin-1") if found else None

    @property
    def bytes(self):
        return self.head + self.raw_body


@dataclasses.dataclass
class Request(Message):
    @property
    def method(self):
        return self.first_line.split(" ")[0]

    @property
    def path(self):
        """With the query."""
        return self.first_line.split(" ")[1]


class Answer(Message):
    @property
    def status(self):
        return int(self.first_line.split(" ")[1])


class Closed(Exception):
    """The connection is over, for one side or both."""


class Exchange:
    """One request on its way. A fault answers it with what it likes; afterwards the connection stays open unless the fault
    closed it."""

    def __init__(self, request, connection):
        self.request = request
        self._connection = connection
        self.forwarded = False

    def forward(self):
        """The server's answer; it has done what it was asked."""
        self.forwarded = True
        guard = self._connection.proxy.guard
        return guard(self.request, self._connection.ask_server) if guard else self._connection.ask_server(self.request)

    def forward_part(self, fraction):
        """Gives the server the beginning of the request, and hangs up on it."""
        self._connection.tell_server_part(self.request.bytes, fraction)

    def answer(self, data):
        self._connection.client.sendall(data)

    def reset(self):
        """The client sees "connection reset by peer"."""
        reset(self._connection.client)
        raise Closed

    def close(self):
        """The client sees the end of the stream."""
        raise Closed

    def wait(self, seconds):
        """Ends early when the proxy stops."""
        self._connection.proxy.stopping.wait(seconds)


# Faults: what becomes of an exchange.


def pass_through(exchange):
    exchange.answer(exchange.forward().bytes)


def latency(seconds):
    def fault(exchange):
        exchange.wait(seconds)
        pass_through(exchange)

    return fault


def reset_request(fraction=0.5):
    """The connection is reset while the request is being sent: the server never has it whole."""

    def fault(exchange):
        exchange.forward_part(fraction)
        exchange.reset()

    return fault


def reset_answer(fraction=0.0):
    """The server has done what it was asked; of its answer comes a part, then a reset."""

    def fault(exchange):
        data = exchange.forward().bytes
        exchange.answer(data[: int(len(data) * fraction)])
        exchange.reset()

    return fault


def half_answer():
    """The head and half of the body of the server's answer, then the end of the stream."""

    def fault(exchange):
        answer = exchange.forward()
        exchange.answer(answer.head + answer.raw_body[: len(answer.raw_body) // 2])
        exchange.close()

    return fault


def answer(status, body="", headers=(), *, processed=False):
    """An answer of the proxy's own; `processed`: the server has done what it was asked, and nobody learns how it went."""

    def fault(exchange):
        if processed:
            exchange.forward()
        exchange.answer(make_answer(status, "" if exchange.request.method == "HEAD" else body, headers).bytes)

    return fault


def make_answer(status, body="", headers=()):
    content = body.encode()
    lines = [f"HTTP/1.1 {status} Injected", *(f"{name}: {value}" for name, value in headers)]
    return Answer("\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode(), content, content)


def black_hole(seconds):
    """The request is swallowed and never answered."""

    def fault(exchange):
        exchange.wait(seconds)
        exchange.reset()

    return fault


def rest_error(status, kind, *, processed=False, headers=()):
    """An error as an Iceberg REST catalog says it."""
    body = f'{{"error": {{"message": "injected", "type": "{kind}", "code": {status}}}}}'
    return answer(status, body, [("Content-Type", "application/json"), *headers], processed=processed)


def s3_error(status, code, headers=()):
    """An error as S3 says it."""
    body, content_type = s3_error_text(code)
    return answer(status, body, [*content_type, *headers])


def s3_error_text(code):
    """Body and headers of S3's error."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>injected</Message></Error>"
    return body, [("Content-Type", "application/xml")]


def aws_json_error(status, code, *, processed=False):
    """An error as Glue says it."""
    return answer(status, *aws_json(code), processed=processed)


def aws_json(code):
    """Body and headers of Glue's error."""
    return f'{{"__type": "{code}", "message": "injected"}}', [("Content-Type", "application/x-amz-json-1.1")]


@dataclasses.dataclass
class Rule:
    fault: object
    method: str | None = None
    path: str = ""
    body: str = ""  # A regular expression, as `path`.
    header: tuple | None = None  # (name, regular expression)
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    used: int = 0

    def __post_init__(self):
        self._dice = random.Random(self.seed)

    def takes(self, request):
        """Whether the request is this rule's; counts it."""
        if self.times is not None and self.used >= self.times:
            return False
        if self.method and request.method != self.method:
            return False
        if not re.search(self.path, request.path) or (self.body and not re.search(self.body.encode(), request.body)):
            return False
        if self.header and not re.search(self.header[1], request.header(self.header[0]) or ""):
            return False
        if self._dice.random() >= self.probability:
            return False
        self.used += 1
        return True


class _Proxy:
    """Takes connections, a thread for each."""

    def __init__(self, upstream):
        self.lead_to(upstream)
        self.stopping = threading.Event()
        self._down_until = 0.0
        self._lock = threading.Lock()
        self._sockets = set()
        self._listener = None

    def start(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self._accept, name=f"proxy {self.port}", daemon=True).start()
        return self

    def stop(self):
        self.stopping.set()
        self._listener.close()
        self.cut()

    def lead_to(self, upstream):
        """New connections go there: a server that was started again may have another port."""
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))

    def down(self, seconds):
        """Cuts every connection, and resets each new one for that long."""
        self._down_until = time.monotonic() + seconds
        self.cut()

    def up(self):
        self._down_until = 0.0

    def is_down(self):
        return time.monotonic() < self._down_until

    def cut(self):
        """Resets every open connection."""
        with self._lock:
            for open_socket in self._sockets:
                reset(open_socket)

    def connect(self):
        server = socket.create_connection(self._upstream, timeout=SOCKET_TIMEOUT_S)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server

    @contextlib.contextmanager
    def watching(self, open_socket):
        """So that `cut` reaches it."""
        with self._lock:
            self._sockets.add(open_socket)
        try:
            yield open_socket
        finally:
            with self._lock:
                self._sockets.discard(open_socket)
            open_socket.close()

    def _accept(self):
        while not self.stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_down():
                reset(client)
                client.close()
                continue
            client.settimeout(SOCKET_TIMEOUT_S)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve_watched, args=[client], daemon=True).start()

    def _serve_watched(self, client):
        with self.watching(client), contextlib.suppress(Closed, OSError):
            self.serve(client)


class HttpProxy(_Proxy):
    """For HTTP/1.1 without TLS, with connections that are kept open. `guard`(request, ask) gives the server's answers in its
    place; ask(request) asks the server."""

    def __init__(self, upstream, guard=None):
        super().__init__(upstream)
        self.guard = guard
        self._rules = []
        self._rules_lock = threading.Lock()
        self.log = []  # (method, path, status that the server gave or None)

    def add(self, fault, **when):
        """Adds a rule, and gives it: `rule.used` counts its requests."""
        rule = Rule(fault, **when)
        with self._rules_lock:
            self._rules.append(rule)
        return rule

    def clear(self):
        with self._rules_lock:
            self._rules.clear()

    def fault_for(self, request):
        with self._rules_lock:
            return next((rule.fault for rule in self._rules if rule.takes(request)), pass_through)

    def asked(self, method, path):
        """How many requests of that kind came."""
        return sum(1 for asked, where, _ in list(self.log) if asked == method and re.search(path, where))

    def serve(self, client):
        connection = _HttpConnection(self, client)
        with contextlib.closing(connection):
            while True:
                request = read_message(connection.client_reader, Request, on_expect=lambda: client.sendall(CONTINUE))
                exchange = Exchange(request, connection)
                self.fault_for(request)(exchange)
                if not exchange.forwarded:
                    self.log.append((request.method, request.path, None))
                if (request.header("Connection") or "").lower() == "close" or connection.server_closed:
                    return


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _HttpConnection:
    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client
        self.client_reader = _Reader(client)
        self._server = None
        self._server_reader = None
        self.server_closed = False

    def ask_server(self, request):
        """A connection to the server that has gone stale since the last request is made anew, as nothing was sent on it."""
        if self._server is not None and select.select([self._server], [], [], 0)[0]:
            self._server.close()
            self._server = None
        if self._server is None:
            self._server = self.proxy.connect()
            self._server_reader = _Reader(self._server)
        self._server.sendall(request.bytes)
        answer = read_message(self._server_reader, Answer, to_method=request.method)
        self.proxy.log.append((request.method, request.path, answer.status))
        self.server_closed = (answer.header("Connection") or "").lower() == "close"
        return answer

    def tell_server_part(self, data, fraction):
        with contextlib.closing(self.proxy.connect()) as server:
            server.sendall(data[: max(1, int(len(data) * fraction))])

    def close(self):
        if self._server is not None:
            self._server.close()


class _Reader:
    """Reads from a socket up to a mark or a length; Closed where the stream ends before."""

    def __init__(self, source):
        self._socket = source
        self._buffer = b""

    def _more(self):
        data = self._socket.recv(CHUNK)
        if not data:
            raise Closed
        self._buffer += data

    def until(self, mark):
        while mark not in self._buffer:
            self._more()
        found, self._buffer = self._buffer.split(mark, 1)
        return found + mark

    def exactly(self, count):
        parts = [self._buffer[:count]]
        self._buffer = self._buffer[count:]
        missing = count - len(parts[0])
        while missing:
            data = self._socket.recv(min(missing, CHUNK))
            if not data:
                raise Closed
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def rest(self):
        with contextlib.suppress(Closed):
            while True:
                self._more()
        data, self._buffer = self._buffer, b""
        return data


def read_message(reader, kind, to_method=None, on_expect=None):
    """The next whole message (RFC 9112, section 6). Interim answers (1xx) of a server are left out."""
    while True:
        message = kind(reader.until(b"\r\n\r\n"), b"", b"")
        if kind is Request or message.status >= 200:
            break
    if on_expect and (message.header("Expect") or "").lower() == "100-continue":
        on_expect()
    if to_method == "HEAD" or (kind is Answer and message.status in (204, 304)):
        return message
    if "chunked" in (message.header("Transfer-Encoding") or "").lower():
        while True:
            line = reader.until(b"\r\n")
            size = int(line.split(b";")[0], 16)
            message.raw_body += line
            if size == 0:
                # Trailers end with an empty line.
                while (trailer := reader.until(b"\r\n")) != b"\r\n":
                    message.raw_body += trailer
                message.raw_body += trailer
                return message
            chunk = reader.exactly(size + 2)
            message.raw_body += chunk
            message.body += chunk[:-2]
    length = message.header("Content-Length")
    if length is not None:
        message.body = reader.exactly(int(length))
    elif kind is Answer:
        message.body = reader.rest()
    message.raw_body = message.body
    return message


def reset(open_socket):
    """Sends RST and not FIN, whichever thread waits for the socket: it is woken with an error, and closes it."""
    # connect() to AF_UNSPEC aborts a TCP connection (tcp_disconnect in Linux). Python's own connect() can't say that.
    with contextlib.suppress(OSError):
        if open_socket.fileno() >= 0:
            ctypes.CDLL(None).connect(open_socket.fileno(), struct.pack("H14x", socket.AF_UNSPEC), 16)


class TcpProxy(_Proxy):
    """For any protocol. `cut_when(pattern)` lets a client's bytes pass up to and with the pattern, and resets the
    connection before the server's answer to it comes back: what was asked is done, and nobody learns of it."""

    def __init__(self, upstream):
        super().__init__(upstream)
        self._cuts = []
        self.latency_s = 0.0
        self.cuts_made = 0

    def cut_when(self, pattern, *, times=1, forward=True):
        """`forward`: whether the server still gets the bytes."""
        self._cuts.append([re.compile(pattern, re.DOTALL), times, forward])

    def serve(self, client):
        with self.watching(self.connect()) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [], 1)
                if self.stopping.is_set():
                    return
                for source in ready:
                    data = source.recv(CHUNK)
                    if not data:
                        return
                    if self.latency_s:
                        self.stopping.wait(self.latency_s)
                    if source is server:
                        client.sendall(data)
                        continue
                    cut = self._cut_for(data)
                    if cut is None or cut[2]:
                        server.sendall(data)
                    if cut is not None:
                        if cut[2]:
                            # Until the server has answered, so that it has surely done what it was asked.
                            select.select([server], [], [], 10)
                        reset(client)
                        return

    def _cut_for(self, data):
        with self._lock:
            for cut in self._cuts:
                if cut[1] > 0 and cut[0].search(data):
                    cut[1] -= 1
                    self.cuts_made += 1
                    return cut
        return None
