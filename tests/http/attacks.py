# SPDX-License-Identifier: MIT
"""Attacks on the server. After each of those here it answers a new client within 100 ms, and its
descriptors, threads and memory are what they were; those in other files look at what they attack.

   1  slowloris                                        attacks.py      1: slowloris
   2  a slow body, a slow reader                       attacks.py      2: slow bodies, slow readers
                                                       connections.py  deadline: a client that does not read
   3  line, headers, body too large                    connections.py  limit: headers over the limit (and all of limit:)
                                                       attacks.py      3: the limits, a byte at a time
   4  Transfer-Encoding and Content-Length             routes.py       refused: length and chunked (to: no coding)
   5  malformed Content-Length                         routes.py       refused: length with a sign (and all of length)
   6  malformed chunks                                 routes.py       refused: chunk: LF only (and all of chunk:)
      extensions, trailers                             framing.py      refused: trailer: LF at once (and all there)
   7  bare CR, bare LF, NUL, folds, colons, names      routes.py       refused: bare LF (to: 8 bits in a name)
   8  paths that try to leave the root                 files.py        files: no way out (attack 8) (and the races)
   9  Host, absolute-form, *, CONNECT                  routes.py       refused: no Host, accepted: absolute-form
                                                       framing.py      refused: Host: two ports (and all of Host:)
  10  HTTP/0.9, HTTP/2, TLS                            routes.py       refused: HTTP/0.9, refused: a TLS hello
  11  more connections than descriptors                life.py         out of descriptors: no spin, and back within a second
      connect and reset                                attacks.py      11: connect and reset
  12  100,000 pipelined requests                       connections.py  pipelining: 100,000 requests at once, and a reader that begins late
                                                       attacks.py      12: pipelined, and never read
  13  reset in mid-response, half-close                connections.py  half-close: after the request, the whole answer
      in mid-file                                      files.py        files: half-close, and a reset in mid-file (attack 13)
      at any moment                                    connections.py  reset: at any moment, and nothing is left behind
  14  every split, merged                              connections.py  split: at every byte, on one connection
                                                       connections.py  split: at every pair of bytes
  15  framing                                          attacks.py      15: what follows is right
  16  ranges                                           files.py        files: ranges (attack 16)
  17  every worker computes; beyond --max-pending      attacks.py      17: every worker computes
  18  signals under load                               life.py         drain: under load, no answer is cut off
                                                       life.py         a second signal ends it
                                                       attacks.py      18: SIGHUP under load
  19  calls that fail                                  attacks.py      19: calls that fail
  20  fuzzing                                          tests/fuzz      fuzz/request, its corpus
  21  CR and LF in what is reflected                   attacks.py      21: nothing reflected is raw
"""
import os
import re
import select
import signal
import subprocess
import tempfile
import threading
import time

from harness import (BASELINES, CASES, PATIENCE, SLACK, Connection, Failed, Server, case, check, equal, get,
                     soon, until)
from routes import CHUNKED, OK, echo

SHARE = float(os.environ.get("FILCH_TEST_PERCENT", "1")) / 100


def scaled(full, least):
    """full at FILCH_TEST_PERCENT=100, a share of it otherwise."""
    return max(least, int(full * SHARE))


class Aftermath:
    """What a server is like, to be compared with later."""

    def __init__(self, server):
        self.server = server
        for _ in range(3):
            get(server, "/healthz")
        time.sleep(0.05)
        self.descriptors, self.threads, self.memory = server.descriptors(), server.threads(), self.rss()

    def rss(self):
        with open(f"/proc/{self.server.process.pid}/statm") as file:
            return int(file.read().split()[1]) * 4096

    def fresh_answer(self):
        best = 1e9
        for _ in range(3):  # the machine may be busy with something else
            began = time.monotonic()
            equal(get(self.server, "/plaintext").body, b"Hello, World!", "body")
            best = min(best, time.monotonic() - began)
        check(best < soon(0.1), f"a new client waited {best * 1000:.0f} ms")

    def compare(self, memory=32 << 20):
        server = self.server
        self.fresh_answer()
        until(lambda: server.descriptors() == self.descriptors and server.threads() <= self.threads + 1,
              f"{server.descriptors()} descriptors, {server.threads()} threads, not "
              f"{self.descriptors} and {self.threads}")
        if SLACK == 1:  # a sanitizer keeps what is freed
            check(self.rss() - self.memory < memory, f"{(self.rss() - self.memory) >> 10} KiB more")
        equal(server.stderr(), "", "stderr")


