# SPDX-License-Identifier: MIT
"""What the tests of the server share: cases with names, servers that are stopped, raw connections."""
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

SLACK = float(os.environ.get("FILCH_TEST_SLACK", "1"))
PATIENCE = 5 if SLACK == 1 else 60  # seconds that any one answer may take
CASES = []


class Failed(Exception):
    pass


def soon(seconds):
    """The most that something may take. Where time is stretched, races are looked for and not
    latencies: there it is a watchdog, and no more."""
    return seconds if SLACK == 1 else max(20 * seconds, PATIENCE)


def check(condition, message):
    if not condition:
        raise Failed(message)


def equal(got, wanted, what):
    check(got == wanted, f"{what}: {got!r}, not {wanted!r}")


class Case:
    """A test with a name. It gets a server with the options given; a shared one if it shares (and
    does it no harm); the bare command if it wants that. A baseline is spared what threads cannot
    do."""

    def __init__(self, fn, name, limit=30, shares=False, bare=False, not_for=(), **options):
        self.fn, self.name, self.limit, self.shares = fn, name, limit * SLACK, shares
        self.bare, self.not_for, self.options = bare, not_for, options


POOL, EACH = "shared-queue", "thread"  # the baselines' models, for not_for
BASELINES = (POOL, EACH)


def case(name, **options):
    def register(fn):
        CASES.append(Case(fn, name, **options))
        return fn

    return register


def until(condition, message, seconds=PATIENCE):
    """Waits for what comes true on its own time."""
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, message)
        time.sleep(0.01)


# ---- servers -------------------------------------------------------------------------------------


