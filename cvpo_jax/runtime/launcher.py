"""Whether a launcher started this process as one of several that train together, read from the environment.

JAX finds the addresses of the others by itself once it is asked to (`distributed`); this module decides whether to ask.
"""

import importlib.util
import os
import urllib.error
import urllib.request

SLURM = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID")
"""What JAX needs of `srun`."""
METADATA = "/computeMetadata/v1/instance/attributes/worker-network-endpoints"
METADATA_SECONDS = 2.0


def launched_together() -> bool:
    """Whether this process is one of several: tasks of a Slurm step, pods of a Kubernetes job, hosts of a TPU slice."""
    return _slurm_tasks() > 1 or _tpu_hosts() > 1 or _in_indexed_job()


def _slurm_tasks() -> int:
    """Tasks of the step that `srun` started. A batch script without `srun` is a single task, whatever the job has."""
    if any(name not in os.environ for name in SLURM):
        return 1
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))


def _in_indexed_job() -> bool:
    """Whether this is a pod of an indexed Kubernetes job, and what JAX asks for its size is installed."""
    indexed = {"KUBERNETES_SERVICE_HOST", "JOB_COMPLETION_INDEX"} <= os.environ.keys()
    return indexed and importlib.util.find_spec("kubernetes") is not None


def _tpu_hosts() -> int:
    """Hosts of the TPU slices: from the variables that GKE sets, on a TPU virtual machine from its metadata server."""
    if importlib.util.find_spec("libtpu") is None:
        return 1
    slices = int(os.environ.get("MEGASCALE_NUM_SLICES") or 1)
    named = os.environ.get("TPU_PROCESS_ADDRESSES") or os.environ.get("TPU_WORKER_HOSTNAMES")
    return slices * len((named or _tpu_metadata()).split(","))


def _tpu_metadata() -> str:
    """The hosts of the slice, separated by commas; empty except on Google's machines."""
    if "TPU_SKIP_MDS_QUERY" in os.environ:
        return ""
    server = os.environ.get("GCE_METADATA_IP", "metadata.google.internal")
    request = urllib.request.Request(f"http://{server}{METADATA}", headers={"Metadata-Flavor": "Google"})
    try:
        with urllib.request.urlopen(request, timeout=METADATA_SECONDS) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, TimeoutError):
        return ""
