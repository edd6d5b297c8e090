"""A server in a process of its own: started, asked over HTTP, stopped cleanly or killed as by a power cut."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path


def _alive(pid: int) -> bool:
    """Whether any thread of a process still runs; a leader can be a zombie while its threads hold files and maps."""
    try:
        states = [task.read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # one ended between listing and reading
        return Path(f"/proc/{pid}").exists()
    return any(state not in "ZX" for state in states)


class ServerProcess:
    """What a server's tests share; a subclass says with which ``command`` and ``env`` it starts."""

    command: list[str]
    env: dict[str, str]
    port: int
    process: subprocess.Popen | None = None

    def choose_port(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def popen(self, **more) -> subprocess.Popen:
        return subprocess.Popen(
            self.command, env=self.env, text=True, stdout=subprocess.PIPE, start_new_session=True, **more
        )

    def begin(self, **more) -> None:
        """Starts the server and returns when it says its address."""
        self.process = self.popen(**more)
        said = []
        for line in self.process.stdout:
            said.append(line)
            if f":{self.port}/" in line:
                return
        raise AssertionError(f"the server did not start: {said}")

    def exchange(
        self, method: str, path: str, body: bytes | None, headers: dict | None, timeout: float
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by lower-case name, and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def family(self) -> list[int]:
        """The server's process, then all that it started; from /proc, so on Linux only."""
        found, queue = [], [self.process.pid]
        while queue:
            found.append(queue.pop())
            for task in Path(f"/proc/{found[-1]}/task").glob("*/children"):
                queue += map(int, task.read_text().split())
        return [found[0], *sorted(found[1:])]

    def stop(self) -> int:
        """The exit status of a clean stop."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(40)
        self.process.stdout.close()
        return status

    def kill(self) -> None:
        """As a power cut to the processes: the server and its workers in one moment."""
        family = self.family()
        for pid in family:  # the server first: it would replace a worker that dies
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(30)
        self.process.stdout.close()
        deadline = time.monotonic() + 20
        while any(_alive(pid) for pid in family[1:]):
            assert time.monotonic() < deadline, "a killed process is still there"
            time.sleep(0.05)

    def end(self) -> None:
        """Whatever a test did, nothing keeps running."""
        if self.process is None:
            return
        if self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
        self.process.stdout.close()
