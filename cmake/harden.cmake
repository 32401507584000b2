# SPDX-License-Identifier: Apache-2.0
# Flags that make memory errors harder to exploit (ICSEG_HARDEN). They are put before the packager's own flags, which
# can therefore undo each of them.
include(CheckCCompilerFlag)
include(CheckCSourceCompiles)
include(CheckLinkerFlag)
include(CheckPIESupported)

set(HARDEN_C "")
foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection)
  string(MAKE_C_IDENTIFIER "ICSEG_C${flag}" known)
  check_c_compiler_flag(${flag} ${known})
  if(${known})
    string(APPEND HARDEN_C "${flag} ")
  endif()
endforeach()

# Versions of memcpy, snprintf and others that know the size of their destination. They need optimisation. Packagers, and
# GCC on some systems, define the macro themselves; sanitizers need the plain functions.
unset(ICSEG_FORTIFY CACHE)
set(CMAKE_TRY_COMPILE_CONFIGURATION ${CMAKE_BUILD_TYPE})
check_c_source_compiles("
  #if defined _FORTIFY_SOURCE || !defined __OPTIMIZE__
  #error
  #endif
  int main(void) { return 0; }" ICSEG_FORTIFY)
if(ICSEG_FORTIFY AND NOT ICSEG_SANITIZE)
  string(APPEND HARDEN_C "-D_FORTIFY_SOURCE=2 ")
endif()

# Relocations are resolved at the start and are read-only afterwards; the stack is not executable.
set(HARDEN_LINKER "")
foreach(flag relro now noexecstack)
  check_linker_flag(C -Wl,-z,${flag} ICSEG_LINKER_${flag})
  if(ICSEG_LINKER_${flag})
    string(APPEND HARDEN_LINKER "-Wl,-z,${flag} ")
  endif()
endforeach()

# Programs are loaded at a random address.
if(NOT DEFINED CMAKE_POSITION_INDEPENDENT_CODE)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()
check_pie_supported(LANGUAGES C)

string(PREPEND CMAKE_C_FLAGS "${HARDEN_C}")
string(PREPEND CMAKE_SHARED_LINKER_FLAGS "${HARDEN_LINKER}")
string(PREPEND CMAKE_EXE_LINKER_FLAGS "${HARDEN_LINKER}")
