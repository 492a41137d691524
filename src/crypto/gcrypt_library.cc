#include "gcrypt_library.h"

#include <gcrypt.h>

#include "evp.h"

namespace intact::crypto {

void require_gcrypt() {
  static const bool ready = [] {
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) return true;
    if (gcry_check_version(GCRYPT_VERSION) == nullptr) return false;
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    return gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0) == 0;
  }();
  require_hash(ready);
}

}  // namespace intact::crypto
