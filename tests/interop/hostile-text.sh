#!/usr/bin/env bash
# A hostile image, a hostile store and hostile arguments, and every command that prints: no character that acts
# on a terminal comes out on stdout or stderr, whatever the command says to it. JSON and pages are the same
# text for a parser, and just as harmless.
. "$(dirname "$0")/lib.sh"
requires jq umoci perl
make_keys
esc=$'\e[31mRED\e]0;title\a' c1=$'\xc2\x9b31m' bidi=$'\xe2\x80\xaegnp' bad=$'\xff\xfe'
evil="$esc$c1$bidi"

# check WHAT: the last command's stdout and stderr only show.
check() {
  perl -e '
    use Encode;
    for my $file (@ARGV) {
      local $/; open my $in, "<:raw", $file or die; my $text = <$in>;
      my $copy = $text;
      my $chars = eval { decode("UTF-8", $copy, Encode::FB_CROAK) };
      die "$file: not UTF-8\n" unless defined $chars;
      die sprintf("%s: U+%04X\n", $file, ord $1)
        if $chars =~ /([\x00-\x08\x0b-\x1f\x7f\x{80}-\x{9f}\p{Cf}\x{2028}\x{2029}])/;
    }' "$work/out" "$work/err" || { cat -v "$work/out" "$work/err" >&2; fail "$1"; }
}
commands=0
# try COMMAND...: whatever its status, unless it is a crash.
try() {
  local status=0
  "$intact" "$@" > "$work/out" 2> "$work/err" < /dev/null || status=$?
  ((status < 128)) || fail "exit status $status: $(printf '%q ' "$@")"
  check "$(printf '%q ' "$@")"
  commands=$((commands + 1))
}

# An image with hostile names, link targets, xattrs, labels, variables and words.
mkdir -p "$work/root/$evil" "$work/root/etc"
head -c 9000 /dev/urandom > "$work/root/$evil/file$evil"
head -c 9000 /dev/urandom > "$work/root/$bad"
ln -s "$evil" "$work/root/link"
printf 'root:x:0:0:%s:/root:/bin/sh\n' "$evil" > "$work/root/etc/passwd"
setfattr -n user.evil -v "$evil" "$work/root/etc/passwd" 2> /dev/null || :
expect 0 "$intact" seal "rootfs:$work/root" "oci:$work/plain:v1" --key "$work/key.key" --password-file "$work/password"
small_image "$work/layout" latest
umoci config --image "$work/layout:latest" --config.label "evil=$evil" --config.label "$evil=x" \
  --config.env "EVIL=$evil" --config.cmd "$evil" --config.entrypoint "$evil" --config.user "0:0" \
  --config.workingdir "/$evil" --author "$evil" 2> /dev/null
expect 0 "$intact" seal "oci:$work/layout:latest" "oci:$work/sealed:v1" --key "$work/key.key" --password-file "$work/password"
expect 0 "$intact" pull "oci:$work/plain:v1" files --pub "$work/key.pub"
expect 0 "$intact" pull "oci:$work/sealed:v1" labels --pub "$work/key.pub"
cp -a "$work/sealed" "$work/$evil"
try pull "oci:$work/$evil:v1" source --pub "$work/key.pub"
# Tags and names of images: a control character is refused, marks that turn text are not.
tag="v$bidi"
jq -c --arg tag "$tag$esc" '.manifests[0].annotations["org.opencontainers.image.ref.name"] = $tag' \
  "$work/sealed/index.json" > "$work/$evil/index.json"
name="name$bidi"
try pull "oci:$work/sealed:v1" "$name" --pub "$work/key.pub"

