#!/usr/bin/env bash
# Volumes of `intact verity` are opened by the kernel's dm-verity and veritysetup, theirs are checked and
# corrected by us, and damage is answered alike, block by block.
. "$(dirname "$0")/guest-lib.sh"
cd "$work" || exit
modprobe dm-verity
dd if=/dev/urandom of=data bs=1M count=1 status=none
device=/dev/mapper/volume

# opened OPTION...: DATA HASH [FEC] are the files data, hash and fec; the kernel opens them as $device.
opened() { veritysetup open data volume hash "$@" > "$work/open.log" 2>&1 || fail "veritysetup open $*: $(cat "$work/open.log")"; }
closed() { veritysetup close volume; }

# unreadable [SIZE]: the numbers of the blocks of the opened volume that the kernel will not give; all
# others must be those of the file good.
unreadable() {
  # One dd, for a process takes long here. It skips what it cannot read and counts the others up to there.
  dd if=$device of=seen bs="${1:-4096}" iflag=direct conv=noerror 2> records || :
  sed -n 's/^\([0-9]*\)+0 records in$/\1/p' records |
    awk -v errors="$(grep -c 'error reading' records || :)" 'NR <= errors { print $1 + NR - 1 }' > bad
  perl -e '
    my $size = shift; local $/;
    my ($seen, $good, $bad) = map { open(my $f, "<:raw", $_) or die; scalar <$f> } qw(seen good bad);
    substr($good, $_ * $size, $size) = "" for reverse split(" ", $bad);
    die "wrong bytes\n" unless $seen eq $good;' "${1:-4096}"
  cat bad
}

# listed [REGEX]: the numbers of the data blocks of which `intact verity verify` has just said DAMAGED,
# without the lines that match.
listed() {
  grep -v -- "${1:-no such line}" "$work/out" | sed -nE \
    's/^DAMAGED data blocks? ([0-9]+)( to ([0-9]+))? .*/\1 \3/p' | while read -r first last; do
    seq "$first" "${last:-$first}"
  done
}

# damage FILE BLOCK...: writes noise over some bytes of these blocks of $size bytes (4096).
damage() {
  local file=$1 block
  shift
  for block; do
    dd if=/dev/urandom of="$file" bs=1 seek=$((block * ${size:-4096} + 100)) count=300 conv=notrunc status=none
  done
}

# both_ways OPTION...: ours opened by them, theirs by us.
both_ways() {
  local root
  case_of "both ways: $*"
  expect 0 "$intact" verity format data hash --root-hash-file root "$@"
  root=$(cat root)
  opened "$root"
  cmp -n "$(blockdev --getsize64 $device)" $device data || fail "the kernel reads something else"
  closed
  veritysetup verify data hash "$root"
  veritysetup format data hash "$@" > theirs
  expect 0 "$intact" verity verify data hash "$(sed -n 's/^Root hash:[[:space:]]*//p' theirs)"
}

both_ways
both_ways --salt=-
both_ways --hash=sha1 --salt=-
both_ways --hash=sha512
both_ways --hash=sha1 --format=0
both_ways --hash=sha256 --format=0
both_ways --hash=sha512 --format=0 --salt=00ff
both_ways --data-block-size=512 --hash-block-size=512
both_ways --data-block-size=1024 --hash-block-size=1024 --hash=sha512
both_ways --data-block-size=1024
both_ways --hash-block-size=512 --format=0 --hash=sha1
both_ways --data-blocks=1

case_of "one file without superblock"
cat data > one
truncate -s 2M one
layout=(--hash-offset=1048576 --data-blocks=256 --salt=0102 --no-superblock)
expect 0 "$intact" verity format one one --root-hash-file root "${layout[@]}"
veritysetup open one volume one "$(cat root)" "${layout[@]}"
cmp $device data
closed

case_of "one file"
layout=(--hash-offset=1048576 --data-blocks=256)
expect 0 "$intact" verity format one one --root-hash-file root "${layout[@]}"
veritysetup open one volume one "$(cat root)" --hash-offset=1048576
cmp $device data
closed

# Damage in data and hash blocks: the kernel refuses exactly those blocks that verify lists.
for size in 512 1024 4096; do
  case_of "damage in blocks of $size"
  head -c $((size * 256)) /dev/urandom > data
  rm hash
  expect 0 "$intact" verity format data hash --root-hash-file root --data-block-size=$size --hash-block-size=$size
  cp data good
  opened "$(cat root)"
  equal "$(unreadable $size)" "" "blocks that cannot be read"
  closed
  damage data 0 3 77 78 79 255
  # A block of the lowest level: each of those blocks holds the digests of so many data blocks.
  damage hash $(($(stat -c %s hash) / size - 1))
  expect 3 "$intact" verity verify data hash --root-hash-file root
  opened "$(cat root)"
  diff <(unreadable $size) <(listed) || fail "damage is answered otherwise"
  closed
  (($(listed | wc -l) >= 6 + 5)) || fail "damage is missing: $(listed)"
done
unset size

# Rows have two blocks, so even blocks share codewords, and so do odd ones. In those of a hash block the
# kernel takes no data block for bad, which halves what it can correct; we correct more.
for roots in 2 8; do
  case_of "what $roots roots correct"
  cp good data
  expect 0 "$intact" verity format data hash --root-hash-file root --fec-device fec --fec-roots=$roots
  cp hash good.hash
  fec=(--fec-device=fec --fec-roots="$roots")
  damage data 0 100
  ((roots == 2)) || damage data 3
  damage hash 2
  opened "$(cat root)" "${fec[@]}"
  cmp $device good || fail "the kernel reads something else"
  closed
  expect 3 "$intact" verity verify data hash --root-hash-file root "${fec[@]}"
  equal "$(listed 'FEC can correct it')" "" "blocks that the kernel corrects and we do not"
  expect 0 "$intact" verity repair data hash --root-hash-file root "${fec[@]}"
  cmp data good
  cmp hash good.hash
  opened "$(cat root)"
  cmp $device good
  closed
done

case_of "what 2 roots cannot correct"
expect 0 "$intact" verity format data hash --root-hash-file root --fec-device fec
fec=(--fec-device=fec)
damage data 0 20 40 60 101 111
expect 3 "$intact" verity verify data hash --root-hash-file root "${fec[@]}"
opened "$(cat root)" "${fec[@]}"
diff <(unreadable) <(listed 'FEC can correct it') || fail "damage is answered otherwise"
closed
equal "$(listed 'FEC can correct it' | tr '\n' ' ')" "0 20 40 60 " "lost blocks"
expect 3 "$intact" verity repair data hash --root-hash-file root "${fec[@]}"
said '^LOST data block'
said 'data is still damaged: FEC cannot correct what is lost'
opened "$(cat root)"
equal "$(unreadable | tr '\n' ' ')" "0 20 40 60 " "blocks that repair has left"
closed

case_of "theirs, corrected by us"
cp good data
rm -f fec
veritysetup format data hash --fec-device=fec --root-hash-file=theirs > /dev/null
damage data 5 6
expect 0 "$intact" verity repair data hash --root-hash-file theirs --fec-device fec
said 'repaired data block'
cmp data good
opened "$(cat theirs)"
cmp $device good
closed
