# SPDX-License-Identifier: MIT
"""The servers of bench/http: how each is started in its own recommended form, and what it uses.

Configurations are written into a temporary directory; everything listens on 127.0.0.1 alone,
without an access log, as N threads or N processes with one thread each.
"""
import http.client
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from report import BUILD

GREETING = b"Hello, World!"
FILES = {"10k": 10 * 1024, "1m": 1024 * 1024}
OLD = 1e9  # when they were last changed: filchd keeps no file that may still be written to
DESCRIPTORS = 65536  # that a server may have open, where that can be had

# https://docs.nginx.com/nginx/admin-guide/web-server/serving-static-content/ (sendfile,
# tcp_nopush, backlog), https://nginx.org/en/docs/http/ngx_http_core_module.html#open_file_cache,
# https://nginx.org/en/docs/http/ngx_http_core_module.html#listen (reuseport)
NGINX = """
{user}
daemon off;
worker_processes {workers};
worker_rlimit_nofile {descriptors};
error_log {directory}/log;
pid {directory}/pid;
events {{ worker_connections {descriptors}; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    open_file_cache max=1000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        root {www};
        default_type application/octet-stream;
        location = /plaintext {{ default_type text/plain; return 200 "Hello, World!"; }}
    }}
}}
"""
# https://h2o.examp1e.net/configure/base_directives.html#num-threads and
# https://h2o.examp1e.net/configure/file_directives.html#file.dir
H2O = """
{user}
num-threads: {workers}
max-connections: {descriptors}
http1-request-timeout: 600
error-log: {directory}/log
pid-file: {directory}/pid
listen: {{ host: 127.0.0.1, port: {port} }}
hosts:
  default:
    paths:
      "/":
        file.dir: {www}
        file.mime.setdefaulttype: text/plain
"""
# https://redmine.lighttpd.net/projects/lighttpd/wiki/Docs_Performance and
# https://redmine.lighttpd.net/projects/lighttpd/wiki/Server_max-workerDetails
LIGHTTPD = """
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{www}"
server.errorlog = "{directory}/log"
server.event-handler = "linux-sysepoll"
server.max-worker = {lighttpd_workers}
server.max-fds = {descriptors}
server.max-connections = {half}
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 600
mimetype.assign = ( ".bin" => "application/octet-stream", "" => "text/plain" )
"""


def ours(*command):
    return lambda where: [*command, "--listen", f"127.0.0.1:{where['port']}",
                          "--workers", str(where["workers"]), "--idle-timeout", "600",
                          "--root", f"{where['www']}/files"]


def rival(config, user, *command):
    """A function that writes a configuration and returns the command that uses it."""
    def prepare(where):
        path = f"{where['directory']}/conf"
        user_line = user if os.geteuid() == 0 else ""
        Path(path).write_text(config.format(**where, user=user_line))
        return [part if part != "CONF" else path for part in command]
    return prepare


BASELINE = BUILD / "bench/filchd-baseline"
EVERYTHING = {"sleep", "fib", "idle", "files"}
# The baselines keep no 10,000 idle connections: a pool serves as many as it has threads, and in a
# thread of its own filch's calls look 20 times a second whether somebody closed the descriptor.
BASELINE_HAS = EVERYTHING - {"idle"}
# program, how to prepare its command, what it can do beside /plaintext
SERVERS = {
    "filch": (BUILD / "filchd", ours(BUILD / "filchd"), EVERYTHING),
    "filch-epoll": (BUILD / "filchd", ours(BUILD / "filchd", "--poller", "epoll"), EVERYTHING),
    "shared-queue": (BASELINE, ours(BASELINE, "--model", "shared-queue"), BASELINE_HAS),
    "thread": (BASELINE, ours(BASELINE, "--model", "thread"), BASELINE_HAS),
    "nginx": ("nginx", rival(NGINX, "user root;", "nginx", "-e", "/dev/null", "-c", "CONF"),
              {"idle", "files"}),
    "h2o": ("h2o", rival(H2O, "user: root", "h2o", "-c", "CONF"), {"idle", "files"}),
    "lighttpd": ("lighttpd", rival(LIGHTTPD, "", "lighttpd", "-D", "-f", "CONF"),
                 {"idle", "files"}),
}
OURS = ("filch", "filch-epoll", "shared-queue", "thread")


class Wrong(Exception):
    """A server that does not start, or does not answer as it should."""


def program(name):
    """Where its program is; None: not here."""
    path = shutil.which(SERVERS[name][0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    return path and Path(path)


def missing(name):
    """Why it cannot be measured here; None: it can."""
    if not program(name):
        return "make bench builds it" if name in OURS else "not installed (make deps-rivals)"
    return None


def raise_limit():
    """For whoever is started from here. Returns how many descriptors they may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, max(hard, DESCRIPTORS)))
    except (ValueError, OSError):  # not everybody may
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], DESCRIPTORS)


def free_port():
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_files(directory):
    www = Path(directory) / "www"
    (www / "files").mkdir(parents=True)
    (www / "plaintext").write_bytes(GREETING)
    for name, size in FILES.items():
        path = www / f"files/{name}.bin"
        path.write_bytes(content(size))
        os.utime(path, (OLD, OLD))
    return www


def content(size):
    return bytes(range(256)) * (size // 256)


class Server:
    """A server with N workers on a port of its own, until the end of the with block."""

    def __init__(self, name, workers, cpu=None):
        self.name = name
        self.directory = tempfile.TemporaryDirectory(prefix="filch-bench-")
        self.port = free_port()
        where = {"directory": self.directory.name, "www": make_files(self.directory.name),
                 "port": self.port, "workers": workers, "descriptors": raise_limit(),
                 "half": raise_limit() // 2,
                 "lighttpd_workers": workers if workers > 1 else 0}
        command = SERVERS[name][1](where)
        command[0] = program(name)
        if cpu is not None:
            command = ["taskset", "-c", cpu, *command]
        self.log = open(f"{self.directory.name}/output", "w+b")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, start_new_session=True)

    def __enter__(self):
        try:
            self.wait_for_start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """It, and whatever it started: they are a process group."""
        self.process.terminate()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()
        self.directory.cleanup()

    def wait_for_start(self):
        for _ in range(500):
            if self.process.poll() is not None:
                break
            try:
                self.expect("/plaintext", GREETING)
                return
            except OSError:
                time.sleep(0.01)
        raise Wrong("does not start: " + self.last_words())

    def last_words(self):
        """The last line that it wrote anywhere."""
        text = b""
        for name in ("output", "log"):
            path = Path(self.directory.name) / name
            text += path.read_bytes() if path.exists() else b""
        lines = text.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "and does not say why"

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def expect(self, path, body):
        try:
            status, got = self.get(path)
        except http.client.HTTPException as error:
            raise Wrong(f"{path}: answers no HTTP: {error!r}") from error
        if status != 200 or got != body:
            raise Wrong(f"{path}: answers {status} with {len(got)} bytes, not 200 with "
                        f"{len(body)} of the right ones")

    def processes(self):
        """Those of its session, which it has to itself."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            if int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(int(stat.parent.name))
        return found

    def cpu_ns(self):
        """What the scheduler counted for all threads, those that have ended too.

        The sum of the first fields of /proc/PID/task/*/schedstat, but for two things that those
        leave out: threads that ended, and what runs at this moment. See clock_getcpuclockid(3).
        """
        return sum(time.clock_gettime_ns(~pid << 3 | 2) for pid in self.processes())

    def rss(self):
        """Resident bytes of all its processes."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                    for pid in self.processes())
        return pages * os.sysconf("SC_PAGE_SIZE")
