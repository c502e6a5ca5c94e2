# The agent of a node: starts, ends and reports attempts for the runner, by lines on stdin and stdout. bash 4.4.
#
# The runner sends, through whatever launcher, one line of shell that becomes this text in a process marked with
# FLOWRULES_BLOCK, FLOWRULES_RUN and FLOWRULES_AGENT. Then messages, each after its length in four digits, as bash reads
# a line byte by byte and so many bytes at once:
#
#     stdin    run LANE TASK WORDS    WORDS, quoted: log, cpus or "", what is swept, number of variables, variables, argv
#              file LANE TASK PATH    the same, with WORDS in a file
#              sweep TASK             what is left here of an attempt that ended on another node: before anything else starts
#              kill TASK              TERM to its group, KILL after the grace, and a search for what left the group
#              tick                   the lease goes on
#              bye GRACE              end everything, say `reaped`, leave
#     stdout   NONCE ready HOST BOOT CPUS MEMORY | alive | end … | note TEXT | fail TEXT | reaped COUNT
#              NONCE end TASK STATUS STARTED ENDED CPU MEMORY FLAGS      times in microseconds, memory in kB
#
# A lane is a shell that is kept: it makes one attempt after the other, which the runner gives it when it is free. It runs
# no text of a job, so nothing goes over from one to the next.
#
# Every line is one write of at most 2 kB. Descriptor 9 is the runner, 8 the node's log, 7 the guard, 4 Hydra; jobs have
# none of them.

