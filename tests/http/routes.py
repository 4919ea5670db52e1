# SPDX-License-Identifier: MIT
"""What each route answers, and what is refused: one table, a case a row."""
from harness import Connection, case, check, equal, get

OK = b"GET /plaintext HTTP/1.1\r\nHost: test\r\n\r\n"


def echo(headers, body):
    return b"POST /echo HTTP/1.1\r\nHost: test\r\n" + headers + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"

# name, target, status, body (None: any), Content-Type
ANSWERS = [
    ("home", "/", 200, None, "text/html; charset=utf-8"),
    ("plaintext", "/plaintext", 200, b"Hello, World!", "text/plain"),
    ("a query that nobody reads", "/plaintext?a=b&c", 200, b"Hello, World!", "text/plain"),
    ("json", "/json", 200, b'{"message":"Hello, World!"}', "application/json"),
    ("sleep", "/sleep?ms=20", 200, b"slept 20 ms\n", "text/plain"),
    ("sleep 0", "/sleep?ms=0", 200, b"slept 0 ms\n", "text/plain"),
    ("sleep, other parameters too", "/sleep?x=9&ms=1&y", 200, b"slept 1 ms\n", "text/plain"),
    ("sleep too long", "/sleep?ms=60001", 400, None, "text/plain"),
    ("sleep, a huge number", "/sleep?ms=99999999999999999999", 400, None, "text/plain"),
    ("sleep, no number", "/sleep?ms=x", 400, None, "text/plain"),
    ("sleep, empty", "/sleep?ms=", 400, None, "text/plain"),
    ("sleep, negative", "/sleep?ms=-1", 400, None, "text/plain"),
    ("sleep, a fraction", "/sleep?ms=1.5", 400, None, "text/plain"),
    ("sleep, a sign", "/sleep?ms=+1", 400, None, "text/plain"),
    ("sleep, given twice", "/sleep?ms=1&ms=2", 400, None, "text/plain"),
    ("fib 0", "/fib?n=0", 200, b"0\n", "text/plain"),
    ("fib 1", "/fib?n=1", 200, b"1\n", "text/plain"),
    ("fib 27", "/fib?n=27", 200, b"196418\n", "text/plain"),
    ("fib too large", "/fib?n=46", 400, None, "text/plain"),
    ("fib, no number", "/fib?n=ten", 400, None, "text/plain"),
    ("fib, missing", "/fib", 400, None, "text/plain"),
    ("fib, another parameter", "/fib?m=1", 400, None, "text/plain"),
    ("dashboard", "/dashboard", 200, None, "text/html; charset=utf-8"),
    ("health", "/healthz", 200, b"ok\n", "text/plain"),
    ("nothing there", "/nothing", 404, None, "text/plain"),
    ("a route and more", "/plaintext/", 404, None, "text/plain"),
    ("half a route", "/plain", 404, None, "text/plain"),
    ("files without a root", "/files/x", 404, None, "text/plain"),
]


def answers(target, status, body, kind):
    def run(server):
        with Connection(server) as c:
            r = c.get(target)
            equal(r.status, status, "status")
            equal(r.headers["content-type"], kind, "type")
            check(body is None or r.body == body, f"body {r.body!r}")
            check(r.body, "an empty page")
            head = c.get(target, method="HEAD")
            equal((head.status, head.headers["content-type"]), (status, kind), "HEAD")
            equal(int(head.headers["content-length"]), len(r.body), "HEAD's length")
            equal(c.get("/healthz").body, b"ok\n", "the next request")

    return run


for row in ANSWERS:
    case(f"route: {row[0]}", shares=True)(answers(*row[1:]))


@case("route: echo", shares=True)
def _(server):
    with Connection(server) as c:
        for body in b"", b"x", b"hello", bytes(range(256)) * 40, b"y" * 1048576:
            c.send(echo(b"Content-Length: %d\r\n" % len(body), body))
            r = c.response()
            check(r.status == 200 and r.body == body, f"{len(body)} bytes came back as {r}")


@case("route: stats and metrics", shares=True)
def _(server):
    import json
    before = json.loads(get(server, "/stats").body)
    for _ in range(10):
        get(server, "/plaintext")
    stats = json.loads(get(server, "/stats").body)
    equal(stats["requests"] - before["requests"], 11, "requests")
    check(stats["connections"] >= 1, "no connection")
    names = "tasks published steals steal_misses parks wakes waits pending stacks".split()
    for one in [stats["total"]] + stats["workers"]:
        equal(sorted(one), sorted(names), "names")
    text = get(server, "/metrics").body.decode()
    for name in "filch_requests_total ", "filch_connections ":
        check("\n" + name in text, f"no {name}")
    if stats["workers"]:
        check('\nfilch_tasks_total{worker="0"} ' in text, "no filch_tasks_total")


