#include "libcurl.h"

#include <string>

#include <dlfcn.h>

namespace intact::registry {
namespace {

struct Loaded {
  Libcurl functions{};
  std::string error;  ///< empty: loaded
};

Loaded load() {
  Loaded loaded;
  // Stays open: what runs at exit may still be in it.
  void* const library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    loaded.error = ::dlerror();
    return loaded;
  }
  const auto find = [&]<class Function>(const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    if (!function && loaded.error.empty())
      loaded.error = std::string("libcurl has no function ") + name;
  };
  Libcurl& to = loaded.functions;
  find("curl_global_init", to.global_init);
  find("curl_version_info", to.version_info);
  find("curl_free", to.free);
  find("curl_getdate", to.getdate);
  find("curl_slist_append", to.slist_append);
  find("curl_slist_free_all", to.slist_free_all);
  find("curl_easy_init", to.easy_init);
  find("curl_easy_cleanup", to.easy_cleanup);
  find("curl_easy_setopt", to.easy_setopt);
  find("curl_easy_getinfo", to.easy_getinfo);
  find("curl_easy_pause", to.easy_pause);
  find("curl_easy_strerror", to.easy_strerror);
  find("curl_multi_init", to.multi_init);
  find("curl_multi_cleanup", to.multi_cleanup);
  find("curl_multi_setopt", to.multi_setopt);
  find("curl_multi_add_handle", to.multi_add_handle);
  find("curl_multi_remove_handle", to.multi_remove_handle);
  find("curl_multi_perform", to.multi_perform);
  find("curl_multi_poll", to.multi_poll);
  find("curl_multi_wakeup", to.multi_wakeup);
  find("curl_multi_info_read", to.multi_info_read);
  find("curl_url", to.url);
  find("curl_url_cleanup", to.url_cleanup);
  find("curl_url_get", to.url_get);
  find("curl_url_set", to.url_set);
  if (loaded.error.empty() && to.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    loaded.error = "libcurl cannot be initialized";
  return loaded;
}

const Loaded& loaded() {
  static const Loaded once = load();
  return once;
}

}  // namespace

Result<void> load_libcurl() {
  if (loaded().error.empty()) return {};
  return Error(ErrorKind::unsupported,
               "registries: " + loaded().error + "; install libcurl (Debian: libcurl4)");
}

const Libcurl& libcurl() {
  return loaded().functions;
}

}  // namespace intact::registry
