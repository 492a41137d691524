#!/usr/bin/env bash
# Every command explains itself, wrong usage is status 2, and output that cannot be written is an error.
. "$(dirname "$0")/lib.sh"
expect 0 "$intact" --help
expect 0 "$intact" --version
said '^intact [0-9]+\.[0-9]+\.[0-9]+'
expect 0 "$intact" help
said '^  seal '
expect 0 "$intact" help composefs create
said '^Usage: intact composefs create '
for command in keygen trust 'trust add' 'trust list' 'trust ls' 'trust rm' 'trust revoke' 'trust require' 'trust test' version completion ls rmi seal pull copy push login logout images inspect rm gc fsck verify mount \
  umount run export fsverity 'fsverity digest' composefs 'composefs create' 'composefs dump' 'composefs info' \
  'composefs objects' verity 'verity format' 'verity verify' 'verity dump' 'verity repair' 'verity open' 'verity close' 'verity status' \
  integrity 'integrity format' 'integrity open' 'integrity close' 'integrity dump' 'integrity status' 'integrity check' \
  'integrity replay' 'integrity recalculate' 'integrity resize' 'integrity detect' open info; do
  # shellcheck disable=SC2086
  expect 0 "$intact" $command --help
  said '[Uu]sage'
  ! grep -E '=\[\]|=-1|NONNEGATIVE| \[\]$' "$work/out" || fail "--help of $command speaks of the parser"
done
# usage REGEX COMMAND...: the command is refused with one line that says so.
usage() {
  local wanted=$1
  shift
  expect 2 "$@"
  grep -qE -- "^intact: .*$wanted" "$work/err" || fail "'$*' does not say '$wanted': $(cat "$work/err")"
  equal "$(wc -l < "$work/err")" 1 "lines of the message"
}
usage 'a command is missing; `intact --help` lists the commands' "$intact"
usage "unknown command 'intact nonsense'; \`intact --help\` lists the commands" "$intact" nonsense
usage "unknown command 'intact imgaes'; did you mean \`intact images\`\?" "$intact" imgaes
usage "unknown command 'intact trust lsit'; did you mean \`intact trust list\`\?" "$intact" trust lsit
usage "unknown command 'intact trust nonsense'" "$intact" trust nonsense
usage "unknown command 'intact nonsense'" "$intact" help nonsense
usage "--json: unknown option of \`intact trust\`" "$intact" trust nonsense --json
usage '--store: options come after the command; write `intact images --store ...`' "$intact" --store here images
usage '--store: unknown option of `intact`' "$intact" --store here
usage "unexpected argument 'one two'; see \`intact gc --help\`" "$intact" gc one two
# Neither hides what is missing as well.
usage '--nonsense: unknown option of `intact verify`; see `intact verify --help`' "$intact" verify --nonsense
usage '--jsn: unknown option of `intact verify`; did you mean --json\?' "$intact" verify x --jsn
usage 'IMAGE is required unless --all is given; see `intact verify --help`' "$intact" verify
usage 'DIR or NAME is required unless --all is given; see `intact umount --help`' "$intact" umount
usage 'DIR is required; see `intact mount --help`' "$intact" mount app
usage '--policy: given 3 times, but only one is possible' "$intact" verify x --policy a --policy b --policy c
usage '--password-fd' "$intact" keygen x --password-fd nonsense
# Options that may be repeated take one value each: what follows is the argument of the command.
printf password > "$work/password"
mkdir "$work/directory"
for key in first second; do expect 0 "$intact" keygen "$work/$key" --password-file "$work/password"; done
for options in "--pub $work/first.pub" "--pub $work/first.pub --key $work/second.pub"; do
  # shellcheck disable=SC2086
  expect 7 "$intact" verify $options nothing
  said 'no (store there|such image in the store)'
  # shellcheck disable=SC2086
  expect 7 "$intact" mount --objects-from "$work" --objects-from "$work" $options nothing "$work/directory"
  said 'no (store there|such image in the store)'
  # shellcheck disable=SC2086
  expect 7 "$intact" pull --objects-from "$work" $options "oci:$work/nothing" nothing
  said 'nothing: No such file or directory'
done
expect 7 "$intact" verify nothing --pub "$work/first.pub"
said 'nothing: no such image in the store'
digest=sha256:$(printf '0%.0s' {1..64})
expect 0 "$intact" trust add --policy "$work/pinned.json" --pin "$digest" --pin "${digest/0/1}" "$work/first.pub"
expect 7 "$intact" integrity open --tab "$work/nothing.tab" name --to "$work/out.img"
usage 'nothing to open: pass either FILE or --tab FILE NAME' "$intact" integrity open --tab "$work/nothing.tab" name "$work/file" --to "$work/out.img"
expect 125 "$intact" run
said '^intact: NAME is required'

# The names that users of other tools type.
"$intact" rmi --help > "$work/alias"
"$intact" rm --help > "$work/own"
same "$work/own" "$work/alias"
expect 0 "$intact" help rmi
same "$work/own" "$work/out"
expect 0 "$intact" version
said '^intact [0-9]'

