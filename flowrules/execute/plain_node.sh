# What a plain script (plain.sh) does on a node: makes it ready, runs one job in a slot, looks at its outputs, tells of its end.
#
# The words of a job, after its line `#: …`: LIMIT SECONDS LOG SWEEP, the numbers of OUTPUTS INPUTS LOGS BENCHMARKS VARIABLES, flags
# of outputs, outputs, inputs, logs, benchmarks, variables, and its command. Flags: D folder, U updated, T to be touched,
# P protected, N not empty, =SHA256.

fr_nap() { sleep "$1"; } # a signal as its time is up makes a `read` wait for ever before bash 5.2, and nobody asks again here

fr_here() { # what all on a node need
  local name
  printf 'begun\n' # so that who sent it knows
  fr_mark=$fr_name.$((10#${FR_RUN##*/})) fr_agent=$FR_HOST.1 fr_guard=0
  fr_dir=/tmp/flowrules@$UID@$fr_mark@$FR_HOST
  [[ ! -d /dev/shm || ! -w /dev/shm ]] || fr_dir=/dev/shm/${fr_dir#/tmp/}
  read -r name _ </proc/uptime
  fr_epoch=$(($(date +%s%N) / 1000 - 10#${name/./} * 10000))
  exec {fr_idle}<> <(:)
  cd -- "$fr_directory" || exit 2
}

fr_enter() {
  local name
  fr_here
  fr_test() { fr_precedes "$fr_b" "$fr_mark"; }
  fr_sweep fr_test 2 || exit 2
  rm -rf -- "${fr_dir%/*}/flowrules@$UID@$fr_name".*"@$FR_HOST"
  (umask 077 && mkdir -- "$fr_dir" "$fr_dir/w") || exit 2
  set +eu
  exec 3>&1 1>&2
  eval "$fr_init" 0</dev/null 3>&-
  set +eufxvn +o posix
  cd -- "$fr_directory" || exit 2
  (
    umask 077
    unset "${!FR_@}" "${!PARALLEL@}" PWD OLDPWD SHLVL
    set -o posix
    export -p
    set +o posix
    declare -fx
  ) >"$fr_dir/env"
  printf 'up %s\n' "$FR_HOST" >&3
  exit 0
}

fr_leave() {
  fr_here
  fr_test() { [[ $fr_b == *":$fr_mark:"* && $fr_a == *":$fr_agent:"* ]]; }
  fr_sweep fr_test 2 || exit 2
  rm -rf -- "$fr_dir"
  printf 'up %s\n' "$FR_HOST"
  exit 0
}

fr_one() { # TASK
  local name=$1 line slot nodes gpus cpus place ranks index word now
  local -a hosts=() all=()
  fr_here
  [[ -r $fr_dir/env ]] || exit 2 # the node was never entered, or started anew
  . "$fr_dir/env"
  fr_log=$FR_RUN/node-$FR_HOST.log
  line=$(sed -n "/^#: ${name//./\\.} /{n;p;q;}" "$fr_self")
  eval "set -- $line"
  local limit=$1 seconds=$2 log=$3 sweep=$4
  local -i outs=$5 ins=$6 logs=$7 marksn=$8 vars=$9 i
  shift 9
  printf -v now '%(%s)T' -1
  ((now + seconds <= FR_DEADLINE)) || exit 75
  IFS='|' read -r slot nodes gpus cpus place ranks < <(fr_table | grep "^${FR_SLOT//./\\.}|")
  IFS=, read -r -a all <<<"$FR_HOSTS"
  for index in ${nodes//,/ }; do hosts+=("${all[index]}"); done
  fr_flags=("${@:1:outs}"); shift "$outs"
  fr_outputs=("${@:1:outs}"); shift "$outs"
  fr_inputs=("${@:1:ins}"); shift "$ins"
  fr_logs=("${@:1:logs}"); shift "$logs"
  fr_benchmarks=("${@:1:marksn}"); shift "$marksn"
  fr_own=$log fr_task=$name fr_problem=
  local -a env=("FLOWRULES_NODES=$(IFS=,; printf '%s' "${hosts[*]}")" "FLOWRULES_GPUS=$gpus" "FLOWRULES_SLOT=$place")
  [[ ! $fr_gpu_variable ]] || env+=("$fr_gpu_variable=$gpus")
  for i in "${!hosts[@]}"; do ranks=${ranks//"frnode.$i."/"${hosts[i]}"}; done
  env+=("FLOWRULES_MPIRUN=$ranks" "${@:1:vars}")
  shift "$vars"
  exec 8>>"$fr_log" 9>/dev/null || exit 2
  fr_now
  printf '%s start %s %s %s %s\n' "$fr_nonce" "$name" "${gpus:--}" "${cpus:--}" "$fr_t" >&8
  export FLOWRULES_BLOCK=${FLOWRULES_BLOCK:+$FLOWRULES_BLOCK:}$fr_mark FLOWRULES_AGENT=$fr_agent
  unset FR_SLOT FR_RUN FR_HOSTS FR_DEADLINE FR_HOST FR_TMP SSH_CLIENT SSH2_CLIENT "${!PARALLEL@}"
  declare -ga fr_able=()
  word=$(taskset -c 0-4095 sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status 2>/dev/null)
  fr_cpu_list=$word
  for index in ${word//,/ }; do
    for ((i = ${index%-*}; i <= ${index#*-}; i++)); do fr_able[i]=1; done
  done
  fr_ready || fr_refuse "$fr_problem"
  fr_run "$limit" "$slot" "$(printf '%q ' "${log:-/dev/null}" "$cpus" "$sweep" "${#env[@]}" "${env[@]}" "$@")"
}

fr_ready() { # inputs are there, and there is room for outputs; else false, and fr_problem
  local path i until
  printf -v until '%(%s)T' -1
  until=$((until + fr_latency))
  for path in "${fr_inputs[@]}"; do
    until [[ -e $path ]]; do
      ls -- "${path%"${path##*/}"}." >/dev/null 2>&1 # a network file system remembers for a while that a name was absent
      [[ -e $path ]] && break
      printf -v i '%(%s)T' -1
      ((i < until)) || { fr_problem="input $path is not there"; return 1; }
      fr_nap 0.5
    done
  done
  for path in "${fr_outputs[@]}" "${fr_logs[@]}" "${fr_benchmarks[@]}" "$fr_own"; do
    [[ $path != */* ]] || mkdir -p -- "${path%/*}" || { fr_problem="the folder of $path cannot be made"; return 1; }
  done
  for i in "${!fr_outputs[@]}"; do
    path=${fr_outputs[i]}
    if [[ ${fr_flags[i]} == *P* && -e $path && ! -w $path ]]; then
      fr_problem="$path is protected"
      return 1
    fi
    [[ ${fr_flags[i]} == *U* ]] || fr_remove "$path" "${fr_flags[i]}" || { fr_problem="$path is in the way"; return 1; }
  done
  for path in "${fr_logs[@]}" "${fr_benchmarks[@]}" "$fr_own"; do
    rm -f -- "$path" || { fr_problem="$path is in the way"; return 1; }
  done
}

fr_remove() { # PATH FLAGS: only declared folders are removed, and never what a link points to
  if [[ ! -L $1 && -d $1 ]]; then
    [[ $2 == *D* ]] || return
    chmod -R u+rwX -- "$1" 2>/dev/null
    rm -rf -- "$1"
  else
    rm -f -- "$1"
  fi
}

fr_refuse() { # WHY: the job could not be started
  [[ ! $fr_own ]] || printf '%s\n' "$1" >>"$fr_own"
  fr_now
  printf '%s end %s 1 %s %s 0 0 refused\n' "$fr_nonce" "$fr_task" "$fr_t" "$fr_t" >&8
  exit 1
}

fr_run() { # LIMIT SLOT WORDS: the attempt in a process of its own, which this one ends when it has to
  local pid status=0 clock=''
  fr_unwanted=
  trap '' USR1 # meant for the attempt, which may not listen yet
  trap 'fr_unwanted=killed; fr_ask' HUP INT TERM
  trap 'fr_unwanted=limit; : >"$fr_dir/l.$fr_task"; fr_ask' USR2 # GNU Parallel has its jobs ignore ALRM
  fr_ask() { [[ -e $fr_dir/k.$fr_task ]] || printf '%s\n' "$fr_grace" >"$fr_dir/k.$fr_task"; }
  fr_make_room() { :; }
  (trap '' HUP INT TERM USR2; trap fr_poked USR1; fr_attempt "$2" "$fr_task" run "$3") &
  pid=$!
  if ((${1%.*} > 0)); then
    set -m
    (trap - HUP INT TERM USR2; sleep "$1"; kill -USR2 "$$") 8>&- &
    clock=$!
    set +m
    disown "$clock"
  fi
  while kill -0 "$pid" 2>/dev/null; do
    if [[ ! $fr_unwanted ]]; then
      wait "$pid"
      status=$?
    else
      kill -USR1 "$pid" 2>/dev/null
      fr_nap 0.3
    fi
  done
  [[ ! $fr_unwanted ]] || { wait "$pid"; status=$?; }
  [[ ! $clock ]] || kill -KILL -- "-$clock" 2>/dev/null
  if [[ ! -e $fr_dir/e.$fr_task ]]; then # its own process was killed
    fr_sweep fr_is_task 2 || :
    fr_discard
    fr_now
    printf '%s end %s 137 %s %s 0 0 gone\n' "$fr_nonce" "$fr_task" "$fr_t" "$fr_t" >&8
    status=1
  fi
  rm -f -- "$fr_dir/"[kle]."$fr_task"
  [[ ! $fr_own || -s $fr_own ]] || rm -f -- "$fr_own"
  ((status == 0)) || exit 1
  exit 0
}

# In the process of the attempt, in place of attempt.sh's: the job has ended, its outputs are looked at before it is told.
fr_report() { # TASK STATUS STARTED ENDED CPU MEMORY FLAG
  local task=$1 status=$2 flag=$7 i problem=''
  ((status < 128)) || fr_nap 0.3 # a batch system that ends all processes at once has ended this one's watcher too
  if [[ -e $fr_dir/l.$task ]]; then
    flag=limit
  elif [[ -e $fr_dir/k.$task ]]; then
    flag=killed
  fi
  if ((status == 0)) && [[ $flag != killed ]]; then
    for i in "${!fr_outputs[@]}"; do
      problem=$(fr_wrong "${fr_outputs[i]}" "${fr_flags[i]}") && continue
      flag=$problem.$i status=1
      break
    done
  fi
  fr_beside "$status" "$3" "$4" "$5" || flag=beside status=1
  if ((status == 0)) && [[ $flag != killed ]]; then
    for i in "${!fr_outputs[@]}"; do
      [[ ${fr_flags[i]} != *P* ]] || chmod -R a-w -- "${fr_outputs[i]}"
    done
  else
    fr_discard
  fi
  : >"$fr_dir/e.$task"
  printf '%s end %s %s %s %s %s %s %s\n' "$fr_nonce" "$task" "$status" "$3" "$4" "$5" "$6" "$flag" >&8
  if ((status == 0)) && [[ $flag != killed ]]; then exit 0; else exit 1; fi
}

fr_wrong() { # PATH FLAGS: what is wrong with an output, in a word; true where nothing is
  [[ $2 != *T* || -d $1 ]] || touch -- "$1" 2>/dev/null
  if [[ ! -e $1 ]]; then
    printf missing
  elif [[ $2 == *D* && ! -d $1 ]]; then
    printf file
  elif [[ $2 != *D* && -d $1 ]]; then
    printf folder
  elif [[ $2 != *D* && ! -f $1 ]]; then
    printf odd
  elif [[ $2 == *N* && $2 != *D* && ! -s $1 || $2 == *N* && $2 == *D* && ! $(find "$1" -type f -print -quit) ]]; then
    printf empty
  elif [[ $2 == *=* && $2 != *D* && $(sha256sum <"$1") != "${2#*=}  -" ]]; then
    printf sum
  else
    return 0
  fi
  return 1
}

fr_discard() { # outputs of an attempt that did not end well
  local i path
  for i in "${!fr_outputs[@]}"; do
    path=${fr_outputs[i]}
    [[ ${fr_flags[i]} != *U* ]] && [[ -e $path || -L $path ]] || continue
    if [[ $fr_keep ]]; then
      fr_remove "$path.incomplete" "${fr_flags[i]}"
      mv -T -- "$path" "$path.incomplete"
    else
      fr_remove "$path" D
    fi
  done
}

fr_beside() { # STATUS STARTED ENDED CPU: the rule's log, unless the job wrote it itself, and its benchmark file
  local path
  local -i s=$(($3 - $2))
  for path in "${fr_logs[@]}"; do
    [[ -e $path || -L $path ]] || cp -- "$fr_own" "$path" 2>/dev/null || : >"$path" || return
  done
  (($1 == 0)) || return 0
  for path in "${fr_benchmarks[@]}"; do
    printf 's\th:m:s\tmax_rss\tcpu_time\tmean_load\n%d.%04d\t%d:%02d:%02d\tNA\t%d.%02d\t%d.%02d\n' \
      $((s / 1000000)) $((s % 1000000 / 100)) $((s / 3600000000)) $((s / 60000000 % 60)) $((s / 1000000 % 60)) \
      $(($4 / 1000000)) $(($4 % 1000000 / 10000)) $((s > 0 ? $4 * 100 / s : 0)) \
      $((s > 0 ? $4 * 10000 / s % 100 : 0)) >"$path" || return
  done
}

