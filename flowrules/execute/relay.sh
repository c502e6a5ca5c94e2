# Makes an agent a relay: attempts are processes of one GNU Parallel, fed line by line. Follows agent.sh.
#
# A lane's file p.LANE holds "PID TASK" from the moment its process listens to USR1, then "done TASK". Parallel's joblog
# is a second witness of what ran; what counts are the end lines that the attempts themselves write.

fr_prepare() { # descriptor 5 is Parallel's stdin
  [[ $(parallel --version 2>/dev/null) == GNU* ]] || fr_fail "there is no GNU Parallel"
  local name
  {
    declare -f fr_now fr_nap fr_marks fr_is_task fr_is_ours fr_sweep fr_group_lives fr_stop fr_words fr_exec \
      fr_attempt fr_await fr_times fr_memory fr_clean fr_report fr_listen fr_bind \
      fr_warm fr_make_room
    declare -p fr_able
    for name in fr_nonce fr_agent fr_mark fr_grace fr_dir fr_chain fr_epoch fr_guard; do
      printf '%s=%q\n' "$name" "${!name}"
    done
    printf '%s\n' 'exec {fr_idle}<> <(:)' 'fr_times "$1"; fr_before=$fr_cpu' 'fr_attempt "$@"' 'printf "done %s\n" "$2" >"$fr_dir/p.$1"'
  } >"$fr_dir/run-one"
  exec 5> >(
    exec 7>&- {fr_idle}>&-
    PARALLEL_SHELL=$BASH PARALLEL_HOME=$fr_dir exec parallel --plain -j "$fr_cpus" -u --will-cite \
      --joblog "$fr_run/node-$fr_agent.joblog" 1>&2
  )
  fr_parallel=$!
}

fr_listen() { # in the attempt's process: now it can be asked to end
  printf '%s %s\n' "$BASHPID" "$2" >"$fr_dir/p.$1"
}

fr_begin() { # LANE TASK run|file WORDS
  local path=$4
  fr_pids[$1]=waiting
  if [[ $3 == run ]]; then
    path=$fr_dir/w.$1
    printf '%s\n' "$4" >"$path"
  fi
  printf 'bash --norc --noprofile %s/run-one %s %s file %q\n' "$fr_dir" "$1" "$2" "$path" >&5
}

fr_settle() { # whether lane $1 is free
  local pid task
  [[ ${fr_pids[$1]-} ]] || return 0
  { read -r pid task <"$fr_dir/p.$1"; } 2>/dev/null && [[ $task == "${fr_tasks[$1]}" ]] || return 1
  fr_pids[$1]=$pid
  if [[ $pid != "done" ]]; then
    [[ ! -d /proc/$pid ]] || return 1
    read -r pid task <"$fr_dir/p.$1" # it may have ended in between
  fi
  fr_pids[$1]=
  if [[ $pid != "done" ]]; then (fr_gone "$1") & fi
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
