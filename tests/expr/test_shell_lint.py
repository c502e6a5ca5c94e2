"""Placeholders in text that another program reads as code are flagged, those beside it are not."""

from __future__ import annotations

import pytest
from flow_text import FlowText
from shell_bench import NAMES

from flowrules.expr.shell import parse_shell
from flowrules.expr.shell_lint import interpreter_warnings


def flagged(text: str) -> list[str]:
    template, _ = parse_shell(FlowText(text), NAMES)
    found = interpreter_warnings(template)
    assert all(d.code == "L002" and d.severity == "warning" and d.hint for d in found)
    return [f"{d.span.column if d.span else 0} {d.message.split('`')[3]}" for d in found]


@pytest.mark.parametrize(
    ("text", "readers"),
    [
        ("bash -c 'cat {input} | sort'", ["14 bash"]),
        ('sh -c "cat {input.xyz}"', ["12 sh"]),
        ("timeout 5 bash -euo pipefail -c 'cat {mol}'", ["38 bash"]),
        ('srun -n 4 bash -lc "run {mol}"', ["25 bash"]),
        ("find . -exec sh -c 'grep {mol} \"$1\"' _ {} \\;", ["26 sh"]),
        ("ls | xargs -I% sh -c 'cp % {output}'", ["28 sh"]),
        ("conda run -n x python -c 'open(\"{input.xyz}\")'", ["33 python"]),
        ("python3.11 -c \"print('{mol}')\"", ["23 python3.11"]),
        ("perl -ne 'print if /{mol}/' a", ["21 perl"]),
        ("perl -lane 'print \"{mol}\"' {input.xyz}", ["20 perl"]),
        ("Rscript -e 'read.csv(\"{input.xyz}\")'", ["23 Rscript"]),
        ("ssh host cat {input.xyz}", ["14 ssh"]),
        ("ssh -p 22 host 'cat {input.xyz}' > {output}", ["21 ssh"]),
        ("awk '$1 == \"{mol}\"' {input.xyz}", ["13 awk"]),
        ("gawk -F, -v n=1 '/{mol}/ {print $1}' a", ["19 gawk"]),
        ("sed 's/x/{mol}/' a", ["10 sed"]),
        ("sed -i -e s/x/{mol}/ a", ["15 sed"]),
        ("parallel 'grep {mol} {}' ::: a b", ["16 parallel"]),
        ("python <<EOF\nopen('{input.xyz}')\nEOF\n", ["7 python"]),
        ("ssh host bash <<'EOF'\ncat {mol}\nEOF\n", ["5 ssh"]),
        ("awk '$1 > \"{config.s}\"' a", ["12 awk"]),
    ],
)
def test_code_for_another_program(text: str, readers: list[str]) -> None:
    assert flagged(text) == readers


@pytest.mark.parametrize(
    "text",
    [
        "cat {input} | sort > {output}",
        "bash -c 'cat \"$1\"' _ {input.xyz}",
        "bash {input.xyz} {mol}",
        "bash -x run.sh {mol}",
        "python run.py -c {mol}",
        "python -m tool -c {mol}",
        "perl -pe s/a/b/ {input.xyz}",
        "awk -v x={mol} '$1 == x' {input.xyz}",
        "awk -v x={mol} -f prog.awk {input.xyz}",
        "awk '{print $1}' {input.xyz} > {output}",
        "awk '$1 > {config.a.b[0]} && $2 == \"{OUT}\" && NR % {threads}' a",
        "sed s/a/b/ {input.xyz} > {output}",
        "sed -e s/a/b/ -f x.sed {input.xyz}",
        "sed -n 2p {input.xyz}",
        "ssh {mol} ls",
        "ssh host bash <<'EOF'\ncat {mol:q}\nEOF\n",
        "cat <<EOF\n{mol}\nEOF\n",
        "bash -c 'cat {input:raw}'",
        "bash -c 'sleep {threads}' # {input}",
        "parallel echo {} ::: {input}",
        "grep -e {mol} {input.xyz}",
        "gcc -c {input.xyz} -o {output}",
        "tar -c {input}",
        "{mpirun} prog -e {mol}",
    ],
)
def test_text_for_this_shell(text: str) -> None:
    assert flagged(text) == []
