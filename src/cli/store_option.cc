#include "store_option.h"

#include "command.h"

namespace intact::cli {
namespace {

std::shared_ptr<store::Store> with_notices(std::unique_ptr<store::Store> store) {
  for (const std::string& notice : store->notices()) warn(notice);
  return store;
}

}  // namespace

StoreOption::StoreOption(CLI::App* command) : dir_(std::make_shared<std::string>()) {
  command
      ->add_option("--store", *dir_,
                   "Store to use (default: $INTACT_STORE, or /var/lib/intact for root and "
                   "$XDG_DATA_HOME/intact for others)")
      ->type_name("DIR");
}

std::string StoreOption::path() const {
  return dir_->empty() ? store::Store::default_path() : *dir_;
}

Result<std::shared_ptr<store::Store>> StoreOption::open() const {
  return with_notices(TRY(store::Store::open(path())));
}

Result<std::shared_ptr<store::Store>> StoreOption::open_or_create(store::Access access) const {
  return with_notices(TRY(store::Store::open_or_create(path(), access)));
}

}  // namespace intact::cli
