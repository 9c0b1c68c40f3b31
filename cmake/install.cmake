# Manual pages, printed by the programs themselves, and what goes where on installation.
include(GNUInstallDirs)

set(programs oblogger obrebuild obmanage obaudit)
set(pages)
foreach(program ${programs})
        set(page ${CMAKE_BINARY_DIR}/man/${program}.1)
        add_custom_command(OUTPUT ${page}
                COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/man
                COMMAND ${program} --man > ${page}
                DEPENDS ${program} VERBATIM)
        list(APPEND pages ${page})
endforeach()
add_custom_target(man ALL DEPENDS ${pages})

install(TARGETS ${programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS oblogger_mongo LIBRARY DESTINATION lib/oblogger) # where obrebuild looks
install(DIRECTORY completions/ DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES README.md LICENSE vars.env.example DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs schema DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING
        PATTERN "*.md" PATTERN "*.svg" PATTERN "*.json" PATTERN "*.js")
