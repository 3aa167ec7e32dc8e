"""What is read from the environment that a launcher leaves: Slurm, Kubernetes and TPU slices, each faked."""

import http.server
import importlib.util
import threading

import pytest

from cvpo_jax import ConfigError, run
from cvpo_jax.runtime import distributed, launcher

STEP = {
    "SLURM_JOB_ID": "77",
    "SLURM_STEP_NODELIST": "node[01-02]",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "0",
}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    """No launcher, and neither libtpu nor kubernetes installed; returns what to install."""
    for name in (*STEP, "SLURM_STEP_NUM_TASKS", "KUBERNETES_SERVICE_HOST", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)
    for name in ("TPU_PROCESS_ADDRESSES", "TPU_WORKER_HOSTNAMES", "MEGASCALE_NUM_SLICES", "TPU_SKIP_MDS_QUERY"):
        monkeypatch.delenv(name, raising=False)
    installed = set()
    real = importlib.util.find_spec

    def find_spec(name):
        return name in installed or None if name in ("libtpu", "kubernetes") else real(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    return installed


def set_all(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_without_a_launcher_a_process_is_alone():
    assert not launcher.launched_together()


@pytest.mark.parametrize(
    ("tasks", "together"),
    [("2", True), ("1", False), (None, False)],
)
def test_tasks_of_one_slurm_step_train_together(tasks, together, monkeypatch):
    """`SLURM_NTASKS` alone is the job's: a batch script, or a shell in an allocation, is one process all the same."""
    set_all(monkeypatch, STEP | ({"SLURM_STEP_NUM_TASKS": tasks} if tasks else {}))
    assert launcher.launched_together() is together


def test_a_batch_script_without_srun_is_alone(monkeypatch):
    set_all(monkeypatch, STEP | {"SLURM_STEP_NUM_TASKS": "2"})
    monkeypatch.delenv("SLURM_STEP_NODELIST")
    assert not launcher.launched_together()


def test_pods_of_an_indexed_job_train_together_where_jax_can_ask_for_their_number(monkeypatch, nowhere):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    assert not launcher.launched_together()
    nowhere.add("kubernetes")
    assert launcher.launched_together()
    monkeypatch.delenv("JOB_COMPLETION_INDEX")
    assert not launcher.launched_together()


@pytest.mark.parametrize(
    ("variables", "together"),
    [
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, True),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, False),
        ({"TPU_WORKER_HOSTNAMES": "a", "MEGASCALE_NUM_SLICES": "2"}, True),
        ({"TPU_PROCESS_ADDRESSES": "a:1,b:1", "TPU_WORKER_HOSTNAMES": "a"}, True),
        ({"TPU_SKIP_MDS_QUERY": "1"}, False),
    ],
)
def test_hosts_of_a_tpu_slice_train_together(variables, together, monkeypatch, nowhere):
    nowhere.add("libtpu")
    set_all(monkeypatch, variables)
    assert launcher.launched_together() is together


@pytest.mark.parametrize(("hosts", "together"), [("a:1:10.0.0.1,b:2:10.0.0.2", True), ("a:1:10.0.0.1", False)])
def test_a_tpu_virtual_machine_asks_its_metadata_server(hosts, together, monkeypatch, nowhere):
    class Metadata(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found = self.path == launcher.METADATA and self.headers["Metadata-Flavor"] == "Google"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(hosts.encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Metadata) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("GCE_METADATA_IP", f"127.0.0.1:{server.server_port}")
        nowhere.add("libtpu")
        assert launcher.launched_together() is together
        server.shutdown()
    assert not launcher.launched_together(), "no server: not on such a machine"


@pytest.mark.parametrize(
    ("words", "launched", "joins"),
    [([], True, 1), (["--no-distributed"], True, 0), ([], False, 0), (["--distributed"], False, 1)],
)
def test_a_run_joins_where_it_was_launched_so_or_told_to(words, launched, joins, monkeypatch):
    joined = []
    monkeypatch.setattr(launcher, "launched_together", lambda: launched)
    monkeypatch.setattr(distributed, "join", lambda: joined.append(True))
    with pytest.raises(ConfigError, match="name an experiment"):
        run.command(words)
    assert len(joined) == joins
