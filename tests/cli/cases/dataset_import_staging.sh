# SPDX-License-Identifier: Apache-2.0
# The hidden folder in which icseg dataset import collects files: what it removes, what it does not, two imports at once.
mkdir "$work/labels" "$work/broken"
image=iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAAMElEQVR4nGNgENGwCUip6Fmw5cQdBlZJXcfQzNqJS3eefcjAJWfkFpXXNG3VvkvPABP0EC3YQDyVAAAAAElFTkSuQmCC
for i in $(seq 300); do
    base64 -d >"$work/labels/$i.png" <<<"$image"
    echo '{"shapes": [{"label": "tree", "points": [[0, 0], [2, 0], [2, 3]], "shape_type": "polygon"}], "imagePath": "x.png",
           "imageWidth": 4, "imageHeight": 3}' >"$work/labels/$i.json"
done
echo '{"shapes": [{"points": 1}]}' >"$work/broken/a.json"
import() { icseg dataset import "$work/labels" "$@"; }
hidden() { find "$1" -name '.import.*' | wc -l; }

# A user's folder is never removed, whatever its name.
for name in .import.999999_backup .import.999999999 .import.abcdef; do
    mkdir -p "$work/user/$name"
    echo precious >"$work/user/$name/file"
    refuse 2 'user: the folder is not empty; use a new or empty folder' import "$work/user"
    refuse 2 'user: the folder is not empty' icseg dataset import "$work/broken" "$work/user" --format labelme
    check "$name is still there" grep -q precious "$work/user/$name/file"
    rm -r "${work:?}/user/$name"
done
ln -s "$work/labels" "$work/user/.import.abcdef"
refuse 2 'user: the folder is not empty' import "$work/user"
check 'the target of a link is still there' test -e "$work/labels/1.json"

# An import that was killed leaves a hidden folder, which the next import removes.
check 'the import is stopped' caught STOP "$work/killed" '[ "$(find "$work/killed" -name "*.png" | head -1)" ]' \
    "$program" dataset import "$work/labels" "$work/killed"
check 'an import at work has one hidden folder' test "$(hidden "$work/killed")" = 1
refuse 1 'killed: another process is writing to this folder; wait until it ends, or use another folder' import "$work/killed"
refuse 1 'killed: another process is writing to this folder' icseg dataset import "$work/broken" "$work/killed" --format labelme
check 'its hidden folder is still there' test "$(hidden "$work/killed")" = 1
kill -KILL $victim
wait $victim 2>/dev/null
expect 0 'killed: 300 images' import "$work/killed"
check 'all images are there' test "$(find "$work/killed/images" -type f | wc -l)" = 300
check 'nothing hidden is left' test "$(hidden "$work/killed")" = 0

# A failed import removes the folders that it created, and no others.
mkdir "$work/above"
expect 1 'problem' icseg dataset import "$work/broken" "$work/above/a/b/" --format labelme
check 'the new folders are gone' test ! -e "$work/above/a"
check 'the folder above is there' test -d "$work/above"
