# Common ground of the sections of the benchmark. A section is one bash script NN-NAME.sh that sources this
# file, works in $work (which goes away, with what is mounted on $work/mnt), and prints its rows itself.
# Times are medians over $runs runs; what a step takes of the processors (user and system time) stands
# beside it, for that varies less on a machine that has other work.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
# shellcheck source=tools/own-mounts.sh
source "$root/tools/own-mounts.sh"
intact=${BUILD:?run this by bench/run}/bin/intact
runs=${RUNS:-5}
image=$root/build/test-image
export PATH="$root/build/peers/bin:$PATH"

work=$(mktemp -d "${TMPDIR:-/tmp}/intact-bench.XXXXXX")
# wipe DIR: with what the program has made read-only in it
wipe() {
  [[ ! -e $1 ]] || chmod -R u+rwX "$1"
  rm -rf --one-file-system "$1"
}
cleanup() {
  fusermount3 -u -z "$work/mnt" 2> /dev/null || :
  umount -l "$work/kernel" 2> /dev/null || :
  wipe "$work"
}
trap cleanup EXIT
trap 'exit 129' HUP INT TERM

has() { command -v "$1" > /dev/null; }
median_of() { printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# in_use DIR: call it last before timing a step that fills a GiB of memory or page cache, and not before a sync. A
# virtual machine returns free memory to its host, and a process that gets such memory back waits for the host
# longer than it works. Memory that was in use a moment ago has not been returned yet.
in_use() {
  head -c 1G /dev/zero > "$1/in-use"
  rm "$1/in-use"
}

# once BEFORE COMMAND: both are evaluated, only COMMAND is timed. Sets, in seconds, wall and used (user +
# system time).
once() {
  local user system TIMEFORMAT='%R %U %S'
  eval "$1" > /dev/null 2>&1
  { time eval "$2" > /dev/null 2>&3; } 3>&2 2> "$work/time"
  read -r wall user system < "$work/time"
  used=$(awk -v a="$user" -v b="$system" 'BEGIN { print a + b }')
}

# take BEFORE COMMAND: does it once for each run. Sets, in seconds, median, lowest, highest and cpu (the
# median of user + system time).
take() {
  local i walls=() cpus=()
  for ((i = 0; i < runs; i++)); do
    once "$1" "$2"
    walls+=("$wall")
    cpus+=("$used")
  done
  summarize "${#walls[@]}" "${walls[@]}" "${cpus[@]}"
}

# summarize N WALL... CPU...: sets what take sets.
summarize() {
  local walls=("${@:2:$1}") cpus=("${@:2+$1}")
  median=$(median_of "${walls[@]}")
  cpu=$(median_of "${cpus[@]}")
  lowest=$(printf '%s\n' "${walls[@]}" | sort -g | head -1)
  highest=$(printf '%s\n' "${walls[@]}" | sort -g | tail -1)
}

row() {
  printf '%-48s %8.3f s  (%.3f to %.3f, processors %.3f)\n' "$1" "$median" "$lowest" "$highest" "$cpu"
}

# compare NAME BEFORE COMMAND PEER_NAME BEFORE COMMAND: both in turn, so that what else the machine does
# falls on both. Prints a row each; sets median and cpu, peer_median and peer_cpu.
compare() {
  local i walls=() cpus=() peer_walls=() peer_cpus=()
  for ((i = 0; i < runs; i++)); do
    once "$2" "$3"
    walls+=("$wall") cpus+=("$used")
    once "$5" "$6"
    peer_walls+=("$wall") peer_cpus+=("$used")
  done
  summarize "$runs" "${peer_walls[@]}" "${peer_cpus[@]}"
  local peer_row
  peer_row=$(row "  beside it: $4")
  peer_median=$median peer_cpu=$cpu
  summarize "$runs" "${walls[@]}" "${cpus[@]}"
  row "$1"
  printf '%s\n' "$peer_row"
}

# measure NAME BEFORE COMMAND: takes it and prints a row.
measure() {
  take "$2" "$3"
  row "$1"
}

# measure_rate NAME BYTES BEFORE COMMAND: the same for a step that handles BYTES; sets rate, in GB/s.
measure_rate() {
  take "$3" "$4"
  rate=$(ratio "$2" "$median" 1e-9)
  printf '%-48s %8.3f GB/s  (%.3f s, %.3f to %.3f, processors %.3f)\n' \
    "$1" "$rate" "$median" "$lowest" "$highest" "$cpu"
}

# ratio A B [FACTOR]: FACTOR * A / B
ratio() { awk -v a="$1" -v b="$2" -v f="${3:-1}" 'BEGIN { printf "%.3f", (b > 0 ? f * a / b : 0) }'; }

# target NAME VALUE at-least|at-most WANTED: a row that says whether VALUE is as wanted.
target() {
  awk -v name="$1" -v value="$2" -v way="$3" -v wanted="$4" 'BEGIN {
    good = way == "at-least" ? value >= wanted : value <= wanted
    sub("-", " ", way)
    printf "%-48s %8.2f       %s (%s %s)\n", name, value, good ? "PASS" : "MISS", way, wanted
  }'
}

need_image() { "$root/tools/make-test-image" "$image"; }
