"""Peak memory of whole runs: two rounds of each network on its data set at full size (stand-ins will do).

python benchmarks/memory.py
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CONFIGS = Path(__file__).parents[1] / "configs"
RUNS = {
    "HAR, logistic regression, 30 clients x 32": "har_fltrust.yaml",
    "MNIST, CNN, 100 clients x 32": "mnist_fltrust.yaml",
    "CIFAR-10, ResNet20, 100 clients x 64": "cifar10_fltrust.yaml",
}


def peak_memory(config: Path) -> float:
    """Largest resident memory, in GiB, of the process that runs two rounds of ``config``."""
    command = [sys.executable, "-c", "from flt.cli import console; console()", "fit", "--config", str(config)]
    settings = {
        "data.stand_in": "always",
        "trainer.max_steps": 2,
        "trainer.limit_val_batches": 1,
        "trainer.logger": "false",
        "trainer.enable_progress_bar": "false",
    }
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([*command, *arguments], cwd=folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{config.name} failed")
    return usage.ru_maxrss / 2**20  # kilobytes on Linux


def main() -> None:
    """Prints one line for each network."""
    for name, config in RUNS.items():
        print(f"{name:45} {peak_memory(CONFIGS / config):6.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
