"""The dashboard as a user meets it: served on this machine alone, in a browser, and ended by Ctrl-C."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
from paths import ROOT

from cvpo_jax import cli, watch
from cvpo_jax.pages.dashboard import Dashboard
from cvpo_jax.pages.server import Server

pytestmark = pytest.mark.xdist_group("browser")
STORED = ROOT / "results" / "training" / "point_goal"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs under a limit of 25, one of 10."""
    for name in ("limit25/512envs/seed0", "limit25/512envs/seed1", "limit10/512envs/seed0"):
        shutil.copytree(STORED / name, tmp_path / "runs" / name.replace("/", "-"))
    return tmp_path / "runs"


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(Dashboard(folder), "runs", 0) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def ask(server: Server, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response, response.read()


def test_the_numbers_are_sent_once_and_again_when_they_change(server: Server, folder: Path) -> None:
    response, content = ask(server, "/runs.json")
    assert response.status == 200 and len(json.loads(content)) == 3
    tag = response.headers["ETag"]
    assert ask(server, "/runs.json", **{"If-None-Match": tag})[0].status == 304
    shutil.rmtree(folder / "limit10-512envs-seed0")
    response, content = ask(server, "/runs.json", **{"If-None-Match": tag})
    assert response.status == 200 and len(json.loads(content)) == 2


def test_only_this_machine_is_served_and_nothing_but_the_page(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"
    response, content = ask(server, "/")
    assert response.status == 200 and b"<title>Trainings</title>" in content
    assert ask(server, "/../config.json")[0].status == 404
    assert ask(server, "/runs.json", Host="elsewhere.example:80")[0].status == 403, "a name that leads here"
    assert ask(server, "/runs.json", Host="localhost:8765")[0].status == 200, "through a tunnel"


@pytest.mark.skipif(not browser.FOUND, reason=browser.MISSING)
def test_the_page_follows_what_is_written(server: Server, folder: Path, tmp_path: Path) -> None:
    rows, lines = "document.querySelectorAll('#runs tbody tr').length", "document.querySelectorAll('path.curve').length"
    with browser.page(tmp_path) as tab:
        for width in (1280, 390):
            tab.size(width, 800)
            tab.open(server.url + "/")
            tab.wait(f"{rows} === 3")
            assert tab.value("document.documentElement.scrollWidth") == width
        assert tab.value(lines) == 3 * 7, "predicted and measured are two"
        assert tab.value("document.querySelector('.chart .value:not(:empty)').textContent") == "relative to the limit"
        tab.click("[data-run^=limit10] input")
        tab.wait(f"{lines} === 2 * 7")
        assert tab.value("document.querySelector('.limit-label').textContent") == "limit 25"
        metrics = folder / "limit25-512envs-seed1" / "metrics.jsonl"
        row = json.loads(metrics.read_text().splitlines()[-1]) | {"return_mean": 123.4}
        with metrics.open("a") as file:
            file.write(json.dumps(row) + "\n")
        tab.wait("document.querySelector('[data-run$=seed1] [data-heading=return]').textContent === '123'")
        (folder / "broken").mkdir()
        (folder / "broken" / "config.json").write_text("{}")
        tab.wait(f"{rows} === 4")
        assert tab.value("document.querySelector('[data-run=broken]').className") == "broken"
        assert not tab.problems
        assert {request.removeprefix(server.url) for request in tab.requests} <= {
            "/",
            "/runs.json",
            "data:,",
            "about:blank",
        }


def test_it_says_where_it_is_and_ctrl_c_ends_it(folder: Path) -> None:
    words = [sys.executable, "-m", "cvpo_jax.watch", str(folder), "--port", "0"]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # Shells have what they start in the background ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout and process.stderr
    said = process.stdout.readline()
    assert said.startswith(f"{folder} at http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "\nno longer served; trainings go on\n", "")


def test_what_cannot_be_served_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments, said in (
            ([str(tmp_path), "--port", str(port)], f"--port is {port}: another program has it on 127.0.0.1"),
            ([str(tmp_path), "--port", "65536"], "--port is 65536: it must lie between 0 and 65,535"),
            ([str(tmp_path / "none")], "none: there is no such folder"),
        ):
            assert cli.main(watch.command, arguments) == cli.WRONG
            err = capsys.readouterr().err
            assert said in err and err.count("\n") == 1


def test_it_starts_without_jax() -> None:
    script = "import sys, cvpo_jax.watch, cvpo_jax.pages.server; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=os.environ)
    assert done.stdout == "False\n"
