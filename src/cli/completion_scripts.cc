// The scripts of `cronally completion`: each knows its shell, and asks the program for the rest.
#include "cli/completion.h"

namespace cronally::cli {
namespace {

constexpr std::string_view bash_script =
    R"sh(# Completion of cronally for bash: . <(cronally completion bash)
_cronally() {
  local program line rest word piece quote='' before i
  local -a words=() lines=()
  program=$(type -P -- "${COMP_WORDS[0]}") || return 0
  # bash parts words at = and : too; what has no blank before it belongs to the word before.
  line=${COMP_LINE:0:COMP_POINT}
  for ((i = 0; i <= COMP_CWORD; i++)); do
    piece=${COMP_WORDS[i]}
    rest=${line#"${line%%[![:blank:]]*}"}
    [[ $rest == "$piece"* ]] || piece=$rest
    if ((i > 0)) && [[ $rest == "$line" && -n $piece ]]; then
      words[${#words[@]}-1]+=$piece
    else
      words+=("$piece")
    fi
    line=${rest#"$piece"}
  done
  # What bash will not replace: the word up to its last = or :.
  before=${words[${#words[@]}-1]}
  [[ $piece == [=:] ]] || before=${before%"$piece"}
  for i in "${!words[@]}"; do
    word=${words[i]} quote=''
    case $word in
      \'*) quote=${word:0:1} word=${word:1} word=${word%\'} ;;
      \"*) quote=${word:0:1} word=${word:1} word=${word%\"} ;;
      *) word=${word//\\/} ;;
    esac
    words[i]=$word
  done
  mapfile -t lines < <("$program" __complete "${words[@]:1}" 2>/dev/null)
  COMPREPLY=()
  case ${lines[0]-} in
    files) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    directories) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
    words)
      for line in "${lines[@]:1}"; do
        word=${line%%$'\t'*}
        [[ -n $quote ]] || printf -v word %q "$word"
        COMPREPLY+=("${word#"$before"}")
      done
      ;;
  esac
}
complete -F _cronally cronally
)sh";

constexpr std::string_view zsh_script = R"sh(#compdef cronally
# Completion of cronally for zsh: source <(cronally completion zsh), or _cronally in $fpath.
_cronally() {
  local line program=${(Q)words[1]}
  local -a lines found shown
  lines=("${(@f)$("$program" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  case $lines[1] in
    files) _files; return ;;
    directories) _files -/; return ;;
    words) ;;
    *) return 1 ;;
  esac
  for line in "${(@)lines[2,-1]}"; do
    found+=("${line%%$'\t'*}")
    shown+=("${${line/$'\t'/  -- }%  -- }")
  done
  compadd -l -d shown -a found
}
if [[ $funcstack[1] == _cronally ]]; then
  _cronally "$@"
else
  compdef _cronally cronally
fi
)sh";

constexpr std::string_view fish_script =
    R"sh(# Completion of cronally for fish: cronally completion fish | source
function __cronally_complete
  set -l words (commandline -opc)
  set -l word (commandline -ct | string unescape)
  set -l lines ($words[1] __complete $words[2..] "$word" 2>/dev/null)
  set -q lines[1]; or return
  set -l kind $lines[1]
  set -e lines[1]
  switch $kind
    case files
      __fish_complete_path "$word"
    case directories
      __fish_complete_directories "$word" ''
    case words
      set -q lines[1]; and printf '%s\n' $lines
  end
end
complete -c cronally -f -a '(__cronally_complete)'
)sh";

}  // namespace

std::optional<std::string_view> completion_script(std::string_view shell) {
  if (shell == "bash") return bash_script;
  if (shell == "zsh") return zsh_script;
  if (shell == "fish") return fish_script;
  return std::nullopt;
}

}  // namespace cronally::cli
