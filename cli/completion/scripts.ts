/**
 * The shells' side. Each script hands the words up to the cursor to `lateen __complete`, which answers one word a line with its
 * explanation after a tab, or `:files` where the shell itself knows best.
 */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

const BASH = `# bash completion of lateen
_lateen() {
  local cur line joined i n=0 replies
  local -a words
  COMPREPLY=()
  # bash takes --flag=value apart; it is one word.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    if [[ \${COMP_WORDS[i]} == "=" && n -gt 0 ]]; then
      words[n - 1]+="="
      joined=1
    elif [[ -n $joined ]]; then
      words[n - 1]+=\${COMP_WORDS[i]}
      joined=
    else
      words[n++]=\${COMP_WORDS[i]}
      joined=
    fi
  done
  cur=\${words[n - 1]}
  replies=$("\${COMP_WORDS[0]}" __complete -- "\${words[@]}" 2>/dev/null) || return
  if [[ $replies == ":files" ]]; then
    local IFS=$'\\n'
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "\${cur#*=}"))
    return
  fi
  while IFS= read -r line; do
    line=\${line%%$'\\t'*}
    [[ $cur == --*=* ]] && line=\${line#*=}
    [[ -n $line ]] && COMPREPLY+=("$line")
  done <<< "$replies"
}
complete -F _lateen lateen
`;

const ZSH = `#compdef lateen
# zsh completion of lateen
_lateen() {
  local line
  local -a replies described
  replies=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ \${replies[1]} == ":files" ]]; then
    _files
    return
  fi
  for line in $replies; do
    described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( \${#described} )) && _describe -V 'lateen' described
}
if [[ \${funcstack[1]} == "_lateen" ]]; then
  _lateen
else
  compdef _lateen lateen
fi
`;

const FISH = `# fish completion of lateen
function __lateen_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l replies ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
    if test "$replies[1]" = ":files"
        __fish_complete_path "$current"
    else
        printf '%s\\n' $replies
    end
end
complete -c lateen -f -a '(__lateen_complete)'
`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };

/** How to have it in every new shell. */
export const INSTALL: Readonly<Record<Shell, string>> = {
  bash: "echo 'source <(lateen completion bash)' >> ~/.bashrc",
  zsh: `lateen completion zsh > "\${fpath[1]}/_lateen"`,
  fish: "lateen completion fish > ~/.config/fish/completions/lateen.fish",
};
