# What end-to-end tests say about commands, files and trees. A script that sources this keeps its files
# in $work.
# shellcheck shell=bash

# skip REASON: this test cannot be run here.
skip() { printf 'skip: %s\n' "$*"; exit 77; }

# requires TOOL...: skips unless all of these programs are there.
requires() {
  local tool
  for tool; do
    command -v "$tool" > /dev/null || skip "$tool is not there"
  done
}

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# expect STATUS COMMAND...: runs the command, output to $work/out and $work/err, and fails unless it
# ends with STATUS.
expect() {
  local want=$1 got=0
  shift
  "$@" > "$work/out" 2> "$work/err" < /dev/null || got=$?
  if [[ $got != "$want" ]]; then
    printf 'FAILED: exit status %s and not %s: %s\n' "$got" "$want" "$*" >&2
    head -c 4000 "$work/out" "$work/err" >&2
    printf 'called at line %s\n' "${BASH_LINENO[0]}" >&2
    exit 1
  fi
}
# said REGEX: the last command of expect has said so, on either output.
said() {
  grep -qE -- "$1" "$work/out" "$work/err" && return
  printf 'FAILED: nothing like "%s" in:\n' "$1" >&2
  cat "$work/out" "$work/err" >&2
  exit 1
}
# finds GREP ARGUMENT...: `grep -q` for the end of a pipeline. That stops at the first match, so that the program before
# it fails if it writes more, which depends on time; this reads everything.
finds() { local count; count=$(grep -c "$@") || :; ((${count:-0} > 0)); }
# same A B: two files are alike.
same() { diff -u "$1" "$2" | head -60 || fail "$1 and $2 differ"; cmp -s "$1" "$2" || fail "$1 and $2 differ"; }
# equal A B [WHAT]: two words are alike.
equal() { [[ $1 == "$2" ]] || fail "${3:-value}: $1 and not $2"; }

# flip FILE OFFSET: inverts the lowest bit of one byte, and again when called again. Negative offsets
# count from the end.
flip() {
  chmod u+w "$1"
  perl -e '
    open(my $f, "+<:raw", $ARGV[0]) or die "$ARGV[0]: $!\n";
    my $at = $ARGV[1] < 0 ? (-s $f) + $ARGV[1] : $ARGV[1];
    $at < -s $f or die "$ARGV[0]: no byte $at\n";
    seek($f, $at, 0); read($f, my $c, 1); seek($f, $at, 0); print $f chr(ord($c) ^ 1);' "$1" "$2"
}

# object_of FILE: the path below objects/ of a file with this content, computed by fsverity-utils.
object_of() {
  local hex
  hex=$(fsverity digest --compact "$1")
  printf '%s/%s\n' "${hex:0:2}" "${hex:2}"
}

# list_tree DIR: everything that a program can see of a tree, sorted, one line for each fact: type,
# mode, owner, size, links, nanosecond times, targets, devices, xattrs, content. With OWNERS=no without
# owners and device nodes, for roots that an ordinary user unpacked.
list_tree() (
  cd "$1" || exit
  local owner='%U:%G'
  [[ ${OWNERS:-yes} == yes ]] || owner='-'
  # Hard links: each name tells the first of the inode's names. Odd bytes in names stay one line.
  find . -printf "%i %n %y %m $owner %s %T@ %p -> %l\0" | tr '\n\0' '\1\n' | sort -k 8 |
    awk -v owners="${OWNERS:-yes}" '
      { inode = $1; links = $2; type = $3; size = $6; path = $0
        for (i = 0; i < 7; i++) sub(/^[^ ]+ /, "", path)
        if (owners != "yes" && (type == "c" || type == "b")) next
        if (type == "d") { links = "-"; size = "-" }
        if (!(inode in first) || links == 1 || links == "-") first[inode] = path
        print path, type, $4, $5, "size", size, "links", links, "mtime", $7, "as", first[inode] }'
  if [[ ${OWNERS:-yes} == yes ]]; then
    find . \( -type c -o -type b \) -exec stat --printf '%n device %t:%T\0' {} + | tr '\n\0' '\1\n' | sort
  fi
  find . -type f -exec sha256sum -z {} + | tr '\n\0' '\1\n' | sort -k 2
  getfattr -R -P -h -d -m - -e hex . 2> /dev/null |
    awk '/^# file: /{ file = substr($0, 9); next } /=/ && !/^security.selinux=/ { print file, "xattr", $0 }' | sort
)

# same_trees A B: the trees below two directories are the same, as far as list_tree sees.
same_trees() {
  list_tree "$1" > "$work/tree.a"
  list_tree "$2" > "$work/tree.b"
  (($(wc -l < "$work/tree.a") > 10)) || fail "$1 is all but empty"
  same "$work/tree.a" "$work/tree.b"
}

# await COMMAND...: waits until the command succeeds. How long that takes decides no test: after five minutes
# something is wrong on the busiest of machines.
await() {
  local until=$((SECONDS + 300))
  until "$@"; do
    ((SECONDS < until)) || fail "in vain for five minutes: $*"
    sleep 0.05
  done
}
# await_end PID: waits until that process is gone, also if it is not a child of this shell.
await_end() { await is_gone "$1"; }
is_gone() { ! kill -0 "$1" 2> /dev/null; }

# serve COMMAND...: runs a server of `open` in the background until it says that there is something to
# read; sets server. Its output is in served.out and served.err.
serve() {
  : > "$work/served.out"
  "$@" > "$work/served.out" 2> "$work/served.err" < /dev/null &
  server=$!
  await is_ready_or_gone
  grep -q ' can be ' "$work/served.out" && return
  cat "$work/served.err" >&2
  fail "not ready: $*"
}
is_ready_or_gone() { grep -q ' can be ' "$work/served.out" || is_gone "$server"; }
# ended STATUS: the server ends by itself, so.
ended() {
  local status=0
  wait "$server" || status=$?
  equal "$status" "$1" 'exit status of the server'
}
# stop [STATUS]: asks it to end; with 0 unless told.
stop() { kill -TERM "$server"; ended "${1:-0}"; }
