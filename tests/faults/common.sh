# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/faults.sh and by the groups: the commands on which faults are tried, and how their results are judged.
#
# Each trial has a folder of its own, $work, with the inputs in in/ and the results in out/. out/ begins with old results:
# files of the right names with other contents. What it must contain at the end was made by an undisturbed run.
# From scripts/faults.sh: $program, $build, $base (inputs, old and new results), $scratch, $seed; $quick and $only, which may be empty.
set -u
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=passive LC_ALL=C
passed=0 failed=0 status=0
work=$scratch/work_${group:=base}
writing_jobs=(train resume import convert calibrate predict eval synth forward classify show)
all_jobs=("${writing_jobs[@]}" check tokenize info)
every_job=("${all_jobs[@]}")
if [ "${only:-}" ]; then all_jobs=("$only") writing_jobs=("$only"); fi
RANDOM=$seed

# The command line of a job, which runs in $work.
arguments() { # JOB
    case $1 in
    train) echo train in/recipe.yaml --out out/run ;;
    resume) echo train in/recipe.yaml --out out/run --resume ;;
    import) echo dataset import in/labels out/set ;;
    convert) echo convert in/clip.pt out/clip.safetensors ;;
    calibrate) echo calibrate in/model.safetensors in/data/images/val/000000.jpg --out out/int8.safetensors ;;
    predict) echo predict in/model.safetensors in/data/images/val --out out/maps --overlay --json ;;
    eval) echo eval in/model.safetensors --data in/data --json out/metrics.json ;;
    synth) echo synth out/scenes --images 2 --val 1 --size 80x64 --seed 5 --force ;;
    forward) echo forward in/model.safetensors in/tensors out/outputs ;;
    classify) echo classify in/model.safetensors in/data/images/val --classes-file in/names.txt --embeddings out/embeddings --no-cache ;; # a cache that fails is a warning
    show) echo dataset show in/data --split val --out out/sheet.png ;;
    check) echo dataset check in/data --decode ;;
    tokenize) echo tokenize --vocab in/merges.txt ;;
    info) echo info in/model.safetensors ;;
    esac
}

begin() { # JOB: a new $work
    rm -rf "${work:?}"
    mkdir -p "$work"
    cp -r "$base/in" "$work/in"
    cp -r "$base/old/$1" "$work/out"
}

# Runs a job in $work, by way of a program such as env, prlimit or setpriv. Sets $status; 124 means that it did not end.
attempt() { # JOB [PROGRAM ARGUMENTS...]
    cd "$work" || exit 1
    # shellcheck disable=SC2046
    { timeout --kill-after=5 60 "${@:2}" "$program" $(arguments "$1") >stdout 2>stderr <in/names.txt; } 2>/dev/null # where bash reports killed processes
    status=$?
}

with_fault() { # JOB NAME=VALUE...: as attempt, with the shim; calls that failed are in $work/log
    rm -f "$work/log"
    attempt "$1" env LD_PRELOAD="$build/io_shim.so" FAULT_UNDER="$work" FAULT_LOG="$work/log" "${@:2}"
}

hit() { [ -s "$work/log" ]; } # whether a call failed

# ---- judgement

without_times() { sed -E 's/"(seconds|images_per_s|peak_mib|date|data|machine)":[^,}]*,?//g' "$@"; }
# The recipe of a run contains the absolute path of its data set.
without_folder() { sed -E 's/^  folder: .*//' "$@"; }
same_recipe() { cmp -s <(without_folder "$1") <(without_folder "$base/new/train/run/recipe.yaml"); } # PATH
# Temporary files and hidden folders that were not there before the run.
leftovers() {
    cd "$work/out" && find . -regextype posix-extended -regex '.*(\.tmp\.[0-9a-f]{16}|/\.import\.[^/]*)' |
        while IFS= read -r file; do [ -e "$base/old/$job/$file" ] || echo "$file"; done
}
is_complete_report() { tail -n 1 "$1" | grep -q '</html>'; }

