#!/usr/bin/env python3
"""Writes a program's man page, and its completions for bash, zsh and fish, out of what it says
itself with -h, so that they cannot say anything else.

Usage: packaging/help.py PROGRAM NAME DIR, where DIR is such as /usr/local/share.
"""

import os
import re
import resource
import subprocess
import sys
from collections import namedtuple

# Open files that a program may have while it is asked. Its bounds hang on that, and are to be the
# same wherever they are written down.
DESCRIPTORS = 1024

Option = namedtuple("Option", "short long value text")


def ask(program, name, option):
    """What a program called by this name says at an option."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    return subprocess.run([name, option], executable=program, stdout=subprocess.PIPE, check=True, text=True).stdout


def read_options(lines):
    """The options in the lines below `Options:`; a line that begins with none goes on with the last."""
    options = []
    for line in lines.splitlines():
        begin = re.match(r"  (?:(-\w), )?--([\w-]+)(?: (\S+))?(?: {2,}(\S.*))?$", line)
        if begin:
            options.append(Option(*begin.groups("")))
        else:
            last = options.pop()
            options.append(last._replace(text=f"{last.text} {line.strip()}".lstrip()))
    return options


def roff(text):
    return re.sub(r"^(?=[.'])", r"\\&", text.replace("\\", r"\e").replace("-", r"\-"), flags=re.M)


def man(name, version, summary, options, examples, notes):
    page = [f'.TH {roff(name.upper())} 1 "" "{roff(version)}"']
    page += [".SH NAME", f"{roff(name)} \\- {roff(summary)}"]
    page += [".SH SYNOPSIS", f".B {roff(name)}", "[OPTIONS]", ".SH OPTIONS"]
    for short, long, value, text in options:
        flags = f"{short}, --{long}" if short else f"--{long}"
        page += [".TP", f"\\fB{roff(flags)}\\fR" + (f" \\fI{roff(value)}\\fR" if value else ""), roff(text)]
    page += [".SH NOTES"]
    said = f"This page is what {name} -h says where {DESCRIPTORS} files may be open."
    for note in [*notes, said]:
        page += [".PP", roff(note)]
    page += [".SH EXAMPLES", ".nf", roff(re.sub("^  ", "", examples, flags=re.M)), ".fi"]
    return "\n".join(page) + "\n"


def short_text(option):
    """The first words of an option's text, which need no quoting in any shell."""
    return re.split(r"[,;(]|: ", option.text)[0].strip().replace("'", "")


def choices(option):
    """The words that an option takes, where its text names two."""
    words = re.search(r"\bas (\w+) or (\w+) \(", option.text)
    return words.groups() if words else ()


def flags(option):
    return [option.short] * bool(option.short) + [f"--{option.long}"]


def bash(name, options):
    def words(of):
        return f'COMPREPLY=($(compgen -W "{" ".join(of)}" -- "$2"))'

    cases = []
    for option in filter(lambda option: option.value, options):
        how = "compopt -o default" if option.value == "FILE" else words(choices(option)) if choices(option) else ":"
        cases.append(f"    --{option.long}) {how} ;;")
    every = words(flag for option in options for flag in flags(option))
    function = "_" + name.replace("-", "_")
    return "\n".join([
        f"{function}() {{", "    COMPREPLY=()", "    case $3 in", *cases, f"    *) {every} ;;", "    esac", "}",
        f"complete -F {function} {name}", ""])


def zsh(name, options):
    specs = []
    for option in options:
        value, text = "", short_text(option)
        if option.value:
            how = "_files" if option.value == "FILE" else f"({' '.join(choices(option))})" if choices(option) else " "
            value = f":{option.value}:{how}"
        for flag in flags(option):
            repeats = "*" if "repeatable" in option.text else "(- *)" if option.short else ""
            specs.append(f"'{repeats}{flag}{'=' * bool(value)}[{text}]{value}'")
    return "\n".join([f"#compdef {name}", "_arguments \\", "    " + " \\\n    ".join(specs), ""])


def fish(name, options):
    lines = [f"complete -c {name} -f"]
    for option in options:
        short = f" -s {option.short[1:]}" if option.short else ""
        value = ""
        if option.value:
            value = " -r -F" if option.value == "FILE" else " -x"
        if choices(option):
            value += f" -a '{' '.join(choices(option))}'"
        lines.append(f"complete -c {name}{short} -l {option.long}{value} -d '{short_text(option)}'")
    return "\n".join(lines) + "\n"


def main(program, name, share):
    text = ask(program, name, "-h")
    parts = re.fullmatch(r"(.*?): (.*?)\n\nUsage: .*?\n\nExamples:\n(.*?)\n\nOptions:\n(.*?)\n\n(.*)\n", text, re.S)
    _, summary, examples, options, notes = parts.groups()
    options = read_options(options)
    version = "smol-servers " + ask(program, name, "-V").split()[1]
    files = {
        f"man/man1/{name}.1": man(name, version, summary, options, examples, notes.split("\n\n")),
        f"bash-completion/completions/{name}": bash(name, options),
        f"zsh/site-functions/_{name}": zsh(name, options),
        f"fish/vendor_completions.d/{name}.fish": fish(name, options),
    }
    for path, content in files.items():
        path = os.path.join(share, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)


main(*sys.argv[1:])
