#!/usr/bin/env bash
# Who is trusted is said outside of the store: by --pub or a policy, never by what is in the store.
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

expect 0 with trust add "$work/key.pub" --identity 'example.org/team/*'
expect 0 with trust list
said 'example.org/team/\*'
expect 0 with pull "oci:$work/app:latest-sealed" example.org/team/app:1
expect 0 with pull "oci:$work/tool:latest-sealed" example.org/team/tool:1
expect 0 with verify example.org/team/app:1
expect 0 with verify example.org/team/tool:1

# The forgery: good signature, wrong key.
expect 5 with pull "oci:$work/forged:latest-sealed" example.org/team/app:2
expect 0 "$intact" pull "oci:$work/forged:latest-sealed" forged --pub "$work/foreign.pub"
expect 5 with verify forged
expect 5 "$intact" verify forged --pub "$work/key.pub"

# A well signed image under another image's name, offered by a layout and by the store.
expect 5 with pull "oci:$work/tool:latest-sealed" example.org/team/app:3
names=$INTACT_STORE/names
app=$(grep -l 'example.org/team/app:1' "$names"/*)
tool=$(grep -l 'example.org/team/tool:1' "$names"/*)
cp "$app" "$work/app.json"
jq -c --slurpfile tool "$tool" '$tool[0] + {name: .name}' "$work/app.json" > "$app"
status=0
with verify example.org/team/app:1 > "$work/out" 2> "$work/err" || status=$?
((status == 5)) || fail "a swapped image: exit status $status: $(cat "$work/err")"
cp "$work/app.json" "$app"
expect 0 with verify example.org/team/app:1

# A store that is consistent in itself but of other people's making.
expect 0 "$intact" pull --store "$work/theirs" "oci:$work/forged:latest-sealed" example.org/team/app:1 \
  --pub "$work/foreign.pub"
expect 0 "$intact" verify --store "$work/theirs" example.org/team/app:1 --pub "$work/foreign.pub"
expect 5 with verify --store "$work/theirs" example.org/team/app:1
mkdir "$work/mnt"
expect 5 with mount --store "$work/theirs" example.org/team/app:1 "$work/mnt"
status=0
with run --store "$work/theirs" example.org/team/app:1 > "$work/out" 2>&1 || status=$?
equal "$status" 125 "exit status of run"

# Unsigned: only when it is said, and it is not remembered.
expect 5 with verify "oci:$work/app:latest"
expect 5 with pull "oci:$work/app:latest" plain
rm "$work/app/index.json.tmp" 2> /dev/null || :
stripped=$work/stripped
cp -a "$work/app" "$stripped"
jq -c '.manifests |= [.[] | select(.annotations["org.opencontainers.image.ref.name"] == "latest-sealed")]' \
  "$work/app/index.json" > "$stripped/index.json"
expect 5 with pull "oci:$stripped:latest-sealed" plain
expect 0 with pull "oci:$stripped:latest-sealed" plain --insecure-unsigned
said 'warning'
expect 5 with verify plain
expect 0 with verify plain --insecure-unsigned

# A key that is trusted no more.
fingerprint=$(with trust list | grep -oE 'sha256:[0-9a-f]{64}' | head -1)
expect 0 with trust rm "$fingerprint"
expect 5 with verify example.org/team/app:1
expect 7 with trust rm "$fingerprint"

# Policies that cannot be right are refused, not passed over.
expect 0 with trust add "$work/key.pub"
expect 0 with verify example.org/team/app:1
cp "$policy" "$work/good-policy"
printf '{"version": 1' > "$policy"
expect 6 with verify example.org/team/app:1
jq -c '. + {unknown: true}' "$work/good-policy" > "$policy"
expect 6 with verify example.org/team/app:1
cp "$work/good-policy" "$policy"
chmod 666 "$policy"
expect 5 with verify example.org/team/app:1
chmod 644 "$policy"
expect 0 with verify example.org/team/app:1
