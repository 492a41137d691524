#!/usr/bin/env bash
# Layers that no archiver writes: seal and pull apply what harms nobody and refuse the rest with status
# 6 and a line that names it; layout and store stay as they were.
# shellcheck disable=SC2034
. "$(dirname "$0")/lib-bad.sh"

# layer NAME REGEX SPEC [OPTION...]: refused.
layer() {
  image_of "$3"
  refused "$1" 6 "layer 1 \(sha256:[0-9a-f]{64}\).*$2" "${@:4}"
}
# fine NAME SPEC [OPTION...]: accepted.
fine() {
  image_of "$2"
  accepted "$1" "${@:3}"
}
n() { printf "%0$1d" 0 | tr 0 n; }
plain='file f text=content'

### Applied without harm.
fine 'nothing special' "$plain"
tree_is '/f 100644 content'
[[ ! -s $work/warnings ]] || fail "a warning for nothing"
fine 'absolute names' $'dir /etc\nfile /etc/f text=x\nlink /etc/g to=/etc/f\nfile ///h text=y'
tree_is '/etc 40755 -' '/etc/f 100644 x' '/etc/g @100644 x' '/h 100644 y'
fine 'duplicates' $'file f text=first\ndir d\nfile f text=last'
tree_is '/d 40755 -' '/f 100644 last'
grep -q "warning: .*'f'.*twice" "$work/warnings" || fail "no warning of duplicates"
fine 'very many duplicates' "$(for ((i = 0; i < 300; i++)); do echo 'file f text=x'; done)"
equal "$(wc -l < "$work/warnings")" 101 "lines of warnings"
grep -q '199 more warnings about layer entries' "$work/warnings" || fail "no count of warnings"
fine 'whiteouts of what is not there' $'whiteout nothing\nwhiteout no/where\nfile f text=x'
tree_is '/f 100644 x'
fine 'opaque markers' $'opaque .\ndir d\nopaque d\nfile d/f text=x'
tree_is '/d 40755 -' '/d/f 100644 x'
fine 'device nodes' $'char null mode=666 dev=1:3\nblock disk mode=660 dev=8:0\nfifo pipe\nchar zero dev=0:0'
tree_is '/disk 60660 -' '/null 20666 -' '/pipe 10644 -' '/zero 20644 -'
fine 'dots and slashes' $'file ./a//./b text=x'
tree_is '/a 40755 -' '/a/b 100644 x'
fine 'symlinks out of the tree' $'symlink up to=../../../etc\nfile up/f text=x'
tree_is '/etc 40755 -' '/etc/f 100644 x' '/up 120777 -'

# Several gzip members, an empty one among them; several zstd frames.
"$root/tools/layer-tar" <<< "$plain" > "$work/tar"
# packed NAME...: $dir becomes an image whose layer blob is $work/packed and was $work/tar.
packed() {
  dir=$work/bad
  rm -rf "$dir"
  layout_init "$dir"
  cp "$work/packed" "$work/blob"
  layers=("$(layout_blob "$dir" "$work/blob" "application/vnd.oci.image.layer.v1.tar+${1:-gzip}")")
  diff_ids=("sha256:$(sha256sum < "$work/tar" | cut -d' ' -f1)")
  both_images "$dir"
}
half() { if [[ $1 == 1 ]]; then head -c 700; else tail -c +701; fi < "$work/tar"; }
{ half 1 | gzip -n; gzip -n < /dev/null; half 2 | gzip -n; } > "$work/packed"
packed
accepted 'gzip members'
tree_is '/f 100644 content'
{ half 1 | zstd -q; half 2 | zstd -q; } > "$work/packed"
packed zstd
accepted 'zstd frames'
tree_is '/f 100644 content'

# A size where no content follows says nothing, as for GNU tar and Go's archive/tar.
fine 'links, directories and devices with a size' $'file f text=content\nlink l to=f size=00000000007
symlink s to=f pax:size=4\ndir d size=00000010000\nchar c dev=1:3 size=00000000001\nfifo p size=00000000777'
tree_is '/c 20644 -' '/d 40755 -' '/f 100644 content' '/l @100644 content' '/p 10644 -' '/s 120777 -'

