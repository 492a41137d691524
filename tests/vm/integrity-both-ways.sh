# both WORD=VALUE...: one configuration of integrity-lib.sh, in both directions.
#   We format, write, flush and are killed. The kernel opens the device with all of its length, replays, reads what was
#     written through every tag, and closes it; the superblock says the same size as before, and we find it intact.
#   The kernel formats, to the same size, writes, flushes, and the device is copied while it is active. We read what was
#     written out of the copy, replay its journal in place, and read the same again, through every tag.
# shellcheck shell=bash
head -c 2097152 /dev/urandom > first
head -c 32768 /dev/urandom > second
total=0

# fill FILE: writes all of it, then some blocks again, both flushed. They are in the file expected then.
fill() {
  head -c $((sectors * 512)) first > expected
  dd if=expected of="$1" bs=256K conv=notrunc,fsync status=none
  dd if=second of=expected bs=4K seek=9 conv=notrunc status=none
  dd if=second of="$1" bs=4K seek=9 conv=notrunc,fsync status=none
}

# we_read: all of the device, every tag checked, is as expected.
we_read() {
  rm -f seen
  expect 0 "$intact" integrity open "${ours[@]}" --to seen
  cmp seen expected || fail "we read something else $1"
}

ours_first() {
  ours_on "$disk" data
  blank
  expect 0 "$intact" integrity format "${ours[@]}" "${format_options[@]}"
  sectors=$(provided)
  ours_killed fill
  kernel_reads seen
  cmp seen expected || fail "the kernel reads something else"
  equal "$(provided)" "$sectors" "provided sectors"
  expect 0 "$intact" integrity check "${ours[@]}"
  said 'is intact'
}

kernel_first() {
  ours_on cut-disk cut-data
  blank
  map "$sectors"
  equal "$(provided)" "$sectors" "the kernel's provided sectors"
  fill $device
  cp "$disk" cut-disk
  [[ -z $meta ]] || cp data cut-data
  unmap
  we_read "in what a cut has left"
  if [[ -n $closely && $mode == J ]]; then
    expect 0 "$intact" integrity replay "${ours[@]}"
    said 'blocks? would be written'
  fi
  expect 0 "$intact" integrity replay "${ours[@]}" --in-place
  if [[ -n $closely ]]; then
    # The regions that the kernel's bitmap marks have no tags that could be checked: they need new ones.
    if [[ $mode == B ]]; then
      said 'The tags from sector 0 on are not calculated yet'
      expect 1 "$intact" integrity check "${ours[@]}"
      said 'no sector was checked: their tags have not been calculated yet'
      expect 0 "$intact" integrity recalculate "${ours[@]}"
    fi
    expect 0 "$intact" integrity check "${ours[@]}"
    said 'is intact: ([0-9]+) of \1 sectors checked'
  fi
  we_read "when it is replayed"
}

closely=''
both() {
  case_of "$*"
  parse "$@"
  ours_first
  kernel_first
  total=$((total + 1))
}
# closely_both WORD=VALUE...: the same; the dry run of replay and our check judge the kernel's device besides.
closely_both() { closely=yes both "$@"; }

# configurations NUMBER: ends a script; so many there were at least.
configurations() {
  ((total >= $1)) || fail "only $total configurations"
  echo "$total configurations"
}
