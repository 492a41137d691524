#!/usr/bin/env bash
# Trust comes from outside the store: from --pub or a policy, never from what is in the store.
. "$(dirname "$0")/lib.sh"
requires jq
make_keys
make_keys foreign
small_image "$work/layout"
sealed() { # sealed KEY IDENTITY TEXT DIR
  small_image "$4" latest "$3"
  "$intact" seal "oci:$4:latest" --key "$work/$1.key" --password-file "$work/password" --identity "$2" > /dev/null
}
sealed key example.org/team/app:1 'the app' "$work/app"
sealed key example.org/team/tool:1 'the tool' "$work/tool"
sealed foreign example.org/team/app:1 'a forgery' "$work/forged"
policy=$work/policy.json
with() { "$intact" "$@" --policy "$policy"; }

# No anchor, no image.
expect 5 with pull "oci:$work/app:latest-sealed" example.org/team/app:1
said 'trust policy: .*/policy.json: No such file or directory'

expect 0 with trust add "$work/key.pub" --identity 'example.org/team/*'
expect 0 with trust list
said 'example.org/team/\*'
expect 0 with pull "oci:$work/app:latest-sealed" example.org/team/app:1
expect 0 with pull "oci:$work/tool:latest-sealed" example.org/team/tool:1
expect 0 with verify example.org/team/app:1
expect 0 with verify example.org/team/tool:1

# The forgery: good signature, wrong key.
expect 5 with pull "oci:$work/forged:latest-sealed" example.org/team/app:2
said ': not signed by a trusted key; '
expect 0 "$intact" pull "oci:$work/forged:latest-sealed" forged --pub "$work/foreign.pub"
expect 5 with verify forged
said ': not signed by a trusted key; '
expect 5 "$intact" verify forged --pub "$work/key.pub"
said ': not signed by a trusted key; '

