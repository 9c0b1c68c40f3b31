# The Debian package: "cpack -G DEB" in a release build makes oblogger_VERSION_amd64.deb.
install(FILES systemd/oblogger.service systemd/obaudit.service systemd/obaudit.timer
        DESTINATION lib/systemd/system)
install(FILES systemd/oblogger.sysusers DESTINATION lib/sysusers.d RENAME oblogger.conf)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME oblogger)
set(CPACK_PACKAGE_VENDOR "the oblogger authors")
set(CPACK_PACKAGE_CONTACT "the oblogger authors <oblogger@oblogger.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "record live order books of exchanges, losslessly")
set(CPACK_PACKAGE_DESCRIPTION "oblogger keeps the order books of Binance and Coinbase symbols live and records
every change of them, with all ids and both clocks, and their trades beside
them. obrebuild gives back the exact book at any recorded time.")
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
        GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/cmake/stage.cmake)

set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME oblogger_${PROJECT_VERSION}_amd64.deb)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE amd64)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
file(WRITE ${CMAKE_BINARY_DIR}/package/conffiles "/etc/oblogger/vars.env\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
        ${CMAKE_SOURCE_DIR}/package/postinst
        ${CMAKE_SOURCE_DIR}/package/prerm
        ${CMAKE_SOURCE_DIR}/package/postrm
        ${CMAKE_BINARY_DIR}/package/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)
set(CPACK_OBLOGGER_SOURCE ${CMAKE_SOURCE_DIR})
include(CPack)
