#!/usr/bin/env bash
# intact verity verify and repair name the files of an EROFS that damage concerns: content, metadata and
# directories, with every name of a hard link, and no others; compressed or not.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit
requires jq mkfs.erofs
mkdir -p tree/dir/sub
for name in a dir/b dir/sub/c; do head -c 50000 /dev/urandom > "tree/$name"; done
ln tree/a tree/dir/also-a
printf small > tree/dir/small
head -c 30000 /dev/urandom > $'tree/dir/bell\a'
for ((i = 0; i < 300; i++)); do : > "tree/dir/sub/empty-with-a-rather-long-name-$i"; done
mkfs.erofs -E noinline_data image tree > /dev/null
cp image good
expect 0 "$intact" verity format image hash --root-hash-file root --fec-device parity

# block_of FILE N: the block of the image that holds block N of the file.
block_of() {
  perl -e '
    local $/; open(my $i, "<:raw", "good") or die; open(my $f, "<:raw", $ARGV[0]) or die;
    my $at = index(<$i>, substr(<$f>, 4096 * $ARGV[1], 4096));
    $at > 0 && $at % 4096 == 0 or die "not found\n"; print $at / 4096' "$1" "$2"
}
# spoil BLOCK...: the image with noise there and nowhere else.
spoil() {
  local block
  cp good image
  for block; do dd if=/dev/urandom of=image bs=4096 "seek=$block" count=1 conv=notrunc status=none; done
}
# named [OPTION...]: all the names, a line for each damage.
named() {
  { "$intact" verity verify image hash --root-hash-file root --json "$@" || :; } |
    jq -r '.damaged[] | (.files | sort | join(" "))'
}

equal "$(named)" '' 'names without damage'
spoil "$(block_of tree/dir/b 2)"
equal "$(named)" /dir/b name
expect 3 "$intact" verity verify image hash --root-hash-file root
said '^  in /dir/b$'
# One file in two names; two files in two places.
spoil "$(block_of tree/a 0)" "$(block_of tree/dir/sub/c 5)"
equal "$(named | sort)" $'/a /dir/also-a\n/dir/sub/c' names
# Damage that goes from one file to the next is one damage.
first=$(block_of tree/a 11)
spoil "$first" $((first + 1)) $((first + 2))
named > names
equal "$(wc -l < names)" 1 'damages'
grep -q '/a /dir/also-a /dir/' names || fail "they are not named: $(cat names)"
# What is in names does not reach the terminal.
spoil "$(block_of $'tree/dir/bell\a' 1)"
expect 3 "$intact" verity verify image hash --root-hash-file root
said '^  in /dir/bell.x07$'
# FEC can correct it, and its file is named all the same.
spoil "$(block_of tree/dir/b 1)"
equal "$(named --fec-device parity)" /dir/b name
expect 3 "$intact" verity verify image hash --root-hash-file root --fec-device parity
said 'FEC can correct it'

# Each block of content in turn, and no other file is named.
for file in a dir/b dir/sub/c; do
  names="/$file"
  [[ $file != a ]] || names='/a /dir/also-a'
  for ((i = 0; i < 13; i++)); do
    spoil "$(block_of tree/$file $i)"
    equal "$(named)" "$names" "block $i of $file"
  done