@case("route: the page of the dashboard is whole, and asks for what there is", shares=True)
def _(server):
    import json
    import re
    page = get(server, "/dashboard").body.decode()
    check(page.startswith("<!DOCTYPE html>") and page.endswith("</script>\n"), "not a page")
    stats = json.loads(get(server, "/stats").body)
    for name in re.search(r"RATES = (\[[^]]*\])", page)[1].strip("[]").split(", "):
        check(name.strip('"') in stats["total"], f"/stats has no {name}")
    for name in re.findall(r"now\.total\.(\w+)", page):
        check(name in stats["total"], f"/stats has no {name}")


# name, method, target, status, Allow
METHODS = [
    ("POST where GET is", "POST", "/plaintext", 405, "GET, HEAD"),
    ("DELETE", "DELETE", "/json", 405, "GET, HEAD"),
    ("PATCH", "PATCH", "/sleep", 405, "GET, HEAD"),
    ("OPTIONS on a route", "OPTIONS", "/fib", 405, "GET, HEAD"),
    ("GET where POST is", "GET", "/echo", 405, "POST"),
    ("HEAD where POST is", "HEAD", "/echo", 405, "POST"),
    ("DELETE on nothing", "DELETE", "/nothing", 404, None),
    ("OPTIONS *", "OPTIONS", "*", 200, "GET, HEAD, POST, OPTIONS"),
]


def method_answers(method, target, status, allow):
    def run(server):
        with Connection(server) as c:
            r = c.get(target, method=method)
            equal((r.status, r.headers.get("allow")), (status, allow), "answer")
            equal(c.get("/healthz").body, b"ok\n", "the next request")

    return run


for row in METHODS:
    case(f"method: {row[0]}", shares=True)(method_answers(*row[1:]))

LINE = b"GET /plaintext HTTP/1.1\r\n"

