# SPDX-License-Identifier: Apache-2.0
# icseg dataset import reads zip archives; nothing is left of what it unpacks, also after a failure.
# The archive contains set/images/x.png and x.json, which is LabelMe's.
base64 -d >"$work/export.zip" <<END
UEsDBBQAAAAIAAAAIVzkeu/pZwAAAGkAAAAQAAAAc2V0L2ltYWdlcy94LnBuZ+sM8HPn5ZLiYmBg4PX0cAkC0ixAzMzBBCStp1lO
BFIGni6OIRVzkhMELm7g9Fj5InLD0yOybGGesccvnLnV6V0+r/bEAdX0J2JTr5vkXt3nfZ5B+IuA7g0Hm6lAvQyern4u65wSmgBQ
SwMEFAAAAAgAAAAhXM+lz7xuAAAAlQAAABEAAABzZXQvaW1hZ2VzL3guanNvbqtWKs5ILEgtVrJSiK5WyklMSs0BMpVKilJTlXQU
lAryM/NKwJLRBjoKBrE6CtFGCNo4FsiAGBBfUlmQCtJZkJ9TmZ6fp1QLksrMTUxPDUgsyQDJVOgV5KUrwUTDM1PAwiYwAY/UzPSM
EqCIcS0AUEsBAhQDFAAAAAgAAAAhXOR67+lnAAAAaQAAABAAAAAAAAAAAAAAAIABAAAAAHNldC9pbWFnZXMveC5wbmdQSwECFAMU
AAAACAAAACFcz6XPvG4AAACVAAAAEQAAAAAAAAAAAAAAgAGVAAAAc2V0L2ltYWdlcy94Lmpzb25QSwUGAAAAAAIAAgB9AAAAMgEA
AAAA
END
left() { find "$work" -name '.import.*'; }
expect 0 'made: 1 image, 2 classes, 1 object .read as labelme' icseg dataset import "$work/export.zip" "$work/made"
check 'nothing is left' test -z "$(left)$(find "$work/made" -name '*.json')"
expect 0 'read as labelme' icseg dataset import "$work/export.zip" "$work/named" --format labelme
head -c 300 "$work/export.zip" >"$work/cut.zip"
refuse 1 'cut.zip: this zip archive has no directory at its end: the file is cut short' icseg dataset import "$work/cut.zip" "$work/none"
check 'no folder' test ! -e "$work/none"
expect 1 . icseg dataset import "$work/export.zip" "$work/none" --format coco
check 'no folder' test ! -e "$work/none"
check 'nothing is left' test -z "$(left)"
