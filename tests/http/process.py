# SPDX-License-Identifier: MIT
"""What the process is given: its log, its user, its sockets."""
import json
import os
import re
import resource
import signal
import socket
import tempfile
import threading
import time

from harness import PATIENCE, Connection, Failed, Server, case, check, equal, get, many, soon, until
from routes import OK, echo


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file.read().splitlines()]


def with_log(name, **options):
    """fn(server, path of its access log)"""

    def register(fn):
        def run(command):
            with tempfile.TemporaryDirectory() as directory:
                path = os.path.join(directory, "log")
                with Server(command, access_log=path, **options) as server:
                    fn(server, path)

        case(name, bare=True)(run)
        return fn

    return register


@with_log("access log: a line for each request")
def _(server, path):
    with Connection(server) as c:
        peer = "%s:%d" % c.socket.getsockname()
        c.get("/plaintext?a=1")
        c.get("/plaintext", method="HEAD")
        c.get('/nothing"quoted"\\', method="DELETE")
        c.send(OK * 2 + echo(b"Content-Length: 3\r\n", b"abc"))
        for _ in range(3):
            c.response()
        c.get("/" + "\\" * 5000)
        c.get("/sleep?ms=60")
        c.send(b"GET /evil\x00\r\nX: y\r\n\r\n")
        equal(c.response().status, 400, "status")
    until(lambda: len(lines_of(path)) == 9, "lines are missing")
    lines = lines_of(path)
    # In any order: each worker has its own part, and a connection moves between them.
    long = [line for line in lines if line.get("target", "").endswith("...")]
    slept = [line["ms"] for line in lines if line.get("target") == "/sleep?ms=60"]
    refused = [line["status"] for line in lines if "target" not in line]
    first = [line for line in lines if line.get("target") == "/plaintext?a=1"]
    equal(sorted((l["method"], l["target"], l["status"], l["bytes"]) for l in lines
                 if len(l.get("target", "x" * 99)) < 30 and l["target"] != "/sleep?ms=60"), sorted([
        ("GET", "/plaintext?a=1", 200, 13), ("HEAD", "/plaintext", 200, 0),
        ("DELETE", '/nothing"quoted"\\', 404, 14), ("GET", "/plaintext", 200, 13),
        ("GET", "/plaintext", 200, 13), ("POST", "/echo", 200, 3)]), "lines")
    check(len(long) == 1 and long[0]["target"].startswith("/" + "\\" * 500), "a long target")
    check(len(slept) == 1 and 60 <= slept[0] < 1000 * soon(1), f"slept {slept}")
    check(first[0]["ms"] < 1000 * soon(0.05), f"times: {lines}")
    equal(refused, [400], "a refused one")
    for line in lines:
        equal(line["client"], peer, "client")
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]), line["time"])


def resets(server, path, host):
    """Those who ask and reset, at once or as they are answered, are told from each other."""
    peers = []
    for target, seconds in ("/healthz", 0), ("/sleep?ms=100", 0.05):
        with socket.create_connection((host, server.port), PATIENCE) as s:
            peers.append((target, ("[%s]:%d" if ":" in host else "%s:%d") % s.getsockname()[:2]))
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            time.sleep(seconds)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    # who resets at once may be gone before the request is read
    until(lambda: any(l["target"] == "/sleep?ms=100" for l in lines_of(path)), "no line")
    for line in lines_of(path):
        check((line["target"], line["client"]) in peers, f"{line}: not one of {peers}")


with_log("access log: who resets")(lambda server, path: resets(server, path, "127.0.0.1"))
with_log("access log: who resets, by IPv6", listen="[::1]:0")(
    lambda server, path: resets(server, path, "::1"))


@with_log("access log: SIGHUP opens a new one, and no line is lost between")
def _(server, path):
    stop, asked = threading.Event(), [0]

    def ask():
        with Connection(server) as c:
            while not stop.is_set():
                c.get("/plaintext")
                asked[0] += 1

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for i in range(5):
            time.sleep(0.05)
            os.rename(path, f"{path}.{i}")
            server.signal(signal.SIGHUP)
            until(lambda: os.path.exists(path), "no new file")
    finally:
        stop.set()
        asker.join()
    files = [f"{path}.{i}" for i in range(5)] + [path]
    until(lambda: sum(len(lines_of(file)) for file in files) == asked[0], "another number of lines")


@with_log("access log: complete when the server ends")
def _(server, path):
    many(server, OK, 50)
    server.stop()
    equal(server.wait(), 0, "exit code")
    equal(len(lines_of(path)), 50, "lines")


