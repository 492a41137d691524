# bash completion for intact. The candidates come from the program itself: `intact __complete`.
# shellcheck shell=bash

_intact() {
  local cur words cword line text lines prefix
  COMPREPLY=()
  # bash splits words at colons and equal signs, which references and options contain.
  if declare -F _get_comp_words_by_ref > /dev/null; then
    _get_comp_words_by_ref -n := cur words cword
  else
    read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} != *[[:space:]] ]] || words+=('')
    cword=$((${#words[@]} - 1))
    cur=${words[cword]}
  fi
  mapfile -t lines < <("${words[0]/#\~/$HOME}" __complete "${words[@]:1:cword}" 2> /dev/null)
  ((${#lines[@]})) || return 0

  # Only the text after the last of these characters is replaced.
  prefix=
  [[ $cur != *[:=]* ]] || prefix=${cur%"${cur##*[:=]}"}
  for line in "${lines[@]::${#lines[@]}-1}"; do
    text=${line%%$'\t'*}
    # Readline itself quotes what it treats as file names.
    [[ ${lines[-1]} == *files* || ${lines[-1]} == *directories* ]] || printf -v text %q "$text"
    COMPREPLY+=("${text#"$prefix"}")
  done
  [[ ${lines[-1]} != *open* ]] || compopt -o nospace
  case ${lines[-1]} in
    *files*) mapfile -t lines < <(compgen -f -- "${cur#"$prefix"}") ;;
    *directories*) mapfile -t lines < <(compgen -d -- "${cur#"$prefix"}") ;;
    *) return 0 ;;
  esac
  compopt -o filenames
  COMPREPLY+=("${lines[@]}")
}
complete -F _intact intact