fr_sample() { # memory of each process group of this session, summed, where it is more than before: $fr_dir/m.GROUP
  local p s group pid kb
  local -A sum=() before=()
  for group in "${!fr_peak[@]}"; do before[$group]=${fr_peak[$group]}; done
  fr_peak=()
  for p in /proc/[0-9]*/stat; do
    { read -r s <"$p"; } 2>/dev/null || continue
    pid=${s%% *} s=${s##*) }
    # state ppid pgrp session
    set -- $s
    (($4 == fr_session && $3 != fr_session)) || continue
    while read -r s kb _; do
      [[ $s == VmHWM: ]] && sum[$3]=$((${sum[$3]-0} + kb)) && break
    done 2>/dev/null <"/proc/$pid/status"
  done 2>/dev/null
  for group in "${!sum[@]}"; do
    fr_peak[$group]=${before[$group]-0}
    if ((sum[$group] > fr_peak[$group])); then
      fr_peak[$group]=${sum[$group]}
      printf '%s\n' "${sum[$group]}" >"$fr_dir/m.$group"
    fi
  done
}

fr_watch() { # the guard: lives in a session of its own, and at the end of its pipe kills all of this agent
  local word status
  declare -gA fr_peak=()
  trap '' HUP INT TERM
  exec {fr_idle}<> <(:)
  while :; do
    read -r -t 2 word
    status=$?
    if ((status > 128)); then fr_sample; else break; fi
  done
  if [[ $word != bye ]]; then fr_sweep fr_is_ours 2; fi
  rm -rf -- "$fr_dir"
}

fr_find_cpus() { # fr_cpu_list, fr_able: hardware threads that jobs can be bound to; without taskset none can
  local part name
  while read -r name fr_cpu_list; do
    [[ $name == Cpus_allowed_list: ]] && break
  done </proc/self/status
  declare -ga fr_able=()
  # a launcher may have bound this process; what jobs may be given is what the kernel lets it have
  part=$(taskset -c 0-4095 sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status 2>/dev/null) || return
  fr_cpu_list=$part
  for part in ${fr_cpu_list//,/ }; do
    for ((name = ${part%-*}; name <= ${part#*-}; name++)); do fr_able[name]=1; done
  done
}

fr_settle() { # tells of the attempt in lane $1 if the shell of the lane was killed
  local pid=${fr_pids[$1]-}
  [[ $pid && ! -d /proc/$pid ]] || return 0
  fr_pids[$1]=
  (fr_gone "$1") & # the log of the node may hang, and this process must not
  fr_tasks[$1]=
}

fr_gone() { # ends what is left of the attempt in lane $1, whose own process was killed, and tells of it
  fr_task=${fr_tasks[$1]}
  fr_sweep fr_is_task 2 || :
  fr_now
  fr_report "$fr_task" 137 "${fr_began[$1]}" "$fr_t" 0 0 gone
}

fr_start() { # LANE TASK run|file WORDS
  fr_settle "$1"
  fr_now
  fr_tasks[$1]=$2 fr_began[$1]=$fr_t
  fr_begin "$@"
}

# What relay.sh does otherwise: which process makes an attempt (and fr_settle), and what goes with it.

fr_begin() { # LANE TASK run|file WORDS
  local fd=${fr_pipes[$1]-} text="$3 $2 $4"
  if [[ ! ${fr_pids[$1]-} ]]; then
    [[ ! $fd ]] || exec {fd}>&- # what nobody read of it is of an attempt whose end was told
    # Not `<(:)`: the lane would inherit the process of that as one that lives, and when numbers of processes begin anew,
    # take the job that gets its number for it, and lose its status.
    mkfifo -m 600 "$fr_dir/l.$1" && exec {fd}<>"$fr_dir/l.$1" && rm -f -- "$fr_dir/l.$1" || {
      fr_tasks[$1]=
      fr_report "$2" 126 "$fr_t" "$fr_t" 0 0 lane
      return
    }
    fr_pipes[$1]=$fd
    (fr_lane "$1") <&"$fd" &
    fr_pids[$1]=$!
    disown "$!" # else its end is talked about
  fi
  printf '%04d%s' "${#text}" "$text" >&"$fd"
}

fr_lane() { # LANE; the life of its shell
  local fd size text words
  trap fr_poked USR1
  trap - INT QUIT # ignored in what a shell starts in the background; after a `read -t` the jobs would have it so too
  for fd in "${fr_pipes[@]}" 4 7; do exec {fd}>&-; done
  while IFS= read -r -N 4 size && IFS= read -r -N "$((10#$size))" text; do
    words=${text#* }
    fr_attempt "$1" "${words%% *}" "${text%% *}" "${words#* }"
  done
}

fr_poke() { # LANE TASK: has the process that makes the attempt look at what it is asked
  kill -USR1 "${fr_pids[$1]}" 2>/dev/null
}

fr_prepare() { :; } # before the agent is ready
fr_beat() { :; }    # once a second
fr_finish() { :; }  # when no attempt runs any more

fr_kill() { # asks the process of attempt $1 to end it; what is asked before it listens it finds in a file
  local lane
  for lane in "${!fr_tasks[@]}"; do
    [[ ${fr_tasks[lane]} == "$1" ]] || continue
    printf '%s\n' "$fr_grace" >"$fr_dir/k.$1"
    fr_killing[$1]=$lane
    fr_poke "$lane" "$1"
  done
}

fr_look() { # once a second: attempts that are being killed are asked again, so that KILL follows TERM
  local task lane
  for lane in "${!fr_tasks[@]}"; do fr_settle "$lane"; done
  for task in "${!fr_killing[@]}"; do
    lane=${fr_killing[$task]}
    if [[ ${fr_tasks[lane]} == "$task" && -s $fr_dir/k.$task ]]; then # else it is over
      fr_poke "$lane" "$task"
    else
      unset "fr_killing[$task]"
      rm -f -- "$fr_dir/k.$task"
    fi
  done
  fr_beat
  ((${#fr_killing[@]} > 0))
}

fr_leave() { # fr_leave GRACE: ends all attempts and then whatever else is left, says so, and ends
  local lane tries=0
  trap '' HUP INT TERM
  fr_grace=$1
  for lane in "${!fr_tasks[@]}"; do [[ ! ${fr_tasks[lane]} ]] || fr_kill "${fr_tasks[lane]}"; done
  while ((tries++ < fr_grace / 20000 + 500)) && fr_look; do fr_nap 0.02; done
  fr_finish
  if fr_sweep fr_is_ours 2; then
    printf 'bye\n' >&7
    printf '%s reaped %s\n' "$fr_nonce" "$fr_swept" >&9
  fi # else the guard goes on trying when this process is gone
  exit 0
}

fr_serve() { # the life of the agent; fr_leave ends it
  local text size status heard looked=0
  # not in the trap: while it runs children are not taken, and seem to live until the grace is over
  fr_ended=
  trap 'fr_ended=1' HUP INT TERM
  trap '' USR1 # meant for lanes
  fr_up
  heard=$fr_up
  while :; do
    # one byte only: when time is up, bash loses what it has read and not yet looked at to whatever is read next
    IFS= read -r -t 1 -N 1 text
    status=$?
    [[ ! $fr_ended ]] || fr_leave 0
    fr_up
    ((fr_up == looked)) || fr_look || :
    looked=$fr_up
    if [[ $text ]]; then
      IFS= read -r -t "$fr_lease" -N 3 size && IFS= read -r -t "$fr_lease" -N "$((10#$text$size))" text || fr_leave 0
      heard=$fr_up
      fr_obey "$text"
    else
      ((status > 128 && fr_up - heard < fr_lease)) || fr_leave 0
    fi
  done
}

fr_obey() { # a message
  set -- "${1%% *}" "${1#* }"
  case $1 in
    run | file)
      local lane=${2%% *} rest=${2#* }
      fr_start "$lane" "${rest%% *}" "$1" "${rest#* }"
      ;;
    sweep) (fr_task=$2 && fr_sweep fr_is_rank 2) ;;
    kill) fr_kill "$2" ;;
    tick) printf '%s alive\n' "$fr_nonce" >&9 ;;
    bye) fr_leave "$2" ;;
  esac
}

fr_fail() {
  printf '\n%s fail %s\n' "$fr_nonce" "$1" >&9
  exit 1
}

# Descriptors that a launcher left open are not for jobs. One stays open in this process, as 4: Hydra's proxy, whose client
# closes its own before it ends, asks for it over and over again from then on, and keeps a core of the node busy with that.
fr_close_others() {
  local fd=${PMI_FD-}
  if [[ $fd && -e /proc/$$/fd/$fd ]]; then eval "exec 4>&$fd"; else exec 4>&-; fi
  for fd in /proc/$$/fd/*; do
    fd=${fd##*/}
    ((fd <= 2 || fd == 4 || fd == 9 || fd == 255)) || eval "exec $fd>&-"
  done # errors are not sent away: that would keep a copy of descriptor 2, and it be closed here
}

fr_main() { # NONCE AGENT MARK LEASE GRACE FOLDER DIRECTORY CPUS WORKER_INIT
  fr_nonce=$1 fr_agent=$2 fr_mark=$3 fr_lease=$4 fr_grace=$5 fr_run=$6 fr_cpus=$8
  local init=$9 name memory
  exec 9>&1 1>&2
  ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || fr_fail "bash $BASH_VERSION is older than 4.4"
  fr_close_others
  # those of this agent, as a rank or a step of its own
  unset "${!PMI_@}" "${!PMIX_@}" "${!PALS_@}" "${!HYDI_@}" MPI_LOCALRANKID MPI_LOCALNRANKS
  unset "${!SLURM_STEP@}" "${!SLURM_SRUN_@}" "${!SLURM_CPU_BIND@}" SLURM_PROCID SLURM_LOCALID SLURM_NODEID SLURM_GTIDS \
    SLURM_NTASKS SLURM_NPROCS SLURM_NNODES SLURM_TASKS_PER_NODE SLURM_NTASKS_PER_NODE SLURM_TASK_PID
  unset SSH_CLIENT SSH2_CLIENT # by which each bash of a job might think that it should read ~/.bashrc
  fr_chain=${FLOWRULES_ATTEMPT:+$FLOWRULES_ATTEMPT:}
  local marks=("$FLOWRULES_BLOCK" "$FLOWRULES_RUN" "$FLOWRULES_AGENT")
  fr_guard=0
  read -r name _ </proc/uptime
  fr_epoch=$(($(date +%s%N) / 1000 - 10#${name/./} * 10000))
  exec {fr_idle}<> <(:)
  fr_sweep fr_is_older 2 || fr_fail "processes of an earlier agent cannot be killed"
  for name in /dev/shm "${TMPDIR-}" /tmp; do
    [[ -d $name && -w $name ]] || continue
    rm -rf -- "$name/flowrules@${fr_mark%.*}@${fr_agent%.*}@"* # of those that were just swept
    fr_dir=$(umask 077 && mktemp -d "$name/flowrules@${fr_mark%.*}@${fr_agent%.*}@XXXXXX") && break
  done
  [[ ${fr_dir-} ]] || fr_fail "no folder of this node can be written: /dev/shm, TMPDIR, /tmp"
  fr_guarded
  cd -- "$7" || fr_fail "the working directory cannot be entered"
  exec 8>>"$fr_run/node-${fr_agent%.*}.log" || fr_fail "the log of the node cannot be written"
  set +eu
  eval "$init" 0</dev/null 4>&- 7>&- 8>&- 9>&-
  set +eufxvn +o posix
  shopt -u nullglob failglob dotglob
  IFS=$' \t\n'
  cd -- "$7" || fr_fail "the working directory cannot be entered"
  export FLOWRULES_BLOCK=${marks[0]} FLOWRULES_RUN=${marks[1]} FLOWRULES_AGENT=${marks[2]}
  mkdir -m 700 "$fr_dir/w" && export FLOWRULES_WARM=$fr_dir/w # where calls meet the processes that make them
  unset FLOWRULES_ATTEMPT
  declare -ga fr_pids=() fr_pipes=() fr_tasks=() fr_began=()
  declare -gA fr_killing=()
  fr_find_cpus
  fr_prepare
  while read -r name memory _; do
    [[ $name == MemTotal: ]] && break
  done </proc/meminfo
  read -r name </proc/sys/kernel/random/boot_id
  printf '\n%s ready %s %s %s %s\n' "$fr_nonce" "$HOSTNAME" "$name" "$fr_cpu_list" "$memory" >&9
  fr_serve
}

fr_guarded() { # starts the guard, in a session of its own so that what ends this one spares it
  local text
  read -r text <"/proc/$$/stat"
  set -- ${text##*) }
  fr_session=$4
  text=$(declare -f fr_watch fr_sample fr_sweep fr_processes fr_marks fr_is_ours fr_nap)
  text+="; fr_mark=$fr_mark fr_agent=$fr_agent fr_session=$fr_session fr_guard=0 fr_dir=$fr_dir; fr_watch"
  exec 7> >(
    exec 1>/dev/null 2>&1 4>&- 9>&- {fr_idle}>&-
    command -v setsid >/dev/null && exec setsid bash --norc --noprofile -c "$text" flowrules-guard
    exec bash --norc --noprofile -c "$text" flowrules-guard
  )
  fr_guard=$!
}
