# From and to a registry on the loopback device: pull beside skopeo and umoci, push beside skopeo.
# shellcheck shell=bash source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"

for tool in docker-registry skopeo umoci; do
  has "$tool" || { echo "needs $tool"; exit 0; }
done
need_image
export INTACT_STORE=$work/store INTACT_STATE=$work/state HOME=$work/home
mkdir "$work/home"
echo bench > "$work/password"
"$intact" keygen "$work/key" --password-file "$work/password" > /dev/null 2>&1
cp -a "$image" "$work/image"
"$intact" seal "oci:$work/image:latest" --key "$work/key.key" --password-file "$work/password" > /dev/null

port=$(shuf -i 20000-32000 -n 1)
cat > "$work/registry.yml" << YAML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/data}, delete: {enabled: true}}
http: {addr: "127.0.0.1:$port"}
YAML
docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
registry=$!
trap 'kill "$registry"; cleanup' EXIT
until (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do sleep 0.1; done
place=127.0.0.1:$port

# shellcheck disable=SC2034
rootless=$( ((EUID == 0)) || echo --rootless)
theirs() {
  skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$place/app:1" "oci:$work/fetched:1"
  # shellcheck disable=SC2086
  umoci --log error unpack $rootless --image "$work/fetched:1" "$work/unpacked"
}
"$intact" copy "oci:$work/image:latest-sealed" "docker://$place/app:1" > /dev/null
compare 'pull from a registry into an empty store' 'wipe "$work/store"; in_use "$work"' \
  '"$intact" pull "docker://$place/app:1" app --pub "$work/key.pub"' \
  'skopeo copy and umoci unpack' 'rm -rf "$work/fetched" "$work/unpacked"; in_use "$work"' theirs
target '  times as fast' "$(ratio "$peer_median" "$median")" at-least 3
compare 'push' 'rm -rf "$work/data/docker"; in_use "$work"' \
  '"$intact" push app "docker://$place/ours:1" --pub "$work/key.pub"' \
  'skopeo copy' 'rm -rf "$work/data/docker"; in_use "$work"' \
  'skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$work/image:latest-sealed" "docker://$place/theirs:1"'
target '  time beside it' "$(ratio "$median" "$peer_median")" at-most 1
