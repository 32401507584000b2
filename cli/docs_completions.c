/* SPDX-License-Identifier: Apache-2.0
 * Shell completions from the option tables: commands, options, the words that an option accepts, and file names. */
#include <string.h>

#include "docs.h"

static bool takes_folder(const icseg_option *o) {
    const char *metavar = icseg_option_metavar(o);
    size_t length = strlen(metavar);
    return length >= 3 && !strcmp(metavar + length - 3, "DIR");
}

static bool takes_file(const icseg_option *o) {
    return o->type == ICSEG_OPTION_STRING || o->type == ICSEG_OPTION_STRINGS;
}

/* The words of an option, separated by blanks. */
static void append_words(icseg_string *out, const icseg_option *o) {
    for (int i = 0; o->words[i]; i++) icseg_string_printf(out, "%s%s", i ? " " : "", o->words[i]);
}

/* The help of an option, quoted by `quote`. */
static void append_help(icseg_string *out, const icseg_option *o, void (*quote)(icseg_string *out, const char *text)) {
    icseg_string help = {0};
    icseg_option_help(o, &help);
    quote(out, help.data ? help.data : "");
    if (help.failed) out->failed = true;
    icseg_string_close(&help);
}

/* The first argument of a command if it is one of several words, such as the action of `icseg dataset`; else NULL. */
static const icseg_option *first_word(const icseg_command *command) {
    for (size_t i = 0; i < command->options.count; i++) {
        const icseg_option *o = &command->options.rows[i];
        if (o->positional) return o->type == ICSEG_OPTION_WORD ? o : NULL;
    }
    return NULL;
}

static void append_command_names(icseg_string *out) {
    for (int i = 0; icseg_commands[i]; i++)
        if (!icseg_commands[i]->hidden) icseg_string_printf(out, "%s ", icseg_commands[i]->name);
}

/* ---- bash ---- */

static void bash_command(icseg_string *out, const icseg_command *command) {
    const icseg_option_table *table = &command->options;
    icseg_string_printf(out, "    %s)\n        case $previous in\n", command->name);
    for (size_t i = 0; i < table->count; i++) {
        const icseg_option *o = &table->rows[i];
        if (o->positional || o->type == ICSEG_OPTION_BOOL) continue;
        icseg_string_printf(out, "        --%s) ", o->key);
        if (o->type == ICSEG_OPTION_WORD) {
            icseg_string_printf(out, "words='");
            append_words(out, o);
            icseg_string_printf(out, "' ;;\n");
        } else
            icseg_string_printf(out, takes_folder(o) ? "kind=-d ;;\n" : takes_file(o) ? "kind=-f ;;\n" : "return ;;\n");
    }
    icseg_string_printf(out, "        esac\n        options='");
    for (size_t i = 0; i < table->count; i++)
        if (!table->rows[i].positional) icseg_string_printf(out, "--%s ", table->rows[i].key);
    icseg_string_printf(out, "--quiet --help'\n");
    if (first_word(command)) {
        icseg_string_printf(out, "        [[ $COMP_CWORD -ne 2 || $word == -* ]] || words='");
        append_words(out, first_word(command));
        icseg_string_printf(out, "'\n");
    }
    icseg_string_printf(out, "        ;;\n");
}