# AUFS kept files with several names in a directory of its own. Every name is a hard link.
fine 'pseudo links of AUFS' $'file .wh..wh.aufs\ndir .wh..wh.plnk mode=700\nfile .wh..wh.plnk/1.2 text=content mode=600
file .wh..wh.plnk/3.4 text=unused\ndir d\nlink d/a to=.wh..wh.plnk/1.2\nlink d/b to=/.wh..wh.plnk/1.2\ndir .wh..wh.orph'
tree_is '/d 40755 -' '/d/a 100600 content' '/d/b @100600 content'
layer 'a pseudo link to nothing' "hard link to '.wh..wh.plnk/1.2', which is not there" \
  $'dir .wh..wh.plnk\nlink a to=.wh..wh.plnk/1.2'

# Files with holes, as GNU tar writes them in each of its formats; they read as the whole file.
if tar --version 2> /dev/null | finds 'GNU tar'; then
  mkdir "$work/holes"
  truncate -s 1M "$work/holes/end"
  truncate -s 300K "$work/holes/many"
  for ((i = 1; i < 40; i++)); do echo "piece $i" | dd of="$work/holes/many" bs=1 seek=$((i * 8192)) conv=notrunc status=none; done
  { head -c 9000 /dev/zero; echo middle; head -c 70000 /dev/zero; echo last; } | dd of="$work/holes/pieces" conv=sparse bs=512 status=none
  truncate -s 1000000 "$work/holes/nothing"
  printf 'start' | dd of="$work/holes/end" conv=notrunc status=none
  for how in --format=gnu '--format=pax --sparse-version=0.0' '--format=pax --sparse-version=0.1' '--format=pax --sparse-version=1.0'; do
    # shellcheck disable=SC2086
    tar -C "$work/holes" --hole-detection=raw --sparse $how --owner=0 --group=0 -cf "$work/tar" .
    (($(wc -c < "$work/tar") < 300000)) || fail "tar $how stored the holes"
    cp "$work/tar" "$work/packed"
    packed
    accepted "tar --sparse $how"
    for from in "oci:$dir:plain" "tar:$work/tar"; do
      rm -rf "$work/holes-out" "$work/holes-store" "$work/holes-layout"
      expect 0 seal "$from" "oci:$work/holes-layout:t"
      expect 0 pull --replace --store "$work/holes-store" "oci:$work/holes-layout:t" holes
      expect 0 "$intact" export --store "$work/holes-store" holes "rootfs:$work/holes-out" --pub "$work/signer.pub"
      diff -r "$work/holes" "$work/holes-out" || fail "$from: other content with $how"
    done
  done
  refused 'holes over a limit' 6 'the holes of sparse files are larger together than the limit; raise --max-holes' --max-holes 1M
  # A layout whose own files have holes.
  tar -C "$work/good" --hole-detection=raw --sparse -cf "$work/sparse.tar" .
  expect 0 "$intact" verify "oci-archive:$work/sparse.tar:latest-sealed" --pub "$work/signer.pub"
  "$root/tools/layer-tar" <<< "$plain" > "$work/tar"
fi
layer 'a sparse file larger than what is stored' "its map does not match the stored bytes" \
  'file f text=abc pax:GNU.sparse.size=9 pax:GNU.sparse.map=1,2'
layer 'a sparse file beyond its end' "its map goes beyond its size" \
  'file f text=abc pax:GNU.sparse.size=3 pax:GNU.sparse.map=1,3'
layer 'a sparse file of an unknown version' 'a sparse file of an unknown version' \
  'file f text=abc pax:GNU.sparse.size=4 pax:GNU.sparse.major=7 pax:GNU.sparse.minor=0'
layer 'a sparse file of 8 EiB' 'bytes, the limit of an archive is' \
  'file f text= pax:GNU.sparse.size=9000000000000000000'
fine 'a sparse file by hand' 'file f text=abc pax:GNU.sparse.size=5 pax:GNU.sparse.map=1,3'
tree_is '/f 100644 \x00abc\x00'

### Refused: names.
for name in ../f a/../f a/.. .. /../f; do
  layer "the name $name" "'\.\.' in a path" "file $name text=x"
