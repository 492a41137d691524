#!/usr/bin/env bash
# export gives back what was pulled: the same image to others, the same root.
. "$(dirname "$0")/lib.sh"
requires jq skopeo umoci getfattr
pulled_image
digest=$(manifest_digest "$work/layout" latest-sealed)
export_to() { "$intact" export app "$@" --pub "$work/key.pub"; }

# As a layout: the same manifest, the signature with it, so that it can be pulled from there.
expect 0 export_to "oci:$work/oci:v1"
equal "$(manifest_digest "$work/oci" v1)" "$digest" "exported digest"
skopeo --insecure-policy copy -q --preserve-digests "oci:$work/oci:v1" "oci:$work/copy:v1"
equal "$(manifest_digest "$work/copy" v1)" "$digest" "digest after skopeo copy"
expect 0 "$intact" pull --store "$work/store2" "oci:$work/oci:v1" app --pub "$work/key.pub"
expect 0 "$intact" verify --store "$work/store2" app --pub "$work/key.pub"

# As an archive of one.
expect 0 export_to "oci-archive:$work/image.tar:v1"
skopeo --insecure-policy copy -q --preserve-digests "oci-archive:$work/image.tar:v1" "oci:$work/unarchived:v1"
equal "$(manifest_digest "$work/unarchived" v1)" "$digest" "digest out of the archive"

# As a tar, to a new file or to standard output; not over a file, and not through a link.
expect 0 export_to "tar:$work/root.tar"
export_to tar:- > "$work/piped.tar" 2> "$work/piped.err" || fail "tar:- failed: $(cat "$work/piped.err")"
same "$work/root.tar" "$work/piped.tar"
export_to oci-archive:-:v1 > "$work/piped-image.tar"
expect 0 "$intact" verify "oci-archive:$work/piped-image.tar:v1" --pub "$work/key.pub"
# from_stdin FILE COMMAND...: expect gives its command no input.
from_stdin() { "${@:2}" < "$1"; }
from_pipe() { cat "$1" | "${@:2}"; }
for way in from_stdin from_pipe; do
  expect 0 "$way" "$work/piped-image.tar" "$intact" verify oci-archive:-:v1 --pub "$work/key.pub"
  expect 7 "$way" /dev/null "$intact" verify oci-archive:-:v1 --pub "$work/key.pub"
  said '^intact: standard input: not an image layout'
done
# One input is not two arguments.
expect 2 from_stdin "$work/password" "$intact" seal oci-archive:-:v1 "oci:$work/twice" --key "$work/key.key" --password-file -
said 'standard input is already used for'
expect 2 export_to tar:- --json
said 'standard output is for the archive'
expect 1 export_to "tar:$work/root.tar"
said 'root.tar: already exists; remove it or choose another name'
echo precious > "$work/precious"
ln -s precious "$work/link.tar"
ln -s precious "$work/other.tar.intact-part" # the name that was foreseeable once
expect 1 export_to "tar:$work/link.tar"
said 'link.tar: already exists'
expect 0 export_to "tar:$work/other.tar"
equal "$(cat "$work/precious")" precious "a file behind a link"
same "$work/root.tar" "$work/other.tar"
# Whatever ends the command leaves nothing.
mkdir "$work/empty"
expect 1 bash -c 'ulimit -f 1; trap "" XFSZ; exec "$@"' - "$intact" export app "tar:$work/empty/x.tar" --pub "$work/key.pub"
said 'x.tar: write: File too large'
equal "$(ls -A "$work/empty")" "" "files left by a failed export"

# By digest, where any source is taken.
expect 0 "$intact" verify "oci:$work/oci@$digest" --pub "$work/key.pub"
expect 0 "$intact" pull --store "$work/store4" "oci:$work/oci@$digest" app --pub "$work/key.pub"
expect 7 "$intact" verify "oci:$work/oci@sha256:$(printf '0%.0s' {1..64})" --pub "$work/key.pub"
said 'no image sha256:0000'
expect 2 export_to "oci:$work/oci@$digest"
said ': a destination has a tag, not a digest'

# As a directory. It is private, and without --devices and --setuid nothing in it gives rights here.
expect 0 export_to "rootfs:$work/plain"
equal "$(stat -c %a "$work/plain")" 700 "mode of the exported directory"
equal "$(find "$work/plain" ! -type d -perm /6000 -print -o -type b -print -o -type c -print)" "" "set-id files and devices"
expect 2 export_to "tar:$work/never.tar" --setuid
said '--setuid.*apply only to rootfs: and bundle:'

