#!/usr/bin/env bash
# The same input gives the same digests, for every user, in every place, with every compression.
. "$(dirname "$0")/lib.sh"
requires jq zstd
make_keys
make_keys second
digests() {
  local config
  config=$(config_of "$1" latest-sealed)
  printf '%s %s\n' "$(manifest_digest "$1" latest-sealed)" \
    "$(jq -r '.config.Labels["intact.image.digest"]' "$config")"
}
seal() {
  "$intact" seal "oci:$1:latest" --key "$work/${2:-key}.key" --password-file "$work/password" > /dev/null
}
small_image "$work/a"
cp -a "$work/a" "$work/b"
seal "$work/a"
(cd / && umask 077 && TZ=Asia/Tokyo LC_ALL=C seal "$work/b" second)
equal "$(digests "$work/b")" "$(digests "$work/a")" "manifest and image digest"

# Sealing a sealed image again, with the same key or another, makes no new image.
before=$(digests "$work/a")
seal "$work/a"
equal "$(digests "$work/a")" "$before" "digests after a second seal"

# Other compression: another manifest, the same tree.
for how in zstd none; do
  LAYER_COMPRESSION=$how small_image "$work/$how"
  seal "$work/$how"
  equal "$(digests "$work/$how" | cut -d' ' -f2)" "$(cut -d' ' -f2 <<< "$before")" "image digest ($how)"
done
# And another tree has another digest.
small_image "$work/other" latest 'another text'
seal "$work/other"
[[ $(digests "$work/other" | cut -d' ' -f2) != "$(cut -d' ' -f2 <<< "$before")" ]]
