# A block without a runner: GNU Parallel with one sshlogin for each slot. Follows attempt.sh and plain_node.sh.
#
#     bash FILE                 on the first node of an allocation: works the block off. Again: what is missing
#     FILE ssh SLOT HOST CMD    how Parallel reaches a slot
#     FILE enter | leave        on each node, before the first job and after the last one
#     FILE one TASK             on a node, in the slot of $FR_SLOT
#
# The jobs stand at the end, as data: a line `#: TASK STAGE NEEDS LABEL`, then one of shell words. What counts as done is what
# nodes wrote into runs/NN/node-HOST.log; a job is good when its outputs were looked at, else they are removed. Parallel's
# joblogs are the second witness, and tell this script at once what a shared file system may show late.

fr_grace=10000000 fr_chain=
fr_self=$(readlink -f -- "$0")
# what is killed gets some seconds to say so, on this machine and on others
fr_seq=$(printf 'TERM,500,%.0s' {1..24})KILL,25

fr_say() { printf '%(%H:%M:%S)T %s\n' -1 "$*"; }

fr_hosts() { # fr_host: the nodes of the allocation, each once
  local name
  local -A known=()
  fr_host=()
  while read -r name; do
    [[ $name && ! ${known[$name]-} ]] || continue
    [[ $name == [A-Za-z0-9_]* && $name != *[!A-Za-z0-9_.-]* ]] || { fr_say "no name of a host: $name"; exit 2; }
    known[$name]=1
    fr_host+=("$name")
  done < <(
    if [[ ${FLOWRULES_NODES-} ]]; then
      printf '%s\n' "${FLOWRULES_NODES//,/$'\n'}"
    elif [[ ${PBS_NODEFILE-} ]]; then
      cat -- "$PBS_NODEFILE"
    elif [[ ${SLURM_JOB_NODELIST-} ]]; then
      scontrol show hostnames "$SLURM_JOB_NODELIST"
    else
      printf '%s\n' "$HOSTNAME"
    fi
  )
}

