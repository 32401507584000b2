# SPDX-License-Identifier: Apache-2.0
# icseg sweep: the runs of a file, the table, what is skipped, continued and refused; sweeps and runs that are stopped and
# killed; files that are wrong or hostile.
LIMIT=120 icseg synth "$work/data" --images 4 --val 2 --size 96x64 --quiet >/dev/null
recipe() { # STEPS
    cat <<END
model: {preset: tiny-resnet, resnet_width: 4, context_length: 40}
data: {folder: data}
augment: {crop: [64, 64], resize_short: 0}
train: {steps: $1, batch: 2, lr: 2e-3, backbone_lr_mult: 1, warmup: 2, log_every: 1, checkpoint_every: 3, threads: 1}
eval: {resize_short: 0}
END
}
cd "$work"
mkdir sweeps
recipe 4 >sweeps/tiny.yaml
recipe 60 >sweeps/long.yaml

keep() { # the output of the last command, which the next check overwrites
    cp "$scratch/out" out
    cp "$scratch/err" err
}
column() { # FOLDER RUN COLUMN: of a table without quotes
    awk -F, -v run="$2" -v name="$3" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i } $1 == run { print $c }' "$1/sweep.csv"
}
status_of() { [ "$(column "$1" "$2" status)" = "$3" ]; } # FOLDER RUN STATUS
same_weights() { # FOLDER FOLDER RUN...
    local a=$1 b=$2 run
    shift 2
    for run in "$@"; do
        cmp "$a/$run/checkpoint.safetensors" "$b/$run/checkpoint.safetensors" || return 1
        cmp "$a/$run/best.safetensors" "$b/$run/best.safetensors" || return 1
    done
}
files_of() { # all files of runs, with their times
    find "$1" -mindepth 2 -type f -printf '%p %i %T@\n' | sort
}
continued() { grep -q 'resumes after step' "$1/output.txt"; }

# ---- a grid with seeds ----
cat >sweeps/grid.yaml <<'END'
recipe: tiny.yaml
out: grid
set:
  train.clip_norm: 5
grid:
  train.lr: [2e-3, 0.01]
  augment.crop: [[64, 64], [32, 64]]
seeds: [0, 3]
END
a=lr=0.002_crop=64-64_seed=0
expect 0 '^Usage: icseg sweep FILE' icseg sweep --help
expect 0 "^$a +waiting +train.lr=0.002 +augment.crop=\[64, 64\] +train.seed=0\$" icseg sweep sweeps/grid.yaml --dry-run
keep
check 'eight runs, in the order of the file' diff <(cut -d' ' -f1 out) <(
    for lr in 0.002 0.01; do for crop in 64 32; do for seed in 0 3; do echo "lr=${lr}_crop=$crop-64_seed=$seed"; done; done; done)
check 'a dry run writes nothing' test ! -e grid
expect 0 "^$a .* done\$" icseg sweep sweeps/grid.yaml --jobs 2
keep
check 'eight rows' test "$(grep -c ' done$' out)" = 8
check 'the table has a line for each run' test "$(wc -l <grid/sweep.csv)" = 9
check 'the columns' grep -qx 'name,train.lr,augment.crop,train.seed,status,steps,miou,best_miou,best_step,macc,aacc,seconds,peak_mib,message' grid/sweep.csv
check 'values with commas are quoted' grep -q "^$a,0.002,\"\[64, 64\]\",0,done,4,0\." grid/sweep.csv
expect 0 'best mIoU' icseg train sweeps/tiny.yaml --out single --set train.clip_norm=5 --set train.lr=0.01 --set augment.crop=32,64 --set train.seed=3
check 'a run is that of icseg train' cmp single/checkpoint.safetensors grid/lr=0.01_crop=32-64_seed=3/checkpoint.safetensors
check 'seeds differ' bash -c '! cmp -s "$1/checkpoint.safetensors" "$2/checkpoint.safetensors"' sh grid/$a grid/lr=0.002_crop=64-64_seed=3

# Mean and deviation of a sample, worked out from the runs' own logs.
last_miou() { grep '"eval"' "grid/$1/log.jsonl" | tail -n 1 | sed 's/.*"miou"://; s/[,}].*//'; }
expected=$(echo "$(last_miou $a) $(last_miou lr=0.002_crop=64-64_seed=3)" |
    awk '{m = ($1 + $2) / 2; d = $1 > $2 ? $1 - $2 : $2 - $1; printf "%.2f \\+- %.2f", 100 * m, 100 * d / sqrt(2)}')