done
layer 'a hard link with ..' "hard link to 'a/\.\./f'.*'\.\.' in a path" $'file f text=x\nlink g to=a/../f'
layer 'a hard link out of the tree' "hard link to '\.\./f'" $'file f text=x\nlink g to=../f'
layer 'a whiteout below ..' "'\.\.' in a path" 'whiteout ../f'
layer 'a whiteout of ..' 'whiteout without a valid name' 'whiteout ..'
layer 'a whiteout of .' 'whiteout without a valid name' 'file .wh.. text='
layer 'a whiteout of nothing' 'whiteout without a valid name' 'file .wh. text='
layer 'a whiteout with content' 'whiteout that is not an empty file' 'file .wh.f text=x'
layer 'a directory called as a whiteout' 'a directory with the name of a whiteout' 'file .wh.d/f text=x'
layer 'an empty name' 'an empty name' 'file f name= text=x'
fine 'a name of 255 bytes' "file $(n 255) text=x"
layer 'a name of 256 bytes' 'a name of 256 bytes, the limit is 255' "file $(n 256) text=x"
long=$(n 255)
for ((i = 0; i < 14; i++)); do long+=/$(n 255); done
fine 'a path of 4094 bytes' "file $long/$(n 254) text=x"
layer 'a path of 4096 bytes with its /' 'path from / on.*over the limit of 4095' "file $long/$(n 255) text=x"
layer 'a path of 4096 bytes' '4096 bytes, the limit is 4095' "file $long/$(n 255)/ text=x"
layer 'a link target of 4096 bytes' '4096 bytes, the limit is 4095' "symlink l to=$long/$(n 255)/"
layer 'NUL in the PAX path' "NUL in the value of 'path'" 'file f text=x pax:path=a%00b'
layer 'NUL in a PAX comment' "NUL in the value of 'comment'" 'file f text=x pax:comment=a%00b'
layer 'a PAX record of a wrong length' 'PAX header: record' $'file PaxHeaders/x type=x text=999%20path=a%0a\nfile f text=x'
layer 'a file as a parent' 'parent /f is a regular file' $'file f text=x\nfile f/g text=y'
layer 'symlinks in a circle' 'symbolic links' $'symlink a to=b\nsymlink b to=a\nfile a/f text=x'
layer 'names that would act on a terminal' 'parent /a.x1b\[31mb.x0ac is a regular file(; nothing was added to the store)?$' \
  $'file a%1b[31mb%0ac text=x\nfile a%1b[31mb%0ac/d text=y'
fine 'names with control characters' $'file a%1b[31mb%0ac text=x'
layer 'a file as the root' 'the root of the image must be a directory' 'file . text=x'

### Hard links.
layer 'a hard link to nothing' "hard link to 'nothing', which is not there" 'link f to=nothing'
layer 'a hard link without a target' 'a link to nothing' 'link f to='
layer 'a hard link to a directory' "hard link to 'd', which is a directory" $'dir d\nlink f to=d'
layer 'a hard link to the root' 'which is a directory' 'link f to=.'
layer 'a hard link to itself' 'which is itself' 'link f to=f'
layer 'a hard link to itself again' 'which is itself' $'file f text=x\nlink f to=./f'
layer 'a hard link to a file of the host' "hard link to '/etc/passwd', which is not there" 'link f to=/etc/passwd'

### Sizes and checksums.
layer 'a size beyond the archive' 'cut off' 'file f text=x size=00000777777'
layer 'a size that is too small' 'bad header checksum' "file f text=$(n 600) size=00000000010"
layer 'a negative size' 'bad size' 'file f text=x size=%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff'
layer 'a size over 64 bits' 'bad size' 'file f text=x size=%80%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff%ff'
layer 'a size over the archive limit' 'the limit of an archive is 274877906944' \
  'file f text=x size=%80%00%00%00%7f%ff%ff%ff%ff%ff%ff%ff'
layer 'a PAX size over 64 bits' 'PAX size' 'file f text=x pax:size=99999999999999999999'
layer 'a negative PAX size' 'PAX size' 'file f text=x pax:size=-1'
layer 'a size that is not a number' 'bad size' 'file f text=x size=0000000009x'
layer 'content where none can be' 'bad header checksum' 'dir d text=content'
layer 'a file whose name says directory' "'d/': a directory by its name, but a file with content" 'file d name=d/ text=content'
layer 'a bad checksum' 'bad header checksum' 'file f text=x sum=1'
layer 'an unknown entry type' "entry type 'Z' is not supported" 'file f text=x type=Z'

