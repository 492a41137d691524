# What is installed beside the program. Completions ask the program itself, so they are plain files.
if(EXISTS /etc/debian_version)
  set(zsh_completions vendor-completions)  # site-functions is for what an administrator puts there
else()
  set(zsh_completions site-functions)
endif()
install(FILES completions/intact.bash RENAME intact
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES completions/_intact DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/${zsh_completions})
install(FILES completions/intact.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

install(FILES README.md CHANGELOG.md SECURITY.md packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs FILES_MATCHING PATTERN "*.md" PATTERN "*.png"
        PATTERN man EXCLUDE)