def attack(name, limit=30, not_for=(), **options):
    def register(fn):
        def run(server):
            aftermath = Aftermath(server)
            fn(server)
            aftermath.compare()

        case(name, limit=limit, not_for=not_for, **options)(run)
        return fn

    return register


@attack("1: slowloris", header_timeout=1, limit=60, not_for=BASELINES)
def _(server):
    clients = [Connection(server) for _ in range(scaled(1000, 200))]
    began = time.monotonic()
    gone, slowest, start, i = [], 0, OK[:-2] + b"X: ", 0
    while clients and time.monotonic() - began < soon(10):
        for c in clients[:]:
            if select.select([c.socket], [], [], 0)[0]:
                equal(c.response().status, 408, "status")
                gone.append(time.monotonic() - began)
                c.close()
                clients.remove(c)
            else:
                try:
                    c.send(start[i:i + 1] or b"x")
                except (BrokenPipeError, ConnectionResetError):
                    pass
        asked = time.monotonic()
        get(server, "/plaintext")
        slowest = max(slowest, time.monotonic() - asked)
        i += 1
        time.sleep(0.05)
    check(not clients, f"{len(clients)} are still there")
    check(0.9 < min(gone) and max(gone) < soon(2.5), f"from {min(gone):.2f} to {max(gone):.2f} s")
    check(slowest < soon(0.5), f"another client waited {slowest:.2f} s")


@attack("2: slow bodies, slow readers", body_timeout=0.6, write_timeout=0.6, limit=60,
        not_for=BASELINES)
def _(server):
    before = server.descriptors()
    slow = [Connection(server) for _ in range(50)]
    deaf = [Connection(server, receive_buffer=4096) for _ in range(10)]
    for c in slow:
        c.send(echo(b"Content-Length: 100000\r\n", b"x"))
    for c in deaf:
        c.socket.setblocking(False)
        try:
            while True:
                c.socket.send(echo(b"Content-Length: 900000\r\n", b"x" * 900000))
        except BlockingIOError:
            c.socket.settimeout(PATIENCE)
    began = time.monotonic()
    while slow:
        for c in slow[:]:
            try:
                c.send(b"x")
            except (BrokenPipeError, ConnectionResetError):
                pass
            if select.select([c.socket], [], [], 0)[0]:
                equal(c.response().status, 408, "status")
                c.close()
                slow.remove(c)
        check(time.monotonic() - began < soon(2), f"{len(slow)} slow bodies are still there")
        time.sleep(0.02)
    equal(get(server, "/healthz").body, b"ok\n", "another client")
    until(lambda: server.descriptors() == before, "who does not read is still there")
    for c in deaf:  # cut off in the middle
        try:
            while c.more():
                pass
        except ConnectionResetError:
            pass
        c.close()


@attack("3: the limits, a byte at a time", max_header=200, max_body=20)
def _(server):
    line = b"GET /plaintext?%s HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n"
    body = echo(b"Content-Length: %d\r\n", b"%s")
    for data, status in [(line % (b"x" * (200 - len(line) + 2)), 200), (line % (b"x" * 200), 414),
                         (head % (b"x" * (200 - len(head) + 2)), 200), (head % (b"x" * (201 - len(head) + 2)), 431),
                         (body % (20, b"x" * 20), 200), (body % (21, b"x" * 21), 413),
                         (echo(CHUNKED, b"14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n"), 200),
                         (echo(CHUNKED, b"14\r\n" + b"x" * 20 + b"\r\n1\r\nx\r\n0\r\n\r\n"), 413)]:
        for pieces in [data], [data[i:i + 1] for i in range(len(data))]:
            with Connection(server) as c:
                try:
                    for piece in pieces:
                        c.send(piece)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                equal(c.response().status, status, repr(data))


@attack("11: connect and reset", limit=60)
def _(server):
    end = time.monotonic() + 20 * SHARE
    count = 0
    while count < 1000 or time.monotonic() < end:
        c = Connection(server)
        if count % 3 == 0:
            c.send(OK)
        c.reset()
        count += 1


@attack("12: pipelined, and never read", write_timeout=0.5, limit=60)
def _(server):
    with Connection(server, receive_buffer=4096) as c:
        sender = threading.Thread(target=lambda: swallow(lambda: c.send(OK * 100000)), daemon=True)
        sender.start()
        time.sleep(0.2)
        equal(get(server, "/plaintext").body, b"Hello, World!", "a second client")
        sender.join(PATIENCE)
        check(not sender.is_alive(), "it is still served")


def swallow(fn):
    try:
        fn()
    except (BrokenPipeError, ConnectionResetError):
        pass