before=$(files_of grid)
expect 0 "^lr=0.002_crop=64-64 +2 +$expected " icseg sweep sweeps/grid.yaml
keep
check 'says that all is done' grep -q 'grid: 8 of 8 runs are done already' err
check 'runs that are done are not touched' test "$before" = "$(files_of grid)"
expect 0 '^\{"out":"grid","runs":\[\{"name":"lr=0.002_crop=64-64_seed=0","settings":\{"train.lr":"0.002","augment.crop":"\[64, 64\]","train.seed":"0"\},"status":"done","steps":4,"miou":0\..*"means":\[\{"name":"lr=0.002_crop=64-64","seeds":2,"miou":\{"mean":0\.' \
    icseg sweep sweeps/grid.yaml --json
keep
check 'JSON on one line' test "$(wc -l <out)" = 1

# More seeds: only these are trained. The number is written in another way, and is the same run.
sed -i 's/seeds: .*/seeds: [0, 3, 4]/; s/2e-3/0.0020/' sweeps/grid.yaml
expect 0 '8 of 12 runs are done already' icseg sweep sweeps/grid.yaml --jobs 2 --out grid
expect 0 '12 of 12 runs are done already' icseg sweep sweeps/grid.yaml
check 'earlier runs are not touched' test "$before" = "$(files_of grid | grep -v seed=4)"

# Other settings are never mixed with those of a run.
refuse 2 "grid/$a: the run began with train.clip_norm = 5, but the sweep now has 6; set it back, choose another directory with --out" \
    icseg sweep sweeps/grid.yaml --set train.clip_norm=6
refuse 2 'the run began with train.minutes = 0, but the sweep now has 1' icseg sweep sweeps/grid.yaml --dry-run --set train.minutes=1
cp -r data other
refuse 2 'the run began with data.folder = .*/data, but the sweep now has .*/other;' icseg sweep sweeps/grid.yaml --data other
expect 0 ' done$' icseg sweep sweeps/grid.yaml --set train.threads=2 --set train.checkpoint_every=2
check 'nothing was trained' test "$before" = "$(files_of grid | grep -v seed=4)"
cd sweeps
expect 0 '12 of 12 runs are done already' icseg sweep grid.yaml --out ../grid --data ../data
cd ..
awk '{ print "1\t" $0 }' data/classes.txt >weights.tsv
cat >sweeps/weighted.yaml <<'END'
recipe: tiny.yaml
out: weighted
set: {model.class_weights: given, data.class_weights: weights.tsv}
seeds: [0]
END
expect 0 ' done$' icseg sweep sweeps/weighted.yaml
cd sweeps
expect 0 'all 1 run|1 of 1 runs are done already' icseg sweep weighted.yaml --out ../weighted --data ../data --set data.class_weights=../weights.tsv
cd ..
cat >sweeps/early.yaml <<'END'
recipe: tiny.yaml
out: early
set: {train.steps: 8, train.eval_every: 1, train.patience: 1, train.min_delta: 0.9}
seeds: [0, 1]
END
expect 0 ' done$' icseg sweep sweeps/early.yaml
check 'the runs ended early' grep -q '"type":"end","step":2,' early/seed=1/log.jsonl
expect 0 '2 of 2 runs are done already' icseg sweep sweeps/early.yaml
refuse 2 'train.lr: cannot be set on the command line, because the runs of sweeps/grid.yaml differ in it \(line 6\)' \
    icseg sweep sweeps/grid.yaml --set train.lr=1
mkdir -p foreign
cp -r single foreign/$a
refuse 2 "foreign/$a: contains a run that no sweep began" icseg sweep sweeps/grid.yaml --out foreign

# An evaluation that is pending makes the run unfinished. The number of bytes stays the same.
LC_ALL=C sed -i 's/\(eval_pending\\": \)false/\1true /' grid/$a/checkpoint.safetensors
check 'the checkpoint was changed' grep -q 'eval_pending\\": true ' grid/$a/checkpoint.safetensors
expect 0 "^$a +unfinished" icseg sweep sweeps/grid.yaml --dry-run
expect 0 '11 of 12 runs are done already' icseg sweep sweeps/grid.yaml
check 'it was continued' continued grid/$a