void docs_bash(icseg_string *out) {
    icseg_string_printf(out, "# bash completion for icseg, written by `icseg docs bash`.\n"
                             "_icseg() {\n"
                             "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
                             "    local words= options= kind=\n"
                             "    COMPREPLY=()\n"
                             "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                             "        COMPREPLY=($(compgen -W '");
    append_command_names(out);
    icseg_string_printf(out, "--help --version' -- \"$word\"))\n        return\n    fi\n"
                             "    case ${COMP_WORDS[1]} in\n");
    for (int i = 0; icseg_commands[i]; i++)
        if (!icseg_commands[i]->hidden) bash_command(out, icseg_commands[i]);
    icseg_string_printf(out, "    *) return ;;\n    esac\n"
                             "    if [ -n \"$words\" ]; then\n"
                             "        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                             "    elif [ -z \"$kind\" ] && [[ $word == -* ]]; then\n"
                             "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
                             "    else\n"
                             "        local IFS=$'\\n'\n"
                             "        compopt -o filenames 2>/dev/null\n"
                             "        COMPREPLY=($(compgen \"${kind:--f}\" -- \"$word\"))\n"
                             "    fi\n"
                             "}\n"
                             "complete -F _icseg icseg\n");
}

/* ---- zsh ---- */

/* Text inside '...' of _arguments, where brackets and colons have a meaning. */
static void zsh_text(icseg_string *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\'')
            icseg_string_printf(out, "'\\''");
        else if (strchr("[]:\\", *text))
            icseg_string_printf(out, "\\%c", *text);
        else
            icseg_string_append(out, text, 1);
    }
}

static void zsh_action(icseg_string *out, const icseg_option *o) {
    if (o->type == ICSEG_OPTION_WORD) {
        icseg_string_append(out, "(", 1);
        append_words(out, o);
        icseg_string_append(out, ")", 1);
    } else if (takes_folder(o))
        icseg_string_printf(out, "_files -/");
    else if (takes_file(o))
        icseg_string_printf(out, "_files");
}

static void zsh_command(icseg_string *out, const icseg_command *command) {
    icseg_string_printf(out, "    %s)\n        _arguments", command->name);
    for (size_t i = 0; i < command->options.count; i++) {
        const icseg_option *o = &command->options.rows[i];
        icseg_string_printf(out, " \\\n            '");
        if (o->positional)
            icseg_string_printf(out, "%s", o->type == ICSEG_OPTION_STRINGS ? "*" : o->required ? "" : ":");
        else {
            icseg_string_printf(out, "%s--%s[", o->type == ICSEG_OPTION_STRINGS ? "*" : "", o->key);
            append_help(out, o, zsh_text);
            icseg_string_append(out, "]", 1);
        }
        if (o->positional || o->type != ICSEG_OPTION_BOOL) {
            icseg_string_append(out, ":", 1);
            zsh_text(out, o->positional ? o->key : icseg_option_metavar(o));
            icseg_string_append(out, ":", 1);
            zsh_action(out, o);
        }
        icseg_string_append(out, "'", 1);
    }
    icseg_string_printf(
        out, " \\\n            '--quiet[print warnings and errors only]' '--help[show the options]'\n        ;;\n");
}

void docs_zsh(icseg_string *out) {
    icseg_string_printf(out, "#compdef icseg\n# zsh completion for icseg, written by `icseg docs zsh`.\n"
                             "local -a commands\ncommands=(\n");
    for (int i = 0; icseg_commands[i]; i++) {
        if (icseg_commands[i]->hidden) continue;
        icseg_string_printf(out, "    '%s:", icseg_commands[i]->name);
        zsh_text(out, icseg_commands[i]->summary);
        icseg_string_printf(out, "'\n");
    }
    icseg_string_printf(out, ")\nif (( CURRENT == 2 )); then\n    _describe 'command' commands\n"
                             "    _arguments '--help[list the commands]' '--version[print the version]'\n    return\n"
                             "fi\nlocal command=$words[2]\nshift words\n(( CURRENT-- ))\ncase $command in\n");
    for (int i = 0; icseg_commands[i]; i++)
        if (!icseg_commands[i]->hidden) zsh_command(out, icseg_commands[i]);
    icseg_string_printf(out, "esac\n");
}

/* ---- fish ---- */

static void fish_text(icseg_string *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') icseg_string_append(out, "\\", 1);
        icseg_string_append(out, text, 1);
    }
}

void docs_fish(icseg_string *out) {
    icseg_string_printf(out, "# fish completion for icseg, written by `icseg docs fish`.\n"
                             "complete -c icseg -n __fish_use_subcommand -l help -d 'list the commands'\n"
                             "complete -c icseg -n __fish_use_subcommand -l version -d 'print the version'\n");
    for (int i = 0; icseg_commands[i]; i++) {
        const icseg_command *command = icseg_commands[i];
        if (command->hidden) continue;
        icseg_string_printf(out, "complete -c icseg -f -n __fish_use_subcommand -a %s -d '", command->name);
        fish_text(out, command->summary);
        icseg_string_printf(out, "'\n");
        if (first_word(command)) {
            icseg_string_printf(out,
                                "complete -c icseg -f -n '__fish_seen_subcommand_from %s; and not "
                                "__fish_seen_subcommand_from ",
                                command->name);
            append_words(out, first_word(command));
            icseg_string_printf(out, "' -a '");
            append_words(out, first_word(command));
            icseg_string_printf(out, "'\n");
        }
        for (size_t k = 0; k < command->options.count; k++) {
            const icseg_option *o = &command->options.rows[k];
            if (o->positional) continue;
            icseg_string_printf(out, "complete -c icseg -n '__fish_seen_subcommand_from %s' -l %s", command->name,
                                o->key);
            if (o->type == ICSEG_OPTION_WORD) {
                icseg_string_printf(out, " -x -a '");
                append_words(out, o);
                icseg_string_append(out, "'", 1);
            } else if (takes_folder(o))
                icseg_string_printf(out, " -x -a '(__fish_complete_directories)'");
            else if (o->type != ICSEG_OPTION_BOOL)
                icseg_string_printf(out, takes_file(o) ? " -r -F" : " -x");
            icseg_string_printf(out, " -d '");
            append_help(out, o, fish_text);
            icseg_string_printf(out, "'\n");
        }
        icseg_string_printf(out,
                            "complete -c icseg -n '__fish_seen_subcommand_from %s' -l help -d 'show the options'\n",
                            command->name);
    }
}