# name, request, is it to HEAD, status
FRAMES = [
    ("HEAD", b"HEAD /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", True, 200),
    ("HEAD of a page", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", True, 200),
    ("HEAD of nothing", b"HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n", True, 404),
    ("HEAD with a body", b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGET", True, 200),
    ("304", b'GET /files/x HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n', False, 304),
    ("an unread body", b"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\n" + OK[:38], False, 404),
    ("an unread body in chunks", b"POST /json HTTP/1.1\r\nHost: a\r\n" + CHUNKED + b"\r\n5\r\nGET /\r\n0\r\n\r\n",
     False, 405),
    ("OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", False, 200),
    ("TRACE", b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", False, 405),
    ("204 does not happen, an empty body does", echo(b"Content-Length: 0\r\n", b""), False, 200),
    ("an expectation", echo(b"Expect: 100-continue\r\nContent-Length: 2\r\n", b"hi"), False, 200),
]


@case("15: what follows is right", bare=True)
def _(command):
    with tempfile.TemporaryDirectory() as root:
        with open(os.path.join(root, "x"), "wb") as file:
            file.write(b"x")
        with Server(command, root=root) as server:
            aftermath = Aftermath(server)
            with Connection(server) as c:
                for before in FRAMES:
                    for after in FRAMES:
                        c.send(before[1] + after[1] + OK)
                        for name, _, head, status in before, after:
                            equal(c.response(head).status, status, name)
                        equal(c.response().body, b"Hello, World!", f"after {before[0]}, {after[0]}")
            aftermath.compare()


@attack("17: every worker computes", limit=60, max_pending=6, not_for=BASELINES)
def _(server):
    heavy = [Connection(server) for _ in range(6)]
    for c in heavy:
        c.send(b"GET /fib?n=%d HTTP/1.1\r\nHost: a\r\n\r\n" % (33 if SHARE < 1 else 38))
    time.sleep(0.15)
    took = []
    while not select.select([c.socket for c in heavy], [], [], 0)[0] and len(took) < 50:
        began = time.monotonic()
        equal(get(server, "/healthz").body, b"ok\n", "health")
        took.append(time.monotonic() - began)
        r = get(server, "/plaintext")
        if r.status != 200:  # one of them may just have ended
            equal((r.status, r.headers.get("retry-after")), (503, "1"), "in excess")
    took.sort()
    check(not took or took[len(took) // 2] < soon(0.1), f"health took {took}")
    for c in heavy:
        equal(c.response().status, 200, "status")
        c.close()


@case("18: SIGHUP under load", bare=True)
def _(command):
    with tempfile.TemporaryDirectory() as root, Server(command, root=root, access_log=root + "/log") as server:
        aftermath = Aftermath(server)
        stop = threading.Event()

        def hang_up():
            while not stop.is_set():
                server.signal(signal.SIGHUP)
                time.sleep(0.002)

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            for _ in range(scaled(2000, 100)):
                with Connection(server) as c:
                    c.send(OK * 20)
                    for _ in range(20):
                        equal(c.response().body, b"Hello, World!", "body")
        finally:
            stop.set()
            thread.join()
        aftermath.compare()


class Faulty:
    """A server with tests/http/faults.c in front of the C library."""

    def __init__(self, command, **options):
        self.directory = tempfile.TemporaryDirectory()
        library, switch = (os.path.join(self.directory.name, name) for name in ("faults.so", "switch"))
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "faults.c")
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"],
                       check=True)
        with open(switch, "wb") as file:
            file.write(bytes(4096))
        self.switch = open(switch, "r+b", buffering=0)
        self.server = Server(["env", f"LD_PRELOAD={library}", f"FAULTS={switch}", *command],
                             poller="epoll", **options)

    def fail(self, what):
        self.switch.seek(0)
        self.switch.write(bytes([what]))

    def allocations(self):
        self.switch.seek(8)
        return int.from_bytes(self.switch.read(8), "little")

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.server.__exit__(*why)
        self.switch.close()
        self.directory.cleanup()


def ask_faulty(server):
    """None: the connection was lost. An answer, if there is one, is whole and right, or a refusal."""
    try:
        with Connection(server) as c:
            c.send(OK + echo(b"Content-Length: 1000\r\n", b"y" * 1000) + OK)
            for body in b"Hello, World!", b"y" * 1000, b"Hello, World!":
                r = c.response()
                if r.status == 503:
                    return None
                equal((r.status, r.body), (200, body), "an answer")
            return True
    except (ConnectionResetError, BrokenPipeError):
        return None
    except Failed as error:
        if "closed after" in str(error):
            return None
        raise


@case("19: calls that fail", bare=True, limit=120)
def _(command):
    if SLACK != 1:
        return  # a sanitizer comes before the C library itself
    with Faulty(command) as faulty:
        server = faulty.server
        aftermath = Aftermath(server)
        for what in b"mrsaep":  # see faults.c
            faulty.fail(what)
            try:
                answered = sum(ask_faulty(server) is not None for _ in range(scaled(1000, 60)))
            except Failed as error:
                raise Failed(f"{chr(what)}: {error}") from None
            check(answered, f"no answer at all with {chr(what)}")
        faulty.fail(0)
        equal(sum(ask_faulty(server) is not None for _ in range(20)), 20, "answers afterwards")
        aftermath.compare()


@case("in the long run, no request allocates", bare=True)
def _(command):
    if SLACK != 1:
        return
    with tempfile.TemporaryDirectory() as root:
        path = os.path.join(root, "page.html")
        with open(path, "wb") as file:
            file.write(b"x" * 10000)
        os.utime(path, (1e9, 1e9))
        with Faulty(command, root=root) as faulty, Connection(faulty.server) as c, \
                Connection(faulty.server) as other:
            page = b"GET /files/page.html HTTP/1.1\r\nHost: a\r\n\r\n"
            requests = OK, OK * 16, page, echo(b"Content-Length: 1000\r\n", b"y" * 1000)

            def ask(times):
                for i in range(times):
                    for connection in c, other:
                        connection.send(requests[i % 4])
                    for connection in c, other:
                        for _ in range(16 if i % 4 == 1 else 1):
                            equal(connection.response().status, 200, "status")

            ask(200)
            before = faulty.allocations()
            check(before > 0, "allocations are not counted")
            ask(400)
            # the file is read anew every second
            check(faulty.allocations() - before < 20, f"{faulty.allocations() - before} allocations")


@case("idle connections hold neither a stack nor a buffer", limit=60, not_for=BASELINES)
def _(server):
    count = scaled(5000, 750)

    def serve(clients):
        for _ in range(2):
            for c in clients:
                c.send(OK)
            for c in clients:
                c.response()
        time.sleep(0.1)

    warm = [Connection(server) for _ in range(count)]
    serve(warm)  # so many at once that every worker has its own memory by then
    aftermath = Aftermath(server)
    clients = [Connection(server) for _ in range(count)]
    serve(clients)
    each = (aftermath.rss() - aftermath.memory) / count
    check(SLACK != 1 or each < 600, f"{each:.0f} bytes each")
    for c in warm + clients:
        c.close()


@case("a listening socket for each worker, but one where there are few connections", bare=True)
def _(command):
    workers = int(command[command.index("--workers") + 1])

    def sockets(server):
        with open("/proc/net/tcp", encoding="ascii") as file:
            return sum(f":{server.port:04X} 00000000:0000 0A" in line for line in file)

    if "--model" in command:
        return
    with Server(command) as server:
        equal(sockets(server), workers, "sockets")
        for c in [Connection(server) for _ in range(20)]:
            equal(c.get("/plaintext").status, 200, "status")
            c.close()
    with Server(command, max_connections=10) as server:
        equal(sockets(server), 1, "sockets")


@case("21: nothing reflected is raw", bare=True)
def _(command):
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(os.path.join(root, "a\r\nSet-Cookie: x"))
        with Server(command, root=root) as server:
            with Connection(server) as c:
                r = c.get("/files/a%0d%0aSet-Cookie:%20x")
                equal((r.status, r.headers["location"]), (301, "/files/a%0d%0aSet-Cookie:%20x/"), "redirect")
                for target in ("/%0d%0aX: y", "/sleep?ms=%0d%0aX:%20y", "/files/%0d%0aX:%20y", "/%0aX:%20y?%0d%0a"):
                    r = c.get(target.replace(" ", "%20"))
                    check(r.status in (400, 404) and "x" not in r.headers, target)
                r = c.get("/echo", method="POST", headers="Content-Length: 12\r\nX: y\r\n", body=b"\r\n\r\nHTTP/1.1")
                equal(r.body, b"\r\n\r\nHTTP/1.1", "body")


@case("the table of attacks names tests that there are", bare=True)
def _(_command):
    names = {c.name for c in CASES}
    found = re.findall(r"  (?:attacks|routes|connections|life|files)\.py +(\S.*)", __doc__)
    check(len(found) > 25, f"only {len(found)} rows")
    for row in found:
        name = re.sub(r" \((?:and|to).*", "", row)
        for one in name.split(", refused: ")[0:1] if "refused: " in name else [name]:
            check(one.split(", accepted")[0] in names, f"no test is called {one}")
