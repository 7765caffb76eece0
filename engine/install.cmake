# What `cmake --install` puts where. The installed tree can be moved as a whole: nothing in it names its own place.
include(CMakePackageConfigHelpers)

set(foldlog_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/foldlog)

install(TARGETS foldlog EXPORT foldlogTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
                                              LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/engine/include/foldlog ${PROJECT_SOURCE_DIR}/replay/include/foldlog
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT foldlogTargets NAMESPACE foldlog:: DESTINATION ${foldlog_cmake_dir})

# Minor versions may differ in what they declare as long as the major version is 0.
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/foldlogConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/foldlogConfig.cmake INSTALL_DESTINATION ${foldlog_cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/foldlogConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/foldlogConfig.cmake ${PROJECT_BINARY_DIR}/foldlogConfigVersion.cmake
        DESTINATION ${foldlog_cmake_dir})

# Who links an archive needs what is in it, too, and does not always say --static. A shared library brings its own.
set(foldlog_pc_own "absl_strings capnp liblz4 libxxhash lmdb")
if(BUILD_SHARED_LIBS)
  set(foldlog_pc_requires "Requires: absl_status absl_statusor\nRequires.private: ${foldlog_pc_own}")
else()
  set(foldlog_pc_requires "Requires: absl_status absl_statusor ${foldlog_pc_own}")
endif()

# pkg-config knows where the .pc file lies; the prefix is found from there.
file(RELATIVE_PATH foldlog_pc_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(${CMAKE_CURRENT_LIST_DIR}/foldlog.pc.in ${PROJECT_BINARY_DIR}/foldlog.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/foldlog.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# Generator expressions, because tools/ comes after engine/. OPTIONAL, because a build may have been of some targets only;
# what is then left out is said, with the way to get it.
function(foldlog_say_if_left_out file what how)
  install(CODE "if(NOT EXISTS \"${file}\")
  message(NOTICE \"-- Left out: ${what}; ${how}\")
endif()")
endfunction()
if(FOLDLOG_BUILD_TOOLS)
  install(PROGRAMS $<TARGET_FILE:foldlog_program> DESTINATION ${CMAKE_INSTALL_BINDIR} OPTIONAL)
  foldlog_say_if_left_out($<TARGET_FILE:foldlog_program> "the program foldlog, which is not built"
                          "cmake --build ${PROJECT_BINARY_DIR}")
else()
  foldlog_say_if_left_out("" "the program foldlog" "configure with -DFOLDLOG_BUILD_TOOLS=ON")
endif()
if(FOLDLOG_BUILD_TOOLS AND FOLDLOG_BUILD_PYTHON)
  foldlog_say_if_left_out($<TARGET_FILE:foldlog_python> "the Python module, which is not built"
                          "cmake --build ${PROJECT_BINARY_DIR}")
else()
  foldlog_say_if_left_out("" "the Python module" "configure with -DFOLDLOG_BUILD_PYTHON=ON")
endif()

# For those who read logs without this library.
install(FILES ${PROJECT_SOURCE_DIR}/schema/event.capnp ${PROJECT_SOURCE_DIR}/schema/state.capnp
        DESTINATION ${CMAKE_INSTALL_DATADIR}/foldlog/schema)
install(FILES ${PROJECT_SOURCE_DIR}/schema/FORMAT.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
