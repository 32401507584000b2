# SPDX-License-Identifier: Apache-2.0
# icseg video: an overlay video and label maps of a video, which is a GIF.
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
    refuse 2 'nothing to write; name a video with --overlay or a folder with --labels' video "$work/two.gif"
    refuse 1 'nowhere.mp4: cannot open' video "$work/nowhere.mp4" --labels "$work/x"
    head -c 700 "$work/two.mp4" >"$work/cut.mp4"
    refuse 1 'cut.mp4: ' video "$work/cut.mp4" --labels "$work/x"
    refuse 1 'two.txt: the extension is not that of a video format' video "$work/two.gif" --overlay "$work/two.txt"
    check 'the program itself does not load FFmpeg' eval '! readelf -d "$program" "$(dirname "$program")/libicseg.so" | grep -q libav'
else
    refuse 1 'does not read or write videos' video "$tiny" --labels "$work/x"
fi

echo 'not an image' >"$work/clip.mp4"
refuse 1 'clip.mp4: .*; .icseg video. labels videos' icseg predict "$tiny" "$work/clip.mp4" --out "$work/none"
