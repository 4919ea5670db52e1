# SPDX-License-Identifier: MIT
"""Where a request ends and what it means, where another reader of the same bytes might differ."""
import os
import tempfile
import time

from harness import Connection, Server, case, check, equal, get
from routes import CHUNKED, LINE, OK, accepts, echo, refuses


def chunked(body):
    return echo(CHUNKED, body)


def host(value):
    return LINE + b"Host: " + value + b"\r\n\r\n"


def target(value):
    return b"GET " + value + b" HTTP/1.1\r\nHost: a\r\n\r\n"


# name, bytes, status: as REFUSED in routes.py
REFUSED = [
    ("trailer: LF at once", chunked(b"0\r\n\n"), 400),
    ("trailer: LF after one", chunked(b"0\r\nA: b\r\n\n"), 400),
    ("trailer: LF only", chunked(b"0\r\nA: b\n\r\n"), 400),
    ("trailer: CR only", chunked(b"0\r\nA: b\r\r\n"), 400),
    ("trailer: LF after the last chunk", chunked(b"0\n\r\n"), 400),
    ("trailer: a fold at once", chunked(b"0\r\nX:\r\n a\r\n\r\n"), 400),
    ("trailer: a fold before any", chunked(b"0\r\n X: a\r\n\r\n"), 400),
    ("trailer: no name", chunked(b"0\r\n: a\r\n\r\n"), 400),
    ("trailer: a space before the colon", chunked(b"0\r\nX : a\r\n\r\n"), 400),
    ("trailer: NUL", chunked(b"0\r\nX: \0\r\n\r\n"), 400),
    ("extension: nothing in it", chunked(b"3;\r\nabc\r\n0\r\n\r\n"), 400),
    ("extension: nothing in one of two", chunked(b"3;;a\r\nabc\r\n0\r\n\r\n"), 400),
    ("extension: no name", chunked(b"3;=b\r\nabc\r\n0\r\n\r\n"), 400),
    ("extension: no value", chunked(b"3;a=\r\nabc\r\n0\r\n\r\n"), 400),
    ("extension: a quote in a token", chunked(b"3;c=-\"d\"\r\nabc\r\n0\r\n\r\n"), 400),
    ("extension: more after a quote", chunked(b"3;c=\"d\"e\r\nabc\r\n0\r\n\r\n"), 400),
    ("extension: an open quote", chunked(b"3;c=\"d\r\nabc\r\n0\r\n\r\n"), 400),
    ("extension: a space", chunked(b"3; a\r\nabc\r\n0\r\n\r\n"), 400),
    ("extension: in the last chunk", chunked(b"0;;\r\n\r\n"), 400),
    ("chunk: endless zeros", chunked(b"0" * 20000 + b"\r\n\r\n"), 400),
    ("chunks: more around them than in them",
     chunked((b"1;" + b"a" * 100 + b"\r\nx\r\n") * 300), 400),
    ("empty lines without an end", b"\r\n" * 20000, 400),
    ("Host: two ports", host(b"a:b:c"), 400),
    ("Host: a port that is no number", host(b"a:x"), 400),
    ("Host: a port alone", host(b":80"), 400),
    ("Host: a bracket", host(b"["), 400),
    ("Host: brackets", host(b"[]"), 400),
    ("Host: an address without an end", host(b"[::1z"), 400),
    ("Host: an address that is none", host(b"[::1z]"), 400),
    ("Host: more after the address", host(b"[::1]a"), 400),
    ("Host: an address in brackets of the wrong kind", host(b"::1"), 400),
    ("Host: %", host(b"a%"), 400),
    ("Host: % and one digit", host(b"a%2"), 400),
    ("Host: % and no digits", host(b"a%zz"), 400),
    ("target: a port alone", target(b"http://:80/plaintext"), 400),
    ("target: two ports", target(b"http://a:b:c/plaintext"), 400),
    ("target: https in clear", target(b"https://a/plaintext"), 421),
    ("a second expectation", echo(b"Expect: 100-continue, x\r\nContent-Length: 2\r\n", b"hi"), 417),
]

