#include "gcrypt_library.h"

#include <cstdio>
#include <cstdlib>

#include <gcrypt.h>

namespace intact::crypto {

void require_done(bool ok) {
  if (ok) return;
  std::fputs("intact: libgcrypt cannot hash or encrypt; it may be in FIPS mode\n", stderr);
  std::abort();
}

void require_gcrypt() {
  static const bool ready = [] {
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) return true;
    if (gcry_check_version(GCRYPT_VERSION) == nullptr) return false;
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    return gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0) == 0;
  }();
  require_done(ready);
}

}  // namespace intact::crypto
