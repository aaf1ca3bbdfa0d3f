import subprocess
import sys
from pathlib import Path

NAMES = [
    *("fedavg", "krum", "krum_scores", "krum_select", "trimmed_mean", "median", "fltrust"),
    *("pairwise_squared_distances", "cosine_similarity", "trust_scores", "finite_rows", "all_finite"),
    *("flip_labels", "krum_attack", "trim_attack", "adaptive_attack", "adaptive_objective"),
]


def test_functional_works_without_lightning():
    code = (
        "import sys, flt.functional as F\n"
        f"missing = [name for name in {NAMES} if not hasattr(F, name)]\n"
        "heavy = {'lightning', 'pytorch_lightning', 'torchvision', 'torchmetrics'} & set(sys.modules)\n"
        "sys.exit(f'missing {missing}, imported {heavy}' if missing or heavy else 0)"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 (our own code)
    assert done.returncode == 0, done.stderr