### The end of the archive, and of compressed streams.
# Where a digest vouches for the layer, a missing end mark means nothing.
fine 'no end mark' "$plain"$'\nend'
tree_is '/f 100644 content'
fine 'half an end mark' "$plain"$'\nend '"$(printf '%%00%.0s' {1..512})"
tree_is '/f 100644 content'
current='a tar without an end mark'
"$root/tools/layer-tar" <<< "$plain"$'\nend' > "$work/layer"
expect 0 seal "tar:$work/layer" "oci:$work/no-end:t"
said 'warning: the archive has no end mark'
fine 'an archive of no bytes' 'end'
tree_is
layer 'a piece of an end mark' 'cut off' "$plain"$'\nend '"$(printf '%%00%.0s' {1..511})"
layer 'cut off in a header' 'cut off' "$plain"$'\nend abc'
layer 'garbage after the end mark' 'after the end mark' "$plain"$'\nend '"$(printf '%%00%.0s' {1..1024})x"
layer 'a second archive after the end mark' 'after the end mark' \
  "$plain"$'\nraw '"$(printf '%%00%.0s' {1..1024})"$'\nfile g text=x'
layer 'a PAX header at the end' 'ends after a header for a next entry' 'file PaxHeaders/x type=x text=10%20path=a%0a'

for method in gzip zstd xz bzip2; do
  command -v "$method" > /dev/null || continue
  "$method" -c < "$work/tar" > "$work/whole"
  cp "$work/whole" "$work/packed"
  packed gzip
  accepted "$method"
  head -c -3 "$work/whole" > "$work/packed"
  packed gzip
  refused "$method, cut off" 6 'layer 1 .*cut off'
  { cat "$work/whole"; echo garbage; } > "$work/packed"
  packed gzip
  refused "$method, garbage behind it" 6 'layer 1 '
done

# A decoder may take 128 MiB, whatever the blob asks for; `xz -9` asks for 65.
if command -v xz > /dev/null; then
  xz -9c < "$work/tar" > "$work/packed"
  packed
  accepted 'xz -9'
  accepted 'xz -9, with a limit that is just enough' --max-decoder-memory 66M
  refused 'xz -9, with a lower limit' 6 \
    'layer 1 .*xz: its dictionary needs 65 MiB, over the limit of 64 MiB .*raise --max-decoder-memory' --max-decoder-memory 64M
  # The block's header with a dictionary of 1.5 GiB, and its checksum.
  perl -MCompress::Zlib=crc32 -e 'local $/; my $x = <>; my $n = 4 * (1 + ord substr($x, 12, 1));
    substr($x, 16, 1) = chr 37; substr($x, 8 + $n, 4) = pack "V", crc32(substr($x, 12, $n - 4)); print $x' \
    < "$work/packed" > "$work/large"
  cp "$work/large" "$work/packed"
  packed
  refused 'xz, a dictionary of 1.5 GiB' 6 'layer 1 .*xz: its dictionary needs 153. MiB, over the limit of 128 MiB'
  # As the compression of a whole archive.
  tar -C "$work/good" -cf - . | xz -9c > "$work/archive.xz"
  dir=$work/good current='xz archives'
  expect 0 "$intact" verify "oci-archive:$work/archive.xz:latest-sealed" --pub "$work/signer.pub"
  perl -MCompress::Zlib=crc32 -e 'local $/; my $x = <>; my $n = 4 * (1 + ord substr($x, 12, 1));
    substr($x, 16, 1) = chr 37; substr($x, 8 + $n, 4) = pack "V", crc32(substr($x, 12, $n - 4)); print $x' \
    < "$work/archive.xz" > "$work/large.xz"
  for kind in oci-archive docker-archive; do
    refuses 6 'large.xz: xz: its dictionary needs .*raise --max-decoder-memory' \
      seal "$kind:$work/large.xz" "oci:$work/never"
  done
fi
for window in 27 28; do
  zstd -q -1 "--long=$window" -c < "$work/tar" > "$work/packed"
  [[ $(zstd -lv "$work/packed" | sed -n 's/^Window Size:.*(\([0-9]*\) B)$/\1/p') == $((1 << window)) ]] || continue
  packed zstd
  if ((window == 27)); then accepted 'zstd --long'; else
    refused 'zstd --long=28' 6 'layer 1 .*zstd: its window is over the limit of 128 MiB .*raise --max-decoder-memory'
    accepted 'zstd --long=28, allowed' --max-decoder-memory 256M
  fi
done
gzip -nc < "$work/tar" > "$work/whole.gz"
cp "$work/whole.gz" "$work/packed"
flip "$work/packed" -6
packed
refused 'gzip, a wrong checksum' 6 'layer 1 .*checksum or length of a member is wrong'
perl -e 'my $g = join "", <>; substr($g, 3, 1) = "\x80"; print $g' < "$work/whole.gz" > "$work/packed"
packed
refused 'gzip, unknown flags' 6 'layer 1 .*unknown flags'
printf '\x1f\x8b\x08\x00 and no more' > "$work/packed"
packed
refused 'gzip, no deflate data' 6 'layer 1 '

