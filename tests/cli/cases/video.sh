# SPDX-License-Identifier: Apache-2.0
# icseg video: an overlay video and label maps of a video, which is a GIF, and of an emulated camera.
source "$root/tests/cli/tiny_model.sh"
video() { icseg video "$tiny" "$@"; }
if icseg --version | grep -q '^parts.* video'; then
    # A GIF of two frames of 8 x 8 pixels, red and blue.
    base64 -d >"$work/two.gif" <<'BASE64'
R0lGODlhKAAgAJEAAP8AAAAA/wD/AP///yH5BAAKAAAALAAAAAAoACAAAAL/BAgQIECAAAECBAhQokSJEiVKlChRokSAAAECBAgQIECAACVKlChRokSJEiVK
BAgQIECAAAECBAhQokSJEiVKlChRokSAAAECBAgQIECAACVKlChRokSJEiVKBAgQIECAAAECBAhQokSJEiVKlChRokSAAAECBAgQIECAACVKlChRokSJEiVK
BAgQIECAAAECBAhQokSJEiVKlChRokSAAAECBAgQIECAACVKlChRokSJEiVKBAgQIECAAAECBAhQokSJEiVKlChRokSAAAECBAgQIECAACVKlChRokSJEiVK
BAgQIECAAAECBAhQokSJEiVKlChRokSAAAECBAgQ/yBAgAAlSpQoUaJEiRIlSgQIECBAgAABAgQIUKJEiRIlSpQoUaJEgAABAgQIECBAgAAlSpQoUaJEiRIl
SgQIECBAgAABAgQIUKJEiRIlSpQoUaJEgAABAgQIECBAgAAlSpQoUaJEiRIlSgQIECBAgAABAgQIUKJEiRIlSpQoUaJEgAABAgQIECBAgAAlSpQoUaJEiRIl
SgQIECBAgAABAgQIUKJEiRIlSpQoUaJEgAABAgQIECBAgAAlSpQoUaJEiRIlSgQIECBAgAABAgQIUKJEiRIlSpQoUaJEgAABAgQIECBAgAAlSpQoUaJEiRIl
SgQIECBAgAABAgQIUKJEidMSJUqUKFGiRIAAAQIECBAgQIAAJUqUKFGiRIkSJUoECBAgQIAAAQIECFCiRIkSJUqUKFGiRIAAAQIECBAgQIAAJUqUKFGiRIkS
JUoECBAgQIAAAQIECFCiRIkSJUqUKFGiRIAAAQIECBAgQIAAJUqUKFGiRIkSJUoECBAgQIAAAQIECFCiRIkSJUqUKFGiRIAAAQIECBAgQIAAJUqUKFGiRIkS
JUoECBAgQIAAAQIECFCiRIkSJUqUKFGiRIAAAQIECBAgQIAAJUqUKFGiRIkSJUoFACH5BAAKAAAALAAAAAAoACAAAAL/TJgwYcKECRMmTJhQokSJEiVKlChR
osSECRMmTJgwYcKECSVKlChRokSJEiVKTJgwYcKECRMmTJhQokSJEiVKlChRosSECRMmTJgwYcKECSVKlChRokSJEiVKTJgwYcKECRMmTJhQokSJEiVKlChR
osSECRMmTJgwYcKECSVKlChRokSJEiVKTJgwYcKECRMmTJhQokSJEiVKlChRosSECRMmTJgwYcKECSVKlChRokSJEiVKTJgwYcKECRMmTJhQokSJEiVKlChR
osSECRMmTJgwYcKECSVKlChRokSJEiVKTJgwYcKECRMmTJhQokSJEiVKlChRosSECRMmTJgw/2HChAklSpQoUaJEiRIlSkyYMGHChAkTJkyYUKJEiRIlSpQo
UaLEhAkTJkyYMGHChAklSpQoUaJEiRIlSkyYMGHChAkTJkyYUKJEiRIlSpQoUaLEhAkTJkyYMGHChAklSpQoUaJEiRIlSkyYMGHChAkTJkyYUKJEiRIlSpQo
UaLEhAkTJkyYMGHChAklSpQoUaJEiRIlSkyYMGHChAkTJkyYUKJEiRIlSpQoUaLEhAkTJkyYMGHChAklSpQoUaJEiRIlSkyYMGHChAkTJkyYUKJEiRIlSpQo
UaLEhAkTJkyYMGHChAklSpQoUaJEiRIlSkyYMGHChAkTJkyYUKJEidMSJUqUKFGixIQJEyZMmDBhwoQJJUqUKFGiRIkSJUpMmDBhwoQJEyZMmFCiRIkSJUqU
KFGixIQJEyZMmDBhwoQJJUqUKFGiRIkSJUpMmDBhwoQJEyZMmFCiRIkSJUqUKFGixIQJEyZMmDBhwoQJJUqUKFGiRIkSJUpMmDBhwoQJEyZMmFCiRIkSJUqU
KFGixIQJEyZMmDBhwoQJJUqUKFGiRIkSJUpMmDBhwoQJEyZMmFCiRIkSJUqUKFGixIQJEyZMmDBhwoQJJUqUKFGiRIkSJUoFADs=
BASE64
    expect 0 '^2 frames of 40x32 pixels in [0-9.]+ s: [0-9.]+ frames a second$' \
        video "$work/two.gif" --overlay "$work/two.mp4" --labels "$work/labels"
    check 'a label map for each frame' test "$(ls "$work/labels" | tr '\n' ' ')" = 'frame_000000.png frame_000001.png '
    check 'nothing else is left' test -z "$(find "$work" -name '*.tmp*')"
    expect 0 '^2 frames of 40x32' video "$work/two.mp4" --labels "$work/again"
    expect 0 '^1 frame of' video "$work/two.mp4" --labels "$work/first" --frames 1
    expect 0 '^1 frame of' video "$work/two.mp4" --labels "$work/second" --every 2
    mkdir "$work/mine" && echo mine >"$work/mine/frame_000001.png"
    refuse 2 'mine/frame_000001.png exists and is not a result of this command; choose another --labels, or .* --force$' \
        video "$work/two.gif" --labels "$work/mine"
    check 'the file is as it was' grep -qx mine "$work/mine/frame_000001.png"
    expect 0 '^2 frames of' video "$work/two.gif" --labels "$work/mine" --force
    expect 0 '^2 frames of' video "$work/two.gif" --labels "$work/mine"
    refuse 2 'nothing to write; name a video with --overlay or a folder with --labels' video "$work/two.gif"
    refuse 1 'nowhere.mp4: cannot open' video "$work/nowhere.mp4" --labels "$work/x"
    refuse 1 '^icseg video: error: 0: cannot open: .*; a camera is a device such as /dev/video0$' video 0 --labels "$work/x"
    refuse 1 'rtsp://a/b: cannot open: .*; addresses are not read' video rtsp://a/b --labels "$work/x"
    refuse 1 '/dev/video77: cannot open: .*; is the camera connected' video /dev/video77 --labels "$work/x"
    refuse 1 'labels: neither a file nor a camera; `icseg predict` labels the images of a folder$' \
        video "$work/labels" --labels "$work/x"
    head -c 700 "$work/two.mp4" >"$work/cut.mp4"
    refuse 1 'cut.mp4: ' video "$work/cut.mp4" --labels "$work/x"
    refuse 1 'two.txt: the extension is not that of a video format' video "$work/two.gif" --overlay "$work/two.txt"
    check 'the program itself does not load FFmpeg' eval '! readelf -d "$program" "$(dirname "$program")/libicseg.so" | grep -q libav'
