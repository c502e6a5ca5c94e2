# One attempt, in the shell of its lane: starts it, ends it when asked to, cleans up after it, tells of its end.
#
# First what it shares with the agent (agent.sh, which follows) and its guard: clocks, and finding processes by the marks
# in their environment. Names begin with fr_, as worker_init and we share one shell.

fr_now() { # fr_t: microseconds since the epoch; bash before 5.0 has no EPOCHREALTIME
  if [[ ${EPOCHREALTIME-} ]]; then
    fr_t=${EPOCHREALTIME/[!0-9]/}
  else
    read -r fr_t _ </proc/uptime
    fr_t=$((fr_epoch + 10#${fr_t/./} * 10000))
  fi
}

fr_up() { # fr_up: seconds of a clock that nobody sets
  read -r fr_up _ </proc/uptime
  fr_up=${fr_up%.*}
}

# A pipe that never speaks: sleeps without starting a process. A trap that comes meanwhile may not use `read`, as that takes
# the time limit off this one for ever. So traps set a word, and what naps in a loop looks at it.
fr_nap() { read -r -t "$1" -u "$fr_idle" _ || :; }

fr_marks() { # what process $1 was started with: fr_b, fr_a, fr_j; false where its environment does not hold text $2
  local -a f=()
  local x
  { mapfile -d '' -t f <"/proc/$1/environ"; } 2>/dev/null
  [[ "${f[*]-}" == *"$2"* ]] || return 1
  fr_b='' fr_a='' fr_j=''
  for x in "${f[@]}"; do
    case $x in
      FLOWRULES_BLOCK=*) fr_b=:${x#*=}: ;;
      FLOWRULES_AGENT=*) fr_a=:${x#*=}: ;;
      FLOWRULES_ATTEMPT=*) fr_j=:${x#*=}: ;;
    esac
  done
}

fr_is_task() { fr_is_ours && [[ $fr_j == ":$fr_chain$fr_task:"* ]]; }

fr_is_rank() { [[ $fr_b == *":$fr_mark:"* && $fr_j == ":$fr_chain$fr_task:"* ]]; } # whose agent may be another node's

fr_is_ours() { [[ $fr_b == *":$fr_mark:"* && $fr_a == *":$fr_agent:"* ]]; }

fr_is_older() { # an earlier incarnation of the block, or an earlier agent of this node
  if [[ $fr_b == *":$fr_mark:"* ]]; then
    fr_precedes "$fr_a" "$fr_agent"
  else
    fr_precedes "$fr_b" "$fr_mark"
  fi
}

fr_precedes() { # whether a chain $1 has a name like $2 (NAME.NUMBER) with a lower number
  local x=${1#*":${2%.*}."}
  [[ $x != "$1" ]] || return 1
  x=${x%%:*}
  [[ $x != *[!0-9]* && $x ]] && ((10#$x < 10#${2##*.}))
}

# Kills what test $1 says yes to, until $2 looks find nothing; fr_swept: how many; false if some won't die. Where process
# $3 is given, it is no more than 2 s old, and what is looked for was started after it.
fr_sweep() {
  local p found clean=0 look text=FLOWRULES_BLOCK=
  [[ $1 != fr_is_task ]] || text=FLOWRULES_ATTEMPT=$fr_chain$fr_task # so others are seen through faster
  local -A killed=()
  for ((look = 0; clean < $2 && look < 200; look++)); do
    found=
    fr_processes "${3-}"
    for p in "${fr_seen[@]}"; do
      ((p == $$ || p == BASHPID || p == fr_guard)) && continue
      fr_marks "$p" "$text" && "$1" || continue
      kill -KILL "$p" 2>/dev/null && found=1 killed[$p]=1
    done
    if [[ $found ]]; then clean=0; else clean=$((clean + 1)); fi
    [[ $found ]] && fr_nap 0.02
  done
  fr_swept=${#killed[@]}
  ((clean >= $2))
}

fr_processes() { # fr_seen: numbers of all processes; or of those after $1, where so few are that it is quicker
  local p last
  fr_seen=()
  if [[ $1 ]]; then
    read -r _ _ _ _ last </proc/loadavg # the number that was given last; lower than $1 when they began anew
    if ((last >= $1 && last < $1 + 100)); then
      for ((p = $1 + 1; p <= last; p++)); do [[ ! -d /proc/$p ]] || fr_seen+=("$p"); done
      return
    fi
  fi
  fr_seen=(/proc/[0-9]*)
  fr_seen=("${fr_seen[@]#/proc/}")
}

fr_group_lives() { # whether group $1 has a process that is not dead; zombies that nobody takes do not count
  local p s
  kill -0 -- "-$1" 2>/dev/null || return 1
  for p in /proc/[0-9]*/stat; do
    { read -r s <"$p"; } 2>/dev/null || continue
    s=${s##*) }
    [[ ${s:0:1} == [ZX] ]] && continue
    s=${s#* } s=${s#* }
    ((${s%% *} == $1)) && return 0
  done
  return 1
}

fr_heed() { # the trap: whoever waits for the attempt is to look at what it is asked
  fr_told=1
  [[ ! $fr_over ]] || fr_forget
}

fr_stop() { # ends the attempt if that is asked: first TERM, and KILL when called again after the grace
  local grace
  fr_told=
  [[ -s $fr_dir/k.$fr_task ]] || return 0 # an earlier one of this lane was meant
  read -r grace <"$fr_dir/k.$fr_task"
  fr_now
  if [[ ! $fr_limit ]]; then
    fr_limit=$((fr_t + ${grace:-$fr_grace}))
    kill -TERM -- "-$fr_job"
    kill -CONT -- "-$fr_job"
  elif [[ $grace ]] && ((fr_t + grace < fr_limit)); then
    fr_limit=$((fr_t + grace))
  fi 2>/dev/null
  ((fr_t < fr_limit)) || kill -KILL -- "-$fr_job" 2>/dev/null
}

fr_forget() { # the attempt is over: that it was to be ended is settled
  [[ ! -s $fr_dir/k.$fr_task ]] || : >"$fr_dir/k.$fr_task"
}

fr_words() { # the words of a file that may take a moment to be seen from this node
  local path try
  eval "path=$1"
  for ((try = 0; try < 300; try++)); do
    { IFS= read -r fr_text <"$path"; } 2>/dev/null && return
    fr_nap 0.1
  done
  return 1
}

fr_exec() { # VARIABLES WORDS; log's descriptor is 6; the last thing this process does as a shell
  local count=$1
  shift
  trap - HUP INT TERM USR2 # what a plain script ignores, a job must not
  exec 0</dev/null 1>&6 2>&6 4>&- 6>&- 8>&- 9>&- {fr_idle}>&-
  export FLOWRULES_ATTEMPT=$fr_chain$fr_task
  while ((count-- > 0)); do
    export -- "$1"
    shift
  done
  if [[ $fr_bound != "$fr_here" ]]; then exec taskset -c "${fr_bound:-$fr_cpu_list}" "$@"; else exec -- "$@"; fi
}

fr_over=1 # whether the attempt of this lane has ended, or there was none yet

fr_attempt() { # fr_attempt LANE TASK run|file WORDS: an attempt from its start to its end line
  local lane=$1 status=126 flags='' cpu kb=0 sweep='' began ended
  fr_text=$4 fr_job='' fr_limit=''
  fr_task=$2 fr_over=''
  [[ $3 == run ]] || fr_words "$4" || { flags=words fr_text=; }
  eval "set -- $fr_text"
  sweep=${3-}
  [[ $flags ]] || { exec 6>>"$1"; } 2>/dev/null || flags=log
  fr_bind "${2-}"
  [[ $sweep ]] && fr_make_room "$@"
  fr_now
  began=$fr_t
  if [[ ! $flags ]]; then
    set -m
    (fr_exec "${@:4}") &
    fr_job=$!
    set +m
    exec 6>&-
    fr_await "$fr_job"
    status=$fr_status
  fi
  fr_now
  ended=$fr_t
  fr_times "$lane"
  cpu=$((fr_cpu - fr_before)) fr_before=$fr_cpu
  if [[ $fr_job ]]; then fr_clean; fi
  ((ended - began < 2000000)) || fr_memory
  fr_warm
  fr_report "$fr_task" "$status" "$began" "$ended" "$cpu" "$kb" "${flags:--}"
  fr_job='' fr_over=1
  fr_forget
}

# fr_bound: list $1, or nothing where the node has none of these hardware threads, which is told once. The shell of a lane
# binds itself as its first attempt wants it (fr_here): all that follow and want the same need no taskset to start them.
fr_bind() {
  local part cpu
  fr_bound=
  for part in ${1//,/ }; do
    for ((cpu = ${part%-*}; cpu <= ${part#*-}; cpu++)); do
      [[ ! ${fr_able[cpu]-} ]] || { fr_bound=$1; break 2; }
    done
  done
  if [[ $1 && ! $fr_bound && ! -e $fr_dir/unbound ]]; then
    : >"$fr_dir/unbound"
    printf '%s note unbound %s\n' "$fr_nonce" "$1" >&9
  fi
  [[ ! ${fr_here+known} ]] || return 0
  fr_here=$fr_bound
  [[ $fr_here ]] || return 0
  taskset -cp "$fr_here" "$BASHPID" >/dev/null 2>&1 || fr_here=
  fr_times "$lane"
  fr_before=$fr_cpu
}

fr_make_room() { # ends idle warm workers that hold GPUs of this job; calls do that themselves (warmcall.py)
  local word gpu path tries gpus=
  for word; do
    case $word in
      FLOWRULES_GPUS=*) gpus=${word#*=} ;;
      */warmcall.py) return ;;
    esac
  done
  for gpu in ${gpus//,/ }; do
    for path in "$fr_dir"/w/*@*; do
      word=${path%@*}
      [[ ,${word##*@}, == *",$gpu,"* ]] && mv -T -- "$path" "$fr_dir/w/b.${path##*@}" 2>/dev/null || continue
      kill "${path##*@}" 2>/dev/null
      for ((tries = 0; tries < 500; tries++)); do
        [[ -d /proc/${path##*@} ]] || break
        fr_nap 0.01
      done
    done
  done
}

fr_await() { # fr_status: how process $1 ended; a wait that fr_heed cut short (128 + USR1) is taken up again
  fr_told=1 # perhaps it was asked before this process listened
  while :; do
    [[ ! $fr_told ]] || fr_stop # asked right after this, it hears when asked again
    wait "$1"
    fr_status=$?
    [[ $fr_told && $fr_status == 138 ]] || return
  done 2>/dev/null
}

fr_before=0 # what children of this process had used before the attempt

fr_times() { # fr_cpu: microseconds of the ended children of this process, from lines such as 0m0.003s 1m2.500s
  local x s cpu
  times >"$fr_dir/t.$1"
  { read -r _; read -r -a cpu; } <"$fr_dir/t.$1"
  fr_cpu=0
  for x in "${cpu[@]}"; do
    s=${x#*m} s=${s%s}
    fr_cpu=$((fr_cpu + 10#${x%m*} * 60000000 + 10#${s/[!0-9]/} * 1000))
  done
}

fr_memory() { # the peak that the guard saw
  { read -r kb <"$fr_dir/m.$fr_job"; } 2>/dev/null && rm -f "$fr_dir/m.$fr_job"
  kb=${kb:-0}
}

fr_warm() { # what a call used in a warm worker (warmcall.py), which is no child of this process
  local used memory
  { read -r used memory <"$fr_dir/w/u.$fr_job"; } 2>/dev/null || return 0
  : >"$fr_dir/w/u.$fr_job"
  cpu=$((cpu + used))
  ((memory < kb)) || kb=$memory
}

fr_clean() { # after the first process of a job has ended: what it left
  local until
  fr_now
  until=${fr_limit:-$((fr_t + 1000000))} # a `> >(tee log)` needs a moment
  while fr_group_lives "$fr_job"; do
    fr_now
    if ((fr_t >= until)); then
      kill -KILL -- "-$fr_job" 2>/dev/null
      flags=left
    fi
    fr_nap 0.02
    [[ ! $fr_told ]] || fr_stop
    ((fr_t < until + 5000000)) || break # it hangs in the kernel
  done
  if [[ $fr_limit ]]; then
    fr_sweep fr_is_task 2 || :
    flags=killed
  elif [[ $sweep ]]; then
    ((ended - began < 2000000)) && sweep=$fr_job || sweep=
    fr_sweep fr_is_task 1 "$sweep" || :
    ((fr_swept == 0)) || flags=left
  fi
}

fr_report() { # the log of the node first, then the runner
  local line="$fr_nonce end $*"
  printf '%s\n' "$line" >&8
  printf '%s\n' "$line" >&9
}
