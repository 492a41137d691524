#!/usr/bin/env bash
# Power cuts in the midst of writes that nobody has flushed, on dm-integrity devices of the kernel that we open then, and
# on ours that the kernel opens then. Every block is the old one or the new one, whole, and has a tag that fits, whatever
# the instant of the cut. (Mode D promises nothing of the kind.)
. "$(dirname "$0")/guest-lib.sh"
. /tests/vm/integrity-lib.sh
head -c 1048576 /dev/urandom > old
head -c 1048576 /dev/urandom > new
# Blocks of 4 KiB: these are written before the cut, more than a journal holds; the next ones over and over while it
# happens; the others never.
before=96
during=64

# write_old and write_some FILE: the latter goes on in the background, as process writer, until it fails or the file going
# is gone.
write_old() { dd if=old of="$1" bs=4K count=$((sectors / 8)) conv=notrunc,fsync status=none; }
write_during() {
  local from
  while [[ -e going ]]; do
    for from in new old; do
      dd if=$from of="$1" bs=4K skip=$before seek=$before count=$during conv=notrunc status=none "${@:2}" || return
    done
  done 2> /dev/null
}
write_some() {
  write_old "$1"
  dd if=new of="$1" bs=4K count=$before conv=notrunc status=none "${@:2}"
  touch going
  write_during "$@" &
  writer=$!
}

# old_or_new FILE: so is each of its blocks, and those are new, and old, that have to be.
old_or_new() {
  perl -e '
    my ($seen, $block, $before, $during) = @ARGV; local $/;
    my ($s, $old, $new) = map { open(my $f, "<:raw", $_) or die "$_: $!\n"; scalar <$f> } $seen, "old", "new";
    my @count = (0, 0);
    for (my $at = 0; $at < length($s); $at += $block) {
      my $is = substr($s, $at, $block);
      my $fresh = $is eq substr($new, $at, $block);
      die "block at byte $at is neither old nor new\n" unless $fresh || $is eq substr($old, $at, $block);
      die "block at byte $at has never been written\n" if $fresh && $at >= 4096 * ($before + $during);
      $count[$fresh]++;
    }
    print "$count[0] blocks are old and $count[1] new\n";
    die "none is new\n" unless $count[1];' "$1" "$block" $before $during || fail "$1"
}

# kernel_cut: what the devices below hold at one instant. They take no more from there on, and have ended what they began.
kernel_cut() {
  ours_on cut-disk cut-data
  blank
  local parts=(below) part
  dmsetup create below --table "0 2048 linear ${loops[$disk]} 0"
  if [[ -n $meta ]]; then
    dmsetup create below-data --table "0 2048 linear ${loops[data]} 0"
    # The data stop first: whatever waits for them to be written waits, and is not in the journal's.
    parts=(below-data below)
  fi
  map "$sectors" /dev/mapper/below /dev/mapper/below-data
  write_some $device oflag=direct
  for part in "${parts[@]}"; do dmsetup suspend --nolockfs "$part"; done
  cp "$disk" cut-disk
  [[ -z $meta ]] || cp data cut-data
  for part in "${parts[@]}"; do dmsetup resume "$part"; done
  rm going
  wait "$writer" || fail "the kernel does not write on"
  unmap
  dmsetup remove "${parts[@]}"
}

# we_read FILE: all of the device in cut-disk and cut-data.
we_read() {
  rm -f "$1"
  expect 0 "$intact" integrity open "${ours[@]}" --to "$1"
  old_or_new "$1"
}

# cut WORD=VALUE...: a configuration of integrity-lib.sh
cut() {
  case_of "ours, read by the kernel: $*"
  parse "$@"
  ours_on "$disk" data
  blank
  expect 0 "$intact" integrity format "${ours[@]}" "${format_options[@]}"
  sectors=$(provided)
  ours_killed write_some
  wait "$writer" || :
  kernel_reads seen
  old_or_new seen

  case_of "the kernel's, read by us: $*"
  kernel_cut
  we_read seen
  expect 0 "$intact" integrity replay "${ours[@]}" --in-place
  we_read replayed
  if [[ $mode == J ]]; then cmp seen replayed; else expect 0 "$intact" integrity recalculate "${ours[@]}"; fi
  expect 0 "$intact" integrity check "${ours[@]}"
  said 'is intact'
  we_read recalculated
  cmp seen recalculated
}

cut block=512
cut block=4096
cut block=512 'hash=hmac(sha256)' hash_key=32 'mac=hmac(sha256)' 'crypt=cbc(aes)' interleave=512
cut block=4096 'hash=hmac(sha256)' hash_key=32 'mac=hmac(sha256)' 'crypt=ctr(aes)' meta=yes
cut meta=yes
cut mode=B
cut mode=B block=4096 meta=yes
