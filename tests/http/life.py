# SPDX-License-Identifier: MIT
"""The process: its options and exit codes, signals and drains, many connections at once."""
import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time

from harness import (BASELINES, EACH, PATIENCE, POOL, SLACK, Connection, Failed, Server, case, check,
                     equal, get, many, soon, until)
from routes import OK

SLEEP = b"GET /sleep?ms=%d HTTP/1.1\r\nHost: a\r\n\r\n"


# ---- options -------------------------------------------------------------------------------------

# name, arguments, exit code, a word of the one line on stderr
BAD = [
    ("unknown", ["--nonsense"], 2, "--nonsense"),
    ("half a name", ["--work", "2"], 2, "--work"),
    ("an argument", ["here"], 2, "here"),
    ("a single dash", ["-w", "2"], 2, "-w"),
    ("no value", ["--workers"], 2, "--workers"),
    ("a value for none", ["--quiet=yes"], 2, "--quiet"),
    ("no workers", ["--workers", "0"], 2, "--workers"),
    ("negative workers", ["--workers", "-1"], 2, "--workers"),
    ("too many workers", ["--workers", "1000000"], 2, "--workers"),
    ("workers and a letter", ["--workers", "2x"], 2, "--workers"),
    ("empty", ["--workers="], 2, "--workers"),
    ("a number of 2^64", ["--max-pending", "18446744073709551616"], 2, "--max-pending"),
    ("no connections", ["--max-connections", "0"], 2, "--max-connections"),
    ("a time of 0", ["--idle-timeout", "0"], 2, "--idle-timeout"),
    ("a negative time", ["--header-timeout", "-1"], 2, "--header-timeout"),
    ("nan", ["--body-timeout", "nan"], 2, "--body-timeout"),
    ("inf", ["--write-timeout", "inf"], 2, "--write-timeout"),
    ("a time too long", ["--drain-timeout", "99999999999999999999"], 2, "--drain-timeout"),
    ("two points", ["--drain-timeout", "1.2.3"], 2, "--drain-timeout"),
    ("too small a header", ["--max-header", "1"], 2, "--max-header"),
    ("a poller that is none", ["--poller", "select"], 2, "--poller"),
    ("half a poller", ["--poller", "epo"], 2, "--poller"),
    ("no port", ["--listen", "127.0.0.1"], 2, "--listen"),
    ("no host", ["--listen", ":8080"], 2, "--listen"),
    ("a port too large", ["--listen", "127.0.0.1:65536"], 2, "--listen"),
    ("a port with a sign", ["--listen", "127.0.0.1:-1"], 2, "--listen"),
    ("a port by name", ["--listen", "127.0.0.1:http"], 2, "--listen"),
    ("a host that is none", ["--listen", "999.1.1.1:0"], 2, "--listen"),
    ("IPv6 without brackets", ["--listen", "::1:80"], 2, "--listen"),
    ("an address of somebody else", ["--listen", "192.0.2.1:0"], 1, "--listen"),
    ("a root that is not there", ["--root", "/nonexistent"], 2, "/nonexistent"),
    ("a root that is a file", ["--root", "/etc/passwd"], 2, "/etc/passwd"),
    ("a port file nowhere", ["--listen", "127.0.0.1:0", "--port-file", "/nonexistent/p"], 1,
     "/nonexistent/p"),
    ("not yet there: trace", ["--trace", "/tmp/t"], 2, "--trace"),
    ("an access log nowhere", ["--listen", "127.0.0.1:0", "--access-log", "/nonexistent/l"], 1,
     "/nonexistent/l"),
    ("a user who is not there", ["--user", "no-such-user"], 2, "no-such-user"),
]


