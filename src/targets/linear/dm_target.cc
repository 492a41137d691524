#include <intact/dm/target.h>
#include <intact/linear/dm_target.h>

namespace intact::linear {
namespace {

Result<std::shared_ptr<block::Device>> open_line(const dm::Line& line, dm::Names& names,
                                                 const dm::Opening& opening) {
  dm::Arguments arguments(line);
  auto part = TRY(dm::part_of_device(arguments, line.sectors, names, opening));
  TRY(arguments.end());
  return part;
}

}  // namespace

constinit const dm::Target kDmTarget = {
    .name = "linear", .open = open_line, .kernel_arguments = dm::with_kernel_names<0>};

}  // namespace intact::linear
