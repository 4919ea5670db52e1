# SPDX-License-Identifier: MIT
"""GET /files/PATH: types, conditions, ranges, codings, the cache, and paths that try to get out."""
import gzip
import os
import shutil
import signal
import threading
import time

from harness import SLACK, Connection, check, equal, get, soon, until
from routes import OK
from tree import DATE, LARGE, OLD, PAGE, SECRET, TEN, WithoutOpenat2, with_tree

# path below /files/, status, body, type
PATHS = [
    ("", 200, PAGE, "text/html; charset=utf-8"),
    ("index.html", 200, PAGE, "text/html; charset=utf-8"),
    ("ten.txt", 200, TEN, "text/plain; charset=utf-8"),
    ("ten.txt?query", 200, TEN, "text/plain; charset=utf-8"),
    ("t%65n.t%78t", 200, TEN, "text/plain; charset=utf-8"),
    ("nothing.bin", 200, b"", "application/octet-stream"),
    ("large.bin", 200, LARGE, "application/octet-stream"),
    ("young.txt", 200, b"young", "text/plain; charset=utf-8"),
    ("indexed/", 200, b"index of indexed", "text/html; charset=utf-8"),
    ("with%20space/a%2541.txt", 200, b"percent", "text/plain; charset=utf-8"),
    ("caf%C3%A9/x.css", 200, b"p { }", "text/css; charset=utf-8"),
    ("empty/", 404, None, "text/plain"),
    ("missing", 404, None, "text/plain"),
    ("ten.txt/", 404, None, "text/plain"),
    ("ten.txt/more", 404, None, "text/plain"),
    ("fifo", 404, None, "text/plain"),
    ("socket", 404, None, "text/plain"),
    ("x" * 255, 404, None, "text/plain"),
    ("x" * 300, 404, None, "text/plain"),
    ("x/" * 2000, 404, None, "text/plain"),
    ("a%", 400, None, "text/plain"),
    ("a%4", 400, None, "text/plain"),
    ("%4x", 400, None, "text/plain"),
    ("%x4", 400, None, "text/plain"),
    ("ten.txt%00", 400, None, "text/plain"),
]

# Each of these is a way out that some server has had.
ESCAPES = """
.. ../ ../secret ../../etc/passwd ..%2fsecret ..%2Fsecret %2e%2e/secret %2e%2e%2fsecret .%2e/secret
%2e./secret sub/../../secret sub/..%2f..%2fsecret ./../secret ..;/secret ..\\secret ..%5csecret
%2e%2e%5csecret %252e%252e/secret %252e%252e%252fsecret ..%252fsecret ..%c0%afsecret ..%c1%9csecret
%c0%ae%c0%ae/secret %uff0e%uff0e/secret ../root/../secret //secret ///etc/passwd /etc/passwd
%2fetc%2fpasswd %2Fetc/passwd /%2e%2e/secret outside up/secret up/up/etc/passwd absolute full magic/etc/passwd
magic loop up up/ up/root/ten.txt ten.txt/../../secret ..%00/secret ..%0a/secret .../secret ....//secret
..././secret sub//../../secret ~/secret file:///etc/passwd c:/secret ..%2f..%2f..%2f..%2fetc%2fpasswd
""".split()


def paths(server, _):
    with Connection(server) as c:
        for path, status, body, kind in PATHS * 2:  # the second time from the cache
            r = c.get("/files/" + path)
            equal((r.status, r.headers["content-type"]), (status, kind), path[:40])
            check(body is None or r.body == body, f"{path[:40]}: {len(r.body)} bytes")
            head = c.get("/files/" + path, method="HEAD")
            equal((head.status, int(head.headers["content-length"])), (status, len(r.body)), "HEAD")
        equal(c.get("/files/ten.txt", method="POST").headers["allow"], "GET, HEAD", "Allow")


def escapes(server, tree):
    for target in ["/files/" + path for path in ESCAPES] + ["/../secret", "/files", "/files/../files/ten.txt",
                                                            "http://a/files/../secret"]:
        with Connection(server) as c:
            r = c.get(target)
            check(r.status in (400, 404), f"{target}: {r}")
            check(SECRET not in r.body and b"root:" not in r.body and TEN not in r.body, target)
    with Connection(server) as c:  # what no client library would send
        c.send(b"GET /files/..\x5csecret HTTP/1.1\r\nHost: a\r\n\r\n")
        equal(c.response().status, 404, "a backslash")
    shutil.rmtree(tree.root)
    equal(get(server, "/files/large.bin").status, 404, "in a directory that is gone")


