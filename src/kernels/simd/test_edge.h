// For tests: bytes directly behind which no memory is, so that reading or writing beyond them ends the program.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"

namespace assay::kernels::simd {

class EdgeBytes {
 public:
  // data() is a multiple of `alignment`, up to which bytes behind the last one are there after all.
  explicit EdgeBytes(size_t size, size_t alignment = 1) : size_(size) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t used = (size + alignment - 1) / alignment * alignment, pages = (used + page - 1) / page * page;
    mapped_ = pages + page;
    start_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSAY_CHECK(start_ != MAP_FAILED);
    auto* first = static_cast<uint8_t*>(start_);
    ASSAY_CHECK(mprotect(first + pages, page, PROT_NONE) == 0);
    data_ = first + pages - used;
  }
  explicit EdgeBytes(const std::vector<uint8_t>& bytes) : EdgeBytes(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), data_);
  }
  ~EdgeBytes() { munmap(start_, mapped_); }
  EdgeBytes(const EdgeBytes&) = delete;
  EdgeBytes& operator=(const EdgeBytes&) = delete;

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void* start_;
  uint8_t* data_;
  size_t size_, mapped_;
};

}  // namespace assay::kernels::simd