# Owners and devices want root.
requires_root
# Root's exports are for root.
equal "$(stat -c %a "$work/root.tar")" 600 "mode of a tar of root"
(umask 022; export_to "oci:$work/private-oci:v1"; export_to "oci-archive:$work/private.tar:v1") > /dev/null
equal "$(stat -c %a "$work/private-oci" "$work/private.tar" | xargs)" '700 600' "modes of a layout and an archive of root"
(umask 022; "$intact" seal "oci:$work/layout:latest" "oci:$work/sealed-oci:v1" --key "$work/key.key" --password-file "$work/password"
 "$intact" seal "oci:$work/layout:latest" "oci-archive:$work/sealed.tar:v1" --key "$work/key.key" --password-file "$work/password") > /dev/null
equal "$(stat -c %a "$work/sealed-oci" "$work/sealed.tar" | xargs)" '700 600' "modes of a layout and an archive that root sealed"
# A directory that was there keeps its mode, and what is in it can be read once it is opened up.
chmod 755 "$work/private-oci"
expect 0 export_to "oci:$work/private-oci:v2"
equal "$(stat -c %a "$work/private-oci")" 755 "mode of a layout that was there"
equal "$(find "$work/private-oci" -type f ! -perm -444)" '' "files that others cannot read"
expect 0 export_to "composefs:$work/private-composefs"
equal "$(stat -c %a "$work/private-composefs")" 700 "mode of composefs files of root"
unpack_image "$work/layout" latest
mode=$(stat -c %a "$work/unpacked/rootfs")
chmod 700 "$work/unpacked/rootfs"
expect 0 export_to "rootfs:$work/rootfs" --devices --setuid
same_trees "$work/unpacked/rootfs" "$work/rootfs"
chmod "$mode" "$work/unpacked/rootfs"

# What is left out otherwise is counted.
"$root/tools/layer-tar" > "$work/rights.tar" << 'LAYER'
dir d mode=2755
file d/su mode=4755 text=x
file d/sg mode=2755 text=y
file d/attributes mode=644 text=a xattr:user.kept=1 xattr:trusted.overlay.opaque=y xattr:trusted.x=1 xattr:user.overlay.opaque=y
file d/cap mode=755 text=z xattr:security.capability=%01%00%00%02%00%04%00%00%00%00%00%00%00%00%00%00%00%00%00%00
char null mode=666 dev=1:3
block disk mode=660 dev=8:0
LAYER
expect 0 "$intact" seal "tar:$work/rights.tar" "oci:$work/rights:t" --key "$work/key.key" --password-file "$work/password"
expect 0 "$intact" pull "oci:$work/rights:t" rights --pub "$work/key.pub"
for form in rootfs bundle; do
  top=$work/$form-out tree=$work/$form-out
  [[ $form == rootfs ]] || tree+=/rootfs
  expect 0 "$intact" export rights "$form:$top" --json --pub "$work/key.pub"
  equal "$(jq -c .left_out "$work/out")" '{"devices":2,"setuid":2,"capabilities":1,"xattrs":3}' "$form: what was left out"
  said '2 device nodes were left out \(see --devices\)'
  said '2 files lost their set-user-ID or set-group-ID bits \(see --setuid\)'
  said '1 file lost its capabilities \(see --setuid\)'
  said '3 security, trusted and overlayfs attributes were left out \(see --setuid\)'
  equal "$(getfattr -m - "$tree/d/attributes" 2> /dev/null | grep -E '^(user|trusted)' | xargs)" "user.kept" "attributes"
  equal "$(stat -c %a "$top" "$tree/d" "$tree/d/su" "$tree/d/sg" "$tree/d/cap" | xargs)" "700 2755 755 755 755" "modes"
  equal "$(find "$tree" -type b -o -type c)$(getcap -r "$tree" 2> /dev/null)" "" "devices and capabilities"
  rm -rf "$top"
  expect 0 "$intact" export rights "$form:$top" --devices --setuid --json --pub "$work/key.pub"
  equal "$(jq -c .left_out "$work/out")" '{"devices":0,"setuid":0,"capabilities":0,"xattrs":0}' "$form: nothing left out"
  equal "$(stat -c %a "$top" "$tree/d/su" "$tree/d/sg" | xargs)" "700 4755 2755" "modes"
  equal "$(stat -c '%t:%T' "$tree/null" "$tree/disk" | xargs)" "1:3 8:0" "devices"
  getfattr -n security.capability "$tree/d/cap" > /dev/null 2>&1 || fail "no capability with --setuid"