with_tree("files: paths")(paths)
with_tree("files: paths, without openat2", WithoutOpenat2)(paths)
with_tree("files: no way out (attack 8)")(escapes)
with_tree("files: no way out, without openat2", WithoutOpenat2)(escapes)


@with_tree("files: links that stay inside")
def _(server, _tree):
    equal(get(server, "/files/inside").body, TEN, "body")


@with_tree("files: links are refused, without openat2", WithoutOpenat2)
def _(server, _tree):
    equal(get(server, "/files/inside").status, 404, "status")


def fifo(server, tree):
    """Who waits for its reader goes on waiting, and is not killed by one who only looks."""
    path = os.path.join(tree.root, "fifo")
    writer = threading.Thread(target=lambda: os.close(os.open(path, os.O_WRONLY)))
    writer.start()
    try:
        time.sleep(0.1)
        equal(get(server, "/files/fifo").status, 404, "status")
        writer.join(0.1)
        check(writer.is_alive(), "it was let in")
    finally:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        writer.join()


with_tree("files: a FIFO is not opened")(fifo)
with_tree("files: a FIFO is not opened, without openat2", WithoutOpenat2)(fifo)


def race(server, tree):
    """A directory turns into a link to outside, and back, as fast as it can."""
    real, link, name = (os.path.join(tree.root, n) for n in ("real", "link", "flip"))
    os.mkdir(real)
    with open(os.path.join(real, "secret"), "wb") as file:
        file.write(TEN)
    os.symlink("../../" + os.path.basename(tree.directory.name), link)
    done = threading.Event()

    def flip():
        while not done.is_set():
            for target in real, link:
                os.rename(target, name)
                os.rename(name, target)

    flipper = threading.Thread(target=flip)
    flipper.start()
    try:
        with Connection(server) as c:
            for _ in range(1500):
                r = c.get("/files/flip/secret")
                check(r.status in (200, 404, 503), f"{r}")
                check(SECRET not in r.body, "a byte from outside")
    finally:
        done.set()
        flipper.join()


with_tree("files: no way out by a race (attack 8)")(race)
with_tree("files: no way out by a race, without openat2", WithoutOpenat2)(race)


@with_tree("files: a directory without its slash")
def _(server, tree):
    with Connection(server) as c:
        for path in "indexed", "empty", "with%20space":
            r = c.get(f"/files/{path}?q=1")
            equal((r.status, r.headers["location"]), (301, f"/files/{path}/"), path)
        os.mkdir(os.path.join(tree.root, "empty/index.html"))
        equal(c.get("/files/empty/").status, 404, "an index.html that is a directory")
        equal(c.get("/files/empty/index.html").status, 301, "itself")


@with_tree("files: dates and tags")
def _(server, tree):
    with Connection(server) as c:
        r = c.get("/files/ten.txt")
        equal(r.headers["last-modified"], DATE, "Last-Modified")
        equal(r.headers["accept-ranges"], "bytes", "Accept-Ranges")
        tag = r.headers["etag"]
        check(tag.startswith('"') and tag.endswith('"'), tag)
        equal(c.get("/files/ten.txt").headers["etag"], tag, "the same file")
        os.utime(os.path.join(tree.root, "young.txt"), (2 ** 32, 2 ** 32))
        r = c.get("/files/young.txt")
        check(r.headers["last-modified"] == r.headers["date"], "modified in the future")
        os.utime(os.path.join(tree.root, "nothing.bin"), (-10 ** 11, -10 ** 11))  # if it can be kept
        r = c.get("/files/nothing.bin")
        equal(r.headers["last-modified"], "Thu, 01 Jan 1970 00:00:00 GMT", "modified long ago")
        # another file of the same length and time
        tree.write("ten.txt", TEN[::-1])
        time.sleep(1.1)
        r = c.get("/files/ten.txt")
        equal(r.body, TEN[::-1], "body")
        check(r.headers["etag"] != tag, "the tag of another file")


