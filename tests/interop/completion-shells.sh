#!/usr/bin/env bash
# bash, zsh and fish complete commands, options, values, references, files and the names of images, and
# are quiet where there is nothing to complete. So are they all about every command and option that
# --help knows.
. "$(dirname "$0")/lib.sh"
requires bash zsh fish jq
pulled_image
"$intact" pull "oci:$work/layout:latest-sealed" registry.example/team/app:1.0 --pub "$work/key.pub" > /dev/null
mkdir "$work/cwd" "$work/cwd/some-dir" "$work/cwd/lay out"
touch "$work/cwd/some-file"
cd "$work/cwd" || exit
export PATH=$work:$PATH

# in_SHELL LINE: what it offers for the end of LINE, sorted, one a line.
bash_line() {
  bash --norc -c '
    [[ -z $3 ]] || . "$3"
    . "$2/completions/intact.bash"
    compopt() { :; }
    COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9
    read -ra COMP_WORDS <<< "$(sed "s/[:=]/ & /g" <<< "$1")"  # as readline splits it
    [[ $1 != *[\ :=] ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _intact
    ((${#COMPREPLY[@]} == 0)) || printf "%s\n" "${COMPREPLY[@]}"' - "$1" "$root" "$2" | sort -u
}
in_bash() { bash_line "$1" /usr/share/bash-completion/bash_completion; }
in_bare_bash() { bash_line "$1" ''; }
in_fish() {
  fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$root/completions/intact.fish" "$1" | cut -f1 | sort -u
}
# zsh completes only on a terminal: one of its own, where a key completes and then tells that it has.
cat > "$work/complete.zsh" << 'ZSH'
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "stty -echo; PS1=; fpath=($2 \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w z 'compadd() { local -a found; builtin compadd -O found "$@"; print -rl -- $found >> '$3'; builtin compadd "$@" }'
zpty -w z 'tell() { zle complete-word; print -r -- END >> '$3' }; zle -N tell; bindkey "^T" tell; print rea""dy'
zpty -r -m z line '*ready*'
zpty -n -w z "$1"$'\x14'
for ((i = 0; i < 6000; i++)); do
  [[ ! -e $3 || $(<$3) != *END ]] || break
  sleep 0.05
done
zpty -d z
ZSH
in_zsh() {
  rm -f "$work/found"
  zsh -f "$work/complete.zsh" "$1" "$root/completions" "$work/found" > /dev/null
  grep -qx END "$work/found" || fail "zsh does not complete '$1'"
  # Files carry no slash there.
  sed -e '/^END$/d' -e '/^$/d' "$work/found" | sort -u
}

# offers LINE WORD...: all shells offer exactly these, directories with or without a slash. bash is told
# only what stands behind the last colon or equal sign that was typed.
offers() {
  local line=$1 shell typed word
  shift
  for shell in bash bare_bash zsh fish; do
    typed=
    if [[ $shell == *bash && ${line##* } == *[:=]* ]]; then
      typed=${line##* }
      typed=${typed%"${typed##*[:=]}"}
    fi
    for word; do printf '%s\n' "${word#"$typed"}"; done | sed '/^$/d' > "$work/wanted"
    "in_$shell" "$line" > "$work/offered"
    sed -i 's,/$,,' "$work/wanted" "$work/offered"
    diff <(sort -u "$work/wanted") "$work/offered" >&2 || fail "$shell completes '$line' otherwise"
  done
}

offers 'intact se' seal
offers 'intact composefs cr' create
offers 'intact mount --verity ' require on validate off
offers 'intact mount --verity re' require
offers 'intact run --network ' none host
offers 'intact run --runtime cr' crun
offers 'intact fsverity digest --hash-alg ' sha256 sha512
offers 'intact seal --ident' --identity
offers 'intact inspect ' app docker: oci-archive: oci: registry.example/team/app:1.0
offers 'intact rm app reg' registry.example/team/app:1.0
offers 'intact rm registry.example/team/app:1' registry.example/team/app:1.0
offers "intact inspect --store $work/none " docker: oci-archive: oci:
offers 'intact mount app so' some-dir
offers 'intact seal --key some-f' some-file
offers 'intact seal oci:so' oci:some-dir/
ln -s "$work/layout" "$work/cwd/lay"
offers 'intact verify oci:lay:' oci:lay:latest oci:lay:latest-sealed
offers 'intact pull oci:lay:latest-' oci:lay:latest-sealed
offers 'intact completion z' zsh
offers 'intact rmi app reg' registry.example/team/app:1.0
offers 'intact nonsense ' ''
offers 'intact help composefs d' dump
offers 'intact keygen --password-fd ' ''

# Everything that --help lists is offered.
commands() { "$intact" help "$@" | sed -n '/^Subcommands:/,$ s/^  \([a-z]*\) .*/\1/p'; }
options() { "$intact" "$@" --help | sed -n '/^Options:/,$ s/^  \(-[^ ]*\).*/\1/p' | tr , '\n'; }
# expected COMMAND...: for it and all below it, what has to be offered for which line.
expected() {
  local command listed
  listed=$(options "$@")
  (($(wc -w <<< "$listed") >= 2)) || fail "no options of '$*'"
  printf "intact $* -\t%s\n" $listed >> "$work/options"
  for command in $(commands "$@"); do
    printf 'intact %s\t%s\n' "$* $command" "$command" >> "$work/commands"
    expected "$@" "$command"
  done
}
(($(commands | wc -l) > 10)) || fail "help lists too few commands"
for command in $(commands); do
  [[ $command == help ]] || expected "$command"
done
# A start of fish takes longer than all it has to do here.
cut -f1 "$work/options" "$work/commands" | sort -u |
  fish --no-config -c 'source $argv[1]; while read -l line; echo "= $line"; complete -C $line; end' "$root/completions/intact.fish" |
  awk -F '\t' '/^= / { line = substr($0, 3); next } { print line "\t" $1 }' | sort -u > "$work/offered"
sort -u "$work/options" > "$work/wanted"
grep -P ' -\t' "$work/offered" > "$work/options"
same "$work/wanted" "$work/options"
comm -23 <(sort -u "$work/commands") "$work/offered" > "$work/missing"
[[ ! -s $work/missing ]] || fail "not offered: $(cat "$work/missing")"
