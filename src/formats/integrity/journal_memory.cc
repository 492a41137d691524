#include <fmt/format.h>

#include "journal_ring.h"

// Which sections of the journal are in memory.

namespace intact::integrity {

/// An image for a section that begins; null: all memory is taken by sections that are not on disk.
JournalRing::Image JournalRing::free_image() {
  if (spare_.empty() && images_ >= max_images_) {
    if (can_go_.empty()) return nullptr;
    drop_image(*can_go_.front());
  }
  if (spare_.empty()) return std::make_shared<SectionImage>(volume_.layout);
  Image image = std::move(spare_.back());
  spare_.pop_back();
  image->clear();
  return image;
}

/// Takes the image of a section, for others to use unless somebody still reads it.
void JournalRing::drop_image(Section& section) {
  if (section.place) can_go_.erase(*section.place);
  section.place.reset();
  if (!section.image) return;
  --images_;
  if (section.image.use_count() == 1) spare_.push_back(std::move(section.image));
  section.image.reset();
}

void JournalRing::drop_surplus() {
  while (images_ + spare_.size() > max_images_ && !(spare_.empty() && can_go_.empty())) {
    if (spare_.empty()) drop_image(*can_go_.front());
    if (!spare_.empty()) spare_.pop_back();
  }
}

/// Its image is on disk as well.
void JournalRing::may_go(Section& section) {
  section.place = can_go_.insert(can_go_.end(), &section);
}

void JournalRing::set_digest(Section& section) const {
  if (is_bounded_) section.digest = crypto::sha256(section.image->bytes());
}

Result<JournalRing::Image> JournalRing::read_again(std::uint32_t index) const {
  auto image = std::make_shared<SectionImage>(volume_.layout);
  TRY(store_->read(index, *image));
  return image;
}

/// The images of sections that are on disk and stay there.
Result<std::vector<JournalRing::Pinned>> JournalRing::pin(
    const std::vector<Section*>& sections) const {
  std::vector<Pinned> pinned;
  for (Section* const section : sections) {
    Image image;
    {
      const std::shared_lock lock(mutex_);
      image = section->image;
    }
    if (!image) {
      image = TRY(read_again(section->index));
      if (section->digest != crypto::sha256(image->bytes()))
        return Error(ErrorKind::tampered,
                     fmt::format("section {} of the journal has changed since it was written",
                                 section->index));
    }
    pinned.push_back({.section = section, .image = std::move(image)});
  }
  return pinned;
}

}  // namespace intact::integrity