for row in REFUSED:
    case(f"refused: {row[0]}", shares=True)(refuses(*row[1:]))

# name, bytes, bodies of the answers: as ACCEPTED in routes.py
ACCEPTED = [
    ("extensions of every kind",
     chunked(b"3;a;b=c;d=\"e \\\" \xe4;f\";g\r\nabc\r\n0;h=i\r\n\r\n"), [b"abc"]),
    ("trailers of every kind",
     chunked(b"0\r\nA:\r\nB: \t\r\nC:d\r\nD: \xe4:\r\n\r\n") + OK, [b"", b"Hello, World!"]),
    ("leading zeros in a chunk's size", chunked(b"0003\r\nabc\r\n0000\r\n\r\n"), [b"abc"]),
    ("chunks of a byte, any number", chunked(b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n"), [b"x" * 5000]),
    ("eight empty lines", b"\r\n" * 8 + OK, [b"Hello, World!"]),
    ("Host: a port", host(b"a.b:8080"), [b"Hello, World!"]),
    ("Host: an empty port", host(b"a:"), [b"Hello, World!"]),
    ("Host: an address", host(b"[2001:db8::127.0.0.1]"), [b"Hello, World!"]),
    ("Host: escapes", host(b"%61b%2D:1"), [b"Hello, World!"]),
    ("target: a port", target(b"http://a:1/plaintext"), [b"Hello, World!"]),
    ("target: an address", target(b"HTTP://[::1]:1/plaintext"), [b"Hello, World!"]),
]

for row in ACCEPTED:
    case(f"accepted: {row[0]}", shares=True)(accepts(*row[1:]))


@case("expect: a list of the same is that one, and an empty one is none", shares=True)
def _(server):
    with Connection(server) as c:
        for value, invites in [(b"100-continue,", True), (b"100-continue, 100-Continue", True),
                               (b"", False), (b" , ", False)]:
            c.send(echo(b"Expect: " + value + b"\r\nContent-Length: 2\r\n", b""))
            if invites:
                equal(c.response().status, 100, repr(value))
            c.send(b"hi")
            equal(c.response().body, b"hi", repr(value))


@case("expect: no invitation before the head is whole", shares=True)
def _(server):
    for rest, status in [(b"Expect: x\r\n\r\n", 417), (b"Host: b\r\n\r\n", 400)]:
        with Connection(server) as c:
            c.send(LINE + b"Host: a\r\nExpect: 100-continue\r\nX: y\r\nY:")
            time.sleep(0.05)
            c.send(b"\r\n" + rest)
            equal(c.response().status, status, "status")


# version, lines, does the connection go on
OPTIONS = [
    (b"1.1", b"Connection: close\t\r\n", False),
    (b"1.1", b"Connection: x\r\nConnection: \tClose , y\r\n", False),
    (b"1.1", b"Connection: closed\r\n", True),
    (b"1.1", b"Connection:\r\n", True),
    (b"1.0", b"Connection: keep-alive\t\r\n", True),
    (b"1.0", b"Connection: x,\tKeep-Alive\r\n", True),
    (b"1.0", b"Connection: keep-alive\r\nConnection: close\t\r\n", False),
    (b"1.0", b"Connection: keep-alives\r\n", False),
]


@case("keep-alive: by every option of every line, blanks or not", shares=True)
def _(server):
    for version, lines, goes_on in OPTIONS:
        with Connection(server) as c:
            c.send(b"GET /plaintext HTTP/" + version + b"\r\nHost: a\r\n" + lines + b"\r\n")
            closes = c.response().headers.get("connection") == "close"
            equal(closes, not goes_on, lines)
            if goes_on:
                equal(c.get("/healthz").body, b"ok\n", "the next request")
            else:
                c.expect_end()


@case("HEAD: a refusal has no body", shares=True)
def _(server):
    for data, status in [(b"HEAD / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
                         (b"HEAD  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
                         (b"HEAD /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
                         (b"HEAD \x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
                         (b"HEAD / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
                         (b"HEAD /" + b"x" * 20000, 414),
                         (b"HEAD / HTTP/1.1\r\nContent-Length: 99999999\r\nHost: a\r\n\r\n", 413)]:
        for pieces in [data], [data[i:i + 1] for i in range(min(len(data), 100))]:
            with Connection(server) as c:
                for piece in pieces:
                    c.send(piece)
                if len(pieces) > 1:
                    c.send(data[100:])
                equal(c.response(True).status, status, repr(data[:40]))
                c.half_close()
                c.expect_end()


@case("HEAD: what only begins like it is another method", shares=True)
def _(server):
    for data, status in (b"HEADER / HTTP/1.1\r\nHost: a\r\n\r\n", 501), (b"HEAD\x01/ HTTP/1.1\r\n\r\n", 400):
        with Connection(server) as c:
            c.send(data)
            r = c.response()
            check(r.status == status and r.body, f"{r}")


@case("HEAD: nor has what says that it took too long", header_timeout=0.3)
def _(server):
    with Connection(server) as c:
        c.send(b"HEAD /")
        equal(c.response(True).status, 408, "status")
        c.expect_end()


@case("lists: several lines are one", bare=True)
def _(command):
    with tempfile.TemporaryDirectory() as root:
        for name, body in [("x", b"plain"), ("x.br", b"coded")]:
            with open(os.path.join(root, name), "wb") as file:
                file.write(body)
        with Server(command, root=root) as server:
            etag = get(server, "/files/x").headers["etag"]

            def ask(*lines):
                return get(server, "/files/x", headers="".join(line + "\r\n" for line in lines))

            for last in etag, f"W/{etag} ,":
                equal(ask('If-None-Match: "a"', "X: y", f"if-none-match: {last}").status, 304, last)
            equal(ask(f"If-None-Match: {etag}", 'If-None-Match: "a"').status, 304, "the first")
            equal(ask('If-None-Match: "a"', 'If-None-Match: "b"').status, 200, "none")
            equal(ask('If-Match: "a"', "If-Match:", f"If-Match: {etag}").status, 200, "If-Match")
            equal(ask('If-Match: "a"', 'If-Match: "b"').status, 412, "If-Match, none")
            both = ask('If-Match: "a"', 'If-None-Match: "b"', f"If-Match: {etag}", f"If-None-Match: {etag}")
            equal(both.status, 304, "both")
            r = ask("Accept-Encoding: x", "Accept-Encoding: br;q=0.5")
            equal((r.body, r.headers.get("content-encoding")), (b"coded", "br"), "codings")
            lines = 'If-None-Match: "a"\r\n' * 90 + f"If-None-Match: {etag}\r\n"
            with Connection(server) as c:  # at any place in memory, and with a body before it
                for body in b"", b"x" * 511, b"x" * 40000:
                    r = c.get("/files/x", headers=f"{lines}Content-Length: {len(body)}\r\n", body=body)
                    equal(r.status, 304, f"behind a body of {len(body)}")


@case("empty lines: too many at once, and then a request", shares=True)
def _(server):
    with Connection(server) as c:
        c.send(b"\r\n" * 9 + OK)
        equal(c.response().status, 400, "status")
        c.half_close()
        c.expect_end()


@case("empty lines: a flood of them ends", shares=True)
def _(server):
    with Connection(server) as c:
        began = time.monotonic()
        try:
            while time.monotonic() - began < 10:
                c.send(b"\r\n" * 500)
        except (BrokenPipeError, ConnectionResetError):
            pass
        check(time.monotonic() - began < 10, "it still listens")