done

# The topmost directory belongs to the caller, not to the owner of the image's root; in a bundle it keeps the others out.
printf 'dir . mode=777 uid=1234 gid=1234\ndir d mode=751 uid=1234 gid=1234\nfile d/f mode=644 text=x\n' |
  "$root/tools/layer-tar" > "$work/foreign.tar"
expect 0 "$intact" seal "tar:$work/foreign.tar" "oci:$work/foreign:t" --key "$work/key.key" --password-file "$work/password"
expect 0 "$intact" pull "oci:$work/foreign:t" foreign --pub "$work/key.pub"
expect 0 "$intact" export foreign "rootfs:$work/foreign-out" --pub "$work/key.pub"
equal "$(stat -c %u:%g:%a "$work/foreign-out" "$work/foreign-out/d" | xargs)" "0:0:700 1234:1234:751" "owners, rootfs:"
expect 0 "$intact" export foreign "bundle:$work/foreign-bundle" --pub "$work/key.pub"
equal "$(cd "$work/foreign-bundle" && stat -c %u:%g:%a . rootfs rootfs/d | xargs)" \
  "0:0:700 1234:1234:777 1234:1234:751" "owners, bundle:"

# A bundle resolves localhost and its host name as `run` does, with what the image has in /etc/hosts.
for image in none own link; do
  # The name of the file is not the image's choice.
  case $image in
    none) echo 'dir .' ;;
    own) printf 'dir .\ndir etc\nfile etc/hosts text=10.0.0.1%%20registry%%0a\n' ;;
    link) printf 'dir .\ndir etc\nsymlink etc/hosts to=/config.json\nfile config.json text=10.0.0.1%%20registry%%0a\n' ;;
  esac |
    "$root/tools/layer-tar" > "$work/hosts.tar"
  expect 0 "$intact" seal "tar:$work/hosts.tar" "oci:$work/hosts-layout:$image" --key "$work/key.key" --password-file "$work/password"
  expect 0 "$intact" pull "oci:$work/hosts-layout:$image" "hosts-$image" --pub "$work/key.pub"
  bundle=$work/hosts-$image
  expect 0 "$intact" export "hosts-$image" "bundle:$bundle" --pub "$work/key.pub"
  at=$([[ $image == link ]] && echo /config.json || echo /etc/hosts)
  jq -e --arg at "$at" '[.mounts[] | select(.destination == $at)] | length == 1 and
    (.[0] | .type == "bind" and .source == "hosts" and (.options | index("ro")))' "$bundle/config.json" > /dev/null ||
    fail "no mount of /etc/hosts: $(jq -c .mounts "$bundle/config.json")"
  grep -qP '^127\.0\.0\.1\tlocalhost$' "$bundle/hosts" || fail "no localhost in $(cat "$bundle/hosts")"
  grep -qP "^127\.0\.1\.1\t$(jq -r .hostname "$bundle/config.json")\$" "$bundle/hosts" || fail "no host name"
  equal "$(head -1 "$bundle/hosts")" "$([[ $image == none ]] && printf '127.0.0.1\tlocalhost' || echo '10.0.0.1 registry')" "first line"
done
if command -v runc > /dev/null; then
  # The runtimes take a source beside config.json.
  expect 0 "$intact" export app "bundle:$work/runs" --pub "$work/key.pub"
  jq '.process.terminal = false | .process.args = ["/bin/busybox", "cat", "/etc/hosts"] | .process.cwd = "/" |
    del(.linux.resources) | .linux.namespaces |= map(select(.type != "cgroup")) |
    .mounts |= map(select(.options | index("tmpcopyup") | not))' "$work/runs/config.json" > "$work/config"
  cp "$work/config" "$work/runs/config.json"
  if runc --root "$work/runc" run --bundle "$work/runs" intact-test-$$ > "$work/hosts" 2> "$work/err"; then
    same "$work/runs/hosts" "$work/hosts"
  else
    ! grep -q hosts "$work/err" || fail "runc: $(cat "$work/err")"
    echo "no container here: $(tail -1 "$work/err")"
  fi
fi

