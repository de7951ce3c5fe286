// What all vector forms of ops with weights share: packed constants kept once, and working memory for each thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "ops/op.h"

namespace assay::ops {

// Who holds a packed form also holds the model that it was made from, so an address in use is never another constant's.
class PackedCache {
 public:
  static PackedCache& Global();
  enum class Layout : uint8_t {
    kProduct,
    kDepthwise,
    kFloatProduct,
    kWideProduct,
    kCodes
  };  // each of one type of values
  using Key = std::tuple<const void*, size_t, size_t, DType, Layout>;

  std::shared_ptr<const void> Find(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second.lock();
  }
  void Insert(const Key& key, const std::shared_ptr<const void>& packed) {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [](const auto& entry) { return entry.second.expired(); });
    entries_[key] = packed;
  }

 private:
  std::mutex mutex_;
  std::map<Key, std::weak_ptr<const void>> entries_;
};

// What pack() makes, shared by all who ask for the same constant of the same model.
template <typename PackFn>
auto SharePacked(const TensorRef& weights, size_t rows, size_t columns, PackedCache::Layout layout,
                 const PackFn& pack) {
  PackedCache& cache = PackedCache::Global();
  using Packed = decltype(pack());
  if (!weights.is_constant) return std::make_shared<const Packed>(pack());
  const PackedCache::Key key = {weights.data, rows, columns, weights.dtype, layout};
  if (auto packed = cache.Find(key)) return std::static_pointer_cast<const Packed>(packed);
  auto packed = std::make_shared<const Packed>(pack());
  cache.Insert(key, packed);
  return packed;
}

// Padding must not make a model many times larger than its file.
inline bool IsWorthPacking(size_t packed, size_t values) {
  constexpr size_t kSmall = size_t{64} << 10, kMostPadding = 4;
  return packed <= kSmall || packed / kMostPadding <= values;
}

// Working memory, one piece for every thread.
class ThreadScratch {
 public:
  ThreadScratch(PrepareContext& context, size_t bytes)
      : stride_((bytes + 63) / 64 * 64),
        id_(context.AddScratch(uint64_t{stride_} * static_cast<uint64_t>(context.threads()))) {}
  uint8_t* Of(const RunContext& run, int worker) const {
    return run.Scratch(id_).data() + stride_ * static_cast<size_t>(worker);
  }

 private:
  size_t stride_;
  int id_;
};

}  // namespace assay::ops
