"""All commands with the dataclass of each one's options, and the console script in a process of its own."""

import subprocess
import sys

from cvpo_jax import (
    bench,
    check,
    completion,
    doctor,
    evaluate,
    export,
    init,
    plot,
    ray_tune,
    render,
    report,
    run,
    search,
    sweep,
    tasks,
    transfer,
    watch,
)

ON_RUNS = {
    "evaluate": evaluate.EvaluateOptions,
    "export": export.ExportOptions,
    "plot": plot.PlotOptions,
    "render": render.RenderRequest,
    "report": report.ReportOptions,
    "transfer": transfer.TransferOptions,
}
ON_EXPERIMENTS = {
    "bench": bench.BenchOptions,
    "ray_tune": ray_tune.RayOptions,
    "run": run.RunOptions,
    "search": search.SearchOptions,
    "sweep": sweep.SweepOptions,
}
ON_NEITHER = {
    "check": check.CheckOptions,
    "completion": completion.CompletionOptions,
    "doctor": doctor.DoctorOptions,
    "init": init.InitOptions,
    "tasks": tasks.TasksOptions,
    "watch": watch.WatchOptions,
}
COMMANDS = ON_RUNS | ON_EXPERIMENTS | ON_NEITHER


def console(*arguments):
    code = f"import sys\nsys.argv = ['cvpo', *{list(arguments)}]\nfrom cvpo_jax import cli\ncli.console()\n"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