# Another user who may write to the parent puts a tree of links in the place of the temporary directory.
cat > "$work/attacker.py" << 'ATTACKER'
import os, sys
parent, victim, inside = os.open(sys.argv[1], os.O_RDONLY), sys.argv[2], sys.argv[3]
os.setgroups([]); os.setgid(65534); os.setuid(65534)
open("ready", "w", opener=lambda n, f: os.open(n, f | os.O_CREAT, 0o644, dir_fd=parent)).close()
while True:
    names = os.listdir(parent)
    if "finished" in names: sys.exit("too late")
    for name in names:
        if not name.startswith(".intact-export-"): continue
        os.rename(name, "moved", src_dir_fd=parent, dst_dir_fd=parent)
        os.mkdir(name, 0o777, dir_fd=parent)
        at = os.open(name, os.O_RDONLY, dir_fd=parent)
        for level in filter(None, inside.split("/")):
            os.mkdir(level, 0o777, dir_fd=at)
            at = os.open(level, os.O_RDONLY, dir_fd=at)
        for entry in ("d", "bin", "etc", "usr", "image.cfs", "objects", "config.json", "oci-layout", "blobs"):
            os.symlink(victim, entry, dir_fd=at)
        sys.exit(0)
ATTACKER
echo secret > "$work/victim"
chmod 600 "$work/victim"
victim=$(stat -c %u:%a:%Z "$work/victim")
for form in rootfs:out=root bundle:out=root/rootfs composefs:out=root oci-archive:out.tar=layout; do
  to=${form%=*}
  # An attacker that comes too late tries again.
  for _ in {1..100}; do
    rm -rf "$work/shared"
    mkdir -m 777 "$work/shared"
    python3 "$work/attacker.py" "$work/shared" "$work/victim" "${form#*=}" & attacker=$!
    until [[ -e $work/shared/ready ]]; do kill -0 $attacker || fail "no attacker"; done
    status=0
    export_to "${to%%:*}:$work/shared/${to#*:}" > "$work/out" 2> "$work/err" || status=$?
    : > "$work/shared/finished"
    wait $attacker || continue
    rm "$work/shared/finished"
    equal "$(stat -c %u:%a:%Z "$work/victim")" "$victim" "$form: a file of the host"
    [[ -n $(find "$work/shared" -type l) ]] || fail "$form: no attack"
    # An attacker between mkdir(2) and open(2) is noticed; nothing is exported.
    [[ $status == 3 && ! -e $work/shared/${to#*:} ]] && grep -q 'another user replaced it$' "$work/err" || break
  done
  equal "$status" 0 "$form: status ($(cat "$work/err"))"
  [[ -n $(find "$work/shared" -type l) ]] || fail "$form: no attack"
  case $form in
    rootfs:*) same_trees "$work/plain" "$work/shared/out" ;;
    bundle:*) equal "$(cd "$work/shared/out" && stat -c %u:%a . && ls)" $'0:700\nconfig.json\nhosts\nrootfs' "the bundle" ;;
    composefs:*) [[ -f $work/shared/out/image.cfs && -d $work/shared/out/objects ]] || fail "no composefs files" ;;
    *) expect 0 "$intact" verify "oci-archive:$work/shared/out.tar" --pub "$work/key.pub" ;;
  esac
done
# A link at the destination is never followed, not even to an empty directory.
mkdir "$work/nothing"
ln -s nothing "$work/to-nothing"
expect 1 export_to "rootfs:$work/to-nothing"
said 'to-nothing: already exists'
expect 0 export_to "rootfs:$work/nothing"
same_trees "$work/plain" "$work/nothing"
[[ -z $(find "$work" -maxdepth 1 -name '.intact-export-*') ]] || fail "temporary directories were left"

mkdir "$work/untar"
tar -C "$work/untar" --xattrs --xattrs-include='*' --numeric-owner -xpf "$work/root.tar"
same_trees "$work/unpacked/rootfs" "$work/untar"

# What is damaged is not exported.
object=$(find "$INTACT_STORE/objects" -type f -size +1000k -print -quit)
flip "$object" 5000
expect 3 export_to "rootfs:$work/rootfs2"
said '^intact: /.*: block 1 \(byte 4096\) does not match its hash'
[[ ! -e $work/rootfs2 ]] || fail "a damaged image left a directory"
expect 3 export_to "composefs:$work/composefs2"
said '^intact: /.*: block 1 \(byte 4096\) does not match its hash'
[[ ! -e $work/composefs2 ]] || fail "a damaged image left a directory"
flip "$object" 5000
expect 0 export_to "rootfs:$work/rootfs3"
