#!/usr/bin/env bash
# What reaches the device below dm-integrity, by the kernel's target and by Intact: the same workloads on the same device,
# requests and bytes counted there until it is closed, so that nothing is still to come. Prints the table that is in
# docs/architecture.md; ours may take half as much again as the kernel's, and a little that does not depend on the work.
# Ours are served by NBD, so that both get the same requests from above. Below, the kernel's data go to the device as
# they are and its tags by way of a cache, ours all by way of the page cache, which is empty at first and makes larger
# requests of neighbours: so requests say less than bytes.
. "$(dirname "$0")/guest-lib.sh"
. /tests/vm/integrity-lib.sh
modprobe nbd max_part=0
truncate -s 24M disk
loop=$(losetup --find --show disk)
block=4096

# workload KIND FILE: reads or writes by O_DIRECT, and flushes after each MiB that is written.
workload() {
  perl -e '
    my ($kind, $file) = @ARGV;
    my $write = $kind =~ /write/; my $random = $kind =~ /random/;
    my ($size, $count) = $random ? (4096, 1024) : (65536, 256);
    sysopen(my $f, $file, 040000 | ($write ? 2 : 0)) or die "$file: $!\n";
    my $buffer = join("", map { chr($_ * 7 % 251) } 0 .. $size - 1) . " " x 4096;
    my $pad = -unpack("J", pack("p", $buffer)) % 4096;  # O_DIRECT wants it aligned
    substr($buffer, $pad, $size) = substr($buffer, 0, $size);
    my $place = 1;
    for my $i (0 .. $count - 1) {
      $place = ($place * 1103515245 + 12345) % 2147483648;
      sysseek($f, $size * ($random ? ($place >> 8) % 4096 : $i), 0) or die "seek: $!\n";
      my $done = $write ? syswrite($f, $buffer, $size, $pad) : sysread($f, $buffer, $size, $pad);
      die "$kind at $i: $!\n" unless ($done // 0) == $size;
      next unless $write && ($i + 1) * $size % (1 << 20) == 0;
      syscall(74, fileno($f)) == 0 or die "fsync: $!\n";
    }' "$1" "$2" || fail "$1 on $2"
}

# counters: of the device below: requests and sectors read, requests and sectors written, flushes
counters() {
  local fields
  read -ra fields < "/sys/block/${loop##*/}/stat"
  echo "${fields[0]} ${fields[2]} ${fields[4]} ${fields[6]} ${fields[15]}"
}
# cold: nothing of the device is in memory.
cold() { sync; echo 3 > /proc/sys/vm/drop_caches; }

# kernel_run KIND and ours_run KIND: open the device, do it, close it; the counters before and after are in from and to.
kernel_run() {
  cold
  map "$sectors" "$loop"
  read -ra from < <(counters)
  workload "$1" $device
  unmap
  sync
  read -ra to < <(counters)
}
ours_run() {
  cold
  serve "$intact" integrity open "$loop" "${open_options[@]}" --nbd sock
  nbd-client -unix sock /dev/nbd0 -b 4096 > nbd.log 2>&1 || fail "nbd-client: $(cat nbd.log)"
  read -ra from < <(counters)
  workload "$1" /dev/nbd0
  nbd-client -d /dev/nbd0 > nbd.log 2>&1 || fail "nbd-client: $(cat nbd.log)"
  stop
  sync
  read -ra to < <(counters)
}

# measure WHO KIND: a line of the table, from the counters
measure() {
  "$1_run" "$2"
  local i
  for i in {0..4}; do cost[i]=$((to[i] - from[i])); done
  printf '| %-13s | %-16s | %-6s | %6d | %6d | %6d | %6d | %7d |\n' "$mode $hash" "${2/_/ }" "$1" "${cost[0]}" \
    $((cost[1] / 2)) "${cost[2]}" $((cost[3] / 2)) "${cost[4]}"
}

# at_most WHAT OURS THEIRS MORE
at_most() {
  (($2 * 2 <= $3 * 3 + $4 * 2)) || fail "$1: $2, and the kernel $3"
}

# compare WORD=VALUE...: a configuration of integrity-lib.sh
compare() {
  local kind theirs
  parse "$@" block=$block
  : > disk
  truncate -s 24M disk
  expect 0 "$intact" integrity format "$loop" "${open_options[@]}" --sector-size $block
  sectors=$(disk=disk provided)
  for kind in sequential_write random_write sequential_read random_read; do
    measure kernel "$kind"
    theirs=("${cost[@]}")
    measure ours "$kind"
    at_most 'sectors read' "${cost[1]}" "${theirs[1]}" 512
    at_most 'sectors written' "${cost[3]}" "${theirs[3]}" 512
    at_most 'flushes' "${cost[4]}" "${theirs[4]}" 8
  done
}

echo '| device        | workload         | whose  |  reads |    KiB | writes |    KiB | flushes |'
echo '|---|---|---|---|---|---|---|---|'
compare mode=J
compare mode=B
compare mode=D
compare mode=J hash=sha256