# sweep TARGET...: every command that takes an image, and those on the whole store.
sweep() {
  local target format
  for target; do
    try verify "$target" --pub "$work/key.pub"
    try verify "$target" --pub "$work/key.pub" --map --report "$work/page.html"
    try verify "$target" --pub "$work/key.pub" --json
    try inspect "$target"
    try inspect "$target" --json
    for format in '{{.Name}} {{.Labels}} {{.Env}} {{.Cmd}}' '{{json .}}' "{{$evil}}" "{{.$evil}}" "$evil" json; do
      try inspect "$target" --format "$format"
      try images --format "$format"
    done
    try mount "$target" "$work/$evil/mnt" --pub "$work/key.pub"
    try mount "$target" / --pub "$work/key.pub"
    try umount "$target"
    try export "$target" "tar:$work/$evil/$evil/x.tar" --pub "$work/key.pub"
    try export "$target" "rootfs:$work/out.$evil" --pub "$work/key.pub"
    chmod -R u+rwX "$work/out.$evil" 2> /dev/null || :
    rm -rf "$work/out.$evil"
    try tag "$target" "other$evil" --pub "$work/key.pub"
    try pull "$target" "$evil" --pub "$work/key.pub"
    try pull "$target" --pub "$work/key.pub" --platform "$evil"
    try seal "$target" --key "$work/key.key" --password-file "$work/password" --identity "$evil"
    try seal "$target" "oci:$work/$evil/$evil" --key "$work/$evil.key" --password-file "$work/password"
    try rm "$target$evil"
    try run "$target" --pub "$work/key.pub" --runtime "$evil"
    try run "$target" --pub "$work/key.pub" -v "$evil" -- true
  done
  try images; try images --digests; try images --json; try images --sizes; try images -q
  try fsck; try fsck --json
  try verify --all --pub "$work/key.pub"; try verify --all -q --json
  try gc --dry-run; try gc --json --dry-run
  try mount; try mount --json
}
# All others, and mistakes.
others() {
  local image group verb
  try composefs info "$work/$evil/file"
  try composefs objects "$(echo "$INTACT_STORE"/images/* | cut -d' ' -f1)"
  for image in "$INTACT_STORE"/images/*; do try composefs dump "$image"; try composefs info "$image"; try composefs objects "$image"; done
  try composefs create "$work/$evil" "$work/out.cfs"
  try fsverity digest "$work/$evil" "$work/root/$evil/file$evil" "$work/root/$bad"
  try trust list; try trust add "$work/$evil.pub"; try trust add "$work/key.pub" --identity "$evil" --policy "$work/p.json"
  try trust rm "$evil"; try trust revoke "$evil"; try trust list --policy "$work/$evil.json"
  try keygen "$work/$evil/$evil" --password-file "$work/password"; try keygen "$evil" --password-file "$evil"
  for group in verity integrity; do
    for verb in dump format verify check status open close repair; do
      try "$group" "$verb" "$evil" "$evil" "$evil"
      try "$group" "$verb" "$evil"
    done
  done
  try open "$work/$evil/index.json" --to "$work/$evil/out"; try open "$evil" --to "$evil"
  try info "$work/$evil/index.json"; try info "$evil"; try info "$work/layout/index.json"
  # Usage.
  try "$evil"; try images "$evil"; try images "--$evil"; try "--$evil"; try help "$evil"
  try --store "$evil" images; try images --store "$evil"; try pull "$evil"; try verify --max-layer "$evil" app
  try mount app dir --verity "$evil"; try mount app dir --method "$evil" --log "$work/$evil/$evil/log"
}
sweep files labels "$name" "$evil" "oci:$work/$evil" "oci:$work/$evil:$tag" "oci:$work/$evil:nothing" "oci-archive:$evil"
others
expect 0 "$intact" verify files --pub "$work/key.pub"

# The same where all is damaged: objects, metadata, names, and files that are not part of the store.
while IFS= read -r -d '' file; do flip "$file" 10; done < <(find "$INTACT_STORE/objects" -type f -print0)
touch "$INTACT_STORE/objects/$evil" "$INTACT_STORE/$evil" "$INTACT_STORE/names/$evil.json" "$INTACT_STORE/blobs/sha256/$evil"
printf '{"version":1,"name":"%s"}' 'x' > "$INTACT_STORE/names/%E2%80%AE.json"
sweep files labels
expect 3 "$intact" verify files --pub "$work/key.pub"
said 'RED'
for image in "$INTACT_STORE"/images/*; do flip "$image" 1500; done
sweep files
record=$(grep -l '"labels"' "$INTACT_STORE"/names/*.json)
jq -c --arg evil "$evil" '.source = $evil | .object_dirs = ["/" + $evil]' "$record" > "$work/record"
cp "$work/record" "$record"
sweep labels
((commands > 400)) || fail "only $commands commands"

# The twin: text that only shows comes out as it is, and JSON is the same text for a parser.
expect 0 "$intact" inspect labels --json
jq -e --arg evil "$evil" '.image_config.config.Labels.evil == $evil' "$work/out" > /dev/null || fail "JSON lost the label"
mkdir "$work/grüße"
expect 7 "$intact" verify "oci:$work/grüße:v1" --pub "$work/key.pub"
said 'grüße: not an image layout'
expect 2 "$intact" verify "oci:$work/grüße:größe" --pub "$work/key.pub"
said "grüße:größe': not a valid tag"