done
# A directory that cannot be read says that it is not known what is below it.
found=
blocks=$(($(stat -c %s good) / 4096))
for ((block = 1; block < blocks && ${#found} == 0; block++)); do
  spoil $block
  named > names
  ! grep -q '/dir/sub/\.\.\.' names || found=$block
done
[[ $found ]] || fail 'no block of a directory'

# repair names what is lost for good, and nothing that it has repaired: each codeword of this parity can bear two
# bad blocks, and neighbouring blocks belong to different codewords.
spoil "$(block_of tree/dir/b 1)"
expect 0 "$intact" verity repair image hash --root-hash-file root --fec-device parity
! grep '  in /' out || fail 'a corrected file is named'
cmp good image
for ((block = 3; block < 30; block++)); do spoiled+=("$block"); done
spoil "${spoiled[@]}"
cp image image.damaged
expect 3 "$intact" verity repair image hash --root-hash-file root --fec-device parity
said '^LOST data block'
said '^  in /dir/b$'
cp image.damaged image
status=0
"$intact" verity repair image hash --root-hash-file root --fec-device parity --json > out || status=$?
equal $status 3 'exit status'
equal "$(jq -r '[.damaged[].files[]] | unique | join(" ")' out | grep -ow /dir/b)" /dir/b 'name of a lost file'
equal "$(jq -c .not_looked_into out)" '[]' 'files not looked into'

# Of compressed files each block that dump.erofs shows. With full and with compact indexes, with clusters of many
# blocks, and with ends that stand elsewhere.
head -c 400000 "$(command -v bash)" > tree/dir/compressible
images=('-zlz4hc' '-zlz4hc -C65536 -Eztailpacking' '-zlz4hc -Elegacy-compress')
for options in "${images[@]}"; do
  rm -f image
  mkfs.erofs $options image tree > /dev/null 2>&1 || skip "this mkfs.erofs cannot $options"
  cp image good
  expect 0 "$intact" verity format image hash --root-hash-file root
  mapfile -t blocks < <(dump.erofs -e --path=/dir/compressible good |
    sed -nE 's/^ *[0-9]+: .*: *([0-9]+)\.\. *([0-9]+) \|.*/\1 \2/p' |
    awk '$1 % 4096 == 0 { for (at = $1; at < $2; at += 4096) print at / 4096 }')
  ((${#blocks[@]} > 9)) || fail "too few blocks: ${#blocks[@]}"
  for block in "${blocks[@]::9}"; do
    spoil "$block"
    equal "$(named)" /dir/compressible "block $block, $options"
  done
done
# Ends of files that share blocks: every file with a part in it is named. The packed file has no name.
if command -v mkfs.erofs-1.8 > /dev/null; then
  mkdir ends
  for ((i = 0; i < 8; i++)); do
    for ((j = 0; j < 80; j++)); do echo "the end of $i"; done > ends/$i
  done
  rm -f image
  mkfs.erofs-1.8 --quiet -zlz4hc -Eall-fragments image ends
  cp image good
  expect 0 "$intact" verity format image hash --root-hash-file root
  packed=$(dump.erofs-1.8 -s good | sed -n 's/.*packed nid: *//p')
  block=$(dump.erofs-1.8 -e --nid="$packed" good | sed -nE 's/^ *0: .*: *([0-9]+)\.\..*/\1/p')
  spoil $((block / 4096))
  equal "$(named)" '/0 /1 /2 /3 /4 /5 /6 /7' 'files with a part in the block'
fi

# A file of a form that we do not know is said to be so; the others are named.
rm -f image
mkfs.erofs -E noinline_data image tree > /dev/null
nid=$(dump.erofs --path=/dir/b image | sed -n 's/^NID: \([0-9]*\).*/\1/p')
printf '\100' | dd of=image bs=1 seek=$((nid * 32)) conv=notrunc status=none
cp image good
expect 0 "$intact" verity format image hash --root-hash-file root
spoil "$(block_of tree/dir/sub/c 5)"
equal "$(named)" /dir/sub/c name
expect 3 "$intact" verity verify image hash --root-hash-file root
said '^not checked \(unsupported layout\): /dir/b$'
# So is an image with such a layout; an image that is not an EROFS is not examined.
if command -v mkfs.erofs-1.8 > /dev/null; then
  mkfs.erofs-1.8 --quiet -b1024 other tree
  expect 0 "$intact" verity format other hash2 --root-hash-file root2 --data-block-size=1024
  printf x | dd of=other bs=1 seek=5000 conv=notrunc status=none
  expect 3 "$intact" verity verify other hash2 --root-hash-file root2
  said 'cannot name the damaged files'
fi
head -c 100000 /dev/urandom > noise
truncate -s 102400 noise
expect 0 "$intact" verity format noise hash3 --root-hash-file root3
printf x | dd of=noise bs=1 seek=5000 conv=notrunc status=none
expect 3 "$intact" verity verify noise hash3 --root-hash-file root3
! grep -E 'in /|named' out err || fail 'files in noise'
