"""What processes share is closed to other users of the machine, and the page of `watch` to other sites."""

import http.client
import os
import socket
import stat
import threading

import pytest
from toy_host import SPEC, ToyEnv

from cvpo_jax.pages.dashboard import Dashboard
from cvpo_jax.pages.server import Server
from envs.host import shared_memory
from envs.host.pool import WorkerPool


@pytest.fixture
def without_umask():
    """Files get all the permissions that are asked for."""
    before = os.umask(0)
    yield
    os.umask(before)


def sockets(process):
    """The inodes of the sockets that a process holds."""
    names = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{process}/fd") if os.path.islink(entry.path)]
    return {name.removeprefix("socket:[").removesuffix("]") for name in names if name.startswith("socket:")}


def rows(table):
    """The lines of a table of sockets, without its heading, as words."""
    with open(f"/proc/net/{table}") as file:
        return [line.split() for line in file][1:]


def test_shared_memory_has_no_name_and_is_its_owners(without_umask):
    names = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    descriptor = shared_memory.create(SPEC, 4)
    try:
        status = os.fstat(descriptor)
        assert stat.S_IMODE(status.st_mode) == 0o600 and status.st_uid == os.geteuid()
        assert status.st_nlink == 0, "nothing to open it by"
        assert not os.get_inheritable(descriptor), "only workers are given it"
        assert not names or set(os.listdir("/dev/shm")) <= names
    finally:
        os.close(descriptor)


def test_workers_are_spoken_to_by_sockets_without_a_name():
    pool = WorkerPool(ToyEnv, SPEC, 2, num_workers=2)
    try:
        connected = [sockets(worker.pid) for worker in pool.workers]
        assert all(len(own) == 1 for own in connected), "one each, and none of the other's"
        by_inode = {row[6]: row for row in rows("unix")}
        for inode in set.union(*connected):
            assert len(by_inode[inode]) == 7, "a name would be the eighth column"
        listening = {row[9] for table in ("tcp", "tcp6", "udp", "udp6") for row in rows(table)}
        assert not listening & set.union(*connected)
    finally:
        pool.close()


@pytest.fixture
def served(tmp_path):
    """The page of an empty folder, beside a file that is none of its business."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "secret").write_text("secret")
    with Server(Dashboard(tmp_path / "runs"), "runs", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def status(server, path="/runs.json", method="GET", host="localhost:80"):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
    connection.putrequest(method, path, skip_host=True)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    return connection.getresponse().status


def test_the_page_is_served_on_loopback_alone(served):
    port = served.server_address[1]
    assert served.socket.getsockname()[0] == "127.0.0.1"
    others = {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        with pytest.raises(OSError):
            socket.create_connection((address, port), timeout=5).close()


@pytest.mark.parametrize(
    "host", [None, "", "elsewhere.example", "elsewhere.example:80", "localhost.elsewhere.example:80", "[::1]:80", ":80"]
)
def test_a_name_of_another_site_that_leads_here_is_refused(served, host):
    assert status(served) == 200
    assert status(served, host=host) == 403
    assert status(served, "/", host=host) == 403


@pytest.mark.parametrize(
    "path",
    ["/../secret", "/%2e%2e/secret", "//secret", "/runs/../../secret", "/runs.json/../../secret", "/?/../secret"],
)
def test_no_path_leads_to_a_file(served, path):
    assert status(served, path) == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed_through_it(served, method):
    assert status(served, method=method) == 501