### Limits: at the limit, over it, and over it by default.
fine 'the largest id' 'file f uid=4294967294 gid=4294967294 text=x'
layer 'an id that nobody can have' 'uid 4294967295 is over the limit of 4294967294' 'file f uid=4294967295 text=x'
fine 'an id at the limit' 'file f gid=1000 text=x' --max-id 1000
layer 'an id over a limit' 'gid 1001 is over the limit of 1000' 'file f gid=1001 text=x' --max-id 1000
xattrs() { for ((i = 1; i <= $1; i++)); do printf ' xattr:user.%04d=v' "$i"; done; }
fine '1000 xattrs' "file f text=x$(xattrs 1000)"
layer '1001 xattrs' 'more xattrs than the limit of 1000' "file f text=x$(xattrs 1001)"
layer 'an xattr over the size' '32756 bytes of xattrs, the limit is 32755' "file f text=x xattr:user.a=$(n 32743)"
# A file whose content is an object needs some for the image itself.
fine 'the most xattrs of a file of its own' "file f text=$(n 100) xattr:user.a=$(n 32500)"
layer_error() { image_of "$3"; refused "$1" 6 "$2"; }
layer_error 'xattrs that leave no room for the image' 'sizes of /d/f add up to 32931 bytes with the image' \
  "file d/f text=$(n 100) xattr:user.a=$(n 32742)"
layer 'a long xattr name' 'xattr name of 256 bytes' "file f text=x xattr:user.$(n 251)=x"
fine 'xattrs at a limit' 'file f text=x xattr:user.a=b' --max-xattr-size 14
layer 'xattrs over a limit' '14 bytes of xattrs, the limit is 13' 'file f text=x xattr:user.a=b' --max-xattr-size 13
two=$'file f text=x\nfile d/g text=y'
fine 'entries at a limit' "$two" --max-entries 3
layer 'entries over a limit' 'more entries than the limit of 2' "$two" --max-entries 2
said '.intact (seal|pull) --help. lists the limits that can be raised'
fine 'metadata at a limit' "$two" --max-metadata 4
layer 'metadata over a limit' 'over the limit of 3 bytes' "$two" --max-metadata 3
fine 'xattrs at the metadata limit' 'file f text=x xattr:user.a=b' --max-metadata 72
layer 'xattrs over the metadata limit' 'over the limit of 71 bytes; raise --max-metadata' 'file f text=x xattr:user.a=b' --max-metadata 71
fine 'a layer at a limit' "$plain" --max-layer 2K
layer 'a layer over a limit' 'larger than 2047 bytes when decompressed; raise --max-layer' "$plain" --max-layer 2047
layer 'an image over a limit' 'larger than 2047 bytes when decompressed; raise --max-expanded' "$plain" --max-expanded 2047

# A bomb: one file of zeros, in gzip members of 64 MiB each. The whole of it expands 1000 times.
head -c 64M /dev/zero | gzip -n > "$work/zeros"
# bomb MEMBERS SIZE: SIZE in octal.
bomb() {
  { "$root/tools/layer-tar" <<< "file zeros size=$2"$'\nend' | gzip -n
    for ((i = 0; i < $1; i++)); do cat "$work/zeros"; done; head -c 1024 /dev/zero | gzip -n; } > "$work/packed"
}
bomb 2 01000000000 # 128 MiB
zcat "$work/packed" > "$work/tar"
packed
accepted 'a file of zeros'
current='a small bomb'
refused 'a small bomb' 6 'layer 1 .*looks like a decompression bomb: more than 200 times its size .*raise --max-expansion' --expansion-free 64M
refused 'a small bomb, stricter' 6 'layer 1 .*more than 10 times its size' --expansion-free 1M --max-expansion 10
accepted 'a small bomb, allowed' --expansion-free 0 --max-expansion 2000
rm "$work/tar"
"$root/tools/layer-tar" <<< "$plain" > "$work/tar"
bomb 129 77777777777 # 8 GiB, and what the header takes
packed
current='a gzip bomb'
refuses 6 'layer 1 .*more than 200 times its size' seal "oci:$dir:plain"

bad_input_done
