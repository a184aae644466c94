# SPDX-License-Identifier: Apache-2.0
"""A manual page (man(7)) of a command, from its help."""

NAME_OF_SECTION = {"Examples:": "EXAMPLES", "Example:": "EXAMPLES"}


def escape(text):
    """Text that roff takes for nothing else."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return "\\&" + text if text.startswith(".") else text


def page(command):
    title = "-".join(command.words)
    lines = [
        '.\\" Made from the output of --help.',
        f'.TH "{title.upper()}" 1 "" "vigil" "User Commands"',
        ".SH NAME",
        f"{escape(title)} \\- {escape(summary_of(command))}",
        ".SH SYNOPSIS",
    ]
    for usage in command.usage:
        lines += [".nf", f"\\fB{escape(usage)}\\fR", ".fi"]
    lines += description(command)
    if command.options:
        lines.append(".SH OPTIONS")
        for option in command.options:
            value = f" \\fI{escape(option.value)}\\fR" if option.value else ""
            lines += [".TP", f"\\fB{escape(option.name)}\\fR{value}", escape(option.help) or "\\&"]
    described = [(name, text) for name, text in command.commands if text]
    if described:
        lines.append(".SH COMMANDS")
        for name, text in described:
            page_name = "-".join([*command.words, name])
            lines += [".TP", f"\\fB{escape(name)}\\fR"]
            lines.append(f"{escape(text)}; \\fB{escape(page_name)}\\fR(1)")
    return "\n".join(lines) + "\n"


def summary_of(command):
    if command.summary:
        return command.summary
    first = next((line for line in command.text if line), " ".join(command.words))
    return first.removeprefix(f"{command.words[0]}: ").rstrip(".:")


def description(command):
    """The paragraphs of the help, examples as they stand."""
    lines, section, verbatim = [".SH DESCRIPTION"], "DESCRIPTION", False

    def switch(wanted):
        nonlocal verbatim
        if wanted != verbatim:
            lines.append(".nf" if wanted else ".fi")
            verbatim = wanted

    for line in command.text:
        if line in NAME_OF_SECTION:
            switch(False)
            section = NAME_OF_SECTION[line]
            lines.append(f".SH {section}")
        elif line.startswith("Exit codes:"):
            switch(False)
            section = "EXIT STATUS"
            lines += [".SH EXIT STATUS", escape(line.removeprefix("Exit codes:").strip())]
        elif not line:
            switch(False)
            if not lines[-1].startswith((".SH", ".PP")):
                lines.append(".PP")
        else:
            # A list in columns, or an example.
            switch(section == "EXAMPLES" or "  " in line.strip())
            lines.append(escape(line))
    switch(False)
    while lines[-1] == ".PP":
        lines.pop()
    # A paragraph before a section is empty.
    return [
        line
        for line, following in zip(lines, [*lines[1:], ""])
        if not (line == ".PP" and following.startswith(".SH"))
    ]
