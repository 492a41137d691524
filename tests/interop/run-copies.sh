#!/usr/bin/env bash
# run: what a hostile image has in writable places costs no more memory than it may, neither the
# kernel's nor that of the program that copies it.
. "$(dirname "$0")/lib.sh"
requires_fuse
requires_root
requires busybox setfattr
runtime=
for name in crun runc; do command -v "$name" > /dev/null && runtime=$name && break; done
[[ $runtime ]] || skip 'neither crun nor runc is there'
make_keys
mkdir "$work/memory"
# Other file systems take no large access control lists.
mount -t tmpfs -o size=600m,mode=755 sources "$work/memory" || skip 'may not mount'

# new_root NAME: an image with a shell, in $root.
new_root() {
  root=$work/memory/$1
  mkdir -p "$root"/{bin,tmp,data}
  cp "$(command -v busybox)" "$root/bin/busybox"
  for applet in sh true ls wc; do ln -s busybox "$root/bin/$applet"; done
}
# stored NAME: seals and pulls $root.
stored() {
  "$intact" seal "rootfs:$root" "oci:$work/layout:$1" --key "$work/key.key" --password-file "$work/password" > /dev/null
  "$intact" pull "oci:$work/layout:$1" "$1" --pub "$work/key.pub" > /dev/null
}
with() {
  local options=()
  while [[ $1 != -- ]]; do options+=("$1"); shift; done
  timeout 600 "$intact" run --pub "$work/key.pub" --runtime "$runtime" "${options[@]}" "${@:2}"
}

# 1000 empty files, each with an access control list of 16 KiB, which tmpfs counts nowhere.
new_root lists
list=$(perl -e 'print unpack "H*", pack("V", 2) . join("", map { pack "vvV", @$_ } [1, 6, 0xffffffff],
  (map { [2, 4, $_] } 1000 .. 2999), [4, 4, 0xffffffff], [16, 6, 0xffffffff], [32, 4, 0xffffffff])')
for ((i = 0; i < 1000; i++)); do : > "$root/tmp/$i"; done
find "$root/tmp" -type f -exec setfattr -n system.posix_acl_access -v "0x$list" {} +
cp -a "$root/tmp/." "$root/data/"
stored lists
expect 125 with --tmpfs-size 12m -- lists true
said '^intact: /tmp: what the image has in writable places does not fit into 12m; pass a larger --tmpfs-size, or put something else at /tmp with --volume or --tmpfs$'
expect 125 with --memory 12m -- lists true
said '^intact: /tmp: what the image has in writable places does not fit into 12m; pass a larger --memory, or put'
expect 125 with --tmpfs /tmp:size=12m -- lists true
said '^intact: --tmpfs /tmp: what the image has there does not fit into size=12582912; give it a larger size=, or notmpcopyup$'
# A tmpfs without a limit of its own has that of the container.
expect 125 with --memory 12m --tmpfs /tmp:size=0,nr_inodes=0 -- lists true
said '^intact: --tmpfs /tmp: what the image has there does not fit into 12m; pass a larger --memory, or give it notmpcopyup$'
# Each of two places fits, but not both.
expect 125 with --memory 30m --tmpfs /data:size=40m -- lists true
said "^intact: --tmpfs /data: .* does not fit into 30m; pass a larger --memory"
# With enough room everything is there, with its lists.
for options in '--tmpfs-size 64m' '--memory 64m' '--tmpfs /tmp:size=64m' '--tmpfs /tmp:size=0,nr_inodes=0'; do
  # shellcheck disable=SC2086
  expect 0 with $options -- lists sh -c 'ls -l /tmp | wc -l; ls -l /tmp/999'
  said '^1001$'
  said '^-rw-rw-r--'
done

# Many long names, of which few may be copied: they are not read to find that out.
new_root names
perl -e 'for (1 .. 60000) { open my $f, ">", sprintf("%s/tmp/%s%06d", $ARGV[0], "n" x 200, $_) or die }' "$root"
stored names
peak() { awk '/Maximum resident/ { print $NF }' "$work/time"; }
if command -v /usr/bin/time > /dev/null; then
  timed() { /usr/bin/time -v -o "$work/time" timeout 600 "$intact" run --pub "$work/key.pub" --runtime "$runtime" "$@"; }
  expect 0 timed --tmpfs /tmp:notmpcopyup names true
  base=$(peak)
  expect 125 timed --tmpfs-size 1m names true
  said 'does not fit into 1m; pass a larger --tmpfs-size'
  (($(peak) < base + 6000)) || fail "a copy that is refused takes $(peak) KiB and not about $base"
  echo "peak: $(peak) KiB, $base without a copy"
fi
expect 125 with --tmpfs-size 1m -- names true
said 'does not fit into 1m; pass a larger --tmpfs-size'
expect 0 with -- names sh -c 'ls /tmp | wc -l'
said '^60000$'
