# SPDX-License-Identifier: Apache-2.0
# icseg dataset import after an import that was killed while it created its hidden folder or moved its files up.
mkdir "$work/labels"
base64 -d >"$work/labels/1.png" <<<iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==
echo '{"shapes": [{"label": "tree", "points": [[0, 0], [1, 1]], "shape_type": "rectangle"}], "imagePath": "1.png",
       "imageWidth": 1, "imageHeight": 1}' >"$work/labels/1.json"
import() { icseg dataset import "$work/labels" "$work/set"; }
files() { (cd "$work/set" && find . -type f | sort); }
expect 0 'set: 1 image,' import
files >"$work/whole"

# Before it had written the file that marks the folder
for content in '' 'icseg import'; do
    rm -r "$work/set"
    mkdir -p "$work/set/.import.abcdef" "$work/set/.import.empty1"
    printf '%s' "$content" >"$work/set/.import.abcdef/staging.lock"
    expect 0 'set: 1 image,' import
    check 'nothing else is there' diff "$work/whole" <(files)
    check 'the hidden folders are gone' test -z "$(find "$work/set" -name '.import.*')"
done
mkdir -p "$work/user/.import.abcdef"
printf 'icseg' >"$work/user/.import.abcdef/staging.lock"
echo precious >"$work/user/.import.abcdef/file"
refuse 2 'user: the folder is not empty' icseg dataset import "$work/labels" "$work/user"
check 'a folder with other files is left alone' grep -q precious "$work/user/.import.abcdef/file"

# After it had moved the images up
killed() {
    rm -rf "$work/set"
    mkdir -p "$work/set/.import.abcdef/annotations/train" "$work/set/images/train"
    echo 'icseg import: a folder of unfinished files' >"$work/set/.import.abcdef/staging.lock"
    echo old | tee "$work/set/.import.abcdef/annotations/train/9.png" >"$work/set/images/train/9.png"
    echo old >"$work/set/.import.abcdef/classes.txt"
}
killed
touch "$work/set/.import.abcdef/staging.moving"
expect 0 'set: 1 image,' import
check 'nothing of the killed import is there' diff "$work/whole" <(files)
killed # but the images are the user's: nothing had been moved
refuse 2 'set: the folder is not empty' import
check 'the images are still there' test -e "$work/set/images/train/9.png"
killed
touch "$work/set/.import.abcdef/staging.moving"
echo mine >"$work/set/classes.txt" # the user has completed the set
refuse 2 'set: the folder is not empty' import
check 'the completed set is still there' test -e "$work/set/images/train/9.png" -a -e "$work/set/classes.txt"
