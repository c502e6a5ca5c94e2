# Makes an agent a relay: attempts are processes of one GNU Parallel, fed line by line. Follows agent.sh.
#
# A lane's file p.LANE holds "PID TASK" from the moment its process listens to USR1, then "done TASK". Parallel's joblog
# is a second witness of what ran; what counts are the end lines that the attempts themselves write.

fr_prepare() { # descriptor 5 is Parallel's stdin
  [[ $(parallel --version 2>/dev/null) == GNU* ]] || fr_fail "there is no GNU Parallel"
  local name
  {
    declare -f fr_now fr_nap fr_marks fr_is_task fr_is_ours fr_sweep fr_processes fr_group_lives fr_poked fr_stop \
      fr_forget fr_words fr_exec fr_attempt fr_await fr_times fr_memory fr_clean fr_report fr_bind fr_warm fr_make_room
    declare -p fr_able
    for name in fr_nonce fr_agent fr_mark fr_grace fr_dir fr_chain fr_epoch fr_guard fr_cpu_list fr_idle; do
      printf '%s=%q\n' "$name" "${!name}"
    done
    printf '%s\n' 'fr_here= fr_before=0 fr_over=1' 'trap fr_poked USR1' \
      'printf "%s %s\n" "$$" "$2" >"$fr_dir/p.$1" # now it can be asked to end' \
      'fr_attempt "$@"' 'printf "done %s\n" "$2" >"$fr_dir/p.$1"'
  } >"$fr_dir/run-one"
  exec 5> >(
    exec 7>&- # Parallel is to have room at all times: it may not have seen yet that the job before has ended
    PARALLEL_SHELL=$BASH PARALLEL_HOME=$fr_dir exec parallel --plain -j "$((2 * fr_cpus))" -u --will-cite \
      --joblog "$fr_run/node-$fr_agent.joblog" 1>&2
  )
  fr_parallel=$!
}

fr_begin() { # LANE TASK run|file WORDS
  local path=$4
  if [[ $3 == run ]]; then
    path=$fr_dir/w.$1
    printf '%s\n' "$4" >"$path"
  fi
  printf '. %s/run-one %s %s file %q\n' "$fr_dir" "$1" "$2" "$path" >&5
}

fr_maker() { # fr_pid: the process that makes the attempt of lane $1, "done", or nothing when it has not begun
  local task
  { read -r fr_pid task <"$fr_dir/p.$1"; } 2>/dev/null && [[ $task == "${fr_tasks[$1]}" ]] || fr_pid=
}

fr_settle() {
  [[ ${fr_tasks[$1]-} ]] || return 0
  fr_maker "$1"
  [[ $fr_pid && ! -d /proc/$fr_pid ]] || return 0
  fr_maker "$1" # it may have ended in between
  if [[ $fr_pid != "done" ]]; then (fr_gone "$1") & fi
  fr_tasks[$1]=
}

fr_poke() {
  fr_maker "$1"
  [[ ! $fr_pid || $fr_pid == "done" ]] || kill -USR1 "$fr_pid" 2>/dev/null
}

fr_beat() { # Parallel takes the end of a job when the next line comes
  [[ -d /proc/$fr_parallel ]] || fr_fail "GNU Parallel ended"
  printf ':\n' >&5
}

fr_finish() {
  local tries
  fr_beat() { :; }
  exec 5>&-
  for ((tries = 0; tries < 50; tries++)); do
    [[ -d /proc/$fr_parallel ]] || break
    fr_nap 0.05
  done
}