# Errors as JSON, from every command: on stdout, with the message on stderr as ever.
if command -v jq > /dev/null; then
  # failed STATUS KIND COMMAND...
  failed() {
    local status=$1 kind=$2
    shift 2
    expect "$status" "$@"
    grep -q '^intact: ' "$work/err" || fail "'$*' says nothing on stderr"
    jq -e --arg kind "$kind" --argjson status "$status" --arg text "$(sed -n '1s/^intact: //p' "$work/err")" \
      '.ok == false and .error == $kind and .status == $status and .message == $text' "$work/out" > /dev/null ||
      fail "'$*' prints $(cat "$work/out")"
  }
  failed 7 not_found "$intact" inspect nothing --json
  failed 7 not_found "$intact" rm nothing --json
  failed 7 not_found "$intact" trust add "$work/nothing.pub" --json
  failed 7 not_found "$intact" umount "$work/nothing" --json
  failed 2 invalid_argument "$intact" trust add --json
  failed 2 invalid_argument "$intact" imgaes --json
  failed 7 not_found "$intact" verity dump "$work/nothing" --json
  # A result is not followed by a second object.
  expect 0 "$intact" version --json
  jq -es 'length == 1 and (.[0].version | type == "string")' "$work/out" > /dev/null || fail "version --json"
  # Those that print lines as other tools do print one object.
  mkdir "$work/tree" && echo text > "$work/tree/file" && head -c 100 /dev/zero > "$work/tree/object"
  expect 0 "$intact" composefs create "$work/tree" "$work/tree.cfs" --print-digest --json
  image=$(jq -r .digest "$work/out")
  equal "$image" "$("$intact" fsverity digest "$work/tree.cfs" | cut -d ' ' -f 1)" "digest of create --json"
  expect 0 "$intact" composefs create "$work/tree" --print-digest-only --json
  jq -es --arg digest "$image" 'length == 1 and .[0].digest == $digest and .[0].image == null' "$work/out" > /dev/null || fail "create --json"
  expect 2 "$intact" composefs create "$work/tree" - --json
  said '^intact: .*--json'
  expect 0 "$intact" composefs dump "$work/tree.cfs"
  mv "$work/out" "$work/dump"
  expect 0 "$intact" composefs dump "$work/tree.cfs" --json
  equal "$(jq -r '.lines[]' "$work/out")" "$(cat "$work/dump")" "dump --json"
  expect 0 "$intact" composefs objects "$work/tree.cfs" --json
  jq -es 'length == 1 and (.[0].objects | length == 1)' "$work/out" > /dev/null || fail "objects --json: $(cat "$work/out")"
  expect 0 "$intact" fsverity digest "$work/tree/file" "$work/tree/object" --json
  jq -es 'length == 1 and (.[0].files | length == 2) and all(.[0].files[]; .digest | startswith("sha256:"))' "$work/out" > /dev/null || fail "fsverity --json"
  # Every command takes it, and none prints JSON without it.
  expect 7 "$intact" inspect nothing
  [[ ! -s $work/out ]] || fail "an error without --json is on stdout: $(cat "$work/out")"
  commands() { "$intact" help "$@" | sed -n '/^Subcommands:/,$ s/^  \([a-z]*\) .*/\1/p'; }
  for command in $(commands); do
    [[ $command != help ]] || continue
    # It prints a script for a shell.
    if [[ $command == completion ]]; then
      expect 2 "$intact" completion bash --json
      said '^intact: --json: unknown option of .intact completion.'
    elif [[ -z $(commands "$command") ]]; then
      "$intact" "$command" --help | finds -- --json || fail "'$command' does not take --json"
    fi
    for sub in $(commands "$command"); do
      "$intact" "$command" "$sub" --help | finds -- --json || fail "'$command $sub' does not take --json"
    done
  done
fi

# The scripts for the shells are those that are installed.
for shell in bash:intact.bash zsh:_intact fish:intact.fish; do
  expect 0 "$intact" completion "${shell%%:*}"
  same "$root/completions/${shell##*:}" "$work/out"
done
usage 'tcsh' "$intact" completion tcsh

# Keys and passwords come from standard input, but not both.
printf 'a password\n' | "$intact" keygen "$work/piped" --password-file - > "$work/out"
grep -q sha256: "$work/out"
status=0
"$intact" seal oci:x --key - --password-file - < "$work/piped.key" > "$work/out" 2> "$work/err" || status=$?
equal "$status" 2 "exit status when standard input is used twice"
said 'standard input is already used for the private key'

if [[ -c /dev/full ]]; then
  status=0
  "$intact" --help > /dev/full 2> "$work/err" || status=$?
  equal "$status" 1 "exit status when the disk is full"
  grep -q '^intact: stdout: .*No space left on device' "$work/err" || fail "no reason: $(cat "$work/err")"
  # A verdict is not lost with the output.
  status=0
  "$intact" inspect nothing --json > /dev/full 2> "$work/err" || status=$?
  equal "$status" 7 "exit status of an error when the disk is full"
  grep -qE 'no (store there|such image in the store)' "$work/err" || fail "no reason: $(cat "$work/err")"
fi