fr_main() {
  local name command
  for command in parallel ${fr_reach:+ssh}; do
    command -v "$command" >/dev/null || { fr_say "there is no \`$command\` here"; exit 2; }
  done
  [[ $(parallel --version 2>/dev/null) == GNU* ]] || { fr_say "\`parallel\` is not GNU Parallel"; exit 2; }
  fr_hosts
  ((${#fr_host[@]} >= fr_nodes)) || { fr_say "this needs $fr_nodes nodes, and there are ${#fr_host[@]}"; exit 2; }
  fr_host=("${fr_host[@]:0:fr_nodes}")
  cd -- "$fr_directory" || exit 2
  fr_umask=$(umask)
  umask 077
  FR_RUN=$(fr_next_run) && [[ -d $FR_RUN ]] || { fr_say "no folder for this run can be made in $fr_folder"; exit 2; }
  printf '%s\n' "${fr_host[@]}" >"$FR_RUN/nodes"
  printf '%s\n' "${FLOWRULES_BATCH_ID-${PBS_JOBID-${SLURM_JOB_ID-}}}" >"$FR_RUN/batch"
  FR_TMP=$(mktemp -d /tmp/flowrules.XXXXXXXX) || exit 2
  printf 'exec bash %q ssh "$@"\n' "$fr_self" >"$FR_TMP/ssh"
  umask "$fr_umask"
  FR_HOSTS=$(IFS=,; printf '%s' "${fr_host[*]}")
  printf -v FR_DEADLINE '%(%s)T' -1
  FR_DEADLINE=$((FR_DEADLINE + fr_seconds))
  export FR_RUN FR_TMP FR_HOSTS FR_DEADLINE PARALLEL_SHELL=$BASH PARALLEL_HOME=$FR_TMP
  unset PARALLEL
  trap 'rm -rf -- "$FR_TMP"' EXIT
  trap fr_end HUP INT TERM
  fr_ended=
  fr_past
  fr_on_nodes enter
  fr_stages
  fr_finish
}

fr_next_run() { # prints the folder of this run, made by `mkdir` of the next number
  local -i n=1
  local name path
  mkdir -p -- "$fr_folder/runs" || return
  for name in "$fr_folder"/runs/*/; do
    name=${name%/} name=${name##*/}
    [[ $name == [0-9]* && $name != *[!0-9]* ]] && ((10#$name >= n)) && n=$((10#$name + 1))
  done
  for ((; n < 1000; n++)); do
    printf -v path '%s/runs/%02d' "$fr_folder" "$n"
    mkdir -- "$path" 2>/dev/null && printf '%s\n' "$path" && return
    [[ -d $path ]] || return
  done
}

# What earlier runs of this block, and blocks before it, did. fr_done: jobs that ended well; fr_left: of others why they are
# not started now.
fr_past() {
  local folder path nonce word task status flag rest
  declare -gA fr_done=() fr_left=() fr_on=()
  for folder in "${fr_earlier[@]}" "$fr_nonce $fr_folder"; do
    nonce=${folder%% *} folder=${folder#* }
    for path in "$folder"/runs/*/node-*.log; do
      [[ -e $path ]] || continue
      while read -r word task status rest; do
        case $word in
          start) fr_on[$task]=${path##*/node-} ;;
          end)
            unset "fr_on[$task]"
            flag=${rest##* }
            if [[ $status == 0 && $flag != killed ]]; then
              fr_done[$task]=1
            elif [[ $fr_once && $flag != killed ]]; then
              fr_left[$task]="it failed"
            fi
            ;;
        esac
      done < <(sed -n "s/^$nonce //p" "$path")
    done
  done
}

fr_on_nodes() { # enter: fr_answers: nodes that answer, swept of what earlier runs left. leave: those where nothing is left
  local name logins=() host
  for name in "${!fr_host[@]}"; do logins+=("1/bash $FR_TMP/ssh n$name ${fr_host[name]}"); done
  printf '%s\n' "${logins[@]}" >"$FR_TMP/logins.$1"
  declare -gA fr_answers=()
  while read -r host; do
    [[ $host == "up "* ]] && fr_answers[${host#up }]=1
  done < <(parallel --plain --will-cite --nonall -j 32 --sshloginfile "$FR_TMP/logins.$1" --joblog "$FR_RUN/joblog.$1" \
    "$(printf %q "$BASH") $(printf %q "$fr_self") $1" </dev/null)
  for name in "${fr_host[@]}"; do
    [[ ${fr_answers[$name]-} ]] || fr_say "node $name does not answer"
  done
  # what was cut off on a node that cannot be asked may still run there
  if [[ $1 == enter ]]; then
    for name in "${!fr_on[@]}"; do
      host=${fr_on[$name]%.log}
      [[ ${fr_answers[$host]-} ]] || fr_left[$name]="it may still run on $host"
    done
  fi
}

fr_stages() {
  local -a tasks=() stage=() needs=() label=() now=()
  local mark task number need text try slots
  while read -r mark task number need text; do
    tasks+=("$task") stage+=("$number") needs+=("$need") label+=("$text")
  done < <(grep '^#: ' -- "$fr_self")
  fr_all=("${tasks[@]}") fr_label=("${label[@]}")
  local -i i s
  for ((s = 0; s < ${#fr_stage[@]}; s++)); do
    now=()
    for i in "${!tasks[@]}"; do
      task=${tasks[i]}
      [[ ${stage[i]} == "$s" && ! ${fr_done[$task]-} && ! ${fr_left[$task]-} ]] || continue
      for need in ${needs[i]//,/ }; do
        [[ $need == - || ${fr_done[$need]-} ]] || fr_left[$task]="what it needs was not made"
      done
      [[ ${fr_left[$task]-} ]] || now+=("$task")
    done
    for try in 1 2; do
      ((${#now[@]})) && [[ ! $fr_ended ]] || break
      fr_slots "${fr_stage[s]}"
      slots=$(wc -l <"$FR_TMP/logins")
      ((slots)) || { fr_say "no node answers"; break; }
      fr_say "stage $((s + 1)) of ${#fr_stage[@]}: ${#now[@]} to run, $slots at once"
      printf '%s\n' "${now[@]}" >"$FR_TMP/now"
      set -m
      parallel --plain --will-cite --termseq "$fr_seq" -u \
        --sshloginfile "$FR_TMP/logins" --joblog "$FR_RUN/joblog.$s.$try" \
        "$(printf %q "$BASH") $(printf %q "$fr_self") one {}" <"$FR_TMP/now" >/dev/null &
      fr_job=$!
      set +m
      while kill -0 "$fr_job" 2>/dev/null; do wait "$fr_job"; done
      fr_job=
      fr_heed "$FR_RUN/joblog.$s.$try"
      now=()
      while read -r task; do
        [[ ${fr_done[$task]-} || ${fr_left[$task]-} ]] || now+=("$task")
      done <"$FR_TMP/now"
      ((try == 1 && ${#now[@]})) && [[ ! $fr_ended ]] && fr_on_nodes enter
    done
    now=()
  done
}

fr_slots() { # writes the sshlogins of shape $1: slots of nodes that answer, and not more than may be used at once
  local slot node nodes
  local -i n=0
  : >"$FR_TMP/logins"
  while IFS='|' read -r slot nodes _; do
    for node in ${nodes//,/ }; do
      [[ ${fr_answers[${fr_host[node]}]-} ]] || continue 2
    done
    node=${nodes%%,*}
    printf '1/bash %s/ssh %s %s\n' "$FR_TMP" "$slot" "${fr_host[node]}" >>"$FR_TMP/logins"
    ((++n < fr_running)) || break
  done < <(fr_table | grep "^$1\\.")
}

fr_heed() { # how the jobs of a stage ended, by the joblog
  local seq host began seconds send receive status signal command
  while IFS=$'\t' read -r seq host began seconds send receive status signal command; do
    [[ $seq != Seq ]] || continue
    command=${command##* }
    case $status.$signal in
      0.0) fr_done[$command]=1 ;;
      1.0) fr_left[$command]="it failed" ;;
      75.0) fr_left[$command]="there was no time for it" ;;
      254.0) ;; # its node could not be reached: another one may
      *) fr_left[$command]="it was cut off" ;;
    esac
  done <"$1"
}

fr_end() { # asked to end: what runs is killed, and says so
  fr_ended=1
  [[ ! ${fr_job-} ]] || kill -TERM -- "-$fr_job" "$fr_job" 2>/dev/null # once: nothing new; twice: end what runs
}

fr_finish() {
  local task reaped=1 host
  local -i good=0 bad=0 i
  local else="it was not started${fr_ended:+, or cut off: this script was told to end}"
  fr_on_nodes leave
  for host in "${fr_host[@]}"; do [[ ${fr_answers[$host]-} ]] || reaped=0; done
  for i in "${!fr_all[@]}"; do
    task=${fr_all[i]}
    if [[ ${fr_done[$task]-} ]]; then
      good+=1
    else
      ((++bad > 20)) || fr_say "not done: ${fr_label[i]}: ${fr_left[$task]-$else}"
    fi
  done
  ((bad <= 20)) || fr_say "not done: $((bad - 20)) more"
  fr_say "done: $good of ${#fr_all[@]}"
  printf '%s\n' "$reaped" >"$FR_RUN/closed.new"
  mv -- "$FR_RUN/closed.new" "$FR_RUN/closed"
  ((good == ${#fr_all[@]})) || exit 1
  exit 0
}

# ── reaching a slot ──────────────────────────────────────────────────────────────────────────────────────────────

fr_ssh() { # SLOT HOST CMD: 254 where CMD was not begun
  local slot=$1 host=$2 try status
  shift 2
  [[ $1 != -- ]] || shift
  local there="env FR_SLOT=$slot FR_RUN=$(printf %q "$FR_RUN") FR_HOSTS=$FR_HOSTS FR_DEADLINE=$FR_DEADLINE FR_HOST=$host"
  if [[ ! $fr_reach || ${host%%.*} == "${HOSTNAME%%.*}" ]]; then
    FR_SLOT=$slot FR_HOST=$host exec "$BASH" -c "$*"
  fi
  for try in 1 2 3; do
    ssh -T -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15 -o ControlPath=none -- "$host" \
      "exec $there bash -c $(printf %q "$*")" </dev/null >"$FR_TMP/said.$slot"
    status=$?
    ((status == 255)) && [[ ! -s $FR_TMP/said.$slot ]] || break
    sleep $((try * 2 + RANDOM % 3)) # too many at once, perhaps
  done
  if ((status == 255)) && [[ ! -s $FR_TMP/said.$slot ]]; then exit 254; fi
  cat "$FR_TMP/said.$slot"
  exit "$status"
}

fr_act() {
  case ${1-} in
    ssh) fr_ssh "${@:2}" ;;
    enter) fr_enter ;;
    leave) fr_leave ;;
    one) fr_one "$2" ;;
    *) fr_main ;;
  esac
}
