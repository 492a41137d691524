#include "store_option.h"

namespace intact::cli {

StoreOption::StoreOption(CLI::App* command) : dir_(std::make_shared<std::string>()) {
  command
      ->add_option("--store", *dir_,
                   "The store (default: $INTACT_STORE, else /var/lib/intact for root and "
                   "$XDG_DATA_HOME/intact for others)")
      ->type_name("DIR")
      // An unset variable of a script must not mean the default store.
      ->check([](const std::string& dir) { return std::string(dir.empty() ? "is empty" : ""); });
}

std::string StoreOption::path() const {
  return dir_->empty() ? store::Store::default_path() : *dir_;
}

Result<std::shared_ptr<store::Store>> StoreOption::open() const {
  return std::shared_ptr<store::Store>(TRY(store::Store::open(path())));
}

Result<std::shared_ptr<store::Store>> StoreOption::open_or_create() const {
  return std::shared_ptr<store::Store>(TRY(store::Store::open_or_create(path())));
}

}  // namespace intact::cli