# Of RFC 850's two digits, the last such year that is not over 50 years ahead.
AHEAD = [f"{(time.gmtime().tm_year + years) % 100:02}" for years in (49, 51)]
# headers, status. %TAG% is the right one.
CONDITIONS = [
    ("If-None-Match: %TAG%", 304),
    ("If-None-Match: W/%TAG%", 304),
    ('If-None-Match: "a", %TAG%', 304),
    ('If-None-Match: "a" ,W/%TAG%,"b"', 304),
    ("If-None-Match: *", 304),
    ('If-None-Match: "a"', 200),
    ("If-None-Match:", 200),
    (f"If-Modified-Since: {DATE}", 304),
    ("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 304),
    (f"If-Modified-Since: Sunday, 06-Nov-{AHEAD[0]} 08:49:37 GMT", 304),
    (f"If-Modified-Since: Sunday, 06-Nov-{AHEAD[1]} 08:49:37 GMT", 200),
    ("If-Modified-Since: Sun Nov  6 08:49:37 1994", 304),
    ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 200),
    ("If-Modified-Since: Mon, 07 Nov 2022 08:49:36 GMT", 304),
    ("If-Modified-Since: yesterday", 200),
    ("If-Modified-Since: Sat, 31 Feb 2026 08:49:37 GMT", 200),
    ("If-Modified-Since: Tue, 29 Feb 2000 08:49:37 GMT", 304),
    ("If-Modified-Since: Wed, 29 Feb 2006 08:49:37 GMT", 200),
    ("If-Modified-Since: Sat, 31 Dec 2016 23:59:60 GMT", 304),  # a leap second
    ("If-Unmodified-Since: Thu, 30 Feb 1990 08:49:37 GMT", 200),
    (f"If-Modified-Since: {DATE} and more", 200),
    (f'If-None-Match: "a"\r\nIf-Modified-Since: {DATE}', 200),  # the tag counts
    ("If-None-Match: %TAG%\r\nIf-Modified-Since: Sun, 06 Nov 1993 08:49:36 GMT", 304),
    ("If-Match: %TAG%", 200),
    ("If-Match: *", 200),
    ("If-Match: W/%TAG%", 412),
    ('If-Match: "a"', 412),
    (f"If-Unmodified-Since: {DATE}", 200),
    ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 412),
    ("If-Unmodified-Since: nonsense", 200),
    ('If-Match: "a"\r\nIf-None-Match: %TAG%', 412),
    ("Range: bytes=0-1\r\nIf-None-Match: %TAG%", 304),
]


@with_tree("files: conditions")
def _(server, _tree):
    with Connection(server) as c:
        tag = c.get("/files/ten.txt").headers["etag"]
        for headers, status in CONDITIONS:
            headers = headers.replace("%TAG%", tag) + "\r\n"
            for method in "GET", "HEAD":
                r = c.get("/files/ten.txt", headers=headers, method=method)
                equal(r.status, status, headers)
                if status == 304:
                    equal((r.headers["etag"], r.headers["last-modified"]), (tag, DATE), headers)
                    check("content-type" not in r.headers, "a type")
            equal(c.get("/healthz").body, b"ok\n", "the next request")


HUGE = "9" * 40
WEDNESDAY = "Wed, 09 Nov 1994 08:49:37 GMT"
# Range and what goes with it, status, body, Content-Range
RANGES = [
    ("bytes=0-0", 206, b"0", "0-0/10"),
    ("bytes=2-4", 206, b"234", "2-4/10"),
    ("bytes=7-", 206, b"789", "7-9/10"),
    ("bytes=-3", 206, b"789", "7-9/10"),
    ("bytes=-10", 206, TEN, "0-9/10"),
    ("bytes=-11", 206, TEN, "0-9/10"),
    ("bytes=0-", 206, TEN, "0-9/10"),
    ("bytes=5-99", 206, b"56789", "5-9/10"),
    ("BYTES=1-1", 206, b"1", "1-1/10"),
    ("bytes= 1-1 ", 206, b"1", "1-1/10"),
    (f"bytes=5-{HUGE}", 206, b"56789", "5-9/10"),
    (f"bytes=-{HUGE}", 206, TEN, "0-9/10"),
    ("bytes=5-18446744073709551615", 206, b"56789", "5-9/10"),
    ("bytes=5-18446744073709551616", 206, b"56789", "5-9/10"),
    ("bytes=10-", 416, None, "*/10"),
    ("bytes=10-11", 416, None, "*/10"),
    ("bytes=-0", 416, None, "*/10"),
    (f"bytes={HUGE}-", 416, None, "*/10"),
    ("bytes=4-2", 200, TEN, None),
    (f"bytes={HUGE}-4", 200, TEN, None),
    ("bytes=-", 200, TEN, None),
    ("bytes=", 200, TEN, None),
    ("bytes", 200, TEN, None),
    ("", 200, TEN, None),
    ("bytes=a-b", 200, TEN, None),
    ("bytes=1-2x", 200, TEN, None),
    ("bytes=+1-2", 200, TEN, None),
    ("bytes=1 - 2", 200, TEN, None),
    ("bytes=--1", 200, TEN, None),
    ("bytes=0x1-2", 200, TEN, None),
    ("lines=1-2", 200, TEN, None),
    ("bytes=0-0,1-1", 200, TEN, None),
    ("bytes=0-0,", 200, TEN, None),
    ("bytes=" + ",".join(["0-"] * 3000), 200, TEN, None),
    ("bytes=0-1\r\nIf-Range: %TAG%", 206, b"01", "0-1/10"),
    (f"bytes=0-1\r\nIf-Range: {DATE}", 206, b"01", "0-1/10"),
    ('bytes=0-1\r\nIf-Range: "a"', 200, TEN, None),
    ("bytes=0-1\r\nIf-Range: W/%TAG%", 200, TEN, None),
    ("bytes=0-1\r\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT", 200, TEN, None),
    ("bytes=0-1\r\nIf-Range: nonsense", 200, TEN, None),
    ('bytes=0-1\r\nIf-Match: "a"', 412, None, None),
]


