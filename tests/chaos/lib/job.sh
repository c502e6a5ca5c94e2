# NAME NAP FLAKY ATTEMPT OUTPUT... -- INPUT...: what it writes follows from its inputs, and comes slowly, line after line.
#
# It adds to `../ledger` when it begins and when it has written all; its first FLAKY attempts fail half-way. Outputs are
# added to, so that what an earlier attempt left would show. One whose name begins with `d` is a folder.

set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C
name=$1 nap=$2 flaky=$3 attempt=$4
shift 4
outputs=()
while [[ $1 != -- ]]; do
  outputs+=("$1")
  shift
done
shift
echo "$name begin $EPOCHREALTIME" >>../ledger
sum=$(for input; do if [[ -d $input ]]; then cat -- "$input"/*; else cat -- "$input"; fi; done | md5sum)
sum=${sum%% *}
number=0
for output in "${outputs[@]}"; do
  if [[ ${output##*/} == d* ]]; then mkdir -p -- "$output"; fi
  for line in 1 2 3 4 5; do
    if [[ -d $output ]]; then
      echo "$name $number $line $sum" >>"$output/$line"
    else
      echo "$name $number $line $sum" >>"$output"
    fi
    sleep "$nap"
    if ((line == 3 && attempt <= flaky)); then exit 7; fi
  done
  number=$((number + 1))
done
echo "$name end $EPOCHREALTIME" >>../ledger