# Whether out/ is what the job makes; temporary files of killed processes may be there.
right() { # JOB
    local file
    case $1 in
    train | resume)
        for file in checkpoint.safetensors best.safetensors; do
            cmp "$base/new/train/run/$file" "$work/out/run/$file" || return 1
        done
        same_recipe "$work/out/run/recipe.yaml" || { echo "recipe.yaml differs"; return 1; }
        diff <(without_times "$base/new/train/run/log.jsonl") <(without_times "$work/out/run/log.jsonl") || return 1
        is_complete_report "$work/out/run/report.html" && diff <(ls "$base/new/train/run") <(ls -I '*.tmp.????????????????' "$work/out/run")
        ;;
    *) diff -r --exclude='*.tmp.????????????????' --exclude='.import.??????' "$base/new/$1" "$work/out" ;;
    esac >"$work/difference" 2>&1
}
right_output() { cmp -s "$base/new/$1.stdout" "$work/stdout"; } # JOB

# Whether a safetensors file is as long as its header says.
is_whole_safetensors() { # PATH
    local header end
    header=$(od -A n -t u8 -N 8 "$1" | tr -d ' ')
    end=$(tail -c +9 "$1" | head -c "${header:-0}" | grep -aoE '"data_offsets":\[[0-9]+,[0-9]+' | sed 's/.*,//' | sort -n | tail -n 1)
    [ -n "$end" ] && [ "$(stat -c %s "$1")" -eq $((8 + header + end)) ]
}

# Whether a file of a run directory is complete, at whatever step it was written.
is_whole_run_file() { # PATH NAME
    case $2 in
    *.safetensors) is_whole_safetensors "$1" && "$program" info "$1" >/dev/null 2>&1 ;;
    log.jsonl) # lines of the whole run; the last one may be torn
        local lines
        lines=$(wc -l <"$1")
        cmp -s <(head -n "$lines" "$1" | without_times) <(head -n "$lines" "$base/new/train/run/log.jsonl" | without_times) ;;
    recipe.yaml) same_recipe "$1" ;;
    report.html) is_complete_report "$1" ;;
    evaluation.json | images.jsonl) [ "$(tail -c 3 "$1")" = ']}' ] ;;
    *) false ;;
    esac
}

# Prints the first file of out/ that is neither the old one nor a new one: half-written.
half_written() { # JOB
    local path name
    while IFS= read -r path; do
        name=${path#"$work/out/"}
        cmp -s "$path" "$base/new/$1/$name" || cmp -s "$path" "$base/old/$1/$name" ||
            { [[ $1 = train || $1 = resume ]] && is_whole_run_file "$path" "${name#run/}"; } || { echo "$name"; return; }
    done < <(find "$work/out" -type f -not -name '*.tmp.????????????????' -not -path '*/.import.*')
}

# Prints what is wrong after a run that may have failed: nothing if it succeeded with the right results or failed with a
# message and complete files. EXPECTED is a regular expression for the message.
fault_of_run() { # JOB EXPECTED
    local half
    if [ $status -eq 0 ]; then
        if ! right "$1"; then echo "exit status 0, but the results are wrong: $(head -n 3 "$work/difference")"
        elif ! right_output "$1"; then echo "exit status 0, but the output is wrong"
        fi
    elif [ $status -gt 2 ]; then echo "exit status $status"
    elif ! cat "$work/stderr" "$work/stdout" | grep -qE "(error|problem): .*($2)"; then echo "no error message matches: $2"
    else
        half=$(half_written "$1")
        [ -z "$half" ] || echo "out/$half is half-written"
    fi
}

verdict() { # PROBLEM TITLE
    if [ -z "$1" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL  $group: $2"
        echo "        $1"
        [ ! -f "$work/stderr" ] || tail -c 600 "$work/stderr" | sed 's/^/        | /'
    fi
}

points() { # COUNT MOST: at most MOST numbers of 1..COUNT, evenly spaced
    local i most=$(($1 < $2 ? $1 : $2))
    for ((i = 1; i <= most; i++)); do echo $(((2 * i - 1) * $1 / (2 * most) + 1)); done
}

draw() { drawn=$((1 + (RANDOM * 32768 + RANDOM) % $1)); } # COUNT: $drawn is random, of 1..COUNT (a subshell would have other numbers)

finish() { # NOTE: the last line of a group
    rm -rf "${work:?}"
    echo "$group: $((passed + failed)) tried, $passed passed, $failed failed${1:+; $1}"
    echo "$passed passed, $failed failed"
    exit $((failed > 0))
}