# ---- a list of runs; a run that fails ----
head -c 5000 /dev/urandom >broken.pt
cat >sweeps/list.yaml <<'END'
recipe: tiny.yaml
data: data
set: {train.weight_decay: 0.01}
runs:
  - name: first
  - {name: broken, model.init: broken.pt}
  - name: decay
    train.weight_decay: 0.5
    model.align_weights: {8: 0.1, 16: 0.2, 32: 0.3}
END
expect 1 '1 of 3 runs failed; output.txt in the directory of each says why, and the same command tries them again' icseg sweep sweeps/list.yaml
keep
check 'the reason' grep -q '^broken: failed: .*broken.pt' err
check 'the others are done' grep -q '^decay .* done$' out
check 'the table has the reason' grep -q '^broken,.*,failed,.*broken.pt' runs/list/sweep.csv
check 'a run overrides set' grep -q 'weight_decay: 0.5$' runs/list/decay/recipe.yaml
check 'set applies to the others' grep -q 'weight_decay: 0.01$' runs/list/first/recipe.yaml
check 'lists and mappings' grep -q 'align_weights: {8: 0.1, 16: 0.2, 32: 0.3}$' runs/list/decay/recipe.yaml
cp single/best.safetensors broken.pt
expect 0 '2 of 3 runs are done already' icseg sweep sweeps/list.yaml
check 'the run that failed is done now' grep -q '^broken,.*,done,.*,$' runs/list/sweep.csv

# The threads of the machine are divided among the runs at a time.
sed 's/, threads: 1//' sweeps/tiny.yaml >sweeps/free.yaml
printf 'recipe: free.yaml\nseeds: [1]\n' >sweeps/threads.yaml
OMP_NUM_THREADS=4 expect 0 ' done$' icseg sweep sweeps/threads.yaml --jobs 2
check 'two threads each' grep -q '"threads":2,' runs/threads/seed=1/log.jsonl

# ---- stops and kills ----
printf 'recipe: long.yaml\nseeds: [1, 2]\n' >sweeps/long_sweep.yaml
expect 0 ' done$' icseg sweep sweeps/long_sweep.yaml --out whole --jobs 2
lines() { cat "$1"/seed=[12]/log.jsonl 2>/dev/null | wc -l; }
free_again() { timeout 60 flock "$1" true; } # no run that a killed sweep began works in the folder
stopped() { # SIGNAL FOLDER JOBS
    caught "$1" "$2" "[ \"\$(lines '$2')\" -ge 6 ]" "$program" sweep sweeps/long_sweep.yaml --out "$2" --jobs "$3"
}
check 'SIGINT stops with status 3' stopped INT int 2
check 'it says how to continue' grep -q '^icseg sweep: stopped; 0 of 2 runs are done; the same command continues the sweep$' "$scratch/caught"
check 'the runs are saved' test -s int/seed=1/checkpoint.safetensors -a -s int/seed=2/checkpoint.safetensors
check 'their processes have ended' flock -n int true
check 'the table says so' status_of int seed=1 stopped
expect 0 '^seed=1 +unfinished' icseg sweep sweeps/long_sweep.yaml --out int --dry-run
expect 0 ' done$' icseg sweep sweeps/long_sweep.yaml --out int --jobs 2
check 'the runs were continued' continued int/seed=1
check 'SIGINT: the same bytes' same_weights whole int seed=1 seed=2

check 'SIGTERM stops with status 3' stopped TERM term 1
check 'the second run has not begun' status_of term seed=2 waiting
check 'kill -9' stopped KILL kill 2
check 'the runs of a killed sweep stop' free_again kill
check 'they have saved their state' grep -q '^icseg train: stopped after step' kill/seed=1/output.txt
expect 0 ' done$' icseg sweep sweeps/long_sweep.yaml --out kill --jobs 2
check 'kill -9: the same bytes' same_weights whole kill seed=1 seed=2

