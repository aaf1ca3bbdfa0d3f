"""Tables for LaTeX: their structure, and that nothing in them is taken for a command."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from grids import make_outline, make_row

from flt.grid.plan.findings import Compare
from flt.grid.results.latex import as_latex, escaped

HOSTILE = r"50 % of {a_b} & $x^2$ #1 \input{/etc/passwd} ~ <b> [2ex] λ"
LEVELS = {"rule": ["FedAvg", HOSTILE], "attack": ["No attack", "Scaling_attack"]}
ROWS = [
    make_row({"rule": "FedAvg", "attack": "No attack"}, 0.1, published=(0.2, None)),
    make_row({"rule": "FedAvg", "attack": "No attack"}, 0.2, seed=1, published=(0.2, None)),
    *(make_row({"rule": HOSTILE, "attack": "No attack"}, 0.5, seed=seed) for seed in (0, 1)),
]
OUTLINE = replace(make_outline(LEVELS, source="the paper's"), compare=Compare("rule", "FedAvg"))


def test_structure() -> None:
    text = as_latex(OUTLINE, ROWS)
    first, second = re.findall(r"\\begin\{table\}(.*?)\\end\{table\}", text, re.S)  # the second has the tests
    header, *body = re.search(r"\\toprule\n(.*)\\bottomrule", first, re.S)[1].replace("\\midrule\n", "").splitlines()
    assert header == r"aggregation rule & No attack & Scaling\_attack \\"
    assert body[0] == r"FedAvg & \textbf{0.150 $\pm$0.071} (0.20) & - \\"
    assert r"\begin{tabular}{lcc}" in first
    assert r"\caption{Small. HAR (stand-in); 1,000 rounds; mean $\pm$ standard deviation" in first
    assert r"\label{tab:small}" in first
    assert r"$-$" not in first
    assert "p 0.5" in second


def test_nothing_is_a_command() -> None:
    assert escaped(HOSTILE) == (
        r"50 \% of \{a\_b\} \& \$x\textasciicircum{}2\$ \#1 \textbackslash{}input\{/etc/passwd\}"
        r" \textasciitilde{} \textless{}b\textgreater{} {[}2ex{]} $\lambda$"
    )
    assert escaped("-0.1 [-0.2, 3-4] Trim-mean λ") == r"$-$0.1 {[}$-$0.2, 3-4{]} Trim-mean $\lambda$"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
def test_it_compiles(tmp_path: Path) -> None:
    head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "paper.tex").write_text(head + as_latex(OUTLINE, ROWS) + "\\end{document}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 (our own)
    assert ended.returncode == 0, ended.stdout
