#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""README.zh-CN.md says what README.md says: as far as a program can see.

    check_mirror.py ENGLISH CHINESE

1. The headings correspond: the same number, at the same levels, in the same order.
2. The code blocks between two headings are equal, line by line, but for comments.
3. The same pages and pictures are linked under each heading; each page links to the other.
4. Chinese text uses full-width punctuation: no , ; : ( ) ? ! beside a Chinese character.

Exit code: 0 clean, 1 findings, 2 usage.
"""
import re
import sys
from itertools import zip_longest
from pathlib import Path

HEADING = re.compile(r"^(#+) (.*)")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
HAN = r"[\u4e00-\u9fff]"
HALF_WIDTH = re.compile(rf"{HAN}[,;:()?!]|[,;:()?!]{HAN}")
CODE = re.compile(r"`[^`]*`")
COMMENT = re.compile(r"\s*(?:#|//) .*$")


class Section:
    """A heading with the code and the links below it."""

    def __init__(self, line, level, title):
        self.line = line
        self.level = level
        self.title = title
        self.code = []
        self.links = set()


def sections_of(text):
    sections = [Section(1, 0, "(start)")]
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
            sections[-1].code.append(line)
        elif inside:
            sections[-1].code.append(COMMENT.sub("", line))
        elif HEADING.match(line):
            level, title = HEADING.match(line).groups()
            sections.append(Section(number, len(level), title))
        else:
            sections[-1].links.update(LINK.findall(line))
    return sections


def half_width(text):
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            # Code and the addresses of links keep their own punctuation.
            prose = LINK.sub("]", CODE.sub("", line))
            for match in HALF_WIDTH.finditer(prose):
                yield number, match.group(0)


def check(english, chinese, names):
    pairs = list(zip_longest(sections_of(english), sections_of(chinese)))
    for one, other in pairs:
        if one is None or other is None or one.level != other.level:
            have = one or other
            yield (f"the headings part at {names[0] if one else names[1]}:{have.line} "
                   f"'{have.title}'")
            return
    for one, other in pairs:
        place = f"{names[1]}:{other.line} '{other.title}'"
        for line, mirrored in zip_longest(one.code, other.code):
            if line != mirrored:
                yield f"{place}: code differs: {line!r} in English, {mirrored!r} here"
                break
        links = {link.removeprefix("./") for link in one.links} - set(names)
        mirrored = {link.removeprefix("./") for link in other.links} - set(names)
        for link in sorted(links ^ mirrored):
            yield f"{place}: the link {link} stands in one language only"
    if names[1] not in english or names[0] not in chinese:
        yield f"{names[0]} and {names[1]} do not link to one another"
    for number, found in half_width(chinese):
        yield f"{names[1]}:{number}: half-width punctuation in {found!r}"


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    paths = [Path(argument) for argument in arguments]
    findings = list(check(*(path.read_text(encoding="utf-8") for path in paths),
                          [path.name for path in paths]))
    for finding in findings:
        print(finding)
    print(f"mirror: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
