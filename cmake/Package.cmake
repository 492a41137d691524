# cpack -G DEB, from build/release: a package for the Debian that it is built on. ./dev package does it.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME intact)
set(CPACK_PACKAGE_VENDOR "The Intact authors")
set(CPACK_PACKAGE_CONTACT "The Intact authors <intact@intact.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Seal container images and verify them at every read")
set(CPACK_PACKAGE_DESCRIPTION
"Container images are checked when they are pulled and then trusted for
ever. Intact seals an image when it is built and verifies it at every read
when it runs: a read of anything that has changed since fails and gives no
data. It works as an ordinary user, with nothing of the kernel but FUSE, on
OCI images, composefs, fs-verity digests and cosign signatures.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# fusermount3 is run, not linked.
set(CPACK_DEBIAN_PACKAGE_DEPENDS fuse3)
# libcurl is loaded when a registry is first asked.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "crun | runc, libcurl4, nbdkit, uidmap")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "skopeo")
# What Debian's policy asks of the files; the script sees only variables of CPack's name space.
set(CPACK_INTACT_CHANGELOG ${CMAKE_BINARY_DIR}/changelog.Debian)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/cmake/prepare-deb.cmake)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
    GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

execute_process(COMMAND date -u -R -d ${INTACT_RELEASE_DATE} OUTPUT_VARIABLE INTACT_RELEASE_DATE_RFC
                OUTPUT_STRIP_TRAILING_WHITESPACE)
configure_file(packaging/changelog.in ${CMAKE_BINARY_DIR}/changelog.Debian @ONLY)
include(CPack)