class Server:
    """A server on a free port. options: its long options, with _ for -; None leaves one out."""

    def __init__(self, command, **options):
        self.waited_for = False
        self.directory = tempfile.TemporaryDirectory()
        self.port_file = os.path.join(self.directory.name, "port")
        arguments = list(command)
        given = {"listen": "127.0.0.1:0", "port_file": self.port_file, **options}
        for name, value in given.items():
            if value is not None:
                arguments += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, preexec_fn=self.before,
                                        close_fds=False)
        until(lambda: os.path.exists(self.port_file) or self.process.poll() is not None,
              "the server does not come up", soon(10))
        check(self.process.poll() is None, f"the server ended: {self.stderr()}")
        with open(self.port_file) as file:
            self.port = int(file.read())

    def before(self):
        pass

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read().strip()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def cpu(self):
        """Seconds of CPU so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds=PATIENCE):
        """The exit code; from now on the end is the caller's business."""
        self.waited_for = True
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"the server still runs after {seconds:g} s") from None

    def stop(self):
        """A clean end: SIGTERM, exit code 0, nothing on stderr."""
        self.signal()
        code = self.wait(soon(10))
        check(code == 0, f"exit code {code} at the end: {self.stderr()}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None and not self.waited_for:
                self.stop()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.errors.close()
            self.directory.cleanup()


# ---- connections ---------------------------------------------------------------------------------


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"<{self.status} {self.body[:40]!r}>"


def split_response(data, head_only=False):
    """The first response of data and the rest; None if it is not whole."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    lines = head.decode("latin-1").split("\r\n")
    match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [ -~]+", lines[0])
    check(match, f"no status line: {lines[0]!r}")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(": ")
        check(colon and name.lower() not in headers, f"a header that should not be: {line!r}")
        headers[name.lower()] = value
    status = int(match[1])
    if status == 100:
        return Response(status, headers, b""), rest
    check("date" in headers, f"no Date: {headers}")
    if status == 304:
        check("content-length" not in headers, "304 with a length")
        return Response(status, headers, b""), rest
    check("content-length" in headers, f"no length: {headers}")
    length = 0 if head_only else int(headers["content-length"])
    if len(rest) < length:
        return None
    return Response(status, headers, rest[:length]), rest[length:]


class Connection:
    def __init__(self, server, receive_buffer=None):
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", server.port))
        self.data = b""

    def send(self, data):
        self.socket.sendall(data)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def more(self):
        try:
            data = self.socket.recv(65536)
        except socket.timeout:
            raise Failed(f"no answer in {PATIENCE:g} s, so far {self.data[:200]!r}") from None
        self.data += data
        return data != b""

    def response(self, head_only=False):
        while True:
            found = split_response(self.data, head_only)
            if found:
                self.data = found[1]
                return found[0]
            check(self.more(), f"closed after {self.data[:200]!r}")

    def expect_end(self, what="the end"):
        while self.more():
            pass
        equal(self.data, b"", f"instead of {what}")

    def get(self, target, headers="", method="GET", body=b""):
        self.send(f"{method} {target} HTTP/1.1\r\nHost: test\r\n{headers}\r\n".encode() + body)
        return self.response(method == "HEAD")

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def get(server, target, **more):
    """One request on a connection of its own."""
    with Connection(server) as c:
        return c.get(target, **more)


def many(server, request, count, during=lambda: None):
    """Sends one request on each of count connections, all open; the seconds until all are answered,
    and the responses. Calls during() now and then."""
    selector = selectors.DefaultSelector()
    responses = []
    connections = [Connection(server) for _ in range(count)]
    began = time.monotonic()
    for c in connections:
        c.send(request)
        c.socket.setblocking(False)
        selector.register(c.socket, selectors.EVENT_READ, c)
    while len(responses) < count:
        check(time.monotonic() - began < soon(20), f"{len(responses)} of {count} answers")
        for key, _ in selector.select(0.05):
            check(key.data.more(), "closed without an answer")
            found = split_response(key.data.data)
            if found:
                responses.append(found[0])
                selector.unregister(key.data.socket)
                key.data.close()
        during()
    return time.monotonic() - began, responses


# ---- running them --------------------------------------------------------------------------------


def alarm(*_):
    raise Failed("hangs: its time is up")


class Variant:
    """One way to run the server, and the server that its sharing cases share."""

    def __init__(self, name, command):
        self.name, self.command, self.server = name, command, None

    def shared(self):
        if not self.server:
            self.server = Server(self.command)
            get(self.server, "/healthz")
            time.sleep(0.1)
            self.before = self.server.descriptors(), self.server.threads()
        return self.server

    def end(self):
        """The shared server holds what it held at first, and ends cleanly."""
        server, self.server = self.shared(), None
        with server:
            until(lambda: (server.descriptors(), server.threads()) == self.before,
                  f"{server.descriptors()} descriptors and {server.threads()} threads are left, "
                  f"not {self.before}")

    def run(self, case_):
        if case_.bare:
            case_.fn(self.command)
        elif case_.shares:
            case_.fn(self.shared())
        else:
            with Server(self.command, **case_.options) as server:
                case_.fn(server)

    def passes(self, name, fn, limit):
        """Runs fn under a watchdog, and says how it went."""
        signal.signal(signal.SIGALRM, alarm)
        signal.setitimer(signal.ITIMER_REAL, limit)
        began = time.monotonic()
        try:
            fn()
        except Exception as error:  # pylint: disable=broad-except
            signal.setitimer(signal.ITIMER_REAL, 0)
            text = str(error) if isinstance(error, Failed) else traceback.format_exc()
            print(f"FAIL {name} [{self.name}]: {text}", flush=True)
            if self.server:
                self.server.process.kill()  # the next one gets a server that is as it should be
                self.server.__exit__(Failed)
                self.server = None
            return False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(f"ok   {name} [{self.name}] ({time.monotonic() - began:.2f} s)", flush=True)
        return True


def run_all(variants, only=""):
    """Every case on every variant. The exit code."""
    results = []
    for variant in variants:
        cases = [c for c in CASES if only in c.name and variant.name not in c.not_for]
        for c in cases:
            results.append(variant.passes(c.name, lambda c=c: variant.run(c), c.limit))
        if variant.server:
            results.append(variant.passes("nothing is left of all that", variant.end, 30 * SLACK))
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if results and all(results) else 1


def usage():
    sys.exit("usage: tests/http/run FILCHD [FILCHD-BASELINE] [--only TEXT]")