@case("access log: one that nobody reads holds nobody up, and what is lost is told", bare=True)
def _(command):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "pipe")
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with Server(command, access_log=path) as server, Connection(server) as c:
            batch, batches = 100, 200
            for _ in range(batches):
                c.send(OK * batch)
                for _ in range(batch):
                    equal(c.response().status, 200, "status")
            lost, lines, data = 0, 0, b""
            end = time.monotonic() + PATIENCE
            while lost + lines < batch * batches - 20 and time.monotonic() < end:
                try:
                    data += os.read(reader, 65536)
                except BlockingIOError:
                    time.sleep(0.01)
                whole, _, data = data.rpartition(b"\n")
                for line in whole.splitlines():
                    found = re.fullmatch(rb'\{"lost":(\d+)\}', line)
                    lost += int(found[1]) if found else 0
                    lines += b'"status":200' in line
            check(lost > 0 and lines > 0, f"{lost} lost, {lines} written")
            check(batch * batches - 20 <= lost + lines <= batch * batches + 20,
                  f"{lost} lost and {lines} written, of {batch * batches}")
        os.close(reader)


def one_left(server):
    """The limit with which it can open one more."""
    used = {int(name) for name in os.listdir(f"/proc/{server.process.pid}/fd")}
    return min(set(range(len(used) + 1)) - used) + 1


@case("descriptors: the last one is for a client, who is not kept waiting for another")
def _(server):
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (one_left(server), limits[1]))
    for _ in range(3):
        equal(get(server, "/plaintext").status, 200, "status")


def serves(command, limit):
    """Does it with so few descriptors? Or else it says what is the matter, and ends."""

    class Limited(Server):
        def before(self):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    try:
        with Limited(command, root="/") as server:
            try:
                return get(server, "/plaintext").status == 200
            except (Failed, OSError):
                server.wait()
                raise Failed(f"the server ended: {server.stderr()}") from None
    except Failed as error:
        check(re.search("the server ended: .*: Too many open files$", str(error), re.M), error)
        return False


@case("descriptors: with too few of them it does not start, and says so", bare=True)
def _(command):
    if os.environ.get("SAN"):
        return  # a sanitizer opens files of its own, at any time
    first = next(limit for limit in range(6, 64) if serves(command, limit))
    check(all(serves(command, first + more) for more in (1, 2)), f"with {first}, but not with more")


@case("user: privileges are gone, groups too, and the port file is still written", bare=True)
def _(command):
    if os.geteuid():
        return  # only root has any to give up
    with Server([*command, "--user", "nobody"]) as server:
        get(server, "/fib?n=20")
        for task in os.listdir(f"/proc/{server.process.pid}/task"):
            try:
                with open(f"/proc/{server.process.pid}/task/{task}/status") as file:
                    status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended
            equal(set(status["Uid"].split()) | {"0"}, {"65534", "0"}, f"user of {task}")
            check("0" not in status["Uid"].split() + status["Gid"].split(), f"{task} is still root")
            equal(status["Groups"].split(), ["65534"], f"groups of {task}")
            equal(int(status["CapEff"], 16), 0, f"capabilities of {task}")


def activated(command, listener, pid="$$", count="1"):
    """The command under a shell that keeps its pid through exec, with the socket as descriptor 3."""
    script = f'export LISTEN_PID={pid} LISTEN_FDS={count}; exec "$@" 3<&{listener.fileno()}'
    return ["sh", "-c", script, "sh", *command]


class WithSocket(Server):
    """Gets a socket that listens, as from systemd."""

    def __init__(self, command, listener, **more):
        self.listener = listener
        listener.set_inheritable(True)
        super().__init__(activated(command, listener, **more))


@case("activation: the socket that it was given", bare=True)
def _(command):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with WithSocket(command, listener) as server:
            equal(server.port, listener.getsockname()[1], "port")
            equal(get(server, "/plaintext").body, b"Hello, World!", "body")
        # it was closed there, not shut down
        with WithSocket(command, listener) as server:
            equal(get(server, "/plaintext").body, b"Hello, World!", "body")


@case("access log: a client at a local socket has no address, whatever name it gives itself", bare=True)
def _(command):
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client, \
            tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "log")
        listener.bind("")
        listener.listen()
        with WithSocket([*command, "--access-log", path], listener):
            client.bind(f"\0abcdefgh{os.getpid():08}")
            client.connect(listener.getsockname())
            client.sendall(OK)
            check(client.recv(4096).startswith(b"HTTP/1.1 200 "), "no answer")
            until(lambda: len(lines_of(path)) == 1, "no line")
            equal(lines_of(path)[0]["client"], "unix", "client")


@case("activation: for another process", bare=True)
def _(command):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with WithSocket(command, listener, pid="1") as server:
            check(server.port != listener.getsockname()[1], "it took what is not its own")


@case("activation: what does not listen is refused", bare=True)
def _(command):
    with socket.socket() as idle:
        try:
            with WithSocket(command, idle):
                raise Failed("it runs")
        except Failed as error:
            check("LISTEN_FDS" in str(error), error)
