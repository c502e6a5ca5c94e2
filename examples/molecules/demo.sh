#!/usr/bin/env bash
# What `make demo` runs: the workflow, then the head of its table. The first argument is the folder of results
# (`outdir` of the configuration), the others go to flowrules.
set -euo pipefail
cd "$(dirname "$0")"
results=$1
shift

flowrules "$@"

echo
sed -n '/^| *rank/,/^| *5 /p' "$results/ranking.md"
echo
echo "table  examples/molecules/$results/ranking.csv (all), ranking.md (the first ones)"
echo "plot   examples/molecules/$results/ionization-energies.svg, .png"
echo "time   $SECONDS s"
