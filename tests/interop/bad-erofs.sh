#!/usr/bin/env bash
# EROFS images that are cut, go in circles, overlap or use what composefs does not: refused with status 6
# and one line, within seconds.
. "$(dirname "$0")/lib.sh"
requires perl
cd "$work" || exit
mkdir -p tree/outer/inner/last
echo content > tree/outer/inner/last/file
head -c 5000 /dev/urandom > tree/large
expect 0 "$intact" composefs create tree image
for command in dump objects info; do expect 0 "$intact" composefs $command image; done

# patched EXPRESSION: $work/bad becomes the image, changed by perl: $d is all of it, root() and entry(DIR,
# NAME) give inode numbers, place(DIR, NAME) the offset of an entry's inode number, inode(N) an offset.
patched() {
  perl -e '
    open(my $f, "<:raw", "image") or die; local $/; our $d = <$f>;
    sub get { my ($t, $at) = @_; unpack($t, substr($d, $at, 8) . "\0" x 8) }
    sub put { my ($t, $at, $v) = @_; my $b = pack($t, $v); substr($d, $at, length $b) = $b }
    sub root { get("v", 1024 + 14) }
    sub inode { get("V", 1024 + 40) * 4096 + 32 * $_[0] }
    sub place {
      my ($dir, $name) = @_;
      my $i = inode($dir); my $flags = get("v", $i); my $long = $flags & 1;
      my $xattrs = get("v", $i + 2); my $size = $long ? get("Q<", $i + 8) : get("V", $i + 8);
      my $at = ($flags >> 1 & 7) == 2 ? $i + ($long ? 64 : 32) + ($xattrs ? 12 + 4 * ($xattrs - 1) : 0)
                                      : 4096 * get("V", $i + 16);
      my $count = get("v", $at + 8) / 12;
      for my $n (0 .. $count - 1) {
        my $from = get("v", $at + 12 * $n + 8);
        my $to = $n + 1 < $count ? get("v", $at + 12 * ($n + 1) + 8) : $size;
        return $at + 12 * $n if substr($d, $at + $from, $to - $from) =~ /^\Q$name\E\0*$/;
      }
      die "no $name";
    }
    sub entry { get("Q<", place(@_)) }
    our $outer = entry(root(), "outer"); our $inner = entry($outer, "inner");
    eval shift; die $@ if $@;
    open(my $o, ">:raw", "bad") or die; print $o $d;' "$1"
}
# refused NAME REGEX [COMMAND...]: by these, all that read the tree unless told.
refused() {
  local name=$1 regex=$2 command
  shift 2
  echo "$name" # to see how far it came
  for command in "${@:-dump}"; do
    expect 6 timeout 300 "$intact" composefs "$command" bad
    (($(wc -l < err) == 1)) || fail "$name: not one line: $(cat err)"
    said "^intact: bad: .*$regex"
    [[ $command != objects || ! -s out ]] || fail "$name: output before the error"
  done
}

patched ''
cmp image bad || fail 'the undamaged twin'

patched 'put("Q<", place($outer, "inner"), root())'
refused 'a directory that holds the root' 'second name' dump objects
patched 'put("Q<", place($inner, "last"), $outer)'
refused 'a directory that holds the one above it' 'second name' dump objects
patched 'put("Q<", place($inner, "last"), $inner)'
refused 'a directory that holds itself' 'second name' dump objects
patched 'put("Q<", place($inner, "last"), $inner + 1)'
refused 'an inode within another' 'inode' dump objects
patched 'put("Q<", place($inner, "last"), 1 << 40)'
refused 'an inode beyond the end' 'inode' dump objects
patched 'put("V", inode(root()) + 16, 1 << 30)'
refused 'a directory beyond the end' '' dump objects
patched 'put("V", 1024 + 80, get("V", 1024 + 80) | 0x40000000)'
refused 'an unknown feature' 'feature' dump objects info
patched 'put("v", inode($inner), get("v", inode($inner)) & ~14 | 2)'
refused 'a compressed directory' '' dump objects
patched '$d = substr($d, 0, 1024) . "\0" x 128 . substr($d, 1152)'
refused 'no superblock' '' dump objects info

for size in 0 1 1023 1024 1100 1152 4095 4096 8192 $(($(stat -c %s image) - 4096)) $(($(stat -c %s image) - 1)); do
  head -c "$size" image > bad
  refused "cut to $size bytes" '' dump objects
done
