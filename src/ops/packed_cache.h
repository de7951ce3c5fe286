// What all vector forms of ops with weights share: packed constants kept once, and working memory for each thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/aligned_vector.h"
#include "ops/op.h"
#include "ops/packed_file.h"

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
    kCodes,
    kPhase,
    kFloatPhase,
    kWidePhase,
    kFloatMatrices,
    kCodeMatrices,
    kWideMatrices,
    kGroups,
    kFloatByTap,
    kWideByTap
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

  // Where packed constants are looked for and added from now on; null: nowhere. To be set before models are prepared.
  void UseFile(std::shared_ptr<PackedFile> file) { file_ = std::move(file); }
  const std::shared_ptr<PackedFile>& file() const { return file_; }
  // What a constant's packed form is found by in the file.
  static PackedFile::Key FileKey(const TensorRef& weights, size_t rows, size_t columns, Layout layout);

 private:
  std::mutex mutex_;
  std::map<Key, std::weak_ptr<const void>> entries_;
  std::shared_ptr<PackedFile> file_;
};

// Packed values, of its own or in a file's memory.
template <typename T>
class PackedArray {
 public:
  using value_type = T;
  PackedArray() = default;
  PackedArray(AlignedVector<T> values) : values_(std::move(values)), view_(values_) {}  // NOLINT: a form of its values
  static PackedArray Borrowed(std::span<const T> view) {
    PackedArray array;
    array.view_ = view;
    return array;
  }
  PackedArray(PackedArray&&) noexcept = default;
  PackedArray& operator=(PackedArray&&) noexcept = default;

  const T* data() const { return view_.data(); }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

 private:
  AlignedVector<T> values_;
  std::span<const T> view_;
};

// The arrays of a packed form, for the file: the vector itself, or what a form of several arrays shows its visitor.
template <typename T, typename Allocator, typename Visitor>
void VisitArrays(std::vector<T, Allocator>& values, const Visitor& visitor) {
  visitor(values);
}
template <typename T, typename Visitor>
void VisitArrays(PackedArray<T>& values, const Visitor& visitor) {
  visitor(values);
}

template <typename Packed>
PackedFile::Arrays ArraysOf(const Packed& packed) {
  PackedFile::Arrays arrays;
  VisitArrays(const_cast<Packed&>(packed), [&](const auto& values) {  // which are only looked at
    arrays.emplace_back(reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(*values.data()));
  });
  return arrays;
}

// False where there are more or fewer arrays, or one holds no whole number of values. Vectors are copied; a PackedArray
// borrows the file's memory.
template <typename Packed>
bool FromArrays(const PackedFile::Arrays& arrays, Packed& packed) {
  size_t next = 0;
  bool fits = true;
  VisitArrays(packed, [&](auto& values) {
    using Values = std::remove_cvref_t<decltype(values)>;
    using Value = typename Values::value_type;
    static_assert(std::is_trivially_copyable_v<Value>);
    fits = fits && next < arrays.size() && arrays[next].size() % sizeof(Value) == 0;
    if (!fits) return;
    const std::span<const uint8_t> bytes = arrays[next++];
    if constexpr (std::is_same_v<Values, PackedArray<Value>>) {
      values = Values::Borrowed({reinterpret_cast<const Value*>(bytes.data()), bytes.size() / sizeof(Value)});
    } else {
      values.resize(bytes.size() / sizeof(Value));
      if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    }
  });
  return fits && next == arrays.size();
}

// What pack() makes, shared by all who ask for the same constant of the same model. is_whole(packed): whether a form
// that comes from a file has the sizes and indices that kernels count on.
template <typename PackFn, typename CheckFn>
auto SharePacked(const TensorRef& weights, size_t rows, size_t columns, PackedCache::Layout layout, const PackFn& pack,
                 const CheckFn& is_whole) {
  PackedCache& cache = PackedCache::Global();
  using Packed = decltype(pack());
  if (!weights.is_constant) return std::make_shared<const Packed>(pack());
  const PackedCache::Key key = {weights.data, rows, columns, weights.dtype, layout};
  if (auto packed = cache.Find(key)) return std::static_pointer_cast<const Packed>(packed);
  std::shared_ptr<const Packed> packed;
  if (const std::shared_ptr<PackedFile> file = cache.file(); file != nullptr) {
    const PackedFile::Key place = PackedCache::FileKey(weights, rows, columns, layout);
    Packed stored;
    if (const auto arrays = file->Find(place); arrays.has_value() && FromArrays(*arrays, stored) && is_whole(stored)) {
      // It lives in the file's memory.
      packed =
          std::shared_ptr<const Packed>(new Packed(std::move(stored)), [file](const Packed* form) { delete form; });
    } else {
      packed = std::make_shared<const Packed>(pack());
      file->Add(place, ArraysOf(*packed));
    }
  } else {
    packed = std::make_shared<const Packed>(pack());
  }
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
