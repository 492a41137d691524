#!/usr/bin/env bash
# Every blob is read once: seal, verify and pull open each layer and each document of a source a single time, and
# use the bytes that they hashed. A second open could find others there.
. "$(dirname "$0")/lib.sh"
requires strace jq
strace -o /dev/null true 2> /dev/null || skip "strace may not trace here"
sealed_image
key=(--key "$work/key.key" --password-file "$work/password")
layers=$(jq -r '.layers[].digest' "$(blob "$work/layout" "$(manifest_digest "$work/layout" latest-sealed)")")
[[ -n $layers ]] || fail "no layers"
# documents TAG: manifest and config of an image, and of its signatures with their payloads if it has any.
documents() {
  local manifest signatures
  manifest=$(manifest_digest "$work/layout" "$1")
  echo "$manifest"
  jq -r .config.digest "$(blob "$work/layout" "$manifest")"
  signatures=$(manifest_digest "$work/layout" "${manifest/:/-}.sig" 2> /dev/null || true)
  [[ $signatures == sha256:* ]] || return 0
  echo "$signatures"
  jq -r '.config.digest, .layers[].digest' "$(blob "$work/layout" "$signatures")"
}

# opens FILE COMMAND...: how often the command opens that file of a directory or reads its name.
traced() { expect 0 strace -f -qqq -e trace=open,openat,openat2 -o "$work/trace" "$@"; }
opens() { grep "${1#*:}" "$work/trace" | grep -vc ' = -1 ' || true; }
once() { # once WHAT TAG: each layer and document of that image in the source was opened once.
  local digest
  for digest in $layers $(documents "$2"); do
    [[ $(opens "$digest") == 1 ]] || fail "$(opens "$digest") opens of $digest by $1"
  done
}
cp -r "$work/layout" "$work/fresh"
rm -rf "$work/sealed"
traced "$intact" seal "oci:$work/layout:latest" "oci:$work/sealed:v1" "${key[@]}"
once "seal into another layout" latest
traced "$intact" seal "oci:$work/fresh:latest" "oci:$work/fresh:v2" "${key[@]}" --identity registry.example/app
once "seal into the same layout" latest
traced "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/key.pub"
once verify latest-sealed
traced "$intact" pull "oci:$work/layout:latest-sealed" app --pub "$work/key.pub"
once pull latest-sealed

# An archive is opened once as a whole, and its layers are still checked.
tar -C "$work/layout" -cf "$work/layout.tar" .
traced "$intact" verify "oci-archive:$work/layout.tar:latest-sealed" --pub "$work/key.pub"
equal "$(grep -c 'layout.tar"' "$work/trace")" 1 "opens of the archive"
# A tar that becomes a layer as well.
"$root/tools/layer-tar" > "$work/plain.tar" << 'SPEC'
dir etc mtime=1700000000
file etc/large fill=300001
SPEC
gzip -nk "$work/plain.tar"
for tar in plain.tar plain.tar.gz; do
  traced "$intact" seal "tar:$work/$tar" "oci:$work/of-$tar:v1" "${key[@]}"
  equal "$(grep -c "/$tar\"" "$work/trace")" 1 "opens of $tar"
  expect 0 "$intact" verify "oci:$work/of-$tar:v1" --pub "$work/key.pub"
done

# A damaged layer is named, and so is every other that is damaged.
for digest in $layers; do flip "$(blob "$work/layout" "$digest")" -20; done
expect 3 "$intact" verify "oci:$work/layout:latest-sealed" --pub "$work/key.pub"
for digest in $layers; do said "${digest#*:}"; done
expect 3 "$intact" seal "oci:$work/layout:latest" "oci:$work/damaged:v1" "${key[@]}"
[[ ! -e $work/damaged ]] || fail "half a layout"
