"""The scripts that a shell reads once; from then on it asks ``linda __complete SHELL WORDS…`` at each Tab."""

from __future__ import annotations

from collections.abc import Iterable

FILES, FOLDERS = ":files", ":dirs"
"""Answered instead of words where the shell itself knows best."""

_BASH = r"""_linda() {
    local linda=${COMP_WORDS[0]/#\~/$HOME} line
    local -a lines
    mapfile -t lines < <("$linda" __complete bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    COMPREPLY=()
    case ${lines[0]-} in
        :files) compopt -o default; return ;;
        :dirs) compopt -o dirnames; return ;;
    esac
    for line in "${lines[@]}"; do
        COMPREPLY+=("${line%%$'\t'*}")
    done
}
complete -o nosort -F _linda linda
"""

_ZSH = r"""#compdef linda
_linda() {
    local linda=${words[1]/#\~/$HOME} line
    local -a lines items
    lines=("${(@f)$("$linda" __complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    case ${lines[1]} in
        :files) _files; return ;;
        :dirs) _files -/; return ;;
    esac
    for line in $lines; do
        items+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    _describe -V linda items
}
if [[ ${funcstack[1]} == _linda ]]; then
    _linda "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
    compdef _linda linda
fi
"""

_FISH = r"""function __linda_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines ($words[1] __complete fish $words[2..-1] 2>/dev/null)
    switch "$lines[1]"
        case ':files'
            __fish_complete_path (commandline -ct)
        case ':dirs'
            __fish_complete_directories (commandline -ct)
        case '*'
            printf '%s\n' $lines
    end
end
complete -c linda -f -k -a '(__linda_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def answer(candidates: Iterable[tuple[str, str]]) -> str:
    """Words with what they mean, as the scripts read them."""
    return "".join(f"{word}\t{' '.join(meaning.split())}\n" for word, meaning in candidates)