# A validly signed image under another image's name, offered by a layout and by the store.
expect 5 with pull "oci:$work/tool:latest-sealed" example.org/team/app:3
said "signed as '.*/tool:1', so it cannot have the name '.*/app:3'"
names=$INTACT_STORE/names
app=$(grep -l 'example.org/team/app:1' "$names"/*)
tool=$(grep -l 'example.org/team/tool:1' "$names"/*)
cp "$app" "$work/app.json"
jq -c --slurpfile tool "$tool" '$tool[0] + {name: .name}' "$work/app.json" > "$app"
expect 5 with verify example.org/team/app:1
said "signed as '.*/tool:1', so it cannot have the name '.*/app:1'"
cp "$work/app.json" "$app"
expect 0 with verify example.org/team/app:1

# A store that is consistent but made by somebody else.
expect 0 "$intact" pull --store "$work/theirs" "oci:$work/forged:latest-sealed" example.org/team/app:1 \
  --pub "$work/foreign.pub"
expect 0 "$intact" verify --store "$work/theirs" example.org/team/app:1 --pub "$work/foreign.pub"
expect 5 with verify --store "$work/theirs" example.org/team/app:1
said ': not signed by a trusted key; '
mkdir "$work/mnt"
expect 5 with mount --store "$work/theirs" example.org/team/app:1 "$work/mnt"
said ': not signed by a trusted key; '
expect 125 "$intact" run --policy "$policy" --store "$work/theirs" example.org/team/app:1
said ': not signed by a trusted key; '

# Unsigned: only if that is requested, and it is not remembered.
expect 5 with verify "oci:$work/app:latest"
said ': not signed; .*; did you mean oci:.*/app:latest-sealed'
expect 5 with pull "oci:$work/app:latest" plain
said ': not signed; .*; did you mean oci:.*/app:latest-sealed'
rm "$work/app/index.json.tmp" 2> /dev/null || :
stripped=$work/stripped
cp -a "$work/app" "$stripped"
jq -c '.manifests |= [.[] | select(.annotations["org.opencontainers.image.ref.name"] == "latest-sealed")]' \
  "$work/app/index.json" > "$stripped/index.json"
expect 5 with pull "oci:$stripped:latest-sealed" plain
said ': not signed; get a signed image'
expect 0 with pull "oci:$stripped:latest-sealed" plain --insecure-unsigned
said 'warning'
expect 5 with verify plain
said "'plain': sha256:[0-9a-f]*: not signed; "
expect 0 with verify plain --insecure-unsigned

# A key that is no longer trusted.
fingerprint=$(with trust list | grep -oE 'sha256:[0-9a-f]{64}' | head -1)
expect 0 with trust rm "$fingerprint"
expect 5 with verify example.org/team/app:1
said ': there are no trusted keys; '
expect 7 with trust rm "$fingerprint"
said "'$fingerprint': no trusted key has this label or a fingerprint that starts so"

# Policies that cannot be right are refused, not skipped.
expect 0 with trust add "$work/key.pub"
said 'warning: the key is trusted for every image'
expect 0 with verify example.org/team/app:1
cp "$policy" "$work/good-policy"
printf '{"version": 1' > "$policy"
expect 6 with verify example.org/team/app:1
said 'policy.json: JSON: byte 14: .*unexpected end of input'
# changed JQ: a policy that is changed so is invalid, also for those that name a key.
changed() {
  jq -c "$1" "$work/good-policy" > "$policy"
  expect 6 with verify example.org/team/app:1
  said 'trust policy: '
  expect 6 with verify example.org/team/app:1 --pub "$work/key.pub"
  said 'trust policy: .*/policy.json: '
  expect 6 with pull "oci:$work/app:latest-sealed" other
  said 'trust policy: .*/policy.json: '
  expect 6 with trust list
  said 'trust policy: .*/policy.json: '
  expect 6 with trust add "$work/foreign.pub"
  said 'trust policy: .*/policy.json: '
}
changed '. + {unknown: true}'
changed '.rules[0].unknown = 1'
for member in identity pins label key fingerprint; do
  for value in null '""' '[]' '{}' 0 false '[""]' '[null]'; do
    changed ".rules[0].$member = $value"
  done
done
for member in version rules revoked; do
  for value in null '""' '{}' 0 false '[""]' '[null]'; do
    changed ".$member = $value"
  done
done
for change in '.rules = []' '.rules[0].identity = "example.org/team/*"' '.rules[0].label = "x"'; do
  jq -c "$change" "$work/good-policy" > "$policy"
  expect 0 with verify example.org/team/app:1 --pub "$work/key.pub"
done

# Only root and the user may be able to change a policy, or anything on the way to it.
cp "$work/good-policy" "$policy"
expect 0 with verify example.org/team/app:1
mkdir -p "$work/etc/intact"
cp "$work/good-policy" "$work/etc/intact/policy.json"
by() { "$intact" verify example.org/team/app:1 --policy "$@"; }
expect 0 by "$work/etc/intact/policy.json"
for path in "$work/etc/intact/policy.json" "$work/etc/intact" "$work/etc"; do
  mode=$(stat -c %a "$path")
  for bad in o+w g+w,o+w; do
    chmod "$bad" "$path"
    expect 5 by "$work/etc/intact/policy.json"
    said "$path: writable by others"
    expect 5 by "$work/etc/intact/policy.json" --pub "$work/key.pub"
    said "$path: writable by others"
    expect 5 by "$work/etc/intact/policy.json" --insecure-unsigned
    said "$path: writable by others"
    expect 5 "$intact" trust add "$work/foreign.pub" --policy "$work/etc/intact/policy.json"
    said "$path: writable by others"
    chmod "$mode" "$path"
  done
  expect 0 by "$work/etc/intact/policy.json"
done
chmod 1777 "$work/etc"
expect 0 by "$work/etc/intact/policy.json"
chmod 755 "$work/etc"
ln -s etc/intact/policy.json "$work/link.json"
expect 0 by "$work/link.json"
chmod 777 "$work/etc/intact"
expect 5 by "$work/link.json"
said "$work/etc/intact: writable by others"
# It may be missing because somebody has removed it.
rm "$work/etc/intact/policy.json"
expect 5 by "$work/etc/intact/policy.json"
said "$work/etc/intact: writable by others"
XDG_CONFIG_HOME=$work/etc expect 5 "$intact" verify example.org/team/app:1 --pub "$work/key.pub"
said "$work/etc/intact: writable by others"
chmod 755 "$work/etc/intact"
XDG_CONFIG_HOME=$work/etc expect 0 "$intact" verify example.org/team/app:1 --pub "$work/key.pub"
mkfifo "$work/fifo"
expect 2 timeout 300 "$intact" verify example.org/team/app:1 --policy "$work/fifo"
said 'not a regular file'
expect 5 by ''
said "trust policy: '': No such file or directory"
# The same for keys; what the caller has opened is the caller's.
mkdir "$work/keys"
cp "$work/key.pub" "$work/keys"
expect 0 with verify example.org/team/app:1 --pub "$work/keys/key.pub"
chmod 777 "$work/keys"
expect 5 with verify example.org/team/app:1 --pub "$work/keys/key.pub"
said "$work/keys: writable by others"
expect 5 with trust add "$work/keys/key.pub"
said "$work/keys: writable by others"
expect 0 with verify example.org/team/app:1 --pub <(cat "$work/keys/key.pub")
expect 0 bash -c '"$1" verify example.org/team/app:1 --pub - < "$2"' - "$intact" "$work/key.pub"
if ((EUID == 0)); then
  # Another user's policy, directory or link; for keys another user is accepted, but not two.
  chmod 755 "$work/keys"
  cp "$work/good-policy" "$work/etc/intact/policy.json"
  for path in "$work/etc/intact/policy.json" "$work/etc/intact" "$work/etc" "$work/link.json"; do
    chown -h nobody "$path"
    expect 5 by "$work/link.json"
    said "$path: owned by user $(id -u nobody)"
    chown -h root "$path"
    expect 0 by "$work/link.json"
  done
  chown nobody "$work/keys" "$work/keys/key.pub"
  expect 0 with verify example.org/team/app:1 --pub "$work/keys/key.pub"
  chown daemon "$work/keys"
  expect 5 with verify example.org/team/app:1 --pub "$work/keys/key.pub"
  said ": owned by user $(id -u nobody)"
  # An ordinary user believes root, and themselves, but not others.
  (
  user_space
  cp "$work/good-policy" "$work/user/policy.json"
  cp "$work/good-policy" "$work/root-policy.json"
  as_user "$intact" pull "oci:$work/app:latest-sealed" mine --pub "$work/key.pub" > /dev/null
  chown nobody "$work/user/policy.json"
  for file in "$work/user/policy.json" "$work/root-policy.json"; do
    expect 0 as_user "$intact" verify mine --policy "$file"
    chown daemon "$file"
    expect 5 as_user "$intact" verify mine --policy "$file"
    said 'owned by user'
  done
  )
fi

# Rules, labels and patterns.
policy=$work/second.json
expect 2 with trust add "$work/key.pub" --identity ''
said -- '--identity: the pattern is empty; pass --any'
for pattern in '*/**' '*/*' '*.*/**' '*:*/**' '*/**:*' '*/*/**'; do
  expect 2 with trust add "$work/key.pub" --identity "$pattern"
  said 'matches images of every registry, .*or pass --any'
  ! with trust list | finds -F "$pattern" || fail "a refused rule was kept"
done
expect 2 with trust add "$work/key.pub" --identity=
said '--identity: the pattern is empty'
expect 2 with trust add "$work/key.pub" --label ''
said '--label: .*empty'
expect 2 with trust add "$work/key.pub" --any --identity 'example.org/*'
said '--identity excludes --any|--identity: cannot be used with --any'
expect 2 "$intact" trust add "$work/key.pub" --policy ''
said '--policy: .*empty'
expect 2 with trust add "$work/key.pub" --any --pin ''
said '--pin: .*(not a digest|empty)'
expect 2 with trust revoke ''
said 'DIGEST: .*(not a digest|empty)'
[[ ! -e $policy ]] || fail "a refused command wrote a policy"
# A variable that is not set leaves no check out.
digest=$(manifest_digest "$work/app" latest-sealed)
for empty in --pin --identity --require-attestation --max-age --platform; do
  expect 2 "$intact" pull "oci:$work/app:latest-sealed" emptied --pub "$work/key.pub" "$empty" ''
  said -- "^intact: $empty: .*empty"
done
expect 0 "$intact" pull "oci:$work/app:latest-sealed" emptied --pub "$work/key.pub" --pin "$digest"
expect 2 "$intact" mount '' "$work" --pub "$work/key.pub"
said '^intact: NAME: is empty'
expect 0 with trust add "$work/key.pub" --identity '*'
said 'warning: .*--any for every image'
expect 0 with trust add "$work/key.pub" --identity 'example.org/team*'
said "warning: .*not example.org/team/app; use 'example.org/team/\*'"
expect 0 with trust add "$work/key.pub" --identity 'example.org/team/*' --label 'Release key'
said 'for     example.org/team/\* with any tag'
! grep -q warning "$work/err" || fail "a warning about a good pattern"
expect 0 with trust add "$work/key.pub" --any
! grep -q warning "$work/err" || fail "--any is warned about"
expect 0 with trust ls
said '\(Release key\)'
# What a pattern without a host means.
said '  \* \(means docker.io/library/\* with any tag\)'
said '  example.org/team/\*  \(Release key\)$'
expect 0 with trust list --json
jq -e '(.rules | length == 4) and .rules[2].label == "Release key" and .rules[3].identity == null' "$work/out" > /dev/null ||
  fail "trust list --json"
expect 0 with verify example.org/team/app:1
said 'signed by Release key \(sha256:[0-9a-f]{64}\)'
expect 7 with trust rm 'Release key' --identity 'example.org/none'
said "'Release key': the key has no such rule"
expect 0 with trust rm 'Release key' --identity '*'
expect 0 with trust rm 'Release key' --any
expect 0 with trust rm "$work/key.pub" --identity 'example.org/team*'
expect 0 with trust list --json
jq -e '[.rules[].identity] == ["example.org/team/*"]' "$work/out" > /dev/null || fail "trust rm --identity"
# A label or fingerprint is not looked for among files that others could make, nor taken for a directory.
mkdir -m 777 "$work/shared" "$work/shared/Release key"
cd "$work/shared" || exit
expect 0 with trust rm 'Release key'
cd "$work" || exit
expect 0 with trust list
said 'No keys are trusted'

# A stranger's signature does not make the stranger trusted.
expect 0 with trust add "$work/key.pub" --any
expect 5 with pull "oci:$work/forged:latest-sealed" forged2
said 'not signed by a trusted key'
! grep -E 'trust add|--pub|insecure' "$work/err" || fail "advice to trust an unknown key"
expect 0 with trust rm "$work/key.pub"
expect 5 with pull "oci:$work/forged:latest-sealed" forged2
said 'there are no trusted keys'
! grep -E 'trust add|--pub|insecure' "$work/err" || fail "advice to trust an unknown key"

# Docker Hub's spellings are one name.
expect 0 with trust add "$work/key.pub" --identity 'docker.io/library/*'
sealed key index.docker.io/alpine:3 'the hub' "$work/hub"
for name in docker.io/alpine:3 index.docker.io/library/alpine:3 library/alpine:3 docker.io/library/alpine:3; do
  expect 0 with pull "oci:$work/hub:latest-sealed" "$name"
done
for name in docker.io/me/alpine:3 docker.io/alpine:4 example.org/alpine:3; do
  expect 5 with pull "oci:$work/hub:latest-sealed" "$name"
  said "signed as '.*alpine:3', so it cannot have the name '$name'"
done

# A signature that others have added badly is skipped; the good one counts, here and in the store.
bad=$work/bad
cp -a "$work/app" "$bad"
manifest=$(manifest_digest "$bad" latest-sealed)
tag=${manifest/:/-}.sig
# replace_signatures JQ: changes the manifest of the signatures.
replace_signatures() {
  local old new
  old=$(blob "$bad" "$(manifest_digest "$bad" "$tag")")
  jq -c "$1" "$old" > "$work/new-manifest"
  new=$(sha256sum < "$work/new-manifest" | cut -d' ' -f1)
  cp "$work/new-manifest" "$bad/blobs/sha256/$new"
  jq -c --arg tag "$tag" --arg new "sha256:$new" --argjson size "$(stat -c %s "$work/new-manifest")" '
    (.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $tag)) |= (.digest = $new | .size = $size)' \
    "$bad/index.json" > "$work/new-index"
  cp "$work/new-index" "$bad/index.json"
}
other=sha256:$(printf nothing | sha256sum | cut -d' ' -f1)
replace_signatures ".layers = [(.layers[0] | .digest = \"$other\"), .layers[0], (.layers[0] | .digest = \"$other\" | .size = 3)]"
pub=(--pub "$work/key.pub")
expect 0 "$intact" pull "oci:$bad:latest-sealed" bad-neighbour "${pub[@]}"
expect 0 "$intact" verify bad-neighbour "${pub[@]}"
expect 0 "$intact" inspect bad-neighbour
expect 0 "$intact" fsck
expect 0 "$intact" export bad-neighbour "oci:$work/again:1" "${pub[@]}"
expect 0 "$intact" verify "oci:$work/again:1" "${pub[@]}"
replace_signatures ".layers = [.layers[0]]"
expect 5 "$intact" pull "oci:$bad:latest-sealed" bad-alone "${pub[@]}"
said "signature with a missing or damaged payload $other"
expect 0 "$intact" pull "oci:$bad:latest-sealed" bad-alone --insecure-unsigned

