"""The scripts that `tlslab completion` prints: each asks `tlslab completion SHELL -- WORDS` what may come next.

Where it answers nothing, the shell completes files. A knob ends with `=`, and no space is put behind it.
"""

from __future__ import annotations

# The words are those of the line, not bash's own: it parts words at `=` as well, and `--fix=a` is one here. What bash
# is given replaces what stands behind the last `=`.
BASH = r"""# bash completion for tlslab
_tlslab() {
    local line="${COMP_LINE:0:COMP_POINT}" words typed IFS=$' \t\n'
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    typed="${words[-1]}"
    IFS=$'\n'
    COMPREPLY=($("${words[0]}" completion bash -- "${words[@]}" 2>/dev/null))
    [[ $typed == *=* ]] && COMPREPLY=("${COMPREPLY[@]#"${typed%%=*}="}")
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    return 0
}
complete -o default -F _tlslab tlslab
"""

ZSH = r"""#compdef tlslab
_tlslab() {
    local -a answers
    answers=(${(f)"$("${words[1]}" completion zsh -- "${(@)words[1,CURRENT]}" 2>/dev/null)"})
    if (( ! $#answers )); then
        _files
    else
        compadd -S '' -- ${(M)answers:#*=}
        compadd -- ${answers:#*=}
    fi
}
if [[ "${funcstack[1]}" == _tlslab ]]; then
    _tlslab "$@"
else
    compdef _tlslab tlslab
fi
"""

FISH = r"""# fish completion for tlslab
function __tlslab_answers
    set -l words (commandline -opc) (commandline -ct)
    set -l answers ($words[1] completion fish -- $words 2>/dev/null)
    if test (count $answers) -gt 0
        printf '%s\n' $answers
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c tlslab -f -a '(__tlslab_answers)'
"""

POWERSHELL = r"""# PowerShell completion for tlslab
Register-ArgumentCompleter -Native -CommandName tlslab -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -le $cursorPosition } | ForEach-Object { $_.Extent.Text })
    if ($wordToComplete -eq '') { $words += '""' }
    & $words[0] completion powershell '--' @words 2>$null | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH, "powershell": POWERSHELL}