child_of() { # PID: of its only process
    grep -ls "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status | cut -d/ -f3
}
killed_child() { # FOLDER: status of the sweep whose first run is killed
    local pid
    for _ in 1 2 3 4 5; do
        rm -rf "$1"
        "$program" sweep sweeps/long_sweep.yaml --out "$1" >"$scratch/caught" 2>&1 </dev/null &
        pid=$!
        until [ "$(lines "$1")" -ge 6 ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
        kill -KILL "$(child_of $pid)" 2>/dev/null
        wait $pid
        [ $? -eq 0 ] || return 0
    done
    return 1
}
check 'a run is killed' killed_child child
check 'it is listed' grep -q '^seed=1: failed: ended by signal 9 (Killed)' "$scratch/caught"
check 'the other one is done' status_of child seed=2 done
expect 0 '1 of 2 runs are done already' icseg sweep sweeps/long_sweep.yaml --out child
check 'a killed run was continued' continued child/seed=1
check 'a killed run: the same bytes' same_weights whole child seed=1 seed=2

# One sweep at a time.
check 'a sweep that is stopped for a while' stopped STOP busy 1
refuse 1 'busy: another sweep, or a run that it began, still works in this directory; wait until it has ended' \
    icseg sweep sweeps/long_sweep.yaml --out busy
kill -TERM $victim
kill -CONT $victim
wait $victim

# ---- wrong files ----
wrong() { # STATUS REGEX FILE: its text, with \n
    printf '%b' "$3" >sweeps/wrong.yaml
    refuse "$1" "sweeps/wrong.yaml$2" icseg sweep sweeps/wrong.yaml --out wrong
}
r='recipe: tiny.yaml\n'
wrong 2 ':3: train.lr: "x" is not accepted; expected a number above 0$' "${r}grid:\n  train.lr: [1e-3, x]\n"
wrong 2 ':4: train.batch: "0" is not accepted' "${r}grid:\n  train.lr: [1e-3]\n  train.batch: [1, 2, 0]\n"
wrong 2 ':3: train.lrr: unknown key; did you mean train.lr\?$' "${r}grid:\n  train.lrr: [1]\n"
wrong 2 ':3: train: unknown key; a key begins with its section, as in train.lr' "${r}set:\n  train: {lr: 1}\n"
wrong 2 ':2: pretrain.lr: is a key of icseg pretrain' "${r}set: {pretrain.lr: 1}\nseeds: [1]\n"
wrong 1 ':3: train.lr: expected a list of values' "${r}grid:\n  train.lr: 1e-3\n"
wrong 2 ':3: train.lr: the list is empty' "${r}grid:\n  train.lr: []\n"
wrong 2 ':2: grid: is empty' "${r}grid: {}\n"
wrong 2 ':2: runs: the list is empty' "${r}runs: []\n"
wrong 1 ':2: seeds: expected a list' "${r}seeds: 3\n"
wrong 2 ':2: train.seed: "-1" is not accepted' "${r}seeds: [1, -1]\n"
wrong 2 ': expected grid, runs or seeds' "$r"
wrong 2 ': "recipe: FILE" is missing' 'seeds: [1]\n'
wrong 2 ':1: recipe: is empty' 'recipe:\nseeds: [1]\n'
wrong 1 ':1: recipe: sweeps/no.yaml: cannot open' 'recipe: no.yaml\nseeds: [1]\n'
wrong 2 ':2: sets: unknown key; did you mean set\?' "${r}sets: {train.lr: 1}\n"
wrong 2 ':2: train.lr: put keys of the recipe into set, grid or runs' "${r}train.lr: 1\n"
wrong 2 ':3: seeds: occurs twice, first in line 2' "${r}seeds: [1]\nseeds: [2]\n"
wrong 2 ':4: train.lr: is set twice, first in line 3' "${r}set:\n  train.lr: 1\n  train.lr: 2\nseeds: [1]\n"
wrong 2 ':4: train.lr: is in the grid twice, first in line 3' "${r}grid:\n  train.lr: [1]\n  train.lr: [2]\n"
wrong 2 ':3: train.lr: is in the grid, and is set in line 2' "${r}set: {train.lr: 1}\ngrid: {train.lr: [2]}\n"
wrong 2 ':2: train.seed: the file also has seeds' "${r}set: {train.seed: 1}\nseeds: [2]\n"
wrong 2 ':3: data.folder: is set twice, first in line 2' "${r}data: data\nset: {data.folder: data}\nseeds: [1]\n"
wrong 2 ':3: runs: this run has no name' "${r}runs:\n  - train.lr: 1\n"
wrong 2 ':4: name: "a" is the name of two runs, first in line 3' "${r}runs:\n  - name: a\n  - name: a\n"
for name in ../a a/b .a -a '""' "$(printf 'n%.0s' {1..201})"; do wrong 2 ':2: name: ' "${r}runs: [{name: $name}]\n"; done
wrong 2 ': two runs would have the name lr=0.1;' "${r}grid: {train.lr: [0.1, 1e-1]}\n"
wrong 2 ': two runs would have the name seed=1;' "${r}seeds: [1, 2, 1]\n"
wrong 2 ': run warmup=4: train.warmup: 4 steps of warm-up do not fit into train.steps = 4$' "${r}grid: {train.warmup: [1, 4]}\n"
wrong 2 ': run seed=1: data.folder: the folder "no" does not exist; set it with --data$' "${r}data: no\nseeds: [1]\n"
wrong 2 ': run seed=1: model.init: the file or folder "no.pt" does not exist$' "${r}init: no.pt\nseeds: [1]\n"
seeds=$(seq -s, 101)
wrong 2 ': more than 10000 runs' "${r}grid: {train.batch: [$(seq -s, 100)]}\nseeds: [$seeds]\n"
wrong 2 ':2: seeds: more than 10000 values' "${r}seeds: [$(seq -s, 10001)]\n"
check 'no wrong file made a folder' test ! -e wrong
refuse 2 '"x" is not KEY=VALUE' icseg sweep sweeps/grid.yaml --set x
refuse 2 'train.lrr: unknown key; did you mean train.lr' icseg sweep sweeps/grid.yaml --set train.lrr=1
refuse 2 'jobs.*0' icseg sweep sweeps/grid.yaml --jobs 0
refuse 1 'no.yaml: cannot open' icseg sweep no.yaml

expect 0 '^denseclip_lr=0.0005_seed=2 +waiting .*model.align_weights=\{32: 0.4\}' icseg sweep "$root/examples/sweep.yaml" --data data --dry-run
check 'the example has twelve runs' test "$(icseg sweep "$root/examples/sweep.yaml" --data data --dry-run | wc -l)" = 12

# ---- hostile files ----
wrong 1 ':2: anchors' "${r}seeds: &a [1]\ngrid: {train.batch: *a}\n"
wrong 1 ':2: tags' "${r}seeds: !x [1]\n"
wrong 1 ':2: augment.crop: nested too deeply' "${r}grid: {augment.crop: [[[64]]]}\n"
wrong 1 ':3: contains a second document' "${r}seeds: [1]\n---\nx\n"
wrong 1 ': contains a NUL byte' "${r}seeds: [1]\n\0"
wrong 1 ': not YAML' "${r}seeds: [1]\n\377"
wrong 1 ':2: seeds: nested too deeply' "${r}seeds: [$(printf '[%.0s' {1..20000})"
wrong 1 ':1: expected "recipe: FILE"' ''
wrong 1 ':1: recipe: /dev/zero: not a regular file' 'recipe: /dev/zero\nseeds: [1]\n'
head -c 2000000 /dev/zero | tr '\0' '#' >sweeps/large.yaml
refuse 1 'sweeps/large.yaml: larger than 1048576 bytes' icseg sweep sweeps/large.yaml
cat >sweeps/control.yaml <<'END'
recipe: tiny.yaml
runs: [{name: a, model.init_weights: "\e[31m", model.init: broken.pt}]
END
expect 0 'model.init_weights=\?\[31m' icseg sweep sweeps/control.yaml --dry-run
cut_anywhere() { # a file that ends early is an error or a shorter sweep, and never a crash
    local size=1 status
    while [ $size -lt "$(stat -c %s sweeps/list.yaml)" ]; do
        head -c $size sweeps/list.yaml >sweeps/cut.yaml
        "$program" sweep sweeps/cut.yaml --dry-run --out cut >"$scratch/out" 2>"$scratch/err"
        status=$?
        [ $status -le 2 ] && [ "$(wc -l <"$scratch/err")" -le 1 ] || return 1
        size=$((size + 7))
    done
}
check 'files that were cut' cut_anywhere
cd "$root"
