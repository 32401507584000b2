# SPDX-License-Identifier: Apache-2.0
# CPack: a Debian package of everything that is installed (packaging/deb.sh).
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME icseg)
set(CPACK_PACKAGE_VENDOR "icseg")
set(CPACK_PACKAGE_CONTACT "icseg maintainers <maintainers@icseg.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "semantic segmentation with CLIP on CPUs")
set(CPACK_PACKAGE_DESCRIPTION "Turns a CLIP model into a semantic segmentation model, trains it, evaluates it and
runs it on CPUs: the program icseg, and the C library libicseg with its headers.")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
if(ICSEG_VIDEO)
  set(CPACK_DEBIAN_PACKAGE_SUGGESTS "ffmpeg") # its libraries are loaded when a video is opened
endif()
if(ICSEG_SERVE)
  set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/packaging/debian/prerm")
endif()
include(CPack)
