# SPDX-License-Identifier: Apache-2.0
# icseg classify: tables, JSON lines, embeddings, and one wrong input of each kind. The text encoder of $tiny reads bytes, so
# it needs no vocabulary. tests/unit/test_classify.c compares the numbers with CLIP's.
# shellcheck source=/dev/null
source "$root/tests/cli/tiny_model.sh"
photo=$(ls "$tiny_data"/images/val/*.jpg "$tiny_data"/images/val/*.png 2>/dev/null | head -1)
classify() { icseg classify "$tiny" "$photo" "$@"; }
table() { icseg classify "$@" 2>/dev/null; }

expect 0 '^Usage: icseg classify WEIGHTS IMAGE' icseg classify --help
expect 0 'art of a' icseg classify --help
expect 0 '^ +[0-9]+\.[0-9][0-9] %  dog$' classify --classes 'cat, dog'
expect 0 '^images of 96x96 pixels, logit scale 100 \(CLIP.s; the weights do not contain one' classify --classes 'cat, dog'
printf 'cat\ndog; hound\nsky, heaven\n' >"$work/names.txt"
check 'a table has one line for each class' test "$(table "$tiny" "$photo" --classes-file "$work/names.txt" | wc -l)" -eq 4
check '--top shortens it' test "$(table "$tiny" "$photo" --classes-file "$work/names.txt" --top 1 | wc -l)" -eq 2
expect 0 '^\{"image": .*"name": "sky", "index": 2, "probability": ' classify --classes-file "$work/names.txt" --json --synonyms mean
check 'semicolons separate the names of one class' bash -c "'$program' classify '$tiny' '$photo' --classes 'a (b, c); d,e' \
    --template 'x {}' --synonyms mean --json 2>/dev/null | grep -c '\"a (b, c)\".*\"e\"\|\"e\".*\"a (b, c)\"'"
printf '# for streets\n\na street with a {}\n{}\n' >"$work/templates.txt"
expect 0 '' classify --classes 'cat, dog' --templates "$work/templates.txt" --embeddings "$work/list.safetensors"
expect 0 '' classify --classes 'cat, dog' --template 'a street with a {}' --template '{}' --embeddings "$work/lines.safetensors"
check 'a file of templates is the same as its lines' cmp "$work/list.safetensors" "$work/lines.safetensors"
expect 0 '%  dog$' classify --classes 'cat, dog' --templates imagenet
expect 0 '%  dog$' classify --classes 'cat, dog' --templates simple
expect 0 '' icseg classify "$tiny" "$tiny_data/images/val" --classes 'a, b' --embeddings "$work/e.safetensors"
check 'embeddings are written' grep -q '"text":' "$work/e.safetensors"

# The embeddings of the classes are kept, as those of icseg segment.
export XDG_CACHE_HOME=$work/caches
lacks() { ! "${@:2}" 2>&1 | grep -E "$1"; } # TEXT COMMAND...
cached='logit scale .*, embeddings of the texts from the cache$'
check 'nothing is kept yet' lacks "$cached" classify --classes 'cat, dog' --embeddings "$work/e1.safetensors"
check 'the cache is where it belongs' bash -c "[ \$(ls '$work/caches/icseg' | wc -l) = 1 ]"
expect 0 "$cached" classify --classes 'cat, dog' --embeddings "$work/e2.safetensors"
check 'the same results' cmp "$work/e1.safetensors" "$work/e2.safetensors"
check 'other templates are other texts' lacks "$cached" classify --classes 'cat, dog' --template '{}'
check '--no-cache does not read it' lacks "$cached" classify --classes 'cat, dog' --no-cache
check 'a cache of its own' lacks "$cached" classify --classes 'cat, dog' --cache "$work/own"
expect 0 "$cached" classify --classes 'cat, dog' --cache "$work/own"
refuse 2 '--cache and --no-cache contradict each other' classify --classes 'cat, dog' --cache x --no-cache

refuse 2 'no classes are given; use --classes' classify
refuse 2 'the classes are given twice' classify --classes a --classes-file "$work/names.txt"
refuse 2 'name 2 is empty' classify --classes 'a,,b'
refuse 2 '"a" is given twice' classify --classes 'a, b, a'
refuse 2 '\{\} where the class name goes' classify --classes 'a, b' --template 'a photo'
refuse 2 'the templates are given twice' classify --classes 'a, b' --template '{}' --templates simple
refuse 2 'expected imagenet, simple or the name of a file .*; set it with --templates' classify --classes a --templates 'a {}'
refuse 1 'no.txt: the file does not exist; expected imagenet, simple or' classify --classes a --templates "$work/no.txt"
printf '{}\na street\n' >"$work/bad.txt"
refuse 1 'bad.txt: line 2 has no \{\}; write \{\} where' classify --classes a --templates "$work/bad.txt"
refuse 2 "synonyms" classify --classes 'a, b' --synonyms each
refuse 2 'has [0-9]+ tokens, but the model accepts' classify --classes 'a name that is far too long for forty, b'
refuse 1 'none.txt: cannot open' classify --classes-file none.txt
refuse 2 'IMAGE is missing' icseg classify "$tiny" --classes a
refuse 1 'none.pt: cannot open' icseg classify none.pt "$photo" --classes a
tensors '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' 8 >"$work/other.safetensors"
refuse 1 'other.safetensors: not CLIP weights' icseg classify "$work/other.safetensors" "$photo" --classes a
refuse 1 'not a known format of weights' icseg classify "$photo" "$photo" --classes a
refuse 1 'does not contain a vocabulary' icseg classify "$root/tests/weights/openai_resnet.pt" "$photo" --classes a
refuse 1 'clip_merges.txt: a vocabulary of [0-9]+ tokens .*the model has 32' icseg classify "$root/tests/weights/openai_resnet.pt" \
    "$photo" --classes a --vocab "$root/tests/unit/data/clip_merges.txt"
refuse 2 'the text encoder reads bytes and has no vocabulary; leave ".*merges.txt" out' \
    classify --classes a --vocab "$root/tests/unit/data/clip_merges.txt"
expect 1 'names.txt: .*(image|format|JPEG)' icseg classify "$tiny" "$work/names.txt" --classes 'a, b'
expect 1 '1 of 2 images failed' icseg classify "$tiny" "$work/names.txt" "$photo" --classes 'a, b'
expect 1 '1 of 2 images failed' icseg classify "$tiny" "$work/names.txt" "$photo" --classes 'a, b' --embeddings "$work/f.safetensors"
check 'no embeddings are written after a failure' test ! -e "$work/f.safetensors"