else
    refuse 1 'does not read or write videos' video "$tiny" --labels "$work/x"
fi

echo 'not an image' >"$work/clip.mp4"
refuse 1 'clip.mp4: .*; .icseg video. labels videos' icseg predict "$tiny" "$work/clip.mp4" --out "$work/none"

# A camera, which a library emulates (camera_shim.c): it waits for the label map of a frame before it delivers the next.
shim=$(dirname "$program")/camera_shim.so
preloaded=(LD_PRELOAD="$shim" ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0")
camera() { # [NAME=VALUE...] -- OPTION...
    local settings=()
    while [ "$1" != -- ]; do settings+=("$1"); shift; done
    shift
    env "${preloaded[@]}" "${settings[@]}" timeout 300 "$program" video "$tiny" /dev/video99 "$@"
}
bytes() { head -c "$2" /dev/zero | tr '\0' "\\$1"; } # OCTAL COUNT
rows() { # WHITE BLACK COLUMNS: 48 rows of 64 bytes, the first COLUMNS of them WHITE
    { bytes "$1" "$3"; bytes "$2" $((64 - $3)); } >"$work/row"
    for _ in $(seq 48); do cat "$work/row"; done
}
names() { ls "$1" | tr '\n' ' '; }
if ! icseg --version | grep -q '^parts.* video'; then
    :
elif [ ! -f "$shim" ]; then
    echo "video: the camera is skipped: $shim is not built"
else
    printf 'YUV4MPEG2 W64 H48 F30:1 Ip A1:1 C422\n' >"$work/camera.y4m"
    for k in 0 1 2 3 4 5; do
        { printf 'P5\n64 48\n255\n'; rows 377 000 $((4 * k + 4)); } >"$work/frame_00000$k.pgm"
        chroma=$((k > 2 ? 8 * (k - 2) : 0))
        printf 'FRAME\n'
        rows 353 020 $((4 * k + 4))
        bytes "$(printf %o $((128 + chroma)))" 1536
        bytes "$(printf %o $((128 - chroma)))" 1536
    done >>"$work/camera.y4m"

    # Bit by bit the labels of the same image, and of a file with the same frames.
    expect 0 '^6 frames of 64x48 pixels in [0-9.]+ s: [0-9.]+ frames a second; 0 dropped, 0 damaged$' \
        camera CAMERA_STEP="$work/live" -- --labels "$work/live" --overlay "$work/live.mp4" --frames 6
    expect 0 '^3 images labelled$' icseg predict "$tiny" "$work"/frame_00000[012].pgm --out "$work/images"
    for k in 0 1 2; do
        check "frame $k has the labels of its image" cmp "$work/live/frame_00000$k.png" "$work/images/frame_00000$k.png"
    done
    expect 0 '^6 frames' video "$work/camera.y4m" --labels "$work/file" --overlay "$work/file.mp4"
    check 'and those of a file of the same frames' diff -r "$work/live" "$work/file"
    check 'and so has the overlay video' cmp "$work/live.mp4" "$work/file.mp4"

    # With any classes, bit by bit the labels of icseg segment, of a file and of a camera.
    export XDG_CACHE_HOME=$work/caches
    tensors '{"text_projection":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}' 4 >"$work/raw.safetensors"
    echo '{}' >"$work/templates.txt"
    { printf 'YUV4MPEG2 W64 H48 F30:1 Ip A1:1 Cmono\n'
      for k in 0 1 2; do printf 'FRAME\n'; tail -c 3072 "$work/frame_00000$k.pgm"; done; } >"$work/grey.y4m"
    clip=$root/tests/parity/open_patch16.safetensors
    for open in '--method naclip' '--method clip --refine pamr --mode whole' \
        '--background wall --threshold 0.9 --logit-scale 20 --crop 48x48 --resize-short 64'; do
        read -ra words <<<"$open --activation quick_gelu --templates $work/templates.txt"
        words+=(--classes 'sky; grass; person, man')
        expect 0 'classes, [45] words' icseg segment "$clip" "$work"/frame_00000[012].pgm "${words[@]}" --out "$work/open_images" --force
        expect 0 '^3 frames of 64x48' icseg video "$clip" "$work/grey.y4m" "${words[@]}" --labels "$work/open_video" --overlay "$work/open.mp4"
        for k in 0 1 2; do
            check "$open: frame $k has the labels of its image" cmp "$work/open_video/frame_00000$k.png" "$work/open_images/frame_00000$k.png"
        done
    done
    expect 0 '^6 frames of 64x48' env "${preloaded[@]}" CAMERA_STEP="$work/open_camera" timeout 300 "$program" video "$clip" \
        /dev/video99 "${words[@]}" --labels "$work/open_camera" --frames 6
    expect 0 '^6 frames of 64x48' icseg video "$clip" "$work/camera.y4m" "${words[@]}" --labels "$work/open_video"
    check 'and so has a camera' diff -r "$work/open_camera" "$work/open_video"
    expect 0 'words, whose embeddings are from the cache' icseg video "$clip" "$work/two.gif" "${words[@]}" --labels "$work/open_cached"
    refuse 1 'CLIP.s weights, .*, or --classes "cat; dog"$' icseg video "$work/raw.safetensors" "$work/two.gif" --labels "$work/x"
    refuse 2 '"sky" is one class' icseg video "$clip" "$work/two.gif" --classes sky --labels "$work/x"
    refuse 2 'trained for its classes, not CLIP.s weights' icseg video "$tiny" "$work/two.gif" --classes 'a; b' --labels "$work/x"
    refuse 2 '^icseg video: error: --method is for CLIP.s weights with any classes, which need --classes; add it, or leave --method out$' \
        icseg video "$tiny" "$work/two.gif" --method clip --labels "$work/x"
    refuse 2 '--precision int8: CLIP.s weights with any classes cannot be calibrated, which int8 needs; use bf16 or bf16x2$' \
        icseg video "$clip" "$work/two.gif" --classes 'a; b' --precision int8 --labels "$work/x"

    # Frames that arrive while the model works: the newest is labelled, the others are counted.
    expect 1 '^[0-9]+ frames? of' camera CAMERA_STEP="$work/burst" CAMERA_BURST=1 CAMERA_FRAMES=60 CAMERA_DAMAGED=5 -- \
        --labels "$work/burst" --overlay "$work/burst.mp4"
    cp "$scratch/out" "$work/burst.txt"
    labelled=$(ls "$work/burst" | wc -l)
    check 'the newest frame is labelled' test -f "$work/burst/frame_000059.png"
    check 'each frame is labelled, dropped or damaged' \
        grep -q "^$labelled frames .*; $((59 - labelled)) dropped, 1 damaged\$" "$work/burst.txt"
    expect 0 "^$labelled frames of 64x48" video "$work/burst.mp4" --labels "$work/again_burst"
    expect 0 '^2 frames' camera CAMERA_STEP="$work/every" CAMERA_BURST=1 -- --labels "$work/every" --every 50 --frames 2
    check 'every 50th frame at most' test "$(ls "$work/every" | tail -n 1)" '>' frame_000049.png

    # Unplugged: what was written stays.
    expect 1 '^icseg video: error: /dev/video99: the camera was disconnected; what was labelled before is written$' \
        camera CAMERA_STEP="$work/off" CAMERA_FRAMES=3 -- --labels "$work/off" --overlay "$work/off.mp4"
    check 'the label maps stay' test "$(names "$work/off")" = 'frame_000000.png frame_000001.png frame_000002.png '
    expect 0 '^3 frames' video "$work/off.mp4" --labels "$work/off_again"
    expect 1 '/dev/video99: the camera was disconnected$' camera CAMERA_FRAMES=0 -- --labels "$work/x"

    # Ctrl-C, here while no frame arrives.
    check 'SIGTERM stops a camera' caught TERM "$work/stop" '[ -e "$work/stop/frame_000000.png" ]' env "${preloaded[@]}" \
        CAMERA_STEP=/nowhere "$program" video "$tiny" /dev/video99 --labels "$work/stop" --overlay "$work/stop.mp4"
    check 'it says how many frames are labelled' grep -qx 'icseg video: stopped after 1 frame' "$scratch/caught"
    expect 0 '^1 frame of' video "$work/stop.mp4" --labels "$work/stop_again"

    # Sizes, rates, MJPEG.
    expect 0 '^note: --camera-size 100x100: the camera delivers 128x96 pixels$' camera -- --labels "$work/size" \
        --camera-size 100x100 --frames 1
    expect 0 '^note: --camera-rate 12: the camera delivers 15 frames a second$' camera -- --labels "$work/rate" \
        --camera-rate 12 --frames 1
    expect 0 '^1 frame of 128x96' camera -- --labels "$work/size" --camera-size 128x96 --camera-rate 30 --frames 1
    check 'a size and a rate that the camera has are not mentioned' eval '! grep -q note: "$scratch/err"'
    refuse 2 '--camera-rate: .*camera.y4m is not a camera' video "$work/camera.y4m" --labels "$work/x" --camera-rate 5
    base64 -d >"$work/bars.jpg" <<'BASE64'
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/
2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAARCAAwAEADASIAAhEBAxEB/8QA
FgABAQEAAAAAAAAAAAAAAAAAAAgH/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/EABQBAQAAAAAAAAAAAAAAAAAAAAD/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oA
DAMBAAIRAxEAPwDQAAE/qAT+AAAACgAAE/qAT+AAAACgAAE/qAT+AAAAD//Z
BASE64
    expect 0 '^2 frames of 64x48' camera CAMERA_KIND=jpeg CAMERA_JPEG="$work/bars.jpg" -- --labels "$work/jpeg" --frames 2
    expect 0 '' icseg predict "$tiny" "$work/bars.jpg" --out "$work/images"
    check 'MJPEG: the labels of the JPEG file' cmp "$work/jpeg/frame_000000.png" "$work/images/bars.png"
    echo 'not a JPEG' >"$work/bad.jpg"
    expect 1 '/dev/video99: the last 100 frames of the camera are damaged$' \
        camera CAMERA_KIND=jpeg CAMERA_JPEG="$work/bad.jpg" -- --labels "$work/x"

    # Devices that cannot be read.
    refuse 1 '/dev/video99: another program uses the camera; close that program$' camera CAMERA_BUSY=1 -- --labels "$work/x"
    refuse 1 '/dev/video99: may not be read by this user; .*group "video"' camera CAMERA_KIND=closed -- --labels "$work/x"
    refuse 1 '/dev/video99: this device does not capture video; .*try the one before' \
        camera CAMERA_KIND=metadata -- --labels "$work/x"
    refuse 1 '/dev/video99: FFmpeg reads none of the pixel formats that the camera offers$' \
        camera CAMERA_KIND=odd -- --labels "$work/x"
    refuse 1 '/dev/video99: the camera only delivers h264' camera CAMERA_KIND=h264 -- --labels "$work/x"
    refuse 1 '^icseg video: error: /dev/null: not a camera; expected a device of V4L2, such as /dev/video0$' \
        icseg video "$tiny" /dev/null --labels "$work/x"
fi
