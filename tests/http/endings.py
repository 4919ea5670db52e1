# SPDX-License-Identifier: MIT
"""How a connection ends: what was sent before arrives, whatever the client sends meanwhile, and a
client that never pauses is late all the same."""
import array
import contextlib
import fcntl
import os
import tempfile
import termios
import threading
import time

from harness import SLACK, Connection, Failed, Server, case, check, equal, soon, until
from routes import OK
from tree import at_rest

BODY = b"0123456789" * 16000  # more than a client takes in, less than it and the kernel behind it
LARGE = BODY * 4
FILE = b"GET /files/file HTTP/1.1\r\nHost: a\r\n\r\n"
ECHO = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n"


def slow_reader(server, headers=b""):
    """It has asked for more than it takes in without reading, and all is on its way to it."""
    c = Connection(server, receive_buffer=65536)
    c.send(ECHO % (len(BODY), headers) + BODY)
    time.sleep(0.4 * SLACK)
    here = array.array("i", [0])
    fcntl.ioctl(c.socket, termios.FIONREAD, here)
    check(0 < here[0] < len(BODY), f"the client has {here[0]} bytes of it")
    return c


def takes_all(c, said_more):
    """The answer is whole; then comes the end, or a reset for what was said too late."""
    r = c.response()
    equal((r.status, len(r.body), r.body == BODY), (200, len(BODY), True), "status, length, body")
    try:
        c.expect_end()
    except ConnectionResetError:
        check(said_more, "reset")
    c.close()


@case("end: a drain loses nothing of what an idle client has not read")
def _(server):
    silent, talker, half = (slow_reader(server) for _ in range(3))
    half.send(OK[:20])
    time.sleep(0.1 * SLACK)
    server.signal()
    time.sleep(0.2 * SLACK)
    talker.send(OK)
    half.send(OK[20:])
    time.sleep(0.2 * SLACK)
    takes_all(silent, False)
    takes_all(talker, True)
    r = half.response()
    equal((r.status, r.body == BODY), (200, True), "status, body")
    equal(half.response().headers.get("connection"), "close", "Connection of the last")
    half.close()
    equal(server.wait(), 0, "exit code")


@case("end: an idle timeout loses nothing of what a client has not read", idle_timeout=0.3 * SLACK)
def _(server):
    c = slow_reader(server)
    time.sleep(0.4 * SLACK)
    c.send(OK)
    time.sleep(0.1)
    takes_all(c, True)


@case("end: a line break behind the last request cuts nothing off")
def _(server):
    c = slow_reader(server, b"Connection: close\r\n")
    c.send(b"\r\n")
    time.sleep(0.1)
    takes_all(c, True)


@case("end: a line break after the last request does not cost its answer")
def _(server):
    with Connection(server) as c:
        c.send(b"GET /sleep?ms=300 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        time.sleep(0.1)
        c.send(b"\r\n")
        equal(c.response().body, b"slept 300 ms\n", "answer")


@case("end: who resets with an answer on its way gives its place back at once")
def _(server):
    before = server.descriptors()
    c = slow_reader(server)
    c.reset()
    until(lambda: server.descriptors() <= before, "keeps it", soon(3))


@case("end: a line break in two halves is no reason to wait again", idle_timeout=0.6)
def _(server):
    began = time.monotonic()
    c = Connection(server)
    with contextlib.suppress(OSError):
        for half in b"\r\n" * 10:
            c.send(bytes([half]))
            time.sleep(0.25)
    with contextlib.suppress(ConnectionResetError):
        c.expect_end()
    check(time.monotonic() - began < soon(3), "too late")
    c.close()


def ask_on(server, cut):
    """Three requests ahead, at full speed, until the end. What comes too late for an answer gets
    none, but no answer stops short."""
    with Connection(server, receive_buffer=65536) as c:
        with contextlib.suppress(Failed, OSError):
            c.send(FILE * 3)
            while True:
                equal(c.response().body == LARGE, True, "the body")
                with contextlib.suppress(OSError):
                    c.send(FILE)
        if c.data:
            cut.append(len(c.data))


@case("end: clients that ask ahead get whole answers in a drain", bare=True)
def _(command):
    with tempfile.TemporaryDirectory() as root:
        with open(os.path.join(root, "file"), "wb") as file:
            file.write(LARGE)
        with Server([*command, "--root", root]) as server:
            cut = []
            threads = [threading.Thread(target=ask_on, args=(server, cut)) for _ in range(3)]
            for t in threads:
                t.start()
            time.sleep(0.3 * SLACK)
            server.signal()
            for t in threads:
                t.join()
            equal(cut, [], "bytes of answers that stop short")
            equal(server.wait(), 0, "exit code")


@case("end: half a request behind each whole one does not keep a drain up")
def _(server):
    with Connection(server) as c:
        c.send(OK + OK[:20])
        c.response()
        server.signal()
        began = time.monotonic()
        statuses = set()
        with contextlib.suppress(Failed, OSError):
            while time.monotonic() - began < soon(10):
                c.send(OK[20:] + OK[:20])
                statuses.add(c.response().status)
                time.sleep(0.02)
        equal(statuses, {200}, "statuses")
        check(time.monotonic() - began < soon(5), "it goes on")
    equal(server.wait(), 0, "exit code")


@case("end: no time to drain is enough where nobody is connected", bare=True)
def _(command):
    for timeout in 0, 0.3 * SLACK:
        with Server(command, drain_timeout=timeout) as server:
            before = at_rest(server)
            with Connection(server) as c:
                c.get("/healthz")
            until(lambda: server.descriptors() <= before, "keeps the connection")
            idle = Connection(server) if timeout else None
            if idle:
                until(lambda: server.descriptors() > before, "never accepted")
            server.signal()
            equal(server.wait(), 0, "exit code")
            if idle:
                idle.close()


@case("end: a body that never pauses is late all the same", body_timeout=0.5, limit=60)
def _(server):
    c = Connection(server)
    c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    began = time.monotonic()
    c.socket.setblocking(False)
    answer = b""
    while b"\r\n\r\n" not in answer and time.monotonic() - began < soon(8):
        try:
            c.socket.send(b"1\r\nx\r\n")
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            break
        try:
            answer += c.socket.recv(4096)
        except BlockingIOError:
            pass
    equal(answer[:12], b"HTTP/1.1 408", "answer")
    check(0.4 < time.monotonic() - began < 0.5 + soon(1), "at another time")
    c.close()
