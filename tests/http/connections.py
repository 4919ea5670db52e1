# SPDX-License-Identifier: MIT
"""How a connection behaves: kept alive, pipelined, split, too large, too slow, cut off."""
import select
import time

from harness import SLACK, Connection, Failed, case, check, equal, get, soon, until
from routes import CHUNKED, OK, echo

# ---- keep-alive ----------------------------------------------------------------------------------

# name, request, Connection of the answer, does the connection go on
KEPT = [
    ("1.1", b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", None, True),
    ("1.1, close", b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close", False),
    ("1.1, Close in a list", b"GET /json HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
     "close", False),
    ("1.0", b"GET /plaintext HTTP/1.0\r\n\r\n", "close", False),
    ("1.0, keep-alive", b"GET /plaintext HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", True),
    ("1.0, both", b"GET /plaintext HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "close", False),
    ("after 404", b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", None, True),
    ("after 400 for a parameter", b"GET /fib HTTP/1.1\r\nHost: a\r\n\r\n", None, True),
]


def kept(request, header, goes_on):
    def run(server):
        with Connection(server) as c:
            for _ in range(3 if goes_on else 1):
                c.send(request)
                equal(c.response().headers.get("connection"), header, "Connection")
            if goes_on:
                equal(c.get("/healthz").body, b"ok\n", "the next request")
            else:
                c.expect_end()

    return run


for row in KEPT:
    case(f"keep-alive: {row[0]}", shares=True)(kept(*row[1:]))


@case("keep-alive: requests after close are not answered", shares=True)
def _(server):
    with Connection(server) as c:
        c.send(b"GET /json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + OK)
        equal(c.response().status, 200, "status")
        c.half_close()
        c.expect_end()


@case("keep-alive: the last answer is whole, large or small, read late or not", shares=True)
def _(server):
    close = b"Connection: close\r\n"
    for size in 0, 1, 4000, 1000000:
        body = b"x" * size
        with Connection(server, receive_buffer=4096) as c:
            c.send(OK * 3 + echo(close + b"Content-Length: %d\r\n" % size, body))
            time.sleep(0.05)
            for _ in range(3):
                equal(c.response().body, b"Hello, World!", "body")
            check(c.response().body == body, f"another body than the {size} bytes that were sent")
            c.expect_end()


# ---- pipelining and splits -----------------------------------------------------------------------

MIXED = [
    (OK, b"Hello, World!"),
    (echo(b"Content-Length: 5\r\n", b"hello"), b"hello"),
    (echo(CHUNKED, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), b"abcde"),
    (b"GET /fib?n=10 HTTP/1.1\r\nHost: a\r\n\r\n", b"55\n"),
    (b"GET /sleep?ms=1 HTTP/1.1\r\nHost: a\r\n\r\n", b"slept 1 ms\n"),
    (b"GET /json HTTP/1.1\r\nHost: a\r\n\r\n", b'{"message":"Hello, World!"}'),
]


def expect_mixed(c, times=1):
    for _ in range(times):
        for _, body in MIXED:
            equal(c.response().body, body, "body")


@case("pipelining: all kinds, in order", shares=True)
def _(server):
    with Connection(server) as c:
        c.send(b"".join(request for request, _ in MIXED) * 20)
        expect_mixed(c, 20)


@case("pipelining: what is ready does not wait for what is slow", shares=True)
def _(server):
    with Connection(server) as c:
        began = time.monotonic()
        c.send(OK + b"GET /sleep?ms=500 HTTP/1.1\r\nHost: a\r\n\r\n" + OK)
        c.response()
        check(time.monotonic() - began < soon(0.4), "the first answer waited")
        equal(c.response().body, b"slept 500 ms\n", "body")
        equal(c.response().body, b"Hello, World!", "body")


@case("pipelining: 100,000 requests at once, and a reader that begins late", limit=60)
def _(server):
    import threading
    count = 100000
    with Connection(server, receive_buffer=4096) as c:
        c.socket.settimeout(soon(30))
        sender = threading.Thread(target=c.send, args=(OK * count,), daemon=True)
        sender.start()
        time.sleep(0.3)
        began = time.monotonic()
        equal(get(server, "/healthz").body, b"ok\n", "a second client")
        check(time.monotonic() - began < soon(1), "a second client waited")
        with open(f"/proc/{server.process.pid}/statm") as file:
            check(int(file.read().split()[1]) * 4 < 100000 * SLACK, "it takes over 100 MB")
        received = size = 0
        while not size or received < size * count:
            check(c.more(), "closed before the last answer")
            received += len(c.data)
            size = size or len(c.data.partition(b"Hello, World!")[0]) + 13
            c.data = b""
        equal(received, size * count, "bytes")
        sender.join(5)


@case("split: at every byte, on one connection", shares=True)
def _(server):
    data = b"".join(request for request, _ in MIXED)
    with Connection(server) as c:
        for at in range(1, len(data)):
            c.send(data[:at])
            if at % 4 == 0:
                time.sleep(0.0005)  # most of the time the first half arrives alone
            c.send(data[at:])
            expect_mixed(c)


@case("split: a byte at a time, arriving one by one", shares=True)
def _(server):
    with Connection(server) as c:
        for request, body in MIXED:
            for i in range(len(request)):
                c.send(request[i:i + 1])
                time.sleep(0.0005)
            equal(c.response().body, body, "body")


@case("split: at every pair of bytes", shares=True)
def _(server):
    request = b"POST /echo HTTP/1.1\r\nHost: a\r\n" + CHUNKED + b"\r\n1\r\nx\r\n0\r\n\r\n"
    with Connection(server) as c:
        for one in range(1, len(request), 3):
            for two in range(one + 1, len(request), 2):
                for piece in request[:one], request[one:two], request[two:]:
                    c.send(piece)
                equal(c.response().body, b"x", f"cut at {one} and {two}")


# ---- limits --------------------------------------------------------------------------------------


def line_of(size):
    return b"GET /plaintext?" + b"x" * (size - 26) + b" HTTP/1.1\r\n"


def head_of(size):
    head = b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX: "
    return head + b"x" * (size - len(head) - 4) + b"\r\n\r\n"


# name, bytes, status
SIZES = [
    ("the line itself", line_of(16000) + b"Host: a\r\n\r\n", 200),
    ("a line over the limit", line_of(16385) + b"Host: a\r\n\r\n", 414),
    ("a line without an end", b"GET /" + b"x" * 20000, 414),
    ("a method without an end", b"G" * 20000, 414),
    ("the headers themselves", head_of(16384), 200),
    ("headers over the limit", head_of(16385), 431),
    ("a header without an end", b"GET / HTTP/1.1\r\nX: " + b"x" * 20000, 431),
    ("a name without an end", b"GET / HTTP/1.1\r\n" + b"x" * 20000, 431),
    ("the body itself", echo(b"Content-Length: 1048576\r\n", b"x" * 1048576), 200),
    ("a body over the limit", echo(b"Content-Length: 1048577\r\n", b"x" * 1048577), 413),
    ("a body far over it, none of which is sent", echo(b"Content-Length: 99999999999\r\n", b""), 413),
    ("chunks up to the limit", echo(CHUNKED, b"80000\r\n" + b"x" * 524288 + b"\r\n80000\r\n" +
                                    b"y" * 524288 + b"\r\n0\r\n\r\n"), 200),
    ("chunks over it", echo(CHUNKED, b"100000\r\n" + b"x" * 1048576 + b"\r\n1\r\n"), 413),
]


def sized(data, status):
    def run(server):
        for step in len(data), 1000 if len(data) < 100000 else 65536:
            with Connection(server) as c:
                try:
                    for at in range(0, len(data), step):
                        c.send(data[at:at + step])
                except (BrokenPipeError, ConnectionResetError):
                    pass
                equal(c.response().status, status, f"in pieces of {step}")
                if status == 200:
                    equal(c.get("/healthz").body, b"ok\n", "the next request")
                else:
                    c.half_close()
                    c.expect_end()

    return run


for row in SIZES:
    case(f"limit: {row[0]}", shares=True)(sized(*row[1:]))


@case("limit: others than the default", max_header=100, max_body=10)
def _(server):
    for data, status in [(head_of(100), 200), (head_of(101), 431), (line_of(120), 414),
                         (echo(b"Content-Length: 10\r\n", b"0123456789"), 200),
                         (echo(b"Content-Length: 11\r\n", b"0123456789a"), 413)]:
        with Connection(server) as c:
            c.send(data)
            equal(c.response().status, status, repr(data))


# ---- Expect, HEAD --------------------------------------------------------------------------------


@case("expect: the invitation comes, then the answer", shares=True)
def _(server):
    with Connection(server) as c:
        for _ in range(2):
            c.send(echo(b"Expect: 100-continue\r\nContent-Length: 5\r\n", b""))
            equal(c.response().status, 100, "status")
            c.send(b"hello")
            equal(c.response().body, b"hello", "body")


@case("expect: no invitation if the body is there, or for HTTP/1.0, or if it is too large", shares=True)
def _(server):
    with Connection(server) as c:
        c.send(echo(b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"hello"))
        equal(c.response().body, b"hello", "body")
        c.send(b"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        time.sleep(0.05)
        c.send(b"hello")
        equal(c.response().status, 200, "status")
    with Connection(server) as c:
        c.send(echo(b"Expect: 100-continue\r\nContent-Length: 5000000\r\n", b""))
        equal(c.response().status, 413, "status")


# ---- deadlines -----------------------------------------------------------------------------------


def slowly(server, data, seconds):
    """Sends data a byte every twentieth of a second: 408 after seconds, whatever still comes."""
    with Connection(server) as c:
        began, sent = time.monotonic(), 0
        while time.monotonic() - began < soon(5):
            c.send(data[sent:sent + 1])
            sent += 1
            if select.select([c.socket], [], [], 0.05)[0]:
                break
        equal(c.response().status, 408, "status")
        took = time.monotonic() - began
        check(seconds - 0.1 < took < seconds + soon(0.5), f"after {took:.2f} s")
        c.half_close()
        c.expect_end()


@case("deadline: headers, however slowly they come", header_timeout=0.6)
def _(server):
    slowly(server, OK * 9, 0.6)


@case("deadline: headers that stop", header_timeout=0.5)
def _(server):
    slowly(server, b"GET", 0.5)


@case("deadline: a method that may become one", header_timeout=0.5)
def _(server):
    slowly(server, b"BR", 0.5)


@case("deadline: the body", body_timeout=0.6)
def _(server):
    with Connection(server) as c:
        began = time.monotonic()
        c.send(echo(b"Content-Length: 1000\r\n", b"x"))
        equal(c.response().status, 408, "status")
        check(0.5 < time.monotonic() - began < 0.6 + soon(0.5), "at another time")


IDLE = 0.75 * SLACK


@case("deadline: idle, from the last answer", idle_timeout=IDLE)
def _(server):
    with Connection(server) as c:
        for _ in range(int(IDLE / 0.3) + 1):
            time.sleep(0.3)
            began = time.monotonic()
            equal(c.get("/plaintext").status, 200, "status")
        c.expect_end()
        check(IDLE - 0.1 < time.monotonic() - began < IDLE + soon(0.5), "at another time")


HEADER = 0.75 * SLACK


@case("deadline: the second request's headers have a time of their own", header_timeout=HEADER)
def _(server):
    with Connection(server) as c:
        for _ in range(int(HEADER / 0.5) + 2):
            c.send(OK[:10])
            time.sleep(0.25)
            c.send(OK[10:] + OK[:10])
            equal(c.response().status, 200, "status")
            time.sleep(0.25)
            c.send(OK[10:])
            equal(c.response().status, 200, "status")


@case("deadline: a client that does not read", write_timeout=0.5)
def _(server):
    before = server.descriptors()
    with Connection(server, receive_buffer=4096) as c:
        try:
            for _ in range(200):
                c.send(echo(b"Content-Length: 1000000\r\n", b"x" * 1000000))
            raise Failed("200 MB went to a client that does not read")
        except (BrokenPipeError, ConnectionResetError):
            pass
        until(lambda: server.descriptors() == before, "the connection stays open")
    equal(get(server, "/healthz").body, b"ok\n", "another client")


# ---- the other end goes away ---------------------------------------------------------------------


@case("half-close: after the request, the whole answer", shares=True)
def _(server):
    body = b"x" * 1000000
    with Connection(server) as c:
        c.send(OK + echo(b"Content-Length: 1000000\r\n", body) +
               b"GET /sleep?ms=100 HTTP/1.1\r\nHost: a\r\n\r\n")
        c.half_close()
        equal(c.response().body, b"Hello, World!", "body")
        check(c.response().body == body, "the body is not what was sent")
        equal(c.response().body, b"slept 100 ms\n", "body")
        c.expect_end()


@case("half-close: after half a request, and after nothing", shares=True)
def _(server):
    for data, status in [(OK[:20], 400), (echo(b"Content-Length: 5\r\n", b"he"), 400),
                         (OK + OK[:9], 200), (b"", None)]:
        with Connection(server) as c:
            c.send(data)
            c.half_close()
            if status:
                equal(c.response().status, status, repr(data))
            if status == 200:
                equal(c.response().status, 400, "the half")
            c.expect_end()


@case("reset: at any moment, and nothing is left behind")
def _(server):
    before = server.descriptors(), server.threads()
    moments = [b"", OK[:20], OK, echo(b"Content-Length: 100\r\n", b"x"),
               b"GET /sleep?ms=50 HTTP/1.1\r\nHost: a\r\n\r\n", OK * 1000,
               echo(b"Content-Length: 1000000\r\n", b"x" * 1000000) * 3]
    for _ in range(10):
        for data in moments:
            c = Connection(server, receive_buffer=4096)
            c.send(data)
            c.reset()
    until(lambda: (server.descriptors(), server.threads()) == before,
          f"{server.descriptors()} descriptors and {server.threads()} threads, not {before}")
    equal(get(server, "/healthz").body, b"ok\n", "another client")
