# Run by CPack on the installed tree before it becomes a .deb: manual pages and changelogs are
# compressed in Debian, without names and times, so that the same sources give the same files.
set(doc ${CPACK_TEMPORARY_DIRECTORY}/usr/share/doc/intact)
file(COPY_FILE ${CPACK_INTACT_CHANGELOG} ${doc}/changelog.Debian)
file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
file(GLOB pages ${CPACK_TEMPORARY_DIRECTORY}/usr/share/man/man*/*.[0-9])
execute_process(COMMAND gzip -9 -n -f ${pages} ${doc}/changelog.Debian ${doc}/changelog
                COMMAND_ERROR_IS_FATAL ANY)
