# SPDX-License-Identifier: Apache-2.0
# The library from outside: installed, found with pkg-config, linked both ways with the program of docs/library.md.
build=$(dirname "$program")
LIMIT=120 icseg synth "$work/data" --images 4 --val 2 --size 96x64 >/dev/null 2>&1
cat >"$work/tiny.yaml" <<END
model: {preset: tiny-resnet, context_length: 40, tokenizer: bytes}
data: {folder: $work/data}
augment: {crop: [64, 64], resize_short: 0}
train: {steps: 2, batch: 2, warmup: 1, threads: 1}
eval: {resize_short: 0}
END
icseg train "$work/tiny.yaml" --out "$work/run" >/dev/null 2>&1
model=$work/run/checkpoint.safetensors
photo=$work/data/images/val/000000.jpg
check 'it installs' cmake --install "$build" --prefix "$work/first"
mv "$work/first" "$work/prefix" # the installed tree can be moved
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name icseg.pc)") && export PKG_CONFIG_PATH
libraries=$(dirname "$PKG_CONFIG_PATH")
expect 0 "^$("$program" --version | sed -n 's|^icseg ||p')\$" pkg-config --modversion icseg
flags() { pkg-config --cflags --libs "$@" icseg; }
# shellcheck disable=SC2046
check 'it links with the shared library' cc -std=c11 -o "$work/shared" "$root/examples/predict.c" $(flags)
# shellcheck disable=SC2046
check 'it links with the static library' cc -std=c11 -o "$work/static" "$root/examples/predict.c" \
    -L"$libraries" -l:libicseg.a $(flags --static | sed 's/-licseg\>//')
shared() { LD_LIBRARY_PATH=$libraries "$work/shared" "$@"; }
expect 0 '^ *[0-9.]+ %  [a-z]' shared "$model" "$photo" "$work/shared.png"
expect 0 '^ *[0-9.]+ %  [a-z]' "$work/static" "$model" "$photo" "$work/static.png"
expect 0 '^ *[0-9.]+ %  [a-z]' "$build/example_predict" "$model" "$photo" "$work/built.png"
check 'the label map is a PNG' cmp -n 4 "$work/shared.png" <(printf '\x89PNG')
check 'icseg predict labels the same image' icseg predict "$model" "$photo" --out "$work/out"
check 'the program writes the same bytes' cmp "$work/shared.png" "$work/out/000000.png"
check 'both programs write the same bytes' cmp "$work/shared.png" "$work/static.png"
refuse 2 '^usage: predict' shared "$model"
refuse 1 'predict: io error: .*nowhere' shared "$work/nowhere" "$photo" "$work/no.png"
refuse 1 'predict: format error: .*000000.jpg' shared "$photo" "$photo" "$work/no.png"
refuse 1 'predict: [a-z]+ error: .*tiny.yaml' shared "$model" "$work/tiny.yaml" "$work/no.png"
check 'no partial file is left' test ! -e "$work/no.png"
# The other examples, with an installed library, as C11 and as C++17.
for language in 'c c11' 'c++ c++17'; do
    [ "${language%% *}" = c ] || command -v g++ >/dev/null || continue
    for name in frame threads; do
        # shellcheck disable=SC2046
        check "$name.c compiles as ${language##* }" gcc -x "${language%% *}" -std="${language##* }" -Wall -Wextra -Werror \
            -D_DEFAULT_SOURCE -o "$work/$name" "$root/examples/$name.c" -x none $(flags) -pthread
    done
    expect 0 '^scores, 8 +\(3, 15, 20, [0-9]+\)$' env LD_LIBRARY_PATH="$libraries" "$work/frame" "$model"
    expect 0 '^4 sessions, the same bits as one session$' env LD_LIBRARY_PATH="$libraries" "$work/threads" "$model" "$photo"
done
expect 0 '^logits +\(3, 30, 40, [0-9]+\)$' "$build/example_frame" "$model"
expect 0 '^labels +\(3, 120, 160\)$' "$build/example_frame" "$model"
refuse 1 'frame: io error: .*nowhere' "$build/example_frame" "$work/nowhere"
refuse 2 '^usage: threads' "$build/example_threads" "$model"
unset PKG_CONFIG_PATH