@with_tree("files: ranges (attack 16)")
def _(server, tree):
    os.utime(os.path.join(tree.root, "indexed/index.html"), (OLD + 3 * 86400,) * 2)
    with Connection(server) as c:
        tag = c.get("/files/ten.txt").headers["etag"]
        for value, status, body, content_range in RANGES:
            r = c.get("/files/ten.txt", headers=f"Range: {value}\r\n".replace("%TAG%", tag))
            name = value[:60]
            equal((r.status, r.headers.get("content-range")),
                  (status, content_range and "bytes " + content_range), name)
            check(body is None or r.body == body, f"{name}: {r}")
            r = c.get("/files/ten.txt", headers="Range: bytes=0-1\r\n", method="HEAD")
            equal((r.status, r.headers["content-length"]), (200, "10"), "HEAD")
        for value, status in [("-1", 200), (f"-{HUGE}", 200), ("-0", 416), ("0-", 416), ("0-0,0-0", 200)]:
            r = c.get("/files/nothing.bin", headers=f"Range: bytes={value}\r\n")
            equal(r.status, status, f"{value} of nothing")
        r = c.get("/files/indexed/", headers=f"Range: bytes=0-1\r\nIf-Range: {WEDNESDAY}\r\n")
        equal((r.status, r.body), (206, b"in"), "a date like a weak tag")
        r = c.get("/files/large.bin", headers="Range: bytes=1000000-2999999\r\n")
        check(r.status == 206 and r.body == LARGE[1000000:3000000], f"{r}")


# Accept-Encoding (None: not given), coding for page.js, coding for half.svg
CODED = [
    (None, None, None),
    ("", None, None),
    ("gzip", "gzip", "gzip"),
    ("x-gzip", "gzip", "gzip"),
    ("GZIP", "gzip", "gzip"),
    ("br", "br", None),
    ("gzip, br", "br", "gzip"),
    ("gzip, deflate, br, zstd", "br", "gzip"),
    ("gzip;q=1.0, br;q=0.5", "gzip", "gzip"),
    ("gzip;q=0.5, br;q=0.8", "br", "gzip"),
    ("br;q=0, gzip", "gzip", "gzip"),
    ("br ; q=0.0,gzip ; q=0.001", "gzip", "gzip"),
    ("*", "br", "gzip"),
    ("*;q=0", None, None),
    ("gzip, *;q=0", "gzip", "gzip"),
    ("identity, gzip;q=0.5", None, None),
    ("gzip;q=2", None, None),
    ("gzip;q=x", None, None),
    ("gzipped, bread", None, None),
    ("deflate", None, None),
]


@with_tree("files: codings")
def _(server, _tree):
    tags = {}
    with Connection(server) as c:
        for accept, *wanted in CODED * 2:
            headers = "" if accept is None else f"Accept-Encoding: {accept}\r\n"
            for path, coding, kind in zip(("page.js", "half.svg"), wanted,
                                          ("text/javascript; charset=utf-8", "image/svg+xml")):
                r = c.get("/files/" + path, headers=headers)
                equal((r.status, r.headers.get("content-encoding")), (200, coding), f"{path}: {accept}")
                equal((r.headers["content-type"], r.headers["vary"]), (kind, "Accept-Encoding"), path)
                tags.setdefault((path, coding), r.headers["etag"])
                equal(r.headers["etag"], tags[path, coding], "tag")
                body = gzip.decompress(r.body) if coding == "gzip" else r.body
                if path == "half.svg":
                    equal(body, b"<svg/>", "body")
        equal(len(set(tags.values())), 5, "different tags")
        r = c.get("/files/page.js", headers=f"Accept-Encoding: gzip\r\nIf-None-Match: {tags['page.js', 'gzip']}\r\n")
        equal((r.status, r.headers["vary"]), (304, "Accept-Encoding"), "the coded one")
        r = c.get("/files/page.js", headers=f"Accept-Encoding: br\r\nIf-None-Match: {tags['page.js', 'gzip']}\r\n")
        equal(r.status, 200, "another coding's tag")
        equal(c.get("/files/page.js.gz").headers["content-type"], "application/gzip", "itself")


