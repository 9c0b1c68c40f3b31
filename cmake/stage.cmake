# Run by cpack on what will be packed: what Debian has in other places than an installation by hand.
set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
set(documents ${root}/usr/share/doc/oblogger)

function(pack_file path) # as gzip -9n, in its place
        execute_process(COMMAND gzip -9nf ${path} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(GLOB pages ${root}/usr/share/man/man1/*.1)
foreach(page ${pages})
        pack_file(${page})
endforeach()

configure_file(${CPACK_OBLOGGER_SOURCE}/package/copyright ${documents}/copyright COPYONLY)
configure_file(${CPACK_OBLOGGER_SOURCE}/package/changelog ${documents}/changelog.Debian COPYONLY)
pack_file(${documents}/changelog.Debian)
file(REMOVE ${documents}/LICENSE) # the same words are in copyright

# The settings; those that the unit gives are commented out: there they would have no effect.
file(READ ${CPACK_OBLOGGER_SOURCE}/vars.env.example settings)
file(STRINGS ${CPACK_OBLOGGER_SOURCE}/systemd/oblogger.service given REGEX "^Environment=")
foreach(line ${given})
        string(REGEX REPLACE "^Environment=" "" line ${line})
        string(REGEX REPLACE "=.*" "" name ${line})
        string(REGEX REPLACE "\n${name}=[^\n]*" "\n#${line} (given by oblogger.service)" settings "${settings}")
endforeach()
file(WRITE ${root}/etc/oblogger/vars.env "${settings}")
file(CHMOD ${root}/etc/oblogger/vars.env PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
file(MAKE_DIRECTORY ${root}/etc/oblogger/secrets)
file(CHMOD ${root}/etc/oblogger/secrets PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
