# SPDX-License-Identifier: Apache-2.0
"""Completions of a program and its commands for bash, zsh and fish.

Each function takes the commands of one program, the program itself first, and returns the text of
the file. What follows "--", or a command that has no completions, is left to the shell's files.
"""

HEADER = "# Made from the output of --help.\n"


def _words(command):
    return " ".join(command.words)


def _children(command):
    return [name for name, _ in command.commands]


# --- bash -----------------------------------------------------------------------------------------

BASH = """{header}_{program}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
  local path={program} word
  COMPREPLY=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    [[ $word == -- ]] && return
    case "$path $word" in
{commands}
    esac
  done
  case "$path $previous" in
{values}
  esac
  case $path in
{options}
  esac
}}
complete -o default -F _{program} {program}
"""


def _bash_reply(words):
    return f'mapfile -t COMPREPLY < <(compgen -W "{" ".join(words)}" -- "$current")'


def bash(commands):
    program = commands[0].words[0]
    known = [f"    '{_words(command)}') path='{_words(command)}' ;;" for command in commands[1:]]
    values, options = [], []
    for command in commands:
        for option in command.options:
            if option.choices:
                reply = _bash_reply(option.choices)
                values.append(f"    '{_words(command)} {option.name}') {reply}; return ;;")
            elif option.value:
                values.append(f"    '{_words(command)} {option.name}') return ;;")
        names = [option.name for option in command.options] + _children(command)
        options.append(f"    '{_words(command)}') {_bash_reply(names)} ;;")
    return BASH.format(
        header=HEADER,
        program=program,
        commands="\n".join(known) or "      *) ;;",
        values="\n".join(values) or "    *) ;;",
        options="\n".join(options),
    )


# --- zsh ------------------------------------------------------------------------------------------


def _zsh_text(text):
    """Within '...[here]...': quotes, brackets and colons mean something there."""
    for char in ("\\", "[", "]", ":"):
        text = text.replace(char, "\\" + char)
    return text.replace("'", "'\\''")


def _zsh_spec(option):
    spec = f"'*{option.name}" + ("=" if option.value else "") + f"[{_zsh_text(option.help)}]"
    if option.choices:
        spec += f":{_zsh_text(option.value)}:({' '.join(option.choices)})"
    elif option.value:
        spec += f":{_zsh_text(option.value)}:" + ("_files" if option.takes_file else " ")
    return spec + "'"


def _zsh_function(command):
    name = "_" + "_".join(word.replace("-", "_") for word in command.words)
    lines = [f"{name}() {{", "  local context state line", "  local -A opt_args"]
    specs = [_zsh_spec(option) for option in command.options]
    children = command.commands
    if children:
        specs += ["'1:command:->command'", "'*::argument:->arguments'"]
    else:
        specs.append("'*:file:_files'")
    lines.append("  _arguments -C -S \\")
    lines += [f"    {spec} \\" for spec in specs[:-1]] + [f"    {specs[-1]}"]
    if children:
        described = " ".join(f"'{_zsh_text(child)}:{_zsh_text(text)}'" for child, text in children)
        lines += [
            "  case $state in",
            "    command)",
            f"      local -a commands=({described})",
            "      _describe command commands ;;",
            "    arguments)",
            f"      if (( $+functions[{name}_${{line[1]//-/_}}] )); then",
            f"        {name}_${{line[1]//-/_}}",
            "      else",
            "        _files",
            "      fi ;;",
            "  esac",
        ]
    return "\n".join([*lines, "}"])


def zsh(commands):
    program = commands[0].words[0]
    functions = "\n\n".join(_zsh_function(command) for command in commands)
    return f'#compdef {program}\n{HEADER}\n{functions}\n\n_{program} "$@"\n'


# --- fish -----------------------------------------------------------------------------------------


def _fish_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_condition(command):
    """That the words before the cursor select the command, and none of its own commands."""
    seen = " ".join(f"and __fish_seen_subcommand_from {word};" for word in command.words[1:])
    children = _children(command)
    unseen = f"and not __fish_seen_subcommand_from {' '.join(children)}" if children else ""
    condition = f"{seen} {unseen}".strip().removeprefix("and ").rstrip(";")
    return f" -n {_fish_text(condition)}" if condition else ""


def fish(commands):
    program = commands[0].words[0]
    lines = [HEADER.rstrip()]
    for command in commands:
        start = f"complete -c {program}{_fish_condition(command)}"
        for name, text in command.commands:
            lines.append(f"{start} -f -a {name} -d {_fish_text(text)}")
        for option in command.options:
            line = f"{start} -l {option.name.removeprefix('--')}"
            if option.choices:
                line += f" -x -a {_fish_text(' '.join(option.choices))}"
            elif option.value:
                line += " -r -F" if option.takes_file else " -x"
            lines.append(f"{line} -d {_fish_text(option.help)}")
    return "\n".join(lines) + "\n"
