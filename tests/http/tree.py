# SPDX-License-Identifier: MIT
"""A directory with files in it, and a server that serves them."""
import ctypes
import gzip
import os
import socket
import struct
import tempfile
import time

from harness import Server, case, equal, get, until

SECRET = b"this lies outside the root"
PAGE = b"<h1>hello</h1>\n"
TEN = b"0123456789"
LARGE = bytes(range(256)) * 12000  # 3 MB: more than a socket takes at once
OLD = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


class Tree:
    """A root with some files in it, and a secret beside it."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.root = os.path.join(self.directory.name, "root")
        for name in "sub", "empty", "indexed", "deep/er", "with space", "caf\u00e9":
            os.makedirs(os.path.join(self.root, name))
        self.write("index.html", PAGE)
        self.write("indexed/index.html", b"index of indexed")
        self.write("ten.txt", TEN)
        self.write("nothing.bin", b"")
        self.write("large.bin", LARGE)
        self.write("young.txt", b"young", old=False)
        self.write("with space/a%41.txt", b"percent")
        self.write("caf\u00e9/x.css", b"p { }")
        self.write("page.js", b"x" * 1000)
        self.write("page.js.gz", gzip.compress(b"x" * 1000))
        self.write("page.js.br", b"not really brotli")
        self.write("half.svg", b"<svg/>")
        self.write("half.svg.gz", gzip.compress(b"<svg/>"))
        with open(os.path.join(self.directory.name, "secret"), "wb") as file:
            file.write(SECRET)
        os.mkfifo(os.path.join(self.root, "fifo"))
        os.symlink("ten.txt", os.path.join(self.root, "inside"))
        os.symlink("../secret", os.path.join(self.root, "outside"))
        os.symlink("..", os.path.join(self.root, "up"))
        os.symlink("/etc/passwd", os.path.join(self.root, "absolute"))
        os.symlink(os.path.join(self.directory.name, "secret"), os.path.join(self.root, "full"))
        os.symlink("/proc/self/root", os.path.join(self.root, "magic"))
        os.symlink("loop", os.path.join(self.root, "loop"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(self.root, "socket"))

    def write(self, name, data, old=True):
        """Through a rename, as who replaces files that are being read should do it."""
        path = os.path.join(self.root, name)
        with open(path + "~", "wb") as file:
            file.write(data)
        if old:
            os.utime(path + "~", (OLD, OLD))
        os.rename(path + "~", path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.directory.cleanup()


class WithoutOpenat2(Server):
    """As in a sandbox that does not know the call."""

    def before(self):
        libc = ctypes.CDLL(None)
        code = [(0x20, 0, 0, 0), (0x15, 0, 1, 437), (0x06, 0, 0, 0x50000 | 38), (0x06, 0, 0, 0x7fff0000)]
        program = b"".join(struct.pack("HBBI", *line) for line in code)
        buffer = ctypes.create_string_buffer(program)
        header = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
        libc.prctl(38, 1, 0, 0, 0)
        libc.prctl(22, 2, ctypes.c_char_p(header), 0, 0)


def at_rest(server):
    """Its descriptors, once it has opened the root: it listens before it does."""
    equal(get(server, "/healthz").status, 200, "status")
    counts = []
    for _ in range(20):
        time.sleep(0.005)
        counts.append(server.descriptors())
    return min(counts)


def with_tree(name, kind=Server, limit=30):
    def register(fn):
        def run(command):
            with Tree() as tree, kind([*command, "--root", tree.root]) as server:
                before = at_rest(server)
                fn(server, tree)
                until(lambda: server.descriptors() == before,
                      f"{server.descriptors()} descriptors, not {before}")

        case(name, bare=True, limit=limit)(run)
        return fn

    return register