@with_tree("files: pipelined, small and large")
def _(server, _tree):
    request = b"".join(b"GET /files/%s HTTP/1.1\r\nHost: a\r\n\r\n" % name
                       for name in (b"ten.txt", b"large.bin", b"index.html")) + OK
    with Connection(server) as c:
        c.send(request * 5)
        for _ in range(5):
            for body in TEN, LARGE, PAGE, b"Hello, World!":
                check(c.response().body == body, "another body")


@with_tree("files: half-close, and a reset in mid-file (attack 13)")
def _(server, _tree):
    with Connection(server) as c:
        c.send(b"GET /files/large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        c.half_close()
        check(c.response().body == LARGE, "another body")
        c.expect_end()
    for _ in range(20):
        c = Connection(server, receive_buffer=4096)
        c.send(b"GET /files/large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        c.more()
        c.reset()
    equal(get(server, "/healthz").body, b"ok\n", "another client")


@with_tree("files: one that becomes shorter as it is sent: the connection ends")
def _(server, tree):
    with Connection(server, receive_buffer=4096) as c:
        c.send(b"GET /files/large.bin HTTP/1.1\r\nHost: a\r\n\r\n" + OK)
        c.more()
        os.truncate(os.path.join(tree.root, "large.bin"), 1000000)
        received = len(c.data)
        while c.more():
            received, c.data = received + len(c.data), b""
        check(received < len(LARGE), "more than there is")


def forget(path, look=False):
    """Out of the kernel's memory, where that can be. Is it? (To look makes the kernel fetch it.)"""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            return look and not os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
        except BlockingIOError:
            return True


@with_tree("files: what is not in memory is read beside the workers")
def _(server, tree):
    threads_wait = "--model" in server.process.args  # each for itself
    can_be_cold = forget(os.path.join(tree.root, "page.js"), look=True) and not threads_wait
    before = server.threads()

    def read_beside():
        server.signal(signal.SIGHUP)  # nothing is in the server's memory either
        for name, content in ("ten.txt", TEN), ("young.txt", b"young"), ("large.bin", LARGE):
            forget(os.path.join(tree.root, name))
            with Connection(server) as c:
                check(c.get(f"/files/{name}").body == content, f"{name}: another body")
        return server.threads() > before or not can_be_cold

    until(read_beside, "no thread was begun for them", soon(2))  # some pages stay for a while


@with_tree("files: SIGHUP drops the cache and reopens the root")
def _(server, tree):
    with Connection(server) as c:
        for body in b"one", b"two", b"three":
            tree.write("ten.txt", body)
            server.signal(signal.SIGHUP)
            until(lambda b=body: c.get("/files/ten.txt").body == b, "the old file", soon(0.7))
        os.rename(tree.root, tree.root + ".old")
        os.mkdir(tree.root)
        equal(c.get("/files/young.txt").status, 200, "before")
        server.signal(signal.SIGHUP)
        until(lambda: c.get("/files/young.txt").status == 404, "the old root", soon(0.7))


@with_tree("files: SIGHUP under load loses nothing")
def _(server, tree):
    with Connection(server) as c:
        for i in range(300):
            if i % 3 == 0:
                server.signal(signal.SIGHUP)
            c.send(b"GET /files/ten.txt HTTP/1.1\r\nHost: a\r\n\r\n" * 10)
            for _ in range(10):
                equal(c.response().body, TEN, "body")
    with_time = os.path.join(tree.root, "ten.txt")
    equal(os.stat(with_time).st_mtime, OLD, "nobody touched it")


@with_tree("files: the cache has an end")
def _(server, tree):
    for i in range(600):
        tree.write(f"sub/{i}", bytes([i % 256]) * 60000)
    with Connection(server) as c:
        for _ in range(2):
            for i in range(600):
                check(c.get(f"/files/sub/{i}").body == bytes([i % 256]) * 60000, "another body")
    with open(f"/proc/{server.process.pid}/status") as file:
        size = [int(line.split()[1]) for line in file if line.startswith("VmRSS")][0]
    check(size < 60000 or SLACK != 1, f"{size} kB")  # a sanitizer keeps what is freed