def execute(command, *arguments):
    try:
        return subprocess.run([*command, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise Failed("it runs, and should not") from None


def bad_option(arguments, code, word):
    def run(command):
        done = execute(command, *arguments)
        equal(done.returncode, code, f"exit code ({done.stderr.strip()})")
        check(re.fullmatch(r"[\w-]+: .+\n", done.stderr), f"not one line: {done.stderr!r}")
        check(word in done.stderr, f"no {word} in {done.stderr!r}")
        equal(done.stdout, "", "stdout")

    return run


for row in BAD:
    case(f"bad option: {row[0]}", bare=True)(bad_option(*row[1:]))


@case("options: help and version", bare=True)
def _(command):
    shown = execute(command, "--help")
    equal((shown.returncode, shown.stderr), (0, ""), "--help")
    for name in ("listen port-file workers root poller max-connections max-pending header-timeout "
                 "body-timeout write-timeout idle-timeout drain-timeout max-header max-body "
                 "access-log user quiet help version").split():
        check(f"\n  --{name} " in shown.stdout, f"--help does not tell of --{name}")
    version = execute(command, "--version")
    check(re.fullmatch(r"filchd[\w-]* \d+\.\d+\.\d+\n", version.stdout), version.stdout)
    equal((version.returncode, version.stderr), (0, ""), "--version")


@case("options: name=value, a root, fractions", bare=True)
def _(command):
    with Server([*command, "--idle-timeout=0.25", "--root=/", "--poller=epoll"]) as server:
        with Connection(server) as c:
            c.get("/plaintext")
            began = time.monotonic()
            c.expect_end()
            check(0.2 < time.monotonic() - began < 0.25 + soon(1), "another idle timeout")


@case("the line on stdout, and the port file")
def _(server):
    line = server.process.stdout.readline()
    check(re.fullmatch(rf"filchd[\w-]*: http://127\.0\.0\.1:{server.port} \(.+\)\n", line), repr(line))
    with open(server.port_file) as file:
        equal(file.read(), f"{server.port}\n", "port file")
    equal(os.listdir(server.directory.name), ["port"], "files beside it")
    server.stop()
    equal(server.process.stdout.read(), "", "more on stdout")
    equal(server.stderr(), "", "stderr")


@case("quiet", quiet=True)
def _(server):
    server.stop()
    equal(server.process.stdout.read(), "", "stdout")


@case("IPv6", listen="[::1]:0")
def _(server):
    check(f"http://[::1]:{server.port} " in server.process.stdout.readline(), "another line")
    with socket.create_connection(("::1", server.port), PATIENCE) as s:
        s.sendall(OK)
        check(b"Hello, World!" in s.recv(1000), "no answer")


@case("a port in use", bare=True)
def _(command):
    with Server(command) as server:
        done = execute(command, "--listen", f"127.0.0.1:{server.port}")
        equal(done.returncode, 1, "exit code")
        check("in use" in done.stderr and done.stderr.count("\n") == 1, done.stderr)


# ---- many at once --------------------------------------------------------------------------------


@case("1,000 requests sleep a second, and others are answered meanwhile", limit=60, not_for=BASELINES)
def _(server):
    slowest = 0

    def ask():
        nonlocal slowest
        began = time.monotonic()
        equal(get(server, "/plaintext").body, b"Hello, World!", "body")
        slowest = max(slowest, time.monotonic() - began)

    before = server.descriptors(), server.threads()
    # A sanitizer takes milliseconds for each stack: fewer of them where time is stretched.
    took, responses = many(server, SLEEP % 1000, int(1000 / SLACK), ask)
    check(all(r.body == b"slept 1000 ms\n" for r in responses), "another answer")
    check(took < soon(1.5), f"it took {took:.2f} s")
    check(slowest < soon(0.5), f"/plaintext took {slowest:.2f} s")
    until(lambda: (server.descriptors(), server.threads()) == before,
          f"{server.descriptors()} descriptors, {server.threads()} threads, not {before}")


@case("more sleepers than threads: nobody waits for another", not_for=[POOL])
def _(server):
    took, _ = many(server, SLEEP % 400, 6)
    check(took < soon(0.6), f"6 sleeps of 0.4 s took {took:.2f} s")


@case("more sleepers than threads: the pool freezes", not_for=[EACH, "workers 1", "workers 2"])
def _(server):
    took, _ = many(server, SLEEP % 400, 6)
    check(took > 1.1, f"6 sleeps of 0.4 s on two threads took {took:.2f} s")


@case("connections beyond the limit wait their turn", max_connections=2, not_for=BASELINES)
def _(server):
    first, second, third = (Connection(server) for _ in range(3))
    for c in first, second:
        equal(c.get("/plaintext").status, 200, "status")
    third.send(OK)
    third.socket.settimeout(0.3)
    try:
        third.response()
        raise Failed("the third was answered beside two others")
    except Failed as error:
        check("no answer" in str(error), error)
    third.socket.settimeout(PATIENCE)
    first.close()
    equal(third.response().body, b"Hello, World!", "body")
    second.close()
    third.close()


@case("requests beyond --max-pending: 503, but for health", max_pending=2, not_for=BASELINES)
def _(server):
    sleepers = [Connection(server) for _ in range(2)]
    for c in sleepers:
        c.send(SLEEP % int(1000 * SLACK))
    time.sleep(0.2 * SLACK)
    with Connection(server) as c:
        for _ in range(3):
            r = c.get("/plaintext")
            equal((r.status, r.headers.get("retry-after")), (503, "1"), "answer")
            began = time.monotonic()
            equal(c.get("/healthz").body, b"ok\n", "health")
            check(time.monotonic() - began < soon(0.1), "health is slow")
        for s in sleepers:
            equal(s.response().body, b"slept %d ms\n" % int(1000 * SLACK), "body")
            s.close()
        equal(c.get("/plaintext").status, 200, "status")


@case("every worker computes, and connections are still answered in the end")
def _(server):
    took, responses = many(server, b"GET /fib?n=30 HTTP/1.1\r\nHost: a\r\n\r\n", 8)
    check(all(r.body == b"832040\n" for r in responses), f"{responses} after {took:.2f} s")


class FewDescriptors(Server):
    def before(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


@case("out of descriptors: no spin, and back within a second", bare=True, limit=60, not_for=[EACH])
def _(command):
    with FewDescriptors(command) as server:
        clients = [Connection(server) for _ in range(500)]
        time.sleep(0.2)
        before = server.cpu()
        time.sleep(1)
        check(server.cpu() - before < soon(0.05), f"{server.cpu() - before:.2f} s of CPU in 1 s")
        for c in clients:
            c.close()
        began = time.monotonic()
        equal(get(server, "/plaintext").status, 200, "status")
        check(time.monotonic() - began < soon(1), "late")


@case("descriptors are taken away while it runs: no spin, and back within a second")
def _(server):
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (server.descriptors(), limits[1]))
    clients = [Connection(server) for _ in range(20)]
    for c in clients:
        c.send(OK)
    time.sleep(0.2)
    before = server.cpu()
    time.sleep(0.5)
    check(server.cpu() - before < soon(0.05), f"{server.cpu() - before:.2f} s of CPU in 0.5 s")
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limits)
    began = time.monotonic()
    for c in clients:
        equal(c.response().status, 200, "status")
        c.close()
    check(time.monotonic() - began < soon(1), "late")


@case("connect and reset, thousands of them", limit=60)
def _(server):
    before = server.descriptors()
    for _ in range(3000):
        Connection(server).reset()
    equal(get(server, "/plaintext").status, 200, "status")
    until(lambda: server.descriptors() == before, "descriptors are left")


@case("idle connections cost no CPU", not_for=BASELINES)
def _(server):
    clients = [Connection(server) for _ in range(100)]
    for c in clients:
        c.get("/plaintext")
    time.sleep(0.3)
    before = server.cpu()
    time.sleep(1)
    check(server.cpu() - before <= soon(0.02), f"{server.cpu() - before:.2f} s of CPU in 1 s")
    for c in clients:
        c.close()


# ---- the end -------------------------------------------------------------------------------------


class Load(threading.Thread):
    """Asks on new connections or on kept ones, until the server is gone. An answer that stops in
    the middle is an error; a kept connection may end just as the next request leaves."""

    def __init__(self, server, kept):
        super().__init__(daemon=True)
        self.server, self.kept, self.answers, self.error = server, kept, 0, None

    def run(self):
        unanswered = 0
        try:
            while True:
                # The kernel resets who is in the backlog as a listening socket is closed. None may
                # be lost before that: as there is a socket for each of two workers, the attempt
                # after the second one must be refused.
                try:
                    c = Connection(self.server)
                except ConnectionResetError:  # between the handshake and our look at it
                    unanswered += 1
                    continue
                with c:
                    check(unanswered < 2 or SLACK != 1, "new connections had no answer, and the next was taken")
                    unanswered += not self.ask(c)
        except ConnectionRefusedError:
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def ask(self, c):
        """Was there an answer?"""
        for i in range(100 if self.kept else 1):
            try:
                c.send(OK)
                if not c.more():
                    return i > 0
            except (ConnectionResetError, BrokenPipeError):
                return i > 0
            r = c.response()
            equal(r.body, b"Hello, World!", "body")
            self.answers += 1
            if r.headers.get("connection") == "close":
                c.expect_end()
                return True
        return True


@case("drain: under load, no answer is cut off", not_for=[POOL])
def _(server):
    loads = [Load(server, kept) for kept in (False, True) * 4]
    with Connection(server) as sleeper:
        for load in loads:
            load.start()
        for load in loads:
            until(lambda load=load: load.answers or load.error, "no answer at all")
        sleeper.send(SLEEP % int(600 * SLACK))
        time.sleep(0.2)
        server.signal()
        r = sleeper.response()
        equal((r.body, r.headers.get("connection")), (b"slept %d ms\n" % int(600 * SLACK), "close"),
              "the sleeper")
        sleeper.expect_end()
    equal(server.wait(), 0, "exit code")
    for load in loads:
        load.join(PATIENCE)
        check(not load.is_alive() and not load.error, f"{load.error}")


@case("drain: who had connected before it is answered", bare=True, not_for=[POOL])
def _(command):
    for _ in range(5):
        with Server(command) as server:
            server.signal(signal.SIGSTOP)
            clients = [Connection(server) for _ in range(20)]
            for c in clients:
                c.send(OK)
            server.signal()
            server.signal(signal.SIGCONT)
            for c in clients:
                equal(c.response().status, 200, "status")
                c.close()
            equal(server.wait(), 0, "exit code")


@case("drain: idle connections are closed at once, and new ones refused", not_for=BASELINES)
def _(server):
    idle, fresh, busy = (Connection(server) for _ in range(3))
    idle.get("/plaintext")
    before = server.descriptors()
    until(lambda: server.descriptors() > before, "who says nothing is never accepted")
    busy.send(SLEEP % 1000)
    time.sleep(0.1)
    began = time.monotonic()
    server.signal(signal.SIGINT)
    idle.expect_end()
    fresh.expect_end()
    check(time.monotonic() - began < soon(0.5), "late")
    try:
        Connection(server)
        raise Failed("it still takes connections")
    except ConnectionRefusedError:
        pass
    equal(busy.response().body, b"slept 1000 ms\n", "body")
    equal(server.wait(), 0, "exit code")


@case("drain: what has arrived is answered, half a request is waited for", not_for=BASELINES)
def _(server):
    with Connection(server) as c:
        c.send(SLEEP % 300 + OK + OK[:20])
        time.sleep(0.1 * SLACK)
        server.signal()
        equal(c.response().body, b"slept 300 ms\n", "body")
        equal(c.response().body, b"Hello, World!", "body")
        time.sleep(0.3)
        c.send(OK[20:])
        r = c.response()
        equal((r.body, r.headers.get("connection")), (b"Hello, World!", "close"), "the last")
        c.expect_end()
    equal(server.wait(), 0, "exit code")


@case("drain: not for ever", drain_timeout=0.5)
def _(server):
    with Connection(server) as c:
        c.send(SLEEP % 20000)
        time.sleep(0.1)
        began = time.monotonic()
        server.signal()
        equal(server.wait(), 1, "exit code")
        check(0.4 < time.monotonic() - began < 0.5 + soon(1), "at another time")
        equal(server.stderr().count("\n"), 0, "lines on stderr beside the first")


@case("a second signal ends it")
def _(server):
    with Connection(server) as c:
        c.send(SLEEP % 20000)
        time.sleep(0.1)
        server.signal()
        time.sleep(0.2)
        check(server.process.poll() is None, "the first one did")
        server.signal()
        equal(server.wait(), 1, "exit code")


@case("SIGHUP is no reason to end")
def _(server):
    for _ in range(3):
        server.signal(signal.SIGHUP)
        time.sleep(0.05)
        equal(get(server, "/plaintext").status, 200, "status")


@case("start and stop, many times", bare=True, limit=60)
def _(command):
    for i in range(20):
        with Server(command) as server:
            if i % 2:
                get(server, "/fib?n=15")


@case("stop right after the start", bare=True)
def _(command):
    for i in range(10):
        process = subprocess.Popen([*command, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(i / 1000)
        process.send_signal(signal.SIGTERM)
        try:
            equal(process.wait(PATIENCE), 0, "exit code")
        finally:
            process.kill()
            process.stdout.close()