# name, bytes, status. What follows them is a good request, which must not be answered.
REFUSED = [
    ("unknown method", b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("method in small letters", b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("method of another protocol", b"DESCRIBE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("CONNECT", b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("method that is no word", b"G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("HTTP/0.9", b"GET /\r\n", 400),
    ("HTTP/0.9, LF only", b"GET /\n", 400),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    ("HTTP/3", b"GET / HTTP/3\r\nHost: a\r\n\r\n", 505),
    ("HTTP/1.11", b"GET / HTTP/1.11\r\nHost: a\r\n\r\n", 400),
    ("http/1.1", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), 400),
    ("no target", b"GET\r\n\r\n", 400),
    ("two spaces", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a space in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a space after the version", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("a tab in the line", b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a fragment", b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("8 bits in the target", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("NUL in the target", b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a target without a slash", b"GET plaintext HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("* for GET", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("another scheme", b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a user in the target", b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("absolute, without a host", b"GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("Host twice", LINE + b"Host: a\r\nHost: a\r\n\r\n", 400),
    ("Host twice in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("Host with a space", LINE + b"Host: a b\r\n\r\n", 400),
    ("Host with a slash", LINE + b"Host: a/b\r\n\r\n", 400),
    ("Host with a user", LINE + b"Host: u@b\r\n\r\n", 400),
    ("bare LF", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("bare LF after a header", LINE + b"Host: a\nX: b\r\n\r\n", 400),
    ("bare LF at the end", LINE + b"Host: a\r\n\n", 400),
    ("LF first", b"\n" + OK, 400),
    ("bare CR in the line", b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
    ("bare CR after a header", LINE + b"Host: a\rX: b\r\n\r\n", 400),
    ("bare CR in a value", LINE + b"Host: a\r\nX: a\rb\r\n\r\n", 400),
    ("CR CR LF", LINE + b"Host: a\r\nX: a\r\r\n\r\n", 400),
    ("NUL in a value", LINE + b"Host: a\r\nX: \x00\r\n\r\n", 400),
    ("NUL in a name", LINE + b"Host: a\r\nX\x00: b\r\n\r\n", 400),
    ("a control character", LINE + b"Host: a\r\nX: \x01\r\n\r\n", 400),
    ("DEL in a value", LINE + b"Host: a\r\nX: \x7f\r\n\r\n", 400),
    ("a fold", LINE + b"Host: a\r\nX: a\r\n b\r\n\r\n", 400),
    ("a fold by a tab", LINE + b"Host: a\r\nX: a\r\n\tb\r\n\r\n", 400),
    ("a fold at once", LINE + b"Host: a\r\nX:\r\n b\r\n\r\n", 400),
    ("a fold with nothing in it", LINE + b"Host: a\r\nX: a\r\n \r\n\r\n", 400),
    ("a fold before any header", LINE + b" Host: a\r\n\r\n", 400),
    ("a space before the colon", LINE + b"Host : a\r\n\r\n", 400),
    ("no colon", LINE + b"Host: a\r\nnonsense\r\n\r\n", 400),
    ("no name", LINE + b"Host: a\r\n: b\r\n\r\n", 400),
    ("8 bits in a name", LINE + b"Host: a\r\nX\xe4: b\r\n\r\n", 400),
    ("length and chunked", echo(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n"), 400),
    ("chunked and length", echo(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n"), 400),
    ("chunked twice", echo(CHUNKED * 2, b"0\r\n\r\n"), 400),
    ("chunked, chunked", echo(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"), 400),
    ("gzip, chunked", echo(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), 400),
    ("chunked, gzip", echo(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n"), 400),
    ("gzip", echo(b"Transfer-Encoding: gzip\r\n", b"0\r\n\r\n"), 400),
    ("xchunked", echo(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), 400),
    ("identity", echo(b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n"), 400),
    ("chunked after a fold", echo(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), 400),
    ("chunked after VT", echo(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"), 400),
    ("chunked, space before the colon", echo(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), 400),
    ("no coding", echo(b"Transfer-Encoding: \r\n", b"0\r\n\r\n"), 400),
    ("chunked in HTTP/1.0", b"POST /echo HTTP/1.0\r\n" + CHUNKED + b"\r\n0\r\n\r\n", 400),
    ("length with a sign", echo(b"Content-Length: +5\r\n", b"hello"), 400),
    ("length negative", echo(b"Content-Length: -5\r\n", b"hello"), 400),
    ("length in a list", echo(b"Content-Length: 5, 5\r\n", b"hello"), 400),
    ("length twice", echo(b"Content-Length: 5\r\n" * 2, b"hello"), 400),
    ("lengths that differ", echo(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello"), 400),
    ("length hexadecimal", echo(b"Content-Length: 0x5\r\n", b"hello"), 400),
    ("length and a letter", echo(b"Content-Length: 5a\r\n", b"hello"), 400),
    ("length with a space", echo(b"Content-Length: 5 5\r\n", b"hello"), 400),
    ("length empty", echo(b"Content-Length: \r\n", b"hello"), 400),
    ("length of 2^64", echo(b"Content-Length: 18446744073709551616\r\n", b"hello"), 400),
    ("length of 2^64 + 5", echo(b"Content-Length: 18446744073709551621\r\n", b"hello"), 400),
    ("length with a fraction", echo(b"Content-Length: 5.0\r\n", b"hello"), 400),
    ("length folded", echo(b"Content-Length: 5\r\n 6\r\n", b"hello"), 400),
    ("chunk: LF only", echo(CHUNKED, b"3\nabc\r\n0\r\n\r\n"), 400),
    ("chunk: longer than it says", echo(CHUNKED, b"3\r\nabcd\r\n0\r\n\r\n"), 400),
    ("chunk: shorter than it says", echo(CHUNKED, b"5\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk: no CR after it", echo(CHUNKED, b"3\r\nabc\n0\r\n\r\n"), 400),
    ("chunk: 0x", echo(CHUNKED, b"0x3\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk: negative", echo(CHUNKED, b"-3\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk: a sign", echo(CHUNKED, b"+3\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk: a space before", echo(CHUNKED, b" 3\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk: a space after", echo(CHUNKED, b"3 \r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk: no size", echo(CHUNKED, b"\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk: no digit", echo(CHUNKED, b"g\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk: size of 2^64", echo(CHUNKED, b"10000000000000000\r\nabc\r\n"), 400),
    ("chunk: size of 2^64 - 1", echo(CHUNKED, b"FFFFFFFFFFFFFFFF\r\nabc\r\n"), 413),
    ("chunk: LF in an extension", echo(CHUNKED, b"3;a\nb\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk: CR in an extension", echo(CHUNKED, b"3;a\rb\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk: an endless extension", echo(CHUNKED, b"3;" + b"a" * 20000), 400),
    ("trailer: a fold", echo(CHUNKED, b"0\r\nX: a\r\n b\r\n\r\n"), 400),
    ("trailer: no colon", echo(CHUNKED, b"0\r\nnonsense\r\n\r\n"), 400),
    ("trailer: endless", echo(CHUNKED, b"0\r\n" + b"X: aaaaaa\r\n" * 3000), 400),
    ("another expectation", echo(b"Expect: 200-ok\r\nContent-Length: 5\r\n", b"hello"), 417),
    ("100 headers are enough", LINE + b"Host: a\r\n" + b"X: b\r\n" * 100 + b"\r\n", 431),
]


def refuses(data, status):
    def run(server):
        # whole, then a byte at a time: it answers the same and does not go on
        for pieces in [data + OK], [data[i:i + 1] for i in range(min(len(data), 400))]:
            with Connection(server) as c:
                try:
                    for piece in pieces:
                        c.send(piece)
                    if len(pieces) > 1:
                        c.send(data[400:] + OK)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it had enough before the end
                r = c.response()
                equal(r.status, status, "status")
                equal(r.headers.get("connection"), "close", "Connection")
                c.half_close()
                c.expect_end("the end after one answer")
        equal(get(server, "/healthz").body, b"ok\n", "another client")

    return run


for row in REFUSED:
    case(f"refused: {row[0]}", shares=True)(refuses(*row[1:]))

# name, bytes, bodies of the answers
ACCEPTED = [
    ("nothing in Host", LINE + b"Host:\r\n\r\n", [b"Hello, World!"]),
    ("Host with a port", LINE + b"Host: [::1]:80\r\n\r\n", [b"Hello, World!"]),
    ("absolute-form", b"GET http://b.example/healthz HTTP/1.1\r\nHost: a\r\n\r\n", [b"ok\n"]),
    ("absolute-form, a query", b"GET http://b?n=1 HTTP/1.1\r\nHost: a\r\n\r\n", [None]),
    ("absolute-form to a route", b"GET http://b/fib?n=9 HTTP/1.1\r\nHost: b\r\n\r\n", [b"34\n"]),
    ("an empty line before", b"\r\n" + OK, [b"Hello, World!"]),
    ("empty lines between", OK + b"\r\n\r\n" + OK, [b"Hello, World!"] * 2),
    ("8 bits in a value", LINE + b"Host: a\r\nX: \xe4\r\n\r\n", [b"Hello, World!"]),
    ("an empty value", LINE + b"Host: a\r\nX:\r\n\r\n", [b"Hello, World!"]),
    ("blanks around a value", LINE + b"Host: \t a \t \r\n\r\n", [b"Hello, World!"]),
    ("99 headers and Host", LINE + b"Host: a\r\n" + b"X: b\r\n" * 99 + b"\r\n", [b"Hello, World!"]),
    ("GET with a body", LINE + b"Host: a\r\nContent-Length: 3\r\n\r\nabc" + OK,
     [b"Hello, World!"] * 2),
    ("leading zeros in a length", echo(b"Content-Length: 0003\r\n", b"abc"), [b"abc"]),
    ("chunks", echo(CHUNKED, b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"), [b"abc0123456789"]),
    ("chunks, CHUNKED", echo(CHUNKED.upper(), b"1\r\na\r\n0\r\n\r\n"), [b"a"]),
    ("chunks, an extension", echo(CHUNKED, b"3;a=b\r\nabc\r\n0\r\n\r\n"), [b"abc"]),
    ("chunks, a trailer", echo(CHUNKED, b"1\r\na\r\n0\r\nX: a b\r\nY: c\r\n\r\n") + OK,
     [b"a", b"Hello, World!"]),
    ("a trailer is no header", echo(CHUNKED, b"0\r\nContent-Length: 60\r\n\r\n") + OK,
     [b"", b"Hello, World!"]),
    ("an upgrade that is declined",
     LINE + b"Host: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + OK, [b"Hello, World!"] * 2),
    ("a method for a length", b"PUT /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + OK,
     [None, b"Hello, World!"]),
    ("a body for a route that is not there",
     b"POST /nothing HTTP/1.1\r\nHost: a\r\n" + CHUNKED + b"\r\n3\r\nGET\r\n0\r\n\r\n" + OK,
     [None, b"Hello, World!"]),
    ("many merged", (OK + echo(b"Content-Length: 2\r\n", b"hi")) * 500,
     [b"Hello, World!", b"hi"] * 500),
]


def accepts(data, bodies):
    def run(server):
        with Connection(server) as c:
            for piece in [data], [data[i:i + 1] for i in range(min(len(data), 2000))]:
                if len(piece) > 1 and len(data) > 2000:
                    continue
                for part in piece:
                    c.send(part)
                for body in bodies:
                    r = c.response()
                    check(body is None or (r.status, r.body) == (200, body), f"{r}, not {body!r}")
            equal(c.get("/healthz").body, b"ok\n", "the next request")

    return run


for row in ACCEPTED:
    case(f"accepted: {row[0]}", shares=True)(accepts(*row[1:]))
