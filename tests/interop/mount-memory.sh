#!/usr/bin/env bash
# The memory of a server has a limit however many files are open, a file that is opened again costs nothing, and
# a server that may not open any more files says so.
. "$(dirname "$0")/lib.sh"
requires_fuse
ulimit -n "$(ulimit -Hn)"
count=$(($(ulimit -n) - 400))
((count <= 10000)) || count=10000
((count >= 600)) || skip "only $(ulimit -n) files may be open"

make_keys
mkdir "$work/root" "$work/mnt"
openssl enc -aes-128-ctr -pass pass:1 -nosalt < /dev/zero 2> /dev/null | head -c $((count * 8192)) |
  split -b 8192 -a 5 -d - "$work/root/file-" || :
expect 0 "$intact" seal "rootfs:$work/root" "oci:$work/layout:1" --key "$work/key.key" --password-file "$work/password"
expect 0 "$intact" pull "oci:$work/layout:1" app --pub "$work/key.pub"

# serve [LIMIT]: mounts with at most LIMIT descriptors; sets server.
serve() {
  (ulimit -n "${1:-$(ulimit -n)}" && exec "$intact" mount app "$work/mnt" --pub "$work/key.pub" --foreground) \
    > "$work/server.out" 2> "$work/server.err" &
  server=$!
  await eval '[[ -e $work/mnt/file-00000 ]] || is_gone "$server"'
  [[ -e $work/mnt/file-00000 ]] || fail "the server did not start: $(cat "$work/server.err")"
}
end() { "$intact" umount "$work/mnt" && wait "$server"; }
memory() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$server/status"; } # in KiB
descriptors() { find "/proc/$server/fd" -mindepth 1 | wc -l; }

# open_files FILE...: opens each and reads a byte of it. In a shell of its own, which then reports and ends.
open_files() {
  (
    for file; do
      exec {fd}< "$file"
      IFS= read -r -d '' -n 1 -u "$fd" || [[ -n ${REPLY+set} ]]
    done 2> /dev/null
    printf '%s %s\n' "$(memory)" "$(descriptors)"
  )
}

serve
before=$(memory) files_before=$(descriptors)
again=()
for ((i = 0; i < count; i++)); do again+=("$work/mnt/file-00007"); done
read -r after files_after < <(open_files "${again[@]}")
echo "one file, $count times: $((after - before)) KiB more, $((files_after - files_before)) descriptors"
((after - before < 8192)) || fail "opening one file again takes memory"
((files_after - files_before <= 4)) || fail "opening one file again takes descriptors"

before=$(memory)
read -r after files_after < <(open_files "$work"/mnt/*)
echo "$count files: $((after - before)) KiB more, $((files_after - files_before)) descriptors"
# The cache of hash blocks, and 3 KiB for each open file.
((after - before < 65536 + 3 * count)) || fail "the memory of the server grows with its open files"
((files_after - files_before >= count)) || fail "the files were not open at the same time"
# Closed files do not stay open in the server.
await eval '(($(descriptors) <= files_before + 4))'
cmp "$work/mnt/file-00011" "$work/root/file-00011"
end

# A server that has reached its limit refuses, and goes on once files are closed.
serve 512
(
  for file in "$work"/mnt/file-000* "$work"/mnt/file-001* "$work"/mnt/file-002* "$work"/mnt/file-003* "$work"/mnt/file-004*; do
    if ! exec {fd}< "$file"; then echo "refused after $fd"; exit 0; fi
  done 2> "$work/refused"
  echo 'never refused'
) > "$work/answer" || :
cat "$work/answer" "$work/refused"
grep -q 'Too many open files in system' "$work/refused" || fail "the limit on open files is not named"
grep -q 'files are open, which is the limit of this mount' "$work/server.err" || fail "the log does not name the limit"
await cmp -s "$work/mnt/file-00011" "$work/root/file-00011"
end
