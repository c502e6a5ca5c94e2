# What warm shells take for jobs and nothing else: two of them, each job in a subshell and a process group of its own.
set -m
half() {
  local number=0
  while IFS= read -r name; do
    if ((number++ % 2 == $1)); then (eval "echo $name > out/$name"); fi
  done < names.txt
}
half 0 &
half 1 &
wait