# A sigstore bundle is not "not signed". cosign 3 leaves it without an entry in the index.
bundle=$work/bundle
cp -a "$stripped" "$bundle"
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":"%s","size":7}],"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":1}}' \
  "$other" "$manifest" > "$work/bundle.json"
hex=$(sha256sum < "$work/bundle.json" | cut -d' ' -f1)
expect 5 "$intact" verify "oci:$bundle:latest-sealed" "${pub[@]}"
said ': not signed; '
cp "$work/bundle.json" "$bundle/blobs/sha256/$hex"
for where in blobs index list; do
  case $where in
    index) entry=$(printf '{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s}' "$hex" "$(stat -c %s "$work/bundle.json")") ;;
    list)
      printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}' "$entry" > "$work/list.json"
      list=$(sha256sum < "$work/list.json" | cut -d' ' -f1)
      cp "$work/list.json" "$bundle/blobs/sha256/$list"
      entry=$(printf '{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"%s"}}' \
        "$list" "$(stat -c %s "$work/list.json")" "${manifest/:/-}")
      ;;
  esac
  if [[ $where != blobs ]]; then
    jq -c --argjson entry "$entry" '.manifests += [$entry]' "$stripped/index.json" > "$bundle/index.json"
  fi
  expect 5 "$intact" verify "oci:$bundle:latest-sealed" "${pub[@]}"
  said "sigstore bundle with a missing or damaged payload $other"
  ! grep -q 'not signed' "$work/err" || fail "an image with a bundle is called unsigned"
done
