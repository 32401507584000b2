# SPDX-License-Identifier: Apache-2.0
# icseg serve with curl. tests/clients/ has more: other clients, a browser, and bad ones.
if ! "$program" --version | grep -q '^parts.* serve'; then
    expect 2 'serve: this build has no server' icseg serve model.safetensors
    echo "serve: skipped: this build has no server (it needs libmicrohttpd)"
elif ! command -v curl >/dev/null; then
    expect 0 'Usage: icseg serve' icseg serve --help
    echo "serve: skipped, but for --help: curl is not installed"
else
    LIMIT=120 icseg synth "$work/data" --images 4 --val 2 --size 96x64 >/dev/null
    cat >"$work/tiny.yaml" <<END
model: {preset: tiny-resnet, context_length: 40}
data: {folder: $work/data}
augment: {crop: [64, 64], resize_short: 0}
train: {steps: 4, batch: 2, warmup: 1, threads: 1, eval_every: 0}
eval: {resize_short: 0}
END
    icseg train "$work/tiny.yaml" --out "$work/run" >/dev/null 2>&1
    photo=$work/data/images/val/000000.jpg
    icseg predict "$work/run/checkpoint.safetensors" "$photo" --out "$work/out" --overlay >/dev/null 2>&1

    start() { # ARGUMENT...: starts a server at $url, process $server
        rm -f "$work/notes" # those of the server before
        OMP_WAIT_POLICY=passive "$program" serve "$@" --listen 127.0.0.1:0 >"$work/log" 2>"$work/notes" &
        server=$!
        until grep -q listening "$work/notes" 2>/dev/null || ! kill -0 $server 2>/dev/null; do sleep 0.02; done
        url=$(sed -n 's/^listening on //p' "$work/notes")
    }
    stops() { kill -TERM $server && wait $server; }
    status() { curl -s -o "$work/answer" -w '%{http_code}' "$@"; }
    answers() { # STATUS TEXT CURL_ARGUMENT...
        local code
        code=$(status "${@:3}")
        [ "$code" = "$1" ] && grep -qF -- "$2" "$work/answer" || { echo "$code"; cat "$work/answer"; return 1; }
    }

    start "$work/run/checkpoint.safetensors"
    check 'a run is called as its folder' answers 200 '"name":"run"' "${url}v2/models/run"
    check 'a label map' answers 200 PNG --data-binary "@$photo" "${url}v1/segment?format=png"
    check 'as predict writes it' cmp "$work/answer" "$work/out/000000.png"
    check 'an overlay' answers 200 PNG -F "image=@$photo" "${url}v1/segment?format=overlay"
    check 'as predict draws it' cmp "$work/answer" "$work/out/000000_overlay.png"
    check 'classes' answers 200 '"pixels"' --data-binary "@$photo" "${url}v1/segment"
    check 'GeoJSON by Accept' answers 200 FeatureCollection -H 'Accept: application/geo+json' --data-binary "@$photo" "${url}v1/segment"
    check 'not an image' answers 400 'not an image' --data-binary hello "${url}v1/segment"
    check 'another path' answers 404 'openapi.json' "${url}v1/other"
    check 'another method' answers 405 'use POST' "${url}v1/segment"
    check 'another model' answers 404 'not a model' --data-binary "@$photo" "${url}v1/segment?model=x"
    check 'the page' answers 200 '<!doctype html>' "$url"
    check 'the log is JSON' grep -q '"route":"/v1/segment","status":200,"ms":[0-9.]*,"model":"run","width":96,"height":64' "$work/log"
    check 'SIGTERM ends it with status 0' stops

    # Each path of the routes is described, and no other.
    paths() { sed -n 's|^    {"\([A-Z]*\)", "\([^"]*\)".*|\2|p' "$root/serve/routes.c" | grep -vE '^/(page|icon)\.' | sed 's/\*/{name}/' | sort -u; }
    described() { sed -n 's|^  "\(/[^"]*\)": {$|\1|p' "$root/serve/page/openapi.json" | sort -u; }
    check 'openapi.json describes the routes' test "$(paths)" = "$(described)"

    # CLIP's weights and class names in place of a checkpoint
    echo '{}' >"$work/templates.txt"
    open=(--classes 'sky; grass; person, man' --templates "$work/templates.txt" --activation quick_gelu --no-cache)
    icseg segment "$root/tests/parity/open_patch16.safetensors" "$photo" --out "$work/open" "${open[@]}" >/dev/null 2>&1
    start "words=$root/tests/parity/open_patch16.safetensors" "${open[@]}"
    check 'it says what the weights are' grep -q 'method naclip, logit scale 40, 3 classes, 4 words$' "$work/notes"
    check 'an open vocabulary' answers 200 PNG --data-binary "@$photo" "${url}v1/segment?format=png"
    check 'as segment labels it' cmp "$work/answer" "$work/open/000000.png"
    check 'its classes' answers 200 '"person"' "${url}v2/models/words"
    check 'SIGHUP opens it again' bash -c "kill -HUP $server && sleep 0.5 && curl -sf '${url}v2/models/words' >/dev/null"
    check 'and it ends' stops
    expect 2 'any classes cannot be calibrated' icseg serve "$root/tests/parity/open_patch16.safetensors" "${open[@]}" --precision int8
    expect 2 '--threshold is for CLIP.s weights .*, which need --classes; add it' \
        icseg serve "$work/run/checkpoint.safetensors" --threshold 0.5
    expect 2 'is one class' icseg serve "$root/tests/parity/open_patch16.safetensors" --classes sky
    expect 2 'trained for its classes, not CLIP' icseg serve "$work/run/checkpoint.safetensors" "${open[@]}"

    echo a-long-enough-token >"$work/token"
    start "a=$work/run/checkpoint.safetensors" "b=$work/run/checkpoint.safetensors" --token-file "$work/token" --no-log
    check 'without the token' answers 401 'token' "${url}v2/models/a"
    check 'with it' answers 200 '"name":"b"' -H 'Authorization: Bearer a-long-enough-token' "${url}v2/models/b"
    check 'loads a model again' answers 200 '{}' -X POST -H 'Authorization: Bearer a-long-enough-token' "${url}v2/repository/models/b/load"
    check 'stops' stops
    check 'no log' test ! -s "$work/log"

    printf '{"MODEL": {"c": "%s"}, "no-log": true, "queue": 3, "token-file": "%s"}' "$work/run/checkpoint.safetensors" "$work/token" >"$work/config.json"
    start --config "$work/config.json" "d=$work/run/checkpoint.safetensors" --queue 4
    check 'a model of the file' answers 200 '"name":"c"' -H 'Authorization: Bearer a-long-enough-token' "${url}v2/models/c"
    check 'and one of the command line' answers 200 '"name":"d"' -H 'Authorization: Bearer a-long-enough-token' "${url}v2/models/d"
    check 'whose options take precedence' answers 200 'icseg_queue_limit 4' -H 'Authorization: Bearer a-long-enough-token' "${url}metrics"
    check 'stops, too' stops
    echo '{"queue": 3, "queues": 4}' >"$work/config.json"
    expect 2 'config.json: queues: .*did you mean queue' icseg serve --config="$work/config.json" "$work/run/checkpoint.safetensors"
    echo '{"queue": [3]}' >"$work/config.json"
    expect 2 'config.json: queue: expected a text, a number, true or false' icseg serve --config "$work/config.json"
    echo '{"queue": -1}' >"$work/config.json"
    expect 2 'config.json: queue: .*-1' icseg serve --config "$work/config.json"
    echo '{"queue": 3' >"$work/config.json"
    expect 2 'config.json:.*expected a JSON object' icseg serve --config "$work/config.json"
    expect 1 'nothing.json' icseg serve --config "$work/nothing.json"

    expect 2 'MODEL: two models are called "run"' icseg serve "$work/run/checkpoint.safetensors" "$work/run/checkpoint.safetensors"
    expect 2 'listen is "8080": expected an address and a port, such as 127.0.0.1:8080' icseg serve "$work/run/checkpoint.safetensors" --listen 8080
    echo short >"$work/token"
    expect 2 'a token of at least 8 characters' icseg serve "$work/run/checkpoint.safetensors" --token-file "$work/token"
    expect 1 'checkpoint.safetensors' icseg serve "$work/nothing/checkpoint.safetensors"
    expect 2 'MODEL' icseg serve
fi
