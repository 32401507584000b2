# SPDX-License-Identifier: Apache-2.0
# icseg tokenize: ids of lines, refused lines, wrong vocabularies. Standard input comes through a function.
small=$root/tests/unit/data/clip_merges.txt
tokenize() { printf "$1" | icseg tokenize "${@:2}"; }

expect 0 '^658$' tokenize 'wall\n' --vocab "$small"
expect 0 '^838$' tokenize 'Building' --vocab "$small"
expect 0 '^97 32 98$' tokenize 'a b\n' --tokenizer bytes
refuse 2 '[-]-vocab: the tokenizer bytes has no vocabulary' tokenize 'a b\n' --tokenizer bytes --vocab "$small"
expect 0 '^refused: .*not UTF-8' tokenize 'caf\xe9\nwall\n' --vocab "$small"
expect 0 '^658$' tokenize 'x\ny\0wall\0' --vocab "$small" --null
refuse 1 'nothing.gz: the vocabulary file does not exist' tokenize 'wall\n' --vocab "$work/nothing.gz"
refuse 2 "CLIP's tokenizer needs a vocabulary" tokenize 'wall\n'
refuse 1 'does not contain a vocabulary' tokenize 'wall\n' --vocab "$work"
head -c 1000 "$small" | gzip | head -c 300 >"$work/cut.gz"
refuse 1 'cut.gz: the gzip data ends too early' tokenize 'wall\n' --vocab "$work/cut.gz"
