#include <utility>

#include <intact/report/view.h>

namespace intact::report {

PageFile::PageFile(const std::string& path, Warn warn) : warn_(std::move(warn)) {
  if (path.empty()) return;
  auto opened = path == "-" ? OutputFile::standard_output()
                            : OutputFile::create(path, OutputFile::Existing::replace, 0644);
  if (opened) {
    file_.emplace(std::move(*opened));
  } else {
    note(std::move(opened).error());
  }
}

void PageFile::note(Result<void> result) {
  if (result) return;
  warn_("the report: " + result.error().message());
  failure_.emplace(std::move(result).error());
}

void PageFile::write(const View& view) {
  if (!file_) return;
  auto written = file_->write(as_bytes(to_html(view)));
  note(written ? file_->publish() : std::move(written));
}

void PageFile::write_failure(const std::string& image, std::int64_t time, const Error& error,
                             const Circumstances& circumstances) {
  switch (error.kind()) {
    case ErrorKind::tampered:
    case ErrorKind::untrusted:
    case ErrorKind::malformed:
      return write(make_failed_view(image, time, error, circumstances));
    default:
      return;
  }
}

}  // namespace intact::report
